//! For all text outputs: which characters must be escaped, and how similar two words are.

/// Whether a character can break a line, move a cursor or change the reading direction: C0, DEL, C1, the line and
/// paragraph separators, the bidirectional controls, and the byte order mark.
pub(crate) const fn is_control(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text as one line, with escapes: for reports to people, on stderr.
pub(crate) fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match is_control(c) {
            true => plain.extend(c.escape_debug()),
            false => plain.push(c),
        }
    }
    plain
}

/// What a byte needs: nothing, an escape (`QUOTE`: where quotes count), or a check of the character that it begins.
const PLAIN: u8 = 0;
const QUOTE: u8 = 1;
const ESCAPE: u8 = 2;
const CHECK: u8 = 3;

const KIND: [u8; 256] = {
    let mut kind = [PLAIN; 256];
    let mut byte = 0;
    while byte < 256 {
        kind[byte] = match byte as u8 {
            b'"' | b'\\' => QUOTE,
            0..0x20 | 0x7f => ESCAPE,
            // First bytes of U+0080–9F, U+061C, U+200E–2069 and U+FEFF.
            0xc2 | 0xd8 | 0xe2 | 0xef => CHECK,
            _ => PLAIN,
        };
        byte += 1;
    }
    kind
};

/// Checks eight bytes at once: not zero if one of them is a control, DEL, `"`, `\` or not ASCII; with `BRACKET` also `]`.
/// Exact for the word as a whole, not for each byte.
#[inline(always)]
pub(crate) const fn suspicious<const BRACKET: bool>(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // With bit 1 flipped, `"` is directly above the controls, and space and `!` are not.
    let low_or_quote = (word ^ (ONES * 2)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let bracket = if BRACKET { (word ^ (ONES * b']' as u64)).wrapping_sub(ONES) } else { 0 };
    let del = word.wrapping_add(ONES);
    // A borrow or carry into a neighbour comes only from a byte that is suspicious itself.
    (low_or_quote | backslash | bracket | del | word) & (ONES * 0x80)
}

/// The whole words of eight bytes. (`as_chunks` is younger than the Rust that we promise.)
#[inline(always)]
pub(crate) fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8; 8]> {
    bytes.chunks_exact(8).filter_map(<[u8]>::first_chunk)
}

/// The start of a text, at most `max` bytes. (`floor_char_boundary` is younger than the Rust that we promise.)
pub(crate) fn head(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whether `found` finds nothing. It gets eight bytes at once and says whether something is in them, not where; in letters it
/// must find nothing. With [`suspicious`], true for all ASCII without a [control](is_control), `"` or `\`; where that is
/// false, [`next_special`] is exact.
pub(crate) fn has_none(text: &[u8], found: impl Fn(u64) -> u64) -> bool {
    match text.last_chunk::<8>() {
        // The last word overlaps the one before it.
        Some(last) => {
            words(text).fold(found(u64::from_le_bytes(*last)), |all, word| all | found(u64::from_le_bytes(*word))) == 0
        }
        None => {
            let mut word = *b"aaaaaaaa";
            word.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
            found(u64::from_le_bytes(word)) == 0
        }
    }
}

/// Percent-encoded UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Whether the text contains one of a few ASCII characters.
#[inline]
pub(crate) fn has_any<const N: usize>(text: &[u8], bytes: [u8; N]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Exact for the lowest match; bytes above it may be false matches.
    let found = |word: u64| {
        bytes.iter().fold(0, |found, byte| {
            let zero = word ^ (ONES * u64::from(*byte));
            found | zero.wrapping_sub(ONES) & !zero
        }) & (ONES * 0x80)
    };
    match text.last_chunk::<8>() {
        // The last word overlaps the one before it.
        Some(last) => {
            words(text).fold(found(u64::from_le_bytes(*last)), |all, word| all | found(u64::from_le_bytes(*word))) != 0
        }
        None => text.iter().any(|byte| bytes.contains(byte)),
    }
}

/// The first position from `from` on of a [control](is_control) or, if `quotes`, of `"` or `\`.
#[inline]
pub(crate) fn next_special(text: &str, from: usize, quotes: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut index = from;
    loop {
        while let Some(word) = bytes.get(index..).and_then(|rest| rest.first_chunk::<8>()) {
            if suspicious::<false>(u64::from_le_bytes(*word)) != 0 {
                break;
            }
            index += 8;
        }
        // One of these eight bytes is suspicious, or fewer are left.
        let end = bytes.len().min(index + 8);
        while index < end {
            match KIND[usize::from(bytes[index])] {
                PLAIN => {}
                ESCAPE => return Some(index),
                QUOTE if quotes => return Some(index),
                CHECK if text[index..].chars().next().is_some_and(is_control) => return Some(index),
                _ => {}
            }
            index += 1;
        }
        if index == bytes.len() {
            return None;
        }
    }
}

/// RFC 4648, section 4: the digits of up to three bytes.
pub(crate) fn base64(chunk: &[u8]) -> [u8; 4] {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = chunk.iter().fold(0, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
    std::array::from_fn(|index| match index <= chunk.len() {
        true => DIGITS[(group >> (18 - 6 * index)) as usize & 63],
        false => b'=',
    })
}

/// Python's `repr()` of a text.
pub(crate) fn python_repr(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_python_repr(text, false, &mut out);
    out
}

/// Appends Python's `repr()` of a text, or its `ascii()`.
pub(crate) fn push_python_repr(text: &str, ascii: bool, out: &mut String) {
    use std::fmt::Write as _;

    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if !ascii && !is_control(c) && (!c.is_whitespace()) => out.push(c),
            // Writing to a text does not fail.
            c => match u32::from(c) {
                code @ ..0x100 => write!(out, "\\x{code:02x}"),
                code @ ..0x1_0000 => write!(out, "\\u{code:04x}"),
                code => write!(out, "\\U{code:08x}"),
            }
            .unwrap_or_default(),
        }
    }
    out.push(quote);
}

