//! A recorder of what happened before something went wrong, for each span tree on its own.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use super::{
    super::end::is_ending,
    tree::{Core, Plan, Tree},
};
use crate::{
    Delivery, Description, Error, Flush, Handler, NamedHandler, Outcome, Record, Severity,
    clock::Clock,
    filter::Filter,
    fork,
    record::{self, SpanData, TreeObserver as _},
};

/// Remembers the DEBUG and TRACE records of each span tree, and hands them on only if something happens that makes them
/// worth reading: then in order, with the times at which they happened, before the record that made it necessary.
///
/// A span tree is a root span and what happens inside of it: a request, a job. Its records are handed on (the tree is
/// *released*) as soon as
/// - a record of it reaches [`release_at`](Self::release_at) (ERROR),
/// - it has lasted for [`release_after`](Self::release_after), looked at with each of its records and at its end,
/// - a record of it passes the filter [`trigger`](Self::trigger), or
/// - [`trigger_current`](Self::trigger_current) was called inside of it.
///
/// From then on all records of the tree go straight through. A tree that ends without is forgotten: its records cost no
/// more than their capture and are counted as dropped.
///
/// ```
/// use tracing::{debug, error, info_span};
/// use tracing_strata::{FlightRecorder, Loggers, output::Stream, prelude::*};
/// use tracing_subscriber::prelude::*;
///
/// let recorder = FlightRecorder::new(Stream::stdout()).into_layer();
/// let ledger = recorder.ledger();
/// let subscriber = tracing_subscriber::registry().with(recorder);
/// tracing::subscriber::with_default(subscriber, || {
///     info_span!("request", id = 1).in_scope(|| debug!("nothing special"));
///     assert_eq!(ledger.stats().dropped, 1);
///     info_span!("request", id = 2).in_scope(|| {
///         debug!("asking the bank");
///         error!("the bank said no");
///     });
///     assert_eq!(ledger.stats().written, 2);
/// });
/// ```
///
/// # What goes where
///
/// | a record | in a tree that is not released | in a released tree | outside of all spans |
/// |---|---|---|---|
/// | below [`buffer_below`](Self::buffer_below) (INFO) | is remembered | goes through | [`outside`](Self::outside): is dropped |
/// | from there on | goes through at once | goes through | goes through |
/// | from `release_at` on | releases the tree first | goes through | goes through |
///
/// A record that goes through at once is written before older ones that are released later; each has its own time. To
/// have whole trees in order, remember all: `.buffer_below(Severity::ERROR)`.
///
/// # Bounds
/// A tree holds [`tree_records`](Self::tree_records) and [`tree_bytes`](Self::tree_bytes), then it forgets its oldest. All
/// trees together hold [`max_trees`](Self::max_trees) and [`max_bytes`](Self::max_bytes); then the tree that began to
/// record first forgets all it has, and begins anew with its next record. What a tree forgot is told when it is released
/// (`12 records lost before this one`).
///
/// # Levels
/// The records have to reach it: behind [`Loggers`](crate::Loggers) or a `LevelFilter`, DEBUG must be on. A filter that
/// hides spans (`LevelFilter`) leaves no tree to speak of.
///
/// When it is dropped, what the trees still hold is dropped.
pub struct FlightRecorder {
    core: Arc<Core>,
}

/// What a [`FlightRecorder`] does with records below its threshold that happen outside of all spans: no tree will ever
/// release them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutsideSpan {
    /// They are dropped, and counted (the default).
    #[default]
    Drop,
    /// They go through.
    Pass,
}

/// What a [`FlightRecorder`] has done so far, and holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecorderStats {
    /// Trees that hold records now.
    pub trees: u64,
    /// What those records take, about, in bytes, with their spans.
    pub bytes: u64,
    /// Trees that were released.
    pub released: u64,
    /// Trees with records that ended without.
    pub forgotten: u64,
    /// How often a tree lost what it held because all trees together held too much.
    pub evicted: u64,
    /// Records that were lost to a bound, of a tree or of all.
    pub lost: u64,
}

impl FlightRecorder {
    /// A recorder before a target. A [`NamedHandler`] keeps its name, ledger and trap; another handler gets its own.
    pub fn new(target: impl Handler) -> Self {
        record::expect_observers();
        fork::watch();
        Self { core: Arc::new(Core::new(NamedHandler::around(target))) }
    }

    /// Always there: nobody else has it before the first record comes.
    fn plan(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        if let Some(core) = Arc::get_mut(&mut self.core) {
            change(&mut core.plan);
        }
        self
    }

    /// Which records are remembered: those below a severity (default: INFO).
    pub fn buffer_below(self, severity: impl Into<Severity>) -> Self {
        self.plan(|plan| plan.hold_below = severity.into())
    }

    /// From which severity on a record releases its tree (default: ERROR).
    pub fn release_at(self, least: impl Into<Severity>) -> Self {
        self.plan(|plan| plan.release_at = least.into())
    }

    /// Releases a tree that lasts as long as this or longer, from the beginning of its root (default: never). A root that
    /// began before this was set is taken to begin with its first record.
    pub fn release_after(self, limit: Duration) -> Self {
        record::time_roots();
        self.plan(|plan| plan.release_after = Some(limit))
    }

