//! Owns HTTP/1.1 answers as bytes: one after another on a connection whose requests did not wait for each other.

use bytes::{Buf, BytesMut};
use swan_core::limits::{MESOS_ANSWER_BODY_BYTES_MAX, MESOS_ANSWER_HEAD_BYTES_MAX};
use swan_core::link::Response;

/// Headers of an answer.
const HEADERS_MAX: usize = 64;
/// Bytes of a body that are kept.
const KEPT_MAX: usize = 4 * 1024;

/// Why the bytes are no answers; nothing after them can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The head is not HTTP/1.
    #[error("the answer is not HTTP/1.1")]
    NotHttp,
    /// Head or body are too large.
    #[error(
        "an answer's head may have {MESOS_ANSWER_HEAD_BYTES_MAX} bytes, its body {MESOS_ANSWER_BODY_BYTES_MAX}"
    )]
    TooLarge,
    /// It says in more than one way, or in none that we know, where its body ends.
    #[error("it is not clear where the answer ends")]
    UnclearLength,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What matters of it.
    pub response: Response,
    /// No more follow on this connection, and requests behind it were not looked at (RFC 9112, 9.6).
    pub last: bool,
}

/// Turns what comes over a connection into answers.
#[derive(Debug, Default)]
pub struct AnswerDecoder {
    buffer: BytesMut,
    /// The answer whose body is being read.
    body: Option<Body>,
    broken: Option<AnswerError>,
}

#[derive(Debug)]
struct Body {
    answer: Answer,
    start: Vec<u8>,
    bytes: usize,
    rest: Rest,
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Bytes(usize),
    /// All until the connection ends.
    UntilEnd,
    ChunkHead,
    ChunkData(usize),
    /// The line end behind a chunk's data.
    ChunkEnd,
    Trailers,
}

impl AnswerDecoder {
    /// A decoder at the beginning of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole answer; `None` until more is pushed. After an error it only repeats it.
    pub fn next_answer(&mut self) -> Option<Result<Answer, AnswerError>> {
        if let Some(error) = self.broken {
            return Some(Err(error));
        }
        match self.advance() {
            Ok(answer) => answer.map(Ok),
            Err(error) => {
                self.broken = Some(error);
                self.buffer = BytesMut::new();
                Some(Err(error))
            }
        }
    }

    /// The connection has ended: the answer that ends with it, if there is one.
    pub fn end(mut self) -> Option<Answer> {
        self.body.take().filter(|body| matches!(body.rest, Rest::UntilEnd)).map(Body::whole)
    }

    fn advance(&mut self) -> Result<Option<Answer>, AnswerError> {
        loop {
            if self.body.is_none() {
                match self.head()? {
                    Some(body) => self.body = body,
                    None => return Ok(None),
                }
            }
            let Some(body) = &mut self.body else { continue };
            match body.take(&mut self.buffer)? {
                Progress::Whole => return Ok(self.body.take().map(Body::whole)),
                Progress::More => {}
                Progress::Starved => return Ok(None),
            }
        }
    }

    /// Takes a head off the buffer; `None` if it is not whole, `Some(None)` if it announces another.
    fn head(&mut self) -> Result<Option<Option<Body>>, AnswerError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(&self.buffer) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if self.buffer.len() > MESOS_ANSWER_HEAD_BYTES_MAX => {
                return Err(AnswerError::TooLarge);
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(AnswerError::TooLarge),
            Err(_) => return Err(AnswerError::NotHttp),
        };
        let status = head.code.ok_or(AnswerError::NotHttp)?;
        // What only says that an answer will come is none; Mesos never switches protocols.
        let body = if (100..200).contains(&status) { None } else { Some(Body::of(&head, status)?) };
        self.buffer.advance(length);
        Ok(Some(body))
    }
}

enum Progress {
    Whole,
    More,
    Starved,
}

