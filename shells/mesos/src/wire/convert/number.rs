//! Owns the step between Mesos's doubles and core's integers.

use swan_core::time::{Millis, Timestamp};

use crate::wire::error::WireError;
use crate::wire::v1::{DurationInfo, TimeInfo};

/// 2^53: beyond it a double has no thousandths left to lose.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Thousandths, rounded to nearest as Mesos does; infinity is `i64::MAX`.
pub(super) fn thousandths(value: f64, field: &'static str) -> Result<i64, WireError> {
    if value.is_nan() || value == f64::NEG_INFINITY {
        return Err(WireError::new(field, "is no number"));
    }
    // The cast saturates.
    Ok((value * 1000.0).round() as i64)
}

/// The double nearest to so many thousandths.
pub(super) fn from_thousandths(milli: i64) -> f64 {
    if milli == i64::MAX { f64::INFINITY } else { milli as f64 / 1000.0 }
}

/// A span given in seconds.
pub(super) fn seconds(value: Option<f64>, field: &'static str) -> Result<Option<Millis>, WireError> {
    match value {
        None => Ok(None),
        Some(value) if value.is_nan() || value < 0.0 => {
            Err(WireError::new(field, "must be a number of seconds, zero or more"))
        }
        Some(value) => Ok(Some(Millis((value * 1000.0).round() as u64))),
    }
}

/// The double nearest to so many milliseconds, in seconds.
pub(super) fn to_seconds(span: Option<Millis>) -> Option<f64> {
    span.map(|span| span.0 as f64 / 1000.0)
}

/// A moment given in seconds since 1970; one that makes no sense is as good as none.
pub(super) fn moment(value: Option<f64>) -> Option<Timestamp> {
    value
        .filter(|value| (0.0..EXACT_MAX).contains(value))
        .map(|value| Timestamp((value * 1000.0).round() as u64))
}

/// Seconds since 1970.
pub(super) fn to_moment(at: Option<Timestamp>) -> Option<f64> {
    at.map(|at| at.0 as f64 / 1000.0)
}

/// A span given in nanoseconds, rounded to nearest.
pub(super) fn duration(
    value: Option<DurationInfo>,
    field: &'static str,
) -> Result<Option<Millis>, WireError> {
    let Some(nanoseconds) = value.and_then(|value| value.nanoseconds) else { return Ok(None) };
    let nanoseconds =
        u64::try_from(nanoseconds).map_err(|_| WireError::new(field, "must not be negative"))?;
    Ok(Some(Millis((nanoseconds + 500_000) / 1_000_000)))
}

/// A span in nanoseconds, at most what fits.
pub(super) fn to_duration(span: Millis) -> DurationInfo {
    DurationInfo { nanoseconds: Some(i64::try_from(span.0.saturating_mul(1_000_000)).unwrap_or(i64::MAX)) }
}

/// A moment given in nanoseconds since 1970; one before that is as good as none.
pub(super) fn time(value: Option<TimeInfo>) -> Option<Timestamp> {
    let nanoseconds = u64::try_from(value?.nanoseconds?).ok()?;
    Some(Timestamp(nanoseconds / 1_000_000))
}

/// Nanoseconds since 1970, at most what fits.
pub(super) fn to_time(at: Timestamp) -> TimeInfo {
    TimeInfo { nanoseconds: Some(i64::try_from(at.0.saturating_mul(1_000_000)).unwrap_or(i64::MAX)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn thousandths_round_trip(milli in -(1i64 << 50)..=1 << 50) {
            prop_assert_eq!(thousandths(from_thousandths(milli), "x"), Ok(milli));
        }

        #[test]
        fn spans_and_moments_round_trip(millis in 0u64..=1 << 50) {
            prop_assert_eq!(seconds(to_seconds(Some(Millis(millis))), "x"), Ok(Some(Millis(millis))));
            let at = Timestamp(millis);
            prop_assert_eq!(moment(to_moment(Some(at))), Some(at));
            let fits = Millis(millis % 9_000_000_000_000);
            prop_assert_eq!(duration(Some(to_duration(fits)), "x"), Ok(Some(fits)));
        }

        #[test]
        fn any_double_is_taken_or_refused(bits in any::<u64>(), nanoseconds in any::<i64>()) {
            let value = f64::from_bits(bits);
            let _ = thousandths(value, "x");
            let _ = moment(Some(value));
            prop_assert_eq!(seconds(Some(value), "x").is_err(), value.is_nan() || value < 0.0);
            let _ = duration(Some(DurationInfo { nanoseconds: Some(nanoseconds) }), "x");
        }
    }

    #[test]
    fn doubles_round_to_the_nearest_thousandth() {
        for (value, milli) in
            [(0.1, 100), (0.0005, 1), (0.1 + 0.2, 300), (31.999_999_9, 32_000), (-0.2, -200)]
        {
            assert_eq!(thousandths(value, "x"), Ok(milli), "{value}");
        }
        assert_eq!(thousandths(f64::INFINITY, "x"), Ok(i64::MAX));
        assert_eq!(thousandths(f64::NAN, "cpus").unwrap_err().to_string(), "cpus: is no number");
    }
}
