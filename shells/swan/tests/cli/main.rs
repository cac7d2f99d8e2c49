//! Owns the tests of the command line: the real program against the real API and machine.

mod canned;
mod changes;
mod host;
mod profiles;
mod replay;
mod traces;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

const WEB: &str = r#"{"id": "/shop/web", "instances": 3, "cpus": 0.5, "mem": 64,
    "container": {"type": "DOCKER", "docker": {"image": "web:1"}, "portMappings": [{"containerPort": 80, "hostPort": 0}]},
    "networks": [{"mode": "container/bridge"}]}"#;

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

fn program(server: SocketAddr, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swan"));
    command.args(arguments.split_whitespace()).env_clear().env("SWAN_SERVER", format!("http://{server}"));
    command
}

fn swan(server: SocketAddr, arguments: &str) -> Ended {
    with_input(server, arguments, "")
}

fn with_input(server: SocketAddr, arguments: &str, input: &str) -> Ended {
    let mut command = program(server, arguments);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the program reads or has ended");
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended {
        code: output.status.code().expect("an exit code"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("swan-cli-{}-{name}", std::process::id()));
    std::fs::write(&path, text).expect("written");
    path
}

/// An address where nothing listens: the port is reserved for a service that nobody runs.
const fn nobody() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1)
}

#[test]
fn an_apps_life_from_the_command_line() {
    let server = host::start(None);
    let created = with_input(server, "app create - --wait", WEB);
    assert_eq!(
        (created.code, created.out.as_str()),
        (0, "web.shop: available, 3 of 3 running\n"),
        "{created:?}"
    );

    let again = with_input(server, "app create -", WEB);
    assert_eq!(again.code, 1);
    assert!(again.err.starts_with("swan: ") && again.err.contains("/shop/web"), "{again:?}");

    let list = swan(server, "app list");
    let row: Vec<&str> = list.out.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(row[..4], ["web.shop", "available", "noop", "3/3"]);
    assert_eq!(swan(server, "app list --json").json()[0]["id"], "web.shop");

    let scaled = swan(server, "app scale /shop/web 5 --wait --json");
    assert_eq!(scaled.json()["instances"], 5);
    assert_eq!(swan(server, "app scale web.shop 5").out, "web.shop: unchanged\n");

    let shown = swan(server, "app show WEB.shop");
    assert!(shown.out.contains("running       5 of 5\n") && shown.out.contains("TASK_RUNNING"), "{shown:?}");

    let tasks = swan(server, "task list web.shop --json").json();
    let first = tasks[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(swan(server, &format!("task kill {first} 1.web.shop")).code, 0);
    assert_eq!(swan(server, &format!("task kill {first}")).code, 3, "it has ended");
    assert_eq!(swan(server, "task kill --all-of web.shop").code, 0);

    let deleted = swan(server, "app delete web.shop --wait");
    assert_eq!((deleted.code, deleted.out.as_str()), (0, "web.shop: deleted\n"), "{deleted:?}");
    assert_eq!(swan(server, "app list --json").json(), Value::Array(vec![]));
}

#[test]
fn each_way_to_fail_has_its_exit_code() {
    let server = host::start(Some("ann:0123456789abcdef"));
    let good = file("good-token", "# mine\nann:0123456789abcdef\n");
    let wrong = file("wrong-token", "fedcba9876543210\n");
    let as_ann = |arguments: &str| swan(server, &format!("{arguments} --token-file {}", good.display()));
    assert_eq!(as_ann("app list").code, 0);

    let refused = with_input(
        server,
        &format!("app create - --token-file {}", good.display()),
        "{\"id\": \"/A\", \"cpus\": -1}",
    );
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("\n  id: ") && refused.err.contains("\n  cpus: "), "{refused:?}");

    for usage in
        ["app", "app create", "app scale web", "app scale web -1", "task kill", "task kill web", "--nonsense"]
    {
        assert_eq!(as_ann(usage).code, 2, "{usage}");
    }
    assert_eq!(swan(server, "app list --token-file /does/not/exist").code, 2);
    assert_eq!(swan(server, "app list --server ftp://x").code, 2);
    for missing in [
        "app show none",
        "app scale none 1",
        "app delete none",
        "task list none",
        "app create /does/not/exist",
    ] {
        assert_eq!(as_ann(missing).code, 3, "{missing}");
    }
    let unreachable = swan(nobody(), "app list");
    assert_eq!(unreachable.code, 4);
    assert!(unreachable.err.contains("--server"), "{unreachable:?}");
    assert_eq!(swan(server, "app list").code, 6);
    let denied = swan(server, &format!("app list --token-file {}", wrong.display()));
    assert_eq!(denied.code, 6);
    assert!(!denied.err.contains("fedcba"), "{denied:?}");
}

