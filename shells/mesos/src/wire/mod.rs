//! Owns the bytes of the Mesos v1 scheduler API, and of one question of the operator API: protobuf, JSON and RecordIO, and what they mean in core's terms.

mod answer;
mod convert;
mod error;
#[allow(missing_docs, clippy::all, clippy::use_self, clippy::too_many_lines)]
mod generated;
mod json;
mod recordio;

pub use answer::{Answer, AnswerDecoder, AnswerError};
pub use convert::{
    call_from_wire, call_to_wire, event_from_wire, event_to_wire, frameworks_call, frameworks_from_wire,
    frameworks_to_wire,
};
pub use error::WireError;
pub use generated::v1;
pub use json::{call_from_json, event_from_json};
pub use recordio::{RecordDecoder, RecordError, encode_record};
