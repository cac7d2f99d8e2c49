//! Owns the limits of the journal, each with its unit in its name.

use crate::time::Millis;

/// Bytes of one log entry; a batch or a single largest record must fit (R98).
pub const ENTRY_BYTES_MAX: usize = 512 * 1024;
/// Entries appended and not yet answered.
pub const APPENDS_IN_FLIGHT_MAX: usize = 4;
/// An append unanswered for this long is a stall.
pub const APPEND_STALL: Millis = Millis(2_000);
/// First pause before a storage operation is tried again; doubles up to the maximum.
pub const STORE_RETRY: Millis = Millis(50);
/// Largest pause between tries of a storage operation.
pub const STORE_RETRY_MAX: Millis = Millis(5_000);
/// Bytes of the log read at once.
pub const LOG_READ_BYTES: u64 = 1024 * 1024;
/// Changes followed at once.
pub const FOLLOW_OPS_MAX: usize = 2048;
/// A standby looks for new entries this often.
pub const TAIL_POLL: Millis = Millis(250);
/// Bytes of one snapshot chunk (R98).
pub const CHUNK_BYTES_MAX: usize = 512 * 1024;
/// A chunk of this size is closed even if more would fit, so that it can grow before it splits.
pub const CHUNK_BYTES_FILL: usize = 256 * 1024;
/// Neighbouring chunks are merged when they are together no larger than this.
pub const CHUNK_BYTES_MERGE: usize = 128 * 1024;
/// Bytes of records asked for at once while a snapshot is taken.
pub const RECORDS_ASK_BYTES: u64 = 64 * 1024;
/// A snapshot begins when the log to replay has this size, or half that of the last snapshot if that is more.
pub const SNAPSHOT_LOG_BYTES: u64 = 8 * 1024 * 1024;
/// A snapshot begins when the log to replay has this many entries.
pub const SNAPSHOT_LOG_ENTRIES: u64 = 16 * 1024;
