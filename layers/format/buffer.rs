//! Where a format writes.

use std::{cell::Cell, fmt, mem, num::NonZeroU16, str::Utf8Error};

/// The bytes of one record: what a [`Format`](super::Format) writes to. The thread reuses it.
///
/// `write!(out, …)` works without an import. Text formats never write anything but UTF-8; a format for outputs of bytes may
/// ([`Pickle`](super::Pickle) does).
///
/// ```
/// use tracing_strata::format::Buffer;
///
/// let mut out = Buffer::new();
/// out.push_str("answer=");
/// write!(out, "{}", 42)?;
/// assert_eq!(out, "answer=42");
/// # Ok::<(), std::fmt::Error>(())
/// ```
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    is_terminal: bool,
    columns: Option<NonZeroU16>,
}

impl Buffer {
    /// An empty buffer, which is not for a terminal.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), is_terminal: false, columns: None }
    }

    /// Says whether the bytes go to a terminal (default: no). Outputs do this; a test of a format can.
    #[inline]
    pub fn set_terminal(&mut self, is_terminal: bool) {
        self.is_terminal = is_terminal;
    }

    /// Whether the bytes go to a terminal: formats colour by this.
    #[inline]
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Says how wide the terminal is (default: `None`, unknown). Outputs do this; a test of a format can.
    #[inline]
    pub fn set_columns(&mut self, columns: Option<NonZeroU16>) {
        self.columns = columns;
    }

    /// How many characters a line of the terminal has, if it is known.
    #[inline]
    pub fn columns(&self) -> Option<NonZeroU16> {
        self.columns
    }

    /// Appends text.
    #[inline]
    pub fn push_str(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Appends a character.
    #[inline]
    pub fn push(&mut self, character: char) {
        self.push_str(character.encode_utf8(&mut [0; 4]));
    }

    /// Appends bytes.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends formatted text; `write!` calls this. It never fails by itself: an error comes from a `Display` or `Debug`
    /// implementation.
    #[inline]
    pub fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> fmt::Result {
        fmt::Write::write_fmt(self, arguments)
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text.
    ///
    /// # Errors
    /// The bytes are not UTF-8.
    pub fn to_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(&self.bytes)
    }

    /// The bytes, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many bytes there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Keeps the first `length` bytes.
    #[inline]
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Removes all bytes and keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// For the next record: empty, for no terminal, with at most `capacity` bytes of memory.
    #[inline]
    pub(crate) fn reset(&mut self, capacity: usize) {
        (self.is_terminal, self.columns) = (false, None);
        self.bytes.clear();
        if self.bytes.capacity() > capacity {
            self.bytes.shrink_to(capacity);
        }
    }

    /// Appends a JSON string.
    #[cfg(feature = "http")]
    pub(crate) fn push_json(&mut self, text: &str) {
        let mut line = super::line::Line::new(&mut self.bytes, true);
        line.string(text);
        line.finish();
    }

    /// Whatever is in the record that begins here, it cannot become two lines.
    #[cfg(feature = "http")]
    pub(crate) fn flatten(&mut self, start: usize) {
        self.bytes[start..].iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    }

    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends what `write` appends to an empty string. An empty buffer lends its own memory; else it costs a copy, because
    /// what is there may not be UTF-8.
    #[inline]
    pub(crate) fn append_text<R>(&mut self, write: impl FnOnce(&mut String) -> R) -> R {
        if !self.bytes.is_empty() {
            return with_scratch(|scratch| {
                let mut text = String::from_utf8(mem::take(scratch)).unwrap_or_default();
                let result = write(&mut text);
                self.push_str(&text);
                *scratch = text.into_bytes();
                result
            });
        }
        let mut text = String::from_utf8(mem::take(&mut self.bytes)).unwrap_or_default();
        let result = write(&mut text);
        self.bytes = text.into_bytes();
        result
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::new() }
    }
}

impl fmt::Write for Buffer {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

/// The text, with U+FFFD for what is not UTF-8.
impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.bytes))
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.bytes), f)
    }
}

impl PartialEq<str> for Buffer {
    fn eq(&self, text: &str) -> bool {
        self.bytes == text.as_bytes()
    }
}

impl PartialEq<&str> for Buffer {
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

impl PartialEq<String> for Buffer {
    fn eq(&self, text: &String) -> bool {
        *self == **text
    }
}

/// Memory above this is freed after use, in bytes: one huge record must not stay for ever.
pub(super) const KEEP_BYTES: usize = 64 * 1024;

/// An empty buffer that the thread reuses.
fn with_scratch<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // Taken out while in use: a format may use another one. While the thread ends, there is none.
    let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
    let result = work(&mut scratch);
    scratch.clear();
    scratch.shrink_to(KEEP_BYTES);
    SCRATCH.try_with(|cell| cell.set(scratch)).unwrap_or_default();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_appended_whatever_is_there() {
        let mut out = Buffer::new();
        out.append_text(|text| {
            assert!(text.is_empty());
            text.push_str("one");
        });
        let address = out.as_bytes().as_ptr();
        out.clear();
        out.append_text(|text| {
            assert_eq!(text.as_ptr(), address, "the buffer's own memory");
            text.push_str("two");
        });
        assert_eq!(out, "two");
        out.extend_from_slice(b"\xff");
        out.append_text(|text| {
            assert!(text.is_empty());
            text.push_str("three");
        });
        assert_eq!(out.as_bytes(), b"two\xffthree");
        assert!(out.to_str().is_err());
        assert_eq!(out.to_string(), "two\u{fffd}three");
    }
}
