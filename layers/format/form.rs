//! Python's records as a form, for receivers of `HTTPHandler`.

use std::borrow::Cow;

use super::{
    Buffer, Format,
    log_record::{self, Writer as _},
    template::push_repr,
};
use crate::{Error, Record, Value, framing::Framing, record::Entry};

/// A record as Python's `HTTPHandler` sends it: the attributes of a `LogRecord` (`mapLogRecord`), URL-encoded
/// (`urllib.parse.urlencode`).
///
/// ```
/// use tracing_strata::{Record, Severity, format::{Buffer, Form, Format}};
///
/// let mut out = Buffer::new();
/// Form::new().format(&Record::new(Severity::INFO, "shop::db", "a & b = é"), &mut out).unwrap();
/// assert!(out.to_str().unwrap().starts_with("name=shop.db&msg=a+%26+b+%3D+%C3%A9&args=%28%29&levelname=INFO&levelno=20&"));
/// ```
///
/// # What is sent
///
/// The attributes and fields that [`Pickle`](super::Pickle) sends, in the order of a `LogRecord`, as Python's `str()` writes
/// them: `None`, `True`, `20`, `1709640000.5`; bytes as `b'\x00a'`, lists and maps as JSON text. `args` is `()`, as the message
/// is merged.
///
/// # Differences from Python
/// `exc_info` is `None`, and `exc_text` has the error. Python sends the address of its traceback object instead.
#[derive(Clone, Debug, Default)]
pub struct Form {
    process_name: Option<Cow<'static, str>>,
}

impl Form {
    /// The format.
    pub fn new() -> Self {
        Self::default()
    }

    /// `processName` (default: the name of the executable; Python's is `MainProcess`).
    pub fn process_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.process_name = Some(name.into());
        self
    }
}

impl Format for Form {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let mut pairs = Pairs { out: out.bytes_mut(), is_first: true, scratch: Vec::new() };
        log_record::write(record, self.process_name.as_deref(), &mut pairs);
        Ok(())
    }

    /// [`Framing::None`]: it is a text that another framing could not change, but no line either.
    fn framing(&self) -> Option<Framing> {
        Some(Framing::None)
    }
}

/// Writes `name=value`.
struct Pairs<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
    scratch: Vec<u8>,
}

impl Pairs<'_> {
    /// `quote_plus()`
    fn quoted(out: &mut Vec<u8>, text: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        for &byte in text {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(byte),
                b' ' => out.push(b'+'),
                _ => out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
            }
        }
    }

    fn repr(&mut self, bytes: &[u8]) {
        let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
        self.text_of(|text| {
            text.extend_from_slice(&[b'b', quote]);
            for &byte in bytes {
                match byte {
                    b'\t' => text.extend_from_slice(b"\\t"),
                    b'\n' => text.extend_from_slice(b"\\n"),
                    b'\r' => text.extend_from_slice(b"\\r"),
                    byte if byte == quote || byte == b'\\' => text.extend_from_slice(&[b'\\', byte]),
                    b' '..=b'~' => text.push(byte),
                    _ => text.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
                }
            }
            text.push(quote);
        });
    }
}

impl log_record::Writer for Pairs<'_> {
    fn key(&mut self, name: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b'&');
        }
        Self::quoted(self.out, name.as_bytes());
        self.out.push(b'=');
    }

    fn text(&mut self, text: &str) {
        Self::quoted(self.out, text.as_bytes());
    }

    fn text_of(&mut self, make: impl FnOnce(&mut Vec<u8>)) {
        self.scratch.clear();
        make(&mut self.scratch);
        Self::quoted(self.out, &self.scratch);
    }

    fn none(&mut self) {
        self.text("None");
    }

    fn no_args(&mut self) {
        self.text("()");
    }

    fn integer(&mut self, number: i128) {
        self.text(itoa::Buffer::new().format(number));
    }

    fn float(&mut self, number: f64) {
        let mut text = String::new();
        push_repr(number, &mut text);
        self.text(&text);
    }

    fn value(&mut self, entry: Entry<'_>) {
        match entry.value() {
            Value::Str(text) | Value::Rendered(text) => self.text(text),
            Value::Json(json) => self.text(json.as_str()),
            Value::I64(number) => self.integer(number.into()),
            Value::U64(number) => self.integer(number.into()),
            Value::I128(number) => self.integer(number),
            Value::U128(number) => self.text(itoa::Buffer::new().format(number)),
            Value::F64(number) => self.float(number),
            Value::Bool(value) => self.text(if value { "True" } else { "False" }),
            Value::Bytes(bytes) => self.repr(bytes),
            Value::Error(chain) => self.text_of(|text| log_record::push_error(chain, text)),
        }
    }
}
