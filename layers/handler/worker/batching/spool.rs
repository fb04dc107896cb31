//! Batches between the thread that gathers them and the one that sends them, in memory or, where the receiver is away or slow,
//! on disk.
//!
//! While all is well a batch goes from hand to hand. One that could not be sent, or waits for longer than a moment, goes to the
//! segments, and so do all later ones until those are sent: in order. The thread that gathers never waits for the
//! receiver, so that neither a full queue nor the end of the process loses what fits on the disk.

use std::{
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Batchable,
    outbox::Batch,
    segment::{Damage, Place, Segments, put_entry},
};
use crate::{
    Error,
    ledger::{End, Receipts},
};

/// How long a batch waits for the receiver before it goes to the disk.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// How often one that waits looks at the queue.
const LOOK: Duration = Duration::from_millis(2);
/// And where nothing can be stored.
const LOOK_WHEN_STUCK: Duration = Duration::from_millis(50);
/// How long after the deadline of a shutdown it is awaited what became of the batch in hand.
const GRACE: Duration = Duration::from_millis(100);
/// How long it waits before it reads again what it could not read.
const READ_AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Spool<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// The first half of all ids.
    instance: u64,
    next_id: AtomicU64,
}

struct State<T> {
    segments: Segments,
    hand: Hand<T>,
    /// The last attempt to send was in vain, or takes long.
    is_away: bool,
    is_closed: bool,
    /// Somebody was told that there is no room, or why nothing can be written.
    is_stuck: bool,
    /// Where the batch in hand was stored while it was lent.
    stored: Option<Stored>,
}

/// The one batch between the threads.
enum Hand<T> {
    Free,
    /// To be taken by the one that sends.
    Given(Batch<T>),
    /// It is being sent, or waits to be.
    Lent(Arc<Vec<T>>, Receipts),
    /// The one that sends has it, and will say in a moment what became of it.
    Kept,
    /// It is on the disk, too, first of all.
    Spooled,
}

/// What the queue says to one that waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pressure {
    None,
    /// It fills up, or a shutdown has little time left.
    High,
    /// The deadline of a shutdown has passed.
    Over,
}

/// What is to be sent next.
pub(super) enum Next<T> {
    Batch(Batch<T>, Option<Stored>),
    /// Something was set aside.
    Again,
    End,
}

/// Where a batch is on the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    place: Place,
    /// By another process.
    pub(super) is_earlier: bool,
}

/// What is to be told with no lock held: ends may run code of users.
#[derive(Default)]
pub(super) struct Told {
    written: Vec<Receipts>,
    lost: Vec<Receipts>,
    /// How many were dropped at the end.
    pub(super) dropped: usize,
    /// Why nothing can be stored, the first time.
    pub(super) stuck: Option<Error>,
    pub(super) damage: Vec<Damage>,
}

impl Told {
    /// Ends the receipts.
    pub(super) fn end(&mut self) {
        self.written.drain(..).for_each(|mut receipts| receipts.end(receipts.len(), End::Written));
        self.lost.drain(..).for_each(|mut receipts| receipts.end(receipts.len(), End::Dropped));
    }

    fn lose(&mut self, receipts: Receipts) {
        self.dropped += receipts.len();
        self.lost.push(receipts);
    }
}

impl<T: Batchable> Spool<T> {
    pub(super) fn new(segments: Segments) -> Self {
        let state =
            State { segments, hand: Hand::Free, is_away: false, is_closed: false, is_stuck: false, stored: None };
        crate::fork::check();
        let (instance, next_id) = (fastrand::u64(..), AtomicU64::new(0));
        Self { state: Mutex::new(state), changed: Condvar::new(), instance, next_id }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>, time: Duration) -> MutexGuard<'a, State<T>> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    // --- the thread that gathers

    /// The next id.
    pub(super) fn id(&self) -> u128 {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        u128::from(self.instance) << 64 | u128::from(number)
    }

