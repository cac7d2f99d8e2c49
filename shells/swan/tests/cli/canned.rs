//! Owns a manager that answers what a test tells it to, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

/// One request: `POST /v1/apps/web.shop/stop?force=true`, and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) body: String,
}

/// What a request is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Json(u16, Value),
    Empty(u16),
    /// A stream of events that breaks off.
    Events(String),
}

/// A manager on a free port, for as long as the test runs.
pub(crate) struct Canned {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Canned {
    /// `answer` is told the request, and how often the same line was asked before.
    pub(crate) fn start(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &log, &*answer));
            }
        });
        Self { address, asked }
    }

    fn log(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().expect("no test panics in here")
    }

    /// What changes were asked for since the last look.
    pub(crate) fn changes(&self) -> Vec<Asked> {
        let mut all = std::mem::take(&mut *self.log());
        all.retain(|asked| !asked.line.starts_with("GET "));
        all
    }

    /// The lines of all requests since the last look.
    pub(crate) fn lines(&self) -> Vec<String> {
        std::mem::take(&mut *self.log()).into_iter().map(|asked| asked.line).collect()
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Asked>>, answer: &dyn Fn(&str, usize) -> Answer) {
    let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
    let mut head = Vec::new();
    for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        head.push(line);
    }
    let Some(line) = head.first().and_then(|line| line.strip_suffix(" HTTP/1.1")) else { return };
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).expect("the whole body");
    let mut asked = log.lock().expect("no test panics in here");
    let before = asked.iter().filter(|asked| asked.line == line).count();
    asked.push(Asked { line: line.to_owned(), body: String::from_utf8(body).expect("UTF-8") });
    drop(asked);
    // The program may have ended.
    drop(match answer(line, before) {
        Answer::Json(status, body) => write(&mut stream, status, "application/json", &body.to_string()),
        Answer::Empty(status) => write(&mut stream, status, "application/json", ""),
        Answer::Events(text) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            stream.write_all(format!("{head}{text}").as_bytes())
        }
    });
}

fn write(stream: &mut TcpStream, status: u16, kind: &str, body: &str) -> std::io::Result<()> {
    let length = if status == 204 || status == 304 {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    let head = format!("HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\n{length}connection: close\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes())
}
