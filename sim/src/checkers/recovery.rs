//! Owns the check of S13: what a new process makes of the stored bytes is what the entries amount to.

use std::collections::BTreeMap;

use swan_core::journal::JournalConfig;
use swan_core::manager::{Boot, Manager, ManagerEffect, ManagerInput};
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

/// A standby that has followed all that is stored. An error says why there is none.
pub fn recover(platter: &Platter, boot: Boot) -> Result<Manager, String> {
    let mut platter = platter.clone();
    let mut manager = Manager::new(JournalConfig::default());
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
                ManagerEffect::End(why) => return Err(format!("a new process ends: {why:?}")),
                _ => {}
            }
        }
    }
    Err("a new process reads without an end".into())
}

/// Compares a recovery with what the entries amount to.
pub fn judge(platter: &Platter, stored: &Stored, boot: Boot) -> Result<(), String> {
    let recovered = recover(platter, boot)?;
    if recovered.journal().durable != stored.seq {
        let durable = recovered.journal().durable;
        return Err(format!("a new process finds {durable:?}, but {:?} was durable", stored.seq));
    }
    equal(&records_of(recovered.scheduler()), stored.records(), "a new process", "the entries")
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
