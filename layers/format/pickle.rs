//! Python's pickled records, for receivers of `SocketHandler` and `DatagramHandler`.

use std::borrow::Cow;

use super::{Buffer, Format, log_record};
use crate::{Error, Record, Value, framing::Framing, record::Entry};

/// A record as Python's `SocketHandler` and `DatagramHandler` send it: four bytes of length (big-endian), then the
/// attributes of a `LogRecord` as a pickle, which `logging.makeLogRecord(pickle.loads(…))` takes on the other side.
///
/// The pickle is plain data: dictionaries, texts, numbers, bytes, `True`, `False` and `None`. No opcode names or calls
/// anything, so that a receiver may refuse all globals (`Unpickler.find_class`), as every receiver should.
///
/// ```
/// use tracing_strata::{Record, Severity, format::{Buffer, Format, Pickle}};
///
/// let mut frame = Buffer::new();
/// Pickle::new().format(&Record::new(Severity::INFO, "shop::db", "paid"), &mut frame).unwrap();
/// let (length, pickle) = frame.as_bytes().split_first_chunk::<4>().unwrap();
/// assert_eq!(u32::from_be_bytes(*length) as usize, pickle.len());
/// assert!(pickle.starts_with(b"}(") && pickle.ends_with(b"u."));
/// ```
///
/// The frame is binary: use it with outputs of bytes ([`Socket`](crate::output::Socket),
/// [`Datagram`](crate::output::Datagram)), not of lines.
///
/// # What is sent
///
/// | attribute | content |
/// |---|---|
/// | `name` | the target, with `.` for `::`; `root` for the empty one |
/// | `msg` | the message; `args` is `None` |
/// | `levelno`, `levelname` | the severity; `WARNING` for 30, `NOTSET` for 0, else [its name](crate::Severity::name) or `Level 35` |
/// | `pathname`, `filename`, `module`, `lineno` | the call site; `(unknown file)` and 0 if unknown |
/// | `funcName` | a text field `funcName` of the event, else [its function](Record::function), else the innermost span's name, else `(unknown function)` |
/// | `exc_text` | the event's first error: its causes, the innermost first, then itself, as Python prints a chain; `exc_info` is `None` |
/// | `stack_info` | a text field `stack_info` of the event, else [its stack](Record::stack), else `None` |
/// | `created`, `msecs`, `relativeCreated` | as in Python; `msecs` is truncated to whole ones |
/// | `thread`, `threadName` | the operating system's id; the name, or `Thread-` and the id |
/// | `process`, `processName` | the id; [`process_name`](Self::process_name) |
/// | `trace_id`, `span_id`, `trace_flags` | hexadecimal texts, in records that have [trace ids](Record::trace) |
/// | all other fields | as `extra`: the event's, the spans', the global ones, each name once: the event wins over spans, an inner span over an outer one, spans over global fields |
///
/// A text field `exc_text` of the event wins over its error. Another field with the name of an attribute, or named `message`
/// or `asctime`, which the receiver's formatter would overwrite, gets `_` appended until the name is free. (In Python such
/// an `extra` is a `KeyError`.)
///
/// # Values
///
/// | value | Python |
/// |---|---|
/// | truth values, integers of any width, floats (also NaN) | `bool`, `int`, `float` |
/// | text, output of `Debug` or `Display` | `str` |
/// | bytes | `bytes` (Python 3 only) |
/// | a second error | `str` with its causes |
///
/// # Differences from Python
/// The dictionary is that of `makePickle`; the bytes differ, because there are no references to earlier values (pickle
/// protocol 1, with protocol 3's opcode for bytes).
#[derive(Clone, Debug, Default)]
pub struct Pickle {
    process_name: Option<Cow<'static, str>>,
}

impl Pickle {
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

impl Format for Pickle {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let out = out.bytes_mut();
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        // EMPTY_DICT, MARK: keys and values follow. SETITEMS, STOP.
        out.extend_from_slice(b"}(");
        log_record::write(record, self.process_name.as_deref(), &mut Opcodes { out });
        out.extend_from_slice(b"u.");
        let length = u32::try_from(out.len() - start - 4)
            .map_err(|_| Error::new("a pickle of 4 GiB or more cannot be framed"))?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// [`Framing::None`]: a pickle may have any byte, and its length is in front.
    fn framing(&self) -> Option<Framing> {
        Some(Framing::None)
    }
}

/// Writes opcodes. None of them names or calls anything.
struct Opcodes<'a> {
    out: &'a mut Vec<u8>,
}

