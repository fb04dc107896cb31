//! Targets as logger names: `app::db` and `app.db` are the same, `root` and the empty name are the root.

use std::slice;

/// The root logger's name.
pub(crate) const ROOT: &str = "root";

/// Whether a target is the logger `name` or below it, with either separator. Everything is below the empty name.
pub(crate) fn is_below(target: &str, name: &str) -> bool {
    if name.is_empty() {
        return true;
    }
    // A record of the root logger may have either of its names.
    let mut target = canonical_bytes(if target.is_empty() { ROOT } else { target });
    canonical_bytes(name).all(|byte| target.next() == Some(byte)) && target.next().is_none_or(|byte| byte == b'.')
}

/// The bytes of a name's canonical form, `app.db`; not for the root.
pub(crate) fn canonical_bytes(name: &str) -> impl Iterator<Item = u8> {
    Bytes(name.as_bytes().iter())
}

struct Bytes<'a>(slice::Iter<'a, u8>);

impl Iterator for Bytes<'_> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let byte = *self.0.next()?;
        if byte == b':' && self.0.as_slice().first() == Some(&b':') {
            self.0.next();
            return Some(b'.');
        }
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_whole_parts() {
        for (target, name, expected) in [
            ("a.b", "a.b", true),
            ("a::b::c", "a.b", true),
            ("a.b.c", "a::b", true),
            ("a.bb", "a.b", false),
            ("a", "a.b", false),
            ("a:b", "a", false),
            ("a..b", "a.", true),
            ("anything", "", true),
            ("", "root", true),
            ("root", "root", true),
            ("a", "root", false),
        ] {
            assert_eq!(is_below(target, name), expected, "{target} below {name}");
        }
    }
}
