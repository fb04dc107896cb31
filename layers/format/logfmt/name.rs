//! Names as keys.

use super::word::{BARE, is_plain};
use crate::{
    format::line::{Line, hex_digits},
    record::unescaped,
};

/// The format's keys. Sorted.
pub(super) const RESERVED: &[&str] = &[
    "event_name",
    "file",
    "level",
    "line",
    "msg",
    "span_id",
    "target",
    "thread_id",
    "thread_name",
    "time",
    "trace_flags",
    "trace_id",
];

/// ` name=`
pub(super) fn key(name: &str, line: &mut Line<'_>) {
    line.byte(b' ');
    push_name(name, line);
    line.byte(b'=');
}

fn push_name(name: &str, line: &mut Line<'_>) {
    if name.is_empty() {
        line.byte(b'%');
    }
    encode(name.chars(), |byte| byte == b'%', line);
    if is_reserved(name) {
        line.byte(b'_');
    }
}

pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.binary_search(&name.trim_end_matches('_')).is_ok()
}

/// Percent-encodes what a key cannot have, and special bytes.
fn encode(name: impl Iterator<Item = char>, is_special: impl Fn(u8) -> bool, line: &mut Line<'_>) {
    let mut utf8 = [0; 4];
    for c in name {
        let text = c.encode_utf8(&mut utf8);
        let stands = match c {
            '\\' => true,
            c if c.is_ascii() => BARE[c as usize] && !is_special(c as u8),
            c => is_plain(c),
        };
        if stands {
            line.raw(text);
            continue;
        }
        for byte in text.bytes() {
            let [.., high, low] = hex_digits(byte.into());
            line.byte(b'%');
            line.byte(high.to_ascii_uppercase());
            line.byte(low.to_ascii_uppercase());
        }
    }
}

/// The path of a value in lists and maps.
pub(super) struct Path<'p> {
    pub(super) outer: Option<&'p Path<'p>>,
    /// A field's name; inside it, with the escapes of JSON.
    pub(super) part: &'p str,
}

impl Path<'_> {
    pub(super) fn write(&self, line: &mut Line<'_>) {
        match self.outer {
            None => push_name(self.part, line),
            Some(outer) => {
                outer.write(line);
                line.byte(b'.');
                encode(unescaped(self.part), |byte| matches!(byte, b'%' | b'.'), line);
            }
        }
    }
}