impl log_record::Writer for Opcodes<'_> {
    #[inline]
    fn key(&mut self, name: &str) {
        self.text(name);
    }

    /// BINUNICODE: the length, little-endian, and UTF-8.
    #[inline]
    fn text(&mut self, text: &str) {
        self.out.push(b'X');
        // A text of 4 GiB does not fit into a frame; its record fails.
        self.out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.out.extend_from_slice(text.as_bytes());
    }

    /// The same for text that `make` appends in place.
    fn text_of(&mut self, make: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(b"X\0\0\0\0");
        let start = self.out.len();
        make(self.out);
        let length = (self.out.len() - start) as u32;
        self.out[start - 4..start].copy_from_slice(&length.to_le_bytes());
    }

    /// NONE.
    fn none(&mut self) {
        self.out.push(b'N');
    }

    fn no_args(&mut self) {
        self.none();
    }

    /// BININT1, BININT; LONG, in decimal, where it has more than 32 bits.
    #[inline]
    fn integer(&mut self, number: i128) {
        if let Ok(byte) = u8::try_from(number) {
            self.out.extend_from_slice(&[b'K', byte]);
        } else if let Ok(short) = i32::try_from(number) {
            self.out.push(b'J');
            self.out.extend_from_slice(&short.to_le_bytes());
        } else {
            self.long(itoa::Buffer::new().format(number));
        }
    }

    /// BINFLOAT, big-endian.
    fn float(&mut self, number: f64) {
        self.out.push(b'G');
        self.out.extend_from_slice(&number.to_be_bytes());
    }

    #[inline]
    fn value(&mut self, entry: Entry<'_>) {
        match entry.value() {
            Value::Str(text) | Value::Rendered(text) => self.text(text),
            Value::Json(json) => self.text(json.as_str()),
            Value::I64(number) => self.integer(number.into()),
            Value::U64(number) => self.integer(number.into()),
            Value::I128(number) => self.integer(number),
            Value::U128(number) => match i128::try_from(number) {
                Ok(number) => self.integer(number),
                Err(_) => self.long(itoa::Buffer::new().format(number)),
            },
            Value::F64(number) => self.float(number),
            // INT: protocol 1 has no opcode for truth values.
            Value::Bool(true) => self.out.extend_from_slice(b"I01\n"),
            Value::Bool(false) => self.out.extend_from_slice(b"I00\n"),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Error(chain) => self.text_of(|text| log_record::push_error(chain, text)),
        }
    }
}

impl Opcodes<'_> {
    fn long(&mut self, digits: &str) {
        self.out.push(b'L');
        self.out.extend_from_slice(digits.as_bytes());
        self.out.extend_from_slice(b"L\n");
    }

    /// SHORT_BINBYTES, BINBYTES.
    fn bytes(&mut self, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            Ok(length) => self.out.extend_from_slice(&[b'C', length]),
            Err(_) => {
                self.out.push(b'B');
                self.out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            }
        }
        self.out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::log_record::Writer as _, *};

    #[test]
    fn opcodes() {
        let written = |write: &dyn Fn(&mut Opcodes<'_>)| {
            let mut out = Vec::new();
            write(&mut Opcodes { out: &mut out });
            out
        };
        assert_eq!(written(&|to| to.integer(255)), b"K\xff");
        assert_eq!(written(&|to| to.integer(-1)), b"J\xff\xff\xff\xff");
        assert_eq!(written(&|to| to.integer(256)), b"J\x00\x01\x00\x00");
        assert_eq!(written(&|to| to.integer(1 << 31)), b"L2147483648L\n");
        assert_eq!(written(&|to| to.float(1.5)), b"G\x3f\xf8\0\0\0\0\0\0");
        assert_eq!(written(&|to| to.text("é")), b"X\x02\0\0\0\xc3\xa9");
        assert_eq!(written(&|to| to.bytes(b"\x00")), b"C\x01\x00");
        assert_eq!(written(&|to| to.bytes(&[7; 256]))[..5], *b"B\0\x01\0\0");
        assert_eq!(written(&|to| to.hex(0xab, 4)), b"X\x04\0\0\x0000ab");
    }
}
