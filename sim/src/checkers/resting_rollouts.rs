//! Owns the check of S10 for rollouts that rest, or did not get to their end: nothing new begins.

use std::collections::BTreeMap;

use swan_core::journal::Entry;

use super::stored::{REPLACE, Stored, StoredSeat};
use super::{Checker, Context, Seen};

/// While an app's rollout rests no task gets a successor or is ended to be replaced; there, and after a rollout failed
/// or was broken off, whatever dies gets a task of its own version again, unless it is being rolled back. Judged by what becomes durable, so that what
/// was decided before is told apart.
#[derive(Clone, Debug, Default)]
pub struct RestingRollouts {
    apps: BTreeMap<String, App>,
}

#[derive(Clone, Debug, Default)]
struct App {
    revision: u64,
    rests: bool,
    paused: bool,
    /// The version whose configuration is wanted.
    runs: u64,
    /// Seats by slot, the second of it last.
    seats: BTreeMap<(u32, bool), StoredSeat>,
}

impl Checker for RestingRollouts {
    fn number(&self) -> &'static str {
        "S10"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        let Seen::Stored(entry) = seen else { return Ok(()) };
        let judged = entry.ops.iter().filter_map(StoredSeat::of).try_for_each(|seat| self.judge(at, &seat));
        self.learn(at.stored, entry);
        judged
    }
}

impl RestingRollouts {
    fn judge(&self, at: Context<'_>, seat: &StoredSeat) -> Result<(), String> {
        let resting = self.apps.get(&seat.app).filter(|app| app.rests || app.paused);
        let Some(app) = resting else { return Ok(()) };
        // What goes on by now may have begun this.
        if at.stored.app(&seat.app).is_none_or(|now| now.revision != app.revision) {
            return Ok(());
        }
        let Some((task, version)) = &seat.task else { return Ok(()) };
        let seats = [false, true].map(|second| app.seats.get(&(seat.slot, second)));
        let before = seats.iter().flatten().filter_map(|it| it.task.as_ref());
        let earlier = before.into_iter().find(|(earlier, _)| earlier.hex == task.hex);
        let (slot, name) = (seat.slot, &seat.app);
        let Some((earlier, _)) = earlier else {
            let ran = seats[0].map_or(0, StoredSeat::version);
            return match seat.second {
                true if app.paused => Err(format!("slot {slot} of {name} gets a successor while that rests")),
                false
                    if app.rests
                        && *version == app.runs
                        && ran != 0
                        && ran != *version
                        && at.stored.keeps(name, ran) =>
                {
                    Err(format!("slot {slot} of {name}, which ran {ran}, gets {version} while that rests"))
                }
                _ => Ok(()),
            };
        };
        if app.paused && earlier.stop == 0 && task.stop == REPLACE {
            return Err(format!("the task of slot {slot} of {name} is ended to replace it while that rests"));
        }
        Ok(())
    }

    /// Takes in what is stored now.
    fn learn(&mut self, stored: &Stored, entry: &Entry) {
        for op in &entry.ops {
            if let (Some(b'a'), Ok(name)) = (op.key.0.first(), std::str::from_utf8(&op.key.0[1..])) {
                let Some(record) = stored.app(name) else {
                    self.apps.remove(name);
                    continue;
                };
                let app = self.apps.entry(name.to_owned()).or_default();
                app.revision = record.revision;
                (app.rests, app.paused) = (record.rests(), record.is_paused());
                app.runs = stored.target_runs(name).unwrap_or_default();
            }
        }
        for seat in entry.ops.iter().filter_map(StoredSeat::of) {
            let app = self.apps.entry(seat.app.clone()).or_default();
            app.seats.insert((seat.slot, seat.second), seat);
        }
        for app in self.apps.values_mut() {
            app.seats.retain(|_, seat| stored.has_seat(seat));
        }
    }
}
