//! Named, typed values in one reused buffer.

mod codec;
#[cfg(feature = "redact")]
mod edit;
mod entry;
mod put;
mod slot;
mod value;

use std::{borrow::Cow, error::Error as StdError, fmt};

#[cfg(feature = "redact")]
pub(crate) use self::edit::Change;
#[cfg(feature = "redact")]
pub(in crate::record) use self::edit::Edit;
use self::slot::{Link, Name, Rare, Slot, Stored, Word};
pub use self::value::{ErrorChain, Value};
pub(crate) use self::{
    entry::Entry,
    slot::{Tag, TextRange},
};

/// Named values in the order in which they were first set. Setting a name again replaces its value.
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
    /// Boxed, as most have none: smaller to move and to clear.
    rare: Option<Box<Rare>>,
    /// One bit per name, so that "is this name here?" is mostly one test.
    bloom: u64,
    /// How many values carry a marker: cut at the limit, or their `Debug` or `Display` panicked or failed.
    marked: u32,
    /// The texts of a record are among these, and somebody may change the fields.
    holds_more: bool,
}

/// Clearing frees capacity above this, so that one huge record does not keep its memory for ever.
const RETAINED_BYTES: usize = 16 * 1024;

impl Fields {
    /// No fields.
    pub const fn new() -> Self {
        Self { text: String::new(), slots: Vec::new(), rare: None, bloom: 0, marked: 0, holds_more: false }
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        let index = self.find(name, Tag::of(name))?;
        Some(self.value(&self.slots[index].value))
    }

    /// Whether there is a field of this name.
    #[inline]
    pub fn contains(&self, name: &str) -> bool {
        self.find(name, Tag::of(name)).is_some()
    }

    /// [`get`](Self::get), with the tag (hash) of the name computed beforehand.
    #[inline]
    pub(crate) fn get_tagged(&self, name: &str, tag: Tag) -> Option<Value<'_>> {
        let index = self.find(name, tag)?;
        Some(self.value(&self.slots[index].value))
    }

    /// [`contains`](Self::contains), with the tag of the name computed beforehand.
    #[inline]
    pub(crate) fn has(&self, name: &str, tag: Tag) -> bool {
        self.find(name, tag).is_some()
    }

    /// Names and values, in the order in which the names were first set.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Value<'_>)> + DoubleEndedIterator {
        self.slots.iter().map(|slot| (self.name(slot.name), self.value(&slot.value)))
    }

    /// [`iter`](Self::iter) for formats, which look at a value only after its name is written.
    #[inline]
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.slots.iter().map(|slot| Entry { fields: self, slot })
    }

    /// The first value that is an error.
    #[inline]
    pub(crate) fn first_error(&self) -> Option<Entry<'_>> {
        if self.links().is_empty() {
            return None;
        }
        self.entries().find(|entry| matches!(entry.value(), Value::Error(_)))
    }

    /// Sets a value. One under the same name is replaced and keeps its position.
    pub fn set<'v>(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value<'v>>) {
        let value = value.into();
        let stored = match value {
            Value::Bool(value) => Stored::Bool(value),
            Value::I64(number) => Stored::I64(Word::of(number as u64)),
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
        self.put_cow(name.into(), stored);
    }

    /// Sets an error with its causes, and its type if it is one of the standard library's.
    pub fn set_error(&mut self, name: impl Into<Cow<'static, str>>, error: &(dyn StdError + 'static)) {
        let stored = self.store_error(error, usize::MAX);
        self.put_cow(name.into(), stored);
    }

    /// Sets what `Display` prints. (A list or a map: `set("tags", &json(&tags))`, feature `serde`.)
    pub fn set_display(&mut self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) {
        let range = self.render(format_args!("{value}"), usize::MAX);
        let stored = self.last_rendered(range);
        self.put_cow(name.into(), stored);
    }

    /// Removes a field; returns whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let found = self.find(name, Tag::of(name));
        if let Some(index) = found {
            self.slots.remove(index);
            self.bloom = self.slots.iter().fold(0, |bloom, slot| bloom | slot.tag.bit());
        }
        found.is_some()
    }

    /// Removes all fields; keeps the memory, up to 16 KiB.
    pub fn clear(&mut self) {
        if !self.holds_more {
            return self.reset();
        }
        self.slots.clear();
        self.bloom = 0;
        self.marked = 0;
        self.rare = None;
    }

    pub(in crate::record) fn hold_more(&mut self) {
        self.holds_more = true;
    }

    /// Removes all fields and all texts.
    pub(in crate::record) fn reset(&mut self) {
        self.holds_more = false;
        self.text.clear();
        self.slots.clear();
        self.bloom = 0;
        self.marked = 0;
        self.text.shrink_to(RETAINED_BYTES);
        if let Some(rare) = &mut self.rare {
            rare.bytes.clear();
            rare.links.clear();
            rare.bytes.shrink_to(RETAINED_BYTES);
        }
    }

    /// Sets all fields of `other`.
    pub fn extend(&mut self, other: &Fields) {
        for slot in &other.slots {
            let value = other.value(&slot.value);
            match slot.name {
                Name::Static(name) => self.set(name, value),
                Name::Text(range) => self.set(other.text(range).to_owned(), value),
            }
        }
        self.marked += other.marked;
    }
}

impl Clone for Fields {
    fn clone(&self) -> Self {
        let mut fields = Self::new();
        fields.clone_from(self);
        fields
    }

    fn clone_from(&mut self, source: &Self) {
        self.reset();
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
