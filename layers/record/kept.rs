//! Records in memory that is used again: while they are filled, while handlers look at them, and while somebody keeps them.
//!
//! A record is filled in memory that one thread has at a time: no count of references has to be asked. It is moved to
//! memory that can be shared only where several want it.

use std::{
    cell::{Cell, RefCell},
    ops::{Deref, DerefMut},
    sync::{Arc, LazyLock},
};

use super::{Record, pool};

impl Record {
    /// Memory for most events at once, instead of a little more and again a little more. Much more would only be further
    /// to go.
    #[cold]
    fn roomy() -> Self {
        let mut record = Self::default();
        record.fields.reserve(96, 5);
        record
    }

    #[inline]
    fn clear(&mut self) {
        self.metadata = None;
        if let Some(own) = &mut self.own {
            **own = super::Own::default();
        }
        self.message = super::Span::default();
        self.thread_name = super::Span::default();
        self.fields.clear();
        self.chain.clear();
        self.globals = None;
    }
}

#[inline]
fn take() -> Box<Record> {
    pool::take().unwrap_or_else(|| Box::new(Record::roomy()))
}

#[inline]
fn give_back(mut record: Box<Record>) {
    record.clear();
    pool::put(record);
}

#[inline]
fn take_shared() -> Arc<Record> {
    pool::take().unwrap_or_else(|| Arc::new(Record::roomy()))
}

