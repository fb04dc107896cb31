//! Records in memory that is used again: while they are filled, while handlers look at them, and while somebody keeps them.
//!
//! A record is filled in memory that one thread has at a time: no count of references has to be asked. It is moved to
//! memory that can be shared only where several want it.

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

    /// Memory for most events at once, instead of a little more and again a little more. Much more would only be further
    /// to go.
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
        self.fields.clear();
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

/// The memory of a record that nobody has any more is used again; else it is returned, and somebody else is the last.
#[inline]
fn recycle_shared(mut record: Arc<Record>) -> Option<Arc<Record>> {
    let Some(last) = Arc::get_mut(&mut record) else { return Some(record) };
    last.clear();
    pool::put(record);
    None
}

/// Moves it to memory that can be shared.
#[inline]
fn share(mut record: Box<Record>) -> Arc<Record> {
    let mut shared = take_shared();
    // Nobody else has a spare.
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

    /// The finished record for one who goes on with it.
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

/// A record that is kept: it can be sent to another thread and read there. When it is dropped, its memory serves another
/// one.
///
/// Clones of what [`Delivery::keep`](crate::Delivery::keep) gave are the same record. One that was taken alone is in nobody
/// else's hands, and a clone of it a copy.
pub struct OwnedRecord(Storage);

enum Storage {
    Unique(Box<Record>),
    Shared(Arc<Record>),
    /// Moved elsewhere.
    Empty,
}

#[cold]
fn copy(record: &Record) -> Box<Record> {
    let mut copy = take();
    Record::clone_from(&mut copy, record);
    copy
}

impl OwnedRecord {
    /// One's own record.
    pub(crate) fn new(record: Record) -> Self {
        Self(Storage::Unique(Box::new(record)))
    }

    /// The same record for somebody else, in memory that both have.
    #[inline]
    pub(crate) fn share(&mut self) -> Self {
        if let Storage::Unique(_) = self.0
            && let Storage::Unique(record) = std::mem::replace(&mut self.0, Storage::Empty)
        {
            self.0 = Storage::Shared(share(record));
        }
        self.clone()
    }

    /// Moves it out; an empty record stays.
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
            // Only while it is dropped.
            Storage::Empty => &NOTHING,
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

/// Drops many, with their memory left for those that capture. Where the caller's handlers are not done with one yet, it
/// goes to `late`, for the next time: were both to let go of it at once, neither would be the last to use it again.
pub(crate) fn recycle_all(owned: &mut Vec<OwnedRecord>, late: &mut Vec<OwnedRecord>) {
    // Whoever has one of those now has it for long.
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

static NOTHING: LazyLock<Record> = LazyLock::new(Record::default);

#[cfg(test)]
mod tests {
    use super::{super::pool::MAGAZINE, *};
    use crate::Severity;

    fn memory(record: &Record) -> usize {
        std::ptr::from_ref(record) as usize
    }

    /// One that others may share.
    fn shared() -> OwnedRecord {
        Pooled::create().into_owned().share()
    }

    #[test]
    fn a_kept_record_outlives_its_event_and_its_memory_is_used_again() {
        let mut record = Pooled::create();
        record.set_message("kept");
        record.severity = Severity::ERROR;
        let mut owned = record.into_owned();
        let again = owned.share();
        assert_eq!((owned.message(), again.message()), ("kept", "kept"));
        let place = memory(&owned);
        assert_eq!(place, memory(&again));
        std::thread::spawn(move || drop(owned)).join().unwrap();
        assert_eq!(again.message(), "kept");
        drop(again);
        let next = shared();
        assert_eq!((memory(&next), next.message()), (place, ""));
    }

    #[test]
    fn a_record_that_is_given_away_stays_where_it_is() {
        let mut record = Pooled::create();
        record.set_message("given");
        let place = memory(&record);
        let mut owned = record.into_owned();
        assert_eq!((memory(&owned), owned.message()), (place, "given"));
        let copy = owned.clone();
        assert_ne!(memory(&copy), place);
        assert_eq!(copy.message(), "given");
        let taken = owned.take();
        assert_eq!((memory(&taken), owned.message()), (place, ""));
        drop((taken, owned));
        assert_eq!(memory(&Pooled::create()), place);
    }

    #[test]
    fn spares_go_to_where_they_are_wanted() {
        let owned: Vec<_> = (0..5 * MAGAZINE).map(|_| shared()).collect();
        let places: Vec<_> = owned.iter().map(|owned| memory(owned)).collect();
        std::thread::spawn(move || drop(owned)).join().unwrap();
        // What the other thread had over; other tests may have taken some of it.
        let next: Vec<_> = (0..MAGAZINE).map(|_| shared()).collect();
        assert!(next.iter().any(|next| places.contains(&memory(next))));
    }

    #[test]
    fn ones_own_record_is_copied() {
        let record = Record::new(Severity::INFO, "a", "b");
        let owned = record.keep();
        drop(record);
        assert_eq!((owned.target(), owned.message()), ("a", "b"));
    }
}
