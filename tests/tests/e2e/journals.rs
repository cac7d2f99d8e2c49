//! Holds `swan journal`: a cluster that begins with one manager on files moves to three on ZooKeeper, and back, by one
//! command each, and nothing restarts.

use std::path::Path;

use swan_tests::ensemble::Ensemble;

use crate::managers::Managers;
use crate::program;
use crate::scene::{Stage, ids, web};

/// Runs `swan journal`; what it said.
fn journal(words: &[&str]) -> Result<String, String> {
    let output = program::run(&[&["journal"], words].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Copies a committed journal to where this stage's manager keeps its own.
fn take(stage: &Stage, name: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("journals").join(name);
    let to = stage.path("journal");
    std::fs::create_dir_all(&to).expect("a directory");
    for file in from.read_dir().unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let path = file.expect("a file").path();
        std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("it is copied");
    }
}

#[test]
fn journals_of_every_released_format_open() {
    for name in ["level-1-log", "level-1-snapshot"] {
        let stage = Stage::new(name);
        take(&stage, name);
        let files = format!("file:{}", stage.path("journal").display());
        let verified = journal(&["verify", &files]).expect("it is sound");
        for part in ["       2 apps", "       5 versions", "       7 slots", "       1 idempotency keys"] {
            assert!(verified.contains(part), "{verified}");
        }
        let dev = stage.dev("builtin");
        let manager = stage.manager(dev.mesos);
        assert_eq!(manager.api.get("/v1/apps/hello")["instances"], 5, "{name}");
        let web = manager.api.get("/v1/apps/web.shop");
        assert_eq!((&web["labels"]["tier"], &web["version_count"]), (&"web".into(), &2.into()), "{name}");
        let failures = manager.api.get("/v1/apps/web.shop/failures");
        assert_eq!(failures[0]["exitCode"], 3, "{failures}");
    }
}

#[test]
fn a_cluster_moves_from_files_to_zookeeper_and_back() {
    let stage = Stage::new("journal-moved");
    let ensemble = Ensemble::start("journal-moved", 1);
    let dev = stage.dev("builtin");
    let manager = stage.manager(dev.mesos);
    let framework = manager.api.framework();
    manager.api.create(&web("/shop/web", 3));
    let before = manager.api.steady("web.shop", 3);
    let files = format!("file:{}", stage.path("journal").display());
    let zookeeper = format!("zk://{}/swan", ensemble.addresses());
    let busy = journal(&["import", &files, &zookeeper]).expect_err("a manager uses it");
    assert!(busy.contains("is in use by process"), "{busy}");
    assert!(manager.terminate().success());
    let copied = journal(&["import", &files, &zookeeper]).expect("it is copied");
    assert!(copied.contains("       1 apps\n") && copied.contains("       3 slots\n"), "{copied}");
    let again = journal(&["import", &files, &zookeeper]).expect_err("there is one");
    assert!(again.contains("there is a journal"), "{again}");

    let mut managers = Managers::three(&dev, &ensemble.addresses());
    let api = managers.api(managers.leader());
    assert_eq!(api.framework(), framework);
    assert_eq!(ids(&api.steady("web.shop", 3)), ids(&before));
    api.scale("web.shop", 4);
    let four = api.steady("web.shop", 4);
    // A backup of a journal that is in use.
    let backup = format!("file:{}", stage.path("backup").display());
    journal(&["export", &zookeeper, &backup]).expect("it is copied");
    let dumped = journal(&["dump", &backup]).expect("it is listed");
    assert!(dumped.lines().any(|line| line.starts_with("aweb.shop\t")), "{dumped}");
    (0..3).for_each(|seat| managers.terminate(seat));

    let back = stage.path("journal");
    std::fs::remove_dir_all(&back).expect("the old journal goes");
    journal(&["export", &zookeeper, &files]).expect("it is copied back");
    let verified = journal(&["verify", &files]).expect("it is sound");
    assert!(verified.contains("is sound"), "{verified}");
    let manager = stage.manager(dev.mesos);
    assert_eq!(ids(&manager.api.steady("web.shop", 4)), ids(&four));
    assert_eq!(manager.api.framework(), framework);
    dev.mesos_knows_just(&framework, &four);
}

#[test]
fn a_journal_is_reached_over_tls_by_who_trusts_its_server() {
    let stage = Stage::new("journal-tls");
    let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let certificate = own.cert.pem();
    let (_ensemble, address) =
        Ensemble::start_secure("journal-tls", &(own.signing_key.serialize_pem() + &certificate));
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let (right, wrong) = (stage.file("ca.pem", &certificate), stage.file("wrong.pem", &other.cert.pem()));
    take(&stage, "level-1-log");
    let files = format!("file:{}", stage.path("journal").display());
    let zookeeper = format!("zk://{address}/swan");
    let refused = journal(&["--zk-tls-ca", &wrong, "import", &files, &zookeeper]).expect_err("a stranger");
    assert!(refused.contains("no ZooKeeper server"), "{refused}");
    journal(&["--zk-tls-ca", &right, "import", &files, &zookeeper]).expect("it is copied");
    let verified = journal(&["--zk-tls-ca", &right, "verify", &zookeeper]).expect("it is sound");
    assert!(verified.contains("       2 apps"), "{verified}");
    let none = journal(&["--zk-tls-ca", &right, "verify", &format!("zk://{address}/other")]);
    let none = none.expect_err("there is none, and none is made");
    assert!(none.contains("there is no journal"), "{none}");
}
