//! Owns Mesos's JSON mapping where it differs from serde's own: enums by name, bytes as base64, wide integers and doubles.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserializer, Visitor};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};
use swan_core::mesos as core;

use super::convert::{call_from_wire, event_from_wire};
use super::v1::scheduler;

/// An event in Mesos's JSON, in core's terms; an error says for people what is wrong with it. A type by an unknown name is
/// one, a type by an unknown number is none.
pub fn event_from_json(json: &serde_json::Value) -> Result<core::Event, String> {
    let event = scheduler::Event::deserialize(json).map_err(|why| why.to_string())?;
    event_from_wire(event).map_err(|why| why.to_string())
}

/// A call in Mesos's JSON, in core's terms, with the framework's id beside it; an error says for people what is wrong with
/// it.
pub fn call_from_json(json: &serde_json::Value) -> Result<(Option<core::FrameworkId>, core::Call), String> {
    let call = scheduler::Call::deserialize(json).map_err(|why| why.to_string())?;
    call_from_wire(call).map_err(|why| why.to_string())
}

/// An enum whose values have names on the wire.
pub(crate) trait Named: Copy + TryFrom<i32> + Into<i32> {
    /// The wire name.
    fn name(self) -> &'static str;
    /// From the wire name.
    fn from_name(name: &str) -> Option<Self>;
}

/// An enum's number as its name; a number without a name stays a number.
pub(crate) struct EnumName<E>(PhantomData<E>);

impl<E: Named> EnumName<E> {
    pub(crate) fn serialize<S: Serializer>(number: &Option<i32>, serializer: S) -> Result<S::Ok, S::Error> {
        match number.map(|number| E::try_from(number).map_err(|_| number)) {
            None => serializer.serialize_none(),
            Some(Ok(known)) => serializer.serialize_str(known.name()),
            Some(Err(unknown)) => serializer.serialize_i32(unknown),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
        match Option::<NumberOrText<i32>>::deserialize(deserializer)? {
            None => Ok(None),
            Some(NumberOrText::Number(number)) => Ok(Some(number)),
            Some(NumberOrText::Text(name)) => match E::from_name(&name) {
                Some(known) => Ok(Some(known.into())),
                None => {
                    let kind = std::any::type_name::<E>().rsplit("::").take(2).collect::<Vec<_>>();
                    Err(de::Error::custom(format_args!(
                        "{:.64?} is no name of {} of {}",
                        name, kind[0], kind[1]
                    )))
                }
            },
        }
    }
}

/// Bytes as base64.
pub(crate) struct Base64;

impl Base64 {
    pub(crate) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            None => serializer.serialize_none(),
            Some(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| {
            STANDARD.decode(text).map_err(|why| de::Error::custom(format_args!("bad base64: {why}")))
        })
        .transpose()
    }
}

/// A 64-bit integer as a number; text is read too, as protobuf's own mapping has it.
pub(crate) struct Integer<N>(PhantomData<N>);

impl<N: Serialize + for<'de> Deserialize<'de> + FromStr> Integer<N> {
    pub(crate) fn serialize<S: Serializer>(number: &Option<N>, serializer: S) -> Result<S::Ok, S::Error> {
        number.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<N>, D::Error> {
        match Option::<NumberOrText<N>>::deserialize(deserializer)? {
            None => Ok(None),
            Some(NumberOrText::Number(number)) => Ok(Some(number)),
            Some(NumberOrText::Text(text)) => {
                text.parse().map(Some).map_err(|_| de::Error::custom("the text is no integer of 64 bits"))
            }
        }
    }
}

/// A double as a number; what JSON has no number for, as the text that Mesos gives it.
pub(crate) struct Double;

impl Double {
    pub(crate) fn serialize<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        match *number {
            None => serializer.serialize_none(),
            Some(number) if number.is_finite() => serializer.serialize_f64(number),
            Some(f64::INFINITY) => serializer.serialize_str("Infinity"),
            Some(f64::NEG_INFINITY) => serializer.serialize_str("-Infinity"),
            Some(_) => Err(S::Error::custom("not a number")),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        match Option::<NumberOrText<f64>>::deserialize(deserializer)? {
            None => Ok(None),
            Some(NumberOrText::Number(number)) => Ok(Some(number)),
            Some(NumberOrText::Text(text)) => match text.as_str() {
                "Infinity" => Ok(Some(f64::INFINITY)),
                "-Infinity" => Ok(Some(f64::NEG_INFINITY)),
                _ => Err(de::Error::custom("the text is neither Infinity nor -Infinity")),
            },
        }
    }
}

enum NumberOrText<N> {
    Number(N),
    Text(String),
}

impl<'de, N: Deserialize<'de>> Deserialize<'de> for NumberOrText<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<N>(PhantomData<N>);
        impl<'de, N: Deserialize<'de>> Visitor<'de> for Either<N> {
            type Value = NumberOrText<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or text")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                N::deserialize(de::value::I64Deserializer::new(number)).map(NumberOrText::Number)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                N::deserialize(de::value::U64Deserializer::new(number)).map(NumberOrText::Number)
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
                N::deserialize(de::value::F64Deserializer::new(number)).map(NumberOrText::Number)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(NumberOrText::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}
