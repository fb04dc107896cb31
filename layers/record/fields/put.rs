//! How values get into [`Fields`] and out of it again.

use std::{borrow::Cow, error::Error as StdError, fmt};

#[cfg(feature = "serde")]
use super::super::json;
use super::{
    super::{guarded, json::JsonText},
    ErrorChain, Fields, Link, Name, Rare, Slot, Stored, Tag, TextRange, Value, Word,
};
use crate::text::head;

/// Longest chain of causes that is stored; `source()` may be cyclic.
const MAX_CAUSES: usize = 64;

impl Fields {
    /// Frees the memory of replaced values if that is most of it. Not for the fields of a record: its message and target
    /// are in the same text.
    pub(in crate::record) fn compact(&mut self) {
        const SMALL: usize = 4 * 1024;
        let size = self.text.len() + self.bytes().len();
        if size <= SMALL {
            return;
        }
        let mut copy = Self::new();
        copy.extend(self);
        if copy.text.len() + copy.bytes().len() <= size / 2 {
            copy.marked = self.marked;
            *self = copy;
        }
    }

    /// Memory of the values, in bytes, without spare capacity.
    #[inline]
    pub(in crate::record) fn weight(&self) -> usize {
        let rare = self.rare.as_ref().map_or(0, |rare| rare.bytes.len() + size_of_val(&*rare.links));
        self.text.len() + size_of_val(&*self.slots) + rare
    }

    /// Reserves memory for `text` bytes and `values` values.
    pub(in crate::record) fn reserve(&mut self, text: usize, values: usize) {
        self.text.reserve(text);
        self.slots.reserve(values);
    }

    /// [`weight`](Self::weight), including spare capacity.
    #[inline]
    pub(crate) fn held_bytes(&self) -> usize {
        let rare = |rare: &Rare| size_of::<Rare>() + rare.bytes.capacity() + rare.links.capacity() * size_of::<Link>();
        self.text.capacity() + self.slots.capacity() * size_of::<Slot>() + self.rare.as_deref().map_or(0, rare)
    }

    /// How many values carry a marker in place of (some of) what was given.
    pub(crate) fn marked(&self) -> u32 {
        self.marked
    }

    #[inline]
    pub(crate) fn bloom(&self) -> u64 {
        self.bloom
    }

    #[inline]
    pub(crate) fn text(&self, range: TextRange) -> &str {
        // Out of range only in a record whose fields somebody has replaced.
        self.text.get(range.range()).unwrap_or_default()
    }

    #[inline]
    pub(in crate::record) fn links(&self) -> &[Link] {
        self.rare.as_ref().map_or(&[], |rare| &rare.links)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.rare.as_ref().map_or(&[], |rare| &rare.bytes)
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    #[inline]
    pub(in crate::record) fn put_bool(&mut self, name: &'static str, value: bool) {
        self.put(name, Stored::Bool(value));
    }

    #[inline]
    pub(in crate::record) fn put_i64(&mut self, name: &'static str, value: i64) {
        self.put(name, Stored::I64(Word::of(value as u64)));
    }

    #[inline]
    pub(in crate::record) fn put_u64(&mut self, name: &'static str, value: u64) {
        self.put(name, Stored::U64(Word::of(value)));
    }

    #[inline]
    pub(in crate::record) fn put_f64(&mut self, name: &'static str, value: f64) {
        self.put(name, Stored::F64(Word::of(value.to_bits())));
    }

    pub(in crate::record) fn put_i128(&mut self, name: &'static str, value: i128) {
        let range = self.push_bytes(&value.to_ne_bytes());
        self.put(name, Stored::I128(range));
    }

    pub(in crate::record) fn put_u128(&mut self, name: &'static str, value: u128) {
        let range = self.push_bytes(&value.to_ne_bytes());
        self.put(name, Stored::U128(range));
    }

    #[inline]
    pub(in crate::record) fn put_str(&mut self, name: &'static str, value: &str, limit: usize) {
        let range = self.push_limited(value, limit);
        self.put(name, Stored::Str(range));
    }

    pub(in crate::record) fn put_bytes(&mut self, name: &'static str, value: &[u8], limit: usize) {
        let stored = &value[..value.len().min(limit)];
        self.marked += u32::from(stored.len() < value.len());
        let range = self.push_bytes(stored);
        self.put(name, Stored::Bytes(range));
    }

    pub(in crate::record) fn put_rendered(&mut self, name: &'static str, range: TextRange) {
        self.put(name, Stored::Rendered(range));
    }

    /// For the text that this thread rendered last, which may be JSON.
    #[inline]
    pub(in crate::record) fn put_last_rendered(&mut self, name: &'static str, range: TextRange) {
        let stored = self.last_rendered(range);
        self.put(name, stored);
    }

    #[inline]
    pub(super) fn last_rendered(&mut self, range: TextRange) -> Stored {
        #[cfg(feature = "serde")]
        match json::printed(self.text(range)) {
            json::Printed::Other => {}
            json::Printed::Json(_) => return Stored::Json(range),
            json::Printed::Failed => self.marked += 1,
        }
        Stored::Rendered(range)
    }

    pub(in crate::record) fn put_error(&mut self, name: &'static str, error: &(dyn StdError + 'static), limit: usize) {
        let stored = self.store_error(error, limit);
        self.put(name, stored);
    }

    /// `error.type = "…"` after an error `error` names its type and is stored with it. False if there is no such error.
    #[inline]
    pub(in crate::record) fn put_error_type(&mut self, name: &str, type_name: &str) -> bool {
        !self.links().is_empty() && self.put_type_of_error(name, type_name)
    }

