//! Splits compact JSON text.

/// The items of a list, or the pairs of a map.
pub(in crate::format) fn items(brackets: &str) -> impl Iterator<Item = &str> {
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
pub(in crate::format) fn pair(item: &str) -> (&str, &str) {
    split(item, b':')
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
    fn items_and_pairs() {
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
        assert_eq!(pair(r#""a:b\"":{"c":1}"#), (r#""a:b\"""#, r#"{"c":1}"#));
    }
}
