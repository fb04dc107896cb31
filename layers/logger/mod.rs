//! Logging with target, severity and fields chosen at run time.
//!
//! Python: `logging.getLogger(name).log(level, …)` and `logging.LoggerAdapter`.

mod callsite;

use std::{borrow::Cow, error::Error as StdError, fmt, panic::Location, sync::Arc};

use tracing_core::{
    LevelFilter,
    field::{self, DisplayValue},
};

pub(crate) use self::callsite::EventMeta;
use self::callsite::{MAX_FIELDS, Room, Site, site};
use crate::{
    Fields, Severity, Value,
    record::{FUNCTION_FIELD, JsonText, SEVERITY_FIELD, STACK_FIELD},
};

/// A name under which events are logged, and values that each of them carries.
///
/// The events are events like any other: every layer in the registry sees them, with this target, the level nearest to
/// the severity, and the source place of the call. A severity without a level of its own travels in the field
/// `strata.severity`, which the layers of this crate turn back into the record's severity.
///
/// Each set of target, source place and field names becomes a call site that lives as long as the process; 4,096 are
/// made. After that, targets travel in the field `log.target` (our layers put them back, filters in front of layers see
/// the target `log`). So: names of loggers from code, not from data.
///
/// ```
/// use tracing_strata::{Logger, Severity};
///
/// let log = Logger::new("shop.db").bind("tenant", "acme");
/// log.info("connected");
/// log.at(Severity::new(25)).field("rows", 3).display("took", &"12ms").log("query done");
/// log.child("pool").log(Severity::CRITICAL, format_args!("{} connections left", 0));
/// ```
#[derive(Clone, Debug)]
pub struct Logger {
    name: Arc<str>,
    bound: Option<Arc<Fields>>,
}

impl Logger {
    /// A logger by name; the root's is empty.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), bound: None }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The logger `name.suffix`, with the same bound values.
    pub fn child(&self, suffix: &str) -> Self {
        let name = if self.name.is_empty() { suffix.into() } else { format!("{}.{suffix}", self.name).into() };
        Self { name, bound: self.bound.clone() }
    }

    /// A logger that also carries this value. A value of a single event under the same name wins.
    pub fn bind<'v>(&self, name: impl Into<Cow<'static, str>>, value: impl Into<Value<'v>>) -> Self {
        let mut bound = self.bound.as_deref().cloned().unwrap_or_default();
        bound.set(name, value);
        Self { name: Arc::clone(&self.name), bound: Some(Arc::new(bound)) }
    }

    /// Begins an event.
    pub fn at(&self, severity: impl Into<Severity>) -> EventBuilder<'_> {
        EventBuilder { logger: self, severity: severity.into(), values: Vec::new(), source: None }
    }

    /// Whether any layer may want an event of this severity. "No" is certain; "yes" may still be refused by filters that
    /// decide event by event. [`Loggers::is_enabled_for`](crate::Loggers::is_enabled_for) knows exactly what its loggers
    /// let pass.
    #[track_caller]
    pub fn is_enabled(&self, severity: impl Into<Severity>) -> bool {
        is_enabled(self.place(severity.into(), Location::caller()))
    }

    /// Logs a message.
    #[track_caller]
    pub fn log(&self, severity: impl Into<Severity>, message: impl fmt::Display) {
        self.at(severity).log(message);
    }

    /// Logs a message at TRACE.
    #[track_caller]
    pub fn trace(&self, message: impl fmt::Display) {
        self.at(Severity::TRACE).log(message);
    }

    /// Logs a message at DEBUG.
    #[track_caller]
    pub fn debug(&self, message: impl fmt::Display) {
        self.at(Severity::DEBUG).log(message);
    }

    /// Logs a message at INFO.
    #[track_caller]
    pub fn info(&self, message: impl fmt::Display) {
        self.at(Severity::INFO).log(message);
    }

    /// Logs a message at WARN.
    #[track_caller]
    pub fn warn(&self, message: impl fmt::Display) {
        self.at(Severity::WARN).log(message);
    }

    /// Logs a message at ERROR.
    #[track_caller]
    pub fn error(&self, message: impl fmt::Display) {
        self.at(Severity::ERROR).log(message);
    }

    /// Logs a message at CRITICAL.
    #[track_caller]
    pub fn critical(&self, message: impl fmt::Display) {
        self.at(Severity::CRITICAL).log(message);
    }

    fn place<'a>(&'a self, severity: Severity, caller: &'static Location<'static>) -> EventMeta<'a> {
        EventMeta {
            target: &self.name,
            level: severity.level(),
            module_path: None,
            file: Some(caller.file()),
            line: Some(caller.line()),
        }
    }
}