    /// Hands a batch over, or stores it, or drops it at the end. False if there is something to tell first: then call it again.
    /// `entries` is memory.
    pub(super) fn give(
        &self,
        batch: &mut Batch<T>,
        entries: &mut Vec<u8>,
        pressure: impl Fn() -> Pressure,
        told: &mut Told,
    ) -> bool {
        let began = Instant::now();
        let mut over = None;
        entries.clear();
        let mut state = self.lock();
        loop {
            if state.segments.is_empty() && matches!(state.hand, Hand::Free) {
                state.hand = Hand::Given(mem::take(batch));
                self.changed.notify_all();
                return true;
            }
            let pressure = pressure();
            let is_late = began.elapsed() >= PATIENCE;
            state.is_away |= is_late;
            let waits = state.segments.is_empty() && pressure == Pressure::None && !is_late;
            if !waits && state.store_hand(told) {
                if entries.is_empty() {
                    encode(&batch.items, entries);
                }
                if state.store(entries, told).is_some() {
                    told.written.push(mem::take(batch).receipts);
                    self.changed.notify_all();
                    return true;
                }
            }
            if pressure == Pressure::Over && !state.is_soon_known(&mut over) {
                told.lose(mem::take(batch).receipts);
                return true;
            }
            if told.stuck.is_some() {
                return false;
            }
            let look = if state.is_stuck { LOOK_WHEN_STUCK } else { LOOK };
            state = self.wait(state, look);
        }
    }

    /// Waits until all is sent, the receiver is away, or a time comes; then what is left is on the disk.
    pub(super) fn settle(&self, until: Instant, pressure: impl Fn() -> Pressure, told: &mut Told) -> bool {
        let mut over = None;
        let mut state = self.lock();
        while !(state.segments.is_empty() && matches!(state.hand, Hand::Free)) {
            let pressure = pressure();
            let waits = !state.is_away && pressure == Pressure::None && Instant::now() < until;
            if !waits && state.store_hand(told) || pressure == Pressure::Over && !state.is_soon_known(&mut over) {
                break;
            }
            if told.stuck.is_some() {
                return false;
            }
            let look = if state.is_stuck { LOOK_WHEN_STUCK } else { LOOK };
            state = self.wait(state, look);
        }
        if let Err(error) = state.segments.sync() {
            told.stuck = Some(error);
        }
        true
    }

    /// The end. What is neither sent nor stored is dropped.
    pub(super) fn close(&self, told: &mut Told) {
        let mut state = self.lock();
        state.is_closed = true;
        match mem::replace(&mut state.hand, Hand::Spooled) {
            Hand::Given(batch) => told.lose(batch.receipts),
            Hand::Lent(_, receipts) => told.lose(receipts),
            // It will find that all is over.
            hand @ (Hand::Kept | Hand::Free | Hand::Spooled) => state.hand = hand,
        }
        self.changed.notify_all();
    }

    // --- the thread that sends

