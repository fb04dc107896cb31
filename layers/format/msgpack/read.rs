//! Reads what a receiver answers: within bounds, whatever it is.

/// A value that a receiver sent. Texts are bytes: old ones send either.
#[derive(Debug, PartialEq)]
pub(crate) enum Read<'a> {
    Bool(bool),
    Text(&'a [u8]),
    List(Vec<Read<'a>>),
    Map(Vec<(Read<'a>, Read<'a>)>),
    /// nil, a number, an extension.
    Other,
}

impl<'a> Read<'a> {
    pub(crate) fn text(&self) -> Option<&'a [u8]> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(name, _)| name.text() == Some(key.as_bytes())).map(|(_, value)| value)
    }
}

/// Why there is no value.
#[derive(Debug, PartialEq)]
pub(crate) enum NoValue {
    /// Yet: what is there may be its beginning.
    Incomplete,
    Invalid,
}

/// Receivers answer with three levels at most.
const MAX_DEPTH: u32 = 8;

/// The first value in `bytes`, and how long it is.
pub(crate) fn read(bytes: &[u8]) -> Result<(Read<'_>, usize), NoValue> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(MAX_DEPTH)?;
    Ok((value, bytes.len() - reader.rest.len()))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], NoValue> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(NoValue::Incomplete)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A length of `size` bytes.
    fn length(&mut self, size: usize) -> Result<usize, NoValue> {
        Ok(self.take(size)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn value(&mut self, depth: u32) -> Result<Read<'a>, NoValue> {
        let depth = depth.checked_sub(1).ok_or(NoValue::Invalid)?;
        let marker = self.length(1)?;
        let low = |bits: u32| marker & !(usize::MAX << bits);
        Ok(match marker {
            0xc2 | 0xc3 => Read::Bool(marker == 0xc3),
            0xa0..=0xbf => Read::Text(self.take(low(5))?),
            0xc4 | 0xd9 => self.text(1)?,
            0xc5 | 0xda => self.text(2)?,
            0xc6 | 0xdb => self.text(4)?,
            0x90..=0x9f => self.list(low(4), depth)?,
            0xdc | 0xdd => {
                let length = self.length(2 << (marker & 1))?;
                self.list(length, depth)?
            }
            0x80..=0x8f => self.map(low(4), depth)?,
            0xde | 0xdf => {
                let length = self.length(2 << (marker & 1))?;
                self.map(length, depth)?
            }
            0x00..=0x7f | 0xe0..=0xff | 0xc0 => Read::Other,
            0xcc | 0xd0 => self.skip(1)?,
            0xcd | 0xd1 => self.skip(2)?,
            0xce | 0xd2 | 0xca => self.skip(4)?,
            0xcf | 0xd3 | 0xcb => self.skip(8)?,
            0xd4..=0xd8 => self.skip(1 + (1 << (marker - 0xd4)))?,
            0xc7..=0xc9 => {
                let length = self.length(1 << (marker - 0xc7))?;
                self.skip(length.saturating_add(1))?
            }
            _ => return Err(NoValue::Invalid),
        })
    }

    fn text(&mut self, size: usize) -> Result<Read<'a>, NoValue> {
        let length = self.length(size)?;
        self.take(length).map(Read::Text)
    }

    fn skip(&mut self, count: usize) -> Result<Read<'a>, NoValue> {
        self.take(count).map(|_| Read::Other)
    }

    /// Nothing is reserved for what is only announced.
    fn list(&mut self, length: usize, depth: u32) -> Result<Read<'a>, NoValue> {
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(self.value(depth)?);
        }
        Ok(Read::List(list))
    }

    fn map(&mut self, length: usize, depth: u32) -> Result<Read<'a>, NoValue> {
        let mut map = Vec::new();
        for _ in 0..length {
            map.push((self.value(depth)?, self.value(depth)?));
        }
        Ok(Read::Map(map))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rmpv::{Value as Theirs, encode::write_value};

    use super::*;

    fn random(rng: &mut fastrand::Rng, depth: u32) -> Theirs {
        let most = if rng.u8(..) == 0 { 300 } else { 4 };
        let length = rng.usize(..most);
        match rng.u8(..if depth == 0 { 8 } else { 10 }) {
            0 => Theirs::Nil,
            1 => rng.bool().into(),
            2 => (rng.i64(..) >> rng.u8(..64)).into(),
            3 => rng.f64().into(),
            4 => rng.f32().into(),
            5 => Theirs::Ext(rng.i8(..), vec![7; [1, 2, 4, 8, 16, length][rng.usize(..6)]]),
            6 => "x".repeat(length).into(),
            7 => Theirs::Binary(vec![0xff; length]),
            8 => Theirs::Array((0..length).map(|_| random(rng, depth - 1)).collect()),
            _ => Theirs::Map((0..length).map(|_| (random(rng, depth - 1), random(rng, depth - 1))).collect()),
        }
    }

    fn is_same(ours: &Read<'_>, theirs: &Theirs) -> bool {
        match (ours, theirs) {
            (Read::Bool(ours), theirs) => theirs.as_bool() == Some(*ours),
            (Read::Text(ours), theirs) => theirs.as_slice() == Some(ours),
            (Read::List(ours), Theirs::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs))
            }
            (Read::Map(ours), Theirs::Map(theirs)) => {
                let is_pair = |((key, value), (their_key, theirs)): (&(Read<'_>, Read<'_>), &(Theirs, Theirs))| {
                    is_same(key, their_key) && is_same(value, theirs)
                };
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(is_pair)
            }
            (Read::Other, theirs) => theirs.is_nil() || theirs.is_number() || theirs.is_ext(),
            _ => false,
        }
    }

    #[test]
    fn reads_what_others_write() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let (value, mut bytes) = (random(&mut rng, 3), Vec::new());
            write_value(&mut bytes, &value).unwrap();
            let length = bytes.len();
            let cut = rng.usize(..length);
            assert_eq!(read(&bytes[..cut]), Err(NoValue::Incomplete), "{value}");
            bytes.extend_from_slice(b"more");
            let (ours, read) = read(&bytes).unwrap();
            assert!(read == length && is_same(&ours, &value), "{value} {ours:?}");
        }
    }

    /// Whatever comes, it ends, and nothing is reserved for what is only announced.
    #[test]
    fn any_bytes_are_a_value_or_none() {
        let mut rng = fastrand::Rng::with_seed(8);
        for _ in 0..100_000 {
            let bytes: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
            if let Ok((_, length)) = read(&bytes) {
                assert!((1..=bytes.len()).contains(&length));
            }
        }
        assert_eq!(read(&[0x91; 9]), Err(NoValue::Invalid));
        assert_eq!(read(&[0xc1]), Err(NoValue::Invalid));
    }
}
