//! Splits compact JSON text.

use std::str::Chars;

/// The items of a list, or the pairs of a map.
pub(crate) fn items(brackets: &str) -> impl Iterator<Item = &str> {
    let mut rest = brackets.get(1..brackets.len().saturating_sub(1)).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (item, behind) = split(rest, b',');
        rest = behind;
        Some(item)
    })
}

/// The key, in its quotes, and the value of a pair.
pub(crate) fn pair(item: &str) -> (&str, &str) {
    split(item, b':')
}

/// The characters of a string, given without its quotes. Half a surrogate pair is U+FFFD.
pub(crate) fn unescaped(string: &str) -> impl Iterator<Item = char> {
    let unit = |rest: &mut Chars<'_>| rest.take(4).fold(0, |unit, digit| unit << 4 | digit.to_digit(16).unwrap_or(0));
    let mut rest = string.chars();
    std::iter::from_fn(move || match rest.next()? {
        '\\' => Some(match rest.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = unit(&mut rest);
                let mut ahead = rest.clone();
                let has_second =
                    (0xd800..0xdc00).contains(&first) && ahead.next() == Some('\\') && ahead.next() == Some('u');
                match has_second.then(|| unit(&mut ahead)) {
                    Some(second @ 0xdc00..0xe000) => {
                        rest = ahead;
                        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
                            .unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    _ => char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            other => other,
        }),
        c => Some(c),
    })
}

/// The text before and after a character that is in no bracket and no string; all is before if there is none.
fn split(json: &str, at: u8) -> (&str, &str) {
    let (mut depth, mut in_string, mut is_escaped) = (0_u32, false, false);
    for (index, byte) in json.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ if byte == at && depth == 0 => return (&json[..index], &json[index + 1..]),
            _ => {}
        }
    }
    (json, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_pairs_and_strings() {
        for (text, parts) in [
            ("[]", &[][..]),
            ("{}", &[]),
            ("[1]", &["1"]),
            (r#"[1,"a,]\",",[2,3],{"b":[4,5]},null]"#, &["1", r#""a,]\",""#, "[2,3]", r#"{"b":[4,5]}"#, "null"]),
            (r#"{"a:b":{"c":1},"":2}"#, &[r#""a:b":{"c":1}"#, r#""":2"#]),
            (r#"["\\","x"]"#, &[r#""\\""#, r#""x""#]),
        ] {
            assert_eq!(items(text).collect::<Vec<_>>(), parts, "{text}");
        }
        for (string, text) in [
            ("", ""),
            (r#"a\"\\\/b"#, "a\"\\/b"),
            (r"\b\f\n\r\t\u00e9\u2028", "\u{8}\u{c}\n\r\té\u{2028}"),
            (r"\ud83e\udd80!\ud83e\ud83e\udd80\udd80", "🦀!\u{fffd}🦀\u{fffd}"),
        ] {
            assert_eq!(unescaped(string).collect::<String>(), text, "{string}");
        }
        assert_eq!(pair(r#""a:b\"":{"c":1}"#), (r#""a:b\"""#, r#"{"c":1}"#));
    }
}
