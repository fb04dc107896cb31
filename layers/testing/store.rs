//! What a capture has taken.

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::{Duration, Instant},
};

use crate::record::{OwnedRecord, SpanData};

/// Records that a capture keeps; then the oldest go.
pub(super) const MAX_RECORDS: usize = 1_000_000;
/// Their memory, in bytes.
const MAX_BYTES: usize = 1 << 30;
/// Spans that a capture keeps; then the oldest go.
const MAX_SPANS: usize = 100_000;

#[derive(Default)]
pub(super) struct Store {
    kept: Mutex<Kept>,
    arrived: Condvar,
}

#[derive(Default)]
struct Kept {
    records: VecDeque<OwnedRecord>,
    bytes: usize,
    spans: VecDeque<Arc<SpanData>>,
    /// The number of the first record that is still kept.
    first: u64,
    lost: u64,
    lost_spans: u64,
    /// Numbers of records that an assertion was about.
    expected: BTreeSet<u64>,
    waiting: usize,
    wakers: Vec<Waker>,
}

/// Records with their numbers: the first of a capture is 0.
pub(super) struct Taken {
    pub(super) first: u64,
    pub(super) records: Vec<OwnedRecord>,
}

impl Taken {
    /// The number of the next record.
    pub(super) fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }
}

/// Records and spans that are no longer kept, or never were.
#[derive(Clone, Copy)]
pub(super) struct Lost {
    pub(super) records: u64,
    pub(super) spans: u64,
}

impl Store {
    fn open(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, record: OwnedRecord) {
        let mut kept = self.open();
        kept.bytes += record.weight();
        kept.records.push_back(record);
        let mut oldest = Vec::new();
        while kept.records.len() > MAX_RECORDS || kept.bytes > MAX_BYTES {
            let Some(record) = kept.drop_oldest() else { break };
            oldest.push(record);
        }
        let wakers = mem::take(&mut kept.wakers);
        let is_awaited = kept.waiting > 0;
        drop(kept);
        // A waker is user code, and so is what a record may hold.
        drop(oldest);
        wakers.into_iter().for_each(Waker::wake);
        if is_awaited {
            self.arrived.notify_all();
        }
    }

    pub(super) fn push_span(&self, span: Arc<SpanData>) {
        let mut kept = self.open();
        kept.spans.push_back(span);
        if kept.spans.len() > MAX_SPANS {
            kept.lost_spans += 1;
            let oldest = kept.spans.pop_front();
            drop(kept);
            drop(oldest);
        }
    }

    pub(super) fn count_lost(&self) {
        self.open().lost += 1;
    }

    pub(super) fn lost(&self) -> Lost {
        let kept = self.open();
        Lost { records: kept.lost, spans: kept.lost_spans }
    }

    /// All records from a number on. They share the memory of those that are kept.
    pub(super) fn since(&self, number: u64) -> Taken {
        let mut kept = self.open();
        let skipped = number.saturating_sub(kept.first);
        let skip = usize::try_from(skipped).unwrap_or(usize::MAX).min(kept.records.len());
        let records = kept.records.range_mut(skip..).map(OwnedRecord::share).collect();
        Taken { first: kept.first + skip as u64, records }
    }

    pub(super) fn all(&self) -> Taken {
        self.since(0)
    }

    pub(super) fn next(&self) -> u64 {
        let kept = self.open();
        kept.first + kept.records.len() as u64
    }

    pub(super) fn spans(&self) -> Vec<Arc<SpanData>> {
        self.open().spans.iter().cloned().collect()
    }

    pub(super) fn clear(&self) {
        let mut kept = self.open();
        kept.first += kept.records.len() as u64;
        kept.bytes = 0;
        kept.expected.clear();
        let gone = (mem::take(&mut kept.records), mem::take(&mut kept.spans));
        drop(kept);
        drop(gone);
    }

    pub(super) fn expect(&self, numbers: impl IntoIterator<Item = u64>) {
        self.open().expected.extend(numbers);
    }

    pub(super) fn is_expected(&self, number: u64) -> bool {
        self.open().expected.contains(&number)
    }

    /// Waits until there is a record of this number or a later one. False after the deadline.
    pub(super) fn wait(&self, number: u64, deadline: Instant) -> bool {
        let mut kept = self.open();
        kept.waiting += 1;
        let has_come = loop {
            if kept.first + kept.records.len() as u64 > number {
                break true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break false;
            }
            kept = self.arrived.wait_timeout(kept, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        kept.waiting -= 1;
        has_come
    }

    /// Wakes a task with the next record. True if there is one of this number or a later one already.
    pub(super) fn wake(&self, number: u64, waker: &Waker) -> bool {
        // User code: not under the lock.
        let waker = waker.clone();
        let mut kept = self.open();
        if kept.first + kept.records.len() as u64 > number {
            return true;
        }
        if !kept.wakers.iter().any(|known| known.will_wake(&waker)) {
            kept.wakers.push(waker);
        }
        false
    }
}

impl Kept {
    fn drop_oldest(&mut self) -> Option<OwnedRecord> {
        let oldest = self.records.pop_front()?;
        self.bytes = self.bytes.saturating_sub(oldest.weight());
        self.expected.remove(&self.first);
        self.first += 1;
        self.lost += 1;
        Some(oldest)
    }
}
