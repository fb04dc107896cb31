//! Filters of a configuration: they decide, and some change the record.

use std::{
    cell::{Cell, RefCell},
    fmt,
    sync::Arc,
};

use crate::{Record, filter::Filter};

/// A filter of a configuration: it decides, and it may change the record.
///
/// Python: an object with a `filter` method, or a callable. There, all handlers share one record, so later handlers see what
/// a filter changed. Here, a handler's filter changes that handler's copy, unless
/// [`python_defaults`](super::LoggingBuilder::python_defaults) is set; a logger's filter changes the record for all
/// handlers.
#[derive(Clone)]
pub struct ConfigFilter(Arc<Inner>);

struct Inner(Kind);

type Change = Box<dyn Fn(&mut Record) -> bool + Send + Sync>;

enum Kind {
    Decides(Box<dyn Filter>),
    Changes(Change),
    /// Only the handler itself sees the change, even with Python's defaults.
    Replaces(Change),
}

impl ConfigFilter {
    /// A filter that only decides.
    pub fn decides(filter: impl Filter) -> Self {
        Self(Arc::new(Inner(Kind::Decides(Box::new(filter)))))
    }

    /// A filter that may change the record; `false` rejects it.
    pub fn changes(change: impl Fn(&mut Record) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner(Kind::Changes(Box::new(change)))))
    }

    /// A filter that replaces the record for that handler, or on a logger for all handlers; `false` rejects it. Python 3.12:
    /// a filter that returns a record.
    pub fn replaces(change: impl Fn(&mut Record) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner(Kind::Replaces(Box::new(change)))))
    }

    /// Whether both are clones of the same filter.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn only_decides(&self) -> bool {
        matches!(self.0.0, Kind::Decides(_))
    }

    pub(super) fn drain_summaries(&self, all: bool, emit: &mut dyn FnMut(&Record)) {
        self.0.drain_summaries(all, emit);
    }

    /// For a logger; clones return the same `Arc`.
    pub(super) fn as_filter(&self) -> Arc<dyn Filter> {
        Arc::clone(&self.0) as _
    }
}

impl fmt::Debug for ConfigFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.0 {
            Kind::Decides(_) => "ConfigFilter::decides",
            Kind::Changes(_) => "ConfigFilter::changes",
            Kind::Replaces(_) => "ConfigFilter::replaces",
        })
    }
}

/// On a logger, changes reach all handlers.
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

    fn drain_summaries(&self, all: bool, emit: &mut dyn FnMut(&Record)) {
        if let Kind::Decides(filter) = &self.0 {
            filter.drain_summaries(all, emit);
        }
    }
}

/// Applies the filters of a handler. Returns whether the record passes, and its changed copy. With `shares_changes`,
/// later handlers see the changes.
pub(super) fn pass(filters: &[ConfigFilter], record: &Record, shares_changes: bool) -> (bool, Option<Box<Record>>) {
    let mut copy: Option<Box<Record>> = None;
    let mut visible: Option<Box<Record>> = None;
    let mut replaced = false;
    let mut passes = true;
    for filter in filters {
        let current = copy.as_deref().unwrap_or(record);
        passes = match &filter.0.0 {
            Kind::Decides(filter) => filter.passes(current),
            Kind::Changes(change) => change(copy.get_or_insert_with(|| Box::new(record.clone()))),
            Kind::Replaces(change) => {
                if !replaced {
                    // Earlier changes stay visible to later handlers.
                    replaced = true;
                    visible.clone_from(&copy);
                }
                change(copy.get_or_insert_with(|| Box::new(record.clone())))
            }
        };
        if !passes {
            break;
        }
    }
    if shares_changes {
        let visible = if replaced { visible } else { copy.clone() };
        if visible.is_some() {
            put_changed(visible);
        }
    }
    (passes, copy)
}

thread_local! {
    /// The changed copy of each record that this thread is handling; handlers may emit records themselves.
    static SCOPES: RefCell<Vec<Option<Box<Record>>>> = const { RefCell::new(Vec::new()) };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Lives while the handlers of one record run: changes made by filters go from handler to handler.
pub(super) struct RecordScope;

impl RecordScope {
    /// `None` if the thread is ending: then changes stay with their handlers.
    pub(super) fn enter() -> Option<Self> {
        SCOPES.try_with(|scopes| scopes.try_borrow_mut().ok().map(|mut scopes| scopes.push(None))).ok().flatten()?;
        DEPTH.set(DEPTH.get() + 1);
        Some(Self)
    }

    #[inline]
    pub(super) fn is_active() -> bool {
        DEPTH.get() > 0
    }
}

impl Drop for RecordScope {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
        let last = SCOPES.try_with(|scopes| scopes.try_borrow_mut().ok()?.pop()).ok();
        // Dropped here, outside the borrow.
        drop(last);
    }
}

pub(super) fn take_changed() -> Option<Box<Record>> {
    SCOPES.try_with(|scopes| scopes.try_borrow_mut().ok()?.last_mut()?.take()).ok().flatten()
}

pub(super) fn put_changed(record: Option<Box<Record>>) {
    let put = |scopes: &RefCell<Vec<Option<Box<Record>>>>| {
        if let Ok(mut scopes) = scopes.try_borrow_mut() {
            if let Some(changed) = scopes.last_mut() {
                return std::mem::replace(changed, record);
            }
        }
        None
    };
    let before = SCOPES.try_with(put).ok().flatten();
    drop(before);
}
