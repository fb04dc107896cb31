//! Where a line grows.

use std::fmt;

use super::digits::Digits;
use crate::text;

/// Bytes of a line that are gathered; most lines fit.
const CAPACITY: usize = 384;
/// Ready-made pieces are copied this wide, whatever their length: that takes no call.
const COPY_WIDTH: usize = 32;

/// A line in the making: bytes, of which only whole pieces of text are made, so that they are UTF-8.
///
/// They are gathered in an array of a known size, which makes a short copy a few instructions long.
pub(super) struct Line<'a> {
    bytes: [u8; CAPACITY],
    /// How many of the bytes are written.
    at: usize,
    /// The object was opened and may have no member yet.
    is_first: bool,
    out: &'a mut Vec<u8>,
}

/// A piece that is written again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Fragment {
    text: Vec<u8>,
    wide: [u8; COPY_WIDTH],
}

impl From<Vec<u8>> for Fragment {
    fn from(text: Vec<u8>) -> Self {
        let mut wide = [b' '; COPY_WIDTH];
        wide.iter_mut().zip(&text).for_each(|(to, from)| *to = *from);
        Self { text, wide }
    }
}

impl Fragment {
    /// What `write` writes.
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

    /// Appends all to `out`; perhaps nothing is there before.
    #[inline]
    pub(super) fn finish(&mut self) {
        self.flush();
    }

    #[inline]
    fn flush(&mut self) {
        self.out.extend_from_slice(&self.bytes[..self.at]);
        self.at = 0;
    }

    /// All that was written, and what was there before, for those who need to see it.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        self.flush();
        self.out
    }

    /// How many bytes there are, with those that were there before.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.out.len() + self.at
    }

    /// The last byte.
    #[inline]
    pub(super) fn last(&self) -> Option<u8> {
        self.bytes[..self.at].last().or_else(|| self.out.last()).copied()
    }

    /// The next `length` bytes, if there are so many.
    #[inline(always)]
    fn spare(&mut self, length: usize) -> Option<&mut [u8]> {
        self.bytes.get_mut(self.at..)?.get_mut(..length)
    }

    // --- text that is fine as it is

    #[inline(always)]
    pub(super) fn fragment(&mut self, fragment: &Fragment) {
        let length = fragment.text.len();
        if length > COPY_WIDTH || !self.first_of(&fragment.wide, length) {
            self.push_long(&fragment.text);
        }
    }

    /// A few bytes of a known number.
    #[inline(always)]
    pub(super) fn array<const N: usize>(&mut self, bytes: &[u8; N]) {
        if !self.first_of(bytes, N) {
            self.push_long(bytes);
        }
    }

    /// The first `length` bytes. False if there is no room.
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

    /// Longer text, made by a line before.
    pub(super) fn raw_bytes(&mut self, text: &[u8]) {
        match self.spare(text.len()) {
            Some(room) => {
                room.copy_from_slice(text);
                self.at += text.len();
            }
            None => self.push_long(text),
        }
    }

    /// What `write` makes of as many bytes, and which of them count.
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

    /// A string of the first `count` digits.
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

    // --- text that may have to be escaped

    /// Without quotes.
    #[inline(always)]
    pub(super) fn escaped(&mut self, text: &str) {
        if !self.push_if_plain::<false>(text) {
            self.escape(text);
        }
    }

    /// A text that can stand as it is: [`is_plain`](text::is_plain). False if it takes a closer look, or there is no room;
    /// then nothing is written.
    #[inline(always)]
    pub(super) fn push_if_plain<const BRACKET: bool>(&mut self, text: &str) -> bool {
        let Some(room) = self.spare(text.len()) else { return false };
        let is_plain = copy_plain::<BRACKET>(room, text.as_bytes());
        self.at += if is_plain { text.len() } else { 0 };
        is_plain
    }

    /// The same with a byte behind it.
    #[inline(always)]
    pub(super) fn push_if_plain_then<const BRACKET: bool>(&mut self, text: &str, byte: u8) -> bool {
        let Some([room @ .., last]) = self.spare(text.len() + 1) else { return false };
        let is_plain = copy_plain::<BRACKET>(room, text.as_bytes());
        *last = byte;
        self.at += if is_plain { text.len() + 1 } else { 0 };
        is_plain
    }

    /// With quotes.
    #[inline(always)]
    pub(super) fn string(&mut self, text: &str) {
        if let Some([first, room @ .., last]) = self.spare(text.len() + 2)
            && copy_plain::<false>(room, text.as_bytes())
        {
            (*first, *last) = (b'"', b'"');
            self.at += text.len() + 2;
        } else {
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
                // All that `is_control` knows are in the first plane, so four digits do.
                _ => {
                    self.out.extend_from_slice(b"\\u");
                    self.out.extend_from_slice(&hex_digits(special.into())[4..]);
                }
            }
            from = at + special.len_utf8();
        }
        self.out.extend_from_slice(&text.as_bytes()[from..]);
    }

    /// What `write` appends, in lower case as far as it is ASCII.
    pub(super) fn lower_case(&mut self, write: impl FnOnce(&mut Self)) {
        self.flush();
        let start = self.out.len();
        write(self);
        self.flush();
        self.out[start..].make_ascii_lowercase();
    }

    // --- members

    /// `,"key":`, without the comma where the key is the first in its object.
    #[inline]
    pub(super) fn key(&mut self, name: &str) {
        self.comma();
        self.byte(b'"');
        self.escaped(name);
        self.raw_bytes(b"\":");
    }

    /// The same as a [piece](Fragment) with its comma.
    #[inline(always)]
    pub(super) fn key_fragment(&mut self, fragment: &Fragment) {
        if self.is_first {
            self.is_first = false;
            self.raw_bytes(&fragment.text[1..]);
        } else {
            self.fragment(fragment);
        }
    }

    /// A key with something appended.
    #[cold]
    pub(super) fn joined_key<'p>(&mut self, parts: impl IntoIterator<Item = &'p str>) {
        self.comma();
        self.byte(b'"');
        parts.into_iter().for_each(|part| self.escaped(part));
        self.raw_bytes(b"\":");
    }

    /// Before a member.
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

    /// Forgets what was written since the line was so long.
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

