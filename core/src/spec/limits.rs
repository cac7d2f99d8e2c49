//! Owns the limits on what a definition may say, beside those of the whole system.

pub(super) use crate::limits::*;

/// Problems, and warnings, told of one document.
pub(super) const PROBLEMS_MAX: usize = 100;
/// CPUs, MiB of memory and MiB of disk of one task, each in thousandths.
pub(super) const RESOURCE_THOUSANDTHS_MAX: u64 = 1_000_000_000_000;
/// Any span in an app's definition, in seconds: ten years.
pub(super) const SECONDS_MAX: u64 = 10 * 365 * 24 * 3600;
/// The factor by which a pause after failures grows, in thousandths.
pub(super) const BACKOFF_FACTOR_THOUSANDTHS_MAX: u64 = 1_000_000;
/// Bytes of an image's name.
pub(super) const IMAGE_BYTES_MAX: usize = 512;
/// Characters of a URI to fetch.
pub(super) const URI_CHARS_MAX: usize = 1024;
/// Bytes of an app's path as it is written, before `..` and the like are resolved.
pub(super) const ID_BYTES_MAX: usize = 1024;
/// Failures in a row that a health check may forgive.
pub(super) const HEALTH_FAILURES_MAX: u64 = 1_000_000;
