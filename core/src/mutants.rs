//! Owns the seeded bugs: faults of the machines' own, one of which may be switched on, to prove that the simulator would
//! find such a bug. They are there only with the feature `mutants`; otherwise `mutant!` is `false` and leaves no trace.

/// Whether a seeded bug is on.
#[cfg(feature = "mutants")]
macro_rules! mutant {
    ($name:ident) => {
        crate::mutants::Mutant::$name.is_on()
    };
}

/// Whether a seeded bug is on: never, in this build.
#[cfg(not(feature = "mutants"))]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
}

#[cfg(feature = "mutants")]
pub use self::bank::{Mutant, switch_on};

#[cfg(feature = "mutants")]
mod bank {
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// The one that is on, counted from 1; 0 for none. The only state outside of a machine, which no release build has.
    static ON: AtomicUsize = AtomicUsize::new(0);

    /// Switches one on, or all off.
    pub fn switch_on(mutant: Option<Mutant>) {
        ON.store(mutant.map_or(0, |mutant| mutant as usize + 1), Ordering::Relaxed);
    }

    macro_rules! bank {
        ($($name:ident $what:literal)*) => {
            /// A seeded bug.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[allow(missing_docs)]
            pub enum Mutant {
                $($name,)*
            }

            impl Mutant {
                /// All of them.
                pub const ALL: &[Self] = &[$(Self::$name,)*];

                /// What it does, for people.
                pub const fn what(self) -> &'static str {
                    match self {
                        $(Self::$name => $what,)*
                    }
                }
            }
        };
    }

    impl Mutant {
        pub(crate) fn is_on(self) -> bool {
            ON.load(Ordering::Relaxed) == self as usize + 1
        }
    }

    bank! {
        AckBeforeStored "acknowledges updates before they are durable"
        AckWithoutUuid "acknowledges updates that have no uuid"
        UnknownNotAcknowledged "leaves updates of unknown tasks unacknowledged"
        AcceptBeforeStored "accepts offers before the tasks are durable"
        ReplyBeforeStored "answers requests before the change is durable"
        ReleasesNextBatch "takes the batch after the durable one for durable too"
        UnknownOutcomeIsDone "takes a write of unknown outcome for done"
        ForgetsLastChange "leaves out the last change of each entry when it recovers"
        SnapshotMissesChanges "does not write again what has changed since the last snapshot"
        NoCutAtTakeover "leaves what may still be written behind the log's end"
        NoHeartbeatDeadline "waits for ever on a connection that is silent"
        NewFrameworkId "subscribes anew without its framework id"
        SubscribesAnew "takes a lost store for a first start"
        ReusesTaskIds "gives tasks of one slot the same id"
        IgnoresRescind "keeps offers that were rescinded"
        OffersOutliveConnection "keeps offers of an earlier connection"
        KillsUnknown "kills tasks that it does not know"
        UnreachableIsTheEnd "takes a task that cannot be reached for ended"
        ForgetsReplaced "forgets tasks that it replaced while they could not be reached"
        ReturnedLivesOn "lets a task live that returns after it was replaced"
        StateGoesBack "takes a late update for news"
        KillsOnce "kills once and never again"
        NoReconciliation "does not ask after its tasks on a new connection"
        NoRevive "does not revive offers"
        RevivesOnce "revives offers only once on a connection"
        NoBackOff "starts failing tasks again at once"
        BlamesTheApp "takes losses of agents for errors of the app"
        NoBrake "replaces whatever is lost, however much"
        NoFloor "ends tasks whose end leaves too few healthy"
        FloorOneLess "lets one task less stay healthy than it should"
        NoCeiling "starts as many successors as it likes"
        CeilingOneMore "starts one successor too many"
        ParallelIgnored "changes as many slots at once as it likes"
        ReadyAtOnce "takes a task for ready as soon as it is well"
        TrustsTheJournal "relies on tasks of which only the journal tells to end others"
        UnreadySuccessor "ends a task before its successor serves"
        SurplusStays "leaves tasks beyond the wanted number"
        AlwaysTheNewest "replaces the dead of a failed rollout by the new version"
        PauseIgnored "goes on with a rollout that rests"
        NoProgressDeadline "lets a rollout hang for ever"
        RulesIgnored "places tasks against their rules"
        RulesCountNothing "does not count what it has just placed"
        RoomNotTaken "takes nothing off an offer for what it placed there"
        PortsTwice "gives the same port to two tasks"
        HealthNotRecorded "keeps verdicts of health in memory only"
        RecordStays "leaves the record of a slot that is gone"
        EndNotCounted "miscounts when a task stops being healthy"
        MovesAtOnce "ends tasks before an outage without a successor"
        NeverTwiceIgnored "replaces an app's lost task that must never run twice"
        VersionRecordStays "leaves the versions of an app that is gone"
        OneTooFew "wants one instance less than the user"
        ActsAfterLease "takes its lease for one that never ends"
        LeaseTooLong "counts on its session for twice as long as it lasts"
        AbdicatesInWords "resigns, and acts on"
        NoClaim "leads in the epoch that it finds"
        TailUnread "takes over without reading what it has not followed yet"
        AdoptsClean "takes what it has followed for part of the snapshot that it meets when it takes over"
        RaisesAlone "raises the format level without asking whether the others can read it"
        WritesNewest "writes the newest format level that it knows, not the one in force"
        StandbySkips "leaves out the last change of each entry that it follows as a standby"
    }
}
