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
//! | `set_last_created`, `msecs`, `relativeCreated` | [`time`](Record::time), [`uptime`](Record::uptime) |
//! | `thread`, `threadName` | [`thread_id`](Record::thread_id), [`thread_name`](Record::thread_name) |
//! | `process`, `processName` | [`process_id`](Record::process_id), [`process_name`](Record::process_name) |
//! | `exc_info` | [`error`](Record::error) |
//! | `funcName`, `stack_info` | [`function`](Record::function), [`stack`](Record::stack), where given |
//! | `taskName`, `args` | have no counterpart |
//!
//! A handler gets a [`Delivery`](crate::Delivery), which reads like a `&Record`. To use it later,
//! [take](crate::Delivery::take) it; that copies nothing: records are pooled.

mod bytes;
mod capture;
mod codec;
mod current;
mod event;
#[cfg(feature = "otlp")]
mod export;
mod fields;
mod globals;
mod guarded;
mod ids;
mod json;
mod observer;
mod owned;
mod path;
mod pool;
mod process;
mod request_id;
#[cfg(feature = "redact")]
mod rewrite;
mod sampling;
#[cfg(feature = "redact")]
mod secret;
mod severity;
mod shorten;
mod site;
mod sources;
mod span;
mod span_slot;
mod target;
mod thread;
mod trace;

#[cfg(all(test, feature = "otlp"))]
pub(crate) use self::codec::tests::random as random_record;
#[cfg(feature = "otlp")]
pub(crate) use self::export::SpanEvent;
#[cfg(feature = "serde")]
pub use self::json::{AsJson, json};
#[cfg(feature = "redact")]
pub use self::secret::Secret;
#[cfg(feature = "otlp")]
pub(crate) use self::span::ClosedSpan;
pub(crate) use self::{
    capture::{FUNCTION_FIELD, SEVERITY_FIELD, STACK_FIELD, capture_fields, severity_of},
    current::{RegistryId, current, enter, entered, exit, innermost, is_last_created, set_last_created},
    event::given_name,
    fields::{Entry, Tag, TextRange},
    globals::host_name,
    guarded::{CaptureGuard, VALUE_LIMIT, is_capturing, mark_truncated, silence_this_thread, silenced},
    ids::IdsText,
    json::{items, pair, unescaped},
    observer::{TreeObserver, are_observers_expected, are_roots_timed, expect_observers, time_roots},
    owned::{Pooled, recycle_all},
    path::{SpanPath, context_of},
    process::{process_name_by_now, start as logging_start},
    sampling::{Sampler, parent_based},
    severity::closest,
    span::{FormatCache, SpanData},
    span_slot::SpanSlot,
    target::{ROOT, canonical_bytes, is_below},
    thread::{impersonate_thread, this_thread_id},
};
pub use self::{
    event::Record,
    fields::{ErrorChain, Fields, Value},
    globals::Globals,
    json::JsonText,
    owned::OwnedRecord,
    path::{SpanView, Spans},
    process::{set_process_name, set_start},
    request_id::request_id,
    severity::Severity,
    trace::{Baggage, TraceContext, TraceParent, TraceState},
};
#[cfg(feature = "redact")]
pub(crate) use self::{fields::Change, rewrite::Rewrite};
