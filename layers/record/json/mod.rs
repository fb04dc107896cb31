//! Lists and maps as values: JSON text that can be embedded in a line.

#[cfg(feature = "serde")]
mod given;
mod walk;

use std::fmt;

#[cfg(feature = "serde")]
pub use self::given::{AsJson, json};
#[cfg(feature = "serde")]
pub(super) use self::given::{Printed, printed, reset_printed};
pub(crate) use self::walk::{items, pair, unescaped};
use crate::text::next_special;

/// Deeper JSON is plain text: readers have limits, too (often 128), and the line adds levels of its own.
const MAX_DEPTH: u32 = 64;

/// A list or a map (or any other value) as JSON text: the value of a [`Value::Json`](crate::Value::Json).
///
/// It is always one complete JSON value ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)), at most 64 levels deep,
/// without white space between its parts, and with all control characters escaped (line breaks, DEL, line separators,
/// bidirectional controls): it can be embedded in a line of JSON as it is.
///
/// Usually `json` (feature `serde`) makes it from a `serde::Serialize`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct JsonText<'a>(&'a str);

impl<'a> JsonText<'a> {
    /// Checks JSON text; `None` if it is not as described [above](Self).
    ///
    /// ```
    /// use tracing_strata::{Record, Severity, Value, record::JsonText};
    ///
    /// let mut record = Record::new(Severity::INFO, "shop", "paid");
    /// record.set("tags", Value::Json(JsonText::new(r#"["a","b"]"#).unwrap()));
    /// assert!(JsonText::new(r#"["a","b""#).is_none());
    /// ```
    pub fn new(text: &'a str) -> Option<Self> {
        is_compact(text).then_some(Self(text))
    }

    /// The text.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// For text that has been checked.
    #[inline]
    pub(super) fn checked(text: &'a str) -> Self {
        Self(text)
    }
}

impl fmt::Display for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        // A `Logger` passes its values through `tracing`, too.
        #[cfg(feature = "serde")]
        given::set_printed(Printed::Json(self.0.len()));
        Ok(())
    }
}

impl fmt::Debug for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a text is as [`JsonText`] promises. Does not allocate.
fn is_compact(text: &str) -> bool {
    next_special(text, 0, false).is_none() && Reader { text: text.as_bytes(), at: 0 }.document().is_some()
}

/// Each step is `None` where the text is not JSON.
struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn takes(&mut self, wanted: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    fn expects(&mut self, wanted: &[u8]) -> Option<()> {
        self.takes(wanted).then_some(())
    }

    fn document(mut self) -> Option<()> {
        let mut depth = 0;
        // One bit per level: whether it is an object.
        let mut levels = 0_u64;
        loop {
            // A value begins.
            match self.next()? {
                open @ (b'[' | b'{') => {
                    let is_object = open == b'{';
                    if !self.takes(if is_object { b"}" } else { b"]" }) {
                        if depth == MAX_DEPTH {
                            return None;
                        }
                        depth += 1;
                        levels = levels << 1 | u64::from(is_object);
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => self.string()?,
                b't' => self.expects(b"rue")?,
                b'f' => self.expects(b"alse")?,
                b'n' => self.expects(b"ull")?,
                first @ (b'-' | b'0'..=b'9') => self.number(first)?,
                _ => return None,
            }
            // A value has ended.
            loop {
                if depth == 0 {
                    return (self.at == self.text.len()).then_some(());
                }
                let is_object = levels & 1 == 1;
                match self.next()? {
                    b',' if is_object => break self.key()?,
                    b',' => break,
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    _ => return None,
                }
                depth -= 1;
                levels >>= 1;
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        self.expects(b"\"")?;
        self.string()?;
        self.expects(b":")
    }

    /// The rest of a string after its opening quote. Control characters were checked before.
    fn string(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => match self.unit()? {
                        // A lone surrogate is invalid.
                        0xd800..=0xdbff => {
                            self.expects(b"\\u")?;
                            (0xdc00..=0xdfff).contains(&self.unit()?).then_some(())?;
                        }
                        0xdc00..=0xdfff => return None,
                        _ => {}
                    },
                    _ => return None,
                },
                _ => {}
            }
        }
    }

    fn unit(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |unit, _| Some(unit << 4 | char::from(self.next()?).to_digit(16)?))
    }

    fn number(&mut self, first: u8) -> Option<()> {
        match if first == b'-' { self.next()? } else { first } {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.takes(b".") {
            self.digit()?;
        }
        if self.takes(b"e") || self.takes(b"E") {
            // At most one sign.
            let _ = self.takes(b"+") || self.takes(b"-");
            self.digit()?;
        }
        Some(())
    }

    /// One digit or more.
    fn digit(&mut self) -> Option<()> {
        self.next()?.is_ascii_digit().then_some(())?;
        self.digits();
        Some(())
    }

    fn digits(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_as_it_can_stand_in_a_line() {
        let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let deep_maps = format!("{}1{}", r#"{"a":"#.repeat(64), "}".repeat(64));
        for text in [
            "1",
            "-0",
            "0.5",
            "-12.25e-7",
            "1E+9",
            "true",
            "false",
            "null",
            "\"\"",
            "[]",
            "{}",
            "[[],{}]",
            r#"{"a":[1,{"b":null}],"c":"\"\\\/\b\f\n\r\tä\u00e4\ud83d\ude00"}"#,
            r#"{"":{"":[]}}"#,
            &deep(64),
            &deep_maps,
        ] {
            assert!(is_compact(text), "{text}");
            // The reference.
            serde_json::from_str::<serde_json::Value>(text).unwrap();
            // Nothing that was cut off is whole, but for numbers.
            if !text.contains(|c: char| c.is_ascii_digit()) {
                assert!((0..text.len()).all(|end| !text.is_char_boundary(end) || !is_compact(&text[..end])), "{text}");
            }
        }
        for text in [
            "",
            " ",
            "[1, 2]",
            " 1",
            "1 ",
            "1\n",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{:1}",
            "{1:2}",
            "{\"a\":1,}",
            "[1}",
            "{\"a\":1]",
            "]",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "--1",
            "nul",
            "NaN",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83d\\u0041\"",
            "\"\n\"",
            "\"\u{7f}\"",
            "\"\u{2028}\"",
            "1,2",
            "[] []",
            "'a'",
            &deep(65),
        ] {
            assert!(!is_compact(text), "{text}");
        }
    }
}
