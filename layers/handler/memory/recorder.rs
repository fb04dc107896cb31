//! Records what happened before something went wrong, for each span tree.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use super::{
    super::exit::is_exiting,
    tree::{Core, RecorderConfig, Tree},
};
use crate::{
    Delivery, Description, Error, Flush, Handler, NamedHandler, Outcome, Record, Severity,
    clock::Clock,
    filter::Filter,
    fork,
    record::{self, SpanData, TreeObserver as _},
};

/// Buffers the DEBUG and TRACE records of each span tree, and passes them on only if something happens that makes them
/// worth reading: then in order, with their own times, before the record that triggered it.
///
/// A span tree is a root span and all that happens inside it: a request, a job. Its records are passed on (the tree is
/// *released*) as soon as
/// - a record of it reaches [`release_at`](Self::release_at) (ERROR),
/// - it is older than [`release_after`](Self::release_after), checked with each of its records and at its end,
/// - a record of it passes the filter [`trigger`](Self::trigger), or
/// - [`trigger_current`](Self::trigger_current) is called inside it.
///
/// From then on all records of the tree go straight through. A tree that ends without a release is discarded: its
/// records cost no more than their capture and count as dropped.
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
/// | below [`buffer_below`](Self::buffer_below) (INFO) | is buffered | goes through | [`outside`](Self::outside): is dropped |
/// | at or above it | goes through at once | goes through | goes through |
/// | of `release_at` or above | releases the tree first | goes through | goes through |
///
/// A record that goes through at once is written before older ones that are released later; each has its own time. To
/// have whole trees in order, buffer all: `.buffer_below(Severity::ERROR)`.
///
/// # Bounds
/// A tree is bounded by [`tree_records`](Self::tree_records) and [`tree_bytes`](Self::tree_bytes): beyond them it
/// discards its oldest records. All trees together are bounded by [`max_trees`](Self::max_trees) and
/// [`max_bytes`](Self::max_bytes): beyond them the oldest tree discards all its records, and begins again with its next
/// one. A released tree reports what it lost (`12 records lost before this one`).
///
/// # Levels
/// The records must reach it: behind [`Loggers`](crate::Loggers) or a `LevelFilter`, DEBUG must be on. A filter that
/// hides spans (`LevelFilter`) leaves no trees.
///
/// When the recorder is dropped, all buffered records are dropped.
pub struct FlightRecorder {
    core: Arc<Core>,
}

/// What a [`FlightRecorder`] does with records below its threshold outside of all spans: no tree will ever release
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutsideSpan {
    /// Drops and counts them (the default).
    #[default]
    Drop,
    /// Passes them on.
    Pass,
}

/// A reading of a [`FlightRecorder`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecorderStats {
    /// Trees with buffered records.
    pub trees: u64,
    /// The size of those records in bytes, approximately, with their spans.
    pub bytes: u64,
    /// Released trees.
    pub released: u64,
    /// Trees with records that ended without a release.
    pub forgotten: u64,
    /// How often a tree was discarded for the bounds of all trees.
    pub evicted: u64,
    /// Records lost to a bound, of a tree or of all trees.
    pub lost: u64,
}

impl FlightRecorder {
    /// A recorder for a target. A [`NamedHandler`] keeps its name, ledger and error handler; another handler gets new
    /// ones.
    pub fn new(target: impl Handler) -> Self {
        record::expect_observers();
        fork::watch();
        Self { core: Arc::new(Core::new(NamedHandler::named_or_wrapped(target))) }
    }

    /// Always `Some`: nobody shares it before the first record.
    fn config(mut self, change: impl FnOnce(&mut RecorderConfig)) -> Self {
        if let Some(core) = Arc::get_mut(&mut self.core) {
            change(&mut core.config);
        }
        self
    }

    /// Buffers records below a severity (default: INFO).
    pub fn buffer_below(self, severity: impl Into<Severity>) -> Self {
        self.config(|config| config.buffer_below = severity.into())
    }

    /// A record of this severity or above releases its tree (default: ERROR).
    pub fn release_at(self, severity: impl Into<Severity>) -> Self {
        self.config(|config| config.release_at = severity.into())
    }

