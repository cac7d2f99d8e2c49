//! Owns how a stream of server-sent events is taken apart.

/// Bytes that a line may have before the stream is given up.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Takes a stream apart, however it is cut into pieces.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    kind: String,
    data: String,
    last_id: Option<String>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: String,
    pub(crate) data: String,
}

impl Parser {
    /// Goes on after the event `last_id`.
    pub(crate) fn after(last_id: Option<String>) -> Self {
        Self { last_id, ..Self::default() }
    }

    /// The id to come back with.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// The events that `bytes` complete; `None` if a line is too long to be one.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Option<Vec<Message>> {
        let mut messages = Vec::new();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.line.len() + piece.len() > LINE_BYTES_MAX {
                return None;
            }
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line);
                messages.extend(self.line(line.trim_end_matches(['\r', '\n'])));
            }
        }
        (self.data.len() <= LINE_BYTES_MAX).then_some(messages)
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let kind = std::mem::take(&mut self.kind);
            let data = std::mem::take(&mut self.data);
            return (!data.is_empty()).then_some(Message { kind, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.kind = value.to_owned(),
            "data" if self.data.is_empty() => self.data = value.to_owned(),
            "data" => {
                self.data.push('\n');
                self.data.push_str(value);
            }
            "id" => self.last_id = Some(value.to_owned()).filter(|id| !id.is_empty()),
            // Comments, `retry`, and what later releases may add.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": swan\nretry: 1000\nid: 1-2-3\n\nid: 1-2-4\nevent: app_created\ndata: {\"a\":\ndata: 1}\n\n\
                          event: gap\r\ndata: {}\r\nid:\r\n\r\n";

    #[test]
    fn a_stream_reads_alike_however_it_is_cut() {
        let events = [("app_created", "{\"a\":\n1}"), ("gap", "{}")];
        let events = events.map(|(kind, data)| Message { kind: kind.to_owned(), data: data.to_owned() });
        for size in 1..=STREAM.len() {
            let mut parser = Parser::after(None);
            let pieces = STREAM.as_bytes().chunks(size);
            let read: Vec<_> = pieces.flat_map(|piece| parser.push(piece).expect("short lines")).collect();
            assert_eq!(read, events, "cut at {size}");
            assert_eq!(parser.last_id(), None);
        }
    }

    #[test]
    fn a_block_without_data_tells_the_position() {
        let mut parser = Parser::after(Some("1-1-1".to_owned()));
        assert_eq!(parser.push(b": keepalive\n\n"), Some(vec![]));
        assert_eq!(parser.last_id(), Some("1-1-1"));
        assert_eq!(parser.push(b"id: 1-2-3\n\n"), Some(vec![]));
        assert_eq!(parser.last_id(), Some("1-2-3"));
    }

    #[test]
    fn an_endless_line_is_given_up() {
        let mut parser = Parser::after(None);
        let piece = vec![b'x'; 64 * 1024];
        assert!((0..100).any(|_| parser.push(&piece).is_none()));
    }
}
