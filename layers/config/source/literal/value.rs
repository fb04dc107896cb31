//! Values of Python and its operators.

use crate::config::{
    node::{Data, Key, Map, Node},
    objects,
};

pub(super) enum Value {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    Bytes(Vec<u8>),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
    /// Dotted, such as `sys.stdout`.
    Name(String),
}

/// The size limit of a repeated string, which protects the memory.
const MAX_LENGTH: usize = 1024;

/// Parses a number in Python's syntax.
pub(super) fn number(written: &str) -> Option<Value> {
    let text = written.to_lowercase();
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    // `_` is allowed between digits and after `0x`.
    let misplaced = text
        .match_indices('_')
        .any(|(at, _)| !is_part(text[..at].chars().next_back()) || !is_part(text[at + 1..].chars().next()));
    if misplaced || text.ends_with('_') {
        return None;
    }
    let digits = text.replace('_', "");
    for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return i128::from_str_radix(digits, base).ok().map(Value::Int);
        }
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let is_old_octal = digits.starts_with('0') && digits.bytes().any(|byte| byte != b'0');
        return digits.parse().ok().filter(|_| !is_old_octal).map(Value::Int);
    }
    let is_float = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-'));
    digits.parse().ok().filter(|_| is_float).map(Value::Float)
}

impl Value {
    /// # Errors
    /// Bytes are not UTF-8.
    pub(super) fn into_node(self) -> Result<Node, String> {
        let list = |list: Vec<Self>| list.into_iter().map(Self::into_node).collect::<Result<_, _>>().map(Data::List);
        Ok(Node::new(match self.resolved() {
            Self::None => Data::Null,
            Self::Bool(on) => Data::Bool(on),
            Self::Int(number) => i64::try_from(number).map_or(Data::Float(number as f64), Data::Int),
            Self::Float(number) => Data::Float(number),
            Self::Str(text) => Data::Str(text),
            Self::Bytes(bytes) => Data::Str(String::from_utf8(bytes).map_err(|_| "expected bytes that are UTF-8")?),
            Self::Tuple(items) | Self::List(items) => list(items)?,
            Self::Map(map) => {
                let entry = |(text, value): (String, Self)| Ok((Key { text, at: None }, value.into_node()?));
                Data::Map(Map(map.into_iter().map(entry).collect::<Result<_, String>>()?))
            }
            Self::Name(name) => Data::Str(format!("ext://{name}")),
        }))
    }

    /// Replaces a name by its constant, if it has one.
    fn resolved(self) -> Self {
        let Self::Name(name) = &self else { return self };
        let number = || objects::number(name).map(|number| Self::Int(number.into()));
        let known = objects::text(name).map(|text| Self::Str(text.to_owned())).or_else(number);
        known.unwrap_or(self)
    }

    fn integer(&self) -> Option<i128> {
        match self {
            Self::Bool(on) => Some((*on).into()),
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            _ => self.integer().map(|number| number as f64),
        }
    }

    fn describe(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Str(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Map(_) => "a dict",
            Self::Name(_) => "a name that stands for no number",
        }
    }

    /// # Errors
    /// It is not a number.
    pub(super) fn signed(self, sign: char) -> Result<Self, String> {
        let value = self.resolved();
        match (sign, value.integer(), &value) {
            ('-', Some(number), _) => number.checked_neg().map(Self::Int).ok_or_else(|| TOO_BIG.into()),
            ('+', Some(number), _) => Ok(Self::Int(number)),
            ('~', Some(number), _) => Ok(Self::Int(!number)),
            ('-', _, Self::Float(number)) => Ok(Self::Float(-number)),
            ('+', _, Self::Float(number)) => Ok(Self::Float(*number)),
            _ => Err(format!("expected a number after {sign:?}, got {}", value.describe())),
        }
    }

