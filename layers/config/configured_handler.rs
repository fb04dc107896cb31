//! A named handler whose level, filters, format and output can be replaced at run time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI32, Ordering},
};

use arc_swap::ArcSwap;

use super::{
    config_filter::{self, ConfigFilter, RecordScope},
    formatting::Formatter,
    formatting::{FormatSettings, Formatting},
};
use crate::{
    Delivery, Description, Error, Flush, Handler, HandlerExt as _, NamedHandler, Outcome, OwnedDelivery, Record,
    Severity, fork::ForkRwLock, ledger::Ledger, record::OwnedRecord, sink::Creations,
};

/// The handler that writes, and its class-specific operations.
pub(super) struct Output {
    pub(super) handler: Box<dyn Handler>,
    pub(super) control: Box<dyn Control>,
    pub(super) steps: Steps,
    pub(super) is_placeholder: bool,
}

/// What is left to do with an output before its first record, once the whole configuration was checked.
#[derive(Default)]
pub(super) struct Steps {
    /// Opens files and sockets.
    pub(super) open: Option<Step>,
    /// Then starts threads.
    pub(super) start: Vec<Step>,
}

type Step = Box<dyn FnOnce() -> Result<(), Error> + Send + Sync>;

impl Steps {
    pub(super) fn open(&mut self) -> Result<(), Error> {
        self.open.take().map_or(Ok(()), |open| open())
    }

    pub(super) fn start(&mut self) -> Result<(), Error> {
        self.start.drain(..).try_for_each(|start| start())
    }
}

impl Output {
    pub(super) fn new(handler: impl Handler, control: impl Control) -> Self {
        Self { handler: handler.boxed(), control: Box::new(control), steps: Steps::default(), is_placeholder: false }
    }

    pub(super) fn opened_by(mut self, open: impl FnOnce() -> Result<(), Error> + Send + Sync + 'static) -> Self {
        self.steps.open = Some(Box::new(open));
        self
    }

    pub(super) fn started_by(mut self, start: impl FnOnce() -> Result<(), Error> + Send + Sync + 'static) -> Self {
        self.steps.start.push(Box::new(start));
        self
    }

    /// Opens and starts it alone.
    pub(super) fn opened(mut self) -> Result<Self, Error> {
        let mut steps = std::mem::take(&mut self.steps);
        let (opened, made) = Creations::noted(|| steps.open());
        match opened.and_then(|()| steps.start()) {
            Ok(()) => {
                made.keep();
                Ok(self)
            }
            Err(error) => {
                // Closes it, and then removes what was made.
                drop(self);
                drop(made);
                Err(error)
            }
        }
    }

    /// A handler without class-specific operations.
    pub(super) fn plain(handler: impl Handler) -> Self {
        Self::new(handler, ())
    }
}

