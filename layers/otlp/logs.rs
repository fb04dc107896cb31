//! Maps records to log records of OTLP.

use std::{
    collections::{BTreeSet, HashMap},
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{InstrumentationScope, any_value::Value as Any},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};

use super::{
    SCHEMA_URL,
    values::{self, AttributeLimits, Attributes},
};
use crate::{
    Fields, Record,
    record::{Baggage, OwnedRecord, TraceParent, TraceState},
};

/// Which fields of its spans and of the [whole application](crate::Globals) a log record has as attributes, beside its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContextFields {
    /// All (the default), the innermost span's first; the first of a name wins. Except those that belong to the span only:
    /// the headers `traceparent`, `tracestate` and `baggage`, and `otel.name`, `otel.kind`, `otel.status_code`,
    /// `otel.status_description`.
    #[default]
    All,
    /// None: exported spans have them.
    None,
    /// These names.
    Only(BTreeSet<String>),
}

impl ContextFields {
    /// These names.
    pub fn only<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::Only(names.into_iter().map(Into::into).collect())
    }

    fn includes(&self, name: &str) -> bool {
        match self {
            Self::All => !is_span_metadata(name),
            Self::None => false,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// Whether a span field is no attribute: a header, or the span's name, kind or status.
pub(super) fn is_span_metadata(name: &str) -> bool {
    let is_header = matches!(name, TraceParent::FIELD | TraceState::FIELD | Baggage::FIELD);
    is_header || matches!(name, "otel.name" | "otel.kind" | "otel.status_code" | "otel.status_description")
}

pub(super) fn request(
    resource: &Resource,
    context: &ContextFields,
    limits: AttributeLimits,
    batch: &[OwnedRecord],
) -> ExportLogsServiceRequest {
    let mut scopes: Vec<ScopeLogs> = Vec::new();
    let mut indices: HashMap<&str, usize> = HashMap::new();
    for record in batch {
        let index = *indices.entry(record.target()).or_insert_with(|| {
            scopes.push(scope(record.target()));
            scopes.len() - 1
        });
        scopes[index].log_records.push(log_record(record, context, limits));
    }
    let logs = ResourceLogs { resource: Some(resource.clone()), scope_logs: scopes, schema_url: SCHEMA_URL.into() };
    ExportLogsServiceRequest { resource_logs: vec![logs] }
}

fn scope(target: &str) -> ScopeLogs {
    let scope = InstrumentationScope { name: target.into(), ..InstrumentationScope::default() };
    ScopeLogs { scope: Some(scope), ..ScopeLogs::default() }
}

pub(super) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn log_record(record: &Record, context: &ContextFields, limits: AttributeLimits) -> LogRecord {
    let (attributes, dropped_attributes_count) = attributes(record, context, limits).into_parts();
    let time = nanos(record.time());
    let severity = record.severity();
    let mut made = LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: time,
        severity_number: severity.otel().into(),
        severity_text: severity.name().map_or_else(|| severity.to_string(), str::to_owned),
        body: Some(record.message()).filter(|message| !message.is_empty()).map(values::text),
        attributes,
        dropped_attributes_count,
        event_name: record.name().unwrap_or_default().into(),
        ..LogRecord::default()
    };
    if let Some(trace) = record.trace() {
        made.trace_id = trace.trace_id().to_be_bytes().into();
        made.span_id = trace.span_id().to_be_bytes().into();
        made.flags = trace.flags().into();
    }
    made
}

pub(super) fn attributes(record: &Record, context: &ContextFields, limits: AttributeLimits) -> Attributes {
    let mut attributes = Attributes::new(limits, record.fields().len() + 8);
    let exception = exception(record.fields(), &mut attributes);
    attributes.add_all(record.fields(), |name| !exception.iter().flatten().any(|taken| taken == name));
    if *context != ContextFields::None {
        for span in record.spans() {
            attributes.add_all(span.fields(), |name| context.includes(name));
        }
        if let Some(globals) = record.globals() {
            attributes.add_all(globals, |name| context.includes(name));
        }
    }
    if let Some(file) = record.file() {
        attributes.add_text("code.file.path", file);
    }
    if let Some(line) = record.line() {
        attributes.add("code.line.number", Any::IntValue(line.into()));
    }
    if let Some(path) = record.module_path() {
        attributes.add_text("code.module.name", path);
    }
    attributes.add("thread.id", Any::IntValue(record.thread_id() as i64));
    if let Some(name) = record.thread_name() {
        attributes.add_text("thread.name", name);
    }
    attributes
}

/// The first error becomes `exception.*`. Returns the names of the fields that it replaces.
pub(super) fn exception(fields: &Fields, attributes: &mut Attributes) -> [Option<String>; 2] {
    let Some((name, error)) = fields.iter().find_map(|(name, value)| Some((name, value.as_error()?))) else {
        return [None, None];
    };
    attributes.add_text("exception.message", error.message());
    if let Some(kind) = error.type_name() {
        attributes.add_text("exception.type", kind);
    }
    let backtrace = format!("{name}.backtrace");
    let trace = fields.get(&backtrace).and_then(|value| value.as_str());
    if error.causes().len() > 0 || trace.is_some() {
        let mut stack = error.message().to_owned();
        for cause in error.causes() {
            stack.push_str("\nCaused by: ");
            stack.push_str(cause);
        }
        if let Some(trace) = trace {
            stack.push('\n');
            stack.push_str(trace);
        }
        attributes.add("exception.stacktrace", Any::StringValue(stack));
    }
    [Some(name.to_owned()), trace.map(|_| backtrace)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::random_record;

    #[test]
    fn a_record_that_was_on_disk_is_sent_alike() {
        for seed in 0..500 {
            let record = random_record(&mut fastrand::Rng::with_seed(seed));
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            let again = OwnedRecord::decode(&bytes).unwrap();
            let sent = |record: &Record| log_record(record, &ContextFields::All, AttributeLimits::NONE);
            // NaN differs from itself, but not in its text.
            assert_eq!(format!("{:?}", sent(&again)), format!("{:?}", sent(&record)), "{record:?}");
        }
    }
}
