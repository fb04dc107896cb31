//! Where a line grows: a small array that short pieces are copied into without a call, checked for UTF-8 as a whole
//! when it is full, because `unsafe` is not to be had for promising it.

use crate::{format::time::Digits, text};

/// Bytes in the array; most lines fit.
const ROOM: usize = 384;
/// Ready-made pieces are copied this wide, whatever their length.
const WIDE: usize = 32;
/// The check for UTF-8 takes steps of this width through ASCII.
const STEP: usize = 16;

#[repr(align(16))]
struct Bytes([u8; ROOM + STEP]);

pub(super) struct Line<'a> {
    bytes: Bytes,
    /// How many of the bytes are written.
    at: usize,
    /// An object was opened and has no member yet.
    is_first: bool,
    out: &'a mut String,
}

/// A piece that is written again and again.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    text: String,
    wide: [u8; WIDE],
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        let mut wide = [b' '; WIDE];
        wide.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Self { text, wide }
    }
}

impl Piece {
    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl<'a> Line<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut String, is_first: bool) -> Self {
        Self { bytes: Bytes([b' '; ROOM + STEP]), at: 0, is_first, out }
    }

    /// Brings all to the text. Before this, perhaps nothing is there.
    #[inline]
    pub(super) fn finish(mut self) {
        self.flush();
    }

    fn flush(&mut self) {
        let end = std::mem::take(&mut self.at);
        let Some(filler) = self.bytes.0.get_mut(end..end + STEP) else { return };
        filler.fill(b' ');
        let whole = &self.bytes.0[..end.next_multiple_of(STEP)];
        match std::str::from_utf8(whole) {
            Ok(text) => self.out.push_str(&text[..end]),
            // Only pieces of text are written here, so this is never taken; if it is, the line is still a line.
            Err(_) => self.out.push_str(&String::from_utf8_lossy(&whole[..end])),
        }
    }

    /// Room for `len` bytes, which count as written.
    #[inline(always)]
    fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        let start = self.at;
        // Without a branch for an overflow: no text is half of the address space.
        let end = start.wrapping_add(len);
        if end > ROOM {
            return None;
        }
        self.at = end;
        self.bytes.0.get_mut(start..end)
    }

    // --- text that is fine as it is

    #[inline]
    pub(super) fn piece(&mut self, piece: &Piece) {
        if piece.text.len() <= WIDE
            && let Some(room) = self.bytes.0.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut::<WIDE>())
            && self.at + WIDE <= ROOM
        {
            *room = piece.wide;
            self.at += piece.text.len();
        } else {
            self.long(&piece.text);
        }
    }

    /// ASCII or not, without anything to escape.
    #[inline]
    pub(super) fn raw(&mut self, text: &str) {
        match self.room(text.len()) {
            Some(room) => copy(room, text.as_bytes()),
            None => self.long(text),
        }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        debug_assert!(byte.is_ascii());
        if self.at == ROOM {
            self.flush();
        }
        self.bytes.0[self.at] = byte;
        self.at += 1;
    }

    /// A part of ASCII digits and the like.
    #[inline]
    pub(super) fn digits(&mut self, digits: &Digits, part: std::ops::Range<usize>) {
        if part.start == 0
            && self.at + digits.len() <= ROOM
            && let Some(room) = self.bytes.0.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut())
        {
            *room = *digits;
            self.at += part.end;
        } else if let Ok(text) = std::str::from_utf8(&digits[part]) {
            self.raw(text);
        }
    }

    /// A string of the first `count` digits.
    pub(super) fn hex(&mut self, digits: &[[u8; 8]], count: usize) {
        self.byte(b'"');
        if let Ok(text) = std::str::from_utf8(&digits.as_flattened()[..count]) {
            self.raw(text);
        }
        self.byte(b'"');
    }

    #[cold]
    #[inline(never)]
    fn long(&mut self, text: &str) {
        self.flush();
        self.out.push_str(text);
    }

    // --- text that may have to be escaped

    /// Without quotes.
    #[inline]
    pub(super) fn escaped(&mut self, text: &str) {
        let start = self.at;
        if let Some(room) = self.room(text.len())
            && copy_plain(room, text.as_bytes())
        {
            return;
        }
        self.at = start;
        self.long_escaped(text);
    }

    #[cold]
    #[inline(never)]
    fn long_escaped(&mut self, text: &str) {
        self.flush();
        escape(self.out, text);
    }

    /// What `write` appends, without quotes.
    pub(super) fn escaped_from(&mut self, write: impl FnOnce(&mut String)) {
        self.flush();
        let start = self.out.len();
        write(self.out);
        if !text::is_plain(&self.out.as_bytes()[start..]) {
            let raw = self.out.split_off(start);
            escape(self.out, &raw);
        }
    }

    /// What `write` appends, in lower case as far as it is ASCII.
    pub(super) fn lower_case_from(&mut self, write: impl FnOnce(&mut Self)) {
        self.flush();
        let start = self.out.len();
        write(self);
        self.flush();
        self.out[start..].make_ascii_lowercase();
    }

    /// With quotes.
    #[inline(always)]
    pub(super) fn string(&mut self, text: &str) {
        let start = self.at;
        if let Some([first, room @ .., last]) = self.room(text.len() + 2)
            && copy_plain(room, text.as_bytes())
        {
            (*first, *last) = (b'"', b'"');
            return;
        }
        self.at = start;
        self.byte(b'"');
        self.long_escaped(text);
        self.byte(b'"');
    }

    /// `,"key":`, without the comma where the key is the first in its object.
    #[inline]
    pub(super) fn key(&mut self, name: &str) {
        let start = self.at;
        if !self.is_first
            && let Some([comma, quote, room @ .., last, colon]) = self.room(name.len() + 4)
            && copy_plain(room, name.as_bytes())
        {
            (*comma, *quote, *last, *colon) = (b',', b'"', b'"', b':');
            return;
        }
        self.at = start;
        self.rare_key([name]);
    }

    /// A key in parts.
    #[cold]
    #[inline(never)]
    pub(super) fn rare_key<'p>(&mut self, parts: impl IntoIterator<Item = &'p str>) {
        self.comma();
        self.byte(b'"');
        parts.into_iter().for_each(|part| self.escaped(part));
        self.raw("\":");
    }

    /// Before a member.
    #[inline]
    pub(super) fn comma(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.byte(b',');
        }
    }

    /// `{`
    pub(super) fn open(&mut self) {
        self.byte(b'{');
        self.is_first = true;
    }

    /// `}`
    pub(super) fn close(&mut self) {
        self.byte(b'}');
        self.is_first = false;
    }

    #[inline]
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }
}

