//! Named, typed values in one reused buffer.

use std::{borrow::Cow, error::Error as StdError, fmt};

#[cfg(feature = "serde")]
use super::json::Printed;
use super::{
    json::JsonText,
    value::{ErrorChain, Value},
};

/// Named values in the order in which they were first set. A name stands once: setting it again replaces its value.
///
/// All text lives in one buffer, so clearing and filling again allocates nothing.
///
/// ```
/// use tracing_strata::{Fields, Value};
///
/// let mut fields = Fields::new();
/// fields.set("user", 7);
/// fields.set("name", "Ada");
/// fields.set("user", 8);
/// assert_eq!(fields.get("user"), Some(Value::I64(8)));
/// assert_eq!(fields.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["user", "name"]);
/// ```
#[derive(Default)]
pub struct Fields {
    text: String,
    slots: Vec<Slot>,
    /// What most never have: less to go over for those.
    rare: Option<Box<Rare>>,
    /// One bit per name, so that "is this name here?" is mostly one test.
    bloom: u64,
    /// Values that had to be marked: cut at the limit, panicked, or nested too deeply.
    marked: u32,
}

#[derive(Clone, Default)]
struct Rare {
    bytes: Vec<u8>,
    links: Vec<Link>,
}

/// A part of the text (or byte) buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    #[inline]
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[derive(Clone, Copy)]
pub(super) enum Name {
    Static(&'static str),
    Text(Span),
}

struct Slot {
    name: Name,
    tag: Tag,
    value: Stored,
}

/// A name and its value.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    fields: &'a Fields,
    slot: &'a Slot,
}

impl<'a> Entry<'a> {
    #[inline]
    pub(crate) fn tag(self) -> Tag {
        self.slot.tag
    }

    /// The name, and whether it lives as long as the process.
    #[inline]
    pub(crate) fn name(self) -> Result<&'static str, &'a str> {
        match self.slot.name {
            Name::Static(name) => Ok(name),
            Name::Text(span) => Err(self.fields.text(span)),
        }
    }

    #[inline(always)]
    pub(crate) fn value(self) -> Value<'a> {
        self.fields.value(&self.slot.value)
    }
}

/// A value with its text elsewhere. In halves, so that a slot is 32 bytes: two in a line of a cache.
#[derive(Clone, Copy)]
enum Stored {
    Bool(bool),
    I64(Word),
    U64(Word),
    F64(Word),
    /// 16 bytes elsewhere.
    I128(Span),
    U128(Span),
    Str(Span),
    Rendered(Span),
    Json(Span),
    Bytes(Span),
    Error {
        first: u32,
        count: u32,
    },
}

const _: () = assert!(size_of::<Slot>() == 32);

/// 64 bits that need no more alignment than 32.
#[derive(Clone, Copy)]
struct Word([u32; 2]);

impl Word {
    #[inline]
    const fn of(bits: u64) -> Self {
        Self([bits as u32, (bits >> 32) as u32])
    }

    #[inline]
    const fn bits(self) -> u64 {
        self.0[0] as u64 | (self.0[1] as u64) << 32
    }
}

/// One error of a chain.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    pub(super) text: Span,
    pub(super) type_name: Option<Name>,
}

/// Longest chain of causes that is kept; `source()` may be cyclic.
const MAX_CAUSES: usize = 64;

/// Above this a cleared buffer gives its memory back, so that one huge record does not stay for ever.
const KEEP_BYTES: usize = 16 * 1024;

/// What is looked at before a name is compared: made of its length, first, middle and last byte, which differ in nearly
/// all real sets of names.
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
        // The upper bits of the product depend on all bits of the factor, and no two factors have one product.
        Self(mixed.wrapping_mul(0x9e37_79b1))
    }

    /// One of 64 bits, for sets of names: where none of its bits is there, none of the names is.
    #[inline]
    pub(crate) const fn bit(self) -> u64 {
        1 << (self.0 >> 26)
    }

    /// The same among 256: as a place among four times 64 bits.
    #[inline]
    pub(crate) const fn place(self) -> (usize, u64) {
        ((self.0 >> 24 & 3) as usize, self.bit())
    }
}

impl Fields {
    /// No fields.
    pub const fn new() -> Self {
        Self { text: String::new(), slots: Vec::new(), rare: None, bloom: 0, marked: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        let index = self.find(name, Tag::of(name))?;
        Some(self.value(&self.slots[index].value))
    }

    /// Whether the name is there.
    #[inline]
    pub fn contains(&self, name: &str) -> bool {
        self.find(name, Tag::of(name)).is_some()
    }

    /// The same for a name whose tag is known.
    #[inline]
    pub(crate) fn get_tagged(&self, name: &str, tag: Tag) -> Option<Value<'_>> {
        let index = self.find(name, tag)?;
        Some(self.value(&self.slots[index].value))
    }

