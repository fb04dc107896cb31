//! Quotes names, values and messages, so that readers can tell them apart.

use std::fmt;

use crate::{
    format::line::Line,
    text::{has_any, is_control, next_special},
};

/// A name or value: bare if it is a word without the characters of `except`, else in quotes.
pub(super) fn word(out: &mut Line<'_>, text: &str, except: &str) {
    if is_word(text) && (except.is_empty() || !text.contains(|c| except.contains(c))) {
        out.raw(text);
    } else {
        quoted(out, [text]);
    }
}

const IN_WORDS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        table[byte as usize] = !matches!(byte, b'"' | b'\\' | b'=' | b'{' | b'}');
        byte += 1;
    }
    table
};

#[inline]
pub(super) fn is_word(text: &str) -> bool {
    let ascii = |byte: u8| IN_WORDS[usize::from(byte)];
    if text.bytes().all(ascii) {
        return !text.is_empty();
    }
    text.chars().all(|c| if c.is_ascii() { ascii(c as u8) } else { !is_control(c) && !c.is_whitespace() })
}

/// Text that `Debug` or `Display` printed: like a word, but quoted text is not quoted again.
pub(super) fn rendered(out: &mut Line<'_>, text: &str) {
    if is_quoted(text) {
        // It may still have control characters; their escapes are the same inside and outside of quotes.
        let mut from = 0;
        while let Some(at) = next_special(text, from, false) {
            out.raw(&text[from..at]);
            let end = at + text[at..].chars().next().map_or(0, char::len_utf8);
            escaped(out, &text[at..end], true);
            from = end;
        }
        out.raw(&text[from..]);
    } else {
        word(out, text, "");
    }
}

/// Whether the text as a whole is quoted: a quote at each end, and between them none without a backslash before it.
fn is_quoted(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return false };
    let mut is_escaped = false;
    for byte in inner.bytes() {
        match byte {
            b'"' if !is_escaped => return false,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    !is_escaped
}

/// Several texts in one pair of quotes.
pub(super) fn quoted<'t>(out: &mut Line<'_>, texts: impl IntoIterator<Item = &'t str>) {
    out.byte(b'"');
    texts.into_iter().for_each(|text| escaped(out, text, true));
    out.byte(b'"');
}

/// Whether a message needs no quotes: it cannot be taken for what follows it, which has a `=`, or a `{` after a name. Nor does
/// a quote in it begin a name that ends behind it.
pub(super) fn is_bare_message(text: &str) -> bool {
    if has_any(text.as_bytes(), [b'=', b'{', b'"']) {
        let (mut before, mut is_open) = (b' ', false);
        for byte in text.bytes() {
            if byte == b'=' || (byte == b'{' && before != b' ') {
                return false;
            }
            is_open ^= byte == b'"';
            before = byte;
        }
        if is_open {
            return false;
        }
    }
    !text.starts_with(|c: char| c == '"' || c.is_whitespace()) && !text.ends_with(char::is_whitespace)
}

/// Writes escaped text without quotes.
pub(super) struct Bare<'l, 'a>(pub(super) &'l mut Line<'a>);

impl Bare<'_, '_> {
    pub(super) fn push(self, text: &str) {
        escaped(self.0, text, false);
    }
}

impl fmt::Write for Bare<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escaped(self.0, text, false);
        Ok(())
    }
}

#[inline]
fn escaped(out: &mut Line<'_>, text: &str, quotes: bool) {
    if !out.push_if_plain::<false>(text) {
        escape(out, text, quotes);
    }
}

#[inline(never)]
fn escape(out: &mut Line<'_>, text: &str, quotes: bool) {
    let mut from = 0;
    while let Some(at) = next_special(text, from, true) {
        out.raw(&text[from..at]);
        let Some(special) = text[at..].chars().next() else { break };
        match special {
            '"' if !quotes => out.byte(b'"'),
            '"' => out.raw("\\\""),
            '\\' => out.raw("\\\\"),
            '\n' => out.raw("\\n"),
            '\r' => out.raw("\\r"),
            '\t' => out.raw("\\t"),
            _ => special.escape_unicode().for_each(|c| out.byte(c as u8)),
        }
        from = at + special.len_utf8();
    }
    out.raw(&text[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::line::Fragment;

    fn written(write: impl FnOnce(&mut Line<'_>)) -> String {
        String::from_utf8(Fragment::of(false, write).text().to_vec()).unwrap()
    }

    #[test]
    fn words_and_others() {
        for (text, shown) in [
            ("users", "users"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("größe", "größe"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("{}", "\"{}\""),
            ("say \"no\"", "\"say \\\"no\\\"\""),
            ("C:\\dir", "\"C:\\\\dir\""),
            ("\x1b[31m", "\"\\u{1b}[31m\""),
            ("\u{a0}", "\"\u{a0}\""),
            ("a\u{2028}b", "\"a\\u{2028}b\""),
        ] {
            assert_eq!(written(|line| word(line, text, "")), shown);
        }
    }

    #[test]
    fn what_debug_quoted_is_not_quoted_again() {
        for (text, shown) in [
            (r#""""#, r#""""#),
            (r#""a b""#, r#""a b""#),
            (r#""a\"b""#, r#""a\"b""#),
            (r#""a\\""#, r#""a\\""#),
            ("\"a\nb\"", r#""a\nb""#),
            ("\"", r#""\"""#),
            (r#""a"b""#, r#""\"a\"b\"""#),
            (r#""a\""#, r#""\"a\\\"""#),
            (r#""a" b="c""#, r#""\"a\" b=\"c\"""#),
            ("Some(5)", "Some(5)"),
        ] {
            assert_eq!(written(|line| rendered(line, text)), shown);
        }
    }

    #[test]
    fn messages_that_could_be_more() {
        for bare in ["", "paid", "set {1, 2}", "he said \"no\"", "a: b", "Config { port: 80 }"] {
            assert!(is_bare_message(bare), "{bare}");
        }
        for quoted in ["a=b", "Config{port", "\"x", "a \"x", " x", "x ", "x\u{3000}"] {
            assert!(!is_bare_message(quoted), "{quoted}");
        }
    }
}
