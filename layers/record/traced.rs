//! What a span needs to be exported when it has ended.

use std::{
    sync::{
        Arc, MutexGuard, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use tracing_core::Metadata;

use super::{Fields, TraceParent, thread};
use crate::fork::Heirloom;

/// Begun for spans that are exported; empty for all others.
#[derive(Default)]
pub(crate) struct Traced {
    begun: OnceLock<Begun>,
    /// When it was left last, or closed; nanoseconds.
    left: AtomicU64,
    told: Heirloom<Told>,
}

struct Begun {
    time: u64,
    thread_id: u64,
    thread_name: Option<Arc<str>>,
}

/// What happened in or to the span.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) error: Option<Box<str>>,
    pub(crate) events: Vec<SpanEvent>,
    pub(crate) dropped_events: u32,
    pub(crate) links: Vec<TraceParent>,
    pub(crate) dropped_links: u32,
}

/// An event that is attached to its span.
pub(crate) struct SpanEvent {
    pub(crate) time: u64,
    pub(crate) name: &'static str,
    pub(crate) level: &'static str,
    pub(crate) target: &'static str,
    pub(crate) fields: Fields,
}

/// Longest description of a status, in bytes.
const MAX_DESCRIPTION: usize = 1_024;

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl SpanEvent {
    pub(crate) fn new(metadata: &'static Metadata<'static>, fields: Fields) -> Self {
        let (name, level, target) = (metadata.name(), metadata.level().as_str(), metadata.target());
        Self { time: now(), name, level, target, fields }
    }
}

impl Traced {
    pub(super) fn clear(&mut self) {
        if self.begun.take().is_some() {
            *self.left.get_mut() = 0;
            *self.told.get() = Told::default();
        }
    }

    /// What happened is not asked for any more.
    pub(super) fn forget(&self) {
        if self.has_begun() {
            let told = std::mem::take(&mut *self.told());
            drop(told);
        }
    }

    pub(crate) fn begin(&self) {
        if self.begun.get().is_none() {
            let (thread_id, thread_name) = thread::shared();
            // Another layer was quicker.
            self.begun.set(Begun { time: now(), thread_id, thread_name }).unwrap_or_default();
        }
    }

    #[inline]
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.get().is_some()
    }

    #[inline]
    pub(super) fn leave(&self) {
        if self.has_begun() {
            self.left.fetch_max(now(), Ordering::Relaxed);
        }
    }

    /// Closed: one that was never entered ends now.
    pub(crate) fn end(&self) {
        if self.left.load(Ordering::Relaxed) == 0 {
            self.leave();
        }
    }

    /// Not to be held while user code runs.
    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.get()
    }

    /// The first error stays.
    pub(crate) fn fail(&self, mut description: String) {
        description.truncate(description.floor_char_boundary(MAX_DESCRIPTION));
        let mut told = self.told();
        if told.error.is_none() {
            told.error = Some(description.into());
        }
    }

    /// There are `most` at most; further ones are counted.
    pub(crate) fn add_event(&self, event: SpanEvent, most: usize) {
        let mut told = self.told();
        if told.events.len() < most {
            told.events.push(event);
        } else {
            told.dropped_events += 1;
        }
    }

    /// There are `most` at most; further ones are counted.
    pub(crate) fn add_link(&self, link: TraceParent, most: usize) {
        let mut told = self.told();
        if told.links.len() < most {
            told.links.push(link);
        } else {
            told.dropped_links += 1;
        }
    }

    /// When it began and ended.
    pub(crate) fn times(&self) -> (u64, u64) {
        let start = self.begun.get().map_or(0, |begun| begun.time);
        // The wall clock may have been set back.
        (start, self.left.load(Ordering::Relaxed).max(start))
    }

    /// The thread it was made on.
    pub(crate) fn thread(&self) -> Option<(u64, Option<&str>)> {
        self.begun.get().map(|begun| (begun.thread_id, begun.thread_name.as_deref()))
    }

    /// Roughly what it holds elsewhere.
    pub(crate) fn held_bytes(&self) -> usize {
        let told = self.told();
        told.events.iter().map(|event| size_of::<SpanEvent>() + event.fields.held_bytes()).sum::<usize>()
            + told.links.len() * size_of::<TraceParent>()
    }
}
