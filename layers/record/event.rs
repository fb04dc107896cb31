//! The record itself.

use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tracing_core::Metadata;

use super::{
    ErrorChain, Fields, Severity, SpanData, SpanPath, SpanView, Spans, Tag, TextRange, TraceParent, Value, process,
    thread,
};
use crate::fork;

/// One event: when, how severe, from where, what, with which values and inside which spans.
///
/// Made by the layers from `tracing` events; by hand with [`Record::new`] and the setters, for tests and bridges.
///
/// ```
/// use tracing_strata::{Record, Severity};
///
/// let mut record = Record::new(Severity::WARN, "shop::db", "slow query");
/// record.set("rows", 3);
/// record.push_span("request", [("id", "r-1")].into_iter().collect());
/// assert_eq!(record.message(), "slow query");
/// assert_eq!(record.spans().next().unwrap().name(), "request");
/// ```
pub struct Record {
    pub(super) time: SystemTime,
    pub(super) severity: Severity,
    pub(super) metadata: Option<&'static Metadata<'static>>,
    /// What the metadata lacks, or what replaces it. Most records have none.
    pub(super) overrides: Option<Box<Overrides>>,
    pub(super) message: TextRange,
    pub(super) thread_name: TextRange,
    pub(super) thread_id: u64,
    pub(super) fields: Fields,
    pub(super) path: SpanPath,
    pub(super) globals: Option<Arc<Fields>>,
}

#[derive(Clone, Default, PartialEq)]
pub(super) struct Overrides {
    pub(super) id: Option<u128>,
    pub(super) process_id: Option<u32>,
    pub(super) line: Option<u32>,
    pub(super) target: Option<TextRange>,
    pub(super) name: Option<TextRange>,
    pub(super) file: Option<TextRange>,
    pub(super) module_path: Option<TextRange>,
    pub(super) function: Option<TextRange>,
    pub(super) stack: Option<TextRange>,
}

impl Record {
    /// A record made by hand, with the current time and thread, and without a source location.
    pub fn new(severity: Severity, target: &str, message: &str) -> Self {
        let mut record = Self { severity, time: SystemTime::now(), ..Self::default() };
        record.set_target(target);
        record.set_message(message);
        record.set_this_thread();
        record
    }

    /// When the event happened.
    #[inline]
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// How long after the start of logging the event happened; zero for earlier events. Logging starts with the first
    /// call of this method, unless [`set_start`](super::set_start) says otherwise.
    pub fn uptime(&self) -> Duration {
        self.time.duration_since(process::start()).unwrap_or_default()
    }

    /// How severe it is.
    #[inline]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The target: by default the module path of the call site; the logger's name in Python.
    #[inline]
    pub fn target(&self) -> &str {
        match self.overrides().target {
            Some(text) => self.fields.text(text),
            None => self.metadata.map_or("", |metadata| metadata.target()),
        }
    }

    /// The event's name, if it was given one (`info!(name: "order.paid", …)`).
    pub fn name(&self) -> Option<&str> {
        match self.overrides().name {
            Some(text) => Some(self.fields.text(text)),
            None => self.metadata.and_then(given_name),
        }
    }

    /// Whether the record's name replaces the call site's.
    #[inline]
    pub(crate) fn has_own_name(&self) -> bool {
        self.overrides().name.is_some()
    }

    /// The message; empty if the event has none.
    #[inline]
    pub fn message(&self) -> &str {
        self.fields.text(self.message)
    }

