//! Values as JSON writes them.

use crate::{
    Value,
    format::line::{Line, hex_digits},
};

/// A value; of an error, its message.
#[inline(always)]
pub(in crate::format) fn value(line: &mut Line<'_>, value: Value<'_>) {
    match value {
        Value::Str(text) | Value::Rendered(text) => line.string(text),
        Value::U64(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::I64(number) => line.raw(itoa::Buffer::new().format(number)),
        Value::F64(number) => float(line, number),
        Value::Bool(value) => line.raw(if value { "true" } else { "false" }),
        Value::I128(number) => wide(line, number.unsigned_abs(), number < 0),
        Value::U128(number) => wide(line, number, false),
        Value::Bytes(bytes) => {
            line.byte(b'"');
            hex(line, bytes);
            line.byte(b'"');
        }
        // Made without characters that a line may not have.
        Value::Json(json) => line.raw_bytes(json.as_str().as_bytes()),
        // The object writes the causes, which have their own keys.
        Value::Error(chain) => line.string(chain.message()),
    }
}

/// A number if it fits into 64 bits, which common parsers read exactly; else a string of digits.
#[cold]
fn wide(line: &mut Line<'_>, magnitude: u128, negative: bool) {
    let fits = magnitude <= if negative { 1 << 63 } else { u64::MAX.into() };
    if !fits {
        line.byte(b'"');
    }
    if negative {
        line.byte(b'-');
    }
    line.raw(itoa::Buffer::new().format(magnitude));
    if !fits {
        line.byte(b'"');
    }
}

/// The shortest number that reads back equal, with a point or an exponent; if not finite, a string, as in
/// [protobuf's JSON mapping](https://protobuf.dev/programming-guides/json/).
#[inline]
pub(super) fn float(line: &mut Line<'_>, number: f64) {
    if number.is_finite() {
        line.raw(zmij::Buffer::new().format_finite(number));
    } else {
        line.raw(match number {
            f64::INFINITY => "\"Infinity\"",
            f64::NEG_INFINITY => "\"-Infinity\"",
            _ => "\"NaN\"",
        });
    }
}

/// Two lower-case digits a byte.
pub(in crate::format) fn hex(line: &mut Line<'_>, bytes: &[u8]) {
    for byte in bytes {
        let [.., high, low] = hex_digits((*byte).into());
        line.byte(high);
        line.byte(low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{format::line::Fragment, text::is_control};

    fn shown<'v>(of: impl Into<Value<'v>>) -> String {
        let fragment = Fragment::of(true, |line| value(line, of.into()));
        String::from_utf8(fragment.text().to_vec()).unwrap()
    }

    #[test]
    fn numbers() {
        assert_eq!(shown(-7), "-7");
        assert_eq!(shown(u64::MAX), "18446744073709551615");
        assert_eq!(shown(1.0), "1.0");
        assert_eq!(shown(-0.0), "-0.0");
        assert_eq!(shown(f64::NAN), "\"NaN\"");
        assert_eq!(shown(f64::INFINITY), "\"Infinity\"");
        assert_eq!(shown(f64::NEG_INFINITY), "\"-Infinity\"");
        for number in [1e16, 1.5e300, 5e-324, f64::MAX, 0.1, 123_456_789.125] {
            let text = shown(number);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap().as_f64(), Some(number));
            assert!(text.contains(['.', 'e']), "{text}");
        }
    }

    #[test]
    fn wide_numbers_are_numbers_while_they_fit() {
        assert_eq!(shown(i128::from(i64::MIN)), "-9223372036854775808");
        assert_eq!(shown(i128::from(u64::MAX)), "18446744073709551615");
        assert_eq!(shown(i128::from(i64::MIN) - 1), "\"-9223372036854775809\"");
        assert_eq!(shown(i128::MIN), "\"-170141183460469231731687303715884105728\"");
        assert_eq!(shown(u128::from(u64::MAX) + 1), "\"18446744073709551616\"");
        assert_eq!(shown(u128::MAX), "\"340282366920938463463374607431768211455\"");
    }

    #[test]
    fn every_character_comes_back_and_no_control_stands_bare() {
        for c in '\0'..=char::MAX {
            let out = shown(&*c.encode_utf8(&mut [0; 4]));
            assert!(!out.chars().any(is_control), "{c:?}");
            if c < '\u{3000}' || is_control(c) {
                assert_eq!(serde_json::from_str::<String>(&out).unwrap(), c.to_string());
            }
        }
    }

    #[test]
    fn bytes_are_hexadecimal() {
        assert_eq!(shown(&b"\x00\xff\x1a"[..]), "\"00ff1a\"");
    }
}
