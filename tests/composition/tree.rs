//! Trees of handlers: as an expression, made at random, and built.

use std::{
    cell::OnceCell,
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, atomic::AtomicUsize},
    time::Duration,
};

use tracing_strata::{
    Error, FlightRecorder, Handler, HandlerExt as _, Loggers, MemoryBuffer, NamedHandler, Queue, Record, Severity, Tee,
    filter::{RateLimit, Sample},
    handler::{
        OutsideSpan,
        queue::{Overflow, WorkerGuard},
    },
    ledger::{ErrorHandler, Ledger},
    output::{Batched, LogFile, RotatingFile, Stream},
    sink::RotatingFileSink,
};

use crate::{
    dice::Dice,
    model::End,
    outputs::{Act, Fails, Gauged, Ids, Lines, Mark, Out, Profile, Store, When, World},
    own::{Count, Numbered, later},
    play::until,
};

pub(crate) const SEVERITIES: [i32; 5] = [5, 10, 20, 30, 40];
pub(crate) const TARGETS: [&str; 3] = ["a", "a.b", "c"];

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Out {
        out: usize,
        profile: Profile,
    },
    /// A format before a sink in memory.
    Stream {
        out: usize,
        profile: Profile,
        batches: bool,
    },
    /// An output in batches.
    Batch {
        out: usize,
        profile: Profile,
        max_batch: usize,
        /// With a spool, a gauge of what was refused before it was on disk.
        spool: Option<usize>,
    },
    File {
        out: usize,
        buffer: bool,
    },
    Rotating {
        out: usize,
    },
    /// A file on /dev/full.
    Full {
        gauge: usize,
    },
    Level(i32, Box<Node>),
    /// Passes the ids that are not divisible.
    Filter(u32, Box<Node>),
    /// Passes some, and tells of the others.
    Limit {
        is_sample: bool,
        most: u32,
        after: usize,
        child: Box<Node>,
    },
    Transform(Box<Node>),
    /// The wrapper of the example `own_wrapper`, and the handlers of `own_later` and `own_parts`.
    OwnWrapper(Box<Node>),
    OwnLater {
        out: usize,
    },
    OwnCount,
    /// With a name, an account, and a level that is set at run time.
    Named {
        slot: usize,
        level: i32,
        child: Box<Node>,
    },
    /// One that hangs elsewhere, too.
    Again(usize),
    Tee(Vec<Node>),
    Fallback {
        first: Box<Node>,
        fallback: Box<Node>,
        notices: bool,
    },
    Queue {
        queue: usize,
        capacity: usize,
        policy: Policy,
        owned: bool,
        before: usize,
        after: usize,
        child: Box<Node>,
    },
    MemoryBuffer {
        capacity: usize,
        flush_at: i32,
        on_close: bool,
        before: usize,
        after: usize,
        target: Box<Node>,
    },
    Recorder {
        hold_below: i32,
        release_at: i32,
        pass_outside: bool,
        before: usize,
        after: usize,
        target: Box<Node>,
    },
    Router(Vec<(&'static str, Node)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Block,
    BlockForAMoment,
    DropNewest,
    DropOldest,
}

impl Policy {
    /// Whether it may give records up.
    pub(crate) fn gives_up(self, capacity: usize) -> bool {
        self != Self::Block && capacity < 1_000
    }
}

impl Node {
    pub(crate) fn children(&self) -> Vec<&Node> {
        match self {
            Self::Level(_, child) | Self::Filter(_, child) | Self::Transform(child) | Self::OwnWrapper(child) => {
                vec![child]
            }
            Self::Limit { child, .. } | Self::Named { child, .. } | Self::Queue { child, .. } => vec![child],
            Self::MemoryBuffer { target, .. } | Self::Recorder { target, .. } => vec![target],
            Self::Tee(all) => all.iter().collect(),
            Self::Router(all) => all.iter().map(|(_, node)| node).collect(),
            Self::Fallback { first, fallback, .. } => vec![first, fallback],
            _ => vec![],
        }
    }

    fn has_files(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Rotating { .. } | Self::Batch { spool: Some(_), .. })
    }

    pub(crate) fn has_spool(&self) -> bool {
        self.all().iter().any(|node| matches!(node, Self::Batch { spool: Some(_), .. }))
    }

    /// All of them, without those that hang again.
    pub(crate) fn all(&self) -> Vec<&Node> {
        let mut all = vec![self];
        self.children().into_iter().for_each(|child| all.extend(child.all()));
        all
    }

    pub(crate) fn named(&self, slot: usize) -> &Node {
        let is_it = |node: &&&Node| matches!(node, Node::Named { slot: this, .. } if *this == slot);
        self.all().iter().find(is_it).copied().unwrap()
    }

    /// Trees that are like it, and smaller.
    pub(crate) fn smaller(&self) -> Vec<Node> {
        fn children(node: &mut Node) -> Vec<&mut Node> {
            match node {
                Node::Level(_, child) | Node::Filter(_, child) | Node::Transform(child) | Node::OwnWrapper(child) => {
                    vec![child]
                }
                Node::Limit { child, .. } | Node::Named { child, .. } | Node::Queue { child, .. } => vec![child],
                Node::MemoryBuffer { target, .. } | Node::Recorder { target, .. } => vec![target],
                Node::Tee(all) => all.iter_mut().collect(),
                Node::Router(all) => all.iter_mut().map(|(_, node)| node).collect(),
                Node::Fallback { first, fallback, .. } => vec![first, fallback],
                _ => vec![],
            }
        }
        /// Visits each place below in the order of `all`.
        fn nth(node: &mut Node, left: &mut usize, change: &mut dyn FnMut(&mut Node)) {
            if *left == 0 {
                change(node);
                *left = usize::MAX;
                return;
            }
            *left -= 1;
            for child in children(node) {
                if *left == usize::MAX {
                    return;
                }
                nth(child, left, change);
            }
        }
        let mut found = Vec::new();
        for index in 1..self.all().len() {
            let old = self.all()[index].clone();
            let mut news: Vec<Node> = Vec::new();
            match &old {
                Node::Named { slot, level, child } => {
                    // The name stays, as others may ask for it there.
                    if let Some(grandchild) = child.children().first() {
                        news.push(Node::Named { slot: *slot, level: *level, child: Box::new((*grandchild).clone()) });
                    }
                }
                Node::Tee(all) if all.len() > 1 => {
                    news.extend((0..all.len()).map(|gone| {
                        let mut less = all.clone();
                        less.remove(gone);
                        Node::Tee(less)
                    }));
                }
                old => news.extend(old.children().into_iter().cloned()),
            }
            for new in news {
                let mut tree = self.clone();
                nth(&mut tree, &mut index.clone(), &mut |node| *node = new.clone());
                if tree.is_whole() {
                    found.push(tree);
                }
            }
        }
        found
    }

    /// Whether all that hangs again hangs somewhere.
    fn is_whole(&self) -> bool {
        let all = self.all();
        let slots: BTreeSet<usize> = all.iter().filter_map(|node| node.slot()).collect();
        all.iter().all(|node| !matches!(node, Node::Again(slot) if !slots.contains(slot)))
    }

    fn slot(&self) -> Option<usize> {
        if let Self::Named { slot, .. } = self { Some(*slot) } else { None }
    }
}

