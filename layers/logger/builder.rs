//! Named loggers, and the events they build.

use std::{borrow::Cow, error::Error as StdError, fmt, panic::Location, sync::Arc};

use tracing_core::{LevelFilter, field};

use super::{
    callsite::EventMeta,
    send::{EventValue, is_enabled, send},
};
use crate::{
    Fields, Severity, Value,
    record::{FUNCTION_FIELD, STACK_FIELD},
};

/// Logs events under a name, each with the bound values.
///
/// Every layer in the registry sees these events like any other, with the name as target, the level nearest to the
/// severity, and the source location of the call. A severity without a `tracing` level is sent in the field
/// `strata.severity`, which the layers of this crate turn back into the record's severity.
///
/// Each combination of target, source location and field names becomes a call site that lives as long as the process, up
/// to 4,096 of them. After that, the target is sent in the field `log.target` (the layers of this crate restore it,
/// filters in front of layers see the target `log`). So take the names of loggers from code, not from data.
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
    /// A logger by name; the root's name is empty.
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

    /// A logger that adds this value to each event. An event's own value under the same name wins.
    pub fn bind<'v>(&self, name: impl Into<Cow<'static, str>>, value: impl Into<Value<'v>>) -> Self {
        let mut bound = self.bound.as_deref().cloned().unwrap_or_default();
        bound.set(name, value);
        Self { name: Arc::clone(&self.name), bound: Some(Arc::new(bound)) }
    }

    /// Begins an event.
    pub fn at(&self, severity: impl Into<Severity>) -> EventBuilder<'_> {
        EventBuilder { logger: self, severity: severity.into(), values: Vec::new(), source: None }
    }

    /// Whether any layer may want an event of this severity. False is certain; after true, filters that decide event by
    /// event may still refuse it. [`Loggers::is_enabled_for`](crate::Loggers::is_enabled_for) is exact for its loggers.
    #[track_caller]
    pub fn is_enabled(&self, severity: impl Into<Severity>) -> bool {
        is_enabled(self.meta(severity.into(), Location::caller()))
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

    fn meta<'a>(&'a self, severity: Severity, caller: &'static Location<'static>) -> EventMeta<'a> {
        EventMeta {
            target: &self.name,
            level: severity.level(),
            module_path: None,
            file: Some(caller.file()),
            line: Some(caller.line()),
        }
    }
}

/// Builds an event; [`EventBuilder::log`] sends it. Made by [`Logger::at`].
#[must_use = "`.log(message)` sends the event"]
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

    /// Sets the source location, for bridges and interpreters (default: the caller of [`log`](Self::log)).
    pub fn source(mut self, file: &'a str, line: u32) -> Self {
        self.source = Some((file, line));
        self
    }

    /// Sets the function that logs ([`Record::function`](crate::Record::function)).
    pub fn function(self, name: &'a str) -> Self {
        self.field(FUNCTION_FIELD, name)
    }

    /// Sets the call stack ([`Record::stack`](crate::Record::stack)).
    pub fn stack(self, stack: &'a str) -> Self {
        self.field(STACK_FIELD, stack)
    }

    /// Sends it, with a message.
    #[track_caller]
    pub fn log(self, message: impl fmt::Display) {
        let mut meta = self.logger.meta(self.severity, Location::caller());
        if let Some((file, line)) = self.source {
            (meta.file, meta.line) = (Some(file), Some(line));
        }
        if meta.level > LevelFilter::current() {
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
        send(meta, self.severity, &format_args!("{message}"), &values);
    }
}
