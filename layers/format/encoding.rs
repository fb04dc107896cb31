//! Encodings other than UTF-8.

use std::{fmt, fmt::Write as _};

use crate::Error;

/// The encoding of a file, and what happens to characters that it lacks.
///
/// | encoding | names for [`named`](Self::named), as in Python |
/// |---|---|
/// | UTF-8, the default; with a byte order mark | `utf-8`; `utf-8-sig` |
/// | UTF-16, little or big endian; with a byte order mark, little endian | `utf-16-le`, `utf-16-be`; `utf-16` |
/// | ASCII, Latin-1 | `ascii`, `latin-1` |
/// | with the feature `encodings`: those of the [Encoding Standard](https://encoding.spec.whatwg.org/) | `shift_jis`, `euc_jp`, `gbk`, `gb18030`, `big5`, `euc_kr`, `cp1252`, `iso8859-15`, `koi8-r`, … |
///
/// Those of the Encoding Standard are CPython's byte for byte, but for five: `shift_jis` is Windows' (`cp932`), `gbk` has `€`,
/// `big5` has the extensions of Hong Kong, `iso2022_jp` has more signs, and `euc_jp` has no accents, Cyrillic or Greek with
/// accents.
///
/// Records are made in UTF-8 and converted once, when they are written. A byte order mark begins each new file. A record of UTF-16 that
/// was written only in part (a full disk) may shift the bytes after it.
///
/// ```
/// use tracing_strata::{Record, Severity, format::{Encoding, EncodingErrors, Text, Time}, output::LogFile, prelude::*};
///
/// # let path = std::env::temp_dir().join(format!("strata-encoding-{}.log", std::process::id()));
/// let encoding = Encoding::named("latin-1")?.errors(EncodingErrors::Replace);
/// let text = Text::plain().time(Time::none());
/// let file = LogFile::builder(&path).encoding(encoding).format(text).build()?.named("file");
/// file.emit(&Record::new(Severity::INFO, "app", "Zoë 漢"));
/// assert_eq!(std::fs::read(&path).unwrap(), b"INFO  app: Zo\xeb ?\n");
/// assert_eq!(file.stats().marked, 1);
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// Python: the `encoding` and `errors` of `FileHandler`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    charset: Charset,
    has_mark: bool,
    errors: EncodingErrors,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Charset {
    #[default]
    Utf8,
    Ascii,
    Latin1,
    Utf16Le,
    Utf16Be,
    #[cfg(feature = "encodings")]
    Other(&'static encoding_rs::Encoding),
}

/// What happens to a character that an [`Encoding`] lacks. Python: the `errors` of `open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncodingErrors {
    /// The record fails: the ledger counts it, the error handler is told.
    #[default]
    Strict,
    /// `?`
    Replace,
    /// Nothing is written for it.
    Ignore,
    /// `\xeb`, `\u6f22`, `\U0001f389`
    BackslashReplace,
    /// `&#28450;`
    XmlCharRefReplace,
}

impl Encoding {
    /// UTF-8.
    pub const UTF_8: Self = Self::of(Charset::Utf8);

    const fn of(charset: Charset) -> Self {
        Self { charset, has_mark: false, errors: EncodingErrors::Strict }
    }

    /// An encoding by one of its names. Case does not matter; `_` and a blank are as good as `-`.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn named(name: &str) -> Result<Self, Error> {
        let plain = name.to_lowercase().replace(['_', ' '], "-");
        let mark = |charset| Self { has_mark: true, ..Self::of(charset) };
        Ok(match &*plain {
            "utf-8" | "utf8" | "u8" | "cp65001" => Self::UTF_8,
            "utf-8-sig" => mark(Charset::Utf8),
            "utf-16" | "utf16" | "u16" => mark(Charset::Utf16Le),
            "ascii" | "us-ascii" | "646" => Self::of(Charset::Ascii),
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819" | "l1" => Self::of(Charset::Latin1),
            "utf-16-le" | "utf-16le" | "utf16-le" => Self::of(Charset::Utf16Le),
            "utf-16-be" | "utf-16be" | "utf16-be" => Self::of(Charset::Utf16Be),
            _ => Self::of(other(&plain).ok_or_else(|| unknown(name))?),
        })
    }

    /// What happens to characters that it lacks (default: [`EncodingErrors::Strict`]). All but `Strict` count the record as
    /// [marked](crate::ledger::Stats::marked).
    pub fn errors(self, errors: EncodingErrors) -> Self {
        Self { errors, ..self }
    }

    // --- within the crate

    /// What a new file begins with.
    pub(crate) fn mark(self) -> &'static [u8] {
        match self.charset {
            Charset::Utf8 if self.has_mark => b"\xef\xbb\xbf",
            Charset::Utf16Le if self.has_mark => b"\xff\xfe",
            _ => b"",
        }
    }

    /// A line break.
    pub(crate) fn line_end(self) -> &'static [u8] {
        match self.charset {
            Charset::Utf16Le => b"\n\0",
            Charset::Utf16Be => b"\0\n",
            _ => b"\n",
        }
    }

    /// Encodes a line of UTF-8; returns whether it had characters that the encoding lacks.
    #[inline]
    pub(crate) fn encode(self, line: &mut Vec<u8>) -> Result<bool, Error> {
        match self.charset {
            Charset::Utf8 => Ok(false),
            Charset::Ascii | Charset::Latin1 if line.is_ascii() => Ok(false),
            _ => self.encode_all(line),
        }
    }

    #[cold]
    fn encode_all(self, line: &mut Vec<u8>) -> Result<bool, Error> {
        let text = String::from_utf8_lossy(line).into_owned();
        line.clear();
        let mut is_changed = false;
        let mut rest = &*text;
        while let Some((before, missing)) = self.push(rest, line) {
            is_changed = true;
            let after = &rest[before + missing.len_utf8()..];
            let Some(replacement) = self.errors.replacement(missing) else {
                let index = text[..text.len() - after.len()].chars().count() - 1;
                return Err(Error::format(format_args!(
                    "character {index} of the line, U+{:04X}, is not in the encoding {self}",
                    u32::from(missing)
                )));
            };
            // ASCII, which all encodings have.
            self.push(&replacement, line);
            rest = after;
        }
        Ok(is_changed)
    }

    /// Appends a text up to the first character that is missing: where that is, and which.
    fn push(self, text: &str, line: &mut Vec<u8>) -> Option<(usize, char)> {
        let limit = match self.charset {
            Charset::Ascii => 0x80,
            Charset::Latin1 => 0x100,
            #[cfg(feature = "encodings")]
            Charset::Other(encoding) => return push_other(encoding, text, line),
            _ => u32::MAX,
        };
        for (at, c) in text.char_indices() {
            match self.charset {
                _ if u32::from(c) >= limit => return Some((at, c)),
                Charset::Utf16Le => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| line.extend(unit.to_le_bytes())),
                Charset::Utf16Be => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| line.extend(unit.to_be_bytes())),
                Charset::Utf8 => line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                _ => line.push(u32::from(c) as u8),
            }
        }
        None
    }
}

