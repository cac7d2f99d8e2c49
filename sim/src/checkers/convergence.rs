//! Owns the check of L1: once all faults are over, what runs is exactly what is wanted.

use std::collections::{BTreeMap, BTreeSet};

/// An app as its users want it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// How many.
    pub instances: u32,
    /// What they run.
    pub image: String,
}

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its app, dotted.
    pub app: String,
    /// Its slot.
    pub slot: u32,
    /// What it runs.
    pub image: String,
}

/// What users may want of each app: more than one thing where an answer got lost.
pub type Wishes = BTreeMap<String, BTreeSet<Option<Wanted>>>;

/// Why what runs is not what is wanted, in words; `None` if it is.
pub fn pending(wishes: &Wishes, running: &[Running]) -> Option<String> {
    if let Some(stray) = running.iter().find(|container| !wishes.contains_key(&container.app)) {
        return Some(format!("{} runs, which nobody ever asked for", stray.app));
    }
    wishes.iter().find_map(|(app, wishes)| {
        let containers: Vec<&Running> = running.iter().filter(|container| container.app == *app).collect();
        if wishes.iter().any(|wish| fulfilled(wish.as_ref(), &containers)) {
            return None;
        }
        let shown: Vec<String> =
            containers.iter().map(|container| format!("{}:{}", container.slot, container.image)).collect();
        Some(format!("{app}: wanted is {wishes:?}, but what runs is [{}]", shown.join(", ")))
    })
}

fn fulfilled(wish: Option<&Wanted>, containers: &[&Running]) -> bool {
    let Some(wanted) = wish else { return containers.is_empty() };
    let slots: BTreeSet<u32> = containers.iter().map(|container| container.slot).collect();
    containers.len() == wanted.instances as usize
        && slots == (0..wanted.instances).collect()
        && containers.iter().all(|container| container.image == wanted.image)
}