/// Between equally long slices.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        8..=16 => drop(copy_ends::<8>(to, from)),
        4..8 => drop(copy_ends::<4>(to, from)),
        2..4 => drop(copy_ends::<2>(to, from)),
        _ => to.copy_from_slice(from),
    }
}

/// Copies and says whether all of it can stand as it is.
#[inline(always)]
fn copy_plain(to: &mut [u8], from: &[u8]) -> bool {
    let found = match from.len() {
        8..=16 => copy_ends::<8>(to, from).map(|[first, last]| {
            text::suspicious(u64::from_le_bytes(first)) | text::suspicious(u64::from_le_bytes(last))
        }),
        4..8 => copy_ends::<4>(to, from)
            .map(|[first, last]| text::suspicious(both(u32::from_le_bytes(first), u32::from_le_bytes(last)))),
        2..4 => copy_ends::<2>(to, from).map(|[first, last]| {
            let word = both(u16::from_le_bytes(first), u16::from_le_bytes(last));
            text::suspicious(word | word << 16)
        }),
        _ => {
            to.copy_from_slice(from);
            return text::is_plain(from);
        }
    };
    found == Some(0)
}

/// One word of two halves.
#[inline(always)]
fn both<H: Into<u64>>(low: H, high: H) -> u64 {
    low.into() | high.into() << 32
}

/// Copies a short text as its two ends, which may overlap: no loop and no call.
#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) -> Option<[[u8; N]; 2]> {
    let (first, last) = (*from.first_chunk()?, *from.last_chunk()?);
    *to.first_chunk_mut()? = first;
    *to.last_chunk_mut()? = last;
    Some([first, last])
}

pub(super) fn escape(out: &mut String, text: &str) {
    let mut from = 0;
    while let Some(at) = text::next_special(text, from, true) {
        out.push_str(&text[from..at]);
        let Some(special) = text[at..].chars().next() else { break };
        match special {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // All that `is_control` knows are in the first plane, so four digits do.
            _ => {
                out.push_str("\\u");
                let code = u32::from(special);
                [12, 8, 4, 0].iter().for_each(|shift| out.push(char::from(digit((code >> shift) as u8 & 15))));
            }
        }
        from = at + special.len_utf8();
    }
    out.push_str(&text[from..]);
}

/// A hexadecimal digit, lower case.
#[inline]
pub(super) fn digit(number: u8) -> u8 {
    if number < 10 { b'0' + number } else { b'a' - 10 + number }
}

/// All eight digits of a number, each a byte of a word that is worked on as a whole.
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
        assert_eq!((0..16).map(|number| char::from(digit(number))).collect::<String>(), "0123456789abcdef");
    }

    /// Pieces of all lengths on all places of the array, and beyond it.
    #[test]
    fn nothing_is_lost_where_the_array_ends() {
        for before in (0..40).chain(ROOM - 70..ROOM + 20) {
            for length in (0..40).chain([ROOM - 1, ROOM, 2 * ROOM]) {
                for unit in ["x", "é", "\n"] {
                    let (filler, text) = ("f".repeat(before), unit.repeat(length));
                    let mut out = String::from("old");
                    let mut line = Line::new(&mut out, false);
                    line.raw(&filler);
                    line.piece(&Piece::from("<".repeat(length % 50)));
                    line.key(&text);
                    line.string(&text);
                    line.byte(b'.');
                    line.finish();
                    let text = text.replace('\n', "\\n");
                    assert_eq!(out, format!("old{filler}{},\"{text}\":\"{text}\".", "<".repeat(length % 50)));
                }
            }
        }
    }
}
