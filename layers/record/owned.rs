//! Pooled records: while they are filled, while handlers read them, and while somebody owns them.
//!
//! A record is filled in memory with a single owner, without a reference count. It moves to shared memory only when it gets
//! a second owner.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, LazyLock},
};

use super::{Record, pool};

impl Record {
    /// A copy that can be stored, sent to another thread and read later. [`Delivery::keep`](crate::Delivery::keep) needs
    /// no copy.
    pub fn keep(&self) -> OwnedRecord {
        OwnedRecord(Storage::Unique(copy(self)))
    }

    /// Enough memory for most events, in one allocation each for text and values.
    #[cold]
    fn preallocated() -> Self {
        let mut record = Self::default();
        record.fields.reserve(96, 5);
        record
    }

    #[inline]
    fn clear(&mut self) {
        self.metadata = None;
        if let Some(overrides) = &mut self.overrides {
            **overrides = super::event::Overrides::default();
        }
        self.message = super::TextRange::default();
        self.thread_name = super::TextRange::default();
        self.fields.reset();
        self.path.clear();
        self.globals = None;
    }
}

#[inline]
fn take() -> Box<Record> {
    pool::take().unwrap_or_else(|| Box::new(Record::preallocated()))
}

#[inline]
fn recycle(mut record: Box<Record>) {
    record.clear();
    pool::put(record);
}

#[inline]
fn take_shared() -> Arc<Record> {
    pool::take().unwrap_or_else(|| Arc::new(Record::preallocated()))
}

/// Recycles the memory, or returns the record if it has other owners.
#[inline]
fn recycle_shared(mut record: Arc<Record>) -> Option<Arc<Record>> {
    let Some(last) = Arc::get_mut(&mut record) else { return Some(record) };
    last.clear();
    pool::put(record);
    None
}

/// Moves the record to shared memory.
#[inline]
fn share(mut record: Box<Record>) -> Arc<Record> {
    let mut shared = take_shared();
    // A spare has a single owner.
    std::mem::swap(Arc::make_mut(&mut shared), &mut *record);
    pool::put(record);
    shared
}

/// A record that is being filled.
pub(crate) struct Pooled(Box<Record>);

impl Pooled {
    #[inline]
    pub(crate) fn create() -> Self {
        Self(take())
    }

    /// The finished record.
    #[inline]
    pub(crate) fn into_owned(self) -> OwnedRecord {
        OwnedRecord(Storage::Unique(self.0))
    }
}

impl Deref for Pooled {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        &self.0
    }
}

impl DerefMut for Pooled {
    #[inline]
    fn deref_mut(&mut self) -> &mut Record {
        &mut self.0
    }
}

/// A record that can be stored, sent to another thread and read there. Its memory is pooled.
///
/// Clones of a record from [`Delivery::keep`](crate::Delivery::keep) share it. A record from
/// [`Delivery::take`](crate::Delivery::take) has a single owner: its clones are copies.
pub struct OwnedRecord(Storage);

enum Storage {
    Unique(Box<Record>),
    Shared(Arc<Record>),
    /// The record was moved out.
    Empty,
}

#[cold]
fn copy(record: &Record) -> Box<Record> {
    let mut copy = take();
    Record::clone_from(&mut copy, record);
    copy
}

impl OwnedRecord {
    /// Takes over a record.
    pub(crate) fn new(record: Record) -> Self {
        Self(Storage::Unique(Box::new(record)))
    }

    /// A second owner of the same record.
    #[inline]
    pub(crate) fn share(&mut self) -> Self {
        if let Storage::Unique(_) = self.0 {
            if let Storage::Unique(record) = std::mem::replace(&mut self.0, Storage::Empty) {
                self.0 = Storage::Shared(share(record));
            }
        }
        self.clone()
    }

    /// To change it: a copy, if it has other owners.
    pub(crate) fn make_mut(&mut self) -> &mut Record {
        if !matches!(self.0, Storage::Unique(_)) {
            self.0 = Storage::Unique(copy(self));
        }
        match &mut self.0 {
            Storage::Unique(record) => record,
            Storage::Shared(_) | Storage::Empty => unreachable!("it was made the only one"),
        }
    }

