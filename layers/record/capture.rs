//! From a `tracing` event to a [`Record`], in one visit.

use std::{error::Error as StdError, fmt};

use tracing_core::{
    Event,
    field::{Field, Visit},
};

use super::{Fields, Record, Severity, SpanData, SpanPath, Tag, guarded::VALUE_LIMIT};
use crate::clock::Clock;

/// The field that carries a severity `tracing` has no level for: [`critical!`](crate::critical) sets it to 50.
pub(crate) const SEVERITY_FIELD: &str = "strata.severity";

/// The fields that carry the function that logged, and a call stack.
pub(crate) const FUNCTION_FIELD: &str = "strata.function";
pub(crate) const STACK_FIELD: &str = "strata.stack";

/// Visits values into [`Fields`].
pub(crate) struct Visitor<'a> {
    pub(crate) fields: &'a mut Fields,
    pub(crate) limit: usize,
    message: Option<super::TextRange>,
    severity: Option<i64>,
}

impl<'a> Visitor<'a> {
    #[inline]
    pub(crate) fn new(fields: &'a mut Fields, limit: usize) -> Self {
        Self { fields, limit, message: None, severity: None }
    }
}

impl Visit for Visitor<'_> {
    #[inline]
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.put_f64(field.name(), value);
    }

    #[inline]
    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == SEVERITY_FIELD {
            self.severity = Some(value);
        } else {
            self.fields.put_i64(field.name(), value);
        }
    }

    #[inline]
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.put_u64(field.name(), value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.fields.put_i128(field.name(), value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.fields.put_u128(field.name(), value);
    }

    #[inline]
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.put_bool(field.name(), value);
    }

    #[inline]
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" && self.message.is_none() {
            self.message = Some(self.fields.push_limited(value, self.limit));
        } else if !self.fields.put_error_type(field.name(), value) {
            self.fields.put_str(field.name(), value, self.limit);
        }
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.fields.put_bytes(field.name(), value, self.limit);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn StdError + 'static)) {
        self.fields.put_error(field.name(), value, self.limit);
    }

    #[inline]
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = self.fields.render(format_args!("{value:?}"), self.limit);
        // A second message (`info!(message = "m", "formatted")`) is a field.
        if field.name() == "message" && self.message.is_none() {
            self.message = Some(text);
        } else {
            self.fields.put_last_rendered(field.name(), text);
        }
    }
}

/// Captures the values of a span, where `message` is a field like any other.
pub(crate) fn capture_fields(fields: &mut Fields, visit: impl FnOnce(&mut dyn Visit)) {
    let mut visitor = Visitor::new(fields, VALUE_LIMIT);
    visit(&mut visitor);
    let (message, severity) = (visitor.message, visitor.severity);
    if let Some(message) = message {
        fields.put_rendered("message", message);
    }
    if let Some(severity) = severity {
        fields.put_i64(SEVERITY_FIELD, severity);
    }
}

impl Record {
    /// Fills an empty record from an event.
    #[inline]
    pub(crate) fn capture(
        &mut self,
        event: &Event<'_>,
        leaf: Option<std::sync::Arc<SpanData>>,
        clock: Option<&dyn Clock>,
        limit: usize,
    ) {
        let metadata = event.metadata();
        self.metadata = Some(metadata);
        self.time = match clock {
            None => std::time::SystemTime::now(),
            Some(clock) => clock.now(),
        };
        SpanPath::set(&mut self.path, leaf);
        let mut visitor = Visitor::new(&mut self.fields, limit);
        event.record(&mut visitor);
        let (message, severity) = (visitor.message, visitor.severity);
        self.message = message.unwrap_or_default();
        self.severity = match severity {
            None => Severity::from(metadata.level()),
            Some(number) => severity_from(number),
        };
        self.set_this_thread();
        const MORE: u64 = Tag::of(FUNCTION_FIELD).bit() | Tag::of(STACK_FIELD).bit();
        if self.fields.bloom() & MORE != 0 {
            self.take_source_fields();
        }
        if metadata.target() == "log" && metadata.name() == "log event" {
            self.take_log_fields();
        }
    }

    fn field_text(&self, name: &str) -> Option<String> {
        self.fields.get(name)?.as_str().map(str::to_owned)
    }

    /// Moves the function and the stack from the fields to their places in the record.
    #[cold]
    fn take_source_fields(&mut self) {
        if let Some(function) = self.field_text(FUNCTION_FIELD) {
            self.set_function(&function);
            self.fields.remove(FUNCTION_FIELD);
        }
        if let Some(stack) = self.field_text(STACK_FIELD) {
            self.set_stack(&stack);
            self.fields.remove(STACK_FIELD);
        }
    }

    /// Moves target, file and line, which `tracing-log` sends in fields, to their places in the record.
    #[cold]
    fn take_log_fields(&mut self) {
        if let Some(target) = self.field_text("log.target") {
            self.set_target(&target);
        }
        if let Some(path) = self.field_text("log.module_path") {
            self.set_module_path(&path);
        }
        if let Some(file) = self.field_text("log.file") {
            let line = self.fields.get("log.line").and_then(|line| line.as_u64()).unwrap_or_default();
            self.set_source(&file, u32::try_from(line).unwrap_or_default());
        }
        for name in ["log.target", "log.module_path", "log.file", "log.line"] {
            self.fields.remove(name);
        }
    }
}

/// The severity of an event that is not captured yet. `None` if it is that of its level.
pub(crate) fn severity_of(event: &Event<'_>) -> Option<Severity> {
    struct Find(Option<i64>);
    impl Visit for Find {
        fn record_i64(&mut self, field: &Field, value: i64) {
            if field.name() == SEVERITY_FIELD {
                self.0 = Some(value);
            }
        }
        fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
    }
    let mut find = Find(None);
    event.record(&mut find);
    find.0.map(severity_from)
}

fn severity_from(number: i64) -> Severity {
    Severity::new(number.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
}
