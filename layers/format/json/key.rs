//! The parts of a record that can have a key.

use std::str::FromStr;

use crate::Error;

/// A part of the record that [`Json`](super::Json) can write; see the [table](super::Json#members-in-this-order).
///
/// The default shape uses those from [`Timestamp`](Self::Timestamp) to [`Spans`](Self::Spans). The others are for
/// [tables](super::Member): the call site's function, the call stack, and the event's first error.
///
/// ```
/// use tracing_strata::{Record, Severity, format::{Buffer, Format, Json, Key, Time}};
///
/// let json = Json::new().time(Time::none()).omit(Key::Target).rename(Key::Message, "msg");
/// let mut out = Buffer::new();
/// json.format(&Record::new(Severity::INFO, "shop", "paid"), &mut out).unwrap();
/// assert_eq!(out, r#"{"level":"INFO","msg":"paid"}"#);
/// assert_eq!("span_id".parse::<Key>().unwrap(), Key::SpanId);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Key {
    /// `timestamp`
    Timestamp,
    /// `level`
    Level,
    /// `level_number`
    LevelNumber,
    /// `target`
    Target,
    /// `message`
    Message,
    /// `trace_id`
    TraceId,
    /// `span_id`
    SpanId,
    /// `trace_flags`
    TraceFlags,
    /// `event_name`
    EventName,
    /// `file`
    File,
    /// `line`
    Line,
    /// `module_path`
    ModulePath,
    /// `thread_name`
    ThreadName,
    /// `thread_id`
    ThreadId,
    /// `process_name`
    ProcessName,
    /// `process_id`
    ProcessId,
    /// `span`
    Span,
    /// `spans`
    Spans,
    /// `trace_sampled`
    TraceSampled,
    /// `function`
    Function,
    /// `stack`
    Stack,
    /// `error_type`
    ErrorType,
    /// `error_message`
    ErrorMessage,
    /// `error_stack`
    ErrorStack,
}

impl Key {
    /// All keys.
    pub const ALL: &[Self] = &[
        Self::Timestamp,
        Self::Level,
        Self::LevelNumber,
        Self::Target,
        Self::Message,
        Self::TraceId,
        Self::SpanId,
        Self::TraceFlags,
        Self::EventName,
        Self::File,
        Self::Line,
        Self::ModulePath,
        Self::ThreadName,
        Self::ThreadId,
        Self::ProcessName,
        Self::ProcessId,
        Self::Span,
        Self::Spans,
        Self::TraceSampled,
        Self::Function,
        Self::Stack,
        Self::ErrorType,
        Self::ErrorMessage,
        Self::ErrorStack,
    ];

    /// The name, unless [renamed](super::Json::rename).
    pub const fn default_name(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::Level => "level",
            Self::LevelNumber => "level_number",
            Self::Target => "target",
            Self::Message => "message",
            Self::TraceId => "trace_id",
            Self::SpanId => "span_id",
            Self::TraceFlags => "trace_flags",
            Self::EventName => "event_name",
            Self::File => "file",
            Self::Line => "line",
            Self::ModulePath => "module_path",
            Self::ThreadName => "thread_name",
            Self::ThreadId => "thread_id",
            Self::ProcessName => "process_name",
            Self::ProcessId => "process_id",
            Self::Span => "span",
            Self::Spans => "spans",
            Self::TraceSampled => "trace_sampled",
            Self::Function => "function",
            Self::Stack => "stack",
            Self::ErrorType => "error_type",
            Self::ErrorMessage => "error_message",
            Self::ErrorStack => "error_stack",
        }
    }
}

impl Key {
    /// Whether every record has it.
    pub(super) fn is_always(self) -> bool {
        matches!(
            self,
            Self::Timestamp
                | Self::Level
                | Self::LevelNumber
                | Self::Target
                | Self::Message
                | Self::ProcessName
                | Self::ProcessId
                | Self::ThreadId
        )
    }

    pub(super) fn is_of_trace(self) -> bool {
        matches!(self, Self::TraceId | Self::SpanId | Self::TraceFlags | Self::TraceSampled)
    }

    pub(super) fn is_of_error(self) -> bool {
        matches!(self, Self::ErrorType | Self::ErrorMessage | Self::ErrorStack)
    }

    /// Whether it is a single value of the record.
    pub(super) fn is_value(self) -> bool {
        !self.is_of_trace() && !matches!(self, Self::Timestamp | Self::Span | Self::Spans | Self::ErrorStack)
    }
}

/// By its default name, for configuration.
impl FromStr for Key {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|key| key.default_name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|key| key.default_name()).collect();
            Error::config(format_args!("unknown key {name:?}: expected one of {}", names.join(", ")))
        })
    }
}