/// How many of each there are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) slots: usize,
    pub(crate) outs: usize,
    pub(crate) gauges: usize,
    pub(crate) queues: usize,
}

// --- at random

pub(crate) struct Maker<'a> {
    pub(crate) dice: &'a mut Dice,
    pub(crate) sizes: Sizes,
    /// How many nodes may still be made.
    pub(crate) left: usize,
    /// Names that may hang again, each with the names that it leads to.
    free: Vec<(usize, BTreeSet<usize>)>,
}

/// Where a node is to stand.
#[derive(Clone, Default)]
struct Around {
    /// What may not be reached from here: a fallback that leads back.
    avoid: BTreeSet<usize>,
    depth: usize,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(dice: &'a mut Dice, left: usize) -> Self {
        Self { dice, sizes: Sizes::default(), left, free: Vec::new() }
    }

    pub(crate) fn root(&mut self) -> Node {
        // Gauges are by slot first; see `Sizes`.
        self.named(&Around::default())
    }

    fn gauge(&mut self) -> usize {
        self.sizes.gauges += 1;
        self.sizes.gauges - 1
    }

    fn out(&mut self) -> usize {
        self.sizes.outs += 1;
        self.sizes.outs - 1
    }

    /// With a name, or one that has one already.
    fn named(&mut self, around: &Around) -> Node {
        let free: Vec<usize> =
            self.free.iter().filter(|(_, leads)| leads.is_disjoint(&around.avoid)).map(|(slot, _)| *slot).collect();
        if around.depth > 0 && !free.is_empty() && self.dice.one_in(4) {
            return Node::Again(self.dice.pick(&free));
        }
        let slot = self.sizes.slots;
        self.sizes.slots += 1;
        let level = if around.depth > 0 && self.dice.one_in(6) { self.dice.pick(&SEVERITIES) } else { 0 };
        let child = self.node(&around.deeper());
        let node = Node::Named { slot, level, child: Box::new(child) };
        if !node.all().iter().any(|node| node.may_lose()) {
            let leads = self.reach(&node);
            self.free.push((slot, leads));
        }
        node
    }

