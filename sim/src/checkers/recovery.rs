//! Owns the check of S13: what a new process makes of the stored bytes is what the entries amount to.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use swan_core::journal::{JournalConfig, Refusal};
use swan_core::manager::{Boot, End, Manager, ManagerEffect, ManagerInput};
use swan_core::record::RecordKey;
use swan_core::scheduler::Scheduler;
use swan_core::time::Now;

use super::stored::Stored;
use crate::disk::{Done, Platter};

/// Bytes per page of records.
const PAGE_BYTES: usize = 1 << 20;
/// Operations that a recovery may take.
const OPERATIONS_MAX: usize = 100_000;

/// All records of a machine.
pub fn records_of(machine: &Scheduler) -> BTreeMap<RecordKey, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut from = RecordKey(Vec::new());
    loop {
        let (items, next) = machine.records(&from, None, PAGE_BYTES);
        all.extend(items);
        let Some(next) = next else { return all };
        from = next;
    }
}

/// Why there is no standby that has followed all.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It is of a build that is too old, as it says.
    TooOld,
    Otherwise(String),
}

/// A standby, of a build that reads up to this format level, that has followed all that is stored.
pub(crate) fn recover(platter: &Platter, boot: Boot, format: u8) -> Result<Manager, Failed> {
    let mut platter = platter.clone();
    let mut manager = Manager::new(JournalConfig { format, ..JournalConfig::default() });
    let mut inputs = vec![ManagerInput::Boot(Box::new(boot))];
    for _ in 0..OPERATIONS_MAX {
        let Some(input) = inputs.pop() else { return Ok(manager) };
        let mut effects = Vec::new();
        manager.step(Now::default(), input, &mut effects);
        for effect in effects {
            match effect {
                ManagerEffect::Store { id, op } => {
                    let result = platter.apply(&op, &mut Done::default());
                    inputs.push(ManagerInput::Stored { id, result });
                }
                ManagerEffect::End(End::Refused(Refusal::NewerFormat { .. })) => return Err(Failed::TooOld),
                ManagerEffect::End(why) => {
                    return Err(Failed::Otherwise(format!("a new process ends: {why:?}")));
                }
                _ => {}
            }
        }
    }
    Err(Failed::Otherwise("a new process reads without an end".into()))
}

/// Compares recoveries with what the entries amount to: of all these builds, by the format level up to which they read.
/// One that is too old for what is stored must say so, and the newest is not.
pub fn judge(
    platter: &Platter,
    stored: &Stored,
    boot: &Boot,
    builds: RangeInclusive<u8>,
) -> Result<(), String> {
    let (newest, level) = (*builds.end(), platter.level());
    for build in builds {
        let recovered = match recover(platter, boot.clone(), build) {
            Ok(_) if build < level => {
                return Err(format!("a build that reads up to {build} takes level {level}"));
            }
            Ok(recovered) => recovered,
            Err(Failed::TooOld) if build < level && build < newest => continue,
            Err(Failed::TooOld) => {
                return Err(format!("a build that reads up to {build} refuses level {level}"));
            }
            Err(Failed::Otherwise(why)) => return Err(why),
        };
        if recovered.journal().durable != stored.seq {
            let durable = recovered.journal().durable;
            return Err(format!("a new process finds {durable:?}, but {:?} was durable", stored.seq));
        }
        equal(&records_of(recovered.scheduler()), stored.records(), "a new process", "the entries")?;
    }
    Ok(())
}

/// Compares two sets of records.
pub fn equal(
    left: &BTreeMap<RecordKey, Vec<u8>>,
    right: &BTreeMap<RecordKey, Vec<u8>>,
    left_name: &str,
    right_name: &str,
) -> Result<(), String> {
    for (key, value) in left {
        match right.get(key) {
            None => return Err(format!("{key:?} is known to {left_name}, but not to {right_name}")),
            Some(other) if other != value => {
                return Err(format!(
                    "{key:?} differs between {left_name} and {right_name}: {value:02x?} and {other:02x?}"
                ));
            }
            Some(_) => {}
        }
    }
    match right.keys().find(|key| !left.contains_key(*key)) {
        Some(key) => Err(format!("{key:?} is known to {right_name}, but not to {left_name}")),
        None => Ok(()),
    }
}
