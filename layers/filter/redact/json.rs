//! JSON text rewritten: strings by their shape, members by their names.

use std::borrow::Cow;

use crate::{record::unescaped, text::is_control};

/// What is asked about the parts.
pub(super) trait Parts {
    /// Whether the value at this path is secret; the name is last.
    fn is_secret(&self, path: &[Cow<'_, str>]) -> bool;

    /// What a secret value becomes; it is given as JSON.
    fn replace(&self, value: &str) -> Option<String>;

    /// What a text becomes.
    fn text(&self, text: &str) -> Option<String>;

    /// What a number becomes.
    fn number(&self, number: &str) -> Option<String>;
}

/// The new text, if something changed. `text` is JSON without white space.
pub(super) fn rewritten<'t>(text: &'t str, name: &'t str, parts: &impl Parts) -> Option<String> {
    let mut walk = Walk { text, copied: 0, out: String::new() };
    let mut path: Vec<Cow<'t, str>> = Vec::new();
    // Whether each is an object. The items of an array have its path.
    let mut levels: Vec<bool> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    let (mut is_key, mut names) = (false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at);
                let inner = plain(text.get(at + 1..end - 1).unwrap_or_default());
                if is_key {
                    is_key = false;
                    if let Some(new) = parts.text(&inner) {
                        // No name comes twice.
                        names += 1;
                        let number = if names > 1 { format!("_{names}") } else { String::new() };
                        walk.put(at, end, &quoted(&(new + &number)));
                    }
                    if path.is_empty() {
                        path.push(Cow::Borrowed(name));
                    }
                    path.push(inner);
                    at = end;
                    if parts.is_secret(&path) && bytes.get(at) == Some(&b':') {
                        let (start, end) = (at + 1, value_end(bytes, at + 1));
                        let new = parts.replace(&text[start..end]);
                        walk.put(start, end, &new.map_or_else(|| "null".to_owned(), |new| quoted(&new)));
                        at = end;
                        path.pop();
                    }
                    continue;
                }
                if let Some(new) = parts.text(&inner) {
                    walk.put(at, end, &quoted(&new));
                }
                at = end;
                if levels.last() == Some(&true) {
                    path.pop();
                }
            }
            b'{' | b'[' => {
                let is_object = bytes[at] == b'{';
                levels.push(is_object);
                is_key = is_object && bytes.get(at + 1) != Some(&b'}');
                at += 1;
            }
            b'}' | b']' => {
                levels.pop();
                // The object or array was a member's value.
                if levels.last() == Some(&true) {
                    path.pop();
                }
                at += 1;
            }
            b',' => {
                is_key = levels.last() == Some(&true);
                at += 1;
            }
            b':' => at += 1,
            _ => {
                let end = value_end(bytes, at);
                if let Some(new) = parts.number(&text[at..end]) {
                    walk.put(at, end, &quoted(&new));
                }
                at = end;
                if levels.last() == Some(&true) {
                    path.pop();
                }
            }
        }
    }
    walk.finish()
}

struct Walk<'t> {
    text: &'t str,
    copied: usize,
    out: String,
}

impl Walk<'_> {
    fn put(&mut self, start: usize, end: usize, new: &str) {
        self.out.push_str(&self.text[self.copied..start]);
        self.out.push_str(new);
        self.copied = end;
    }

    fn finish(mut self) -> Option<String> {
        (self.copied > 0).then(|| {
            self.out.push_str(&self.text[self.copied..]);
            self.out
        })
    }
}

/// Behind the closing quote.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn value_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    at
}

fn plain(string: &str) -> Cow<'_, str> {
    if string.contains('\\') { Cow::Owned(unescaped(string).collect()) } else { Cow::Borrowed(string) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_control(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