    #[cold]
    fn put_type_of_error(&mut self, name: &str, type_name: &str) -> bool {
        let Some(error) = name.strip_suffix(".type") else { return false };
        let Some(Stored::Error { first, .. }) = self.find(error, Tag::of(error)).map(|index| self.slots[index].value)
        else {
            return false;
        };
        if self.links()[first as usize].type_name.is_none() {
            let type_name = self.push_text(type_name);
            self.rare().links[first as usize].type_name = Some(Name::Text(type_name));
        }
        true
    }

    /// Renders into the text buffer. See [`guarded::write`] for what can go wrong.
    #[inline]
    pub(in crate::record) fn render(&mut self, value: fmt::Arguments<'_>, limit: usize) -> TextRange {
        #[cfg(feature = "serde")]
        json::reset_printed();
        let start = self.text.len() as u32;
        self.marked += u32::from(!guarded::write(&mut self.text, value, limit));
        TextRange { start, end: self.text.len() as u32 }
    }

    #[inline]
    pub(crate) fn push_text(&mut self, text: &str) -> TextRange {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        TextRange { start, end: self.text.len() as u32 }
    }

    #[inline]
    pub(in crate::record) fn push_limited(&mut self, text: &str, limit: usize) -> TextRange {
        if text.len() <= limit { self.push_text(text) } else { self.push_truncated(text, limit) }
    }

    #[cold]
    fn push_truncated(&mut self, text: &str, limit: usize) -> TextRange {
        let start = self.text.len() as u32;
        let head = head(text, limit);
        self.text.push_str(head);
        guarded::mark_truncated(&mut self.text, Some(text.len() - head.len()));
        self.marked += 1;
        TextRange { start, end: self.text.len() as u32 }
    }

    pub(super) fn push_bytes(&mut self, bytes: &[u8]) -> TextRange {
        let all = &mut self.rare().bytes;
        let start = all.len() as u32;
        all.extend_from_slice(bytes);
        TextRange { start, end: all.len() as u32 }
    }

    pub(super) fn store_error(&mut self, error: &(dyn StdError + 'static), limit: usize) -> Stored {
        let first = self.links().len() as u32;
        let mut next = Some(error);
        while let Some(error) = next {
            let text = self.render(format_args!("{error}"), limit);
            self.rare().links.push(Link { text, type_name: guarded::known_type(error).map(Name::Static) });
            next = guarded::source(error).filter(|_| self.links().len() - (first as usize) <= MAX_CAUSES);
        }
        Stored::Error { first, count: self.links().len() as u32 - first }
    }

    /// Inlined into the visit of each type of value; the rare cases are in a function of their own.
    #[inline(always)]
    pub(super) fn put(&mut self, name: &'static str, value: Stored) {
        let tag = Tag::of(name);
        if self.bloom & tag.bit() == 0 && self.slots.len() < self.slots.capacity() {
            self.bloom |= tag.bit();
            self.slots.push(Slot { name: Name::Static(name), tag, value });
        } else {
            self.put_slow(name, tag, value);
        }
    }

    #[cold]
    #[inline(never)]
    fn put_slow(&mut self, name: &'static str, tag: Tag, value: Stored) {
        match self.find(name, tag) {
            Some(index) => self.slots[index].value = value,
            None => {
                self.bloom |= tag.bit();
                self.slots.push(Slot { name: Name::Static(name), tag, value });
            }
        }
    }

    pub(super) fn put_cow(&mut self, name: Cow<'static, str>, value: Stored) {
        match name {
            Cow::Borrowed(name) => self.put(name, value),
            Cow::Owned(name) => self.put_owned(&name, value),
        }
    }

    pub(super) fn put_owned(&mut self, name: &str, value: Stored) {
        let tag = Tag::of(name);
        match self.find(name, tag) {
            Some(index) => self.slots[index].value = value,
            None => {
                let name = Name::Text(self.push_text(name));
                self.bloom |= tag.bit();
                self.slots.push(Slot { name, tag, value });
            }
        }
    }

    #[inline]
    pub(super) fn find(&self, name: &str, tag: Tag) -> Option<usize> {
        if self.bloom & tag.bit() == 0 {
            return None;
        }
        self.slots.iter().position(|slot| slot.tag == tag && self.name(slot.name) == name)
    }

    #[inline]
    pub(in crate::record) fn name(&self, name: Name) -> &str {
        match name {
            Name::Static(name) => name,
            Name::Text(range) => self.text(range),
        }
    }

    #[inline(always)]
    pub(super) fn value(&self, stored: &Stored) -> Value<'_> {
        match *stored {
            Stored::Bool(value) => Value::Bool(value),
            Stored::I64(number) => Value::I64(number.bits() as i64),
            Stored::U64(number) => Value::U64(number.bits()),
            Stored::F64(number) => Value::F64(f64::from_bits(number.bits())),
            Stored::I128(range) => Value::I128(i128::from_ne_bytes(self.wide(range))),
            Stored::U128(range) => Value::U128(u128::from_ne_bytes(self.wide(range))),
            Stored::Str(range) => Value::Str(self.text(range)),
            Stored::Rendered(range) => Value::Rendered(self.text(range)),
            Stored::Json(range) => Value::Json(JsonText::checked(self.text(range))),
            Stored::Bytes(range) => Value::Bytes(&self.bytes()[range.range()]),
            Stored::Error { first, count } => Value::Error(ErrorChain { fields: self, first, count }),
        }
    }

    fn wide(&self, range: TextRange) -> [u8; 16] {
        self.bytes()[range.range()].try_into().unwrap_or_default()
    }
}
