//! Field names in the form that the journal takes.

/// journald silently drops fields with longer names, in bytes.
const MAX_LENGTH: usize = 64;

/// Names that [`Journald`](super::Journald) writes, and those of systemd.journal-fields(7) that an application may set: no
/// other field of a record gets such a name. Sorted.
const RESERVED: &[&str] = &[
    "CODE_FILE",
    "CODE_FUNC",
    "CODE_LINE",
    "DOCUMENTATION",
    "ERRNO",
    "EVENT_NAME",
    "FIELDS_LEFT_OUT",
    "INVOCATION_ID",
    "LEVEL",
    "MESSAGE",
    "MESSAGE_ID",
    "OBJECT_PID",
    "PRIORITY",
    "SPAN_ID",
    "SPAN_NAME",
    "SYSLOG_FACILITY",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_PID",
    "SYSLOG_RAW",
    "SYSLOG_TIMESTAMP",
    "TARGET",
    "THREAD_NAME",
    "TID",
    "TIMESTAMP",
    "TRACE_FLAGS",
    "TRACE_ID",
    "UNIT",
    "USER_INVOCATION_ID",
    "USER_UNIT",
];

/// Reserved names that an application may set by their exact name. Sorted.
const SETTABLE: &[&str] =
    &["DOCUMENTATION", "ERRNO", "INVOCATION_ID", "MESSAGE_ID", "UNIT", "USER_INVOCATION_ID", "USER_UNIT"];

