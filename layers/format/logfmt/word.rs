//! Words, and texts in quotes.

use crate::{format::line::Line, text::is_control};

/// The same as [`word`]. Most messages have a space in their first bytes, and need quotes.
#[inline]
pub(super) fn message(line: &mut Line<'_>, text: &str) {
    let is_quoted = text.as_bytes().first_chunk().is_some_and(|first| unusual(u64::from_le_bytes(*first)) != 0);
    if !is_quoted || !line.quoted_if_plain(text) {
        word(line, text);
    }
}

/// A text: bare if it is a word, else in quotes.
#[inline]
pub(super) fn word(line: &mut Line<'_>, text: &str) {
    // Most texts are copied and checked at once; what is in quotes, twice.
    if text.is_empty() || !line.push_if(text, unusual) && !line.quoted_if_plain(text) {
        other_word(line, text);
    }
}

/// The same for texts with characters that are not ASCII or need an escape, empty ones, and long ones.
#[inline(never)]
fn other_word(line: &mut Line<'_>, text: &str) {
    if is_word(text) { line.raw(text) } else { line.string(text) }
}

pub(super) fn is_word(text: &str) -> bool {
    let bare = |c: char| if c.is_ascii() { BARE[c as usize] } else { is_plain(c) };
    !text.is_empty() && text.chars().all(bare)
}

/// Bytes of words.
pub(super) const BARE: [bool; 128] = {
    let mut table = [false; 128];
    let mut byte = b'!';
    while byte <= b'~' {
        table[byte as usize] = !matches!(byte, b'"' | b'\'' | b'\\' | b'=');
        byte += 1;
    }
    table
};

/// Whether one of eight bytes cannot be in a word. Nonzero if so; which byte it is, the result does not tell.
#[inline(always)]
fn unusual(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let space_or_less = word.wrapping_sub(ONES * 0x21);
    let quote = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
    let apostrophe = (word ^ (ONES * u64::from(b'\''))).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    let equals = (word ^ (ONES * u64::from(b'='))).wrapping_sub(ONES);
    // A borrow or carry into a neighbour can only come from a byte that is unusual itself.
    (space_or_less | quote | apostrophe | backslash | equals | word.wrapping_add(ONES) | word) & (ONES * 0x80)
}

/// Whether a character that is not ASCII needs no quotes. Readers take U+FFFD for broken UTF-8.
pub(super) fn is_plain(c: char) -> bool {
    !is_control(c) && !c.is_whitespace() && c != char::REPLACEMENT_CHARACTER
}