    /// Releases a tree as soon as a record of it passes the filter (default: none does). It sees each record of a tree
    /// that is not released yet.
    ///
    /// ```
    /// use tracing_strata::{FlightRecorder, Record, Value, filter::Sample, output::Stream};
    ///
    /// let marked = FlightRecorder::new(Stream::stderr())
    ///     .trigger(|record: &Record| record.get("debug") == Some(Value::Bool(true)));
    /// let one_trace_in_a_thousand = FlightRecorder::new(Stream::stderr()).trigger(Sample::traces(1_000));
    /// # drop((marked, one_trace_in_a_thousand));
    /// ```
    pub fn trigger(self, filter: impl Filter) -> Self {
        self.plan(|plan| plan.pick = Some(Box::new(filter)))
    }

    /// How many records a tree remembers at most (default: 256).
    pub fn tree_records(self, records: usize) -> Self {
        self.plan(|plan| plan.tree_records = records)
    }

    /// How many bytes the records that a tree remembers take at most, about (default: 256 KiB), with the spans they
    /// happened in, the root among them: those that a record shares with the one before it are counted once, others again.
    pub fn tree_bytes(self, bytes: usize) -> Self {
        self.plan(|plan| plan.tree_bytes = bytes)
    }

    /// How many trees remember something at most (default: 4,096).
    pub fn max_trees(self, trees: usize) -> Self {
        self.plan(|plan| plan.max_trees = trees)
    }

    /// How many bytes the records of all trees take at most, about (default: 32 MiB), with their spans, counted as for
    /// [`tree_bytes`](Self::tree_bytes).
    pub fn max_bytes(self, bytes: usize) -> Self {
        self.plan(|plan| plan.max_bytes = bytes)
    }

    /// What becomes of records that are below the threshold and outside of all spans (default: [`OutsideSpan::Drop`]).
    pub fn outside(self, outside: OutsideSpan) -> Self {
        self.plan(|plan| plan.outside = outside)
    }

    /// Where the time comes from that [`release_after`](Self::release_after) measures (default: the system's monotonic
    /// clock). Give the [layer](crate::HandlerLayer::clock) the same: it notes when a root begins.
    pub fn clock(self, clock: impl Clock) -> Self {
        self.plan(|plan| plan.clock = Box::new(clock))
    }

    /// Releases the span tree that this thread is in, in all recorders of its subscriber; with several subscribers, one
    /// tree of each. Says whether there was one.
    ///
    /// ```
    /// use tracing_strata::FlightRecorder;
    ///
    /// # fn looks_odd() -> bool { true }
    /// if looks_odd() {
    ///     FlightRecorder::trigger_current();
    /// }
    /// ```
    pub fn trigger_current() -> bool {
        let spans = record::innermost();
        let roots: Vec<&SpanData> = spans.iter().filter_map(|span| span.root()).collect();
        roots.iter().for_each(|root| root.trigger());
        !roots.is_empty()
    }

    /// A reading of what it did.
    pub fn stats(&self) -> RecorderStats {
        self.core.stats()
    }
}

impl FlightRecorder {
    /// The tree that a record may wait in, and whether that is due; none if it goes through.
    fn tree_of(&self, record: &Record, is_below: bool) -> Option<(Arc<Tree>, bool)> {
        let core = &self.core;
        let plan = &core.plan;
        let root = record.root()?;
        let known = root.observers().find(|tree: &Tree| tree.is_of(core));
        if known.is_some_and(Tree::is_through) {
            return None;
        }
        let is_due = root.is_triggered()
            || record.severity() >= plan.release_at
            || plan.release_after.is_some_and(|limit| core.age(known, root) >= limit)
            || plan.pick.as_ref().is_some_and(|pick| pick.passes(record));
        if !is_below && !is_due && known.is_none() {
            return None;
        }
        let make = || Arc::new_cyclic(|this: &Weak<Tree>| Tree::new(core, root, this.clone()));
        let tree = known.unwrap_or_else(|| root.observers().find_or_insert(|tree: &Tree| tree.is_of(core), make));
        if known.is_none() && root.is_closed() {
            // The record comes late, from a queue perhaps; nobody will close the tree again.
            tree.abandon();
        }
        Some((tree.itself()?, is_due))
    }
}

impl Handler for FlightRecorder {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let core = &self.core;
        core.leave_to_the_parent();
        let is_below = delivery.severity() < core.plan.hold_below;
        if is_below && core.plan.outside == OutsideSpan::Drop && delivery.root().is_none() {
            return Ok(Outcome::Dropped);
        }
        match self.tree_of(&delivery, is_below) {
            Some((tree, is_due)) => tree.take(core, delivery, is_below, is_due),
            None => core.target.handle(delivery),
        }
    }

    /// Flushes the target. What is remembered stays.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if how.is_last() && is_ending() {
            // No tree will end any more.
            self.core.give_up_all();
        }
        Handler::flush(&self.core.target, how)
    }

    fn describe(&self) -> Description {
        Description::new("flight recorder")
    }
}

impl Drop for FlightRecorder {
    fn drop(&mut self) {
        self.core.give_up_all();
    }
}

impl fmt::Debug for FlightRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightRecorder").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
