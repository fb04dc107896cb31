//! What every text output needs: which characters may not stand as they are, and how near two words are.

/// Whether a character can break a line, move a cursor or turn the reading direction: C0, DEL, C1, the line and
/// paragraph separators, the bidirectional controls, and the byte order mark.
pub(crate) const fn is_control(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What a byte may need: nothing, a look at the character it begins, or an escape.
const PLAIN: u8 = 0;
const QUOTE: u8 = 1;
const ESCAPE: u8 = 2;
const LOOK: u8 = 3;

const KIND: [u8; 256] = {
    let mut kind = [PLAIN; 256];
    let mut byte = 0;
    while byte < 256 {
        kind[byte] = match byte as u8 {
            b'"' | b'\\' => QUOTE,
            0..0x20 | 0x7f => ESCAPE,
            // First bytes of U+0080–9F, U+061C, U+200E–2069 and U+FEFF.
            0xc2 | 0xd8 | 0xe2 | 0xef => LOOK,
            _ => PLAIN,
        };
        byte += 1;
    }
    kind
};

/// The first place from `from` on where a character is a [control](is_control) or, if `quotes`, `"` or `\`.
#[inline]
pub(crate) fn next_special(text: &str, from: usize, quotes: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut index = from;
    loop {
        let kind = KIND[usize::from(*bytes.get(index)?)];
        if kind != PLAIN {
            match kind {
                ESCAPE => return Some(index),
                QUOTE if quotes => return Some(index),
                LOOK if text[index..].chars().next().is_some_and(is_control) => return Some(index),
                _ => {}
            }
        }
        index += 1;
    }
}

/// Levenshtein's distance, for "did you mean".
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
    fn distances() {
        for (a, b, away) in [("", "", 0), ("warn", "wran", 2), ("info", "inf", 1), ("a", "xyz", 3)] {
            assert_eq!(distance(a, b), away);
        }
    }
}
