//! One tree and what is done with it: threads that log, flushes, shutdowns, rollovers, forks, and the end.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fork::{Fork, fork, waitpid_nohang};
use tracing::Dispatch;
use tracing_strata::{
    HandlerExt as _, HandlerLayer, NamedHandler, Record, Severity, flush_all, ledger::ErrorHandler, shutdown,
};
use tracing_subscriber::prelude::*;

use crate::{
    dice::{Dice, mix},
    laws::{self, CHILD, Seen},
    model::Sent,
    outputs::MESSAGE,
    tree::{Built, Maker, Node, SEVERITIES, Sizes, TARGETS, path_of},
};

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) root: Node,
    pub(crate) sizes: Sizes,
    /// Records come by the layer of a subscriber, or are delivered.
    pub(crate) by_layer: bool,
    pub(crate) phases: Vec<Phase>,
    pub(crate) ending: Ending,
}

#[derive(Clone, Debug)]
pub(crate) struct Phase {
    /// What each thread sends: ids, in a span or not.
    pub(crate) senders: Vec<Vec<(bool, Vec<u32>)>>,
    /// What happens meanwhile.
    pub(crate) meanwhile: Vec<Op>,
    /// What happens after it.
    pub(crate) after: After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Read,
    Flush,
    FlushShared(usize),
    FlushAll,
    Shutdown(usize, Duration),
    /// Stores with a spool go away, or come back.
    Away,
    Pause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Nothing,
    Quiet,
    RotatedFile,
    Fork,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Flushed and looked at before it is dropped.
    Quiet,
    /// Dropped with all that it holds.
    Drop,
    /// The guards first.
    DropGuards,
}

impl Case {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let left = dice.below(9) + 3;
        let mut maker = Maker::new(&mut dice, left);
        let root = maker.root();
        let sizes = maker.sizes;
        let (mut id, mut phases) = (0, Vec::new());
        for number in 0..dice.below(3) + 1 {
            let mut senders = Vec::new();
            for _ in 0..dice.below(3) + 1 {
                let mut chunks = Vec::new();
                for _ in 0..dice.below(3) + 1 {
                    let count = dice.below(7) as u32;
                    chunks.push((dice.one_in(2), (id..id + count).collect()));
                    id += count;
                }
                senders.push(chunks);
            }
            let mut meanwhile = Vec::new();
            for _ in 0..dice.below(4) {
                meanwhile.push(match dice.below(12) {
                    0..=2 => Op::Read,
                    3..=5 => Op::Flush,
                    6 | 7 => Op::FlushShared(dice.below(sizes.slots)),
                    8 => Op::FlushAll,
                    9 if sizes.queues > 0 && dice.one_in(3) => {
                        let deadline = dice.pick(&[Duration::ZERO, Duration::from_millis(1), Duration::from_secs(20)]);
                        Op::Shutdown(dice.below(sizes.queues), deadline)
                    }
                    10 if root.has_spool() => Op::Away,
                    _ => Op::Pause,
                });
            }
            // The thread of the example `own_later` is not there in a child.
            let may_fork = number > 0 && !root.all().iter().any(|node| matches!(node, Node::OwnLater { .. }));
            let after = match dice.below(200) {
                0 if may_fork => After::Fork,
                1..=60 => After::Quiet,
                61..=130 => After::RotatedFile,
                _ => After::Nothing,
            };
            phases.push(Phase { senders, meanwhile, after });
        }
        let ending = dice.pick(&[Ending::Quiet, Ending::Quiet, Ending::Drop, Ending::DropGuards]);
        Self { seed, root, sizes, by_layer: dice.one_in(2), phases, ending }
    }

    pub(crate) fn sent(&self, id: u32) -> Sent {
        let random = mix(self.seed ^ u64::from(id) << 32);
        let target = TARGETS[(random >> 8) as usize % TARGETS.len()];
        Sent { id, severity: SEVERITIES[(random >> 16) as usize % SEVERITIES.len()], target }
    }

    /// Whether a queue may give up what came, by its policy or at a shutdown.
    fn has_shutdown(&self) -> bool {
        self.phases.iter().flat_map(|phase| &phase.meanwhile).any(|op| matches!(op, Op::Shutdown(..)))
    }

    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for index in 0..self.phases.len() {
            let mut case = self.clone();
            case.phases.remove(index);
            all.push(case);
        }
        all.extend(self.root.smaller().into_iter().map(|root| Self { root, ..self.clone() }));
        for (index, phase) in self.phases.iter().enumerate() {
            for sender in 0..phase.senders.len() {
                let mut case = self.clone();
                case.phases[index].senders.remove(sender);
                all.push(case);
                for chunk in 0..phase.senders[sender].len() {
                    let mut case = self.clone();
                    case.phases[index].senders[sender].remove(chunk);
                    all.push(case);
                    let ids = &phase.senders[sender][chunk].1;
                    for half in [&ids[..ids.len() / 2], &ids[ids.len() / 2..]] {
                        if ids.len() > 1 {
                            let mut case = self.clone();
                            case.phases[index].senders[sender][chunk].1 = half.to_vec();
                            all.push(case);
                        }
                    }
                }
            }
            for op in 0..phase.meanwhile.len() {
                let mut case = self.clone();
                case.phases[index].meanwhile.remove(op);
                all.push(case);
            }
            if phase.after != After::Nothing {
                let mut case = self.clone();
                case.phases[index].after = After::Nothing;
                all.push(case);
            }
        }
        all
    }
}

