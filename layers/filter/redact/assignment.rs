//! Secret names within texts: `password=…`, `"token": "…"`, `Authorization: …`.

use super::keys::Keys;

/// The longest name that is looked at.
const MAX_NAME: usize = 64;

/// Calls `found` with the place of each value behind a name of `keys`. Reads each byte a bounded number of times.
pub(super) fn assignments(text: &str, keys: &Keys, found: &mut impl FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for mark in memchr::memchr2_iter(b'=', b':', bytes) {
        // A path, or inside of what was found.
        if mark < done || bytes.get(mark + 1) == Some(&b':') || (mark > 0 && bytes[mark - 1] == b':') {
            continue;
        }
        let Some(name) = name_before(text, mark) else { continue };
        if !keys.contain(name.rsplit('.')) {
            continue;
        }
        let start = value_start(bytes, mark + 1);
        let is_header = bytes[mark] == b':' && is_header(name);
        let (start, end) = value(bytes, start, is_header);
        if start < end && !(bytes[mark] == b':' && is_prose(name, &bytes[start..end])) {
            found(start, end);
            done = end;
        }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte >= 0x80
}

/// `name`, `"name"` or `\"name\"`, perhaps with spaces behind it.
fn name_before(text: &str, mark: usize) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut end = mark;
    let limit = mark.saturating_sub(8);
    while end > limit && matches!(bytes[end - 1], b' ' | b'"' | b'\'' | b'\\' | b']') {
        end -= 1;
    }
    let mut start = end;
    let limit = end.saturating_sub(MAX_NAME);
    while start > limit && is_name(bytes[start - 1]) {
        start -= 1;
    }
    text.get(start..end).filter(|name| !name.is_empty())
}

/// `cannot parse the token: unexpected end`. Passwords, secrets and keys may be such words, too.
fn is_prose(name: &str, value: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let may_be_word = ["pass", "pwd", "secret", "key"].iter().any(|part| name.contains(part));
    !may_be_word && value.iter().all(u8::is_ascii_lowercase)
}

/// Headers whose values have parts.
fn is_header(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie", "set-cookie"]
        .iter()
        .any(|header| name.eq_ignore_ascii_case(header))
}

fn value_start(bytes: &[u8], mut at: usize) -> usize {
    // `=>`, `==`.
    while at < bytes.len() && matches!(bytes[at], b' ' | b'\t' | b'=' | b'>') {
        at += 1;
    }
    at
}

/// Without its quotes, if it has some.
fn value(bytes: &[u8], start: usize, is_header: bool) -> (usize, usize) {
    let backslashes = bytes[start..].iter().take_while(|byte| **byte == b'\\').count();
    let open = start + backslashes;
    if let Some(quote @ (b'"' | b'\'')) = bytes.get(open) {
        return (open + 1, closing(bytes, open + 1, *quote, backslashes));
    }
    let end = unquoted(bytes, start);
    if is_header {
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'"' | b'\'' | b'\\');
        let line = bytes[start..].iter().position(is_end).unwrap_or(bytes.len() - start);
        return (start, end.max(start + line));
    }
    (start, end)
}

/// The place of the quote that closes, or of the backslashes before it; the end if there is none.
fn closing(bytes: &[u8], start: usize, quote: u8, backslashes: usize) -> usize {
    let mut run = 0;
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'\\' => run += 1,
            byte if *byte == quote && (run == backslashes || backslashes == 0 && run % 2 == 0) => {
                return at - backslashes;
            }
            _ => run = 0,
        }
    }
    bytes.len()
}

/// `Some("…")`, `Name { … }`, `Name [ … ]`, `[…]` or a word.
fn unquoted(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' | b',' | b'"' | b'\'' | b'\\' | b'&' | b';' if depth == 0 => break,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            quote @ b'"' => at = closing(bytes, at + 1, quote, 0),
            // A name before its brackets goes on.
            byte if depth == 0
                && byte.is_ascii_whitespace()
                && (at == start || !matches!(bytes.get(at + 1), Some(b'{' | b'[' | b'('))) =>
            {
                break;
            }
            _ => {}
        }
        at += 1;
    }
    at.min(bytes.len())
}
