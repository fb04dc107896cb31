//! The arguments of a format: what a field writes.

use super::{compiled::Compiled, number, own_names::Line};
use crate::{Record, Value, format::outermost_first, text::python_repr};

#[derive(Clone, Copy, Debug)]
pub(super) enum Argument<'r> {
    None,
    /// Python's `args`: empty, because the message is complete.
    Args,
    Str(&'r str),
    Bool(bool),
    Int(i128),
    /// Beyond what `Int` holds.
    Huge(u128),
    Float(f64),
    Bytes(&'r [u8]),
    /// A severity without a name.
    Level(i32),
    /// The record's time, as the template writes it.
    Time,
    /// The record's first error.
    Exception,
    /// Python's `exc_info`: its class, the error itself, no frames.
    ExcInfo,
    /// The names of the record's spans.
    Spans,
    /// A number and how many hexadecimal digits.
    Hex(u128, u8),
    Error(crate::record::ErrorChain<'r>),
    /// A name of the template's own names.
    Own(&'r str),
}

impl<'r> From<Value<'r>> for Argument<'r> {
    #[inline]
    fn from(value: Value<'r>) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::I64(number) => Self::Int(number.into()),
            Value::U64(number) => Self::Int(number.into()),
            Value::I128(number) => Self::Int(number),
            Value::U128(number) => i128::try_from(number).map_or(Self::Huge(number), Self::Int),
            Value::F64(number) => Self::Float(number),
            Value::Str(text) | Value::Rendered(text) => Self::Str(text),
            Value::Json(json) if json.as_str() == "null" => Self::None,
            Value::Json(json) => Self::Str(json.as_str()),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Error(chain) => Self::Error(chain),
        }
    }
}

impl Argument<'_> {
    /// As Python's `str()`.
    #[inline]
    pub(super) fn push(self, compiled: &Compiled, record: &Record, out: &mut String) {
        match self {
            Self::None => out.push_str("None"),
            Self::Args => out.push_str("()"),
            Self::Str(text) => out.push_str(text),
            Self::Bool(true) => out.push_str("True"),
            Self::Bool(false) => out.push_str("False"),
            Self::Int(number) => number::push_int(number, out),
            Self::Huge(number) => out.push_str(itoa::Buffer::new().format(number)),
            Self::Float(number) => number::push_repr(number, out),
            Self::Bytes(bytes) => bytes.iter().for_each(|byte| push_byte(*byte, out)),
            Self::Level(number) => {
                out.push_str("Level ");
                out.push_str(itoa::Buffer::new().format(number));
            }
            Self::Time => compiled.push_asctime(record.time(), out),
            Self::Exception => push_exception(record, out),
            Self::ExcInfo => push_exc_info(record, out),
            Self::Spans => {
                for (index, span) in outermost_first(record).enumerate() {
                    if index > 0 {
                        out.push(':');
                    }
                    out.push_str(span.name());
                }
            }
            Self::Hex(number, digits) => {
                for digit in (0..digits).rev() {
                    let value = (number >> (4 * u32::from(digit))) as u32 & 15;
                    out.push(char::from_digit(value, 16).unwrap_or('0'));
                }
            }
            Self::Own(name) => {
                if let Some(own) = &compiled.own_names {
                    own.write(name, &Line { compiled, record }, out);
                }
            }
            Self::Error(chain) => {
                out.push_str(chain.message());
                for cause in chain.causes() {
                    out.push_str(": ");
                    out.push_str(cause);
                }
            }
        }
    }

    /// The name of its type in Python.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Args | Self::ExcInfo => "tuple",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Huge(_) => "int",
            Self::Float(_) => "float",
            _ => "str",
        }
    }
}

fn push_byte(byte: u8, out: &mut String) {
    out.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
}

/// `(<class 'io.Error'>, Error('no space'), None)`
fn push_exc_info(record: &Record, out: &mut String) {
    let Some((class, message)) = record.error().and_then(|chain| chain.links_with_types().next()) else { return };
    let class = class.unwrap_or("Exception");
    let name = class.rsplit(['.', ':']).next().unwrap_or(class);
    let message = if message.is_empty() { String::new() } else { python_repr(message) };
    out.push_str(&format!("(<class '{class}'>, {name}({message}), None)"));
}

/// The record's first error as Python prints a chain without frames: the first cause first.
pub(crate) fn push_exception(record: &Record, out: &mut String) {
    let Some(chain) = record.error() else { return };
    for (index, (type_name, message)) in chain.links_with_types().rev().enumerate() {
        if index > 0 {
            out.push_str("\n\nThe above exception was the direct cause of the following exception:\n\n");
        }
        match type_name {
            None => out.push_str(message),
            Some(type_name) => {
                out.push_str(type_name);
                if !message.is_empty() {
                    out.push_str(": ");
                    out.push_str(message);
                }
            }
        }
    }
}
