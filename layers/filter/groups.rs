//! How many records of one kind were refused, and one of them to show: a bounded table by call site and chosen fields.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, Hash, Hasher, RandomState},
    sync::{
        MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{Record, Value, fork::ForkMutex, record::OwnedRecord};

/// How many kinds are known at most, unless said otherwise.
pub(super) const MAX_KEYS: usize = 1_024;

/// What a filter that refuses similar records has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimilarStats {
    /// How many kinds of records are in the table now.
    pub keys: u64,
    /// How many records were refused.
    pub refused: u64,
    /// How many kinds had to leave the table for others; the next record of such a kind counts as its first.
    pub evicted: u64,
}

/// What records are told apart by, beside their call site.
pub(super) type Names = Vec<Cow<'static, str>>;

/// The table.
#[derive(Default)]
pub(super) struct Similar {
    hasher: RandomState,
    table: ForkMutex<Table>,
    has_due: AtomicBool,
}

#[derive(Default)]
struct Table {
    kinds: HashMap<u64, Kind>,
    /// In the order in which they came; one that was seen since is given a second turn.
    order: VecDeque<u64>,
    /// To be told.
    due: Vec<Refused>,
    /// When the first of the refused is to be told, if any was refused.
    next: Option<Duration>,
    stats: SimilarStats,
}

/// One kind of records.
#[derive(Default)]
pub(super) struct Kind {
    /// When its present turn began.
    pub(super) began: Duration,
    /// How many came in this turn.
    pub(super) count: u64,
    refused: Option<Refused>,
    was_seen: bool,
}

struct Refused {
    first: OwnedRecord,
    count: u64,
}

impl Similar {
    /// Looks at the kind of a record. `judge` gets it with whether it is new, and says whether the record passes and
    /// whether what was refused before is to be told now. What is refused is told after `turn` at the latest, if records
    /// come.
    pub(super) fn judge(
        &self,
        record: &Record,
        names: &Names,
        max_keys: usize,
        now: Duration,
        turn: Duration,
        judge: impl FnOnce(&mut Kind, bool) -> (bool, bool),
    ) -> bool {
        let key = self.key(record, names);
        let mut table = self.table();
        let table = &mut *table;
        let is_new = !table.kinds.contains_key(&key);
        if is_new {
            while table.kinds.len() >= max_keys.max(1) {
                table.evict();
            }
            table.order.push_back(key);
            table.stats.keys += 1;
        }
        let kind = table.kinds.entry(key).or_insert_with(|| Kind { began: now, ..Kind::default() });
        kind.was_seen = !is_new;
        let (passes, is_due) = judge(kind, is_new);
        if is_due {
            table.due.extend(kind.refused.take());
        }
        if !passes {
            table.stats.refused += 1;
            match &mut kind.refused {
                Some(refused) => refused.count += 1,
                None => kind.refused = Some(Refused { first: record.keep(), count: 1 }),
            }
            let due = kind.began.saturating_add(turn);
            table.next = Some(table.next.map_or(due, |next| next.min(due)));
        }
        if !table.due.is_empty() || table.next.is_some_and(|next| now >= next) {
            self.has_due.store(true, Ordering::Relaxed);
        }
        passes
    }

    /// Tells what is due, or all; under no lock.
    pub(super) fn report(
        &self,
        all: bool,
        now: impl FnOnce() -> Duration,
        turn: Duration,
        tell: &mut dyn FnMut(&Record),
    ) {
        if !all && !self.has_due.load(Ordering::Relaxed) {
            return;
        }
        let now = now();
        let mut table = self.table();
        self.has_due.store(false, Ordering::Relaxed);
        let mut due = std::mem::take(&mut table.due);
        if all || table.next.is_some_and(|next| now >= next) {
            table.next = None;
            let Table { kinds, next, .. } = &mut *table;
            for kind in kinds.values_mut().filter(|kind| kind.refused.is_some()) {
                let until = kind.began.saturating_add(turn);
                if all || now >= until {
                    due.extend(kind.refused.take());
                } else {
                    *next = Some(next.map_or(until, |next| next.min(until)));
                }
            }
        }
        drop(table);
        due.sort_by_key(|refused| refused.first.time());
        due.iter().for_each(|refused| tell(&refused.summary()));
    }

    pub(super) fn stats(&self) -> SimilarStats {
        self.table().stats
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // What was refused before a fork is the parent's to tell.
        let start_over = |table: &mut Table| {
            table.due.clear();
            table.next = None;
            table.kinds.values_mut().for_each(|kind| kind.refused = None);
        };
        self.table.lock(start_over, Table::default)
    }

    /// Records of one call site that have the same values have one key. What has no call site of its own is told apart by
    /// its place, and what has no place, by its message. (That two kinds share a key is as likely as guessing a random
    /// number of 64 bits.)
    fn key(&self, record: &Record, names: &Names) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        match record.call_site() {
            Some(metadata) => std::ptr::from_ref(metadata).addr().hash(&mut hasher),
            None => {
                (record.target(), record.severity().number()).hash(&mut hasher);
                (record.file(), record.line()).hash(&mut hasher);
                if record.line().is_none() {
                    record.message().hash(&mut hasher);
                }
            }
        }
        for name in names {
            hash_value(record.get(name), &mut hasher);
        }
        hasher.finish()
    }
}

impl Table {
    /// Makes room for one more kind; what it had refused is told.
    fn evict(&mut self) {
        while let Some(key) = self.order.pop_front() {
            let Some(kind) = self.kinds.get_mut(&key) else { continue };
            if std::mem::take(&mut kind.was_seen) {
                self.order.push_back(key);
                continue;
            }
            self.due.extend(kind.refused.take());
            self.kinds.remove(&key);
            self.stats.evicted += 1;
            self.stats.keys -= 1;
            return;
        }
        // Not reached: each kind is in the order.
        self.kinds.clear();
    }
}

impl Refused {
    /// The first one that was refused, with how many there were.
    fn summary(&self) -> Record {
        let mut summary = Record::clone(&self.first);
        summary.set_message(&format!("{} … {} similar", self.first.message(), self.count));
        summary.set("similar", self.count);
        summary
    }
}

fn hash_value(value: Option<Value<'_>>, hasher: &mut impl Hasher) {
    std::mem::discriminant(&value).hash(hasher);
    let Some(value) = value else { return };
    match value {
        Value::Bool(value) => value.hash(hasher),
        Value::I64(number) => number.hash(hasher),
        Value::U64(number) => number.hash(hasher),
        Value::I128(number) => number.hash(hasher),
        Value::U128(number) => number.hash(hasher),
        Value::F64(number) => number.to_bits().hash(hasher),
        Value::Str(text) | Value::Rendered(text) => text.hash(hasher),
        Value::Json(json) => json.as_str().hash(hasher),
        Value::Bytes(bytes) => bytes.hash(hasher),
        Value::Error(error) => error.message().hash(hasher),
    }
}
