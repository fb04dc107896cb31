//! Where records live: in their thread's own memory, or, if they are likely to be kept, in memory that can be shared, so
//! that a queue keeps one without a copy. Both are used again and again.

use std::{
    cell::{Cell, RefCell},
    ops::{Deref, DerefMut},
    sync::{Arc, LazyLock, MutexGuard},
};

use super::Record;
use crate::fork::{self, Heirloom};

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
        self.line = None;
        self.metadata = None;
        self.own = super::Own::default();
        self.message = super::Span::default();
        self.thread_name = super::Span::default();
        self.fields.clear();
        self.chain.clear();
        self.globals = None;
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

// --- those that can be shared

/// How many change hands at once. A thread has up to two such lists, so that one that takes and gives in turn does not
/// go to the depot for each.
const LOT: usize = 64;
/// What the depot holds at most, in bytes.
const DEPOT_BYTES: usize = 16 << 20;

type Lot = Vec<Arc<Record>>;

/// Where a thread that only drops records, such as a queue's listener, leaves them for those that capture. Whole lists are
/// exchanged, so that its lock is never held for long.
struct Depot {
    /// Lists of some records, with the memory they take.
    lots: Vec<(Lot, usize)>,
    bytes: usize,
    /// Lists of none.
    empty: Vec<Lot>,
}

/// A listener may have it open at the moment of a fork; the child has that lock, and not the listener.
static DEPOT: Heirloom<Depot> = Heirloom::first(Depot::EMPTY);

impl Depot {
    const EMPTY: Self = Self { lots: Vec::new(), bytes: 0, empty: Vec::new() };

    fn open() -> MutexGuard<'static, Self> {
        // A record's own look comes after its capture, for which this may be opened.
        fork::check();
        // Spare memory belongs to nobody: what is there serves the child as well.
        DEPOT.lock(|_| {}, || Self::EMPTY)
    }

    /// Leaves some records in exchange for an empty list.
    #[cold]
    fn leave(lot: &mut Lot) {
        let bytes = lot.iter().map(|record| record.held_bytes()).sum();
        let mut depot = Self::open();
        if depot.bytes + bytes <= DEPOT_BYTES {
            depot.bytes += bytes;
            let empty = depot.empty.pop().unwrap_or_default();
            depot.lots.push((std::mem::replace(lot, empty), bytes));
            // Those that fetch them leave a list each, and are not to wait for memory.
            let lots = depot.lots.len();
            depot.empty.reserve(lots);
        }
        drop(depot);
        // What there was no place for.
        lot.clear();
    }

    /// Fetches some records in exchange for an empty list. Those that came last are the likeliest to be in a cache yet.
    #[cold]
    fn fetch(lot: &mut Lot) {
        let mut depot = Self::open();
        if let Some((full, bytes)) = depot.lots.pop() {
            depot.bytes -= bytes;
            let empty = std::mem::replace(lot, full);
            depot.empty.push(empty);
        }
    }
}

thread_local! {
    static SHARED: RefCell<Spares> = const { RefCell::new(Spares { near: Vec::new(), far: Vec::new() }) };
}

/// A thread's own.
struct Spares {
    near: Lot,
    far: Lot,
}

impl Spares {
    #[inline]
    fn take(&mut self) -> Option<Arc<Record>> {
        if self.near.is_empty() {
            std::mem::swap(&mut self.near, &mut self.far);
            if self.near.is_empty() {
                Depot::fetch(&mut self.near);
            }
        }
        self.near.pop()
    }

    #[inline]
    fn put(&mut self, record: Arc<Record>) {
        if self.near.len() >= LOT {
            std::mem::swap(&mut self.near, &mut self.far);
            if !self.near.is_empty() {
                Depot::leave(&mut self.near);
            }
        }
        self.near.push(record);
    }
}

/// A thread that ends leaves what it has.
impl Drop for Spares {
    fn drop(&mut self) {
        for lot in [&mut self.near, &mut self.far] {
            if !lot.is_empty() {
                Depot::leave(lot);
            }
        }
    }
}

#[inline]
fn take_shared() -> Arc<Record> {
    let spare = SHARED.try_with(|spares| spares.try_borrow_mut().ok()?.take());
    spare.ok().flatten().unwrap_or_else(|| Arc::new(Record::roomy()))
}

/// The memory of a record that nobody has any more is used again; else somebody else is the last.
/// The memory of a record that nobody has any more is used again; else it is returned, and somebody else is the last.
#[inline]
fn give_back_shared(mut record: Arc<Record>) -> Option<Arc<Record>> {
    let Some(last) = Arc::get_mut(&mut record) else { return Some(record) };
    last.clear();
    SHARED
        .try_with(|spares| {
            if let Ok(mut spares) = spares.try_borrow_mut() {
                spares.put(record);
            }
        })
        .unwrap_or_default();
    None
}

/// Drops many, with their memory left for those that capture. Where the caller's handlers are not done with one yet, it
/// goes to `late`, for the next time: were both to let go of it at once, neither would be the last to use it again.
pub(crate) fn give_back_all(kept: &mut Vec<Kept>, late: &mut Vec<Kept>) {
    // Whoever has one of those now has it for long.
    late.clear();
    let records = kept.drain(..).filter_map(|mut kept| kept.0.take());
    late.extend(records.filter_map(give_back_shared).map(|record| Kept(Some(record))));
}

// --- being filled, being shown

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

