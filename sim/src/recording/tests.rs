//! Owns tests of the reader: what is no recording is refused by line, and told what would be right.

use super::{Recording, What};

fn refusal(text: &str) -> String {
    Recording::read(text.as_bytes()).expect_err(text).to_string()
}

#[test]
fn each_mistake_names_its_line_and_what_would_be_right() {
    let note = r#"{"t_ms": 1, "dir": "note", "note": "begins"}"#;
    for (line, what) in [
        (r#"{"t_ms": 2, "dir": "no"#, "is no JSON"),
        ("garbage", "each line must be one whole JSON object"),
        ("[1]", "is a list; each line must be one JSON object"),
        ("{}", "t_ms must be a number"),
        (r#"{"t_ms": "2", "dir": "note"}"#, "t_ms must be a number"),
        (r#"{"t_ms": -2, "dir": "note"}"#, "t_ms must be a number"),
        (r#"{"t_ms": 1e300, "dir": "note"}"#, "t_ms must be a number"),
        (r#"{"t_ms": 2}"#, "must be \"note\", \"send\", \"recv\" or \"http\""),
        (r#"{"t_ms": 2, "dir": "tell"}"#, "dir is \"tell\"; must be"),
        (r#"{"t_ms": 2, "dir": "recv", "event": {}}"#, "an event needs stream"),
        (r#"{"t_ms": 2, "dir": "recv", "stream": "1", "event": {}}"#, "stream must be a whole number"),
        (r#"{"t_ms": 2, "dir": "recv", "stream": 1}"#, "event is missing; must be a JSON object"),
        (r#"{"t_ms": 2, "dir": "recv", "stream": 1, "event": []}"#, "event is a list; must be a JSON object"),
        (r#"{"t_ms": 2, "dir": "recv", "stream": 1, "event": "{"}"#, "event is text that is no JSON"),
        (r#"{"t_ms": 2, "dir": "send", "status": "ok", "call": {}}"#, "status must be the HTTP status"),
        (r#"{"t_ms": 2, "dir": "send", "status": 99999, "call": {}}"#, "status must be the HTTP status"),
        (r#"{"t_ms": 2, "dir": "send", "status": 202, "call": "KILL"}"#, "call must be a JSON object"),
    ] {
        let told = refusal(&format!("{note}\n\n{line}\n{note}"));
        assert!(told.starts_with("line 3: ") && told.contains(what), "{line}: {told}");
    }
    for empty in ["", "\n \n"] {
        assert!(refusal(empty).starts_with("is empty; a recording has"), "{empty:?}");
    }
    assert!(Recording::read(b"\xff\xfe").expect_err("no text").to_string().starts_with("line 1: is no JSON"));
    let deep = format!(
        r#"{{"t_ms": 1, "dir": "recv", "stream": 1, "event": {}1{}}}"#,
        "[".repeat(9999),
        "]".repeat(9999)
    );
    assert!(refusal(&deep).starts_with("line 1: is no JSON"));
}

#[test]
fn what_is_left_out_and_unknown_keys_do_no_harm() {
    let text = r#"{"t_ms": 7.9, "dir": "send", "stream": 0, "status": null, "call": {"type": "REVIVE"}, "new": [1]}
{"t_ms": 3, "dir": "recv", "stream": 1, "event": "{\"type\": \"HEARTBEAT\"}"}
{"t_ms": 8, "dir": "send", "status": 307, "headers": {"location": "//a:5050/x", "mesos-stream-id": "s"}}
{"t_ms": 9, "dir": "http", "anything": {}}"#;
    let recording = Recording::read(text.as_bytes()).expect("a recording");
    let numbers: Vec<_> = recording.lines.iter().map(|line| (line.number, line.at)).collect();
    assert_eq!((numbers, recording.misplaced), (vec![(2, 3), (1, 7), (3, 8), (4, 9)], vec![2]));
    let What::Received { stream: 1, event } = &recording.lines[0].what else { panic!("an event") };
    assert_eq!(event["type"], "HEARTBEAT");
    let What::Sent(sent) = &recording.lines[1].what else { panic!("a call") };
    assert_eq!((sent.kind(), sent.stream, sent.status, sent.is_taken()), ("REVIVE", None, None, false));
    let What::Sent(sent) = &recording.lines[2].what else { panic!("an answer") };
    assert_eq!((sent.location.as_deref(), sent.stream_id.as_deref()), (Some("//a:5050/x"), Some("s")));
    assert!(sent.call.is_none() && sent.kind().is_empty());
}
