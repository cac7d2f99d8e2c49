//! Owns sessions for these tests: one runtime, one server, and a root of its own for each.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use swan_store::{Options, Sessions};
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
    let address = format!("zk://{}{root}", ensemble.addresses()).parse().expect("a good address");
    let options = Options { address, session_timeout: TIMEOUT, credentials: None, tls: None };
    Sessions::of_journal(options).expect("no files are read")
}
