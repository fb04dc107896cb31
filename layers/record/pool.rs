//! Memory of records that are done with, to be used again.

use std::{
    cell::RefCell,
    sync::{Arc, MutexGuard},
    thread::LocalKey,
};

use super::Record;
use crate::fork::{self, Heirloom};

/// How many change hands at once. A thread has up to two such lists, so that one that takes and gives in turn does not
/// go to the depot for each.
pub(super) const LOT: usize = 64;
/// What a depot holds at most, in bytes.
const DEPOT_BYTES: usize = 16 << 20;

type Lot<T> = Vec<T>;

/// A record in one of the two kinds of memory: one's own, or shared.
pub(super) trait Spare: Sized + 'static {
    /// The thread's own, and where it gets more.
    const HERE: &'static LocalKey<RefCell<Spares<Self>>>;
    /// A thread may have it open at the moment of a fork; the child has that lock, and not the thread.
    const DEPOT: &'static Heirloom<Depot<Self>>;

    fn record(&self) -> &Record;
}

thread_local! {
    static OWN: RefCell<Spares<Box<Record>>> = const { RefCell::new(Spares::NONE) };
    static SHARED: RefCell<Spares<Arc<Record>>> = const { RefCell::new(Spares::NONE) };
}

static OWN_DEPOT: Heirloom<Depot<Box<Record>>> = Heirloom::first(Depot::EMPTY);
static SHARED_DEPOT: Heirloom<Depot<Arc<Record>>> = Heirloom::first(Depot::EMPTY);

impl Spare for Box<Record> {
    const HERE: &'static LocalKey<RefCell<Spares<Self>>> = &OWN;
    const DEPOT: &'static Heirloom<Depot<Self>> = &OWN_DEPOT;

    fn record(&self) -> &Record {
        self
    }
}

impl Spare for Arc<Record> {
    const HERE: &'static LocalKey<RefCell<Spares<Self>>> = &SHARED;
    const DEPOT: &'static Heirloom<Depot<Self>> = &SHARED_DEPOT;

    fn record(&self) -> &Record {
        self
    }
}

/// An empty record, if there is one.
#[inline]
pub(super) fn take<T: Spare>() -> Option<T> {
    T::HERE.try_with(|spares| spares.try_borrow_mut().ok()?.take()).ok().flatten()
}

/// Leaves an empty record for another time.
#[inline]
pub(super) fn put<T: Spare>(record: T) {
    // A thread that is ending has no use for spares.
    T::HERE
        .try_with(|spares| {
            if let Ok(mut spares) = spares.try_borrow_mut() {
                spares.put(record);
            }
        })
        .unwrap_or_default();
}

/// A thread's own.
pub(super) struct Spares<T: Spare> {
    near: Lot<T>,
    far: Lot<T>,
}

impl<T: Spare> Spares<T> {
    const NONE: Self = Self { near: Vec::new(), far: Vec::new() };

    #[inline]
    fn take(&mut self) -> Option<T> {
        if self.near.is_empty() {
            self.fetch();
        }
        self.near.pop()
    }

    #[cold]
    fn fetch(&mut self) {
        std::mem::swap(&mut self.near, &mut self.far);
        if self.near.is_empty() {
            Depot::fetch(&mut self.near);
        }
    }

    #[inline]
    fn put(&mut self, record: T) {
        if self.near.len() >= LOT {
            self.leave();
        }
        self.near.push(record);
    }

    #[cold]
    fn leave(&mut self) {
        std::mem::swap(&mut self.near, &mut self.far);
        if !self.near.is_empty() {
            Depot::leave(&mut self.near);
        }
    }
}

/// A thread that ends leaves what it has.
impl<T: Spare> Drop for Spares<T> {
    fn drop(&mut self) {
        for lot in [&mut self.near, &mut self.far] {
            if !lot.is_empty() {
                Depot::leave(lot);
            }
        }
    }
}

/// Where a thread that only drops records, such as a queue's listener, leaves them for those that capture. Whole lists are
/// exchanged, so that its lock is never held for long.
pub(super) struct Depot<T> {
    /// Lists of some records, with the memory they take.
    lots: Vec<(Lot<T>, usize)>,
    bytes: usize,
    /// Lists of none.
    empty: Vec<Lot<T>>,
}

impl<T: Spare> Depot<T> {
    const EMPTY: Self = Self { lots: Vec::new(), bytes: 0, empty: Vec::new() };

    fn open() -> MutexGuard<'static, Self> {
        // A record's own look comes after its capture, for which this may be opened.
        fork::check();
        // Spare memory belongs to nobody: what is there serves the child as well.
        T::DEPOT.lock(|_| {}, || Self::EMPTY)
    }

    /// Leaves some records in exchange for an empty list.
    fn leave(lot: &mut Lot<T>) {
        let bytes = lot.iter().map(|record| record.record().held_bytes()).sum();
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
    fn fetch(lot: &mut Lot<T>) {
        let mut depot = Self::open();
        if let Some((full, bytes)) = depot.lots.pop() {
            depot.bytes -= bytes;
            let empty = std::mem::replace(lot, full);
            depot.empty.push(empty);
        }
    }
}
