//! The writer of a line.

use std::fmt;

use super::digits::Digits;
use crate::text;

/// Capacity of the stack buffer, in bytes; most lines fit.
const CAPACITY: usize = 512;
/// Short fragments are copied at this fixed width, whatever their length: that needs no call.
const COPY_WIDTH: usize = 32;

/// Writes a line. Every method appends whole characters, so that the bytes are UTF-8.
///
/// Bytes are collected in an array of constant size: a short copy then takes a few instructions.
pub(super) struct Line<'a> {
    bytes: [u8; CAPACITY],
    /// How many of the bytes are in use.
    at: usize,
    /// No member of the object has been written yet.
    is_first: bool,
    out: &'a mut Vec<u8>,
}

/// Text that is prepared once and copied into many lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Fragment {
    text: Vec<u8>,
    padded: [u8; COPY_WIDTH],
}

impl From<Vec<u8>> for Fragment {
    fn from(text: Vec<u8>) -> Self {
        let mut padded = [b' '; COPY_WIDTH];
        padded.iter_mut().zip(&text).for_each(|(to, from)| *to = *from);
        Self { text, padded }
    }
}

impl Fragment {
    /// The text that `write` writes.
    pub(super) fn of(is_first: bool, write: impl FnOnce(&mut Line<'_>)) -> Self {
        let mut text = Vec::new();
        let mut line = Line::new(&mut text, is_first);
        write(&mut line);
        line.finish();
        text.into()
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }
}

impl<'a> Line<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut Vec<u8>, is_first: bool) -> Self {
        Self { bytes: [0; CAPACITY], at: 0, is_first, out }
    }

    /// Moves all bytes to `out`.
    #[inline]
    pub(super) fn finish(&mut self) {
        self.flush();
    }

    #[inline]
    fn flush(&mut self) {
        self.out.extend_from_slice(&self.bytes[..self.at]);
        self.at = 0;
    }

    /// All bytes, with those that were there before the line.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        self.flush();
        self.out
    }

    /// The number of all bytes, with those before the line.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.out.len() + self.at
    }

    /// The last byte.
    #[inline]
    pub(super) fn last(&self) -> Option<u8> {
        self.bytes[..self.at].last().or_else(|| self.out.last()).copied()
    }

    /// The next `length` free bytes, if there are so many.
    #[inline(always)]
    fn spare(&mut self, length: usize) -> Option<&mut [u8]> {
        self.bytes.get_mut(self.at..)?.get_mut(..length)
    }

    // --- text that needs no escaping

    #[inline(always)]
    pub(super) fn fragment(&mut self, fragment: &Fragment) {
        let length = fragment.text.len();
        if length > COPY_WIDTH || !self.first_of(&fragment.padded, length) {
            self.raw_bytes(&fragment.text);
        }
    }

    /// A constant number of bytes.
    #[inline(always)]
    pub(super) fn array<const N: usize>(&mut self, bytes: &[u8; N]) {
        if !self.first_of(bytes, N) {
            self.push_long(bytes);
        }
    }

    /// Appends the first `length` bytes. False if there is no room.
    #[inline(always)]
    fn first_of<const N: usize>(&mut self, bytes: &[u8; N], length: usize) -> bool {
        let Some(room) = self.bytes.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut()) else { return false };
        *room = *bytes;
        self.at += length;
        true
    }

    #[inline(always)]
    pub(super) fn raw(&mut self, text: &str) {
        match self.spare(text.len()) {
            Some(room) => {
                copy(room, text.as_bytes());
                self.at += text.len();
            }
            None => self.push_long(text.as_bytes()),
        }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        if self.at == CAPACITY {
            self.flush();
        }
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    /// Longer text, rendered before.
    pub(super) fn raw_bytes(&mut self, text: &[u8]) {
        match self.spare(text.len()) {
            Some(room) => {
                room.copy_from_slice(text);
                self.at += text.len();
            }
            None => self.push_long(text),
        }
    }

    /// Lets `write` fill the next bytes and say which of them count.
    #[inline(always)]
    pub(super) fn digits(&mut self, write: impl FnOnce(&mut Digits) -> std::ops::Range<usize>) {
        if CAPACITY - self.at < size_of::<Digits>() {
            self.flush();
        }
        if let Some(room) = self.bytes.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut()) {
            let part = write(room);
            if part.start > 0 {
                room.copy_within(part.clone(), 0);
            }
            self.at += part.len();
        }
    }

    /// The first `count` digits, in quotes.
    pub(super) fn hex(&mut self, digits: &[[u8; 8]], count: usize) {
        self.byte(b'"');
        self.raw_bytes(&digits.as_flattened()[..count]);
        self.byte(b'"');
    }

    #[cold]
    #[inline(never)]
    fn push_long(&mut self, text: &[u8]) {
        self.flush();
        self.out.extend_from_slice(text);
    }

    // --- text that may need escaping

    /// Escaped text, without quotes.
    #[inline(always)]
    pub(super) fn escaped(&mut self, text: &str) {
        if !self.push_if_plain::<false>(text) {
            self.escape(text);
        }
    }

    /// Appends a text that is [not suspicious](text::suspicious), so needs no escaping. False if it is, or there is no room;
    /// then nothing is appended.
    #[inline(always)]
    pub(super) fn push_if_plain<const BRACKET: bool>(&mut self, text: &str) -> bool {
        self.push_if(text, text::suspicious::<BRACKET>)
    }

    /// Appends a text [in which `found` finds nothing](text::has_none). False if it does, or there is no room; then nothing is
    /// appended.
    #[inline(always)]
    pub(super) fn push_if(&mut self, text: &str, found: impl Fn(u64) -> u64) -> bool {
        let Some(room) = self.spare(text.len()) else { return false };
        let is_clean = copy_if(room, text.as_bytes(), found);
        self.at += if is_clean { text.len() } else { 0 };
        is_clean
    }

    /// The same as [`push_if_plain`](Self::push_if_plain), followed by a byte.
    #[inline(always)]
    pub(super) fn push_if_plain_then<const BRACKET: bool>(&mut self, text: &str, byte: u8) -> bool {
        let Some([room @ .., last]) = self.spare(text.len() + 1) else { return false };
        let is_plain = copy_if(room, text.as_bytes(), text::suspicious::<BRACKET>);
        *last = byte;
        self.at += if is_plain { text.len() + 1 } else { 0 };
        is_plain
    }

    /// The same in quotes.
    #[inline(always)]
    pub(super) fn quoted_if_plain(&mut self, text: &str) -> bool {
        let Some([first, room @ .., last]) = self.spare(text.len() + 2) else { return false };
        if !copy_if(room, text.as_bytes(), text::suspicious::<false>) {
            return false;
        }
        (*first, *last) = (b'"', b'"');
        self.at += text.len() + 2;
        true
    }

    /// Escaped text in quotes.
    #[inline(always)]
    pub(super) fn string(&mut self, text: &str) {
        if !self.quoted_if_plain(text) {
            self.byte(b'"');
            self.escape(text);
            self.byte(b'"');
        }
    }

    #[cold]
    #[inline(never)]
    fn escape(&mut self, text: &str) {
        self.flush();
        let mut from = 0;
        while let Some(at) = text::next_special(text, from, true) {
            self.out.extend_from_slice(&text.as_bytes()[from..at]);
            let Some(special) = text[at..].chars().next() else { break };
            match special {
                '"' => self.out.extend_from_slice(b"\\\""),
                '\\' => self.out.extend_from_slice(b"\\\\"),
                '\n' => self.out.extend_from_slice(b"\\n"),
                '\r' => self.out.extend_from_slice(b"\\r"),
                '\t' => self.out.extend_from_slice(b"\\t"),
                // All control characters are in the first plane, so four digits suffice.
                _ => {
                    self.out.extend_from_slice(b"\\u");
                    self.out.extend_from_slice(&hex_digits(special.into())[4..]);
                }
            }
            from = at + special.len_utf8();
        }
        self.out.extend_from_slice(&text.as_bytes()[from..]);
    }

    /// Appends what `write` writes, with ASCII letters in lower case.
    pub(super) fn lower_case(&mut self, write: impl FnOnce(&mut Self)) {
        self.flush();
        let start = self.out.len();
        write(self);
        self.flush();
        self.out[start..].make_ascii_lowercase();
    }

    // --- members

    /// `,"key":`, without the comma if the key is the first in its object.
    #[inline]
    pub(super) fn key(&mut self, name: &str) {
        self.comma();
        self.byte(b'"');
        self.escaped(name);
        self.raw_bytes(b"\":");
    }

    /// The same from a [`Fragment`] that begins with the comma.
    #[inline(always)]
    pub(super) fn key_fragment(&mut self, fragment: &Fragment) {
        if self.is_first {
            self.is_first = false;
            self.raw_bytes(&fragment.text[1..]);
        } else {
            self.fragment(fragment);
        }
    }

    /// A key that is made of parts.
    #[cold]
    pub(super) fn joined_key<'p>(&mut self, parts: impl IntoIterator<Item = &'p str>) {
        self.comma();
        self.byte(b'"');
        parts.into_iter().for_each(|part| self.escaped(part));
        self.raw_bytes(b"\":");
    }

    /// The comma before a member, unless it is the first.
    #[inline]
    pub(super) fn comma(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.byte(b',');
        }
    }

    #[inline]
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }

    /// `{`
    pub(super) fn open(&mut self) {
        self.byte(b'{');
        self.is_first = true;
    }

    /// `[`
    pub(super) fn open_list(&mut self) {
        self.byte(b'[');
        self.is_first = true;
    }

    /// `]`
    pub(super) fn close_list(&mut self) {
        self.byte(b']');
        self.is_first = false;
    }

    /// Removes what was written after the line was `length` bytes long.
    #[cold]
    pub(super) fn rewind(&mut self, length: usize, was_first: bool) {
        self.bytes().truncate(length);
        self.is_first = was_first;
    }

    /// `}`
    pub(super) fn close(&mut self) {
        self.byte(b'}');
        self.is_first = false;
    }
}