#[test]
fn definitions_are_checked_without_a_manager() {
    let good = file("good.json", WEB);
    let bad = file("bad.json", "{\"id\": \"/shop/web\", \"cpus\": -1}");
    let one = swan(nobody(), &format!("app validate {}", good.display()));
    assert_eq!((one.code, one.out), (0, format!("{}: /shop/web is good\n", good.display())));
    let both = swan(nobody(), &format!("app validate {} {}", good.display(), bad.display()));
    assert_eq!(both.code, 1);
    assert!(both.out.contains("\n  cpus: "), "{both:?}");
    let json = with_input(nobody(), "app validate - --json", "[]").json();
    assert_eq!((&json[0]["file"], &json[0]["valid"]), (&"-".into(), &false.into()));
    let group = format!(r#"{{"id":"/prod","apps":[{WEB},{{"id":"sleep","cmd":"sleep 1"}}]}}"#)
        .replace("/shop/web", "web");
    let group = with_input(nobody(), "app validate -", &group);
    assert_eq!(group.code, 1);
    assert!(
        group.out.starts_with("-: apps[0]: /prod/web is good\n-: apps[1]: would be refused\n"),
        "{group:?}"
    );
    assert!(
        group.out.contains("\n  apps[1].container: is missing: Swan runs Docker images only"),
        "{group:?}"
    );
    assert!(group.err.contains("1 of 2 definitions would be refused"), "{group:?}");
}

#[test]
fn events_are_followed() {
    let server = host::start(None);
    let mut follower =
        program(server, "events --json --app web.shop").stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
    // The follower may come later than the app: it is created again until it is seen.
    let seen = std::thread::spawn(move || {
        let line = lines.next().expect("the stream goes on").expect("UTF-8");
        serde_json::from_str::<Value>(&line).expect("JSON")
    });
    while !seen.is_finished() {
        assert_eq!(with_input(server, "app create - --wait", WEB).code, 0);
        assert_eq!(swan(server, "app delete web.shop --wait").code, 0);
    }
    let event = seen.join().expect("it was read");
    assert_eq!(event["app_id"], "web.shop");
    assert!(event["id"].as_str().is_some_and(|id| id.starts_with("1-")), "{event}");
    follower.kill().expect("it runs");
    follower.wait().expect("it has ended");
}

#[test]
fn a_stream_that_breaks_off_is_taken_up_where_it_was() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = listener.local_addr().expect("bound");
    let mut follower =
        program(server, "events --after 1-1-0").stdout(Stdio::piped()).spawn().expect("it starts");
    let answer = |body: &str| {
        let (mut stream, _) = listener.accept().expect("the follower comes");
        let head = BufReader::new(stream.try_clone().expect("a handle")).lines().map_while(Result::ok);
        let head: Vec<String> = head.take_while(|line| !line.is_empty()).collect();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}"
        )
        .expect("written");
        head.iter().find_map(|line| line.strip_prefix("last-event-id: ").map(str::to_owned))
    };
    let event = |id: &str| {
        format!(
            "id: {id}\nevent: app_deleted\ndata: {{\"id\":\"{id}\",\"type\":\"app_deleted\",\"at\":\"now\"}}\n\n"
        )
    };
    assert_eq!(answer(&event("1-2-0")).as_deref(), Some("1-1-0"));
    // A block without data moves the position too; half a block does not.
    assert_eq!(answer("id: 1-3-0\n\nevent: app_deleted\ndata: {").as_deref(), Some("1-2-0"));
    let gap = "id:\nevent: gap\ndata: {\"type\":\"gap\",\"reason\":\"unknown\"}\n\n";
    assert_eq!(answer(gap).as_deref(), Some("1-3-0"));
    assert_eq!(answer(""), None);
    follower.kill().expect("it runs");
    let mut said = String::new();
    std::io::Read::read_to_string(&mut follower.stdout.take().expect("a pipe"), &mut said).expect("UTF-8");
    follower.wait().expect("it has ended");
    assert_eq!(said, "now  app_deleted           \n-- events may be missing here (unknown) --\n");
}

#[test]
fn versions_and_completions_are_printed() {
    let server = host::start(None);
    let version = swan(server, "version");
    assert_eq!((version.code, version.out.lines().last()), (0, Some("manager  1.2.3")), "{version:?}");
    let alone = swan(nobody(), "version");
    assert!(alone.code == 0 && alone.out.contains("no answer"), "{alone:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = swan(nobody(), &format!("completions {shell}"));
        assert!(script.code == 0 && script.out.contains("validate"), "{shell}");
    }
}