/// Whether journald takes a name unchanged: `A` to `Z`, `0` to `9` and `_`, beginning with a letter, at most 64 bytes.
pub(super) fn is_valid(name: &str) -> bool {
    name.len() <= MAX_LENGTH
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

/// Whether [`Journald`](super::Journald) writes it.
pub(super) fn is_ours(name: &str) -> bool {
    let is_settable = SETTABLE.binary_search(&name).is_ok() || name == "SYSLOG_FACILITY";
    is_reserved(name) && !is_settable
}

fn is_reserved(name: &str) -> bool {
    RESERVED.binary_search(&name).is_ok()
}

/// Appends a field's name by the rules in the docs of [`Journald`](super::Journald). Two names never become one, except
/// long names with the same 64-bit hash.
pub(super) fn write(name: &str, out: &mut Vec<u8>) {
    let start = out.len();
    if !write_simple(name, out) {
        out.truncate(start);
        write_escaped(name, out);
    }
    if out.len() - start > MAX_LENGTH {
        shorten(name, start, out);
    }
}

/// Lower-case words and digits, joined by single `_` or `.`: nearly all names.
#[inline]
fn write_simple(name: &str, out: &mut Vec<u8>) -> bool {
    let (start, bytes) = (out.len(), name.as_bytes());
    // A separator may not begin or end the name, nor follow another.
    let (mut after_separator, mut has_dot) = (true, false);
    for (index, byte) in bytes.iter().enumerate() {
        after_separator = match byte {
            b'a'..=b'z' => false,
            b'0'..=b'9' if index > 0 => false,
            b'_' if !after_separator => true,
            b'.' if !after_separator => {
                has_dot = true;
                true
            }
            _ => return false,
        };
    }
    if after_separator {
        return false;
    }
    if has_dot {
        bytes.split(|byte| *byte == b'.').for_each(|word| {
            out.extend_from_slice(word);
            out.extend_from_slice(b"__");
        });
        out.truncate(out.len() - 2);
    } else {
        out.extend_from_slice(bytes);
    }
    let mapped = &mut out[start..];
    mapped.make_ascii_uppercase();
    if may_be_reserved(mapped) {
        if let Ok(mapped) = std::str::from_utf8(mapped) {
            if is_reserved(mapped) {
                out.push(b'_');
            }
        }
    }
    true
}

/// For each first letter, a bit for each length of a reserved name.
const LENGTHS: [u32; 26] = {
    let mut lengths = [0; 26];
    let mut index = 0;
    while index < RESERVED.len() {
        let name = RESERVED[index].as_bytes();
        lengths[(name[0] - b'A') as usize] |= 1 << name.len();
        index += 1;
    }
    lengths
};

/// Excludes most names without a comparison.
#[inline]
fn may_be_reserved(mapped: &[u8]) -> bool {
    let lengths = mapped.first().and_then(|first| LENGTHS.get(usize::from(first.wrapping_sub(b'A'))));
    mapped.len() < 32 && lengths.is_some_and(|lengths| lengths >> mapped.len() & 1 == 1)
}

#[cold]
fn write_escaped(name: &str, out: &mut Vec<u8>) {
    if SETTABLE.binary_search(&name).is_ok() {
        return out.extend_from_slice(name.as_bytes());
    }
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9'));
    if is_valid(name) && name.split('_').all(is_word) {
        out.extend_from_slice(name.as_bytes());
        return out.extend_from_slice(b"__");
    }
    escape(name.as_bytes(), out);
}

/// Each run of bytes that need escaping: `___`, two hexadecimal digits for each byte, `_`.
fn escape(name: &[u8], out: &mut Vec<u8>) {
    let in_word = |index: usize| match name.get(index) {
        Some(b'a'..=b'z') => true,
        Some(b'0'..=b'9') => index > 0,
        _ => false,
    };
    // A separator needs words on both sides.
    let is_separator =
        |index: usize| matches!(name[index], b'_' | b'.') && index > 0 && in_word(index - 1) && in_word(index + 1);
    let is_literal = |index: usize| in_word(index) || is_separator(index);
    if name.is_empty() {
        return out.extend_from_slice(b"X_____");
    }
    let mut index = 0;
    while index < name.len() {
        if is_literal(index) {
            match name[index] {
                b'.' => out.extend_from_slice(b"__"),
                byte => out.push(byte.to_ascii_uppercase()),
            }
            index += 1;
            continue;
        }
        // A name must begin with a letter; four `_` after it tell it from the name's own.
        out.extend_from_slice(if index == 0 { b"X____" } else { b"___" });
        while index < name.len() && !is_literal(index) {
            hex(name[index], out);
            index += 1;
        }
        out.push(b'_');
    }
}

fn hex(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push(DIGITS[usize::from(byte >> 4)]);
    out.push(DIGITS[usize::from(byte & 15)]);
}

/// The beginning, five `_`, which no other name has, and a hash of the whole.
#[cold]
fn shorten(name: &str, start: usize, out: &mut Vec<u8>) {
    out.truncate(start + MAX_LENGTH - 16 - 5);
    out.extend_from_slice(b"_____");
    fnv1a(name.as_bytes()).to_be_bytes().into_iter().for_each(|byte| hex(byte, out));
}

/// FNV-1a, 64 bits: stable, which the standard library's hashes are not.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn mapped(name: &str) -> String {
        let mut out = b"before".to_vec();
        write(name, &mut out);
        String::from_utf8(out).unwrap()["before".len()..].to_owned()
    }

    #[test]
    fn the_table_of_the_docs() {
        for (name, journal) in [
            ("user_id", "USER_ID"),
            ("http.method", "HTTP__METHOD"),
            ("a2", "A2"),
            ("message", "MESSAGE_"),
            ("priority", "PRIORITY_"),
            ("user_invocation_id", "USER_INVOCATION_ID_"),
            ("MESSAGE_ID", "MESSAGE_ID"),
            ("MESSAGE", "MESSAGE__"),
            ("USER_ID", "USER_ID__"),
            ("userId", "USER___49_D"),
            ("user-id", "USER___2D_ID"),
            ("_private", "X____5F_PRIVATE"),
            ("1st", "X____31_ST"),
            ("é", "X____C3A9_"),
            ("", "X_____"),
            ("a__b", "A___5F5F_B"),
            ("a_", "A___5F_"),
        ] {
            assert_eq!(mapped(name), journal, "{name:?}");
        }
        let long = mapped(&"x".repeat(65));
        assert_eq!(long, format!("{}_____{:016X}", "X".repeat(43), fnv1a("x".repeat(65).as_bytes())));
        assert_eq!(mapped(&"x".repeat(64)), "X".repeat(64));
    }

    #[test]
    fn the_lists_are_sorted_and_one_is_in_the_other() {
        assert!(RESERVED.is_sorted() && SETTABLE.is_sorted());
        assert!(SETTABLE.iter().all(|name| is_reserved(name)));
        assert!(RESERVED.iter().all(|name| is_valid(name) && name.len() < 32));
    }

    /// All names of up to four characters of an alphabet that has one of each kind.
    #[test]
    fn no_two_names_become_one() {
        let mut seen = HashMap::new();
        let alphabet = ["a", "x", "X", "5", "F", "_", ".", "-", "é"];
        let mut names = vec![String::new()];
        for _ in 0..5 {
            let longer: Vec<_> =
                names.iter().flat_map(|name| alphabet.iter().map(move |next| format!("{name}{next}"))).collect();
            names = longer;
            for name in &names {
                let journal = mapped(name);
                assert!(is_valid(&journal), "{name:?}: {journal}");
                if let Some(other) = seen.insert(journal, name.clone()) {
                    panic!("{name:?} and {other:?} are both {}", mapped(name));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_name_becomes_valid_and_none_of_ours(name in any::<String>()) {
            let journal = mapped(&name);
            prop_assert!(is_valid(&journal), "{:?}: {}", name, journal);
            prop_assert!(!is_reserved(&journal) || SETTABLE.contains(&name.as_str()));
        }

        #[test]
        fn names_that_differ_stay_different(a in "[a-cA-C0-2_.X5é-]{0,70}", b in "[a-cA-C0-2_.X5é-]{0,70}") {
            prop_assert_eq!(a == b, mapped(&a) == mapped(&b));
        }
    }
}