    fn reach(&self, node: &Node) -> BTreeSet<usize> {
        let mut reach = BTreeSet::new();
        for node in node.all() {
            match node {
                Node::Named { slot, .. } => drop(reach.insert(*slot)),
                Node::Again(slot) => {
                    let (_, leads) = self.free.iter().find(|(free, _)| free == slot).unwrap();
                    reach.extend(leads);
                }
                _ => {}
            }
        }
        reach
    }

    fn boxed(&mut self, around: &Around) -> Box<Node> {
        Box::new(self.node(&around.deeper()))
    }

    fn node(&mut self, around: &Around) -> Node {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 || around.depth > 6 {
            return self.output();
        }
        let below = around.deeper();
        match self.dice.below(if around.depth <= 1 { 20 } else { 28 }) {
            0 => Node::Level(self.dice.pick(&SEVERITIES), self.boxed(around)),
            1 => Node::Filter(self.dice.below(3) as u32 + 2, self.boxed(around)),
            2 => {
                let (is_sample, most) = (self.dice.one_in(2), self.dice.below(6) as u32 + 1);
                Node::Limit { is_sample, most, after: self.gauge(), child: self.boxed(around) }
            }
            3 => Node::Transform(self.boxed(around)),
            4 => self.named(&below),
            5 => Node::OwnWrapper(self.boxed(around)),
            6..=8 => {
                let many = self.dice.below(3) + 1;
                Node::Tee((0..many).map(|_| self.named(&below)).collect())
            }
            9..=12 => {
                let first = self.node(&below);
                let mut avoid = around.avoid.clone();
                avoid.extend(self.reach(&first));
                let fallback = self.named(&Around { avoid, ..below });
                Node::Fallback { first: Box::new(first), fallback: Box::new(fallback), notices: self.dice.one_in(2) }
            }
            13..=15 => {
                let queue = self.sizes.queues;
                self.sizes.queues += 1;
                let capacity = self.dice.pick(&[1, 2, 5, 20, 1_000, 8_000]);
                let policy = self.dice.pick(&[
                    Policy::Block,
                    Policy::Block,
                    Policy::BlockForAMoment,
                    Policy::DropNewest,
                    Policy::DropOldest,
                ]);
                let (before, after, owned) = (self.gauge(), self.gauge(), self.dice.one_in(2));
                Node::Queue { queue, capacity, policy, owned, before, after, child: self.boxed(around) }
            }
            16 | 17 => {
                let (capacity, flush_at) = (self.dice.pick(&[0, 1, 3, 10, 500]), self.dice.pick(&[20, 30, 40, 1_000]));
                let (before, after) = (self.gauge(), self.gauge());
                let on_close = !self.dice.one_in(3);
                Node::MemoryBuffer { capacity, flush_at, on_close, before, after, target: Box::new(self.named(&below)) }
            }
            18 => {
                let (hold_below, release_at) = (self.dice.pick(&[10, 20, 40]), self.dice.pick(&[30, 40, 1_000]));
                let (before, after, pass_outside) = (self.gauge(), self.gauge(), self.dice.one_in(2));
                Node::Recorder {
                    hold_below,
                    release_at,
                    pass_outside,
                    before,
                    after,
                    target: Box::new(self.named(&below)),
                }
            }
            19 => {
                let mut all = Vec::new();
                if self.dice.one_in(2) {
                    all.push(("", self.named(&below)));
                }
                for name in TARGETS {
                    if self.dice.one_in(2) {
                        all.push((name, self.named(&below)));
                    }
                }
                Node::Router(all)
            }
            _ => self.output(),
        }
    }

