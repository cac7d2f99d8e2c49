//! Owns waiting: every wait looks again and again, ends at a deadline, and then says what it saw last.

use std::time::{Duration, Instant};

/// Long enough for a debug build on a busy machine; nothing waits so long unless it is broken.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// Looks until there is something; `Err` says what is there instead.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        let seen = match look() {
            Ok(found) => return found,
            Err(seen) => seen,
        };
        assert!(began.elapsed() < LONG, "{what}: not within {} s; last seen: {seen}", LONG.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `Err` with what is seen, unless it is so.
pub(crate) fn ensure(so: bool, seen: impl FnOnce() -> String) -> Result<(), String> {
    if so { Ok(()) } else { Err(seen()) }
}
