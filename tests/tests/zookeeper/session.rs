//! Owns sessions for these tests: one runtime, one server, and a root of its own for each.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use swan_store::{Member, Options, Sessions};
use swan_tests::ensemble::Ensemble;
use tokio::runtime::Runtime;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// A root that no other test has.
pub(crate) fn fresh_root() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("/swan/{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A session of its own.
pub(crate) fn sessions(ensemble: &Ensemble, root: &str) -> Sessions {
    let _inside = RUNTIME.enter();
    Sessions::of_journal(options(ensemble, root)).expect("no files are read")
}

/// That of a manager whose build reads the journal up to this format level.
pub(crate) fn of_manager(ensemble: &Ensemble, root: &str, format: u8) -> Sessions {
    let _inside = RUNTIME.enter();
    Sessions::of_manager(options(ensemble, root), member(format)).expect("no files are read")
}

/// What such a manager tells of itself.
pub(crate) fn member(format: u8) -> Member {
    let (address, version) = (format!("manager{format}:9999"), "1.2.3".to_owned());
    Member { address, version, format, followed: 0, in_force: 1 }
}

fn options(ensemble: &Ensemble, root: &str) -> Options {
    let address = format!("zk://{}{root}", ensemble.addresses()).parse().expect("a good address");
    Options { address, session_timeout: TIMEOUT, credentials: None, tls: None }
}
