//! Where records live: in their thread's own memory, or, if they are likely to be kept, in a lock-free slab, so that a
//! queue keeps one without a copy. Both are used again and again.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
    sync::{Arc, LazyLock},
};

use sharded_slab::{Clear, Pool};

use super::Record;

static POOL: LazyLock<Arc<Pool<Record>>> = LazyLock::new(|| Arc::new(Pool::new()));

/// The slab panics when a thread asks for a place after its thread-locals are gone. This one is made after the slab's
/// own and therefore dropped before it: while it is here, so is the slab's.
struct Alive;

thread_local! {
    static ALIVE: Alive = {
        drop(POOL.create());
        Alive
    };
}

impl Drop for Alive {
    // Having one is the point: only a thread-local with a destructor knows that it is gone.
    fn drop(&mut self) {}
}

fn create() -> Option<sharded_slab::pool::RefMut<'static, Record>> {
    ALIVE.try_with(|_| ()).ok()?;
    POOL.create()
}

impl Clear for Record {
    #[inline]
    fn clear(&mut self) {
        self.line = None;
        self.metadata = None;
        self.own = super::Own::default();
        self.fields.clear();
        self.chain.clear();
        self.globals = None;
        self.key = None;
    }
}

// --- the thread's own

/// How many a thread has at hand: one record, its rewritten copies, those of values that log while they are logged.
const SPARE: usize = 8;

thread_local! {
    // Boxed, because a record is moved in and out for every event and is some hundred bytes.
    #[expect(clippy::vec_box)]
    static SPARES: RefCell<Vec<Box<Record>>> = const { RefCell::new(Vec::new()) };
}

#[inline]
fn take_spare() -> Option<Box<Record>> {
    SPARES.try_with(|spares| spares.try_borrow_mut().ok()?.pop()).ok().flatten()
}

#[inline]
fn give_back(mut record: Box<Record>) {
    record.clear();
    // A thread that is ending has no use for spares.
    SPARES
        .try_with(|spares| {
            if let Ok(mut spares) = spares.try_borrow_mut()
                && spares.len() < SPARE
            {
                spares.push(record);
            }
        })
        .unwrap_or_default();
}

/// A record that is being filled.
pub(crate) enum Pooled {
    Slot(sharded_slab::pool::RefMut<'static, Record>),
    Own(Box<Record>),
}

impl Pooled {
    /// A place in the slab costs as much as capturing a few fields, so it is taken only for a record that somebody is
    /// likely to keep. (If the slab is full or the thread is ending, there is none.)
    #[inline]
    pub(crate) fn create(to_keep: bool) -> Self {
        if to_keep && let Some(slot) = create() {
            return Self::Slot(slot);
        }
        Self::Own(take_spare().unwrap_or_default())
    }

    /// Shows the finished record; after that its place in the pool is free, unless somebody kept it.
    #[inline]
    pub(crate) fn show<R>(self, look: impl FnOnce(&Record) -> R) -> R {
        match self {
            Self::Slot(mut slot) => {
                let key = slot.key();
                slot.key = Some(key);
                let slot = slot.downgrade();
                let _clear = ClearOnDrop(key);
                look(&slot)
            }
            Self::Own(record) => {
                let result = look(&record);
                give_back(record);
                result
            }
        }
    }
}

struct ClearOnDrop(usize);

impl Drop for ClearOnDrop {
    #[inline]
    fn drop(&mut self) {
        POOL.clear(self.0);
    }
}

impl Deref for Pooled {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        match self {
            Self::Slot(slot) => slot,
            Self::Own(record) => record,
        }
    }
}

impl DerefMut for Pooled {
    #[inline]
    fn deref_mut(&mut self) -> &mut Record {
        match self {
            Self::Slot(slot) => slot,
            Self::Own(record) => record,
        }
    }
}

/// A record that is kept: it can be sent to another thread and read there. Its place in the pool is free again when
/// the last one is dropped.
pub struct Kept(Inner);

enum Inner {
    // The owned reference, because the borrowed one may not leave its thread.
    Slot(sharded_slab::pool::OwnedRef<Record>),
    Own(Box<Record>),
}

pub(super) fn keep(record: &Record, key: Option<usize>) -> Kept {
    match key.and_then(|key| Arc::clone(&POOL).get_owned(key)) {
        Some(slot) => Kept(Inner::Slot(slot)),
        None => copy(record),
    }
}

/// A copy in the pool; outside of it where the pool has no room.
fn copy(record: &Record) -> Kept {
    let slot = create().and_then(|mut slot| {
        slot.clone_from(record);
        let key = slot.key();
        slot.key = Some(key);
        let slot = slot.downgrade();
        let kept = Arc::clone(&POOL).get_owned(key);
        drop(slot);
        POOL.clear(key);
        kept
    });
    Kept(slot.map_or_else(|| Inner::Own(Box::new(record.clone())), Inner::Slot))
}

impl Deref for Kept {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        match &self.0 {
            Inner::Slot(slot) => slot,
            Inner::Own(record) => record,
        }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    #[test]
    fn a_kept_record_outlives_its_event_and_frees_its_place() {
        let mut record = Pooled::create(true);
        record.set_message("kept");
        record.severity = Severity::ERROR;
        let kept = record.show(Record::keep);
        let again = kept.keep();
        assert_eq!((kept.message(), again.message()), ("kept", "kept"));
        let key = kept.key.unwrap();
        std::thread::spawn(move || drop(kept)).join().unwrap();
        assert_eq!(again.message(), "kept");
        drop(again);
        assert!(POOL.get(key).is_none());
    }

    #[test]
    fn a_record_that_nobody_was_to_keep_is_copied_and_its_memory_used_again() {
        let mut record = Pooled::create(false);
        record.set_message("kept all the same");
        let memory = std::ptr::from_ref(&*record);
        let kept = record.show(Record::keep);
        assert!(!std::ptr::eq(memory, &*kept));
        let next = Pooled::create(false);
        assert!(std::ptr::eq(memory, &*next));
        assert_eq!(kept.message(), "kept all the same");
    }

    #[test]
    fn ones_own_record_is_copied() {
        let record = Record::new(Severity::INFO, "a", "b");
        let kept = record.keep();
        drop(record);
        assert_eq!((kept.target(), kept.message()), ("a", "b"));
    }
}