/// The Levenshtein distance, for "did you mean".
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_is_found_by_its_first_byte() {
        for c in '\0'..=char::MAX {
            let found = next_special(c.encode_utf8(&mut [0; 4]), 0, false) == Some(0);
            assert_eq!(found, is_control(c), "{c:?}");
        }
    }

    #[test]
    fn a_special_character_is_found_wherever_it_stands() {
        for c in [
            '"',
            '\\',
            '\0',
            '\x1f',
            '\x7f',
            '\u{85}',
            '\u{2028}',
            '\u{feff}',
            ' ',
            '~',
            'é',
            '中',
            '\u{10ffff}',
            ']',
            '[',
            '^',
        ] {
            for before in 0..20 {
                for after in 0..20 {
                    let text = format!("{}{c}{}", "x".repeat(before), "y".repeat(after));
                    let special = is_control(c) || c == '"' || c == '\\';
                    assert_eq!(next_special(&text, 0, true), special.then_some(before), "{text:?}");
                    assert_eq!(next_special(&text, 0, false), is_control(c).then_some(before), "{text:?}");
                    assert_eq!(next_special(&text, before + c.len_utf8(), true), None, "{text:?}");
                    assert!(!special || !has_none(text.as_bytes(), suspicious::<false>), "{text:?}");
                    assert!(special || !c.is_ascii() || has_none(text.as_bytes(), suspicious::<false>), "{text:?}");
                    let plain = !special && c != ']';
                    assert!(plain || !has_none(text.as_bytes(), suspicious::<true>), "{text:?}");
                    assert!(!plain || !c.is_ascii() || has_none(text.as_bytes(), suspicious::<true>), "{text:?}");
                }
            }
        }
        assert!(has_none(b"", suspicious::<false>));
    }

    #[test]
    fn any_of_some_wherever_it_stands() {
        for c in ['=', '{', 'x', '<', '|', '½', '\u{7b7b}'] {
            for (before, after) in (0..20).flat_map(|before| (0..20).map(move |after| (before, after))) {
                let text = format!("{}{c}{}", "a".repeat(before), "é".repeat(after));
                assert_eq!(has_any(text.as_bytes(), [b'=', b'{']), matches!(c, '=' | '{'), "{text:?}");
            }
        }
        assert!(!has_any(b"", [b'=']));
    }

    #[test]
    fn distances() {
        for (a, b, away) in [("", "", 0), ("warn", "wran", 2), ("info", "inf", 1), ("a", "xyz", 3)] {
            assert_eq!(distance(a, b), away);
        }
    }
}
