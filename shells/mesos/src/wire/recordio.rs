//! Owns RecordIO: records as `<decimal length>\n<bytes>`, cut anywhere by whoever carries them (R3).

use bytes::{Bytes, BytesMut};
use swan_core::limits::MESOS_RECORD_BYTES_MAX;

/// Digits of the largest length allowed.
const DIGITS_MAX: usize = MESOS_RECORD_BYTES_MAX.ilog10() as usize + 1;
/// Space reserved before a record's bytes are there; a length is only a claim.
const RESERVE_MAX: usize = 64 * 1024;

/// Why a stream is no RecordIO; nothing after it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A length has something else than digits, begins with a needless zero, or is empty.
    #[error("a record's length must be a plain decimal number and a line feed")]
    BadLength,
    /// The length passes the limit.
    #[error("a record is larger than {MESOS_RECORD_BYTES_MAX} bytes")]
    TooLarge,
}

/// Turns chunks of a stream into records.
#[derive(Debug, Default)]
pub struct RecordDecoder {
    buffer: BytesMut,
    /// The current record's length once its line is complete.
    length: Option<usize>,
    broken: Option<RecordError>,
}

impl RecordDecoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        if self.broken.is_none() {
            self.buffer.extend_from_slice(chunk);
        }
    }

    /// The next whole record; `None` until more is pushed. After an error it only repeats it.
    pub fn next_record(&mut self) -> Option<Result<Bytes, RecordError>> {
        if let Some(error) = self.broken {
            return Some(Err(error));
        }
        match self.advance() {
            Ok(record) => record.map(Ok),
            Err(error) => {
                self.broken = Some(error);
                self.buffer = BytesMut::new();
                Some(Err(error))
            }
        }
    }

    /// Whether the stream may end here without cutting a record.
    pub fn is_between_records(&self) -> bool {
        self.length.is_none() && self.buffer.is_empty()
    }

    fn advance(&mut self) -> Result<Option<Bytes>, RecordError> {
        let length = match self.length {
            Some(length) => length,
            None => match self.take_length()? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        if self.buffer.len() < length {
            self.buffer.reserve((length - self.buffer.len()).min(RESERVE_MAX));
            return Ok(None);
        }
        self.length = None;
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    fn take_length(&mut self) -> Result<Option<usize>, RecordError> {
        let head = &self.buffer[..self.buffer.len().min(DIGITS_MAX + 1)];
        let digits = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 1 && head[0] == b'0' {
            return Err(RecordError::BadLength);
        }
        if digits > DIGITS_MAX {
            return Err(RecordError::TooLarge);
        }
        match head.get(digits) {
            None => Ok(None),
            Some(b'\n') if digits > 0 => {
                let length = head[..digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
                if length > MESOS_RECORD_BYTES_MAX {
                    return Err(RecordError::TooLarge);
                }
                let _line = self.buffer.split_to(digits + 1);
                self.length = Some(length);
                Ok(Some(length))
            }
            Some(_) => Err(RecordError::BadLength),
        }
    }
}

/// One record with its length before it.
pub fn encode_record(record: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(record.len() + DIGITS_MAX + 1);
    framed.extend_from_slice(format!("{}\n", record.len()).as_bytes());
    framed.extend_from_slice(record);
    framed.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(stream: &[u8]) -> Result<Vec<Bytes>, RecordError> {
        let mut decoder = RecordDecoder::new();
        decoder.push(stream);
        std::iter::from_fn(|| decoder.next_record()).take(1000).collect()
    }

    proptest! {
        #[test]
        fn records_survive_any_chunking(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            cuts in prop::collection::vec(1usize..9, 1..50),
        ) {
            let stream: Vec<u8> = records.iter().flat_map(|record| encode_record(record)).collect();
            let (mut decoder, mut found, mut rest, mut cuts) = (RecordDecoder::new(), Vec::new(), &stream[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                decoder.push(chunk);
                rest = after;
                while let Some(record) = decoder.next_record() {
                    found.push(record.unwrap().to_vec());
                }
            }
            prop_assert_eq!(found, records);
            prop_assert!(decoder.is_between_records());
        }

        #[test]
        fn any_bytes_are_read_or_refused(stream in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = RecordDecoder::new();
            for chunk in stream.chunks(3) {
                decoder.push(chunk);
                while let Some(Ok(_)) = decoder.next_record() {}
            }
            prop_assert!(decoder.buffer.len() <= stream.len());
        }
    }

    #[test]
    fn r3_odd_lengths_are_refused() {
        for bad in ["+1\na", "-1\na", " 1\na", "1 \na", "01\na", "00\n", "\n", "a\n", "1\r\na", "0x1\na"] {
            assert_eq!(decode(bad.as_bytes()), Err(RecordError::BadLength), "{bad:?}");
        }
        for large in ["67108865\n", "99999999\n", "999999999", "18446744073709551616\n"] {
            assert_eq!(decode(large.as_bytes()), Err(RecordError::TooLarge), "{large:?}");
        }
        assert_eq!(decode(b"0\n3\nabc"), Ok(vec![Bytes::new(), Bytes::from_static(b"abc")]));
    }

    #[test]
    fn r3_a_claimed_length_takes_no_memory() {
        let mut decoder = RecordDecoder::new();
        decoder.push(b"67108864\nx");
        assert!(decoder.next_record().is_none());
        assert!(decoder.buffer.capacity() <= 2 * RESERVE_MAX);
        assert!(!decoder.is_between_records());
    }

    #[test]
    fn r3_nothing_is_read_after_an_error() {
        let mut decoder = RecordDecoder::new();
        decoder.push(b"x");
        assert_eq!(decoder.next_record(), Some(Err(RecordError::BadLength)));
        decoder.push(b"1\na");
        assert_eq!(decoder.next_record(), Some(Err(RecordError::BadLength)));
    }
}