    fn output(&mut self) -> Node {
        let out = self.out();
        match self.dice.below(20) {
            0..=2 => {
                let usual = self.dice.pick(&[Act::Write, Act::Write, Act::Fail]);
                let other = self.dice.pick(&[Act::Write, Act::Fail, Act::Panic]);
                let profile = Profile { usual, other, when: self.when() };
                Node::Stream { out, profile, batches: !self.dice.one_in(3) }
            }
            9 | 10 => {
                let other = self.dice.pick(&[Act::Write, Act::Fail]);
                let profile = Profile { usual: Act::Write, other, when: self.when() };
                let spool = if self.dice.one_in(2) { Some(self.gauge()) } else { None };
                Node::Batch { out, profile, max_batch: self.dice.pick(&[1, 2, 7, 100]), spool }
            }
            3 => Node::File { out, buffer: true },
            4 => Node::File { out, buffer: false },
            5 => Node::Full { gauge: self.gauge() },
            6 => Node::Rotating { out },
            7 => Node::OwnLater { out },
            8 => Node::OwnCount,
            _ => {
                let profile = Profile { usual: self.act(), other: self.act(), when: self.when() };
                Node::Out { out, profile }
            }
        }
    }

    fn when(&mut self) -> When {
        match self.dice.below(4) {
            0 => When::Never,
            1 => {
                let from = self.dice.below(40) as u32;
                When::Between(from, from + self.dice.below(20) as u32)
            }
            _ => {
                let many = self.dice.below(6) as u32 + 2;
                When::OneIn(many, self.dice.below(many as usize) as u32)
            }
        }
    }

    fn act(&mut self) -> Act {
        let end = self.dice.pick(&[
            End::Written,
            End::Written,
            End::Failed,
            End::Failed,
            End::Dropped,
            End::Filtered,
            End::Forgotten,
        ]);
        match self.dice.below(24) {
            0..=6 => Act::Write,
            7..=9 => Act::Fail,
            10 => Act::Drop,
            11 => Act::Filter,
            12 => Act::Panic,
            13 => Act::TakePanic,
            14 => Act::TakeError,
            15 => Act::KeepPanic,
            16 => Act::Forget,
            17 => Act::Lie,
            18 | 19 => Act::OnFlush(end),
            20 | 21 => Act::OnThread(end),
            22 => Act::Slow,
            _ => Act::Receipt(end),
        }
    }
}

impl Around {
    fn deeper(&self) -> Self {
        Self { depth: self.depth + 1, ..self.clone() }
    }
}

impl Node {
    /// Whether records may stay in it by timing: the model has to look which.
    pub(crate) fn may_lose(&self) -> bool {
        match self {
            Self::Limit { .. } | Self::Recorder { .. } => true,
            Self::Queue { policy, capacity, .. } => policy.gives_up(*capacity),
            Self::MemoryBuffer { on_close, .. } => !on_close,
            Self::Batch { profile, spool: Some(_), .. } => profile.other == Act::Fail,
            _ => false,
        }
    }
}

// --- built

pub(crate) struct Built {
    pub(crate) world: Arc<World>,
    pub(crate) root: Node,
    pub(crate) shareds: Vec<Option<NamedHandler>>,
    pub(crate) ledgers: Vec<Option<Arc<Ledger>>>,
    pub(crate) guards: Vec<Option<WorkerGuard>>,
    pub(crate) rotating: Vec<(usize, RotatingFileSink)>,
    /// How often a failure was told.
    pub(crate) dir: Option<PathBuf>,
}

impl Drop for Built {
    fn drop(&mut self) {
        if let Some(dir) = &self.dir {
            fs::remove_dir_all(dir).unwrap_or_default();
        }
    }
}

/// The gauge of a name comes after the others.
pub(crate) fn gauge_of(sizes: &Sizes, slot: usize) -> usize {
    sizes.gauges + slot
}

pub(crate) fn path_of(dir: &std::path::Path, out: usize) -> PathBuf {
    dir.join(format!("out{out}"))
}

impl Built {
    pub(crate) fn new(root: &Node, sizes: &Sizes) -> Self {
        let has_files = root.all().iter().any(|node| node.has_files());
        let dir = has_files.then(|| {
            static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
            let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let dir = std::env::temp_dir().join(format!("strata-composition-{}-{number}", std::process::id()));
            fs::remove_dir_all(&dir).unwrap_or_default();
            fs::create_dir_all(&dir).unwrap();
            dir
        });
        let mut built = Self {
            world: World::new(sizes.gauges + sizes.slots, sizes.outs),
            root: root.clone(),
            shareds: vec![None; sizes.slots],
            ledgers: vec![None; sizes.slots],
            guards: (0..sizes.queues).map(|_| None).collect(),
            rotating: Vec::new(),
            dir,
        };
        built.handler(root, sizes);
        built
    }

