//! A handler under its name: level, filters, format and output, each replaceable while records come.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI32, Ordering},
};

use arc_swap::ArcSwap;

use super::{
    encoding::Encoding,
    formatters::Formatter,
    sieve::{self, ConfigFilter},
};
use crate::{
    Delivery, Description, Error, Flush, Format, Handler, HandlerExt as _, NamedHandler, Outcome, OwnedDelivery,
    Record, Severity, fork::Common, ledger::Ledger, record::OwnedRecord,
};

/// Where a handler's records end, and what else can be done with it.
pub(super) struct Output {
    pub(super) handler: Box<dyn Handler>,
    pub(super) control: Box<dyn Control>,
}

impl Output {
    pub(super) fn new(handler: impl Handler, control: impl Control) -> Self {
        Self { handler: handler.boxed(), control: Box::new(control) }
    }

    /// A handler that can do no more than every handler.
    pub(super) fn plain(handler: impl Handler) -> Self {
        Self::new(handler, ())
    }
}

/// What only some handlers can do.
pub(super) trait Control: Send + Sync + 'static {
    /// Whether what it holds is handed on before it is closed.
    fn flushes_when_closed(&self) -> bool {
        true
    }

    /// Lets go of files and connections. False: it takes no more records.
    fn close(&self) -> Result<bool, Error> {
        Ok(true)
    }

    fn rollover(&self) -> Option<Result<(), Error>> {
        None
    }

    /// How many records it holds.
    fn buffered(&self) -> Option<usize> {
        None
    }

    /// Takes another target, or none, and gives the one before; an error is what was given: it takes none. Called under a
    /// lock, so that nothing may end here.
    fn set_target(&self, target: Option<NamedHandler>) -> Result<Option<NamedHandler>, Option<NamedHandler>> {
        Err(target)
    }

    /// Starts or stops a queue's listener.
    fn listen(&self, on: bool) -> Option<Result<(), Error>> {
        let _ = on;
        None
    }

    fn is_running(&self) -> Option<bool> {
        None
    }

    /// Once the configuration counts: what must not happen before, such as emptying a file.
    fn begin(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Control for () {}

/// A handler under its name.
pub(super) struct Slot {
    pub(super) name: String,
    least: AtomicI32,
    sieves: ArcSwap<Vec<ConfigFilter>>,
    /// Whether there may be any: to look at them costs more.
    is_sieved: AtomicBool,
    output: ArcSwap<Output>,
    pub(super) dress: Arc<Dress>,
    /// Whether handlers after this one see what its filters change.
    shares: bool,
    is_closed: AtomicBool,
    /// That of the place where it hangs under its name.
    ledger: Arc<Ledger>,
    /// Where its records go on to.
    pub(super) onward: Arc<Onward>,
}

/// A handler among those that hand on to each other.
#[derive(Default)]
pub(super) struct Onward(Common<Vec<Arc<Onward>>>);

impl Onward {
    /// From now on it hands on to these. What takes the place of another one is looked at and put there under the lock of
    /// the state, so that of two changes the second sees the first.
    pub(super) fn set(&self, next: Vec<Arc<Self>>) {
        self.0.set(next);
    }

    /// Whether records that are given to it may come to another one.
    pub(super) fn leads_to(self: &Arc<Self>, other: &Arc<Self>) -> bool {
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

impl Slot {
    pub(super) fn new(name: &str, output: Output, dress: Arc<Dress>, shares: bool) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            least: AtomicI32::new(Severity::ALL.number()),
            sieves: ArcSwap::default(),
            is_sieved: AtomicBool::new(false),
            output: ArcSwap::from_pointee(output),
            dress,
            shares,
            is_closed: AtomicBool::new(false),
            ledger: Ledger::registered(name),
            onward: Arc::default(),
        })
    }

    pub(super) fn set_level(&self, least: Severity) {
        self.least.store(least.number(), Ordering::Relaxed);
    }

    pub(super) fn least_level(&self) -> Severity {
        Severity::new(self.least.load(Ordering::Relaxed))
    }

    pub(super) fn sieves(&self) -> Arc<Vec<ConfigFilter>> {
        self.sieves.load_full()
    }

    /// What was there before ends when nothing is locked: [`Displaced`].
    pub(super) fn set_sieves(self: &Arc<Self>, sieves: Vec<ConfigFilter>) -> Displaced {
        self.is_sieved.store(true, Ordering::Release);
        let sieves = self.sieves.swap(Arc::new(sieves));
        self.forget_none();
        Displaced { slot: Arc::clone(self), sieves, worn: None }
    }

    /// As [`set_sieves`](Self::set_sieves), from those that are there.
    pub(super) fn change_sieves(self: &Arc<Self>, mut change: impl FnMut(&mut Vec<ConfigFilter>)) -> Displaced {
        self.is_sieved.store(true, Ordering::Release);
        let sieves = self.sieves.rcu(|present| {
            let mut sieves = present.to_vec();
            change(&mut sieves);
            sieves
        });
        self.forget_none();
        Displaced { slot: Arc::clone(self), sieves, worn: None }
    }

    /// Of changes at the same time, one may find filters of the other: they are looked at again after it is said that there
    /// are none.
    fn forget_none(&self) {
        if self.sieves.load().is_empty() {
            self.is_sieved.store(false, Ordering::SeqCst);
            if !self.sieves.load().is_empty() {
                self.is_sieved.store(true, Ordering::SeqCst);
            }
        }
    }

    pub(super) fn set_formatter(self: &Arc<Self>, formatter: &Formatter) -> Displaced {
        let worn = Some(self.dress.set_formatter(formatter));
        Displaced { slot: Arc::clone(self), sieves: Arc::default(), worn }
    }

    /// What filters have to tell of records they refused.
    fn report(&self, sieves: &[ConfigFilter], all: bool) {
        let tell = |summary: &Record| {
            OwnedDelivery::internal(summary.clone(), Some(&self.ledger)).pass_on(&*self.output.load().handler);
        };
        sieves.iter().for_each(|sieve| sieve.report(all, &mut { tell }));
    }

    pub(super) fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    pub(super) fn output(&self) -> Arc<Output> {
        self.output.load_full()
    }

    /// Puts another output in place. Records that are on their way end in the old one.
    pub(super) fn set_output(&self, output: Output) -> Arc<Output> {
        self.is_closed.store(false, Ordering::Relaxed);
        self.output.swap(Arc::new(output))
    }

    /// Flushes, then lets go of what is open.
    pub(super) fn close(&self) -> Result<(), Error> {
        let output = self.output.load_full();
        let flushes = output.control.flushes_when_closed();
        let flushed = if flushes { output.handler.flush(&Flush::PLAIN) } else { Ok(()) };
        let goes_on = output.control.close()?;
        self.is_closed.store(!goes_on, Ordering::Relaxed);
        flushed
    }

    /// What comes from a handler in front of it: its filters are asked, its level is not.
    fn take(&self, delivery: Delivery<'_>, with_level: bool) -> Result<Outcome, Error> {
        if with_level && delivery.severity().number() < self.least.load(Ordering::Relaxed) {
            return Ok(Outcome::Filtered);
        }
        if self.is_closed.load(Ordering::Relaxed) {
            return Ok(Outcome::Dropped);
        }
        if !self.is_sieved.load(Ordering::Acquire) {
            return self.output.load().handler.handle(delivery);
        }
        let sieves = self.sieves.load();
        if sieves.is_empty() {
            return self.output.load().handler.handle(delivery);
        }
        let (passes, changed) = sieve::pass(&sieves, &delivery, self.shares);
        self.report(&sieves, false);
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

impl Handler for Slot {
    #[inline]
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        if !sieve::is_on_its_way() {
            return self.take(delivery, true);
        }
        match sieve::take_changed() {
            None => self.take(delivery, true),
            // It goes on to the handlers after this one, with what this one's filters make of it.
            Some(changed) => {
                // Handlers write; a record that is born meanwhile is on a way of its own.
                sieve::put_changed(Some(changed.clone()));
                delivery.with_owned(OwnedRecord::new(*changed), |changed| self.take(changed, true))
            }
        }
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if !how.is_barrier() {
            self.report(&self.sieves.load_full(), true);
        }
        self.output.load_full().handler.flush(how)
    }

    fn describe(&self) -> Description {
        Description::new(self.name.clone()).min_level(self.least_level())
    }
}

/// Filters and a format that were in use until now. Their ends are somebody else's code: let them come when nothing is
/// locked.
#[must_use = "end it when nothing is locked"]
pub(super) struct Displaced {
    slot: Arc<Slot>,
    sieves: Arc<Vec<ConfigFilter>>,
    worn: Option<Arc<Worn>>,
}

impl Displaced {
    /// Filters that are not asked any more tell what they still have to tell.
    pub(super) fn end(self) {
        let Self { slot, sieves, worn } = self;
        let present = slot.sieves.load_full();
        let gone = sieves.iter().filter(|sieve| !present.iter().any(|known| known.is_same(sieve)));
        slot.report(&gone.cloned().collect::<Vec<_>>(), true);
        drop((sieves, worn));
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.worn = self.worn.or(other.worn);
        self
    }
}

/// A handler as the target of another one: its level counts only where that is asked for.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) slot: Arc<Slot>,
    pub(super) with_level: bool,
}