#[cfg(feature = "encodings")]
fn push_other(encoding: &'static encoding_rs::Encoding, text: &str, line: &mut Vec<u8>) -> Option<(usize, char)> {
    use encoding_rs::EncoderResult;

    let mut encoder = encoding.new_encoder();
    let (mut chunk, mut done) = ([0; 512], 0);
    loop {
        let (result, read, written) = encoder.encode_from_utf8_without_replacement(&text[done..], &mut chunk, true);
        line.extend_from_slice(&chunk[..written]);
        done += read;
        match result {
            EncoderResult::InputEmpty => return None,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(missing) => return Some((done - missing.len_utf8(), missing)),
        }
    }
}

#[cfg(feature = "encodings")]
fn other(name: &str) -> Option<Charset> {
    // Python's names for what the standard calls otherwise.
    let label = match name {
        "cp932" | "ms932" | "mskanji" | "shift-jis" | "sjis" => "shift_jis",
        "cp936" | "ms936" => "gbk",
        "cp949" | "uhc" => "euc-kr",
        "cp950" => "big5",
        "mac-roman" => "macintosh",
        "iso2022-jp" => "iso-2022-jp",
        name => name,
    };
    let spelt = [label.to_owned(), label.replace("cp", "windows-"), label.replace("iso8859-", "iso-8859-")];
    let found = spelt.iter().find_map(|label| encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()))?;
    // Its encoder is that of UTF-8 for these.
    (found.output_encoding() == found).then_some(Charset::Other(found))
}

#[cfg(not(feature = "encodings"))]
fn other(_: &str) -> Option<Charset> {
    None
}

fn unknown(name: &str) -> Error {
    let more = if cfg!(feature = "encodings") {
        "or one of the Encoding Standard"
    } else {
        "(others need the feature \"encodings\")"
    };
    Error::config(format_args!(
        "expected utf-8, utf-8-sig, ascii, latin-1, utf-16, utf-16-le, utf-16-be {more}, got {name:?}"
    ))
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.charset {
            Charset::Utf8 => "utf-8",
            Charset::Ascii => "ascii",
            Charset::Latin1 => "latin-1",
            Charset::Utf16Le => "utf-16-le",
            Charset::Utf16Be => "utf-16-be",
            #[cfg(feature = "encodings")]
            Charset::Other(encoding) => encoding.name(),
        })
    }
}

impl EncodingErrors {
    /// Python's words for them.
    #[cfg(feature = "config")]
    pub(crate) const NAMES: [(&str, Self); 5] = [
        ("strict", Self::Strict),
        ("replace", Self::Replace),
        ("ignore", Self::Ignore),
        ("backslashreplace", Self::BackslashReplace),
        ("xmlcharrefreplace", Self::XmlCharRefReplace),
    ];

    fn replacement(self, c: char) -> Option<String> {
        let code = u32::from(c);
        let mut text = String::new();
        let written = match self {
            Self::Strict => return None,
            Self::Replace => write!(text, "?"),
            Self::Ignore => Ok(()),
            Self::BackslashReplace if code < 0x100 => write!(text, "\\x{code:02x}"),
            Self::BackslashReplace if code < 0x1_0000 => write!(text, "\\u{code:04x}"),
            Self::BackslashReplace => write!(text, "\\U{code:08x}"),
            Self::XmlCharRefReplace => write!(text, "&#{code};"),
        };
        written.ok().map(|()| text)
    }
}
