//! One event, captured once: everything a format, filter or handler may ask about it.
//!
//! Python: `logging.LogRecord`.
//!
//! | `LogRecord` | [`Record`] |
//! |---|---|
//! | `name` | [`target`](Record::target) |
//! | `levelno`, `levelname` | [`severity`](Record::severity) |
//! | `getMessage()` | [`message`](Record::message) |
//! | `extra` | [`fields`](Record::fields) |
//! | `pathname`, `filename`, `module`, `lineno` | [`file`](Record::file), [`file_name`](Record::file_name), [`module`](Record::module), [`line`](Record::line) |
//! | `created`, `msecs`, `relativeCreated` | [`time`](Record::time), [`uptime`](Record::uptime) |
//! | `thread`, `threadName` | [`thread_id`](Record::thread_id), [`thread_name`](Record::thread_name) |
//! | `process`, `processName` | [`process_id`](Record::process_id), [`process_name`](Record::process_name) |
//! | `exc_info` | [`error`](Record::error) |
//! | `funcName`, `stack_info` | [`function`](Record::function), [`stack`](Record::stack), where they were given |
//! | `taskName`, `args` | no meaning here |
//!
//! A handler gets a [`Delivery`](crate::Delivery), which is read like a `&Record`; one that wants to go on with it later
//! [takes](crate::Delivery::take) it, which copies nothing: records are pooled.

mod capture;
mod context;
mod fields;
mod globals;
mod guarded;
mod ids;
mod json;
mod kept;
mod pool;
mod request_id;
mod severity;
mod shorten;
mod tape;
mod thread;
mod trace;
#[cfg(feature = "otlp")]
mod traced;
mod value;
mod visible;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use tracing_core::Metadata;

#[cfg(feature = "serde")]
pub use self::json::{AsJson, json};
pub(crate) use self::{
    capture::{FUNCTION_FIELD, SEVERITY_FIELD, STACK_FIELD, capture_fields, severity_of},
    context::{
        Chain, Held, Home, Keeper, SpanData, context_of, created, current, enter, entered, exit, innermost, was_created,
    },
    fields::{Entry, Span, Tag},
    globals::host_name,
    guarded::{Nested, VALUE_LIMIT, is_capturing, mark_cut, silence_this_thread, silently},
    ids::{IdsText, Sampler, as_the_parent},
    kept::{Pooled, give_back_all},
    severity::closest,
    tape::{Tape, are_roots_timed, are_tapes_expected, expect_tapes, time_roots},
    thread::{speak_for, this_thread_id},
};
#[cfg(feature = "otlp")]
pub(crate) use self::{
    context::Ended,
    traced::{SpanEvent, Traced},
};
pub use self::{
    context::{SpanView, Spans},
    fields::Fields,
    globals::Globals,
    json::JsonText,
    kept::OwnedRecord,
    request_id::request_id,
    severity::Severity,
    trace::{Baggage, TraceContext, TraceParent, TraceState},
    value::{ErrorChain, Value},
};

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
    time: SystemTime,
    severity: Severity,
    metadata: Option<&'static Metadata<'static>>,
    /// What is not in the metadata, or stands in its stead. Most have none of it.
    own: Option<Box<Own>>,
    message: Span,
    thread_name: Span,
    thread_id: u64,
    fields: Fields,
    chain: Chain,
    globals: Option<Arc<Fields>>,
}

#[derive(Clone, Default)]
struct Own {
    line: Option<u32>,
    target: Option<Span>,
    name: Option<Span>,
    file: Option<Span>,
    module_path: Option<Span>,
    function: Option<Span>,
    stack: Option<Span>,
}

impl Record {
    /// A record by hand, of this moment and this thread, without a source place.
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

    /// How long after the start of logging (the first use of this crate that asks) the event happened; zero for
    /// earlier events.
    pub fn uptime(&self) -> Duration {
        self.time.duration_since(*START.get_or_init(SystemTime::now)).unwrap_or_default()
    }

    /// How severe it is.
    #[inline]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The target: by default the module path of the call site; the logger's name in Python.
    #[inline]
    pub fn target(&self) -> &str {
        match self.own().target {
            Some(span) => self.fields.text(span),
            None => self.metadata.map_or("", |metadata| metadata.target()),
        }
    }

    /// The event's name, where it was given one (`info!(name: "order.paid", …)`).
    pub fn name(&self) -> Option<&str> {
        match self.own().name {
            Some(span) => Some(self.fields.text(span)),
            None => self.metadata.and_then(given_name),
        }
    }

    /// Whether its name is not the call site's.
    #[inline]
    pub(crate) fn has_own_name(&self) -> bool {
        self.own().name.is_some()
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

    /// The value of a name: the event's own, else the innermost span's that has it, else a global one.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        self.fields
            .get(name)
            .or_else(|| self.spans().find_map(|span| span.fields().get(name)))
            .or_else(|| self.globals()?.get(name))
    }

