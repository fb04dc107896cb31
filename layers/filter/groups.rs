//! Groups of similar records: a bounded table that counts the refused records of each and keeps one for the summary.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, Hash, Hasher, RandomState},
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    Record, Severity, Value,
    clock::{Clock, SystemClock},
    fork::{self, ForkMutex},
    record::OwnedRecord,
};

/// The default of `max_keys`.
const MAX_KEYS: usize = 1_024;

/// Counters of [`RateLimit`](super::RateLimit) or [`Sample`](super::Sample).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimilarStats {
    /// How many groups of similar records are in the table now.
    pub keys: u64,
    /// How many records were refused so far.
    pub refused: u64,
    /// How many groups were evicted so far. The next record of such a group counts as its first.
    pub evicted: u64,
}

/// What the two filters share: which records are similar, and the table of their groups. Clones share the table.
#[derive(Clone)]
pub(super) struct Grouping {
    pub(super) fields: Vec<Cow<'static, str>>,
    pub(super) always_pass_from: Severity,
    pub(super) max_keys: usize,
    pub(super) clock: Arc<dyn Clock>,
    groups: Arc<Groups>,
}

/// The setters of a filter with a field `grouping`.
macro_rules! grouping_setters {
    () => {
        /// Also groups records by the value of a field, which may belong to the event, its spans or the globals. Call it
        /// once for each field.
        pub fn by(mut self, field: impl Into<std::borrow::Cow<'static, str>>) -> Self {
            self.grouping.fields.push(field.into());
            self
        }

        /// Records of this severity and above always pass (default: ERROR). With `Severity::OFF`, none does.
        pub fn always_pass_from(mut self, level: impl Into<Severity>) -> Self {
            self.grouping.always_pass_from = level.into();
            self
        }

        /// How many groups the table holds at most (default: 1,024). A new one evicts one that was not seen lately.
        pub fn max_keys(mut self, keys: usize) -> Self {
            self.grouping.max_keys = keys;
            self
        }

        /// The clock for periods (default: [`SystemClock`](crate::clock::SystemClock)). Only its monotonic time counts.
        pub fn clock(mut self, clock: impl Clock) -> Self {
            self.grouping.clock = std::sync::Arc::new(clock);
            self
        }

        /// A reading of the counters, which clones share.
        pub fn stats(&self) -> super::SimilarStats {
            self.grouping.stats()
        }
    };
}

pub(super) use grouping_setters;

#[derive(Default)]
struct Groups {
    hasher: RandomState,
    table: ForkMutex<Table>,
    /// A summary is due: read without the lock.
    is_due: AtomicBool,
}

#[derive(Default)]
struct Table {
    groups: HashMap<u64, Group>,
    /// In order of arrival. A group that was seen since gets a second chance.
    order: VecDeque<u64>,
    /// To be reported next.
    due: Vec<Refused>,
    /// When the next other summary becomes due, if any record was refused.
    next: Option<Duration>,
    stats: SimilarStats,
}

/// The records of one key.
#[derive(Default)]
pub(super) struct Group {
    /// When its current period began.
    pub(super) began: Duration,
    /// How many came in this period.
    pub(super) count: u64,
    refused: Option<Refused>,
    was_seen: bool,
}

struct Refused {
    first: OwnedRecord,
    count: u64,
}

impl Grouping {
    pub(super) fn new() -> Self {
        fork::watch();
        Self {
            fields: Vec::new(),
            always_pass_from: Severity::ERROR,
            max_keys: MAX_KEYS,
            clock: Arc::new(SystemClock),
            groups: Arc::default(),
        }
    }

    pub(super) fn always_passes(&self, record: &Record) -> bool {
        record.severity() >= self.always_pass_from
    }

    pub(super) fn stats(&self) -> SimilarStats {
        let table = self.groups.table();
        SimilarStats { keys: table.groups.len() as u64, ..table.stats }
    }