impl Handler for Target {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.slot.take(delivery, self.with_level)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.slot.flush(how)
    }

    fn describe(&self) -> Description {
        Description::new(self.slot.name.clone())
    }
}

/// How a handler's records look: the format, what ends them, and in which encoding; replaceable while records come.
pub(super) struct Dress {
    worn: ArcSwap<Worn>,
    terminal: AtomicBool,
}

#[derive(Clone)]
struct Worn {
    format: Arc<dyn Format>,
    formatter: Formatter,
    terminator: Arc<str>,
    encoding: Encoding,
}

impl Dress {
    pub(super) fn new(formatter: Formatter, terminator: &str, encoding: Encoding) -> Arc<Self> {
        let format = formatter.format(false);
        let worn = Worn { format, formatter, terminator: terminator.into(), encoding };
        Arc::new(Self { worn: ArcSwap::from_pointee(worn), terminal: AtomicBool::new(false) })
    }

    fn set_formatter(&self, formatter: &Formatter) -> Arc<Worn> {
        let format = formatter.format(self.terminal.load(Ordering::Relaxed));
        self.change(|worn| (worn.format, worn.formatter) = (Arc::clone(&format), formatter.clone()))
    }

    pub(super) fn set_terminator(&self, terminator: &str) {
        drop(self.change(|worn| worn.terminator = terminator.into()));
    }