    /// Moves it out and leaves an empty record.
    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        Self(std::mem::replace(&mut self.0, Storage::Empty))
    }
}

impl Clone for OwnedRecord {
    fn clone(&self) -> Self {
        match &self.0 {
            Storage::Unique(record) => Self(Storage::Unique(copy(record))),
            Storage::Shared(record) => Self(Storage::Shared(Arc::clone(record))),
            Storage::Empty => Self(Storage::Empty),
        }
    }
}

impl Deref for OwnedRecord {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        match &self.0 {
            Storage::Unique(record) => record,
            Storage::Shared(record) => record,
            // After `take`, or while it is dropped.
            Storage::Empty => &EMPTY,
        }
    }
}

impl Drop for OwnedRecord {
    #[inline]
    fn drop(&mut self) {
        match std::mem::replace(&mut self.0, Storage::Empty) {
            Storage::Unique(record) => recycle(record),
            Storage::Shared(record) => drop(recycle_shared(record)),
            Storage::Empty => {}
        }
    }
}

impl std::fmt::Debug for OwnedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

/// Drops many records and recycles their memory. One that a handler still uses goes to `late` until the next call: if both
/// dropped it at the same time, neither would recycle it.
pub(crate) fn recycle_all(owned: &mut Vec<OwnedRecord>, late: &mut Vec<OwnedRecord>) {
    // Whoever still has one of these keeps it for long.
    late.clear();
    for mut owned in owned.drain(..) {
        match std::mem::replace(&mut owned.0, Storage::Empty) {
            Storage::Unique(record) => recycle(record),
            Storage::Shared(record) => {
                late.extend(recycle_shared(record).map(|record| OwnedRecord(Storage::Shared(record))));
            }
            Storage::Empty => {}
        }
    }
}

static EMPTY: LazyLock<Record> = LazyLock::new(Record::default);

#[cfg(test)]
mod tests {
    use super::{super::pool::MAGAZINE, *};
    use crate::Severity;

    fn memory(record: &Record) -> usize {
        std::ptr::from_ref(record) as usize
    }

    /// In shared memory.
    fn shared() -> OwnedRecord {
        Pooled::create().into_owned().share()
    }

    #[test]
    fn an_owned_record_outlives_its_event_and_its_memory_is_reused() {
        let mut record = Pooled::create();
        record.set_message("owned");
        record.severity = Severity::ERROR;
        let mut owned = record.into_owned();
        let again = owned.share();
        assert_eq!((owned.message(), again.message()), ("owned", "owned"));
        let address = memory(&owned);
        assert_eq!(address, memory(&again));
        std::thread::spawn(move || drop(owned)).join().unwrap();
        assert_eq!(again.message(), "owned");
        drop(again);
        let next = shared();
        assert_eq!((memory(&next), next.message()), (address, ""));
    }

    #[test]
    fn a_record_with_one_owner_is_never_moved() {
        let mut record = Pooled::create();
        record.set_message("given");
        let address = memory(&record);
        let mut owned = record.into_owned();
        assert_eq!((memory(&owned), owned.message()), (address, "given"));
        let copy = owned.clone();
        assert_ne!(memory(&copy), address);
        assert_eq!(copy.message(), "given");
        let taken = owned.take();
        assert_eq!((memory(&taken), owned.message()), (address, ""));
        drop((taken, owned));
        assert_eq!(memory(&Pooled::create()), address);
    }

    #[test]
    fn spares_reach_the_threads_that_need_them() {
        let owned: Vec<_> = (0..5 * MAGAZINE).map(|_| shared()).collect();
        let addresses: Vec<_> = owned.iter().map(|owned| memory(owned)).collect();
        std::thread::spawn(move || drop(owned)).join().unwrap();
        // The other thread's spares; other tests may have taken some of them.
        let next: Vec<_> = (0..MAGAZINE).map(|_| shared()).collect();
        assert!(next.iter().any(|next| addresses.contains(&memory(next))));
    }

    #[test]
    fn keep_copies() {
        let record = Record::new(Severity::INFO, "a", "b");
        let owned = record.keep();
        drop(record);
        assert_eq!((owned.target(), owned.message()), ("a", "b"));
    }
}