impl Body {
    fn of(head: &httparse::Response<'_, '_>, status: u16) -> Result<Self, AnswerError> {
        let all = |name: &'static str| {
            let named = head.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
            named.map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
        };
        let says = |word: &str| {
            all("connection").any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
        };
        let coding = all("transfer-encoding").next();
        let lengths: Vec<String> = all("content-length").collect();
        let rest = match (coding, lengths.as_slice()) {
            _ if matches!(status, 204 | 304) => Rest::Bytes(0),
            (None, []) => Rest::UntilEnd,
            (None, [length]) => Rest::Bytes(length_of(length)?),
            (Some(coding), []) if coding.eq_ignore_ascii_case("chunked") => Rest::ChunkHead,
            _ => return Err(AnswerError::UnclearLength),
        };
        let old = head.version == Some(0) && !says("keep-alive");
        let last = old || says("close") || matches!(rest, Rest::UntilEnd);
        let response = Response {
            status,
            stream_id: all("mesos-stream-id").next(),
            location: all("location").next(),
            body: String::new(),
        };
        Ok(Self { answer: Answer { response, last }, start: Vec::new(), bytes: 0, rest })
    }

    /// Takes what it can off the buffer.
    fn take(&mut self, buffer: &mut BytesMut) -> Result<Progress, AnswerError> {
        match self.rest {
            Rest::Bytes(0) => return Ok(Progress::Whole),
            Rest::UntilEnd => {
                self.keep(buffer, usize::MAX)?;
                return Ok(Progress::Starved);
            }
            Rest::ChunkHead => match httparse::parse_chunk_size(buffer) {
                Ok(httparse::Status::Complete((length, size))) => {
                    buffer.advance(length);
                    let size = usize::try_from(size).map_err(|_| AnswerError::TooLarge)?;
                    self.rest = if size == 0 { Rest::Trailers } else { Rest::ChunkData(size) };
                    return Ok(Progress::More);
                }
                Ok(httparse::Status::Partial) => return starved(buffer),
                Err(_) => return Err(AnswerError::UnclearLength),
            },
            Rest::ChunkEnd => {
                let Some(end) = buffer.first_chunk::<2>() else { return Ok(Progress::Starved) };
                if end != b"\r\n" {
                    return Err(AnswerError::UnclearLength);
                }
                buffer.advance(2);
                self.rest = Rest::ChunkHead;
                return Ok(Progress::More);
            }
            Rest::Trailers => {
                let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") else {
                    return starved(buffer);
                };
                buffer.advance(end + 2);
                return Ok(if end == 0 { Progress::Whole } else { Progress::More });
            }
            Rest::Bytes(left) => self.rest = Rest::Bytes(left - self.keep(buffer, left)?),
            Rest::ChunkData(left) => {
                let left = left - self.keep(buffer, left)?;
                self.rest = if left == 0 { Rest::ChunkEnd } else { Rest::ChunkData(left) };
            }
        }
        Ok(if buffer.is_empty() && !matches!(self.rest, Rest::Bytes(0)) {
            Progress::Starved
        } else {
            Progress::More
        })
    }

    /// Takes at most so many bytes of the body; says how many.
    fn keep(&mut self, buffer: &mut BytesMut, most: usize) -> Result<usize, AnswerError> {
        let taken = buffer.len().min(most);
        self.bytes += taken;
        if self.bytes > MESOS_ANSWER_BODY_BYTES_MAX {
            return Err(AnswerError::TooLarge);
        }
        self.start.extend_from_slice(&buffer[..taken.min(KEPT_MAX - self.start.len())]);
        buffer.advance(taken);
        Ok(taken)
    }

    fn whole(mut self) -> Answer {
        self.answer.response.body = String::from_utf8_lossy(&self.start).into_owned();
        self.answer
    }
}

/// A line that is not whole: more must come, but not without end.
fn starved(buffer: &BytesMut) -> Result<Progress, AnswerError> {
    if buffer.len() > MESOS_ANSWER_HEAD_BYTES_MAX {
        Err(AnswerError::TooLarge)
    } else {
        Ok(Progress::Starved)
    }
}

