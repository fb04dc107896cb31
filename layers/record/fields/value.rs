//! Typed values, as read from a record.

use std::fmt;

#[cfg(feature = "serde")]
use super::super::json::AsJson;
use super::{super::json::JsonText, Fields, slot::Link};

/// The value of a field, borrowed from its record.
///
/// Numbers stay numbers, text stays text. [`Value::Rendered`] is what `Debug` or `Display` printed (`?x`, `%x`). A list or a
/// map is a [`Value::Json`], from `json` (feature `serde`).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A boolean.
    Bool(bool),
    /// A signed integer (also `i8` to `i32` and `isize`).
    I64(i64),
    /// An unsigned integer (also `u8` to `u32` and `usize`).
    U64(u64),
    /// A wide signed integer.
    I128(i128),
    /// A wide unsigned integer.
    U128(u128),
    /// A floating-point number, perhaps not finite.
    F64(f64),
    /// Text.
    Str(&'a str),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// An error with its causes.
    Error(ErrorChain<'a>),
    /// What `Debug` or `Display` printed.
    Rendered(&'a str),
    /// A list or a map (or any other value) as JSON.
    Json(JsonText<'a>),
}

impl<'a> Value<'a> {
    /// The text of a [`Value::Str`] or [`Value::Rendered`], the JSON text of a [`Value::Json`], or an error's message.
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            Self::Str(text) | Self::Rendered(text) => Some(text),
            Self::Json(json) => Some(json.as_str()),
            Self::Error(chain) => Some(chain.message()),
            _ => None,
        }
    }

    /// The value as a signed integer, if it is an integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::I64(number) => Some(number),
            Self::U64(number) => number.try_into().ok(),
            Self::I128(number) => number.try_into().ok(),
            Self::U128(number) => number.try_into().ok(),
            _ => None,
        }
    }

    /// The value as an unsigned integer, if it is an integer that fits.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U64(number) => Some(number),
            Self::I64(number) => number.try_into().ok(),
            Self::I128(number) => number.try_into().ok(),
            Self::U128(number) => number.try_into().ok(),
            _ => None,
        }
    }

    /// The value as a float, if it is any number; wide integers are rounded.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::F64(number) => Some(number),
            Self::I64(number) => Some(number as f64),
            Self::U64(number) => Some(number as f64),
            Self::I128(number) => Some(number as f64),
            Self::U128(number) => Some(number as f64),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes of a [`Value::Bytes`].
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The JSON text, if it is a [`Value::Json`].
    pub fn as_json(&self) -> Option<JsonText<'a>> {
        match *self {
            Self::Json(json) => Some(json),
            _ => None,
        }
    }

    /// The error, if it is one.
    pub fn as_error(&self) -> Option<ErrorChain<'a>> {
        match *self {
            Self::Error(chain) => Some(chain),
            _ => None,
        }
    }
}

/// The bare value: text without quotes, bytes as lower-case hexadecimal, an error as its message and causes, a list or map
/// as JSON.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::I64(number) => number.fmt(f),
            Self::U64(number) => number.fmt(f),
            Self::I128(number) => number.fmt(f),
            Self::U128(number) => number.fmt(f),
            Self::F64(number) => number.fmt(f),
            Self::Str(text) | Self::Rendered(text) => f.pad(text),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Json(json) => f.pad(json.as_str()),
            Self::Error(chain) => chain.fmt(f),
        }
    }
}

/// An error as it was when logged: its message, then the messages of its causes.
#[derive(Clone, Copy)]
pub struct ErrorChain<'a> {
    pub(super) fields: &'a Fields,
    pub(super) first: u32,
    pub(super) count: u32,
}

impl<'a> ErrorChain<'a> {
    fn links(self) -> &'a [Link] {
        &self.fields.links()[self.first as usize..(self.first + self.count) as usize]
    }

    /// The error's own message.
    pub fn message(self) -> &'a str {
        self.links().first().map_or("", |link| self.fields.text(link.text))
    }

    /// The error's type, if it is known: one of the standard library's, or one logged by [`exception!`](crate::exception).
    pub fn type_name(self) -> Option<&'a str> {
        self.links().first().and_then(|link| link.type_name).map(|name| self.fields.name(name))
    }

    /// The type, if known, and the message of the error and of each cause, nearest first.
    pub fn links_with_types(self) -> impl DoubleEndedIterator<Item = (Option<&'a str>, &'a str)> {
        let fields = self.fields;
        self.links().iter().map(move |link| (link.type_name.map(|name| fields.name(name)), fields.text(link.text)))
    }

    /// The messages of the causes, nearest first (`source()` of `source()` …).
    pub fn causes(self) -> impl ExactSizeIterator<Item = &'a str> {
        self.links().iter().skip(1).map(move |link| self.fields.text(link.text))
    }
}

impl PartialEq for ErrorChain<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.message() == other.message() && self.causes().eq(other.causes())
    }
}

/// `message: cause: cause`
impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        self.causes().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl fmt::Debug for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entry(&self.message()).entries(self.causes()).finish()
    }
}

macro_rules! from {
    ($($source:ty => $variant:ident $(as $wide:ty)?),* $(,)?) => {$(
        impl<'a> From<$source> for Value<'a> {
            #[inline]
            fn from(value: $source) -> Self { Self::$variant(value $(as $wide)?) }
        }
    )*};
}

from! {
    bool => Bool, i8 => I64 as i64, i16 => I64 as i64, i32 => I64 as i64, i64 => I64, isize => I64 as i64,
    u8 => U64 as u64, u16 => U64 as u64, u32 => U64 as u64, u64 => U64, usize => U64 as u64,
    i128 => I128, u128 => U128, f32 => F64 as f64, f64 => F64, &'a str => Str, &'a [u8] => Bytes,
}

impl<'a> From<JsonText<'a>> for Value<'a> {
    fn from(json: JsonText<'a>) -> Self {
        Self::Json(json)
    }
}

/// [`Value::Json`], or [`Value::Rendered`] if that is not possible.
#[cfg(feature = "serde")]
impl<'j, T: serde::Serialize + ?Sized> From<&'j AsJson<'_, T>> for Value<'j> {
    fn from(given: &'j AsJson<'_, T>) -> Self {
        match given.rendered() {
            (_, Some(json)) => Self::Json(json),
            (text, None) => Self::Rendered(text),
        }
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Str(value)
    }
}