    /// The event's own fields, without its message.
    #[inline]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The value of a field: the event's own, else that of the innermost span that has it, else the global one.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        self.fields
            .get(name)
            .or_else(|| self.spans().find_map(|span| span.fields().get(name)))
            .or_else(|| self.globals()?.get(name))
    }

    /// [`get`](Self::get), with the tag (hash) of the name computed beforehand.
    #[inline]
    pub(crate) fn get_tagged(&self, name: &str, tag: Tag) -> Option<Value<'_>> {
        self.fields
            .get_tagged(name, tag)
            .or_else(|| self.spans().find_map(|span| span.fields().get_tagged(name, tag)))
            .or_else(|| self.globals()?.get_tagged(name, tag))
    }

    /// The spans the event happened in, innermost first.
    #[inline]
    pub fn spans(&self) -> Spans<'_> {
        self.path.iter()
    }

    /// The root of the span tree it happened in, unless it was made by [`push_span`](Self::push_span).
    #[inline]
    pub(crate) fn root(&self) -> Option<&SpanData> {
        self.path.root()
    }

    /// Fields of the whole application (service, version, host …), if the layer has some.
    #[inline]
    pub fn globals(&self) -> Option<&Fields> {
        self.globals.as_deref()
    }

    /// The ids of the event's trace: those of a tracing SDK in the stack (feature `opentelemetry`), else those of the
    /// innermost span that has some, [generated](crate::SpanContextLayer::trace_ids) or from its field
    /// [`traceparent`](TraceParent::FIELD).
    #[inline]
    pub fn trace(&self) -> Option<TraceParent> {
        self.path.trace()
    }

    /// [`trace`](Self::trace), and the span that has the ids.
    #[inline]
    pub(crate) fn traced_span(&self) -> Option<(TraceParent, SpanView<'_>)> {
        self.path.traced_span()
    }

    /// The event's first error, with its causes.
    pub fn error(&self) -> Option<ErrorChain<'_>> {
        self.fields.iter().find_map(|(_, value)| value.as_error())
    }

    /// The path of the source file, as the compiler saw it.
    pub fn file(&self) -> Option<&str> {
        match self.overrides().file {
            Some(text) => Some(self.fields.text(text)),
            None => self.metadata.and_then(|metadata| metadata.file()),
        }
    }

    /// The last part of [`file`](Self::file).
    pub fn file_name(&self) -> Option<&str> {
        self.file().map(|file| file.rsplit(['/', '\\']).next().unwrap_or(file))
    }

    /// [`file_name`](Self::file_name) without its extension (Python's `module`).
    pub fn module(&self) -> Option<&str> {
        let name = self.file_name()?;
        match name.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => Some(stem),
            _ => Some(name),
        }
    }

    /// The line in the source file.
    pub fn line(&self) -> Option<u32> {
        self.overrides().line.or_else(|| self.metadata.and_then(|metadata| metadata.line()))
    }

    /// The Rust module path of the call site.
    pub fn module_path(&self) -> Option<&str> {
        match self.overrides().module_path {
            Some(text) => Some(self.fields.text(text)),
            None => self.metadata.and_then(|metadata| metadata.module_path()),
        }
    }

    /// The function that logged, if the event names it ([`EventBuilder::function`](crate::logger::EventBuilder::function)):
    /// `tracing`'s macros do not know it. The innermost span often has its name.
    pub fn function(&self) -> Option<&str> {
        self.overrides().function.map(|text| self.fields.text(text))
    }

    /// The call stack, if the event has one.
    pub fn stack(&self) -> Option<&str> {
        self.overrides().stack.map(|text| self.fields.text(text))
    }

    /// The thread's name; `None` if it has none.
    pub fn thread_name(&self) -> Option<&str> {
        Some(self.fields.text(self.thread_name)).filter(|name| !name.is_empty())
    }

    /// The operating system's id of the thread (Linux, Android); elsewhere threads are numbered from 1.
    pub fn thread_id(&self) -> u64 {
        self.thread_id
    }

    /// The id of the process that made it: of this one, unless it was [on disk](crate::output::Batched#a-spool) meanwhile.
    pub fn process_id(&self) -> u32 {
        self.overrides().process_id.unwrap_or_else(fork::process_id)
    }

    /// The id that an output with a [spool](crate::output::Batched#a-spool) gave it: the same each time it is sent, also by the
    /// next process, so that a receiver can tell that it has the record. Half of it is random.
    pub fn id(&self) -> Option<u128> {
        self.overrides().id
    }

    pub(crate) fn set_id(&mut self, id: u128) {
        self.overrides_mut().id = Some(id);
    }

    /// The name of this process: from [`set_process_name`](super::set_process_name), else that of its executable.
    pub fn process_name(&self) -> &'static str {
        process::process_name()
    }

    /// The static metadata of the call site, if the record came from one.
    pub fn metadata(&self) -> Option<&'static Metadata<'static>> {
        self.metadata
    }

    /// How many values carry a marker in place of (some of) their text: they were too long, or their `Debug` or `Display`
    /// panicked or failed.
    pub fn marked_values(&self) -> u32 {
        self.fields.marked()
    }

    /// The call site, if the record still has its level and target.
    #[inline]
    pub(crate) fn call_site(&self) -> Option<&'static Metadata<'static>> {
        let metadata = self.metadata?;
        (self.overrides().target.is_none() && self.severity == Severity::from(metadata.level())).then_some(metadata)
    }

    #[inline]
    fn overrides(&self) -> &Overrides {
        const NONE: &Overrides = &Overrides {
            id: None,
            process_id: None,
            line: None,
            target: None,
            name: None,
            file: None,
            module_path: None,
            function: None,
            stack: None,
        };
        self.overrides.as_deref().unwrap_or(NONE)
    }

    pub(super) fn overrides_mut(&mut self) -> &mut Overrides {
        self.overrides.get_or_insert_default()
    }

    // --- setters

    /// Sets a field of the event.
    pub fn set<'v>(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value<'v>>) {
        self.fields.set(name, value);
    }

    /// The event's fields, mutably. The record's texts, its message among them, are kept in the same place: other fields put
    /// in their place take those away.
    pub fn fields_mut(&mut self) -> &mut Fields {
        self.fields.hold_more();
        &mut self.fields
    }

    /// Replaces the message.
    pub fn set_message(&mut self, message: &str) {
        self.message = self.fields.push_text(message);
    }

    /// Replaces the target.
    pub fn set_target(&mut self, target: &str) {
        let text = self.fields.push_text(target);
        self.overrides_mut().target = Some(text);
    }

    /// Replaces the event's name.
    pub fn set_name(&mut self, name: &str) {
        let text = self.fields.push_text(name);
        self.overrides_mut().name = Some(text);
    }

    /// Replaces the severity.
    pub fn set_severity(&mut self, severity: Severity) {
        self.severity = severity;
    }

    /// Replaces the time.
    pub fn set_time(&mut self, time: SystemTime) {
        self.time = time;
    }

    /// Replaces the source location.
    pub fn set_source(&mut self, file: &str, line: u32) {
        let text = self.fields.push_text(file);
        let overrides = self.overrides_mut();
        (overrides.file, overrides.line) = (Some(text), Some(line));
    }

    /// Replaces the module path.
    pub fn set_module_path(&mut self, path: &str) {
        let text = self.fields.push_text(path);
        self.overrides_mut().module_path = Some(text);
    }

    /// Replaces the function that logged.
    pub fn set_function(&mut self, function: &str) {
        let text = self.fields.push_text(function);
        self.overrides_mut().function = Some(text);
    }

    /// Replaces the call stack; an empty one removes it.
    pub fn set_stack(&mut self, stack: &str) {
        let text = (!stack.is_empty()).then(|| self.fields.push_text(stack));
        self.overrides_mut().stack = text;
    }

    /// Replaces the thread.
    pub fn set_thread(&mut self, name: &str, id: u64) {
        self.thread_name = self.fields.push_text(name);
        self.thread_id = id;
    }

    /// Adds a span, which becomes the innermost.
    pub fn push_span(&mut self, name: &'static str, fields: Fields) {
        self.path.push(name, fields);
    }

    /// Replaces the fields of the whole application.
    pub fn set_globals(&mut self, fields: Fields) {
        self.globals = Some(Arc::new(fields));
    }

    #[inline]
    pub(crate) fn share_globals(&mut self, fields: Arc<Fields>) {
        self.globals = Some(fields);
    }

    // --- copies, and their memory

    /// A notice by this crate about the record, with the same time, thread and spans.
    pub(crate) fn note(&self, severity: Severity, target: &str, message: &str) -> Self {
        let mut note = Self { severity, time: self.time, ..Self::default() };
        note.set_target(target);
        note.set_message(message);
        note.set_thread(self.thread_name().unwrap_or_default(), self.thread_id);
        note.path.clone_from(&self.path);
        note.globals.clone_from(&self.globals);
        note
    }

    /// The memory it takes while buffered, in bytes. All of its spans count, as if no other record held them. Spare
    /// capacity and the shared globals do not count.
    #[inline]
    pub(crate) fn weight(&self) -> usize {
        self.own_bytes() + self.fields.weight() + self.path.weight()
    }

    /// [`weight`](Self::weight) while `other` is buffered, too: spans of both count only for `other`.
    pub(crate) fn weight_beside(&self, other: &Self) -> usize {
        self.own_bytes() + self.fields.weight() + self.path.weight_beside(&other.path)
    }

    /// [`weight`](Self::weight), including spare capacity.
    pub(crate) fn held_bytes(&self) -> usize {
        let overrides = self.overrides.as_ref().map_or(0, |_| size_of::<Overrides>());
        size_of::<Self>() + overrides + self.fields.held_bytes() + self.path.weight()
    }

    #[inline]
    fn own_bytes(&self) -> usize {
        // Those of a record that was here before are spare.
        let is_used = |overrides: &&Overrides| **overrides != Overrides::default();
        size_of::<Self>() + self.overrides.as_deref().filter(is_used).map_or(0, |_| size_of::<Overrides>())
    }

    #[inline]
    pub(super) fn set_this_thread(&mut self) {
        thread::with(|name, id| {
            self.thread_name = self.fields.push_text(name);
            self.thread_id = id;
        });
    }
}