/// Escaped text, without quotes.
impl fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.escaped(text);
        Ok(())
    }
}

/// Copies between slices of equal length.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        8..=16 => drop(copy_ends::<8>(to, from)),
        4..8 => drop(copy_ends::<4>(to, from)),
        _ => to.copy_from_slice(from),
    }
}

/// Copies, and returns whether `found` found nothing.
#[inline(always)]
fn copy_if(to: &mut [u8], from: &[u8], found: impl Fn(u64) -> u64) -> bool {
    let all = match from.len() {
        8..=16 => copy_ends::<8>(to, from)
            .map(|[first, last]| found(u64::from_le_bytes(first)) | found(u64::from_le_bytes(last))),
        4..8 => copy_ends::<4>(to, from).map(|[first, last]| {
            let (first, last) = (u32::from_le_bytes(first), u32::from_le_bytes(last));
            found(u64::from(first) | u64::from(last) << 32)
        }),
        _ => {
            to.copy_from_slice(from);
            return text::has_none(from, found);
        }
    };
    all == Some(0)
}

/// Copies a short text as its two ends, which may overlap: without a loop or a call.
#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) -> Option<[[u8; N]; 2]> {
    let (first, last) = (*from.first_chunk()?, *from.last_chunk()?);
    *to.first_chunk_mut()? = first;
    *to.last_chunk_mut()? = last;
    Some([first, last])
}