    fn gauged(&self, gauge: usize, handler: impl Handler) -> Box<dyn Handler> {
        Gauged { world: Arc::clone(&self.world), gauge, handler }.boxed()
    }

    /// An output in batches; `Err` while another one has its spool.
    fn batched(&self, node: &Node) -> Result<Batched, Error> {
        let Node::Batch { out, profile, max_batch, spool } = node else { unreachable!() };
        let (world, is_spooled) = (Arc::clone(&self.world), spool.is_some());
        let store = Store { world, out: *out, profile: *profile, is_spooled, calls: AtomicUsize::new(0) };
        let mut builder = Batched::builder(store).max_batch(*max_batch).schedule_delay(Duration::from_micros(500));
        if is_spooled {
            builder = builder.max_batch_bytes(8 << 10).spool(self.spool(*out), 1 << 20);
        }
        builder.flush_timeout(Duration::from_secs(20)).build()
    }

    fn spool(&self, out: usize) -> PathBuf {
        self.dir.as_deref().unwrap().join(format!("spool{out}"))
    }

    fn has_spooled(&self, node: &Node) -> bool {
        let Node::Batch { out, spool: Some(_), .. } = node else { return false };
        // Beside its lock.
        let mut files = fs::read_dir(self.spool(*out)).into_iter().flatten();
        files.any(|file| file.unwrap().path().extension().is_some())
    }

    pub(crate) fn is_all_sent(&self) -> bool {
        !self.root.all().into_iter().any(|node| self.has_spooled(node))
    }

    /// The next start sends what is on disk. How many were refused.
    pub(crate) fn send_spooled(&self) -> Result<u64, String> {
        let mut failed = 0;
        for node in self.root.all().into_iter().filter(|node| self.has_spooled(node)) {
            let next = OnceCell::new();
            until("the lock of a spool", || self.batched(node).is_ok_and(|batched| next.set(batched).is_ok()))?;
            let next = next.into_inner().unwrap();
            let next = NamedHandler::with_error_handler("next", next, ErrorHandler::silent());
            // It learns whose account it is.
            next.emit(&Record::new(Severity::INFO, "next", "start"));
            until("the next start", || !self.has_spooled(node))?;
            let ledger = next.ledger();
            drop(next);
            failed += ledger.stats().failed;
        }
        Ok(failed)
    }

    fn shared(&mut self, node: &Node, sizes: &Sizes) -> NamedHandler {
        match node {
            Node::Named { slot, level, child } => {
                // A tree that was made smaller may ask for it first where it hangs again.
                if let Some(shared) = &self.shareds[*slot] {
                    return shared.clone();
                }
                let child = self.handler(child, sizes);
                let child = self.gauged(gauge_of(sizes, *slot), child);
                let shared = NamedHandler::with_error_handler(format!("n{slot}"), child, ErrorHandler::silent());
                if *level > 0 {
                    shared.set_level(Severity::new(*level));
                }
                self.ledgers[*slot] = Some(shared.ledger());
                self.shareds[*slot] = Some(shared.clone());
                shared
            }
            Node::Again(slot) => match &self.shareds[*slot] {
                Some(shared) => shared.clone(),
                None => {
                    let root = self.root.clone();
                    self.shared(root.named(*slot), sizes)
                }
            },
            other => {
                // Only in trees that were made smaller.
                let handler = self.handler(other, sizes);
                NamedHandler::with_error_handler("between", handler, ErrorHandler::silent())
            }
        }
    }