/// The name that the call site was given; `None` for default names: `tracing`'s "event file:line", `tracing-log`'s
/// "log event".
pub(crate) fn given_name(metadata: &'static Metadata<'static>) -> Option<&'static str> {
    Some(metadata.name()).filter(|name| !name.starts_with("event ") && *name != "log event")
}

impl Default for Record {
    fn default() -> Self {
        Self {
            time: SystemTime::UNIX_EPOCH,
            severity: Severity::INFO,
            metadata: None,
            overrides: None,
            message: TextRange::default(),
            thread_name: TextRange::default(),
            thread_id: 0,
            fields: Fields::new(),
            path: SpanPath::default(),
            globals: None,
        }
    }
}

impl Clone for Record {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, source: &Self) {
        self.time = source.time;
        self.severity = source.severity;
        self.metadata = source.metadata;
        self.overrides.clone_from(&source.overrides);
        self.message = source.message;
        self.thread_name = source.thread_name;
        self.thread_id = source.thread_id;
        self.fields.clone_from(&source.fields);
        self.path.clone_from(&source.path);
        self.globals.clone_from(&source.globals);
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("severity", &self.severity)
            .field("target", &self.target())
            .field("message", &self.message())
            .field("fields", &self.fields)
            .field("spans", &self.spans().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