    /// Waits for something to send. The batch is kept until it is [done](Self::done).
    pub(super) fn next(&self, max: usize, max_bytes: usize, told: &mut Told) -> Next<T> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return Next::End;
            }
            if !state.segments.is_empty() {
                let (entries, place) = state.segments.read(max, max_bytes, &mut told.damage);
                let is_earlier = state.segments.is_earlier(place);
                if entries.is_empty() {
                    if state.segments.is_unreadable() {
                        drop(self.wait(state, READ_AGAIN));
                    }
                    return Next::Again;
                }
                state.hand = Hand::Spooled;
                drop(state);
                let count = entries.len();
                let items: Vec<T> = entries.iter().filter_map(|entry| T::decode(entry)).collect();
                if items.len() < count {
                    self.lock().segments.note_meaningless(count - items.len(), &mut told.damage);
                }
                if items.is_empty() {
                    self.done(Some(Stored { place, is_earlier }), told);
                    return Next::Again;
                }
                return Next::Batch(Batch::spooled(items), Some(Stored { place, is_earlier }));
            }
            if let Hand::Given(_) = state.hand {
                if let Hand::Given(batch) = mem::replace(&mut state.hand, Hand::Kept) {
                    return Next::Batch(batch, None);
                }
            }
            state = self.wait(state, Duration::from_secs(60));
        }
    }

    /// While it is being sent, the other thread may store it.
    pub(super) fn lend(&self, batch: &mut Batch<T>) -> Arc<Vec<T>> {
        let items = Arc::new(mem::take(&mut batch.items));
        self.lock().hand = Hand::Lent(Arc::clone(&items), mem::take(&mut batch.receipts));
        self.changed.notify_all();
        items
    }

    /// Ends that; where the batch is stored meanwhile.
    pub(super) fn take_back(&self, items: Arc<Vec<T>>, batch: &mut Batch<T>) -> Option<Stored> {
        let mut state = self.lock();
        let stored = match mem::replace(&mut state.hand, Hand::Kept) {
            Hand::Lent(_, receipts) => {
                batch.receipts = receipts;
                None
            }
            stored => {
                state.hand = stored;
                state.stored.take()
            }
        };
        drop(state);
        batch.items = Arc::into_inner(items).unwrap_or_default();
        if stored.is_some() {
            *batch = Batch::spooled(mem::take(&mut batch.items));
        }
        stored
    }

    /// Stores a batch that could not be sent. Until it is [on the disk only](Self::kept), the other thread waits: its receipts
    /// end first.
    pub(super) fn keep(&self, batch: &mut Batch<T>, told: &mut Told) -> Option<Stored> {
        let mut entries = Vec::new();
        encode(&batch.items, &mut entries);
        let mut state = self.lock();
        if state.is_closed {
            // The files may be those of another handler by now.
            return None;
        }
        state.is_away = true;
        let place = state.store(&entries, told);
        if place.is_some() {
            told.written.push(mem::take(&mut batch.receipts));
            *batch = Batch::spooled(mem::take(&mut batch.items));
        }
        place
    }

    /// The receipts of a batch that was stored have ended.
    pub(super) fn kept(&self) {
        self.lock().hand = Hand::Spooled;
        self.changed.notify_all();
    }

    /// The batch in hand is sent, or refused.
    pub(super) fn done(&self, stored: Option<Stored>, told: &mut Told) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        if let Some(stored) = stored {
            state.segments.sent(stored.place, &mut told.damage);
        }
        state.is_away = false;
        state.hand = Hand::Free;
        self.changed.notify_all();
    }

    /// False if the end comes first.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut state = self.lock();
        state.is_away = true;
        self.changed.notify_all();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.is_closed || left.is_zero() {
                return !state.is_closed;
            }
            state = self.wait(state, left);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }
}

impl<T: Batchable> State<T> {
    /// Appends entries, or says once why that is not possible.
    fn store(&mut self, entries: &[u8], told: &mut Told) -> Option<Stored> {
        let why = match self.segments.append(entries) {
            Ok(Some(place)) => {
                self.is_stuck = false;
                return Some(Stored { place, is_earlier: false });
            }
            Ok(None) => self.segments.is_full(),
            Err(error) => error,
        };
        if !mem::replace(&mut self.is_stuck, true) {
            told.stuck = Some(why);
        }
        None
    }

    /// Whether the one that sends says in a moment what became of the batch in hand. `over` is when that was asked first.
    fn is_soon_known(&self, over: &mut Option<Instant>) -> bool {
        matches!(self.hand, Hand::Kept) && over.get_or_insert_with(Instant::now).elapsed() < GRACE
    }

    /// The batch in hand goes to the disk before others. False if it cannot, or if nobody knows yet what became of it.
    fn store_hand(&mut self, told: &mut Told) -> bool {
        match &self.hand {
            Hand::Free | Hand::Spooled => true,
            Hand::Kept => false,
            Hand::Given(batch) => {
                let mut entries = Vec::new();
                encode(&batch.items, &mut entries);
                let stored = self.store(&entries, told);
                if stored.is_some() {
                    if let Hand::Given(batch) = mem::replace(&mut self.hand, Hand::Free) {
                        told.written.push(batch.receipts);
                    }
                }
                stored.is_some()
            }
            Hand::Lent(items, _) => {
                let mut entries = Vec::new();
                encode(items, &mut entries);
                self.stored = self.store(&entries, told);
                if self.stored.is_some() {
                    if let Hand::Lent(_, receipts) = mem::replace(&mut self.hand, Hand::Spooled) {
                        told.written.push(receipts);
                    }
                }
                self.stored.is_some()
            }
        }
    }
}

fn encode<T: Batchable>(items: &[T], entries: &mut Vec<u8>) {
    for (index, item) in items.iter().enumerate() {
        put_entry(entries, index == 0, |out| item.encode(out));
    }
}
