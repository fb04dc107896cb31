//! What the export of a closed span needs.

use std::{
    sync::{
        Arc, MutexGuard, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use tracing_core::Metadata;

use super::{
    Fields, TraceParent,
    bytes::{Reader, put_number, put_option, put_text, put_trace},
    site::{put_event_site, read_site},
    thread,
};
use crate::{fork::ForkMutex, text::head};

/// Filled for spans that are exported; empty for all others.
#[derive(Default)]
pub(crate) struct ExportState {
    start: OnceLock<Start>,
    /// When it was last exited, or closed, in nanoseconds.
    left: AtomicU64,
    annotations: ForkMutex<SpanAnnotations>,
}

struct Start {
    time: u64,
    thread_id: u64,
    thread_name: Option<Arc<str>>,
}

/// Events, links and the error of a span.
#[derive(Default)]
pub(crate) struct SpanAnnotations {
    pub(crate) error: Option<Box<str>>,
    pub(crate) events: Vec<SpanEvent>,
    pub(crate) dropped_events: u32,
    pub(crate) links: Vec<TraceParent>,
    pub(crate) dropped_links: u32,
}

/// An event attached to its span.
pub(crate) struct SpanEvent {
    pub(crate) time: u64,
    pub(crate) name: &'static str,
    pub(crate) level: &'static str,
    pub(crate) target: &'static str,
    pub(crate) fields: Fields,
}

/// Longest error description, in bytes.
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

impl ExportState {
    pub(super) fn clear(&mut self) {
        if self.start.take().is_some() {
            *self.left.get_mut() = 0;
            *self.annotations.get() = SpanAnnotations::default();
        }
    }

    /// Called once nobody will read the events, links and error.
    pub(super) fn discard_annotations(&self) {
        if self.has_begun() {
            let annotations = std::mem::take(&mut *self.annotations());
            drop(annotations);
        }
    }

    pub(crate) fn begin(&self) {
        if self.start.get().is_none() {
            let (thread_id, thread_name) = thread::shared();
            // If another layer was faster, its time stays.
            self.start.set(Start { time: now(), thread_id, thread_name }).unwrap_or_default();
        }
    }

    #[inline]
    pub(crate) fn has_begun(&self) -> bool {
        self.start.get().is_some()
    }

    #[inline]
    pub(super) fn leave(&self) {
        if self.has_begun() {
            self.left.fetch_max(now(), Ordering::Relaxed);
        }
    }

    /// Called when the span closes: one that was never entered ends now.
    pub(crate) fn end(&self) {
        if self.left.load(Ordering::Relaxed) == 0 {
            self.leave();
        }
    }

    /// Do not run user code while holding the guard.
    pub(crate) fn annotations(&self) -> MutexGuard<'_, SpanAnnotations> {
        self.annotations.get()
    }

    /// Sets the error; the first one stays.
    pub(crate) fn fail(&self, mut description: String) {
        description.truncate(head(&description, MAX_DESCRIPTION).len());
        let mut annotations = self.annotations();
        if annotations.error.is_none() {
            annotations.error = Some(description.into());
        }
    }

    /// Beyond `max` they are only counted.
    pub(crate) fn add_event(&self, event: SpanEvent, max: usize) {
        let mut annotations = self.annotations();
        if annotations.events.len() < max {
            annotations.events.push(event);
        } else {
            annotations.dropped_events += 1;
        }
    }

    /// Beyond `max` they are only counted.
    pub(crate) fn add_link(&self, link: TraceParent, max: usize) {
        let mut annotations = self.annotations();
        if annotations.links.len() < max {
            annotations.links.push(link);
        } else {
            annotations.dropped_links += 1;
        }
    }

    /// When it began and ended, in nanoseconds.
    pub(crate) fn times(&self) -> (u64, u64) {
        let start = self.start.get().map_or(0, |start| start.time);
        // The wall clock may have been set back.
        (start, self.left.load(Ordering::Relaxed).max(start))
    }

    /// The thread that made it.
    pub(crate) fn thread(&self) -> Option<(u64, Option<&str>)> {
        self.start.get().map(|start| (start.thread_id, start.thread_name.as_deref()))
    }

    /// Roughly its heap memory, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        let annotations = self.annotations();
        annotations.events.iter().map(|event| size_of::<SpanEvent>() + event.fields.held_bytes()).sum::<usize>()
            + annotations.links.len() * size_of::<TraceParent>()
    }
}

// --- as bytes

impl ExportState {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let (start, end) = self.times();
        put_number(out, start);
        put_number(out, end);
        put_option(out, self.thread(), |out, (id, name)| {
            put_number(out, id);
            put_text(out, name);
        });
        let annotations = self.annotations();
        put_text(out, annotations.error.as_deref());
        put_number(out, annotations.events.len() as u64);
        for event in &annotations.events {
            put_number(out, event.time);
            put_event_site(out, event.name, event.target, event.level);
            event.fields.encode(out);
        }
        put_number(out, annotations.links.len() as u64);
        annotations.links.iter().for_each(|link| put_trace(out, *link));
        put_number(out, annotations.dropped_events.into());
        put_number(out, annotations.dropped_links.into());
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (time, left) = (from.number()?, from.number()?);
        let (thread_id, thread_name) = from.option(|from| Some((from.number()?, from.text()?)))?.unwrap_or_default();
        let error = from.text()?.map(Into::into);
        let mut events = Vec::new();
        for _ in 0..from.count(1)? {
            let time = from.number()?;
            let (metadata, _) = read_site(from)?;
            let (name, level, target) = (metadata.name(), metadata.level().as_str(), metadata.target());
            let mut fields = Fields::new();
            fields.read(from)?;
            events.push(SpanEvent { time, name, level, target, fields });
        }
        let mut links = Vec::new();
        for _ in 0..from.count(25)? {
            links.push(from.trace()?);
        }
        let [dropped_events, dropped_links] = [from.number()?, from.number()?].map(|count| u32::try_from(count).ok());
        let annotations =
            SpanAnnotations { error, events, dropped_events: dropped_events?, links, dropped_links: dropped_links? };
        let start = Start { time, thread_id, thread_name: thread_name.map(Into::into) };
        Some(Self { start: start.into(), left: left.into(), annotations: ForkMutex::new(annotations) })
    }
}
