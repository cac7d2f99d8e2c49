//! Owns exact decimal numbers. The only file in which a float appears: what the JSON parser hands over as one is turned
//! back into the digits that were written.

use alloc::format;
use alloc::string::ToString;

use core::fmt;

/// A decimal number, `digits * 10^exponent`, without trailing zeros; zero is never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    digits: u64,
    exponent: i32,
}

/// A number in parts of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The nearest whole number of parts.
    pub(crate) value: u64,
    /// More was cut off than a float's noise.
    pub(crate) rounded: bool,
}

impl Number {
    fn new(negative: bool, mut digits: u64, mut exponent: i32) -> Self {
        if digits == 0 {
            return Self { negative: false, digits: 0, exponent: 0 };
        }
        while digits.is_multiple_of(10) {
            digits /= 10;
            exponent += 1;
        }
        Self { negative, digits, exponent }
    }

    /// So many thousandths.
    pub(crate) fn from_thousandths(value: u64) -> Self {
        Self::new(false, value, -3)
    }

    /// So many millionths.
    pub(crate) fn from_millionths(value: u64) -> Self {
        Self::new(false, value, -6)
    }

    /// The digits of the shortest decimal that reads back as `float`: those that were written, up to 15 of them.
    /// `None` if it is not finite.
    pub(crate) fn from_float(float: f64) -> Option<Self> {
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let shift = i32::try_from(fraction.len()).ok()?;
        Some(Self::new(negative, digits, exponent.parse::<i32>().ok()? - shift))
    }

    /// The value as a whole number; `None` if it has a fraction, is negative or does not fit.
    pub(crate) fn whole(&self) -> Option<u64> {
        if self.negative || self.exponent < 0 {
            return None;
        }
        self.digits.checked_mul(10_u64.checked_pow(u32::try_from(self.exponent).ok()?)?)
    }

    /// The value as a whole number that may be negative; `None` if it has a fraction or does not fit.
    pub(crate) fn signed(&self) -> Option<i64> {
        let size = i64::try_from(Self { negative: false, ..*self }.whole()?).ok()?;
        Some(if self.negative { -size } else { size })
    }

    /// The value rounded half up to thousandths; `None` if it is negative or does not fit.
    pub(crate) fn thousandths(&self) -> Option<Parts> {
        self.parts(3)
    }

    /// The value rounded half up to millionths; `None` if it is negative or does not fit.
    pub(crate) fn millionths(&self) -> Option<Parts> {
        self.parts(6)
    }

    fn parts(&self, places: i32) -> Option<Parts> {
        if self.negative {
            return None;
        }
        let shift = self.exponent + places;
        if shift >= 0 {
            let factor = 10_u64.checked_pow(u32::try_from(shift).ok()?)?;
            return Some(Parts { value: self.digits.checked_mul(factor)?, rounded: false });
        }
        let Some(unit) = 10_u128.checked_pow(shift.unsigned_abs()) else {
            return Some(Parts { value: 0, rounded: true });
        };
        let value = (u128::from(self.digits) + unit / 2) / unit;
        let cut_off = u128::from(self.digits).abs_diff(value * unit);
        Some(Parts { value: u64::try_from(value).ok()?, rounded: cut_off > unit / 1_000_000 })
    }
}

impl From<u64> for Number {
    fn from(n: u64) -> Self {
        Self::new(false, n, 0)
    }
}

impl From<i64> for Number {
    fn from(n: i64) -> Self {
        Self::new(n < 0, n.unsigned_abs(), 0)
    }
}

/// JSON text that reads back as the same number.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let digits = self.digits.to_string();
        match self.exponent {
            0..=20 => write!(f, "{sign}{digits}{}", "0".repeat(self.exponent.unsigned_abs() as usize)),
            -20..0 => {
                let places = self.exponent.unsigned_abs() as usize;
                let padded = format!("{digits:0>width$}", width = places + 1);
                let (whole, fraction) = padded.split_at(padded.len() - places);
                write!(f, "{sign}{whole}.{fraction}")
            }
            exponent => write!(f, "{sign}{digits}e{exponent}"),
        }
    }
}

