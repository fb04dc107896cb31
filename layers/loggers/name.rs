//! Names of loggers. `app::db` and `app.db` are one logger; `root` and the empty name are the root.
//!
//! Within this folder names are canonical: `app.db`, and empty for the root.

use std::{borrow::Cow, iter};

use crate::{
    Error,
    record::{ROOT, canonical_bytes},
};

/// The longest name of a logger, in bytes of its canonical form. Targets may be longer: they are below a logger.
pub(super) const MAX_BYTES: usize = 256;

/// The canonical form.
pub(super) fn canonical(name: &str) -> Cow<'_, str> {
    if name == ROOT {
        Cow::Borrowed("")
    } else if name.contains("::") {
        Cow::Owned(name.replace("::", "."))
    } else {
        Cow::Borrowed(name)
    }
}

/// The canonical form of a name, if it is short enough for a logger.
pub(super) fn checked(name: &str) -> Result<Cow<'_, str>, Error> {
    let name = canonical(name);
    if name.len() > MAX_BYTES {
        let start: String = name.chars().take(40).collect();
        return Err(Error::config(format_args!(
            "logger name {start:?}…: expected at most {MAX_BYTES} bytes, got {}",
            name.len()
        )));
    }
    Ok(name)
}

/// The name to show.
pub(super) fn shown(canonical: &str) -> &str {
    if canonical.is_empty() { ROOT } else { canonical }
}

/// Calls `read` with a target's canonical form, without allocating. If the target is longer than any logger's name, that is
/// its longest ancestor that can be a logger, and the flag is false.
pub(super) fn with_canonical<R>(target: &str, read: impl FnOnce(&str, bool) -> R) -> R {
    if target == ROOT {
        return read("", true);
    }
    if target.len() <= MAX_BYTES && !target.contains("::") {
        return read(target, true);
    }
    let mut buffer = [0; MAX_BYTES];
    let mut length = 0;
    let mut cut = None;
    for byte in canonical_bytes(target) {
        if length == MAX_BYTES {
            // Back to the last separator.
            let last = if byte == b'.' { Some(length) } else { buffer.iter().rposition(|byte| *byte == b'.') };
            cut = Some(last.unwrap_or_default());
            break;
        }
        buffer[length] = byte;
        length += 1;
    }
    let canonical = &buffer[..cut.unwrap_or(length)];
    // Cut at an ASCII separator, it is still UTF-8.
    read(std::str::from_utf8(canonical).unwrap_or_default(), cut.is_none())
}

/// A canonical name and those above it, cut at each separator from the right. The root comes last.
pub(super) fn with_ancestors(name: &str) -> impl Iterator<Item = &str> {
    iter::successors(Some(name), |name| match name.rfind('.') {
        _ if name.is_empty() => None,
        Some(at) => Some(&name[..at]),
        None => Some(""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_separators_are_one_and_a_single_colon_is_none() {
        let names = [("a::b", "a.b"), ("a.b", "a.b"), ("a:b", "a:b"), ("a:::b", "a.:b"), ("a::::b", "a..b")];
        for (name, expected) in names.into_iter().chain([("::a", ".a"), ("root", ""), ("", ""), ("root::x", "root.x")])
        {
            assert_eq!(canonical(name), expected, "{name}");
            assert!(with_canonical(name, |shown, whole| shown == expected && whole), "{name}");
        }
    }

    #[test]
    fn ancestors_are_cut_from_the_right() {
        let all = |name| with_ancestors(name).collect::<Vec<_>>();
        assert_eq!(all("a.b.c"), ["a.b.c", "a.b", "a", ""]);
        assert_eq!(all("a..b"), ["a..b", "a.", "a", ""]);
        assert_eq!(all(".a"), [".a", ""]);
        assert_eq!(all("..a"), ["..a", ".", ""]);
        assert_eq!(all(""), [""]);
    }

    #[test]
    fn a_target_longer_than_any_name_is_below_its_longest_ancestor() {
        let cases = [
            (format!("a::{}", "b".repeat(300)), "a".to_owned()),
            ("b".repeat(300), String::new()),
            (format!("{}::b", "a".repeat(256)), "a".repeat(256)),
            (format!("{}::b", "a".repeat(255)), "a".repeat(255)),
            (format!("{}::b", "a".repeat(257)), String::new()),
            (format!("{}.b", "ä".repeat(128)), "ä".repeat(128)),
            (format!("x.{}", "ä".repeat(128)), "x".to_owned()),
            (format!(".{}", "a".repeat(300)), String::new()),
        ];
        for (target, expected) in cases {
            with_canonical(&target, |shown, whole| {
                assert_eq!((shown, whole), (&*expected, false));
            });
        }
        // 257 bytes as it is written, 256 as it counts.
        let fits = format!("{}::b", "a".repeat(254));
        assert!(with_canonical(&fits, |shown, whole| whole && shown.len() == 256));
    }
}