/// Digits only: neither signs nor lists (RFC 9110, 8.6).
fn length_of(text: &str) -> Result<usize, AnswerError> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let length = if plain { text.parse().ok() } else { None };
    match length.ok_or(AnswerError::UnclearLength)? {
        length if length > MESOS_ANSWER_BODY_BYTES_MAX => Err(AnswerError::TooLarge),
        length => Ok(length),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a connection says, in pieces of this size, and at its end.
    fn read(stream: &[u8], piece: usize) -> Result<Vec<Answer>, AnswerError> {
        let mut decoder = AnswerDecoder::new();
        let mut answers = Vec::new();
        for piece in stream.chunks(piece) {
            decoder.push(piece);
            while let Some(answer) = decoder.next_answer() {
                answers.push(answer?);
            }
        }
        answers.extend(decoder.end());
        Ok(answers)
    }

    fn answer(status: u16, body: &str, last: bool) -> Answer {
        let response = Response { status, stream_id: None, location: None, body: body.into() };
        Answer { response, last }
    }

    #[test]
    fn answers_follow_each_other_however_they_are_cut() {
        let stream = b"HTTP/1.1 202 Accepted\r\nDate: now\r\nContent-Length: 0\r\n\r\n\
            HTTP/1.1 100 Continue\r\n\r\n\
            HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\nwrong\
            HTTP/1.1 503 Gone\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n4;x=y\r\n now\r\n0\r\nT: t\r\n\r\n\
            HTTP/1.1 204 Nothing\r\nConnection: Keep-Alive, Close\r\n\r\n";
        let wanted = [
            answer(202, "", false),
            answer(400, "wrong", false),
            answer(503, "not now", false),
            answer(204, "", true),
        ];
        for piece in 1..stream.len() {
            assert_eq!(read(stream, piece).as_deref(), Ok(wanted.as_slice()), "pieces of {piece}");
        }
    }

    #[test]
    fn an_answer_without_a_length_ends_with_its_connection() {
        let stream = b"HTTP/1.0 307 Elsewhere\r\nLocation: //b:5050/x\r\nMesos-Stream-Id: s\r\n\r\ngo there";
        let mut wanted = answer(307, "go there", true);
        wanted.response.location = Some("//b:5050/x".into());
        wanted.response.stream_id = Some("s".into());
        for piece in 1..stream.len() {
            assert_eq!(read(stream, piece), Ok(vec![wanted.clone()]));
        }
    }

    #[test]
    fn what_is_unclear_or_too_large_is_refused() {
        let huge = format!("HTTP/1.1 202 A\r\nContent-Length: {}\r\n\r\n", MESOS_ANSWER_BODY_BYTES_MAX + 1);
        let endless = format!("HTTP/1.1 202 A\r\nX: {}", "y".repeat(MESOS_ANSWER_HEAD_BYTES_MAX));
        let cases = [
            ("SSH-2.0-OpenSSH_9.2\r\n", AnswerError::NotHttp),
            ("HTTP/1.1 202 A\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", AnswerError::UnclearLength),
            ("HTTP/1.1 202 A\r\nContent-Length: +1\r\n\r\n", AnswerError::UnclearLength),
            (
                "HTTP/1.1 202 A\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                AnswerError::UnclearLength,
            ),
            ("HTTP/1.1 202 A\r\nTransfer-Encoding: gzip\r\n\r\n", AnswerError::UnclearLength),
            ("HTTP/1.1 202 A\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", AnswerError::UnclearLength),
            ("HTTP/1.1 202 A\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", AnswerError::UnclearLength),
            (&huge, AnswerError::TooLarge),
            (&endless, AnswerError::TooLarge),
        ];
        for (stream, error) in cases {
            assert_eq!(read(stream.as_bytes(), 7), Err(error), "{stream:.60}");
        }
    }

    proptest! {
        #[test]
        fn s21_any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
            let mut stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            stream.extend_from_slice(&bytes);
            prop_assert_eq!(read(&stream, piece), read(&stream, stream.len()));
            prop_assert_eq!(read(&bytes, piece), read(&bytes, 400));
        }
    }
}