    pub(super) fn set_encoding(&self, encoding: Encoding) {
        drop(self.change(|worn| worn.encoding = encoding));
    }

    fn change(&self, change: impl Fn(&mut Worn)) -> Arc<Worn> {
        self.worn.rcu(|worn| {
            let mut worn = Worn::clone(worn);
            change(&mut worn);
            worn
        })
    }

    /// The format with what ends a record, for outputs of bytes.
    pub(super) fn lines(self: &Arc<Self>) -> Box<dyn Format> {
        Box::new(Lines(Arc::clone(self)))
    }

    /// The format alone.
    pub(super) fn texts(self: &Arc<Self>) -> Box<dyn Format> {
        Box::new(Texts(Arc::clone(self)))
    }

    fn adapt(&self, terminal: bool) {
        self.terminal.store(terminal, Ordering::Relaxed);
        let formatter = self.worn.load().formatter.clone();
        drop(self.set_formatter(&formatter));
    }
}

struct Lines(Arc<Dress>);

impl Format for Lines {
    fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
        let worn = self.0.worn.load();
        worn.format.format(record, out)?;
        out.push_str(&worn.terminator);
        Ok(())
    }

    fn format_bytes(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), Error> {
        let worn = self.0.worn.load();
        let start = out.len();
        worn.format.format_bytes(record, out)?;
        match worn.terminator.as_bytes() {
            [byte] => out.push(*byte),
            bytes => out.extend_from_slice(bytes),
        }
        worn.encoding.encode(out, start)
    }

    fn adapt(&mut self, terminal: bool) {
        self.0.adapt(terminal);
    }
}

struct Texts(Arc<Dress>);

impl Format for Texts {
    fn format(&self, record: &Record, out: &mut String) -> Result<(), Error> {
        self.0.worn.load().format.format(record, out)
    }

    fn format_bytes(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.worn.load().format.format_bytes(record, out)
    }

    fn adapt(&mut self, terminal: bool) {
        self.0.adapt(terminal);
    }
}
