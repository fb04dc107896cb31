//! Scalars of YAML 1.1, as PyYAML's `safe_load` reads them.

use super::timestamp::timestamp;
use crate::config::node::Data;

/// The prefix of YAML's own types: `!!int` is `tag:yaml.org,2002:int`.
pub(super) const YAML: &str = "tag:yaml.org,2002:";

/// A plain scalar.
///
/// # Errors
/// It looks like a type but has no valid value.
pub(super) fn plain(text: &str) -> Result<Data, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Ok(Data::Null),
        "OFF" => Ok(Data::Off),
        "=" | "<<" => Err(format!("expected a value, got `{text}`, which is a key in YAML: put it in quotes")),
        _ => {
            let number = || boolean(text).map(Ok).or_else(|| float(text).map(Ok)).or_else(|| integer(text));
            let date = || timestamp(text).map(|date| date.map(Data::Str));
            number().or_else(date).unwrap_or_else(|| Ok(Data::Str(text.to_owned())))
        }
    }
}

/// A scalar with a tag.
///
/// # Errors
/// As [`plain`]; or the tag is not supported.
pub(super) fn tagged(text: &str, tag: &str) -> Result<Data, String> {
    let is = |what: &str| format!("expected {what}, got {text:?} with the tag `{tag}`");
    match tag.strip_prefix(YAML) {
        // The tag `!` has no type: the text decides, even in quotes.
        None if tag == "!" => plain(text),
        Some("str") => Ok(Data::Str(text.to_owned())),
        Some("null") => Ok(Data::Null),
        Some("bool") => boolean(&text.to_lowercase()).ok_or_else(|| is("true or false")),
        Some("int") => integer(text).unwrap_or_else(|| Err(is("an integer"))),
        Some("float") => match integer(text).filter(|_| text.contains(':')) {
            Some(Ok(Data::Int(sexagesimal))) => Ok(Data::Float(sexagesimal as f64)),
            _ => {
                let any = || text.replace('_', "").parse().ok().map(Data::Float);
                float(text).or_else(any).ok_or_else(|| is("a number"))
            }
        },
        Some("timestamp") => timestamp(text).unwrap_or_else(|| Err(is("a date"))).map(Data::Str),
        // Tags such as `!!python/object` are refused.
        _ => Err(format!("expected no tag, got `{tag}`")),
    }
}

fn boolean(text: &str) -> Option<Data> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(Data::Bool(true)),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(Data::Bool(false)),
        _ => None,
    }
}

fn signed(text: &str) -> (f64, &str) {
    match text.strip_prefix('-') {
        Some(bare) => (-1.0, bare),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// A digit, then digits and `_`.
fn is_decimal(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && consists_of(text, |byte| byte.is_ascii_digit())
}

fn consists_of(text: &str, digit: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(|byte| byte == b'_' || digit(byte))
}

fn is_sexagesimal_digit(text: &str) -> bool {
    matches!(text.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
}

/// `1:30` and `1:30.5`, in units of the last part.
fn sexagesimal(text: &str) -> f64 {
    let parts = text.split(':').map(|part| part.trim_end_matches('.').parse().unwrap_or(0.0));
    parts.fold(0.0, |sum, part: f64| sum * 60.0 + part)
}

fn float(text: &str) -> Option<Data> {
    let (sign, bare) = signed(text);
    let number = match bare {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        ".nan" | ".NaN" | ".NAN" if bare.len() == text.len() => f64::NAN,
        _ => {
            let (before, after) = bare.split_once('.')?;
            let (fraction, exponent) =
                after.find(['e', 'E']).map_or((after, None), |at| (&after[..at], Some(&after[at + 1..])));
            // YAML 1.1 requires the sign of an exponent.
            let is_exponent = |digits: &str| {
                let digits = digits.strip_prefix(['-', '+']).unwrap_or_default();
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            };
            let is_whole = consists_of(fraction, |byte| byte.is_ascii_digit()) && exponent.is_none_or(is_exponent);
            let (first, rest) = before.split_once(':').map_or((before, None), |(first, rest)| (first, Some(rest)));
            let is_right = match rest {
                Some(rest) => is_decimal(first) && exponent.is_none() && rest.split(':').all(is_sexagesimal_digit),
                None if before.is_empty() => bare.len() == text.len() && is_decimal(fraction),
                None => is_decimal(before),
            };
            if !is_whole || !is_right {
                return None;
            }
            let digits = bare.replace('_', "");
            if rest.is_some() { sexagesimal(&digits) } else { digits.parse().ok()? }
        }
    };
    Some(Data::Float(sign * number))
}

/// An integer that does not fit into 64 bits becomes a float.
fn integer(text: &str) -> Option<Result<Data, String>> {
    let (sign, bare) = signed(text);
    if let Some((first, rest)) = bare.split_once(':') {
        let is_right = is_decimal(first) && !first.starts_with('0') && rest.split(':').all(is_sexagesimal_digit);
        return is_right.then(|| Ok(whole(sign * sexagesimal(&bare.replace('_', "")))));
    }
    let (digits, base) = match bare.as_bytes() {
        [b'0', b'b', ..] => (&bare[2..], 2),
        [b'0', b'x', ..] => (&bare[2..], 16),
        [b'0', _, ..] => (&bare[1..], 8),
        _ if is_decimal(bare) => (bare, 10),
        _ => return None,
    };
    if digits.is_empty() || !consists_of(digits, |byte| char::from(byte).is_digit(base)) {
        return None;
    }
    let digits = digits.replace('_', "");
    Some(match (digits.as_str(), base) {
        ("", 8) => Ok(Data::Int(0)),
        ("", _) => Err(format!("expected digits, got {text:?}")),
        (digits, _) => {
            let big = || match base {
                10 => digits.parse().unwrap_or(f64::INFINITY),
                _ => {
                    digits.chars().fold(0.0, |sum, c| sum * f64::from(base) + f64::from(c.to_digit(base).unwrap_or(0)))
                }
            };
            let minus = if sign < 0.0 { "-" } else { "" };
            let number = i64::from_str_radix(&format!("{minus}{digits}"), base);
            Ok(number.map_or_else(|_| Data::Float(sign * big()), Data::Int))
        }
    })
}

/// A whole float as an integer, where that is exact.
fn whole(number: f64) -> Data {
    if number.abs() < 9e15 { Data::Int(number as i64) } else { Data::Float(number) }
}