/// An event that is being put together; [`EventBuilder::log`] sends it. Made by [`Logger::at`].
#[must_use = "an entry is sent by `.log(message)`"]
pub struct EventBuilder<'a> {
    logger: &'a Logger,
    severity: Severity,
    values: Vec<(Cow<'a, str>, EventValue<'a>)>,
    source: Option<(&'a str, u32)>,
}

impl<'a> EventBuilder<'a> {
    /// Adds a typed value; a later one under the same name wins.
    pub fn field(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) -> Self {
        self.values.push((name.into(), EventValue::from(value.into())));
        self
    }

    /// Adds what `Display` prints.
    pub fn display(mut self, name: impl Into<Cow<'a, str>>, value: &'a dyn fmt::Display) -> Self {
        self.values.push((name.into(), EventValue::Display(field::display(value))));
        self
    }

    /// Adds an error with its causes, under the name `error`.
    pub fn error(mut self, error: &'a (dyn StdError + 'static)) -> Self {
        self.values.push((Cow::Borrowed("error"), EventValue::Error(error)));
        self
    }

    /// The place it comes from, where that is not this call: for bridges and interpreters.
    pub fn source(mut self, file: &'a str, line: u32) -> Self {
        self.source = Some((file, line));
        self
    }

    /// The function it comes from ([`Record::function`](crate::Record::function)).
    pub fn function(self, name: &'a str) -> Self {
        self.field(FUNCTION_FIELD, name)
    }

    /// A call stack to go with it ([`Record::stack`](crate::Record::stack)).
    pub fn stack(self, stack: &'a str) -> Self {
        self.field(STACK_FIELD, stack)
    }

    /// Sends it, with a message.
    #[track_caller]
    pub fn log(self, message: impl fmt::Display) {
        let mut place = self.logger.place(self.severity, Location::caller());
        if let Some((file, line)) = self.source {
            (place.file, place.line) = (Some(file), Some(line));
        }
        if place.level > LevelFilter::current() {
            return;
        }
        let bound = self.logger.bound.as_deref();
        let bound = bound.into_iter().flat_map(Fields::iter);
        let own = |name: &str| self.values.iter().any(|(own, _)| own == name);
        let mut values: Vec<(&str, EventValue<'_>)> =
            bound.filter(|(name, _)| !own(name)).map(|(name, value)| (name, EventValue::from(value))).collect();
        for (name, value) in &self.values {
            values.retain(|(earlier, _)| earlier != name);
            values.push((name, value.clone()));
        }
        send(place, self.severity, &format_args!("{message}"), &values);
    }
}