/// A record that is being filled.
pub(crate) enum Pooled {
    Shared(Arc<Record>),
    Own(Box<Record>),
}

impl Pooled {
    /// Memory that can be shared costs a little more, so it is taken only for a record that somebody is likely to keep.
    #[inline]
    pub(crate) fn create(to_keep: bool) -> Self {
        if to_keep {
            Self::Shared(take_shared())
        } else {
            Self::Own(take_spare().unwrap_or_else(|| Box::new(Record::roomy())))
        }
    }

    /// The finished record for one who goes on with it, if that needs no copy.
    #[inline]
    pub(crate) fn into_kept(self) -> Result<Kept, Self> {
        match self {
            Self::Shared(record) => Ok(Kept(Some(record))),
            Self::Own(_) => Err(self),
        }
    }

    /// Shows the finished record; after that its memory is free, unless somebody kept it.
    #[inline]
    pub(crate) fn show<R>(self, look: impl FnOnce(&Record) -> R) -> R {
        match self {
            Self::Shared(record) => show_shared(record, look),
            Self::Own(record) => {
                let result = look(&record);
                give_back(record);
                result
            }
        }
    }
}

impl Deref for Pooled {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        match self {
            Self::Shared(record) => record,
            Self::Own(record) => record,
        }
    }
}

impl DerefMut for Pooled {
    #[inline]
    fn deref_mut(&mut self) -> &mut Record {
        match self {
            // Nobody else has it while it is being filled.
            Self::Shared(record) => Arc::make_mut(record),
            Self::Own(record) => record,
        }
    }
}

/// A record that is kept: it can be sent to another thread and read there. Clones are the same record. When the last is
/// dropped, its memory serves another one.
#[derive(Clone)]
pub struct Kept(Option<Arc<Record>>);

pub(super) fn keep(record: &Record) -> Kept {
    let shown = STAGE.try_with(|stage| stage.find(record)).ok().flatten();
    Kept(Some(shown.unwrap_or_else(|| copy(record))))
}

#[cold]
fn copy(record: &Record) -> Arc<Record> {
    let mut copy = take_shared();
    Arc::make_mut(&mut copy).clone_from(record);
    copy
}

impl Kept {
    /// One's own record, in memory of its own: a thread that makes one now and then keeps no spares for it.
    pub(crate) fn new(record: Record) -> Self {
        Self(Some(Arc::new(record)))
    }

    /// Shows it to a handler, which can keep it, too, without a copy.
    #[inline]
    pub(crate) fn show<R>(mut self, look: impl FnOnce(&Record) -> R) -> Option<R> {
        self.0.take().map(|record| show_shared(record, look))
    }
}

impl Deref for Kept {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        // None only while it is dropped.
        self.0.as_deref().unwrap_or_else(|| &NOTHING)
    }
}

impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        if let Some(record) = self.0.take() {
            give_back_shared(record);
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
    fn a_kept_record_outlives_its_event_and_its_memory_is_used_again() {
        let mut record = Pooled::create(true);
        record.set_message("kept");
        record.severity = Severity::ERROR;
        let memory = std::ptr::from_ref(&*record);
        let (kept, again) = record.show(|record| (record.keep(), record.keep()));
        assert_eq!((kept.message(), again.message()), ("kept", "kept"));
        assert!(std::ptr::eq(memory, &*kept) && std::ptr::eq(memory, &*again));
        std::thread::spawn(move || drop(kept)).join().unwrap();
        assert_eq!(again.message(), "kept");
        drop(again);
        let next = Pooled::create(true);
        assert!(std::ptr::eq(memory, &*next));
        assert_eq!(next.message(), "");
    }

    #[test]
    fn a_kept_record_that_is_shown_again_is_kept_without_a_copy() {
        let kept = Record::new(Severity::INFO, "a", "b").keep();
        let memory = std::ptr::from_ref(&*kept);
        let again = kept.show(|record| record.keep()).unwrap();
        assert!(std::ptr::eq(memory, &*again));
    }

    #[test]
    fn a_record_within_a_record_is_another() {
        let mut outer = Pooled::create(true);
        outer.set_message("outer");
        let (outer, inner) = outer.show(|outer| {
            let mut inner = Pooled::create(true);
            inner.set_message("inner");
            let inner = inner.show(Record::keep);
            (outer.keep(), inner)
        });
        assert_eq!((outer.message(), inner.message()), ("outer", "inner"));
    }

    #[test]
    fn a_handler_that_panics_leaves_the_stage_clean() {
        let panic = std::panic::catch_unwind(|| Pooled::create(true).show(|_| panic!("scripted")));
        assert!(panic.is_err());
        assert_eq!(STAGE.with(|stage| stage.count.get()), 0);
        assert!(STAGE.with(|stage| stage.records.iter().all(|slot| slot.borrow().is_none())));
    }

    #[test]
    fn spares_go_to_where_they_are_wanted() {
        let kept: Vec<_> = (0..5 * LOT).map(|_| Pooled::create(true).show(Record::keep)).collect();
        let memory: Vec<_> = kept.iter().map(|kept| std::ptr::from_ref(&**kept) as usize).collect();
        std::thread::spawn(move || drop(kept)).join().unwrap();
        // What the other thread had over; other tests may have taken some of it.
        let next: Vec<_> = (0..LOT).map(|_| Pooled::create(true)).collect();
        assert!(next.iter().any(|next| memory.contains(&(std::ptr::from_ref(&**next) as usize))));
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