    /// Releases a tree that lasts this long or longer, from the start of its root (default: never). A root that started
    /// before this was set counts from its first record.
    pub fn release_after(self, limit: Duration) -> Self {
        record::time_roots();
        self.config(|config| config.release_after = Some(limit))
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
        self.config(|config| config.trigger = Some(Box::new(filter)))
    }

    /// The most records a tree buffers (default: 256).
    pub fn tree_records(self, records: usize) -> Self {
        self.config(|config| config.tree_records = records)
    }

    /// The most bytes that the records of a tree may take, approximately (default: 256 KiB), with their spans and the
    /// root. A span that a record shares with the one before it counts once.
    pub fn tree_bytes(self, bytes: usize) -> Self {
        self.config(|config| config.tree_bytes = bytes)
    }

    /// The most trees with buffered records (default: 4,096).
    pub fn max_trees(self, trees: usize) -> Self {
        self.config(|config| config.max_trees = trees)
    }

    /// The most bytes that the records of all trees may take, approximately (default: 32 MiB), with their spans,
    /// counted as for [`tree_bytes`](Self::tree_bytes).
    pub fn max_bytes(self, bytes: usize) -> Self {
        self.config(|config| config.max_bytes = bytes)
    }

    /// What to do with records below the threshold and outside of all spans (default: [`OutsideSpan::Drop`]).
    pub fn outside(self, outside: OutsideSpan) -> Self {
        self.config(|config| config.outside = outside)
    }

    /// The clock for [`release_after`](Self::release_after) (default: the system's monotonic clock). Give the
    /// [layer](crate::HandlerLayer::clock) the same one: it notes when a root starts.
    pub fn clock(self, clock: impl Clock) -> Self {
        self.config(|config| config.clock = Box::new(clock))
    }

    /// Releases the current span tree of this thread, in all recorders of its subscriber; with several subscribers, one
    /// tree of each. Returns whether there was one.
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

    /// A reading.
    pub fn stats(&self) -> RecorderStats {
        self.core.stats()
    }
}

impl FlightRecorder {
    /// The tree that may buffer a record, and whether its release is due; none if the record goes through.
    fn tree_of(&self, record: &Record, is_below: bool) -> Option<(Arc<Tree>, bool)> {
        let core = &self.core;
        let config = &core.config;
        let root = record.root()?;
        let known = root.observers().find(|tree: &Tree| tree.is_of(core));
        if known.is_some_and(Tree::is_released) {
            return None;
        }
        let is_due = root.is_triggered()
            || record.severity() >= config.release_at
            || config.release_after.is_some_and(|limit| core.age(known, root) >= limit)
            || config.trigger.as_ref().is_some_and(|trigger| trigger.passes(record));
        if !is_below && !is_due && known.is_none() {
            return None;
        }
        let make = || Arc::new_cyclic(|this: &Weak<Tree>| Tree::new(core, root, this.clone()));
        let tree = known.unwrap_or_else(|| root.observers().find_or_insert(|tree: &Tree| tree.is_of(core), make));
        if known.is_none() && root.is_closed() {
            // A late record, perhaps from a queue; nobody will close the tree again.
            tree.abandon();
        }
        Some((tree.itself()?, is_due))
    }
}

impl Handler for FlightRecorder {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let core = &self.core;
        core.discard_inherited();
        let is_below = delivery.severity() < core.config.buffer_below;
        if is_below && core.config.outside == OutsideSpan::Drop && delivery.root().is_none() {
            return Ok(Outcome::Dropped);
        }
        match self.tree_of(&delivery, is_below) {
            Some((tree, is_due)) => tree.take(core, delivery, is_below, is_due),
            None => core.target.handle(delivery),
        }
    }

    /// Flushes the target. Buffered records stay.
    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if how.is_last() && is_exiting() {
            // No tree will end any more.
            self.core.discard_all();
        }
        Handler::flush(&self.core.target, how)
    }

    fn describe(&self) -> Description {
        Description::new("flight recorder")
    }
}

impl Drop for FlightRecorder {
    fn drop(&mut self) {
        self.core.discard_all();
    }
}

impl fmt::Debug for FlightRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightRecorder").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