    /// The same for a name whose tag is known.
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
        self.chain.iter()
    }

    /// The root of the span tree it happened in, if that is one of `tracing`'s.
    #[inline]
    pub(crate) fn root(&self) -> Option<&SpanData> {
        self.chain.root()
    }

    /// Fields of the whole application (service, version, host …), if the layer was given some.
    #[inline]
    pub fn globals(&self) -> Option<&Fields> {
        self.globals.as_deref()
    }

    /// The ids of the trace the event belongs to: those of a tracing SDK where one is in the stack (feature
    /// `opentelemetry`), else those that were [made](crate::SpanContextLayer::trace_ids) for the innermost span, else those of the
    /// innermost span with a field [`traceparent`](TraceParent::FIELD).
    #[inline]
    pub fn trace(&self) -> Option<TraceParent> {
        self.chain.trace()
    }

    /// The same, and the span that knows.
    #[inline]
    pub(crate) fn traced_span(&self) -> Option<(TraceParent, SpanView<'_>)> {
        self.chain.traced_span()
    }

    /// The event's first error, with its causes.
    pub fn error(&self) -> Option<ErrorChain<'_>> {
        self.fields.iter().find_map(|(_, value)| value.as_error())
    }

    /// The source file, as the compiler was given it.
    pub fn file(&self) -> Option<&str> {
        match self.own().file {
            Some(span) => Some(self.fields.text(span)),
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
        self.own().line.or_else(|| self.metadata.and_then(|metadata| metadata.line()))
    }

    /// The Rust module path of the call site.
    pub fn module_path(&self) -> Option<&str> {
        match self.own().module_path {
            Some(span) => Some(self.fields.text(span)),
            None => self.metadata.and_then(|metadata| metadata.module_path()),
        }
    }

    /// The function that logged, where the record was told ([`Entry::function`](crate::logger::EventBuilder::function)): no
    /// macro of `tracing` knows it. The innermost span often has its name.
    pub fn function(&self) -> Option<&str> {
        self.own().function.map(|span| self.fields.text(span))
    }

    /// The call stack, where the record was given one.
    pub fn stack(&self) -> Option<&str> {
        self.own().stack.map(|span| self.fields.text(span))
    }

    /// The thread's name; `None` if it has none.
    pub fn thread_name(&self) -> Option<&str> {
        Some(self.fields.text(self.thread_name)).filter(|name| !name.is_empty())
    }

    /// The operating system's id of the thread (Linux, Android); elsewhere threads are numbered from 1.
    pub fn thread_id(&self) -> u64 {
        self.thread_id
    }

    /// The id of this process.
    pub fn process_id(&self) -> u32 {
        crate::fork::process_id()
    }

    /// The name of this process: what [`set_process_name`] gave it, else that of its executable.
    pub fn process_name(&self) -> &'static str {
        PROCESS_NAME.get_or_init(executable_name)
    }

    /// The static description of the call site, if the record came from one.
    pub fn metadata(&self) -> Option<&'static Metadata<'static>> {
        self.metadata
    }

    /// How many values carry a marker in place of (some of) what was given: they were too long, or their `Debug` or
    /// `Display` panicked or failed.
    pub fn marked_values(&self) -> u32 {
        self.fields.marked()
    }

    /// The call site, if level and target are what it says.
    #[inline]
    pub(crate) fn call_site(&self) -> Option<&'static Metadata<'static>> {
        let metadata = self.metadata?;
        (self.own().target.is_none() && self.severity == Severity::from(metadata.level())).then_some(metadata)
    }

    #[inline]
    fn own(&self) -> &Own {
        const NONE: &Own =
            &Own { line: None, target: None, name: None, file: None, module_path: None, function: None, stack: None };
        self.own.as_deref().unwrap_or(NONE)
    }

    fn own_mut(&mut self) -> &mut Own {
        self.own.get_or_insert_default()
    }

    // --- changing (one's own record, or the copy that `HandlerExt::transform` gives)

    /// Sets a field of the event.
    pub fn set<'v>(&mut self, name: impl Into<std::borrow::Cow<'static, str>>, value: impl Into<Value<'v>>) {
        self.fields.set(name, value);
    }

    /// The event's fields, to be changed.
    pub fn fields_mut(&mut self) -> &mut Fields {
        &mut self.fields
    }

    /// Replaces the message.
    pub fn set_message(&mut self, message: &str) {
        self.message = self.fields.push_text(message);
    }

    /// Replaces the target.
    pub fn set_target(&mut self, target: &str) {
        let span = self.fields.push_text(target);
        self.own_mut().target = Some(span);
    }

    /// Replaces the event's name.
    pub fn set_name(&mut self, name: &str) {
        let span = self.fields.push_text(name);
        self.own_mut().name = Some(span);
    }

    /// Replaces the severity.
    pub fn set_severity(&mut self, severity: Severity) {
        self.severity = severity;
    }

    /// Replaces the time.
    pub fn set_time(&mut self, time: SystemTime) {
        self.time = time;
    }

    /// Replaces the source place.
    pub fn set_source(&mut self, file: &str, line: u32) {
        let span = self.fields.push_text(file);
        let own = self.own_mut();
        (own.file, own.line) = (Some(span), Some(line));
    }

    /// Replaces the module path.
    pub fn set_module_path(&mut self, path: &str) {
        let span = self.fields.push_text(path);
        self.own_mut().module_path = Some(span);
    }

    /// Replaces the function that logged.
    pub fn set_function(&mut self, function: &str) {
        let span = self.fields.push_text(function);
        self.own_mut().function = Some(span);
    }

    /// Replaces the call stack; an empty one is none.
    pub fn set_stack(&mut self, stack: &str) {
        let span = (!stack.is_empty()).then(|| self.fields.push_text(stack));
        self.own_mut().stack = span;
    }

    /// Replaces the thread.
    pub fn set_thread(&mut self, name: &str, id: u64) {
        self.thread_name = self.fields.push_text(name);
        self.thread_id = id;
    }

    /// Puts the record into one more span, which becomes the innermost.
    pub fn push_span(&mut self, name: &'static str, fields: Fields) {
        self.chain.push(name, fields);
    }

    /// Replaces the fields of the whole application.
    pub fn set_globals(&mut self, fields: Fields) {
        self.globals = Some(Arc::new(fields));
    }

    #[inline]
    pub(crate) fn share_globals(&mut self, fields: Arc<Fields>) {
        self.globals = Some(fields);
    }

    // --- keeping

    /// A record of ours about this one: of the same time and thread, in the same spans.
    pub(crate) fn note(&self, severity: Severity, target: &str, message: &str) -> Self {
        let mut note = Self { severity, time: self.time, ..Self::default() };
        note.set_target(target);
        note.set_message(message);
        note.set_thread(self.thread_name().unwrap_or_default(), self.thread_id);
        note.chain.clone_from(&self.chain);
        note.globals.clone_from(&self.globals);
        note
    }

    /// How much memory it takes while it is kept, in bytes, for bounds. All of its spans are counted, as if it were the only
    /// one to keep them; not what its place in the pool keeps for longer ones, and not the globals, which are everybody's.
    #[inline]
    pub(crate) fn weight(&self) -> usize {
        self.own_bytes() + self.fields.weight() + self.chain.weight()
    }

    /// The same beside another one that is kept: spans that both have are that one's.
    pub(crate) fn weight_beside(&self, other: &Self) -> usize {
        self.own_bytes() + self.fields.weight() + self.chain.weight_beside(&other.chain)
    }

    /// As [`weight`](Self::weight), with what it keeps for longer ones.
    pub(crate) fn held_bytes(&self) -> usize {
        self.own_bytes() + self.fields.held_bytes() + self.chain.weight()
    }

    #[inline]
    fn own_bytes(&self) -> usize {
        size_of::<Self>() + self.own.as_ref().map_or(0, |_| size_of::<Own>())
    }

    /// A reference to this record that can be stored, sent and read later. Copies nothing if the record came from an
    /// event; one's own record is copied.
    pub fn keep(&self) -> OwnedRecord {
        kept::keep(self)
    }

    #[inline]
    fn set_this_thread(&mut self) {
        thread::with(|name, id| {
            self.thread_name = self.fields.push_text(name);
            self.thread_id = id;
        });
    }
}

