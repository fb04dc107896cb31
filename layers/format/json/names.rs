//! Names that were looked at before, as pieces ready to be copied.
//!
//! The names in `tracing`'s call sites are `'static`: where one lies tells what it says. So each is checked and quoted
//! once per process, not once per record.

use std::sync::OnceLock;

use super::line::Piece;

/// Bounds the memory; names beyond it, or that fall on one place, are checked each time.
const PLACES: usize = 1024;

static KNOWN: [OnceLock<Known>; PLACES] = [const { OnceLock::new() }; PLACES];

struct Known {
    name: &'static str,
    /// `,"name":`
    piece: Piece,
}

/// The name as a member's key with the comma before it.
#[inline]
pub(super) fn key(name: &'static str) -> Option<&'static Piece> {
    let address = name.as_ptr().addr();
    // Names in a binary lie densely, one after the other.
    let known = KNOWN[(address ^ address >> 10) % PLACES].get_or_init(|| learn(name));
    (std::ptr::eq(known.name, name)).then_some(&known.piece)
}

#[cold]
fn learn(name: &'static str) -> Known {
    Known { name, piece: Piece::of(false, |line| line.key(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_by_its_place_and_length() {
        static TEXT: &str = "user\"name";
        let (short, long) = (&TEXT[..4], TEXT);
        let shown = |name| key(name).map(|piece| String::from_utf8(piece.text().to_owned()).unwrap());
        assert_eq!(shown(short).as_deref(), Some(",\"user\":"));
        // The same address: the place is taken.
        assert_eq!(shown(long), None);
        assert_eq!(shown(&TEXT[4..]).as_deref(), Some(",\"\\\"name\":"));
        assert_eq!(shown(short).as_deref(), Some(",\"user\":"));
    }
}
