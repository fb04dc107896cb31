//! Puts the parts of a record on lines that fit a terminal.

use std::num::NonZeroU16;

use super::{
    color::{Paint, Style},
    quote::Bare,
};
use crate::format::line::Line;

/// Begins every line of a record but the first.
pub(super) const CONTINUED: &str = "\n    | ";
const CONTINUED_DIM: &str = "\n    \x1b[2m|\x1b[0m ";
/// What it takes of a line.
const INDENT: usize = 6;

/// On a narrower terminal, lines are left to the terminal.
const MIN_COLUMNS: u16 = 40;

/// Writes parts one after the other, and begins a line where the next one does not fit.
pub(super) struct Parts<'o, 'a> {
    pub(super) out: &'o mut Line<'a>,
    pub(super) paint: Paint,
    /// `None`: lines are as long as they are.
    columns: Option<usize>,
    column: usize,
    /// How far the lines are indented that the present one is broken into.
    hang: usize,
    /// Nothing stands before the next part on its line that it must be kept apart from.
    is_first: bool,
}

impl<'o, 'a> Parts<'o, 'a> {
    pub(super) fn new(out: &'o mut Line<'a>, paint: Paint, columns: Option<NonZeroU16>) -> Self {
        let columns = columns.map(NonZeroU16::get).filter(|columns| *columns >= MIN_COLUMNS).map(usize::from);
        Self { out, paint, columns, column: 0, hang: 0, is_first: true }
    }

    /// A part that brings its own space, and is never moved.
    #[inline]
    pub(super) fn head(&mut self, write: impl FnOnce(&mut Line<'_>)) {
        let start = self.out.len();
        write(self.out);
        if self.columns.is_some() {
            self.column += width(&self.out.bytes()[start..]);
        }
    }

    /// A part, `space` after what stands before it.
    #[inline]
    pub(super) fn part(&mut self, space: &str, write: impl FnOnce(&mut Line<'_>)) {
        let start = self.out.len();
        let space = if std::mem::take(&mut self.is_first) { "" } else { space };
        self.out.raw(space);
        write(self.out);
        if let Some(columns) = self.columns {
            self.fit(start, space.len(), columns, Style::NONE);
        }
    }

    /// Text, broken at spaces where it must be; a longer word is left to the terminal, so that it can be copied.
    pub(super) fn text(&mut self, text: &str, style: Style) {
        let (start, before) = (self.out.len(), self.column);
        self.is_first = false;
        self.out.raw(style.begin);
        Bare(self.out).push(text);
        if let Some(columns) = self.columns {
            let width = width(&self.out.bytes()[start..]);
            if before + width > columns {
                self.out.rewind(start + style.begin.len(), false);
                for (index, word) in text.split(' ').enumerate() {
                    let start = self.out.len();
                    self.out.raw(if index > 0 { " " } else { "" });
                    Bare(self.out).push(word);
                    self.fit(start, usize::from(index > 0), columns, style);
                }
            } else {
                self.column = before + width;
            }
        }
        self.out.raw(style.end);
    }

    pub(super) fn new_line(&mut self, hang: usize) {
        self.out.raw(self.mark());
        (self.column, self.hang, self.is_first) = (INDENT, hang, true);
    }

    fn mark(&self) -> &'static str {
        if self.paint.is_on() { CONTINUED_DIM } else { CONTINUED }
    }

    /// Moves what was written after `start`, a space and a part, to a line of its own if the line is too long with it.
    fn fit(&mut self, start: usize, space: usize, columns: usize, style: Style) {
        let mark = [style.end, self.mark(), &"    "[..self.hang], style.begin];
        let bytes = self.out.bytes();
        let width = width(&bytes[start..]);
        if self.column + width <= columns || self.column <= INDENT + self.hang {
            self.column += width;
            return;
        }
        bytes.drain(start..start + space);
        mark.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
        bytes[start..].rotate_right(mark.iter().map(|part| part.len()).sum());
        self.column = INDENT + self.hang + width - space;
    }
}

/// How many columns the text takes, without this format's own colours: about, as terminals do not agree.
pub(super) fn width(bytes: &[u8]) -> usize {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let mut width = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        width += match c {
            '\x1b' => {
                chars.by_ref().find(|c| *c == 'm');
                0
            }
            ' '..='~' => 1,
            // Combining marks, variation selectors, joiners.
            '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' => 0,
            // East Asian wide characters and pictures.
            '\u{1100}'..='\u{115f}'
            | '\u{2e80}'..='\u{a4cf}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}'
            | '\u{fe30}'..='\u{fe6f}'
            | '\u{ff00}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}'
            | '\u{1f300}'..='\u{1faff}'
            | '\u{20000}'..='\u{3fffd}' => 2,
            _ => 1,
        };
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
        for (text, columns) in
            [("", 0), ("abc", 3), ("größe", 5), ("中文", 4), ("e\u{301}", 1), ("🦀", 2), ("\x1b[1;31mE\x1b[0m", 1)]
        {
            assert_eq!(width(text.as_bytes()), columns, "{text}");
        }
    }

    #[test]
    fn a_part_that_does_not_fit_begins_a_line() {
        let written = |columns, paint| {
            let mut out = b"before".to_vec();
            let mut line = Line::new(&mut out, false);
            let mut parts = Parts::new(&mut line, paint, NonZeroU16::new(columns));
            parts.head(|out| out.raw("INFO "));
            parts.text(&"word ".repeat(7), Style::NONE);
            parts.part("  ", |out| out.raw("first=1"));
            parts.part(" ", |out| out.raw(&"x".repeat(60)));
            parts.part(" ", |out| out.raw("last=2"));
            line.finish();
            String::from_utf8(out).unwrap()
        };
        let words = "word word word word word word word ";
        let long = "x".repeat(60);
        assert_eq!(
            written(40, Paint::default()),
            format!("beforeINFO {words}\n    | first=1\n    | {long}\n    | last=2")
        );
        for unwrapped in [0, 20, 39, 200, u16::MAX] {
            assert_eq!(written(unwrapped, Paint::default()), format!("beforeINFO {words}  first=1 {long} last=2"));
        }
    }
}