    /// Decides about a record. `decide` gets its group, whether that is new, and the time. It returns whether the record
    /// passes, and whether the summary of those refused before is due now. After `period` the summary is due in any case.
    pub(super) fn decide(
        &self,
        record: &Record,
        period: Duration,
        decide: impl FnOnce(&mut Group, bool, Duration) -> (bool, bool),
    ) -> bool {
        let now = self.clock.monotonic();
        let key = self.key(record);
        let mut table = self.groups.table();
        let table = &mut *table;
        let is_new = !table.groups.contains_key(&key);
        if is_new {
            while table.groups.len() >= self.max_keys.max(1) {
                table.evict();
            }
            table.order.push_back(key);
        }
        let group = table.groups.entry(key).or_insert_with(|| Group { began: now, ..Group::default() });
        group.was_seen = !is_new;
        let (passes, is_due) = decide(group, is_new, now);
        if is_due {
            table.due.extend(group.refused.take());
        }
        if !passes {
            table.stats.refused += 1;
            match &mut group.refused {
                Some(refused) => refused.count += 1,
                None => group.refused = Some(Refused { first: record.keep(), count: 1 }),
            }
            table.next = earlier(table.next, group.began.saturating_add(period));
        }
        if !table.due.is_empty() || table.next.is_some_and(|next| now >= next) {
            self.groups.is_due.store(true, Ordering::Relaxed);
        }
        passes
    }

    /// Emits the summaries that are due, or all, with no lock held.
    pub(super) fn drain_summaries(&self, all: bool, period: Duration, emit: &mut dyn FnMut(&Record)) {
        if !all && !self.groups.is_due.load(Ordering::Relaxed) {
            return;
        }
        let now = self.clock.monotonic();
        let mut table = self.groups.table();
        self.groups.is_due.store(false, Ordering::Relaxed);
        let mut due = std::mem::take(&mut table.due);
        if all || table.next.is_some_and(|next| now >= next) {
            table.next = None;
            let Table { groups, next, .. } = &mut *table;
            for group in groups.values_mut().filter(|group| group.refused.is_some()) {
                let until = group.began.saturating_add(period);
                if all || now >= until {
                    due.extend(group.refused.take());
                } else {
                    *next = earlier(*next, until);
                }
            }
        }
        drop(table);
        due.sort_by_key(|refused| refused.first.time());
        due.iter().for_each(|refused| emit(&refused.summary()));
    }

    /// Similar records have the same key. Without a call site they are compared by source location, and without that, by
    /// message. The hash is seeded at random: nobody can log records that collide on purpose.
    fn key(&self, record: &Record) -> u64 {
        let mut hasher = self.groups.hasher.build_hasher();
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
        for name in &self.fields {
            hash_value(record.get(name), &mut hasher);
        }
        hasher.finish()
    }
}

impl Groups {
    fn table(&self) -> MutexGuard<'_, Table> {
        // The parent reports what was refused before the fork.
        let reset_in_child = |table: &mut Table| {
            table.due.clear();
            table.next = None;
            table.groups.values_mut().for_each(|group| group.refused = None);
        };
        self.table.lock(reset_in_child, Table::default)
    }
}

impl Table {
    /// Evicts one group; its summary becomes due.
    fn evict(&mut self) {
        while let Some(key) = self.order.pop_front() {
            let Some(group) = self.groups.get_mut(&key) else { continue };
            if std::mem::take(&mut group.was_seen) {
                self.order.push_back(key);
                continue;
            }
            self.due.extend(group.refused.take());
            self.groups.remove(&key);
            self.stats.evicted += 1;
            return;
        }
        // Unreachable: each group is in the order.
        self.groups.clear();
    }
}

impl Refused {
    /// The first refused record, with the number of all.
    fn summary(&self) -> Record {
        let mut summary = Record::clone(&self.first);
        summary.set_message(&format!("{} … {} similar", self.first.message(), self.count));
        summary.set("similar", self.count);
        summary
    }
}

fn earlier(next: Option<Duration>, due: Duration) -> Option<Duration> {
    Some(next.map_or(due, |next| next.min(due)))
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
