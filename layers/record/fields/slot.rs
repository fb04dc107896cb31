//! The layout of [`Fields`] in memory.

/// A part of the text or byte buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextRange {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl TextRange {
    #[inline]
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[derive(Clone, Copy)]
pub(in crate::record) enum Name {
    Static(&'static str),
    Text(TextRange),
}

pub(super) struct Slot {
    pub(super) name: Name,
    pub(super) tag: Tag,
    pub(super) value: Stored,
}

/// A value, with its text in the buffer. Numbers are stored in halves, so that a slot is 32 bytes: two per cache line.
#[derive(Clone, Copy)]
pub(super) enum Stored {
    Bool(bool),
    I64(Word),
    U64(Word),
    F64(Word),
    /// 16 bytes in the byte buffer.
    I128(TextRange),
    U128(TextRange),
    Str(TextRange),
    Rendered(TextRange),
    Json(TextRange),
    Bytes(TextRange),
    Error {
        first: u32,
        count: u32,
    },
}

const _: () = assert!(size_of::<Slot>() == 32);

/// 64 bits with the alignment of 32.
#[derive(Clone, Copy)]
pub(super) struct Word([u32; 2]);

impl Word {
    #[inline]
    pub(super) const fn of(bits: u64) -> Self {
        Self([bits as u32, (bits >> 32) as u32])
    }

    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.0[0] as u64 | (self.0[1] as u64) << 32
    }
}

/// What most fields never have: raw bytes, wide integers and errors.
#[derive(Clone, Default)]
pub(super) struct Rare {
    pub(super) bytes: Vec<u8>,
    pub(super) links: Vec<Link>,
}

/// One error of a chain.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    pub(in crate::record) text: TextRange,
    pub(in crate::record) type_name: Option<Name>,
}

/// A cheap hash of a name, compared before the name itself. It is made of the length and the first, middle and last
/// byte, which together differ in nearly all real sets of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u32);

impl Tag {
    #[inline]
    pub(crate) const fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let (first, middle, last) = match bytes {
            [] => (0, 0, 0),
            [first, ..] => (*first, bytes[bytes.len() / 2], bytes[bytes.len() - 1]),
        };
        let mixed = bytes.len() as u32 ^ (first as u32) << 8 ^ (last as u32) << 16 ^ (middle as u32) << 24;
        // The upper bits of the product depend on all bits of the factor, and no two factors have the same product.
        Self(mixed.wrapping_mul(0x9e37_79b1))
    }

    /// One of 64 bits, for a set of names: a name whose bit is not set is not in the set.
    #[inline]
    pub(crate) const fn bit(self) -> u64 {
        1 << (self.0 >> 26)
    }

    /// One of 256 bits: an index into four words, and a bit.
    #[inline]
    pub(crate) const fn word_and_bit(self) -> (usize, u64) {
        ((self.0 >> 24 & 3) as usize, self.bit())
    }
}
