//! Outputs that do what can go wrong, as a function of the record's id, and gauges that see what passes.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tracing_strata::{
    Delivery, Error, Flush, Format, Handler, Outcome, Record, Sink,
    filter::Transform,
    format::Buffer,
    handler::OwnedDelivery,
    output::{Answer, Attempt, Batch, Verdict},
    record::OwnedRecord,
    sink::SinkProperties,
};

use crate::model::End;

/// What all outputs and gauges of one tree have seen.
pub(crate) struct World {
    state: Mutex<State>,
    /// To the thread that ends deliveries later.
    later: Mutex<Option<mpsc::Sender<(OwnedDelivery, usize, End)>>>,
    pending: AtomicUsize,
    /// Stores with a spool take nothing.
    pub(crate) is_away: AtomicBool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) gauges: Vec<Gauge>,
    pub(crate) outs: Vec<Log>,
}

/// What passed one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge {
    pub(crate) ids: Vec<u32>,
    /// Records that the crate made itself: notices.
    pub(crate) own: u64,
}

/// What an output says is at its place: ids, each with how many rewrites it has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) got: Vec<(u32, u32)>,
    /// What came out of a spool: a store drops what comes again.
    known: BTreeSet<u128>,
}

impl World {
    pub(crate) fn new(gauges: usize, outs: usize) -> Arc<Self> {
        let state = State { gauges: vec![Gauge::default(); gauges], outs: vec![Log::default(); outs] };
        let (later, pending, is_away) = (Mutex::new(None), AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { state: Mutex::new(state), later, pending, is_away })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn got(&self, out: usize, id: Id) {
        if let Some(id) = id {
            self.state().outs[out].got.push(id);
        }
    }

    fn end_later(self: &Arc<Self>, delivery: OwnedDelivery, out: usize, end: End) {
        self.pending.fetch_add(1, Ordering::SeqCst);
        let mut later = self.later.lock().unwrap();
        let sender = later.get_or_insert_with(|| {
            let (sender, jobs) = mpsc::channel::<(OwnedDelivery, usize, End)>();
            let world = Arc::clone(self);
            thread::spawn(move || {
                for (delivery, out, end) in jobs {
                    if let Some((id, _)) = id_of(&delivery)
                        && id % 3 == 0
                    {
                        thread::sleep(Duration::from_micros(100));
                    }
                    world.end(delivery, out, end);
                    world.pending.fetch_sub(1, Ordering::SeqCst);
                }
            });
            sender
        });
        sender.send((delivery, out, end)).unwrap();
    }

    fn end(&self, delivery: OwnedDelivery, out: usize, end: End) {
        match end {
            End::Written => {
                self.got(out, id_of(&delivery));
                delivery.written();
            }
            End::Filtered => delivery.filtered(),
            End::Dropped => delivery.dropped(),
            End::Failed => delivery.failed(Error::new("scripted: later")),
            End::Forgotten => drop(delivery),
        }
    }

    /// Whether the other thread has ended all it was given.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.load(Ordering::SeqCst) == 0
    }

    /// Lets the other thread go, which has the world.
    pub(crate) fn close(&self) {
        self.later.lock().unwrap().take();
    }

    /// Forks while no other thread has the state or the way to the thread that ends deliveries.
    pub(crate) fn forked<R>(&self, fork: impl FnOnce() -> R, is_child: impl FnOnce(&R) -> bool) -> R {
        let (state, mut later) = (self.state(), self.later.lock().unwrap());
        let result = fork();
        if is_child(&result) {
            // That thread is the parent's.
            std::mem::forget(later.take());
            self.pending.store(0, Ordering::SeqCst);
        }
        drop((state, later));
        result
    }
}

// --- records

/// The id of a record of the test, and how many rewrites it has seen.
type Id = Option<(u32, u32)>;

pub(crate) const MESSAGE: &str = "scripted record";

pub(crate) fn id_of(record: &Record) -> Id {
    if record.message() != MESSAGE {
        return None;
    }
    let number = |name| record.get(name).and_then(|value| value.as_u64()).map(|number| number as u32);
    Some((number("id")?, number("marks").unwrap_or_default()))
}

/// Marks all but every fourth.
pub(crate) struct Mark;

impl Mark {
    pub(crate) fn is_for(id: u32) -> bool {
        id % 4 != 0
    }
}

impl Transform for Mark {
    fn transform(&self, record: &mut Record) {
        if let Some((_, marks)) = id_of(record) {
            record.set("marks", u64::from(marks) + 1);
        }
    }

