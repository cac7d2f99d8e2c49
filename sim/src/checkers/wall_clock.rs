//! Owns the check of S16: the wall clock decides nothing. Two runs of which one has another time of day do the same.

use swan_core::journal::StoreOp;
use swan_core::link::LinkEffect;
use swan_core::manager::ManagerEffect;
use swan_core::scheduler::effect::MesosCall;

use crate::digest::Digest;
use crate::draws::Named;

/// What is done, step by step, but for times of day and what is named by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline(Vec<u64>);

impl Outline {
    /// Adds a step.
    pub fn step(&mut self, now: u64, effects: &[ManagerEffect]) {
        let mut digest = Digest::default();
        digest.add(&now);
        for effect in effects {
            digest.bytes(words(effect).as_bytes());
        }
        self.0.push(digest.value());
    }

    /// The first step, by number, that differs.
    pub fn differs(&self, other: &Self) -> Option<usize> {
        let longest = self.0.len().max(other.0.len());
        (0..longest).find(|&step| self.0.get(step) != other.0.get(step))
    }
}

/// An effect in words. Versions are named by the time of day: they, and what is made of them, are left out.
fn words(effect: &ManagerEffect) -> String {
    match effect {
        ManagerEffect::Link(LinkEffect::Send { call, .. }) => match &**call {
            MesosCall::Accept { offers, launches, refuse } => {
                let launches = launches.iter().map(|it| (&it.task, &it.agent, &it.ports, &it.claims));
                format!("{offers:?} {:?} {refuse:?}", launches.collect::<Vec<_>>())
            }
            call => format!("{call:?}"),
        },
        ManagerEffect::Store { id, op: StoreOp::Append { index, .. } } => format!("{id:?} {index}"),
        ManagerEffect::Store { id, op } => format!("{id:?} {}", Named(op)),
        ManagerEffect::Publish(event) => format!("{} {}", event.id, Named(&event.kind)),
        ManagerEffect::Reply { id, result } => format!("{id:?} {}", result.is_ok()),
        ManagerEffect::Route(delta) => format!("{delta:?}"),
        other => Named(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_outlines_that_differ_are_told_apart() {
        let with = |effects: &[ManagerEffect]| {
            let mut outline = Outline::default();
            outline.step(1, effects);
            outline
        };
        let (none, some) = (with(&[]), with(&[ManagerEffect::Campaign]));
        assert_eq!(none.differs(&none.clone()), None);
        assert_eq!(none.differs(&some), Some(0));
        assert_eq!(none.differs(&Outline::default()), Some(0), "one does more");
    }
}