    /// The same for a name whose tag is known.
    #[inline]
    pub(crate) fn has(&self, name: &str, tag: Tag) -> bool {
        self.find(name, tag).is_some()
    }

    /// Names and values, in the order in which the names were first set.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Value<'_>)> + DoubleEndedIterator {
        self.slots.iter().map(|slot| (self.name(slot.name), self.value(&slot.value)))
    }

    /// The same for formats, which look at a value after its name is written.
    #[inline]
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.slots.iter().map(|slot| Entry { fields: self, slot })
    }

    /// The first error among them.
    #[inline]
    pub(crate) fn first_error(&self) -> Option<Entry<'_>> {
        if self.links().is_empty() {
            return None;
        }
        self.entries().find(|entry| matches!(entry.value(), Value::Error(_)))
    }

    /// Sets a value; a value under the same name is replaced, in its old place.
    pub fn set<'v>(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value<'v>>) {
        let value = value.into();
        let stored = match value {
            Value::Bool(value) => Stored::Bool(value),
            Value::I64(number) => Stored::I64(Word::of(number.cast_unsigned())),
            Value::U64(number) => Stored::U64(Word::of(number)),
            Value::I128(number) => Stored::I128(self.push_bytes(&number.to_ne_bytes())),
            Value::U128(number) => Stored::U128(self.push_bytes(&number.to_ne_bytes())),
            Value::F64(number) => Stored::F64(Word::of(number.to_bits())),
            Value::Str(text) => Stored::Str(self.push_text(text)),
            Value::Rendered(text) => Stored::Rendered(self.push_text(text)),
            Value::Json(json) => Stored::Json(self.push_text(json.as_str())),
            Value::Bytes(bytes) => Stored::Bytes(self.push_bytes(bytes)),
            Value::Error(chain) => {
                let first = self.links().len() as u32;
                for text in std::iter::once(chain.message()).chain(chain.causes()) {
                    let text = self.push_text(text);
                    self.rare().links.push(Link { text, type_name: None });
                }
                if let Some(type_name) = chain.type_name() {
                    let type_name = self.push_text(type_name);
                    self.rare().links[first as usize].type_name = Some(Name::Text(type_name));
                }
                Stored::Error { first, count: self.links().len() as u32 - first }
            }
        };
        match name.into() {
            Cow::Borrowed(name) => self.put(name, stored),
            Cow::Owned(name) => self.put_owned(&name, stored),
        }
    }

    /// Sets an error with its causes, and its type where `type_name` says it or it is one of the standard library's.
    pub fn set_error(&mut self, name: impl Into<Cow<'static, str>>, error: &(dyn StdError + 'static)) {
        let stored = self.store_error(error, usize::MAX);
        match name.into() {
            Cow::Borrowed(name) => self.put(name, stored),
            Cow::Owned(name) => self.put_owned(&name, stored),
        }
    }

    /// Sets what `Display` prints. (A list or a map: `set("tags", &json(&tags))`, feature `serde`.)
    pub fn set_display(&mut self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) {
        let span = self.render(format_args!("{value}"), usize::MAX);
        let stored = self.last_rendered(span);
        match name.into() {
            Cow::Borrowed(name) => self.put(name, stored),
            Cow::Owned(name) => self.put_owned(&name, stored),
        }
    }

    /// Removes a name; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let found = self.find(name, Tag::of(name));
        if let Some(index) = found {
            self.slots.remove(index);
            self.bloom = self.slots.iter().fold(0, |bloom, slot| bloom | slot.tag.bit());
        }
        found.is_some()
    }

    /// Removes all, keeping the memory (up to a bound).
    pub fn clear(&mut self) {
        self.text.clear();
        self.slots.clear();
        self.bloom = 0;
        self.marked = 0;
        self.text.shrink_to(KEEP_BYTES);
        if let Some(rare) = &mut self.rare {
            rare.bytes.clear();
            rare.links.clear();
            rare.bytes.shrink_to(KEEP_BYTES);
        }
    }

    /// Takes over all of another's fields, by name.
    pub fn extend(&mut self, other: &Fields) {
        for slot in &other.slots {
            let value = other.value(&slot.value);
            match slot.name {
                Name::Static(name) => self.set(name, value),
                Name::Text(span) => self.set(other.text(span).to_owned(), value),
            }
        }
        self.marked += other.marked;
    }

    // --- for the other files of this room

    /// Frees the memory of values that were replaced, where that is most of it. Not for the fields of a record, whose
    /// message and target stand in the same text.
    pub(super) fn compact(&mut self) {
        const SMALL: usize = 4 * 1024;
        let held = self.text.len() + self.bytes().len();
        if held <= SMALL {
            return;
        }
        let mut copy = Self::new();
        copy.extend(self);
        if copy.text.len() + copy.bytes().len() <= held / 2 {
            copy.marked = self.marked;
            *self = copy;
        }
    }

    /// How much memory the values take, in bytes; not what is kept for later ones.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        let rare = self.rare.as_ref().map_or(0, |rare| rare.bytes.len() + size_of_val(&*rare.links));
        self.text.len() + size_of_val(&*self.slots) + rare
    }

    /// Makes room for so many bytes of text, and so many values.
    pub(super) fn reserve(&mut self, text: usize, values: usize) {
        self.text.reserve(text);
        self.slots.reserve(values);
    }

    /// The same with what is kept for later ones.
    #[inline]
    pub(crate) fn held_bytes(&self) -> usize {
        let rare = |rare: &Rare| size_of::<Rare>() + rare.bytes.capacity() + rare.links.capacity() * size_of::<Link>();
        self.text.capacity() + self.slots.capacity() * size_of::<Slot>() + self.rare.as_deref().map_or(0, rare)
    }

    /// How many values carry a marker instead of (all of) what was given.
    pub(crate) fn marked(&self) -> u32 {
        self.marked
    }

    #[inline]
    pub(crate) fn bloom(&self) -> u64 {
        self.bloom
    }

    #[inline]
    pub(crate) fn text(&self, span: Span) -> &str {
        &self.text[span.range()]
    }

    #[inline]
    pub(super) fn links(&self) -> &[Link] {
        self.rare.as_ref().map_or(&[], |rare| &rare.links)
    }

    fn bytes(&self) -> &[u8] {
        self.rare.as_ref().map_or(&[], |rare| &rare.bytes)
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    #[inline]
    pub(super) fn put_bool(&mut self, name: &'static str, value: bool) {
        self.put(name, Stored::Bool(value));
    }

    #[inline]
    pub(super) fn put_i64(&mut self, name: &'static str, value: i64) {
        self.put(name, Stored::I64(Word::of(value.cast_unsigned())));
    }

    #[inline]
    pub(super) fn put_u64(&mut self, name: &'static str, value: u64) {
        self.put(name, Stored::U64(Word::of(value)));
    }

    #[inline]
    pub(super) fn put_f64(&mut self, name: &'static str, value: f64) {
        self.put(name, Stored::F64(Word::of(value.to_bits())));
    }

    pub(super) fn put_i128(&mut self, name: &'static str, value: i128) {
        let span = self.push_bytes(&value.to_ne_bytes());
        self.put(name, Stored::I128(span));
    }

    pub(super) fn put_u128(&mut self, name: &'static str, value: u128) {
        let span = self.push_bytes(&value.to_ne_bytes());
        self.put(name, Stored::U128(span));
    }

    #[inline]
    pub(super) fn put_str(&mut self, name: &'static str, value: &str, limit: usize) {
        let span = self.push_limited(value, limit);
        self.put(name, Stored::Str(span));
    }

    pub(super) fn put_bytes(&mut self, name: &'static str, value: &[u8], limit: usize) {
        let kept = &value[..value.len().min(limit)];
        self.marked += u32::from(kept.len() < value.len());
        let span = self.push_bytes(kept);
        self.put(name, Stored::Bytes(span));
    }

    pub(super) fn put_rendered(&mut self, name: &'static str, span: Span) {
        self.put(name, Stored::Rendered(span));
    }

    /// What was rendered last.
    #[inline]
    pub(super) fn put_last_rendered(&mut self, name: &'static str, span: Span) {
        let stored = self.last_rendered(span);
        self.put(name, stored);
    }

    #[inline]
    fn last_rendered(&mut self, span: Span) -> Stored {
        #[cfg(feature = "serde")]
        match super::json::printed(self.text(span)) {
            Printed::Other => {}
            Printed::Json(_) => return Stored::Json(span),
            Printed::Failed => self.marked += 1,
        }
        Stored::Rendered(span)
    }

    pub(super) fn put_error(&mut self, name: &'static str, error: &(dyn StdError + 'static), limit: usize) {
        let stored = self.store_error(error, limit);
        self.put(name, stored);
    }

    /// `error.type = "…"` beside an error `error` is the name of its type: kept with the error. False if there is no
    /// such error here.
    #[inline]
    pub(super) fn put_error_type(&mut self, name: &str, type_name: &str) -> bool {
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

    /// Renders into the text buffer; the part stays unnamed. See [`super::guarded::write`] for what can go wrong.
    #[inline]
    pub(super) fn render(&mut self, value: fmt::Arguments<'_>, limit: usize) -> Span {
        #[cfg(feature = "serde")]
        super::json::expect();
        let start = self.text.len() as u32;
        self.marked += u32::from(!super::guarded::write(&mut self.text, value, limit));
        Span { start, end: self.text.len() as u32 }
    }

    #[inline]
    pub(crate) fn push_text(&mut self, text: &str) -> Span {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Span { start, end: self.text.len() as u32 }
    }

    #[inline]
    pub(super) fn push_limited(&mut self, text: &str, limit: usize) -> Span {
        if text.len() <= limit { self.push_text(text) } else { self.push_cut(text, limit) }
    }

    #[cold]
    fn push_cut(&mut self, text: &str, limit: usize) -> Span {
        let start = self.text.len() as u32;
        let kept = &text[..text.floor_char_boundary(limit)];
        self.text.push_str(kept);
        super::guarded::mark_cut(&mut self.text, Some(text.len() - kept.len()));
        self.marked += 1;
        Span { start, end: self.text.len() as u32 }
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> Span {
        let all = &mut self.rare().bytes;
        let start = all.len() as u32;
        all.extend_from_slice(bytes);
        Span { start, end: all.len() as u32 }
    }

    fn store_error(&mut self, error: &(dyn StdError + 'static), limit: usize) -> Stored {
        let first = self.links().len() as u32;
        let mut next = Some(error);
        while let Some(error) = next {
            let text = self.render(format_args!("{error}"), limit);
            self.rare().links.push(Link { text, type_name: super::guarded::known_type(error).map(Name::Static) });
            next = super::guarded::source(error).filter(|_| self.links().len() - (first as usize) <= MAX_CAUSES);
        }
        Stored::Error { first, count: self.links().len() as u32 - first }
    }

    /// A copy of this stands in the visit of each type of value; what is rare is elsewhere.
    #[inline(always)]
    fn put(&mut self, name: &'static str, value: Stored) {
        let tag = Tag::of(name);
        if self.bloom & tag.bit() == 0 && self.slots.len() < self.slots.capacity() {
            self.bloom |= tag.bit();
            self.slots.push(Slot { name: Name::Static(name), tag, value });
        } else {
            self.put_carefully(name, tag, value);
        }
    }

    #[cold]
    #[inline(never)]
    fn put_carefully(&mut self, name: &'static str, tag: Tag, value: Stored) {
        match self.find(name, tag) {
            Some(index) => self.slots[index].value = value,
            None => {
                self.bloom |= tag.bit();
                self.slots.push(Slot { name: Name::Static(name), tag, value });
            }
        }
    }

    fn put_owned(&mut self, name: &str, value: Stored) {
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
    fn find(&self, name: &str, tag: Tag) -> Option<usize> {
        if self.bloom & tag.bit() == 0 {
            return None;
        }
        self.slots.iter().position(|slot| slot.tag == tag && self.name(slot.name) == name)
    }

    #[inline]
    pub(super) fn name(&self, name: Name) -> &str {
        match name {
            Name::Static(name) => name,
            Name::Text(span) => self.text(span),
        }
    }

    #[inline(always)]
    fn value(&self, stored: &Stored) -> Value<'_> {
        match *stored {
            Stored::Bool(value) => Value::Bool(value),
            Stored::I64(number) => Value::I64(number.bits().cast_signed()),
            Stored::U64(number) => Value::U64(number.bits()),
            Stored::F64(number) => Value::F64(f64::from_bits(number.bits())),
            Stored::I128(span) => Value::I128(i128::from_ne_bytes(self.wide(span))),
            Stored::U128(span) => Value::U128(u128::from_ne_bytes(self.wide(span))),
            Stored::Str(span) => Value::Str(self.text(span)),
            Stored::Rendered(span) => Value::Rendered(self.text(span)),
            Stored::Json(span) => Value::Json(JsonText::checked(self.text(span))),
            Stored::Bytes(span) => Value::Bytes(&self.bytes()[span.range()]),
            Stored::Error { first, count } => Value::Error(ErrorChain { fields: self, first, count }),
        }
    }

    fn wide(&self, span: Span) -> [u8; 16] {
        // It was stored with as many.
        self.bytes()[span.range()].try_into().unwrap_or_default()
    }
}

impl Clone for Fields {
    fn clone(&self) -> Self {
        let mut fields = Self::new();
        fields.clone_from(self);
        fields
    }

    fn clone_from(&mut self, source: &Self) {
        self.clear();
        self.text.push_str(&source.text);
        self.slots.extend(source.slots.iter().map(|slot| Slot { ..*slot }));
        if let Some(source) = &source.rare {
            let rare = self.rare();
            rare.bytes.extend_from_slice(&source.bytes);
            rare.links.extend_from_slice(&source.links);
        }
        self.bloom = source.bloom;
        self.marked = source.marked;
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<N: Into<Cow<'static, str>>, V: Into<Value<'static>>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut fields = Self::new();
        pairs.into_iter().for_each(|(name, value)| fields.set(name, value));
        fields
    }
}