/// The name that the call site was given: `tracing` names events "event file:line" by itself, `tracing-log` "log event".
pub(crate) fn given_name(metadata: &'static Metadata<'static>) -> Option<&'static str> {
    Some(metadata.name()).filter(|name| !name.starts_with("event ") && *name != "log event")
}

/// "Start of logging", for `uptime`.
static START: OnceLock<SystemTime> = OnceLock::new();

static PROCESS_NAME: OnceLock<String> = OnceLock::new();

fn executable_name() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name that this process has by now; it may still be given another.
pub(crate) fn process_name_by_now() -> String {
    PROCESS_NAME.get().cloned().unwrap_or_else(executable_name)
}

/// Names this process for [`Record::process_name`] (Python: `multiprocessing.current_process().name`). False, and nothing
/// changes, once it has a name: call it before the first record asks.
pub fn set_process_name(name: &str) -> bool {
    PROCESS_NAME.set(name.to_owned()).is_ok()
}

/// Says when logging started, for [`Record::uptime`]: the start of the program rather than the first use, or the time of
/// a [`ManualClock`](crate::clock::ManualClock). False, and nothing changes, once that is settled.
pub fn set_start(time: SystemTime) -> bool {
    START.set(time).is_ok()
}

impl Default for Record {
    fn default() -> Self {
        Self {
            time: SystemTime::UNIX_EPOCH,
            severity: Severity::INFO,
            metadata: None,
            own: None,
            message: Span::default(),
            thread_name: Span::default(),
            thread_id: 0,
            fields: Fields::new(),
            chain: Chain::default(),
            globals: None,
        }
    }
}

impl Clone for Record {
    /// A copy of one's own.
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, source: &Self) {
        self.time = source.time;
        self.severity = source.severity;
        self.metadata = source.metadata;
        self.own.clone_from(&source.own);
        self.message = source.message;
        self.thread_name = source.thread_name;
        self.thread_id = source.thread_id;
        self.fields.clone_from(&source.fields);
        self.chain.clone_from(&source.chain);
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