    /// # Errors
    /// There is no such operation, or the result is too large.
    pub(super) fn operate(self, operator: &str, other: Self) -> Result<Self, String> {
        let (left, right) = (self.resolved(), other.resolved());
        let between = format!("between {} and {}", left.describe(), right.describe());
        let made = match (left, right) {
            (Self::Str(left), Self::Str(right)) if operator == "+" => Some(Self::Str(left + &right)),
            (Self::Bytes(left), Self::Bytes(right)) if operator == "+" => Some(Self::Bytes([left, right].concat())),
            (Self::Tuple(left), Self::Tuple(right)) if operator == "+" => {
                Some(Self::Tuple(left.into_iter().chain(right).collect()))
            }
            (Self::List(left), Self::List(right)) if operator == "+" => {
                Some(Self::List(left.into_iter().chain(right).collect()))
            }
            (Self::Bool(left), Self::Bool(right)) if "|^&".contains(operator) => Some(Self::Bool(match operator {
                "|" => left | right,
                "^" => left ^ right,
                _ => left & right,
            })),
            (left, right) => match (left.integer(), right.integer()) {
                (Some(left), Some(right)) => integers(left, operator, right)?,
                (None, Some(times)) if operator == "*" && left.float().is_none() => left.repeated(times)?,
                (Some(times), None) if operator == "*" && right.float().is_none() => right.repeated(times)?,
                _ => match (left.float(), right.float()) {
                    (Some(left), Some(right)) => floats(left, operator, right)?,
                    _ => None,
                },
            },
        };
        made.ok_or_else(|| format!("expected something else {between} than {operator:?}"))
    }

    fn repeated(self, times: i128) -> Result<Option<Self>, String> {
        let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
        let fits = |length: usize| {
            let is_short = length.checked_mul(times).is_some_and(|length| length <= MAX_LENGTH);
            if is_short { Ok(times) } else { Err(format!("expected at most {MAX_LENGTH} bytes by `*`, got more")) }
        };
        Ok(match self {
            Self::Str(text) => Some(Self::Str(text.repeat(fits(text.len())?))),
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.repeat(fits(bytes.len())?))),
            _ => None,
        })
    }
}

const TOO_BIG: &str = "expected a number of at most 127 bits, got a bigger one";
const BY_ZERO: &str = "expected a divisor that is not 0";

fn integers(left: i128, operator: &str, right: i128) -> Result<Option<Value>, String> {
    let shift = || u32::try_from(right).map_err(|_| "expected a number of bits, 0 or more");
    let is_below = left.checked_rem(right).is_some_and(|rest| rest != 0 && (rest < 0) != (right < 0));
    let made = match operator {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "|" => Some(left | right),
        "^" => Some(left ^ right),
        "&" => Some(left & right),
        ">>" => Some(left >> shift()?.min(127)),
        "<<" => left.checked_mul(1_i128.checked_shl(shift()?).filter(|power| *power > 0).ok_or(TOO_BIG)?),
        "**" if right >= 0 => left.checked_pow(u32::try_from(right).map_err(|_| TOO_BIG)?),
        "//" | "%" | "/" if right == 0 => return Err(BY_ZERO.into()),
        // Floor division: the remainder has the sign of the divisor.
        "//" => left.checked_div(right).map(|quotient| quotient - i128::from(is_below)),
        "%" => left.checked_rem(right).map(|rest| if is_below { rest + right } else { rest }),
        _ => return floats(left as f64, operator, right as f64),
    };
    made.map(|number| Some(Value::Int(number))).ok_or_else(|| TOO_BIG.into())
}

fn floats(left: f64, operator: &str, right: f64) -> Result<Option<Value>, String> {
    // Floor division, as for integers.
    let rest = left % right;
    let is_below = rest != 0.0 && (rest < 0.0) != (right < 0.0);
    Ok(Some(Value::Float(match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" | "//" | "%" if right == 0.0 => return Err(BY_ZERO.into()),
        "/" => left / right,
        "//" => ((left - rest) / right).round() - f64::from(u8::from(is_below)),
        "%" if is_below => rest + right,
        "%" if rest == 0.0 => rest.copysign(right),
        "%" => rest,
        "**" if left == 0.0 && right < 0.0 => return Err(BY_ZERO.into()),
        "**" if left < 0.0 && right.fract() != 0.0 => return Err("expected a power that is a real number".into()),
        "**" => left.powf(right),
        _ => return Ok(None),
    })))
}
