//! Owns `swan journal`: whole journals looked at, checked, and copied from one place to another.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use clap::{Args, Subcommand};
use swan_core::journal::copy::{Extent, written_anew};
use swan_core::journal::{
    Journal, JournalConfig, JournalEffect, JournalInput, Payload, StoreOp, StoreResult,
};
use swan_core::record::RecordKey;
use swan_core::time::Now;
use swan_store::{FileStore, Sessions, ZkStore};
use tokio::runtime::Runtime;

use crate::failure::{Exit, Failure};
use crate::places::{Journal as Place, ZooKeeperArgs, journal};
use crate::service;

/// Look at, check and copy journals.
#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    zookeeper: ZooKeeperArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read all of a journal, and say what is in it, or what is wrong with it.
    Verify {
        /// file:DIR, of a manager that does not run; or zk://…/PATH.
        #[arg(value_name = "PLACE", value_parser = journal)]
        place: Place,
    },
    /// List the records of a journal: key and bytes. What is in them may be secret, and is not shown.
    Dump {
        /// file:DIR, of a manager that does not run; or zk://…/PATH.
        #[arg(value_name = "PLACE", value_parser = journal)]
        place: Place,
    },
    /// Copy a journal to a place where there is none: a backup, its way back, or a move from files to ZooKeeper.
    ///
    /// Managers that use the source must be stopped before a move; a backup needs no stop if the source is in ZooKeeper.
    #[command(visible_aliases = ["export", "import"])]
    Copy {
        /// file:DIR, of a manager that does not run; or zk://…/PATH.
        #[arg(value_name = "FROM", value_parser = journal)]
        from: Place,
        /// file:DIR or zk://…/PATH, where there is no journal.
        #[arg(value_name = "TO", value_parser = journal)]
        to: Place,
    },
}

/// Does what was asked.
pub(crate) fn run(arguments: &JournalArgs) -> Result<(), Failure> {
    let runtime = service::runtime()?;
    let open = |place: &Place| Store::open(place, &arguments.zookeeper, &runtime, false);
    match &arguments.command {
        Command::Verify { place } => {
            let content = read(&mut open(place)?, place)?;
            print!("{}", content.described());
            println!("{place} is sound");
        }
        Command::Dump { place } => {
            let content = read(&mut open(place)?, place)?;
            for (key, value) in &content.records {
                println!("{key:?}\t{}", value.len());
            }
        }
        Command::Copy { from, to } => {
            let content = read(&mut open(from)?, from)?;
            let described = content.described();
            write(&mut Store::open(to, &arguments.zookeeper, &runtime, true)?, to, content)?;
            print!("{described}");
            println!("copied from {from} to {to}");
        }
    }
    Ok(())
}

/// What a journal holds.
struct Content {
    extent: Extent,
    records: BTreeMap<RecordKey, Vec<u8>>,
}

impl Content {
    fn described(&self) -> String {
        let Extent { level, epoch, seq, cluster_time } = self.extent;
        let mut kinds = BTreeMap::<&str, usize>::new();
        for key in self.records.keys() {
            *kinds.entry(swan_core::scheduler::record_kind(key)).or_default() += 1;
        }
        let mut text = format!(
            "format level {level}; {} records, {} bytes; batch {} of leadership {}, {} s of cluster time\n",
            self.records.len(),
            self.records.values().map(Vec::len).sum::<usize>(),
            seq.0,
            epoch.0,
            cluster_time.0 / 1000,
        );
        for (kind, count) in kinds {
            writeln!(text, "{count:>8} {kind}").expect("strings grow");
        }
        text
    }
}

/// A journal's place, open.
enum Store<'a> {
    File(Box<FileStore>),
    ZooKeeper(ZkStore, &'a Runtime),
}

impl<'a> Store<'a> {
    /// Makes a place for a journal if it is to be `new`.
    fn open(
        place: &Place,
        zookeeper: &ZooKeeperArgs,
        runtime: &'a Runtime,
        new: bool,
    ) -> Result<Self, Failure> {
        let failed = |error: swan_store::StoreError| Failure::failed(error.to_string());
        match place {
            Place::File(directory) if !new && !directory.join("epoch").exists() => {
                Err(Failure::new(Exit::NotFound, format!("{place}: there is no journal")))
            }
            Place::File(directory) => Ok(Self::File(Box::new(FileStore::open(directory).map_err(failed)?))),
            Place::ZooKeeper(address) => {
                let _inside = runtime.enter();
                let options = zookeeper.options(address)?;
                let sessions =
                    if new { Sessions::of_journal(options) } else { Sessions::of_present_journal(options) };
                let sessions = sessions.map_err(failed)?;
                Ok(Self::ZooKeeper(ZkStore::new(sessions), runtime))
            }
        }
    }

    fn execute(&mut self, op: StoreOp) -> StoreResult {
        match self {
            Self::File(store) => store.execute(op),
            Self::ZooKeeper(store, runtime) => runtime.block_on(store.execute(op)),
        }
    }
}

/// Follows all that is stored, as a manager does that starts.
fn read(store: &mut Store<'_>, place: &Place) -> Result<Content, Failure> {
    let fail = |why: String| Failure::failed(format!("{place}: {why}"));
    let mut journal = Journal::new(JournalConfig::default());
    let mut records = BTreeMap::new();
    let mut inputs = VecDeque::from([JournalInput::Boot]);
    let mut effects = Vec::new();
    while let Some(input) = inputs.pop_front() {
        journal.step(Now::default(), input, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                JournalEffect::Op { id, op } => {
                    inputs.push_back(JournalInput::Result { id, result: store.execute(op) });
                }
                JournalEffect::Follow(ops) => {
                    for op in ops {
                        match op.value {
                            Some(value) => drop(records.insert(op.key, value)),
                            None => drop(records.remove(&op.key)),
                        }
                    }
                }
                JournalEffect::CaughtUp { .. } => return Ok(Content { extent: journal.extent(), records }),
                JournalEffect::Trouble(why) => return Err(fail(why)),
                JournalEffect::Refused(refusal) => return Err(fail(refusal.to_string())),
                JournalEffect::Restart => {
                    return Err(fail("it was replaced while it was read; try again".to_owned()));
                }
                JournalEffect::Recovered { .. }
                | JournalEffect::Up(_)
                | JournalEffect::NeedRecords { .. } => {}
            }
        }
    }
    Err(fail("it was not read to its end".to_owned()))
}

fn write(store: &mut Store<'_>, place: &Place, content: Content) -> Result<(), Failure> {
    let fail = |why: &str| Failure::failed(format!("{place}: {why}"));
    let empty = [
        (StoreOp::ReadManifest, StoreResult::Done(Payload::Manifest(None))),
        (StoreOp::ReadEpoch, StoreResult::Done(Payload::Epoch(swan_core::record::Epoch(0)))),
    ];
    for (question, expected) in empty {
        match store.execute(question) {
            found if found == expected => {}
            StoreResult::Done(_) => return Err(fail("there is a journal; name a place where there is none")),
            other => return Err(fail(&format!("it cannot be looked at: {other:?}"))),
        }
    }
    for op in written_anew(content.extent, content.records) {
        let what = format!("{op:?}");
        match store.execute(op) {
            StoreResult::Done(_) => {}
            StoreResult::FailedClean(why) | StoreResult::Unknown(why) => return Err(fail(&why)),
            other => return Err(fail(&format!("{other:?} for {what}; does a manager run there?"))),
        }
    }
    Ok(())
}
