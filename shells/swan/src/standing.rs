//! Owns how the manager stands, as the machine's thread last told: read by others without asking it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use swan_core::record::Seq;
use swan_core::time::Instant;

use crate::clock::Clock;

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Standings {
    cells: Arc<Cells>,
    clock: Clock,
}

struct Cells {
    leads: AtomicBool,
    /// In milliseconds; `u64::MAX` for never.
    fresh: AtomicU64,
    followed: AtomicU64,
    format: AtomicU8,
}

const NEVER: u64 = u64::MAX;

impl Standings {
    pub(crate) fn new(clock: Clock) -> Self {
        let cells = Cells {
            leads: AtomicBool::new(false),
            fresh: AtomicU64::new(NEVER),
            followed: AtomicU64::new(0),
            format: AtomicU8::new(0),
        };
        Self { cells: Arc::new(cells), clock }
    }

    pub(crate) fn set(&self, leads: bool, fresh: Option<Instant>, followed: Seq, format: u8) {
        self.cells.leads.store(leads, Ordering::Relaxed);
        self.cells.fresh.store(fresh.map_or(NEVER, |at| at.0), Ordering::Relaxed);
        self.cells.followed.store(followed.0, Ordering::Relaxed);
        self.cells.format.store(format, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> swan_api::Standing {
        let leading = self.cells.leads.load(Ordering::Relaxed);
        let lag = match self.cells.fresh.load(Ordering::Relaxed) {
            NEVER => None,
            _ if leading => Some(swan_core::time::Millis(0)),
            fresh => Some(self.clock.mono().since(Instant(fresh))),
        };
        let followed = Seq(self.cells.followed.load(Ordering::Relaxed));
        let format = self.cells.format.load(Ordering::Relaxed);
        swan_api::Standing { leading, lag, followed, format }
    }
}
