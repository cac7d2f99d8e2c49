//! Owns the check of S26: a rollout changes no more slots at once than its `update.parallel`, and a slot has changed only
//! once its new task has been ready for `update.minHealthySeconds`.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::link::LinkInput;
use swan_core::manager::ManagerInput;
use swan_core::mesos::{AgentId, Event, TaskState};
use swan_core::record::Op;

use super::fleet::Member;
use super::stored::{REPLACE, StoredApp, StoredSeat};
use super::{Checker, Context, Seen};
use crate::definition::Policy;

/// Operations that replace tasks.
const REPLACING: [&str; 3] = ["updating", "rollbacking", "restarting"];
/// The manager's clock and the world's may differ by so much.
const SLACK_MS: u64 = 1_000;

/// Rollouts go step by step. Judged when a step becomes durable: what was ready when it was decided is so then, too.
#[derive(Clone, Debug, Default)]
pub struct RolloutSteps {
    apps: BTreeMap<String, Rolling>,
    /// Why the task in each seat is ended, by app and seat.
    seats: BTreeMap<(String, u32), u32>,
    /// Agents with a planned outage: what moves away from them is no step of a rollout.
    leaving: BTreeSet<AgentId>,
}

/// A rollout under way.
#[derive(Clone, Debug, Default)]
struct Rolling {
    /// The version that it brings.
    target: u64,
    /// Slots that it has begun to change.
    begun: BTreeSet<u32>,
}

impl Checker for RolloutSteps {
    fn number(&self) -> &'static str {
        "S26"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Told(ManagerInput::Link(LinkInput::Event { event, .. })) => match &**event {
                Event::Offers(offers) => {
                    let planned = offers.iter().filter(|offer| offer.unavailability.is_some());
                    self.leaving.extend(planned.map(|offer| offer.agent_id.clone()));
                }
                Event::InverseOffers(offers) => {
                    self.leaving.extend(offers.iter().filter_map(|offer| offer.agent_id.clone()));
                }
                _ => {}
            },
            Seen::Stored(entry) => {
                for op in &entry.ops {
                    self.note(at, op)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl RolloutSteps {
    /// A record has changed; perhaps a step begins with it.
    fn note(&mut self, at: Context<'_>, op: &Op) -> Result<(), String> {
        let Some(place) = StoredSeat::named(&op.key) else { return Ok(()) };
        let Some(seat) = StoredSeat::of(op) else {
            self.seats.remove(&place);
            return Ok(());
        };
        let stop = seat.stop();
        let before = self.seats.insert(place, stop);
        let begins = if seat.second { before.is_none() } else { stop == REPLACE && before != Some(REPLACE) };
        if begins { self.begin(at, &seat) } else { Ok(()) }
    }

    /// A task is to end, or gets a successor.
    fn begin(&mut self, at: Context<'_>, seat: &StoredSeat) -> Result<(), String> {
        let app = at.stored.app(&seat.app).filter(is_replacing);
        let Some((app, runs)) = app.zip(at.stored.target_runs(&seat.app)) else {
            self.apps.remove(&seat.app);
            return Ok(());
        };
        let rolling = self.apps.entry(seat.app.clone()).or_default();
        if rolling.target != app.target {
            *rolling = Rolling { target: app.target, begun: BTreeSet::new() };
        }
        let [first, second] = at.stored.seats_of(&seat.app, seat.slot);
        let Some(first) = first.filter(|first| is_outdated(first, runs) && !first.is_lost()) else {
            return Ok(());
        };
        let before = first.task_id().and_then(|task| at.fleet.get(&task));
        if before.is_none_or(|member| self.leaving.contains(&member.agent)) {
            return Ok(());
        }
        let policy = at.policy(&seat.app);
        if !seat.second && before.is_some_and(Member::serves) {
            is_followed(at, second.as_ref(), runs, &policy)?;
        }
        let Some(most) = policy.parallel.filter(|_| rolling.begun.insert(seat.slot)) else { return Ok(()) };
        let others = rolling.begun.iter().filter(|slot| **slot != seat.slot && **slot < app.instances);
        let changing = others.filter(|slot| is_changing(at, &seat.app, **slot, runs, &policy)).count();
        if changing < most as usize {
            return Ok(());
        }
        let (name, slot) = (&seat.app, seat.slot);
        Err(format!("slot {slot} of {name} begins to change while {changing} do: {most} may"))
    }
}

fn is_replacing(app: &StoredApp) -> bool {
    let rollout = app.rollout.as_ref();
    rollout.is_some_and(|it| it.stage == "running" && REPLACING.contains(&it.operation.as_str()))
}

/// The seat has a task of another configuration.
fn is_outdated(seat: &StoredSeat, runs: u64) -> bool {
    seat.task.as_ref().is_some_and(|(_, version)| *version != runs)
}

/// A task that ends because another stands ready beside it has that one ready for long enough.
fn is_followed(
    at: Context<'_>,
    successor: Option<&StoredSeat>,
    runs: u64,
    policy: &Policy,
) -> Result<(), String> {
    let stays = |seat: &&StoredSeat| {
        seat.task.as_ref().is_some_and(|(task, version)| {
            task.stop == 0 && *version == runs && task.state == TaskState::Running
        })
    };
    let Some(task) = successor.filter(stays).and_then(StoredSeat::task_id) else { return Ok(()) };
    match at.fleet.get(&task).filter(|member| member.stays()) {
        Some(member) if !is_ready(at, member, policy) => Err(format!(
            "{task} has been well since {:?}, and takes the place of another: {} s are to pass",
            member.well, policy.min_ready
        )),
        _ => Ok(()),
    }
}

/// It has been well for long enough.
fn is_ready(at: Context<'_>, member: &Member, policy: &Policy) -> bool {
    let span = u64::from(policy.min_ready) * 1_000;
    member.well.is_some_and(|since| since + span <= at.now + SLACK_MS)
}

/// A slot that has begun to change is surely not through with it, and nothing has gone wrong there meanwhile.
fn is_changing(at: Context<'_>, app: &str, slot: u32, runs: u64, policy: &Policy) -> bool {
    let [first, second] = at.stored.seats_of(app, slot);
    let untouched =
        second.is_none() && first.as_ref().is_some_and(|seat| is_outdated(seat, runs) && seat.stop() == 0);
    let version = runs.to_string();
    let mut news = at.fleet.of(app).map(|(_, it)| it).filter(|it| it.slot == slot && it.version == version);
    // One that was well and is not any more may count as changed, or not.
    !untouched
        && news.all(|it| it.stays() && it.well.is_some() == it.served.is_some() && !is_ready(at, it, policy))
}