/// The inside of a string.
impl fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.escaped(text);
        Ok(())
    }
}

/// Between equally long slices.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        8..=16 => drop(copy_ends::<8>(to, from)),
        4..8 => drop(copy_ends::<4>(to, from)),
        _ => to.copy_from_slice(from),
    }
}

/// Copies and says whether all of it can stand as it is.
#[inline(always)]
fn copy_plain<const BRACKET: bool>(to: &mut [u8], from: &[u8]) -> bool {
    let found = match from.len() {
        8..=16 => copy_ends::<8>(to, from).map(|[first, last]| {
            text::suspicious::<BRACKET>(u64::from_le_bytes(first))
                | text::suspicious::<BRACKET>(u64::from_le_bytes(last))
        }),
        4..8 => copy_ends::<4>(to, from).map(|[first, last]| {
            let (first, last) = (u32::from_le_bytes(first), u32::from_le_bytes(last));
            text::suspicious::<BRACKET>(u64::from(first) | u64::from(last) << 32)
        }),
        _ => {
            to.copy_from_slice(from);
            return text::is_plain::<BRACKET>(from);
        }
    };
    found == Some(0)
}

/// Copies a short text as its two ends, which may overlap: no loop and no call.
#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) -> Option<[[u8; N]; 2]> {
    let (first, last) = (*from.first_chunk()?, *from.last_chunk()?);
    *to.first_chunk_mut()? = first;
    *to.last_chunk_mut()? = last;
    Some([first, last])
}

/// All eight lower-case digits of a number, each a byte of a word that is worked on as a whole.
#[inline]
pub(super) fn hex_digits(number: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut word = u64::from(number);
    word = (word | word << 16) & 0x0000_ffff_0000_ffff;
    word = (word | word << 8) & 0x00ff_00ff_00ff_00ff;
    word = (word | word << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Six more than ten overflows the digit's four bits: those are letters.
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
