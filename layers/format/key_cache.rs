//! Caches names as a format writes them.
//!
//! The names in `tracing`'s call sites are `'static`, so that the address identifies a name. Each is checked and escaped
//! once per process and format, not once per record.

use std::sync::OnceLock;

use super::line::Fragment;

/// Bounds the memory. A name whose slot is taken by another one is checked each time.
const SLOTS: usize = 1024;

/// The cache of one format. A slot is small, as all are part of every binary.
pub(super) struct KeyCache {
    known: [OnceLock<Box<Known>>; SLOTS],
    make: fn(&'static str) -> Fragment,
}

struct Known {
    name: &'static str,
    fragment: Fragment,
}

impl KeyCache {
    /// `make` renders a name.
    pub(super) const fn new(make: fn(&'static str) -> Fragment) -> Self {
        Self { known: [const { OnceLock::new() }; SLOTS], make }
    }

    /// The fragment of a name; `None` if its slot is taken by another one.
    #[inline]
    pub(super) fn get(&'static self, name: &'static str) -> Option<&'static Fragment> {
        let address = name.as_ptr().addr();
        // Names lie next to each other in the binary.
        let known = self.known[(address ^ address >> 10) % SLOTS].get_or_init(|| self.learn(name));
        (std::ptr::eq(known.name, name)).then_some(&known.fragment)
    }

    #[cold]
    fn learn(&self, name: &'static str) -> Box<Known> {
        Box::new(Known { name, fragment: (self.make)(name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_by_its_place_and_length() {
        static TEXT: &str = "user\"name";
        static NAMES: KeyCache = KeyCache::new(|name| Fragment::of(false, |line| line.key(name)));
        let (short, long) = (&TEXT[..4], TEXT);
        let shown = |name| NAMES.get(name).map(|fragment| String::from_utf8(fragment.text().to_owned()).unwrap());
        assert_eq!(shown(short).as_deref(), Some(",\"user\":"));
        // The same address: the slot is taken.
        assert_eq!(shown(long), None);
        assert_eq!(shown(&TEXT[4..]).as_deref(), Some(",\"\\\"name\":"));
        assert_eq!(shown(short).as_deref(), Some(",\"user\":"));
    }
}