    fn applies(&self, record: &Record) -> bool {
        id_of(record).is_some_and(|(id, _)| Self::is_for(id))
    }
}

// --- what an output does

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Write,
    Fail,
    Drop,
    Filter,
    Panic,
    /// Takes the delivery and panics with it in hand.
    TakePanic,
    /// Takes the delivery, which is written with the next flush, and returns an error.
    TakeError,
    /// The same, and panics.
    KeepPanic,
    /// Takes and drops it.
    Forget,
    /// Says that it is queued without having taken it.
    Lie,
    /// Ends it with the next flush.
    OnFlush(End),
    /// Ends it on another thread.
    OnThread(End),
    /// Takes its time.
    Slow,
    /// Takes the receipt alone, and ends it at once.
    Receipt(End),
}

impl Act {
    /// How the record ends, and whether that is a loss.
    pub(crate) fn fate(self) -> (End, bool) {
        match self {
            Self::Write | Self::Slow | Self::TakeError | Self::KeepPanic => (End::Written, false),
            Self::Fail | Self::Panic => (End::Failed, true),
            Self::Drop => (End::Dropped, false),
            Self::Filter => (End::Filtered, false),
            Self::TakePanic | Self::Forget | Self::Lie => (End::Dropped, true),
            Self::OnFlush(end) | Self::OnThread(end) | Self::Receipt(end) => match end {
                End::Forgotten => (End::Dropped, true),
                End::Failed => (End::Failed, true),
                end => (end, false),
            },
        }
    }

    /// Whether the record has ended when `handle` returns.
    pub(crate) fn is_prompt(self) -> bool {
        !matches!(self, Self::TakeError | Self::KeepPanic | Self::OnFlush(_) | Self::OnThread(_))
    }
}

/// What an output does, by the id of the record: mostly one thing, and another for some.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) usual: Act,
    pub(crate) other: Act,
    pub(crate) when: When,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Never,
    /// Away, and back.
    Between(u32, u32),
    OneIn(u32, u32),
}

impl Profile {
    pub(crate) fn act(&self, id: u32) -> Act {
        let is_other = match self.when {
            When::Never => false,
            When::Between(from, to) => (from..to).contains(&id),
            When::OneIn(many, which) => id % many == which,
        };
        if is_other { self.other } else { self.usual }
    }

    pub(crate) fn is_prompt(&self) -> bool {
        self.usual.is_prompt() && (matches!(self.when, When::Never) || self.other.is_prompt())
    }

    pub(crate) fn uses_thread(&self) -> bool {
        let is_thread = |act| matches!(act, Act::OnThread(_));
        is_thread(self.usual) || is_thread(self.other)
    }
}

pub(crate) struct Out {
    pub(crate) world: Arc<World>,
    pub(crate) out: usize,
    pub(crate) profile: Profile,
    pub(crate) held: Mutex<Vec<(OwnedDelivery, End)>>,
}

impl Out {
    fn hold(&self, delivery: Delivery<'_>, end: End) {
        let delivery = delivery.take();
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push((delivery, end));
    }
}

impl Handler for Out {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let id = id_of(&delivery);
        // What the crate has to say arrives.
        let act = id.map_or(Act::Write, |(id, _)| self.profile.act(id));
        match act {
            Act::Write => {
                self.world.got(self.out, id);
                Ok(Outcome::Written)
            }
            Act::Slow => {
                thread::sleep(Duration::from_micros(200));
                self.world.got(self.out, id);
                Ok(Outcome::Written)
            }
            Act::Fail => Err(Error::new("scripted")),
            Act::Drop => Ok(Outcome::Dropped),
            Act::Filter => Ok(Outcome::Filtered),
            Act::Panic => panic!("scripted"),
            Act::TakePanic => {
                let _taken = delivery.take();
                panic!("scripted");
            }
            Act::TakeError => {
                self.hold(delivery, End::Written);
                Err(Error::new("scripted: of nothing"))
            }
            Act::KeepPanic => {
                self.hold(delivery, End::Written);
                panic!("scripted");
            }
            Act::Forget => {
                drop(delivery.take());
                Ok(Outcome::Queued)
            }
            Act::Lie => Ok(Outcome::Queued),
            Act::OnFlush(end) => {
                self.hold(delivery, end);
                Ok(Outcome::Queued)
            }
            Act::OnThread(end) => {
                self.world.end_later(delivery.take(), self.out, end);
                Ok(Outcome::Queued)
            }
            Act::Receipt(end) => {
                if end == End::Written {
                    self.world.got(self.out, id);
                }
                let receipt = delivery.receipt();
                match end {
                    End::Written => receipt.written(),
                    End::Filtered => receipt.filtered(),
                    End::Dropped => receipt.dropped(),
                    End::Failed => receipt.failed(Error::new("scripted: receipt")),
                    End::Forgotten => drop(receipt),
                }
                Ok(Outcome::Queued)
            }
        }
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        if how.is_barrier() {
            return Ok(());
        }
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        held.into_iter().for_each(|(delivery, end)| self.world.end(delivery, self.out, end));
        Ok(())
    }
}