    fn handler(&mut self, node: &Node, sizes: &Sizes) -> Box<dyn Handler> {
        let world = Arc::clone(&self.world);
        match node {
            Node::Out { out, profile } => Out { world, out: *out, profile: *profile, held: Mutex::default() }.boxed(),
            Node::Stream { out, profile, batches } => {
                let lines = Lines { world, out: *out, profile: *profile, batches: *batches };
                Stream::sink(lines).format(Ids).boxed()
            }
            Node::Batch { spool: None, .. } => self.batched(node).unwrap().boxed(),
            Node::Batch { spool: Some(refused), .. } => {
                let fails = self.gauged(*refused, Fails);
                let fails = NamedHandler::with_error_handler("refused", fails, ErrorHandler::silent());
                self.batched(node).unwrap().fallback(fails).notices(false).boxed()
            }
            Node::File { out, buffer } => {
                let mut file = LogFile::builder(path_of(self.dir.as_deref().unwrap(), *out)).format(Ids);
                if *buffer {
                    file = file.buffer(4_096);
                }
                file.build().unwrap().boxed()
            }
            Node::Rotating { out } => {
                let path = path_of(self.dir.as_deref().unwrap(), *out);
                let file = RotatingFile::builder(path).max_bytes(10 << 20).backups(50).format(Ids).build().unwrap();
                self.rotating.push((*out, file.as_sink().clone()));
                file.boxed()
            }
            Node::Full { gauge } => {
                let file = LogFile::builder("/dev/full").format(Ids).build().unwrap();
                self.gauged(*gauge, file)
            }
            Node::Level(least, child) => self.handler(child, sizes).min_level(Severity::new(*least)).boxed(),
            Node::Filter(divisor, child) => {
                let divisor = *divisor;
                let passes =
                    move |record: &Record| crate::outputs::id_of(record).is_none_or(|(id, _)| id % divisor != 0);
                self.handler(child, sizes).filter(passes).boxed()
            }
            Node::Limit { is_sample, most, after, child } => {
                let child = self.handler(child, sizes);
                let child = self.gauged(*after, child);
                if *is_sample {
                    child.filter(Sample::one_in(*most)).boxed()
                } else {
                    child.filter(RateLimit::new(*most, Duration::from_secs(3_600))).boxed()
                }
            }
            Node::Transform(child) => self.handler(child, sizes).transform(Mark).boxed(),
            Node::OwnWrapper(child) => Numbered::new(self.handler(child, sizes)).boxed(),
            Node::OwnLater { out } => later(world, *out).boxed(),
            Node::OwnCount => Count::default().boxed(),
            Node::Named { .. } | Node::Again(_) => self.shared(node, sizes).boxed(),
            Node::Tee(all) => {
                let tee = all.iter().fold(Tee::new(), |tee, node| tee.with_named(self.shared(node, sizes)));
                tee.boxed()
            }
            Node::Fallback { first, fallback, notices } => {
                let first = self.handler(first, sizes);
                first.fallback(self.shared(fallback, sizes)).notices(*notices).boxed()
            }
            Node::Queue { queue, capacity, policy, owned, before, after, child } => {
                let child = self.handler(child, sizes);
                let child = self.gauged(*after, child);
                let overflow = match policy {
                    Policy::Block => Overflow::BLOCK,
                    Policy::BlockForAMoment => Overflow::block_for(Duration::from_micros(300)),
                    Policy::DropNewest => Overflow::DropNewest,
                    Policy::DropOldest => Overflow::DropOldest,
                };
                let builder =
                    Queue::builder().capacity(*capacity).overflow(overflow).flush_timeout(Duration::from_secs(20));
                let handler = if *owned {
                    builder.build(child).unwrap()
                } else {
                    let (handler, guard) = builder.build_with_guard(child).unwrap();
                    self.guards[*queue] = Some(guard);
                    handler
                };
                self.gauged(*before, handler)
            }
            Node::MemoryBuffer { capacity, flush_at, on_close, before, after, target } => {
                let memory = MemoryBuffer::new(*capacity).flush_at(Severity::new(*flush_at)).flush_on_close(*on_close);
                let target = self.gauged_shared(*after, target, sizes);
                self.gauged(*before, memory.target(target))
            }
            Node::Recorder { hold_below, release_at, pass_outside, before, after, target } => {
                let target = self.gauged_shared(*after, target, sizes);
                let outside = if *pass_outside { OutsideSpan::Pass } else { OutsideSpan::Drop };
                let recorder = FlightRecorder::new(target)
                    .buffer_below(Severity::new(*hold_below))
                    .release_at(Severity::new(*release_at))
                    .outside(outside);
                self.gauged(*before, recorder)
            }
            Node::Router(all) => {
                let loggers = Loggers::new();
                loggers.set_last_resort(None);
                for (name, node) in all {
                    let shared = self.shared(node, sizes);
                    loggers.add_handler(name, shared).unwrap();
                }
                loggers.router().boxed()
            }
        }
    }

    /// A target with a gauge before it, so that the level of the target counts, and its name has nothing to hide.
    fn gauged_shared(&mut self, gauge: usize, target: &Node, sizes: &Sizes) -> NamedHandler {
        let target = self.shared(target, sizes);
        let target = self.gauged(gauge, target);
        NamedHandler::with_error_handler("target", target, ErrorHandler::silent())
    }
}
