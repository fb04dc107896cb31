//! Encodings other than UTF-8.

use std::fmt::Write as _;

use crate::Error;

/// The encoding of a file, and what happens to characters that it lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Encoding {
    charset: Charset,
    errors: Errors,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Charset {
    #[default]
    Utf8,
    Ascii,
    Latin1,
    Utf16Le,
    Utf16Be,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Errors {
    #[default]
    Strict,
    Replace,
    Ignore,
    BackslashReplace,
    XmlCharRefReplace,
}

impl Encoding {
    /// Parses Python's names.
    pub(super) fn parse(name: &str, errors: Option<&str>) -> Result<Self, String> {
        let plain = name.to_lowercase().replace(['_', ' '], "-");
        let charset = match &*plain {
            "utf-8" | "utf8" | "u8" | "cp65001" => Charset::Utf8,
            "ascii" | "us-ascii" | "646" => Charset::Ascii,
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819" | "l1" => Charset::Latin1,
            "utf-16-le" | "utf-16le" | "utf16-le" => Charset::Utf16Le,
            "utf-16-be" | "utf-16be" | "utf16-be" => Charset::Utf16Be,
            _ => return Err(format!("expected utf-8, ascii, latin-1, utf-16-le or utf-16-be, got {name:?}")),
        };
        let errors = match errors {
            None | Some("strict") => Errors::Strict,
            Some("replace") => Errors::Replace,
            Some("ignore") => Errors::Ignore,
            Some("backslashreplace") => Errors::BackslashReplace,
            Some("xmlcharrefreplace") => Errors::XmlCharRefReplace,
            Some(other) => {
                return Err(format!(
                    "expected strict, replace, ignore, backslashreplace or xmlcharrefreplace, got {other:?}"
                ));
            }
        };
        Ok(Self { charset, errors })
    }

    /// Encodes the UTF-8 from `start` on.
    #[inline]
    pub(super) fn encode(self, line: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        if self.charset == Charset::Utf8 || (self.charset <= Charset::Latin1 && line[start..].is_ascii()) {
            return Ok(());
        }
        self.encode_all(line, start)
    }

    #[cold]
    fn encode_all(self, line: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        let text = String::from_utf8_lossy(&line[start..]).into_owned();
        line.truncate(start);
        for (index, c) in text.chars().enumerate() {
            if !self.push(c, line) {
                let Some(replacement) = self.replacement(c) else {
                    line.truncate(start);
                    return Err(Error::format(format_args!(
                        "character {index} of the line, U+{:04X}, is not in the encoding ({:?})",
                        u32::from(c),
                        self.charset
                    )));
                };
                for c in replacement.chars() {
                    self.push(c, line);
                }
            }
        }
        Ok(())
    }

    fn push(self, c: char, line: &mut Vec<u8>) -> bool {
        let code = u32::from(c);
        match self.charset {
            Charset::Utf8 => line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Charset::Ascii if code < 0x80 => line.push(code as u8),
            Charset::Latin1 if code < 0x100 => line.push(code as u8),
            Charset::Ascii | Charset::Latin1 => return false,
            Charset::Utf16Le => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| line.extend(unit.to_le_bytes())),
            Charset::Utf16Be => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| line.extend(unit.to_be_bytes())),
        }
        true
    }

    fn replacement(self, c: char) -> Option<String> {
        let code = u32::from(c);
        let mut text = String::new();
        let written = match self.errors {
            Errors::Strict => return None,
            Errors::Replace => write!(text, "?"),
            Errors::Ignore => Ok(()),
            Errors::BackslashReplace if code < 0x100 => write!(text, "\\x{code:02x}"),
            Errors::BackslashReplace if code < 0x1_0000 => write!(text, "\\u{code:04x}"),
            Errors::BackslashReplace => write!(text, "\\U{code:08x}"),
            Errors::XmlCharRefReplace => write!(text, "&#{code};"),
        };
        written.ok().map(|()| text)
    }
}

impl PartialOrd for Charset {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some((*self as u8).cmp(&(*other as u8)))
    }
}
