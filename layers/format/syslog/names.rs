//! Makes names valid that the protocol forbids.

use crate::format::line::Line;

/// Which bytes a name may have, and how many.
#[derive(Debug)]
pub(super) struct NameRule {
    longest: usize,
    /// Indexed by byte.
    allowed: [bool; 256],
}

/// RFC 5424, 6: HOSTNAME, APP-NAME, PROCID, MSGID and SD-NAME are printable ASCII without spaces.
pub(super) static HOST: NameRule = NameRule::new(255, b"");
pub(super) static APP: NameRule = NameRule::new(48, b"");
pub(super) static PROCESS: NameRule = NameRule::new(128, b"");
pub(super) static MESSAGE_ID: NameRule = NameRule::new(32, b"");
pub(super) static PARAMETER: NameRule = NameRule::new(32, b"=]\"");
/// RFC 3164, 4.1.3: the tag ends at `[` or `:`.
pub(super) static TAG: NameRule = NameRule::new(32, b"[]:");
/// There, the host ends at a space, and no receiver accepts one that ends with a colon.
pub(super) static SHORT_HOST: NameRule = NameRule::new(64, b"");

impl NameRule {
    /// Printable ASCII without the bytes of the encoding and without `forbidden`.
    const fn new(longest: usize, forbidden: &[u8]) -> Self {
        let mut allowed = [false; 256];
        let mut byte = b'!';
        while byte < b'~' {
            allowed[byte as usize] = byte != b'%';
            byte += 1;
        }
        let mut index = 0;
        while index < forbidden.len() {
            allowed[forbidden[index] as usize] = false;
            index += 1;
        }
        Self { longest, allowed }
    }

    #[inline]
    fn allows(&self, byte: u8) -> bool {
        self.allowed[usize::from(byte)]
    }

    /// Whether a name needs no encoding.
    #[inline]
    pub(super) fn is_valid(&self, name: &str) -> bool {
        name.len() <= self.longest && !name.is_empty() && name.bytes().all(|byte| self.allows(byte))
    }

    /// Appends a valid name. Two names become one only if their hashes are equal:
    /// - forbidden bytes, `%` and `~` become `%` and two hexadecimal digits;
    /// - a name that is then too long is cut, and ends with `~` and a 64-bit hash (FNV-1a) of the whole name in 16 digits;
    /// - the empty name becomes `%`.
    #[inline]
    pub(super) fn put(&self, name: &str, line: &mut Line<'_>) {
        if self.is_valid(name) {
            line.raw(name);
        } else {
            self.put_encoded(name, line.bytes());
        }
    }

    #[cold]
    fn put_encoded(&self, name: &str, out: &mut Vec<u8>) {
        if name.is_empty() {
            return out.push(b'%');
        }
        let start = out.len();
        let before_hash = self.longest - 17;
        let mut cut = start;
        for byte in name.bytes() {
            if self.allows(byte) {
                out.push(byte);
            } else {
                out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
            }
            if out.len() - start <= before_hash {
                cut = out.len();
            }
            if out.len() - start > self.longest {
                out.truncate(cut);
                out.push(b'~');
                let hash = fnv(name.as_bytes());
                out.extend((0..16).rev().map(|nibble| digit((hash >> (nibble * 4)) as u8 & 15)));
                return;
            }
        }
    }

    pub(super) fn text(&self, name: &str) -> String {
        if self.is_valid(name) {
            return name.to_owned();
        }
        let mut out = Vec::new();
        self.put_encoded(name, &mut out);
        // It is ASCII.
        String::from_utf8(out).unwrap_or_default()
    }
}

fn digit(nibble: u8) -> u8 {
    b"0123456789ABCDEF"[usize::from(nibble)]
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn valid_names_stay_and_others_are_encoded() {
        for (name, valid) in [
            ("user", "user"),
            ("http.status-code", "http.status-code"),
            ("", "%"),
            ("a b", "a%20b"),
            ("a=b", "a%3Db"),
            ("x]", "x%5D"),
            ("\"", "%22"),
            ("é", "%C3%A9"),
            ("100%", "100%25"),
            ("~", "%7E"),
            ("\n", "%0A"),
            ("a_name_that_is_just_32_bytes_lon", "a_name_that_is_just_32_bytes_lon"),
            ("a_name_that_is_just_33_bytes_long", "a_name_that_is_~6A4B9186DDCD54DC"),
        ] {
            assert_eq!(PARAMETER.text(name), valid, "{name}");
        }
        assert_eq!(TAG.text("a[1]: b"), "a%5B1%5D%3A%20b");
        assert_eq!(APP.text("a=b]"), "a=b]");
    }

    proptest! {
        #[test]
        fn names_are_valid_and_do_not_meet(names in prop::collection::hash_set("(?s).{0,40}|[a-c%~=]{0,3}", 0..60)) {
            for rule in [&PARAMETER, &APP, &TAG, &MESSAGE_ID] {
                let mut seen = HashMap::new();
                for name in &names {
                    let valid = rule.text(name);
                    prop_assert!(!valid.is_empty() && valid.len() <= rule.longest, "{valid:?}");
                    prop_assert!(valid.bytes().all(|byte| byte.is_ascii_graphic() && (rule.allows(byte) || b"%~".contains(&byte))));
                    prop_assert_eq!(seen.insert(valid, name), None);
                }
            }
        }
    }
}