/// A value as it was given, in the form `tracing` takes.
#[derive(Clone)]
pub(crate) enum EventValue<'a> {
    Bool(bool),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F64(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
    Display(DisplayValue<&'a dyn fmt::Display>),
    Rendered(DisplayValue<&'a str>),
    Json(DisplayValue<JsonText<'a>>),
    Chain(DisplayValue<crate::record::ErrorChain<'a>>),
    Error(&'a (dyn StdError + 'static)),
}

impl<'a> From<Value<'a>> for EventValue<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::I64(number) => Self::I64(number),
            Value::U64(number) => Self::U64(number),
            Value::I128(number) => Self::I128(number),
            Value::U128(number) => Self::U128(number),
            Value::F64(number) => Self::F64(number),
            Value::Str(text) => Self::Str(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Rendered(text) => Self::Rendered(field::display(text)),
            Value::Json(json) => Self::Json(field::display(json)),
            Value::Error(chain) => Self::Chain(field::display(chain)),
        }
    }
}

impl EventValue<'_> {
    fn as_value(&self) -> &dyn field::Value {
        match self {
            Self::Bool(value) => value,
            Self::I64(number) => number,
            Self::U64(number) => number,
            Self::I128(number) => number,
            Self::U128(number) => number,
            Self::F64(number) => number,
            Self::Str(text) => text,
            Self::Bytes(bytes) => bytes,
            Self::Display(value) => value,
            Self::Rendered(value) => value,
            Self::Json(value) => value,
            Self::Chain(value) => value,
            Self::Error(error) => error,
        }
    }
}

/// Whether any layer may want an event from a place.
pub(crate) fn is_enabled(place: EventMeta<'_>) -> bool {
    place.level <= LevelFilter::current() && site(place, &["message"], Room::Any).is_none_or(Site::may_be_enabled)
}

/// Sends an event made of run-time parts to the layers. Names stand once.
pub(crate) fn send(
    place: EventMeta<'_>,
    severity: Severity,
    message: &dyn fmt::Debug,
    values: &[(&str, EventValue<'_>)],
) {
    let message = field::debug(message);
    let number = i64::from(severity.number());
    let line = place.line.map(u64::from);
    // Room for the message, the severity, the place (in a fallback) and the count of what is given up.
    let kept = values.len().min(MAX_FIELDS - 7);
    let given_up = (values.len() - kept) as u64;

    let mut names: Vec<&str> = Vec::with_capacity(kept + 7);
    let mut all: Vec<&dyn field::Value> = Vec::with_capacity(kept + 7);
    let mut put = |name, value| {
        names.push(name);
        all.push(value);
    };
    put("message", &message);
    if severity != Severity::from(place.level) {
        put(SEVERITY_FIELD, &number);
    }
    for (name, value) in &values[..kept] {
        match *name {
            // Whoever has a value of that name did not mean to replace the message or the severity.
            "message" => put("message_", value.as_value()),
            SEVERITY_FIELD => {}
            name => put(name, value.as_value()),
        }
    }
    if given_up > 0 {
        put("strata.fields_given_up", &given_up);
    }
    if let Some(site) = site(place, &names, Room::Any) {
        return site.dispatch(&all);
    }

    // No room for another target or place: they travel as `tracing-log` sends them.
    let mut put = |name, value| {
        names.push(name);
        all.push(value);
    };
    put("log.target", &place.target);
    if let Some(path) = &place.module_path {
        put("log.module_path", path);
    }
    if let (Some(file), Some(line)) = (&place.file, &line) {
        put("log.file", file);
        put("log.line", line);
    }
    let anywhere = EventMeta { target: "log", module_path: None, file: None, line: None, ..place };
    if let Some(site) = site(anywhere, &names, Room::WithoutPlace) {
        return site.dispatch(&all);
    }
    // Field names made from data as well: they become text.
    let text = Joined(&values[..kept]);
    let text = field::display(&text);
    let names = ["message", SEVERITY_FIELD, "log.target", "fields"];
    if let Some(site) = site(anywhere, &names, Room::WithoutNames) {
        site.dispatch(&[&message, &number, &place.target, &text]);
    }
}

/// `name=value, name=value`
struct Joined<'a>(&'a [(&'a str, EventValue<'a>)]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            match value {
                EventValue::Bool(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::I64(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::U64(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::I128(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::U128(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::F64(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::Str(value) => write!(f, "{comma}{name}={value:?}")?,
                EventValue::Bytes(value) => write!(f, "{comma}{name}={value:02x?}")?,
                EventValue::Display(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::Rendered(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::Json(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::Chain(value) => write!(f, "{comma}{name}={value}")?,
                EventValue::Error(value) => write!(f, "{comma}{name}={value}")?,
            }
        }
        Ok(())
    }
}