/// Operations that only some handlers have.
pub(super) trait Control: Send + Sync + 'static {
    /// Whether closing it flushes first.
    fn flushes_when_closed(&self) -> bool {
        true
    }

    /// Closes files and connections. `false` if it takes no more records.
    fn close(&self) -> Result<bool, Error> {
        Ok(true)
    }

    fn rollover(&self) -> Option<Result<(), Error>> {
        None
    }

    /// The number of buffered records.
    fn buffered(&self) -> Option<usize> {
        None
    }

    /// Replaces the target and returns the previous one; `Err` returns the argument of a handler that has no target. Called
    /// under a lock: drop nothing here.
    fn set_target(&self, target: Option<NamedHandler>) -> Result<Option<NamedHandler>, Option<NamedHandler>> {
        Err(target)
    }

    /// Starts or stops the listener of a queue.
    fn listen(&self, on: bool) -> Option<Result<(), Error>> {
        let _ = on;
        None
    }

    fn is_running(&self) -> Option<bool> {
        None
    }

    /// Does what must wait until the configuration is accepted, such as truncating a file.
    fn activate(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Control for () {}

/// A named handler of a configuration.
pub(super) struct ConfiguredHandler {
    pub(super) name: String,
    min_level: AtomicI32,
    filters: ArcSwap<Vec<ConfigFilter>>,
    /// Whether there may be filters: cheaper than loading them.
    has_filters: AtomicBool,
    output: ArcSwap<Output>,
    pub(super) formatting: Arc<Formatting>,
    /// Whether later handlers see the changes of its filters.
    shares_changes: bool,
    is_closed: AtomicBool,
    /// Shared with the `NamedHandler` that loggers hold.
    ledger: Arc<Ledger>,
    /// The handlers it forwards to.
    pub(super) forwards: Arc<ForwardNode>,
}

/// A node in the graph of handlers that forward to each other.
#[derive(Default)]
pub(super) struct ForwardNode(ForkRwLock<Vec<Arc<ForwardNode>>>);

impl ForwardNode {
    /// Replaces the targets. Callers check [`reaches`](Self::reaches) and set under the lock of the state, so that the second
    /// of two changes sees the first.
    pub(super) fn set_targets(&self, next: Vec<Arc<Self>>) {
        self.0.set(next);
    }

    /// Whether its records may reach another handler.
    pub(super) fn reaches(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let mut seen: Vec<Arc<Self>> = vec![Arc::clone(self)];
        let mut index = 0;
        while let Some(present) = seen.get(index).cloned() {
            if Arc::ptr_eq(&present, other) {
                return true;
            }
            for next in present.0.read().iter() {
                if !seen.iter().any(|known| Arc::ptr_eq(known, next)) {
                    seen.push(Arc::clone(next));
                }
            }
            index += 1;
        }
        false
    }
}

impl ConfiguredHandler {
    pub(super) fn new(name: &str, output: Output, formatting: Arc<Formatting>, shares_changes: bool) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            min_level: AtomicI32::new(Severity::ALL.number()),
            filters: ArcSwap::default(),
            has_filters: AtomicBool::new(false),
            output: ArcSwap::from_pointee(output),
            formatting,
            shares_changes,
            is_closed: AtomicBool::new(false),
            ledger: Ledger::registered(name),
            forwards: Arc::default(),
        })
    }

    pub(super) fn set_level(&self, min_level: Severity) {
        self.min_level.store(min_level.number(), Ordering::Relaxed);
    }

    pub(super) fn min_level(&self) -> Severity {
        Severity::new(self.min_level.load(Ordering::Relaxed))
    }

    pub(super) fn filters(&self) -> Arc<Vec<ConfigFilter>> {
        self.filters.load_full()
    }

    /// Call [`finish`](Retired::finish) on the result when nothing is locked.
    pub(super) fn set_filters(self: &Arc<Self>, filters: Vec<ConfigFilter>) -> Retired {
        self.has_filters.store(true, Ordering::Release);
        let filters = self.filters.swap(Arc::new(filters));
        self.clear_has_filters();
        Retired { configured: Arc::clone(self), filters, settings: None }
    }

    /// As [`set_filters`](Self::set_filters), starting from the current ones.
    pub(super) fn change_filters(self: &Arc<Self>, mut change: impl FnMut(&mut Vec<ConfigFilter>)) -> Retired {
        self.has_filters.store(true, Ordering::Release);
        let filters = self.filters.rcu(|present| {
            let mut filters = present.to_vec();
            change(&mut filters);
            filters
        });
        self.clear_has_filters();
        Retired { configured: Arc::clone(self), filters, settings: None }
    }

    /// Another thread may add filters while this one clears the flag: look again after clearing.
    fn clear_has_filters(&self) {
        if self.filters.load().is_empty() {
            self.has_filters.store(false, Ordering::SeqCst);
            if !self.filters.load().is_empty() {
                self.has_filters.store(true, Ordering::SeqCst);
            }
        }
    }

    pub(super) fn set_formatter(self: &Arc<Self>, formatter: &Formatter) -> Retired {
        let settings = Some(self.formatting.set_formatter(formatter));
        Retired { configured: Arc::clone(self), filters: Arc::default(), settings }
    }

    /// Writes the summaries of records that filters rejected.
    fn write_summaries(&self, filters: &[ConfigFilter], all: bool) {
        let write = |summary: &Record| {
            OwnedDelivery::internal(summary.clone(), Some(&self.ledger)).pass_on(&*self.output.load().handler);
        };
        filters.iter().for_each(|filter| filter.drain_summaries(all, &mut { write }));
    }

    pub(super) fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    pub(super) fn output(&self) -> Arc<Output> {
        self.output.load_full()
    }

    /// Replaces the output. Records in flight end in the old one.
    pub(super) fn set_output(&self, output: Output) -> Arc<Output> {
        self.is_closed.store(false, Ordering::Relaxed);
        self.output.swap(Arc::new(output))
    }

    /// Flushes, then closes what is open.
    pub(super) fn close(&self) -> Result<(), Error> {
        let output = self.output.load_full();
        let flushes = output.control.flushes_when_closed();
        let flushed = if flushes { output.handler.flush(&Flush::PLAIN) } else { Ok(()) };
        let is_open = output.control.close()?;
        self.is_closed.store(!is_open, Ordering::Relaxed);
        flushed
    }

    /// As a target of another handler, a handler may ignore its level.
    fn process(&self, delivery: Delivery<'_>, respect_level: bool) -> Result<Outcome, Error> {
        if respect_level && delivery.severity().number() < self.min_level.load(Ordering::Relaxed) {
            return Ok(Outcome::Filtered);
        }
        if self.is_closed.load(Ordering::Relaxed) {
            return Ok(Outcome::Dropped);
        }
        if !self.has_filters.load(Ordering::Acquire) {
            return self.output.load().handler.handle(delivery);
        }
        let filters = self.filters.load();
        if filters.is_empty() {
            return self.output.load().handler.handle(delivery);
        }
        let (passes, changed) = config_filter::pass(&filters, &delivery, self.shares_changes);
        self.write_summaries(&filters, false);
        if !passes {
            return Ok(Outcome::Filtered);
        }
        let handler = &self.output.load().handler;
        match changed {
            Some(changed) => delivery.with_record(*changed, handler),
            None => handler.handle(delivery),
        }
    }
}

