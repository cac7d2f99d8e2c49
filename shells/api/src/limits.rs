//! Owns the limits of the HTTP API, each with its unit in its name.

use swan_core::time::Millis;

/// Bytes of an HTTP request's body.
pub(crate) const HTTP_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a body beyond its limit that are still read and thrown away, so that the refusal arrives.
pub(crate) const HTTP_BODY_BYTES_DRAINED_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a request's path and query.
pub(crate) const HTTP_URL_BYTES_MAX: usize = 8 * 1024;
/// Bytes of all header lines of a request.
pub(crate) const HTTP_HEADER_BYTES_MAX: usize = 16 * 1024;
/// Header lines of a request.
pub(crate) const HTTP_HEADERS_MAX: usize = 100;
/// Time for a request's head to arrive.
pub(crate) const HTTP_HEADER_TIMEOUT: Millis = Millis::from_secs(10);
/// Time for a request's body to arrive.
pub(crate) const HTTP_BODY_TIMEOUT: Millis = Millis::from_secs(30);
/// How long a client may take nothing of an answer before it is cut off.
pub(crate) const HTTP_WRITE_STALL: Millis = Millis::from_secs(30);
/// How long a request waits for the machine.
pub(crate) const HTTP_ANSWER_TIMEOUT: Millis = Millis::from_secs(30);
/// Connections to the API: room for every event stream and for requests beside them.
pub(crate) const HTTP_CONNECTIONS_MAX: usize = 12_288;
/// Connections from one address.
pub(crate) const HTTP_CONNECTIONS_PER_ADDRESS_MAX: usize = 256;
/// Lines of a token file.
pub(crate) const API_TOKENS_MAX: usize = 1000;
/// Bytes of an API token, at least: short ones could be guessed.
pub(crate) const API_TOKEN_BYTES_MIN: usize = 16;
/// Items of one page of a listing.
pub(crate) const PAGE_ITEMS_MAX: usize = 1000;
/// Items of a page if the caller names no number.
pub(crate) const PAGE_ITEMS_DEFAULT: usize = 500;
/// Items of a listing that the machine copies at once; a page may take several such reads.
pub(crate) const READ_ITEMS_MAX: usize = 100;
/// Events kept for those who come back.
pub(crate) const EVENT_RING_MAX: usize = 4096;
/// Events written to a stream at once.
pub(crate) const EVENTS_PER_WRITE_MAX: usize = 64;
/// Event streams open at once.
pub(crate) const EVENT_STREAMS_MAX: usize = 10_000;
/// Event streams of one identity open at once.
pub(crate) const EVENT_STREAMS_PER_IDENTITY_MAX: usize = 100;
/// A stream without news says so this often.
pub(crate) const EVENT_KEEPALIVE: Millis = Millis::from_secs(15);
/// How long a request waits for a manager that leads.
pub(crate) const FORWARD_PATIENCE: Millis = Millis::from_secs(10);
/// How long the leader's answer waits until this manager has followed what it rests on.
pub(crate) const FOLLOW_PATIENCE: Millis = Millis::from_secs(2);