/// All eight lower-case digits of a number, computed in one 64-bit word, a byte each.
#[inline]
pub(super) fn hex_digits(number: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut word = u64::from(number);
    word = (word | word << 16) & 0x0000_ffff_0000_ffff;
    word = (word | word << 8) & 0x00ff_00ff_00ff_00ff;
    word = (word | word << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Digits from ten on overflow four bits if six is added: those are letters.
    let letters = (word + ONES * 6) >> 4 & ONES;
    (word + ONES * u64::from(b'0') + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal() {
        for number in [0, 1, 0x89ab_cdef, 0xffff_ffff, 0x0012_3456, 0xa000_000a, 0x7890_9999] {
            assert_eq!(hex_digits(number), *format!("{number:08x}").as_bytes().first_chunk().unwrap());
        }
    }

    #[test]
    fn texts_and_pieces_of_all_lengths() {
        for length in (0..70).chain([1_000]) {
            for unit in ["x", "é", "\n", "\u{2028}"] {
                let text = unit.repeat(length);
                let mut out = b"old".to_vec();
                let mut line = Line::new(&mut out, false);
                line.raw(&text);
                line.fragment(&Fragment::from(text.clone().into_bytes()));
                line.key(&text);
                line.string(&text);
                let escaped = text.replace('\n', "\\n").replace('\u{2028}', "\\u2028");
                line.finish();
                let out = String::from_utf8(out).unwrap();
                assert_eq!(out, format!("old{text}{text},\"{escaped}\":\"{escaped}\""));
            }
        }
    }
}