/// The three methods of a serde visitor that take numbers; `$wrap` makes the visitor's value of a [`Number`].
macro_rules! visit_numbers {
    ($wrap:path) => {
        fn visit_u64<E>(self, n: u64) -> Result<Self::Value, E> {
            Ok($wrap(n.into()))
        }

        fn visit_i64<E>(self, n: i64) -> Result<Self::Value, E> {
            Ok($wrap(n.into()))
        }

        fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Self::Value, E> {
            $crate::number::Number::from_float(n)
                .map($wrap)
                .ok_or_else(|| E::custom("a number that is not finite"))
        }
    };
}
pub(crate) use visit_numbers;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn float(n: f64) -> Number {
        Number::from_float(n).expect("a finite number")
    }

    #[test]
    fn floats_become_the_digits_that_were_written() {
        for (n, text) in
            [(0.1, "0.1"), (1e-9, "0.000000001"), (-0.0, "0"), (1.15, "1.15"), (-2.5, "-2.5"), (128.0, "128")]
        {
            assert_eq!(float(n).to_string(), text);
        }
        assert_eq!(float(1e308).to_string(), "1e308");
        assert_eq!(float(0.1 + 0.2).to_string(), "0.30000000000000004");
        assert_eq!(Number::from_float(f64::NAN), None);
        assert_eq!(Number::from_float(f64::INFINITY), None);
    }

    #[test]
    fn thousandths_round_half_up_and_say_so() {
        let of = |n: f64| float(n).thousandths().map(|t| (t.value, t.rounded));
        assert_eq!(of(0.1), Some((100, false)));
        assert_eq!(of(0.1 + 0.2), Some((300, false)), "a float's noise is not worth a word");
        assert_eq!(of(0.0005), Some((1, true)));
        assert_eq!(of(0.0004), Some((0, true)));
        assert_eq!(of(1e-300), Some((0, true)));
        assert_eq!(of(-0.5), None);
        assert_eq!(of(1e308), None);
        assert_eq!(Number::from(u64::MAX).thousandths(), None);
    }

    #[test]
    fn signed_numbers_keep_their_sign() {
        assert_eq!(Number::from(-7_i64).signed(), Some(-7));
        assert_eq!(float(-1e3).signed(), Some(-1000));
        assert_eq!(float(-0.5).signed(), None);
        assert_eq!(Number::from(u64::MAX).signed(), None);
    }

    #[test]
    fn millionths_hold_a_third() {
        let third = float(1.0 / 3.0).millionths().expect("a part of one");
        assert_eq!(third, Parts { value: 333_333, rounded: true });
        assert_eq!(Number::from_millionths(333_333).to_string(), "0.333333");
    }

    #[test]
    fn whole_numbers_have_no_fraction_and_fit() {
        assert_eq!(float(1.0).whole(), Some(1));
        assert_eq!(float(1.5).whole(), None);
        assert_eq!(float(1e20).whole(), None);
        assert_eq!(Number::from(-1_i64).whole(), None);
        assert_eq!(Number::from(u64::MAX).whole(), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn text_reads_back_as_the_same_number(n in any::<f64>()) {
            if let Some(number) = Number::from_float(n) {
                let again: f64 = number.to_string().parse().expect("a number");
                prop_assert_eq!(again.to_bits(), if n == 0.0 { 0 } else { n.to_bits() });
            }
        }

        #[test]
        fn thousandths_survive_their_text(n in 0..=u64::MAX / 1000) {
            let number: f64 = Number::from_thousandths(n).to_string().parse().expect("a number");
            if n < 1 << 50 {
                prop_assert_eq!(float(number).thousandths(), Some(Parts { value: n, rounded: false }));
            }
        }
    }
}