impl Handler for ConfiguredHandler {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        if !RecordScope::is_active() {
            return self.process(delivery, true);
        }
        match config_filter::take_changed() {
            None => self.process(delivery, true),
            // Later handlers get it with the changes of this one's filters.
            Some(changed) => {
                // A record emitted by the handler has a scope of its own.
                config_filter::put_changed(Some(changed.clone()));
                delivery.with_owned(OwnedRecord::new(*changed), |changed| self.process(changed, true))
            }
        }
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if !how.is_barrier() {
            self.write_summaries(&self.filters.load_full(), true);
        }
        self.output.load_full().handler.flush(how)
    }

    fn describe(&self) -> Description {
        Description::new(self.name.clone()).min_level(self.min_level())
    }
}

/// Filters and a format that were in use until now. Dropping them runs foreign code: [`finish`](Self::finish) when nothing is
/// locked.
#[must_use = "finish it when nothing is locked"]
pub(super) struct Retired {
    configured: Arc<ConfiguredHandler>,
    filters: Arc<Vec<ConfigFilter>>,
    settings: Option<Arc<FormatSettings>>,
}

impl Retired {
    /// Writes the last summaries of filters that are gone.
    pub(super) fn finish(self) {
        let Self { configured, filters, settings } = self;
        let present = configured.filters.load_full();
        let gone = filters.iter().filter(|filter| !present.iter().any(|known| known.is_same(filter)));
        configured.write_summaries(&gone.cloned().collect::<Vec<_>>(), true);
        drop((filters, settings));
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.settings = self.settings.or(other.settings);
        self
    }
}

/// A handler as the target of another one.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) configured: Arc<ConfiguredHandler>,
    pub(super) respect_level: bool,
}

impl Handler for Target {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.configured.process(delivery, self.respect_level)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.configured.flush(how)
    }

    fn describe(&self) -> Description {
        Description::new(self.configured.name.clone())
    }
}
