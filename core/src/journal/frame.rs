//! Owns the frame around everything the journal stores: kind, format level, number, length and checksums.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

/// The format level of a journal that holds nothing yet, and of everything that is no entry, chunk or manifest.
pub const FORMAT_FIRST: u8 = 1;
/// The newest format level that this build reads and writes. Which one it writes, the journal says: see `level`.
pub const FORMAT_LEVEL: u8 = 1;
/// Bytes of a frame before its body: magic 3, level 1, number 8, body length 4, body CRC 4, CRC of these 20, all
/// little endian.
pub const HEADER_BYTES: usize = 24;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The epoch cell; its number is the epoch, its body empty.
    Epoch,
    /// A log entry; its number is the index.
    Entry,
    /// A snapshot chunk; its number is that of its name.
    Chunk,
    /// A manifest; its number counts the switches.
    Manifest,
    /// How far the log is known to be durable; for executors that cannot tell otherwise.
    Mark,
}

impl Kind {
    const fn magic(self) -> [u8; 3] {
        match self {
            Self::Epoch => *b"swe",
            Self::Entry => *b"swj",
            Self::Chunk => *b"swc",
            Self::Manifest => *b"swm",
            Self::Mark => *b"swd",
        }
    }
}

/// What is wrong with stored bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Damage {
    /// Fewer bytes than the frame announces.
    Short,
    /// More bytes than the frame announces.
    Long,
    /// The header is not one, or fails its checksum.
    Header,
    /// The body fails its checksum.
    Body,
    /// Checksums hold, but the content makes no sense.
    Content,
    /// It does not follow what stands before it.
    Order,
    /// It should be there and is not.
    Missing,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "is incomplete",
            Self::Long => "has bytes too many",
            Self::Header => "has a damaged header",
            Self::Body => "fails its checksum",
            Self::Content => "cannot be decoded",
            Self::Order => "does not follow what stands before it",
            Self::Missing => "is missing",
        })
    }
}

/// Why a frame cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// It is damaged.
    Damaged(Damage),
    /// It is sound, but of a format level that this build does not know.
    Newer {
        /// Its level.
        level: u8,
        /// Up to which level this build reads.
        newest: u8,
    },
}

/// A frame's announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format level.
    pub level: u8,
    /// The number; its meaning is the kind's.
    pub number: u64,
    /// Bytes of header and body.
    pub frame_bytes: usize,
    body_crc: u32,
}

/// Puts a number, and nothing else, into a frame that every build reads: of an epoch cell, or of a mark.
pub fn seal_number(kind: Kind, number: u64) -> Vec<u8> {
    seal(kind, FORMAT_FIRST, number, &[])
}

/// Takes such a frame apart.
pub fn open_number(kind: Kind, bytes: &[u8]) -> Result<u64, FrameError> {
    open(kind, FORMAT_FIRST, bytes).map(|(header, _)| header.number)
}

/// Puts `body` into a frame of this format level.
pub fn seal(kind: Kind, level: u8, number: u64, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("bodies are bounded far below 4 GiB");
    let mut frame = Vec::with_capacity(HEADER_BYTES + body.len());
    frame.extend_from_slice(&kind.magic());
    frame.push(level);
    frame.extend_from_slice(&number.to_le_bytes());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    let header_crc = crc32fast::hash(&frame);
    frame.extend_from_slice(&header_crc.to_le_bytes());
    frame.extend_from_slice(body);
    frame
}

/// Reads the header at the start of `bytes`, checked; `bytes` may be longer or shorter than the frame.
pub fn header(kind: Kind, bytes: &[u8]) -> Result<Header, Damage> {
    let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else { return Err(Damage::Short) };
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if head[..3] != kind.magic() || crc32fast::hash(&head[..20]) != word(20) {
        return Err(Damage::Header);
    }
    let number = u64::from(word(4)) | u64::from(word(8)) << 32;
    let frame_bytes = HEADER_BYTES.saturating_add(word(12) as usize);
    Ok(Header { level: head[3], number, frame_bytes, body_crc: word(16) })
}

/// Takes `bytes`, which must be exactly one frame of a level up to `newest`, apart.
pub fn open(kind: Kind, newest: u8, bytes: &[u8]) -> Result<(Header, &[u8]), FrameError> {
    let header = header(kind, bytes).map_err(FrameError::Damaged)?;
    if bytes.len() != header.frame_bytes {
        let damage = if bytes.len() < header.frame_bytes { Damage::Short } else { Damage::Long };
        return Err(FrameError::Damaged(damage));
    }
    let body = &bytes[HEADER_BYTES..];
    if crc32fast::hash(body) != header.body_crc {
        return Err(FrameError::Damaged(Damage::Body));
    }
    if header.level > newest {
        return Err(FrameError::Newer { level: header.level, newest });
    }
    Ok((header, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_noticed() {
        let frame = seal(Kind::Entry, 1, 7, b"some body");
        assert_eq!(open(Kind::Entry, 1, &frame).map(|(h, b)| (h.number, b)), Ok((7, &b"some body"[..])));
        for bit in 0..frame.len() * 8 {
            let mut bad = frame.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(Kind::Entry, 1, &bad).is_err(), "bit {bit}");
        }
        for end in 0..frame.len() {
            assert_eq!(
                open(Kind::Entry, 1, &frame[..end]),
                Err(FrameError::Damaged(Damage::Short)),
                "{end} bytes"
            );
        }
    }

    #[test]
    fn a_newer_level_is_told_from_damage() {
        let frame = seal(Kind::Manifest, 3, 1, b"x");
        assert!(open(Kind::Manifest, 3, &frame).is_ok());
        assert_eq!(open(Kind::Manifest, 2, &frame), Err(FrameError::Newer { level: 3, newest: 2 }));
    }

    #[test]
    fn a_frame_of_another_kind_is_refused() {
        let frame = seal(Kind::Chunk, 1, 1, b"x");
        assert_eq!(open(Kind::Entry, 1, &frame), Err(FrameError::Damaged(Damage::Header)));
    }
}
