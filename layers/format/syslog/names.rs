//! Names that the protocol forbids, made valid.

/// What a name may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    longest: usize,
    forbidden: &'static [u8],
}

/// RFC 5424, 6: HOSTNAME, APP-NAME, PROCID, MSGID and SD-NAME are printable ASCII without spaces.
pub(super) const HOST: Rule = Rule { longest: 255, forbidden: b"" };
pub(super) const APP: Rule = Rule { longest: 48, forbidden: b"" };
pub(super) const PROCESS: Rule = Rule { longest: 128, forbidden: b"" };
pub(super) const MESSAGE_ID: Rule = Rule { longest: 32, forbidden: b"" };
pub(super) const PARAMETER: Rule = Rule { longest: 32, forbidden: b"=]\"" };
/// RFC 3164, 4.1.3: the tag ends at `[` or `:`.
pub(super) const TAG: Rule = Rule { longest: 32, forbidden: b"[]:" };
/// The host there ends at a space, and no receiver takes one with a colon at its end.
pub(super) const SHORT_HOST: Rule = Rule { longest: 64, forbidden: b"" };

impl Rule {
    #[inline]
    fn allows(self, byte: u8) -> bool {
        byte.is_ascii_graphic() && !matches!(byte, b'%' | b'~') && !self.forbidden.contains(&byte)
    }

    /// Whether a name stays as it is.
    #[inline]
    pub(super) fn is_valid(self, name: &str) -> bool {
        name.len() <= self.longest && !name.is_empty() && name.bytes().all(|byte| self.allows(byte))
    }

    /// Appends a valid name. No two names become one, but for those whose hashes meet:
    /// - bytes that may not be there, `%` and `~` become `%` and two hexadecimal digits;
    /// - what is too long then is cut, with `~` and a 64-bit hash (FNV-1a) of the whole name in 16 digits at its end;
    /// - no name at all becomes `%`.
    #[inline]
    pub(super) fn put(self, name: &str, out: &mut Vec<u8>) {
        if self.is_valid(name) {
            out.extend_from_slice(name.as_bytes());
        } else {
            self.put_encoded(name, out);
        }
    }

    #[cold]
    fn put_encoded(self, name: &str, out: &mut Vec<u8>) {
        if name.is_empty() {
            return out.push(b'%');
        }
        let start = out.len();
        let kept = self.longest - 17;
        let mut cut = start;
        for byte in name.bytes() {
            if self.allows(byte) {
                out.push(byte);
            } else {
                out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
            }
            if out.len() - start <= kept {
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

    pub(super) fn text(self, name: &str) -> String {
        let mut out = Vec::new();
        self.put(name, &mut out);
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
            for rule in [PARAMETER, APP, TAG, MESSAGE_ID] {
                let mut seen = HashMap::new();
                for name in &names {
                    let valid = rule.text(name);
                    prop_assert!(!valid.is_empty() && valid.len() <= rule.longest, "{valid:?}");
                    prop_assert!(valid.bytes().all(|byte| byte.is_ascii_graphic() && !rule.forbidden.contains(&byte)));
                    prop_assert_eq!(seen.insert(valid, name), None);
                }
            }
        }
    }
}
