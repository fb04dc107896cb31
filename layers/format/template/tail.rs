//! Changes to the text that a field has just written: filled up, cut, quoted.

use std::cell::Cell;

use crate::{format::buffer::KEEP_BYTES, text::push_python_repr};

/// Takes the text behind `from` out, for `replace` to write something else there.
pub(super) fn replace_tail(out: &mut String, from: usize, replace: impl FnOnce(&str, &mut String)) {
    thread_local! {
        static TAIL: Cell<String> = const { Cell::new(String::new()) };
    }
    // While the thread ends, there is no buffer.
    let mut tail = TAIL.try_with(Cell::take).unwrap_or_default();
    tail.clear();
    tail.push_str(&out[from..]);
    out.truncate(from);
    replace(&tail, out);
    tail.clear();
    tail.shrink_to(KEEP_BYTES);
    TAIL.try_with(|kept| kept.set(tail)).unwrap_or_default();
}

/// Pads the text behind `from` to a width, in characters.
pub(super) fn pad(out: &mut String, from: usize, width: usize, fill: char, align: Align) {
    let width = width.min(MAX_WIDTH);
    let written = out[from..].chars().count();
    let Some(missing) = width.checked_sub(written).filter(|missing| *missing > 0) else { return };
    let (before, after) = match align {
        Align::Left => (0, missing),
        Align::Right => (missing, 0),
        Align::Center => (missing / 2, missing - missing / 2),
    };
    insert_fill(out, from, fill, before);
    out.extend(std::iter::repeat_n(fill, after));
}

pub(super) fn insert_fill(out: &mut String, at: usize, fill: char, count: usize) {
    let mut bytes = [0; 4];
    let fill = fill.encode_utf8(&mut bytes);
    // One by one from a small block: nothing is allocated beyond the text itself.
    for _ in 0..count {
        out.insert_str(at, fill);
    }
}

/// Where the text is within its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    Center,
}

/// The widest field, and the most digits, in characters: a mistaken format must not eat the memory.
pub(super) const MAX_WIDTH: usize = 4_096;

/// Keeps so many characters behind `from`.
pub(super) fn truncate_chars(out: &mut String, from: usize, characters: usize) {
    if let Some((at, _)) = out[from..].char_indices().nth(characters) {
        out.truncate(from + at);
    }
}

/// Replaces the text behind `from` by its `repr()` or `ascii()`.
pub(super) fn quote(out: &mut String, from: usize, ascii: bool) {
    replace_tail(out, from, |text, out| push_python_repr(text, ascii, out));
}
