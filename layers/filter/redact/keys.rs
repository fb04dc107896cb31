//! Names whose values are secret.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicU64, Ordering},
};

/// Names of secrets, folded: without `-` and `_`, in small letters.
pub(super) const SECRETS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "secret_key",
    "client_secret",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "session_token",
    "csrf_token",
    "api_key",
    "x_api_key",
    "access_key",
    "private_key",
    "encryption_key",
    "signing_key",
    "authorization",
    "proxy_authorization",
    "cookie",
    "set_cookie",
    "session",
    "session_id",
    "sid",
    "credentials",
    "connection_string",
    "database_url",
    "ssn",
    "cvv",
    "cvc",
    "card_number",
    "*password",
    "*passwd",
    "*secret",
    "*token",
    "*api_key",
    "*private_key",
    "*secret_access_key",
];

/// The end of a name of this length at most is compared.
const MAX_NAME: usize = 128;

/// A name in small letters, without `-` and `_`.
struct Folded {
    bytes: [u8; MAX_NAME],
    len: usize,
}

impl Folded {
    #[inline]
    fn of(name: &str) -> Self {
        let mut folded = Self { bytes: [0; MAX_NAME], len: 0 };
        let bytes = name.as_bytes();
        for byte in &bytes[bytes.len().saturating_sub(MAX_NAME)..] {
            if !matches!(byte, b'-' | b'_') {
                folded.bytes[folded.len] = byte.to_ascii_lowercase();
                folded.len += 1;
            }
        }
        folded
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What names are secret.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    exact: HashSet<Box<[u8]>>,
    /// One bit for each length and for each first byte in `exact`.
    lengths: u128,
    firsts: u128,
    /// One bit for each byte that a name in all this can end with; all of them if it may be any.
    lasts: u128,
    /// Globs and dotted paths, by segment.
    paths: Vec<Vec<Box<[u8]>>>,
}

impl Keys {
    pub(super) fn add(&mut self, key: &str) {
        let segments: Vec<Box<[u8]>> = key.split('.').map(|segment| Folded::of(segment).bytes().into()).collect();
        self.lasts |= match segments.last().and_then(|segment| segment.last()) {
            None | Some(b'*') => u128::MAX,
            Some(last) => 1 << (last & 127),
        };
        match &segments[..] {
            [one] if !one.contains(&b'*') => {
                self.lengths |= 1 << one.len().min(127);
                self.firsts |= 1 << (one.first().copied().unwrap_or_default() & 127);
                self.exact.insert(one.clone());
            }
            _ => self.paths.push(segments),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.paths.is_empty()
    }

    /// Whether a path ends in one of these; its segments come innermost first.
    pub(super) fn contain<'p>(&self, mut path: impl Iterator<Item = &'p str> + Clone) -> bool {
        let outer = path.clone();
        let Some(last) = path.next() else { return false };
        // Most names end here.
        if last.as_bytes().last().is_some_and(|byte| {
            !matches!(byte, b'-' | b'_') && self.lasts >> (byte.to_ascii_lowercase() & 127) & 1 == 0
        }) {
            return false;
        }
        let last = Folded::of(last);
        let name = last.bytes();
        let Some(first) = name.first() else { return false };
        if self.lengths >> name.len().min(127) & 1 == 1
            && self.firsts >> (first & 127) & 1 == 1
            && self.exact.contains(name)
        {
            return true;
        }
        self.paths.iter().any(|segments| {
            let [before @ .., glob] = &segments[..] else { return false };
            matches(glob, name) && (before.is_empty() || ends_with(segments, outer.clone()))
        })
    }
}

fn ends_with<'p>(segments: &[Box<[u8]>], mut path: impl Iterator<Item = &'p str>) -> bool {
    segments.iter().rev().all(|glob| path.next().is_some_and(|name| matches(glob, Folded::of(name).bytes())))
}

/// `*` is any text.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    let mut parts = glob.split(|byte| *byte == b'*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = memchr::memmem::find(rest, part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Names that are known not to be secret, by their addresses: those of fields live as long as the process. Exact, as each
/// entry is all of a name's address and length.
pub(super) struct Known(Box<[AtomicU64]>);

const ENTRIES: usize = 1024;

impl Known {
    pub(super) fn new() -> Self {
        Self((0..ENTRIES).map(|_| AtomicU64::new(0)).collect())
    }

    #[inline]
    fn entry(&self, name: &'static str) -> (Option<u64>, &AtomicU64) {
        let (address, length) = (name.as_ptr().addr() as u64, name.len() as u64);
        let packed = (address >> 48 == 0 && length >> 16 == 0).then_some(address | length << 48);
        let index = (address ^ length).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - ENTRIES.trailing_zeros());
        (packed, &self.0[index as usize])
    }

    /// Whether it is known to be none, or found to be none.
    #[inline]
    pub(super) fn is_plain(&self, name: &'static str, look: impl FnOnce() -> bool) -> bool {
        let (packed, entry) = self.entry(name);
        if packed.is_some_and(|packed| entry.load(Ordering::Relaxed) == packed) {
            return true;
        }
        let is_plain = look();
        if let Some(packed) = packed.filter(|_| is_plain) {
            entry.store(packed, Ordering::Relaxed);
        }
        is_plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_they_are_written() {
        let mut keys = Keys::default();
        ["api_key", "*token", "user.address.street", "x-*-id", "card.*"].iter().for_each(|key| keys.add(key));
        let has = |path: &str| keys.contain(path.rsplit('.'));
        for path in [
            "api_key",
            "API-Key",
            "apiKey",
            "http.header.api_key",
            "token",
            "auth_token",
            "x.user.address.street",
            "x_trace_id",
            // No text is a text, too, and hyphens do not count.
            "x_id",
            "card.number",
            "a.Card.CVC",
        ] {
            assert!(has(path), "{path}");
        }
        for path in ["api", "keys", "tokens", "address.street", "street", "user.street", "xi_d1", "card", "", ".", "ä"]
        {
            assert!(!has(path), "{path}");
        }
    }
}
