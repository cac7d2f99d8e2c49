//! Owns values of agents as rules see them: their text, as Marathon spells it, and exact decimal numbers.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt::Write;

/// What an agent has under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A name.
    Text(&'a str),
    /// An amount, in thousandths.
    Scalar(i64),
    /// Inclusive ranges, in any order.
    Ranges(&'a [(u64, u64)]),
    /// Names, in any order.
    Set(&'a [String]),
}

/// A value as text; nothing is allocated for texts and scalars.
pub(super) enum Spelling<'a> {
    Text(&'a str),
    Scalar(Digits),
    Made(String),
}

/// A scalar's text, at the end of the bytes.
pub(super) struct Digits {
    bytes: [u8; 24],
    start: usize,
}

impl<'a> Value<'a> {
    /// As rules spell it.
    pub fn text(self) -> String {
        self.spell().as_str().into()
    }

    /// `0.5` for a scalar, `[1-5,7-9]` for ranges, `{a,b}` for a set, both in order.
    pub(super) fn spell(self) -> Spelling<'a> {
        match self {
            Self::Text(text) => Spelling::Text(text),
            Self::Scalar(thousandths) => Spelling::Scalar(Digits::of(thousandths)),
            Self::Ranges(ranges) => {
                let mut sorted = Vec::from(ranges);
                sorted.sort_unstable();
                Spelling::Made(list(['[', ']'], &sorted, |text, (begin, end)| {
                    let _ = write!(text, "{begin}-{end}");
                }))
            }
            Self::Set(names) => {
                let mut sorted: Vec<&String> = names.iter().collect();
                sorted.sort_unstable();
                Spelling::Made(list(['{', '}'], &sorted, |text, name| text.push_str(name)))
            }
        }
    }
}

fn list<T>(around: [char; 2], items: &[T], write: impl Fn(&mut String, &T)) -> String {
    let mut text = String::from(around[0]);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(&mut text, item);
    }
    text.push(around[1]);
    text
}

impl Spelling<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Scalar(digits) => digits.as_str(),
            Self::Made(text) => text,
        }
    }
}

impl Digits {
    /// The shortest decimal.
    fn of(thousandths: i64) -> Self {
        let mut digits = Self { bytes: [0; 24], start: 24 };
        let magnitude = thousandths.unsigned_abs();
        let (mut whole, mut fraction, mut places) = (magnitude / 1000, magnitude % 1000, 3);
        while places > 0 && fraction % 10 == 0 {
            fraction /= 10;
            places -= 1;
        }
        for _ in 0..places {
            digits.push(b'0' + (fraction % 10) as u8);
            fraction /= 10;
        }
        if places > 0 {
            digits.push(b'.');
        }
        loop {
            digits.push(b'0' + (whole % 10) as u8);
            whole /= 10;
            if whole == 0 {
                break;
            }
        }
        if thousandths < 0 {
            digits.push(b'-');
        }
        digits
    }

    fn push(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[self.start] = byte;
    }

    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[self.start..]).expect("digits are ASCII")
    }
}

/// A decimal number of any length, read from its text: `-?[0-9]+(\.[0-9]+)?`. Equal numbers are equal, however written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal<'a> {
    negative: bool,
    /// Without zeros in front.
    whole: &'a str,
    /// Without zeros at the end.
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    /// `None` if the text is no decimal number.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (negative, magnitude) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match magnitude.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (magnitude, ""),
        };
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        Some(Self { negative: negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction })
    }

    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        let by_length = self.whole.len().cmp(&other.whole.len());
        by_length.then_with(|| self.whole.cmp(other.whole)).then_with(|| self.fraction.cmp(other.fraction))
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A number in thousandths.
struct Rounded {
    /// Rounded half to even.
    thousandths: i64,
    /// Nothing was cut off.
    exact: bool,
}

impl Rounded {
    /// `None` if the text is no number or does not fit.
    fn parse(text: &str) -> Option<Self> {
        let number = Decimal::parse(text)?;
        let (kept, cut_off) = number.fraction.split_at(number.fraction.len().min(3));
        let zeros = core::iter::repeat_n(b'0', 3 - kept.len());
        let mut thousandths: u64 = 0;
        for digit in number.whole.bytes().chain(kept.bytes()).chain(zeros) {
            thousandths = thousandths.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
        let rounds_up = match cut_off.cmp("5") {
            Ordering::Less => false,
            Ordering::Equal => thousandths % 2 == 1,
            Ordering::Greater => true,
        };
        let magnitude = i64::try_from(thousandths.checked_add(u64::from(rounds_up))?).ok()?;
        let thousandths = if number.negative { -magnitude } else { magnitude };
        Some(Self { thousandths, exact: cut_off.is_empty() })
    }
}

/// `text` as Marathon spells it if it is a number: without more than three decimals, and without zeros at the end.
pub(super) fn normalized(text: &str) -> Option<String> {
    Rounded::parse(text).map(|number| Digits::of(number.thousandths).as_str().into())
}

/// The scalar that is equal to `text`.
pub(super) fn scalar(text: &str) -> Option<i64> {
    Rounded::parse(text).filter(|number| number.exact).map(|number| number.thousandths)
}
