//! Filters that a configuration names: they decide, and some change the record.

use std::{
    cell::{Cell, RefCell},
    fmt,
    sync::Arc,
};

use crate::{Record, filter::Filter};

/// A filter by name: it decides, and it may change the record.
///
/// Python: an object with a `filter` method, or a callable. There one record is shared by all handlers, so a change made by
/// a filter is seen by every handler after it. Here a handler's filter changes the handler's own copy, unless
/// [`python_defaults`](super::LoggingBuilder::python_defaults) say otherwise; a logger's filter changes the record for all
/// handlers.
#[derive(Clone)]
pub struct ConfigFilter(Arc<Inner>);

struct Inner(Kind);

type Change = Box<dyn Fn(&mut Record) -> bool + Send + Sync>;

enum Kind {
    Decides(Box<dyn Filter>),
    Changes(Change),
    /// Whatever the rules, only the handler itself sees it.
    Replaces(Change),
}

impl ConfigFilter {
    /// One that only decides.
    pub fn decides(filter: impl Filter) -> Self {
        Self(Arc::new(Inner(Kind::Decides(Box::new(filter)))))
    }

    /// One that may change the record; false refuses it.
    pub fn changes(change: impl Fn(&mut Record) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner(Kind::Changes(Box::new(change)))))
    }

    /// One that makes another record of it, for the rest of that handler's (or, on a logger, that record's) way; false
    /// refuses it. Python 3.12: a filter that returns a record.
    pub fn replaces(change: impl Fn(&mut Record) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner(Kind::Replaces(Box::new(change)))))
    }

    /// Whether two are clones of one.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn only_decides(&self) -> bool {
        matches!(self.0.0, Kind::Decides(_))
    }

    /// What it has to tell of records it refused.
    pub(super) fn report(&self, all: bool, tell: &mut dyn FnMut(&Record)) {
        self.0.drain_summaries(all, tell);
    }

    /// For a logger; clones give the same.
    pub(super) fn as_filter(&self) -> Arc<dyn Filter> {
        Arc::clone(&self.0) as _
    }
}

impl fmt::Debug for ConfigFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.0 {
            Kind::Decides(_) => "Sieve::decides",
            Kind::Changes(_) => "Sieve::changes",
            Kind::Replaces(_) => "Sieve::replaces",
        })
    }
}

/// On a logger: what it changes is what all handlers get.
impl Filter for Inner {
    fn passes(&self, record: &Record) -> bool {
        let changed = take_changed();
        let (passes, changed) = match &self.0 {
            Kind::Decides(filter) => (filter.passes(changed.as_deref().unwrap_or(record)), changed),
            Kind::Changes(change) | Kind::Replaces(change) => {
                let mut copy = changed.unwrap_or_else(|| Box::new(record.clone()));
                (change(&mut copy), Some(copy))
            }
        };
        put_changed(changed);
        passes
    }

    fn drain_summaries(&self, all: bool, tell: &mut dyn FnMut(&Record)) {
        if let Kind::Decides(filter) = &self.0 {
            filter.drain_summaries(all, tell);
        }
    }
}

/// Asks the filters of a handler. What they changed is given with whether it passes; with `shares`, handlers after this
/// one see it.
pub(super) fn pass(sieves: &[ConfigFilter], record: &Record, shares: bool) -> (bool, Option<Box<Record>>) {
    let mut own: Option<Box<Record>> = None;
    let mut shown: Option<Box<Record>> = None;
    let mut replaced = false;
    let mut passes = true;
    for sieve in sieves {
        let current = own.as_deref().unwrap_or(record);
        passes = match &sieve.0.0 {
            Kind::Decides(filter) => filter.passes(current),
            Kind::Changes(change) => change(own.get_or_insert_with(|| Box::new(record.clone()))),
            Kind::Replaces(change) => {
                if !replaced {
                    // What was changed before stays with the record itself.
                    replaced = true;
                    shown.clone_from(&own);
                }
                change(own.get_or_insert_with(|| Box::new(record.clone())))
            }
        };
        if !passes {
            break;
        }
    }
    if shares {
        let shown = if replaced { shown } else { own.clone() };
        if shown.is_some() {
            put_changed(shown);
        }
    }
    (passes, own)
}

// --- the record that is on its way

thread_local! {
    /// What filters have made of the record, for each record that is on its way on this thread.
    static ON_ITS_WAY: RefCell<Vec<Option<Box<Record>>>> = const { RefCell::new(Vec::new()) };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A record's way from the first handler to the last.
pub(super) struct Way;

impl Way {
    pub(super) fn begin() -> Option<Self> {
        // Where the thread is ending, changes stay with their handlers.
        ON_ITS_WAY.try_with(|ways| ways.try_borrow_mut().ok().map(|mut ways| ways.push(None))).ok().flatten()?;
        DEPTH.set(DEPTH.get() + 1);
        Some(Self)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
        let last = ON_ITS_WAY.try_with(|ways| ways.try_borrow_mut().ok()?.pop()).ok();
        // Dropped here, outside the borrow.
        drop(last);
    }
}

/// Whether a record may have been changed on its way.
#[inline]
pub(super) fn is_on_its_way() -> bool {
    DEPTH.get() > 0
}

pub(super) fn take_changed() -> Option<Box<Record>> {
    ON_ITS_WAY.try_with(|ways| ways.try_borrow_mut().ok()?.last_mut()?.take()).ok().flatten()
}

pub(super) fn put_changed(record: Option<Box<Record>>) {
    let put = |ways: &RefCell<Vec<Option<Box<Record>>>>| {
        if let Ok(mut ways) = ways.try_borrow_mut()
            && let Some(way) = ways.last_mut()
        {
            return std::mem::replace(way, record);
        }
        None
    };
    let before = ON_ITS_WAY.try_with(put).ok().flatten();
    drop(before);
}