/// How records come in.
#[derive(Clone)]
enum Entry {
    NamedHandler(NamedHandler),
    Layer(Dispatch),
}

macro_rules! by_target {
    ($level:ident, $target:expr, $id:expr) => {
        match $target {
            "a" => tracing::event!(target: "a", tracing::Level::$level, id = $id, "{MESSAGE}"),
            "a.b" => tracing::event!(target: "a.b", tracing::Level::$level, id = $id, "{MESSAGE}"),
            _ => tracing::event!(target: "c", tracing::Level::$level, id = $id, "{MESSAGE}"),
        }
    };
}

impl Entry {
    fn send(&self, sent: &Sent) {
        let id = u64::from(sent.id);
        match self {
            Self::NamedHandler(shared) => {
                let mut record = Record::new(Severity::new(sent.severity), sent.target, MESSAGE);
                record.set("id", id);
                shared.emit(&record);
            }
            Self::Layer(_) => match sent.severity {
                5 => by_target!(TRACE, sent.target, id),
                10 => by_target!(DEBUG, sent.target, id),
                20 => by_target!(INFO, sent.target, id),
                30 => by_target!(WARN, sent.target, id),
                _ => by_target!(ERROR, sent.target, id),
            },
        }
    }

    fn within(&self, run: impl FnOnce()) {
        match self {
            Self::NamedHandler(_) => run(),
            Self::Layer(dispatch) => tracing::dispatcher::with_default(dispatch, run),
        }
    }