/// The memory of a record that nobody has any more is used again; else it is returned, and somebody else is the last.
#[inline]
fn give_back_shared(mut record: Arc<Record>) -> Option<Arc<Record>> {
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
    pub(crate) fn into_kept(self) -> Kept {
        Kept(Memory::Own(self.0))
    }

    /// Shows the finished record to a handler; after that its memory is free. If it `keeps` what it sees, it needs no copy.
    #[inline]
    pub(crate) fn show<R>(self, keeps: bool, look: impl FnOnce(&Record) -> R) -> R {
        if keeps {
            return show_shared(share(self.0), look);
        }
        let result = look(&self.0);
        give_back(self.0);
        result
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
/// Clones of what [`Record::keep`] gave are the same record. One that was given away
/// ([`Handler::take_over`](crate::Handler::take_over)) is in nobody else's hands, and a clone of it a copy.
pub struct Kept(Memory);

enum Memory {
    Own(Box<Record>),
    Shared(Arc<Record>),
    /// Moved elsewhere.
    Gone,
}

pub(super) fn keep(record: &Record) -> Kept {
    let shown = STAGE.try_with(|stage| stage.find(record)).ok().flatten();
    Kept(Memory::Shared(shown.unwrap_or_else(|| share(copy(record)))))
}

#[cold]
fn copy(record: &Record) -> Box<Record> {
    let mut copy = take();
    Record::clone_from(&mut copy, record);
    copy
}

impl Kept {
    /// One's own record.
    pub(crate) fn new(record: Record) -> Self {
        Self(Memory::Own(Box::new(record)))
    }

    /// Shows it to a handler, which can keep it, too, without a copy.
    #[inline]
    pub(crate) fn show<R>(mut self, look: impl FnOnce(&Record) -> R) -> R {
        match self.take() {
            Memory::Own(record) => show_shared(share(record), look),
            Memory::Shared(record) => show_shared(record, look),
            Memory::Gone => look(&NOTHING),
        }
    }

    /// The same, and goes on keeping it.
    #[inline]
    pub(crate) fn lend<R>(&mut self, look: impl FnOnce(&Record) -> R) -> R {
        if let Memory::Own(_) = self.0
            && let Memory::Own(record) = self.take()
        {
            self.0 = Memory::Shared(share(record));
        }
        self.clone().show(look)
    }

    #[inline]
    fn take(&mut self) -> Memory {
        std::mem::replace(&mut self.0, Memory::Gone)
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        match &self.0 {
            Memory::Own(record) => Self(Memory::Own(copy(record))),
            Memory::Shared(record) => Self(Memory::Shared(Arc::clone(record))),
            Memory::Gone => Self(Memory::Gone),
        }
    }
}

impl Deref for Kept {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        match &self.0 {
            Memory::Own(record) => record,
            Memory::Shared(record) => record,
            // Only while it is dropped.
            Memory::Gone => &NOTHING,
        }
    }
}

impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        match self.take() {
            Memory::Own(record) => give_back(record),
            Memory::Shared(record) => drop(give_back_shared(record)),
            Memory::Gone => {}
        }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

/// Drops many, with their memory left for those that capture. Where the caller's handlers are not done with one yet, it
/// goes to `late`, for the next time: were both to let go of it at once, neither would be the last to use it again.
pub(crate) fn give_back_all(kept: &mut Vec<Kept>, late: &mut Vec<Kept>) {
    // Whoever has one of those now has it for long.
    late.clear();
    for mut kept in kept.drain(..) {
        match kept.take() {
            Memory::Own(record) => give_back(record),
            Memory::Shared(record) => {
                late.extend(give_back_shared(record).map(|record| Kept(Memory::Shared(record))));
            }
            Memory::Gone => {}
        }
    }
}

// --- being shown

/// How many records that can be shared are shown on a thread at once: one, its rewritten copies, those of values that log
/// while they are logged. Further ones are copied when they are kept.
const SHOWN: usize = 4;

thread_local! {
    /// Those that handlers on this thread look at: who has a reference to one of them finds its owner here.
    static STAGE: Stage = const { Stage { records: [const { RefCell::new(None) }; SHOWN], count: Cell::new(0) } };
}

struct Stage {
    records: [RefCell<Option<Arc<Record>>>; SHOWN],
    count: Cell<usize>,
}

impl Stage {
    #[inline]
    fn show<R>(&self, record: Arc<Record>, look: impl FnOnce(&Record) -> R) -> R {
        let place = self.count.get();
        let Some(slot) = self.records.get(place) else { return look(&record) };
        let Ok(mut free) = slot.try_borrow_mut() else { return look(&record) };
        *free = Some(record);
        drop(free);
        self.count.set(place + 1);
        let leave = Leave { stage: self, place };
        let shown = slot.borrow();
        // Always there; an empty record could only mean that somebody else has cleared the stage.
        let result = look(shown.as_deref().unwrap_or(&NOTHING));
        drop(shown);
        drop(leave);
        result
    }

    #[inline]
    fn find(&self, record: &Record) -> Option<Arc<Record>> {
        self.records[..self.count.get()].iter().rev().find_map(|slot| {
            let slot = slot.try_borrow().ok()?;
            slot.as_ref().filter(|shown| std::ptr::eq(&***shown, record)).cloned()
        })
    }
}

/// Clears the place also when a handler panics.
struct Leave<'a> {
    stage: &'a Stage,
    place: usize,
}

impl Drop for Leave<'_> {
    #[inline]
    fn drop(&mut self) {
        self.stage.count.set(self.place);
        if let Ok(mut slot) = self.stage.records[self.place].try_borrow_mut()
            && let Some(record) = slot.take()
        {
            drop(slot);
            give_back_shared(record);
        }
    }
}

static NOTHING: LazyLock<Record> = LazyLock::new(Record::default);

