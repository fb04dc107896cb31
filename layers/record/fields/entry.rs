//! Names with values, for formats.

use super::{
    Fields, Tag, Value,
    slot::{Name, Slot},
};

/// A name with its value.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(super) fields: &'a Fields,
    pub(super) slot: &'a Slot,
}

impl<'a> Entry<'a> {
    #[inline]
    pub(crate) fn tag(self) -> Tag {
        self.slot.tag
    }

    /// The name; `Ok` if it lives as long as the process.
    #[inline]
    pub(crate) fn name(self) -> Result<&'static str, &'a str> {
        match self.slot.name {
            Name::Static(name) => Ok(name),
            Name::Text(range) => Err(self.fields.text(range)),
        }
    }

    #[inline(always)]
    pub(crate) fn value(self) -> Value<'a> {
        self.fields.value(&self.slot.value)
    }
}