    fn send_all(&self, case: &Case, chunks: &[(bool, Vec<u32>)], counts: &Counts) {
        self.within(|| {
            for (in_span, ids) in chunks {
                let span = if *in_span { tracing::info_span!(parent: None, "chunk") } else { tracing::Span::none() };
                let _entered = span.enter();
                for id in ids {
                    counts.started.fetch_add(1, Ordering::SeqCst);
                    self.send(&case.sent(*id));
                    counts.done.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
    }
}

#[derive(Default)]
struct Counts {
    started: AtomicU64,
    done: AtomicU64,
}

/// Everything of one tree that is played.
pub(crate) struct Play<'a> {
    pub(crate) case: &'a Case,
    pub(crate) built: Built,
    /// All that was sent so far, by the thread that did.
    pub(crate) sent: Vec<Vec<(bool, Vec<u32>)>>,
    counts: Counts,
    last: BTreeMap<usize, u64>,
    /// How many losses were reported, and whether a flush among threads may have reported some.
    pub(crate) reported: Cell<u64>,
    pub(crate) is_muddled: bool,
    /// Something may have been left by a deadline.
    pub(crate) is_shut: bool,
    pub(crate) is_child: bool,
    /// How many the next start was refused that the spools held.
    pub(crate) refused_later: u64,
}

type Broken = Result<(), String>;

/// Plays it, and says which law was broken.
pub(crate) fn play(case: &Case) -> Broken {
    let built = Built::new(&case.root, &case.sizes);
    let root = built.shareds[0].clone().unwrap();
    let mut layer = None;
    let entry = if case.by_layer {
        let handler: HandlerLayer<NamedHandler> = root.clone().into_layer().error_handler(ErrorHandler::silent());
        layer = Some(handler.ledger());
        Entry::Layer(Dispatch::new(tracing_subscriber::registry().with(handler)))
    } else {
        Entry::NamedHandler(root.clone())
    };
    // What another test has lost is no business of this one.
    drop(flush_all());
    let (reported, is_muddled) = (Cell::new(0), false);
    let mut play = Play {
        case,
        built,
        sent: Vec::new(),
        counts: Counts::default(),
        last: BTreeMap::new(),
        reported,
        is_muddled,
        is_shut: case.has_shutdown(),
        is_child: false,
        refused_later: 0,
    };
    for phase in &case.phases {
        play.phase(phase, &entry)?;
    }
    if case.ending == Ending::Quiet {
        play.quiet()?;
    }
    if let Some(layer) = layer {
        let all = play.counts.done.load(Ordering::SeqCst);
        let stats = layer.stats();
        if stats.accepted() != all {
            return Err(format!("the layer has accepted {stats}, of {all}"));
        }
    }
    play.end(root, entry)
}

impl Play<'_> {
    fn phase(&mut self, phase: &Phase, entry: &Entry) -> Broken {
        let mut broken = Ok(());
        thread::scope(|scope| {
            for chunks in &phase.senders {
                let (entry, case, counts) = (entry.clone(), self.case, &self.counts);
                scope.spawn(move || entry.send_all(case, chunks, counts));
            }
            for op in &phase.meanwhile {
                let done = meanwhile(&self.built, &self.counts, &mut self.last, &mut self.is_muddled, *op);
                if broken.is_ok() {
                    broken = done;
                }
            }
        });
        broken?;
        self.sent.extend(phase.senders.iter().cloned());
        self.read()?;
        match phase.after {
            After::Nothing => Ok(()),
            After::Quiet => self.quiet(),
            After::RotatedFile => self.rollover(),
            After::Fork => self.fork(entry),
        }
    }

    fn read(&mut self) -> Broken {
        read(&self.built, &self.counts, &mut self.last)
    }

    /// Brings everything to its place, and looks whether it is there.
    fn quiet(&mut self) -> Broken {
        self.built.world.is_away.store(false, Ordering::SeqCst);
        let uses_thread = laws::uses_thread(&self.case.root);
        // What ends on another thread may go on to where it is held again.
        for _ in 0..if uses_thread { 12 } else { 1 } {
            self.idle()?;
            let flushed = self.built.shareds[0].as_ref().unwrap().flush();
            self.idle()?;
            if let Err(error) = flushed
                && !self.is_shut
            {
                return Err(format!("the flush said: {error}"));
            }
        }
        let mut early = Ok(());
        if self.is_shut {
            // What a memory that does not flush when it closes has got from a queue that was shut is out of reach, as is what
            // a spool has, which waits for the next start.
            let root = &self.case.root;
            let is_closed = |node: &&Node| matches!(node, Node::MemoryBuffer { on_close: false, .. });
            if root.has_spool() || root.all().iter().any(is_closed) {
                return Ok(());
            }
            // What came behind the queue after its last flush is out of its reach, and a listener that was left to itself
            // comes to its end.
            early = flush_all();
            let ledgers = &self.built.ledgers;
            let left = || ledgers.iter().flatten().filter(|ledger| ledger.stats().queued > 0);
            until("those that were shut", || left().next().is_none())
                .map_err(|error| format!("{error}: {:?}", left().collect::<Vec<_>>()))?;
        }
        let (first, second) = (flush_all(), flush_all());
        let first = early.and(first);
        let seen = Seen { first: first.map_err(|error| error.to_string()), is_quiet: true };
        soon(|| laws::check(self, &seen))?;
        if let Err(error) = second
            && !self.is_shut
        {
            return Err(format!("a second flush_all said: {error}"));
        }
        self.is_muddled = false;
        self.read()
    }

    fn idle(&self) -> Broken {
        let is_sent = || self.is_child || self.is_shut || self.built.is_all_sent();
        until("the other thread", || self.built.world.is_idle() && is_sent())
    }

    fn rollover(&mut self) -> Broken {
        for (out, file) in &self.built.rotating {
            file.rollover();
            if laws::is_straight(&self.case.root, *out) && !self.is_shut {
                let base = path_of(self.built.dir.as_deref().unwrap(), *out);
                let left = fs::read_to_string(&base).unwrap_or_default();
                if !left.is_empty() {
                    return Err(format!("out {out}: behind the rollover came {left:?}"));
                }
            }
        }
        Ok(())
    }

    /// The tree is let go of, with what it holds.
    fn end(mut self, root: NamedHandler, entry: Entry) -> Broken {
        drop(root);
        if self.case.ending == Ending::DropGuards {
            // What is brought to them later is late.
            self.is_shut = true;
            self.built.guards.clear();
        }
        self.is_shut |= laws::brings_late(&self.case.root);
        let is_first = self.case.seed.is_multiple_of(2);
        if is_first {
            drop(entry);
            self.built.shareds.clear();
        } else {
            while let Some(last) = self.built.shareds.pop() {
                drop(last);
            }
            drop(entry);
        }
        self.built.guards.clear();
        let ledgers: Vec<_> = self.built.ledgers.iter().flatten().cloned().collect();
        let ended =
            until("the end", || self.built.world.is_idle() && ledgers.iter().all(|ledger| ledger.stats().queued == 0));
        if ended.is_err() {
            let left: Vec<_> = ledgers.iter().filter(|ledger| ledger.stats().queued > 0).collect();
            return Err(format!("it was dropped, and still there is {left:?}"));
        }
        self.built.world.is_away.store(false, Ordering::SeqCst);
        self.refused_later = self.built.send_spooled()?;
        let seen = Seen { first: Ok(()), is_quiet: false };
        let checked = soon(|| laws::check(&self, &seen));
        self.built.world.close();
        // What was lost since is nobody's.
        drop(flush_all());
        checked
    }

    // --- forks

    fn fork(&mut self, entry: &Entry) -> Broken {
        static REPORT: OnceLock<std::path::PathBuf> = OnceLock::new();
        let report =
            REPORT.get_or_init(|| std::env::temp_dir().join(format!("strata-composition-fork-{}", std::process::id())));
        fs::remove_file(report).unwrap_or_default();
        let is_child = |fork: &std::io::Result<Fork>| matches!(fork, Ok(Fork::Child));
        match self.built.world.forked(fork, is_child) {
            Ok(Fork::Child) => {
                shutdown::set_exit_timeout(Duration::ZERO);
                let said = self.in_the_child(entry).err().unwrap_or_else(|| "fine".into());
                fs::write(report, said).unwrap_or_default();
                std::process::exit(0);
            }
            Ok(Fork::Parent(pid)) => {
                until("the child of the fork", || !matches!(waitpid_nohang(pid), Ok(None)))?;
                let said = fs::read_to_string(report).unwrap_or_default();
                fs::remove_file(report).unwrap_or_default();
                if said == "fine" { Ok(()) } else { Err(format!("in the child of a fork: {said:?}")) }
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// What the parent held is not the child's; what the child sends is.
    fn in_the_child(&mut self, entry: &Entry) -> Broken {
        self.is_child = true;
        self.built.world.is_away.store(false, Ordering::SeqCst);
        let root = self.built.shareds[0].clone().unwrap();
        let before = root.stats().accepted();
        let ids: Vec<u32> = (CHILD..CHILD + 20).collect();
        entry.send_all(self.case, &[(true, ids.clone())], &self.counts);
        let uses_thread = laws::uses_thread(&self.case.root);
        for _ in 0..if uses_thread { 12 } else { 1 } {
            self.idle()?;
            drop(root.flush());
            self.idle()?;
        }
        laws::check_child(self, &ids, before)
    }
}

fn meanwhile(built: &Built, counts: &Counts, last: &mut BTreeMap<usize, u64>, is_muddled: &mut bool, op: Op) -> Broken {
    match op {
        Op::Read => read(built, counts, last)?,
        // What goes wrong is seen in the end.
        Op::Flush => drop(built.shareds[0].as_ref().unwrap().flush()),
        Op::FlushShared(slot) => drop(built.shareds[slot].as_ref().map(NamedHandler::flush)),
        Op::FlushAll => *is_muddled |= flush_all().is_err(),
        Op::Shutdown(queue, deadline) => {
            if let Some(guard) = &built.guards[queue] {
                let began = Instant::now();
                drop(guard.shutdown(deadline));
                let took = began.elapsed();
                if took > deadline + Duration::from_secs(10) {
                    return Err(format!("the shutdown took {took:?}"));
                }
            }
        }
        Op::Away => drop(built.world.is_away.fetch_not(Ordering::SeqCst)),
        Op::Pause => thread::sleep(Duration::from_micros(300)),
    }
    Ok(())
}

/// Accepted never gets less, and is between what was begun and what was done.
fn read(built: &Built, counts: &Counts, last: &mut BTreeMap<usize, u64>) -> Broken {
    let done = counts.done.load(Ordering::SeqCst);
    for (slot, ledger) in built.ledgers.iter().enumerate() {
        let Some(ledger) = ledger else { continue };
        let stats = ledger.stats();
        let before = last.insert(slot, stats.accepted()).unwrap_or_default();
        if stats.accepted() < before {
            return Err(format!("n{slot} had accepted {before}, and now: {stats}"));
        }
        if slot == 0 && stats.accepted() < done {
            return Err(format!("n0 was given {done}, and has {stats}"));
        }
    }
    let root = built.ledgers[0].as_ref().unwrap().stats().accepted();
    let started = counts.started.load(Ordering::SeqCst);
    if root > started && !laws::has_births(&built.root, 0) {
        return Err(format!("n0 was given {started} at most, and has accepted {root}"));
    }
    Ok(())
}

/// A queue may still be about to say what it has lost; what is really wrong does not get right by waiting.
fn soon(check: impl Fn() -> Broken) -> Broken {
    for _ in 0..2_000 {
        if check().is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(5));
    }
    check()
}

pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) -> Broken {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > Duration::from_secs(30) {
            return Err(format!("{what}: not within thirty seconds"));
        }
        thread::sleep(Duration::from_micros(100));
    }
    Ok(())
}
