//! Owns why an agent does not suit a task, in words: looked for after the fact, in the agents as last heard of.

use alloc::format;
use alloc::string::{String, ToString};

use super::Scheduler;
use super::agents::{Agent, Candidate};
use super::apps::{App, AppIdx};
use super::room::{Lack, Need, Room};
use crate::constraint::{Census, Matcher};
use crate::number::Number;

/// What an agent fails at first, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Miss {
    /// A rule of the version, by number.
    Rule(usize),
    /// It offered nothing lately.
    Silent,
    /// It offers to another role.
    Role,
    /// It has too little of something.
    Lack(Lack),
    /// An outage is near.
    Maintenance,
    /// Tasks failed there lately.
    Avoided,
    /// It is kept free for another app.
    Claimed,
}

/// A task that looks for an agent, as an explanation has it.
pub(super) struct Seeker<'a> {
    pub(super) machine: &'a Scheduler,
    /// The app and its stand-in; `None` if it is not there yet.
    pub(super) app: Option<(AppIdx, &'a App)>,
    pub(super) need: &'a Need,
    pub(super) matcher: &'a Matcher,
    pub(super) role: &'a str,
    pub(super) census: &'a Census,
}

impl Seeker<'_> {
    /// What the agent fails at first, as it was last heard of.
    pub(super) fn miss(&self, agent: &Agent) -> Option<Miss> {
        let room = agent.offered.as_ref().map(|(_, room)| room);
        let Some((offered_to, room)) = agent.offered.as_ref().filter(|_| room.is_some()) else {
            return Some(self.broken_rule(agent, None).map_or(Miss::Silent, Miss::Rule));
        };
        self.miss_in(agent, offered_to, room)
    }

    /// What the agent fails at first if so much is free.
    pub(super) fn miss_in(&self, agent: &Agent, offered_to: &str, room: &Room) -> Option<Miss> {
        if let Some(rule) = self.broken_rule(agent, Some(room)) {
            return Some(Miss::Rule(rule));
        }
        if offered_to != self.role {
            return Some(Miss::Role);
        }
        if let Some(lack) = room.lacks(self.need) {
            return Some(Miss::Lack(lack));
        }
        let machine = self.machine;
        if agent.outage.is_some_and(|outage| outage.is_near(machine.now.wall)) {
            return Some(Miss::Maintenance);
        }
        let now = machine.clock.read(machine.now.mono);
        if self.app.map_or_else(|| agent.is_black_hole(now), |(_, app)| app.avoids(agent, now)) {
            return Some(Miss::Avoided);
        }
        let claimed = agent.claimed_by.is_some() && agent.claimed_by != self.app.map(|(idx, _)| idx);
        claimed.then_some(Miss::Claimed)
    }

    fn broken_rule(&self, agent: &Agent, room: Option<&Room>) -> Option<usize> {
        self.matcher.check(&Candidate { agent, room }, self.census).err()
    }

    /// The requirement, as text.
    pub(super) fn name(&self, miss: Miss) -> String {
        let name = match miss {
            Miss::Rule(number) => self.matcher.describe(number),
            Miss::Silent => "offers",
            Miss::Role => "role",
            Miss::Lack(Lack::Cpus) => "cpus",
            Miss::Lack(Lack::Mem) => "mem",
            Miss::Lack(Lack::Disk) => "disk",
            Miss::Lack(Lack::Gpus) => "gpus",
            Miss::Lack(Lack::Ports) => "ports",
            Miss::Maintenance => "maintenance",
            Miss::Avoided => "avoided",
            Miss::Claimed => "claimed",
        };
        name.into()
    }

    /// What the agent lacks, as a sentence's end.
    pub(super) fn words(&self, miss: Miss, agent: &Agent) -> String {
        let need = self.need;
        let (offered_to, room) = match &agent.offered {
            Some((role, room)) => (&**role, Some(room)),
            None => ("", None),
        };
        match miss {
            Miss::Rule(number) => format!("does not meet {}", self.matcher.describe(number)),
            Miss::Silent => "has offered nothing yet".into(),
            Miss::Role => format!("offers to the role {offered_to}, not to {}", self.role),
            Miss::Lack(lack) => room.map_or_else(String::new, |room| shortage(lack, room, need)),
            Miss::Maintenance => "has a planned outage".into(),
            Miss::Avoided => "is avoided, since tasks failed there lately".into(),
            Miss::Claimed => "is kept free for another app".into(),
        }
    }
}

/// How much is needed and how much is free.
fn shortage(lack: Lack, room: &Room, need: &Need) -> String {
    let (free, wanted) = (room.open_to(need), need.amounts);
    let (what, wanted, free) = match lack {
        Lack::Cpus => ("CPUs", wanted.cpus, free.cpus),
        Lack::Mem => ("MiB of memory", wanted.mem, free.mem),
        Lack::Disk => ("MiB of disk", wanted.disk, free.disk),
        Lack::Gpus => ("GPUs", wanted.gpus, free.gpus),
        Lack::Ports => return port_shortage(room, need),
    };
    format!("has {} of {} {what} free", decimal(free), decimal(wanted))
}

fn port_shortage(room: &Room, need: &Need) -> String {
    let missing = need.ports.iter().find(|&&port| port != 0 && !room.has(need, port));
    match missing {
        Some(port) => format!("has no port {port} free"),
        None => format!("has {} of {} ports free", room.ports, need.ports.len()),
    }
}

/// Thousandths as a decimal number.
pub(super) fn decimal(thousandths: i64) -> String {
    Number::from_thousandths(thousandths.max(0).unsigned_abs()).to_string()
}
