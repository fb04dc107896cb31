//! The pieces of a line: escaped text, styled parts, `name=value`.

use std::fmt::Write as _;

use crate::{Severity, Value, text::next_special};

const DIM: &str = "\u{1b}[2m";
const BOLD: &str = "\u{1b}[1m";
const RESET: &str = "\u{1b}[0m";

pub(super) struct Line<'a> {
    out: &'a mut String,
    is_colored: bool,
}

impl<'a> Line<'a> {
    pub(super) fn new(out: &'a mut String, is_colored: bool) -> Self {
        Self { out, is_colored }
    }

    /// Text of ours.
    #[inline]
    pub(super) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.out.push_str(itoa::Buffer::new().format(number));
    }

    fn style(&mut self, code: &str) {
        if self.is_colored {
            self.out.push_str(code);
        }
    }

    pub(super) fn begin_dim(&mut self) {
        self.style(DIM);
    }

    pub(super) fn begin_bold(&mut self) {
        self.style(BOLD);
    }

    pub(super) fn end(&mut self) {
        self.style(RESET);
    }

    pub(super) fn dim(&mut self, write: impl FnOnce(&mut String)) {
        self.begin_dim();
        write(self.out);
        self.end();
    }

    /// The level's name, five characters wide.
    pub(super) fn level(&mut self, severity: Severity) {
        self.style(match severity.number() {
            50.. => "\u{1b}[1;41;97m",
            40.. => "\u{1b}[31m",
            30.. => "\u{1b}[33m",
            20.. => "\u{1b}[32m",
            10.. => "\u{1b}[34m",
            _ => "\u{1b}[35m",
        });
        let width = match severity.name() {
            Some(name) => {
                self.escaped(name);
                name.len()
            }
            None => {
                self.raw("Level ");
                self.out.push_str(itoa::Buffer::new().format(severity.number()));
                5
            }
        };
        self.end();
        (width..5).for_each(|_| self.raw(" "));
    }

    /// Text of others, without what could break the line.
    #[inline]
    pub(super) fn escaped(&mut self, text: &str) {
        self.escape(text, false);
    }

    /// The same on several lines, each but the first after `mark`.
    pub(super) fn escaped_lines(&mut self, text: &str, mark: &str) {
        for (index, part) in text.split('\n').enumerate() {
            if index > 0 {
                self.raw("\n");
                self.raw(mark);
            }
            self.escaped(part.strip_suffix('\r').unwrap_or(part));
        }
    }

    fn escape(&mut self, text: &str, quotes: bool) {
        let mut from = 0;
        while let Some(at) = next_special(text, from, quotes) {
            self.out.push_str(&text[from..at]);
            let Some(c) = text[at..].chars().next() else { return };
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                // Writing to a `String` does not fail.
                c => write!(self.out, "\\u{{{:x}}}", u32::from(c)).unwrap_or_default(),
            }
            from = at + c.len_utf8();
        }
        self.out.push_str(&text[from..]);
    }

    /// A word as it is, anything else in quotes.
    fn word(&mut self, text: &str) {
        if is_word(text) {
            return self.raw(text);
        }
        self.raw("\"");
        self.escape(text, true);
        self.raw("\"");
    }

    pub(super) fn pair(&mut self, name: &str, value: Value<'_>) {
        self.begin_dim();
        self.word(name);
        self.raw("=");
        self.end();
        match value {
            Value::Bool(value) => self.raw(if value { "true" } else { "false" }),
            Value::I64(number) => self.raw(itoa::Buffer::new().format(number)),
            Value::U64(number) => self.number(number),
            Value::I128(number) => self.raw(itoa::Buffer::new().format(number)),
            Value::U128(number) => self.raw(itoa::Buffer::new().format(number)),
            Value::F64(number) => self.raw(zmij::Buffer::new().format(number)),
            Value::Str(text) => self.word(text),
            // What `Debug` made of a string is in quotes already.
            Value::Rendered(text) if is_quoted(text) => self.escaped(text),
            Value::Rendered(text) => self.word(text),
            Value::Bytes(bytes) => {
                self.raw("0x");
                bytes.iter().for_each(|byte| write!(self.out, "{byte:02x}").unwrap_or_default());
            }
            Value::Error(chain) => {
                self.raw("\"");
                self.escape(chain.message(), true);
                for cause in chain.causes() {
                    self.raw(": ");
                    self.escape(cause, true);
                }
                self.raw("\"");
            }
        }
    }

    pub(super) fn trace_id(&mut self, id: u128) {
        self.begin_dim();
        self.raw("trace_id=");
        self.end();
        write!(self.out, "{id:032x}").unwrap_or_default();
    }

    /// A value on lines of its own.
    pub(super) fn apart(&mut self, name: &str, value: Value<'_>) {
        self.raw("\n    | ");
        self.begin_dim();
        self.word(name);
        self.raw(": ");
        self.end();
        match value {
            Value::Error(chain) => {
                self.escaped_lines(chain.message(), "    |   ");
                for cause in chain.causes() {
                    self.raw("\n    |   caused by: ");
                    self.escaped_lines(cause, "    |     ");
                }
            }
            value => self.escaped_lines(value.as_str().unwrap_or_default(), "    |   "),
        }
    }
}

/// Whether text can stand without quotes: nothing in it separates, quotes or nests.
fn is_word(text: &str) -> bool {
    let plain = |c: char| match c {
        c if c.is_ascii() => {
            c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '=' | ',' | '{' | '}' | '[' | ']')
        }
        c => !c.is_whitespace() && !crate::text::is_control(c),
    };
    !text.is_empty() && text.chars().all(plain)
}

/// Whether text is one quoted string as a whole: a quote at each end, and within none without a backslash before it.
fn is_quoted(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return false };
    let mut is_escaped = false;
    for byte in inner.bytes() {
        match byte {
            b'"' if !is_escaped => return false,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    !is_escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_strings() {
        for text in [r#""""#, r#""a""#, r#""a\"b""#, r#""a\\""#] {
            assert!(is_quoted(text), "{text}");
        }
        for text in ["", "\"", "a", r#""a"b""#, r#""a\""#, r#""a" b="c""#] {
            assert!(!is_quoted(text), "{text}");
        }
    }
}