fn show_shared<R>(record: Arc<Record>, look: impl FnOnce(&Record) -> R) -> R {
    let mut both = Some((record, look));
    let shown = STAGE.try_with(|stage| both.take().map(|(record, look)| stage.show(record, look)));
    match (shown, both) {
        (Ok(Some(result)), _) => result,
        // The thread is ending: what is kept is copied.
        (_, Some((record, look))) => look(&record),
        (_, None) => unreachable!("the closure was taken, so its result is here"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::pool::LOT, *};
    use crate::Severity;

    fn memory(record: &Record) -> usize {
        std::ptr::from_ref(record) as usize
    }

    #[test]
    fn a_kept_record_outlives_its_event_and_its_memory_is_used_again() {
        let mut record = Pooled::create();
        record.set_message("kept");
        record.severity = Severity::ERROR;
        let (kept, again) = record.show(true, |record| (record.keep(), record.keep()));
        assert_eq!((kept.message(), again.message()), ("kept", "kept"));
        let place = memory(&kept);
        assert_eq!(place, memory(&again));
        std::thread::spawn(move || drop(kept)).join().unwrap();
        assert_eq!(again.message(), "kept");
        drop(again);
        let next = Pooled::create().show(true, Record::keep);
        assert_eq!((memory(&next), next.message()), (place, ""));
    }

    #[test]
    fn a_record_that_is_given_away_stays_where_it_is() {
        let mut record = Pooled::create();
        record.set_message("given");
        let place = memory(&record);
        let kept = record.into_kept();
        assert_eq!((memory(&kept), kept.message()), (place, "given"));
        let copy = kept.clone();
        assert_ne!(memory(&copy), place);
        assert_eq!(copy.message(), "given");
        drop(kept);
        assert_eq!(memory(&Pooled::create()), place);
    }

    #[test]
    fn a_kept_record_that_is_shown_again_is_kept_without_a_copy() {
        let kept = Record::new(Severity::INFO, "a", "b").keep();
        let place = memory(&kept);
        assert_eq!(memory(&kept.show(Record::keep)), place);
    }

    #[test]
    fn a_record_that_is_lent_is_kept_on_both_sides() {
        let mut kept = Kept::new(Record::new(Severity::INFO, "a", "b"));
        let theirs = kept.lend(Record::keep);
        assert_eq!(memory(&kept), memory(&theirs));
        assert_eq!((kept.message(), theirs.message()), ("b", "b"));
        let again = kept.lend(Record::keep);
        assert_eq!(memory(&again), memory(&theirs));
    }

    #[test]
    fn a_record_within_a_record_is_another() {
        let mut outer = Pooled::create();
        outer.set_message("outer");
        let (outer, inner) = outer.show(true, |outer| {
            let mut inner = Pooled::create();
            inner.set_message("inner");
            let inner = inner.show(true, Record::keep);
            (outer.keep(), inner)
        });
        assert_eq!((outer.message(), inner.message()), ("outer", "inner"));
    }

    #[test]
    fn a_handler_that_panics_leaves_the_stage_clean() {
        let panic = std::panic::catch_unwind(|| Pooled::create().show(true, |_| panic!("scripted")));
        assert!(panic.is_err());
        assert_eq!(STAGE.with(|stage| stage.count.get()), 0);
        assert!(STAGE.with(|stage| stage.records.iter().all(|slot| slot.borrow().is_none())));
    }

    #[test]
    fn spares_go_to_where_they_are_wanted() {
        let kept: Vec<_> = (0..5 * LOT).map(|_| Pooled::create().show(true, Record::keep)).collect();
        let places: Vec<_> = kept.iter().map(|kept| memory(kept)).collect();
        std::thread::spawn(move || drop(kept)).join().unwrap();
        // What the other thread had over; other tests may have taken some of it.
        let next: Vec<_> = (0..LOT).map(|_| Pooled::create().show(true, Record::keep)).collect();
        assert!(next.iter().any(|next| places.contains(&memory(next))));
    }

    #[test]
    fn a_record_that_nobody_was_to_keep_is_copied_and_its_memory_used_again() {
        let mut record = Pooled::create();
        record.set_message("kept all the same");
        let place = memory(&record);
        let kept = record.show(false, Record::keep);
        assert_ne!(place, memory(&kept));
        assert_eq!(kept.message(), "kept all the same");
        // `keep` has used one meanwhile.
        assert!([Pooled::create(), Pooled::create()].iter().any(|next| memory(next) == place));
    }

    #[test]
    fn ones_own_record_is_copied() {
        let record = Record::new(Severity::INFO, "a", "b");
        let kept = record.keep();
        drop(record);
        assert_eq!((kept.target(), kept.message()), ("a", "b"));
    }
}
