//! Owns what does not follow from a run itself: what happened by chance, and where, and what clients asked.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ask::Ask;

macro_rules! sites {
    ($($name:ident $words:literal)*) => {
        /// Where the world may do something by chance.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[allow(missing_docs)]
        pub enum Site {
            $($name,)*
        }

        impl Site {
            pub(crate) const COUNT: usize = [$($words),*].len();

            /// What happens there, for people.
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }
        }
    };
}

sites! {
    ProcessCrash "the process ends, at no effect in particular"
    Cut "the newest connection breaks"
    HalfOpen "the newest connection dies without a word"
    Rescind "the master takes offers back"
    AgentCrash "an agent's process dies"
    AgentPartition "an agent and the master cannot talk"
    AgentStop "an agent leaves in order"
    AgentsLost "many agents are lost at once"
    AgentFlaps "an agent goes and comes back again and again"
    Outage "an operator plans an outage"
    CrashBefore "the process ends before this effect"
    DiskStalls "the disk hangs"
    DiskFails "a write fails without an effect"
    DiskUnknown "the outcome of a write is not told"
    DiskKeeps "writes under way at a crash are kept"
    DiskTears "a write under way at a crash is torn"
    SubscribeRefused "SUBSCRIBE is refused"
    CallIgnored "a call is answered with 202 and lost"
    AnswerLost "the answer to a call is lost"
    UpdateTwice "a status update comes twice"
    UpdateReplayed "a status update comes again much later"
    BlackHole "every task fails on this agent"
    NeverHealthy "a task is never healthy"
    HealthFlaps "a task's health flaps"
    Stubborn "a task ignores the polite signal"
    LaunchFails "a launch fails"
    TaskExits "a task exits by itself"
    ClientLeaves "a client without an answer does not ask again"
    MasterFails "the leading master dies, and soon another leads"
    NoLeader "nobody leads for minutes"
    OddStream "SUBSCRIBE is accepted, and then not answered as it should be"
    OddAnswer "RECONCILE is answered late, wrongly, or not at all"
    MasterForgets "the master forgets what it cannot reach"
    OffersPause "nothing is offered for a while, and then everything"
    OffersSplit "offers come in small pieces for a while"
    OthersTake "another framework takes whatever is free"
    NoAttributes "an agent tells its attributes only when it comes back"
    WallClock "the wall clock of the manager's host is wrong"
    ProcessPauses "the process does not run for a while"
    AgentReboots "an agent's host starts again, as another agent"
    ClockSkewed "an agent's clock is wrong"
    TaskStuck "a task never starts"
    OddEnd "a task that is told to end ends oddly"
    RunsTwice "a task is told to run once more"
    Redirected "a master names a leader that is none"
    MasterError "the master ends the subscription with an ERROR"
    DiskRots "what is stored is damaged"
    OddUpdate "a status update lacks something, or says what nobody knows"
    RacksCut "a switch fails, and racks are cut off"
    OddOffer "an offer has resources that are none"
    RegistryLost "a new master knows no agents"
    ZooKeeperCut "a manager loses ZooKeeper for a while"
    ZooKeeperLost "the connection to ZooKeeper is lost at this operation"
    ZooKeeperKeeps "requests under way when a connection breaks are carried out"
    ZooKeeperSlow "a request to ZooKeeper is slow"
    NoQuorum "ZooKeeper has no majority for a while"
    StaleRead "a read is answered by a server that lags"
    WatchLost "nobody is told of what was watched"
    LateExpiry "a session ends later than it should"
    LeaderPauses "whoever leads does not run for a while"
    LeaderLoops "whoever leads dies, again and again"
    Abdicates "an operator lets another manager lead"
    ZooKeeperRots "what ZooKeeper keeps is damaged"
    PausesBefore "the process does not run for a while, from before this effect on"
    StaysHalfOpen "packets go on vanishing after the process has closed its end"
    Rolls "an operator starts a manager as another build"
    StaleRegister "the register of managers is read from a server that lags"
    MasterSlow "the master, or the way to it, is slow for a while"
    AgentMarkedGone "an operator marks an agent as gone"
    AgentDrains "an operator drains an agent"
    ExecutorsLost "an agent that comes back has lost its executors"
    NothingStarts "no task ever starts on this agent"
    SlowPull "an image is pulled for minutes"
    KillHangs "a task that is told to end does not"
    DiskFull "the disk is full for a while"
    IdleWake "a manager wakes though nothing is due"
    AgentsRoll "all agents start again, one after another"
    Forbidden "SUBSCRIBE is forbidden"
    AgentFull "an agent offers what it has not any more"
    PortsKept "a container lets go of its ports long after its end"
    KilledOutside "somebody kills a container, and not through Swan"
    RoleLimited "an operator limits what the roles may have"
    Garbled "what a record of the stream says cannot be read"
    Intruder "a tool subscribes as Swan, and launches a task of its own"
}

/// One thing that a run does not do by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Event {
    Draw(Draw),
    Ask(Asked),
}

/// Something that happened by chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Draw {
    /// When, in virtual ms.
    pub at: u64,
    /// Where.
    pub site: Site,
    /// How many opportunities were there before, in that millisecond.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nth: u32,
    /// To what: a call, a storage operation, an effect, a slot as `APP/SLOT`, an agent, a client.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub of: String,
    /// How, by name: milliseconds where the name ends so, agents by number, 1 for what is so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, u64>,
}

/// Something that a client asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    /// When, in virtual ms; later if the client waits for an answer then.
    pub at: u64,
    /// Which client.
    pub client: u32,
    /// What.
    pub ask: Ask,
    /// It names the revision that it has seen.
    pub matched: bool,
    /// It has an idempotency key.
    pub keyed: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Event {
    /// When, in virtual ms.
    pub const fn at(&self) -> u64 {
        let (Self::Draw(Draw { at, .. }) | Self::Ask(Asked { at, .. })) = self;
        *at
    }

    /// Where it happens by chance, if it does.
    pub const fn site(&self) -> Option<Site> {
        match self {
            Self::Draw(draw) => Some(draw.site),
            Self::Ask(_) => None,
        }
    }

    /// The app that it is about; empty if about none.
    pub fn app(&self) -> &str {
        match self {
            Self::Draw(draw) => draw.of.split_once('/').map_or("", |(app, _)| app),
            Self::Ask(asked) => asked.ask.app(),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}.{:03} s  ", self.at() / 1000, self.at() % 1000)?;
        match self {
            Self::Draw(Draw { site, of, with, .. }) => {
                f.write_str(site.words())?;
                if !of.is_empty() {
                    write!(f, ": {of}")?;
                }
                let with: Vec<String> = with.iter().map(|(name, value)| format!("{name} {value}")).collect();
                if with.is_empty() { Ok(()) } else { write!(f, " ({})", with.join(", ")) }
            }
            Self::Ask(Asked { client, ask, .. }) => write!(f, "client {client} {ask}"),
        }
    }
}