// --- a batch

/// A store that refuses some, and that now and then is away, or does not say which one it refuses.
pub(crate) struct Store {
    pub(crate) world: Arc<World>,
    pub(crate) out: usize,
    pub(crate) profile: Profile,
    pub(crate) is_spooled: bool,
    pub(crate) calls: AtomicUsize,
}

impl Store {
    fn take(&self, record: &OwnedRecord) {
        let is_new = |id| self.world.state().outs[self.out].known.insert(id);
        if record.id().is_none_or(is_new) {
            self.world.got(self.out, id_of(record));
        }
    }
}

impl Batch for Store {
    fn send(&self, records: &[OwnedRecord], _: &Attempt) -> Answer {
        let refuses = |record: &Record| id_of(record).is_some_and(|(id, _)| self.profile.act(id) == Act::Fail);
        let refused = || Error::new("scripted");
        if self.is_spooled && self.world.is_away.load(Ordering::SeqCst) {
            return Answer::Retry { after: Some(Duration::from_millis(1)), error: refused() };
        }
        match self.calls.fetch_add(1, Ordering::Relaxed) % 4 {
            0 => return Answer::Retry { after: Some(Duration::ZERO), error: refused() },
            1 if records.iter().any(|record| refuses(record)) => return Answer::Split(refused()),
            // Its answer is lost. The child of a fork has no spool.
            2 if records.iter().all(|record| record.id().is_some()) => {
                records.iter().filter(|record| !refuses(record)).for_each(|record| self.take(record));
                return Answer::Retry { after: Some(Duration::ZERO), error: refused() };
            }
            _ => {}
        }
        let verdict = |record: &OwnedRecord| {
            if refuses(record) {
                return Verdict::Refused(refused());
            }
            self.take(record);
            Verdict::Accepted
        };
        Answer::Each(records.iter().map(verdict).collect())
    }
}

/// Takes nothing.
pub(crate) struct Fails;

impl Handler for Fails {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        Err(Error::new("scripted"))
    }
}

// --- a sink and a format

/// Ids and marks.
pub(crate) struct Ids;

impl Format for Ids {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        match id_of(record) {
            Some((id, marks)) => write!(out, "{id} {marks}")?,
            None => out.push_str("-"),
        }
        Ok(())
    }
}

pub(crate) fn parse(text: &str) -> Vec<(u32, u32)> {
    let pair = |line: &str| line.split_once(' ').map(|(id, marks)| (id.parse().unwrap(), marks.parse().unwrap()));
    text.lines().filter_map(pair).collect()
}

/// A memory of lines that refuses some.
pub(crate) struct Lines {
    pub(crate) world: Arc<World>,
    pub(crate) out: usize,
    pub(crate) profile: Profile,
    pub(crate) batches: bool,
}

impl Sink for Lines {
    fn write(&self, lines: &mut tracing_strata::sink::Lines<'_>) -> io::Result<()> {
        while let Some((line, _)) = lines.first() {
            let id = parse(std::str::from_utf8(line).unwrap()).first().copied();
            match id.map_or(Act::Write, |(id, _)| self.profile.act(id)) {
                Act::Fail => return Err(io::Error::other("scripted")),
                Act::Panic => panic!("scripted"),
                Act::Drop => lines.dropped(1),
                _ => {
                    self.world.got(self.out, id);
                    lines.written(1);
                }
            }
        }
        Ok(())
    }

    fn properties(&self) -> SinkProperties {
        SinkProperties { supports_batching: self.batches, ..SinkProperties::default() }
    }
}

// --- gauges

/// A wrapper as a user writes it: sees what passes, and knows nothing of accounts.
pub(crate) struct Gauged<H> {
    pub(crate) world: Arc<World>,
    pub(crate) gauge: usize,
    pub(crate) handler: H,
}

impl<H: Handler> Handler for Gauged<H> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let id = id_of(&delivery);
        {
            let gauge = &mut self.world.state().gauges[self.gauge];
            match id {
                Some((id, _)) => gauge.ids.push(id),
                None => gauge.own += 1,
            }
        }
        self.handler.handle(delivery)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.handler.flush(how)
    }
}
