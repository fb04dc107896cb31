//! Maps closed spans to spans of OTLP.

use std::collections::HashMap;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{InstrumentationScope, any_value::Value as Any},
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, Link, SpanKind},
        status::StatusCode,
    },
};

use super::{
    SCHEMA_URL,
    logs::{self, is_span_metadata},
    settings::SpanLimits,
    values::Attributes,
};
use crate::{
    Fields,
    record::{ClosedSpan, SpanData, SpanEvent, TraceParent, TraceState},
};

/// Flags of the parent: "IsRemote is known", and "is remote".
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

pub(super) fn request(resource: &Resource, limits: &SpanLimits, batch: &[ClosedSpan]) -> ExportTraceServiceRequest {
    let mut scopes: Vec<ScopeSpans> = Vec::new();
    let mut indices: HashMap<&str, usize> = HashMap::new();
    for data in batch {
        let target = data.metadata().map_or("", |metadata| metadata.target());
        let index = *indices.entry(target).or_insert_with(|| {
            let scope = InstrumentationScope { name: target.into(), ..InstrumentationScope::default() };
            scopes.push(ScopeSpans { scope: Some(scope), ..ScopeSpans::default() });
            scopes.len() - 1
        });
        scopes[index].spans.extend(span(data, limits));
    }
    let spans = ResourceSpans { resource: Some(resource.clone()), scope_spans: scopes, schema_url: SCHEMA_URL.into() };
    ExportTraceServiceRequest { resource_spans: vec![spans] }
}

/// Roughly the memory of a queued span, with its parents, which it keeps alive.
pub(super) fn held_bytes(data: &SpanData) -> usize {
    data.weight() + data.late_weight() + data.export().held_bytes()
}

fn span(data: &SpanData, limits: &SpanLimits) -> Option<Span> {
    data.read_fields(|fields| span_with(data, fields, limits))
}

fn span_with(data: &SpanData, fields: &Fields, limits: &SpanLimits) -> Option<Span> {
    let made = data.ids().generated()?;
    let traced = data.export();
    let is_remote = if data.remote().is_some() { IS_REMOTE } else { 0 };
    let (start, end) = traced.times();
    let annotations = traced.annotations();
    let (attributes, dropped_attributes_count) = attributes(data, fields, traced.thread(), limits).into_parts();
    let mut made_span = Span {
        trace_id: made.own.trace_id().to_be_bytes().into(),
        span_id: made.own.span_id().to_be_bytes().into(),
        trace_state: state(fields, data.remote()),
        flags: u32::from(made.own.flags()) | HAS_IS_REMOTE | is_remote,
        name: text(fields, "otel.name").unwrap_or_else(|| data.name()).into(),
        kind: kind(text(fields, "otel.kind")).into(),
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes,
        dropped_attributes_count,
        events: annotations.events.iter().map(|event| self::event(event, limits)).collect(),
        dropped_events_count: annotations.dropped_events,
        links: annotations.links.iter().map(|link| self::link(*link)).collect(),
        dropped_links_count: annotations.dropped_links,
        status: status(fields, annotations.error.as_deref()),
        ..Span::default()
    };
    if made.parent != 0 {
        made_span.parent_span_id = made.parent.to_be_bytes().into();
    }
    Some(made_span)
}

fn text<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.get(name)?.as_str()
}

/// Only beside the `traceparent` that it belongs to.
fn state(fields: &Fields, remote: Option<TraceParent>) -> String {
    let state = remote.and_then(|_| text(fields, TraceState::FIELD)?.parse::<TraceState>().ok());
    state.map(|state| state.to_string()).unwrap_or_default()
}

fn kind(text: Option<&str>) -> SpanKind {
    let Some(text) = text else { return SpanKind::Internal };
    let kinds = [
        ("server", SpanKind::Server),
        ("client", SpanKind::Client),
        ("producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
    ];
    kinds.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map_or(SpanKind::Internal, |(_, kind)| *kind)
}

/// The application's fields win over the first ERROR event.
fn status(fields: &Fields, error: Option<&str>) -> Option<Status> {
    let description = text(fields, "otel.status_description").map(str::to_owned);
    let code = match text(fields, "otel.status_code") {
        Some(code) if code.eq_ignore_ascii_case("ok") => StatusCode::Ok,
        Some(code) if code.eq_ignore_ascii_case("error") => StatusCode::Error,
        _ if error.is_some() || description.is_some() => StatusCode::Error,
        _ => return None,
    };
    let message = match code {
        StatusCode::Error => description.or_else(|| error.map(str::to_owned)).unwrap_or_default(),
        // "Description MUST be IGNORED for StatusCode Ok."
        _ => String::new(),
    };
    Some(Status { message, code: code.into() })
}

fn attributes(
    data: &SpanData,
    fields: &Fields,
    thread: Option<(u64, Option<&str>)>,
    limits: &SpanLimits,
) -> Attributes {
    let mut attributes = Attributes::new(limits.of_spans, fields.len() + 5);
    let exception = logs::exception(fields, &mut attributes);
    let is_own = |name: &str| !is_span_metadata(name) && !exception.iter().flatten().any(|taken| taken == name);
    attributes.add_all(fields, is_own);
    if let Some(metadata) = data.metadata() {
        if let Some(file) = metadata.file() {
            attributes.add_text("code.file.path", file);
        }
        if let Some(line) = metadata.line() {
            attributes.add("code.line.number", Any::IntValue(line.into()));
        }
        if let Some(path) = metadata.module_path() {
            attributes.add_text("code.module.name", path);
        }
    }
    if let Some((id, name)) = thread {
        attributes.add("thread.id", Any::IntValue(id as i64));
        if let Some(name) = name {
            attributes.add_text("thread.name", name);
        }
    }
    attributes
}

fn event(event: &SpanEvent, limits: &SpanLimits) -> Event {
    let mut attributes = Attributes::new(limits.of_events, event.fields.len() + 2);
    let exception = logs::exception(&event.fields, &mut attributes);
    attributes
        .add_all(&event.fields, |name| name != "message" && !exception.iter().flatten().any(|taken| taken == name));
    attributes.add_text("level", event.level);
    attributes.add_text("target", event.target);
    let name = text(&event.fields, "message").unwrap_or(event.name);
    let (attributes, dropped_attributes_count) = attributes.into_parts();
    Event { time_unix_nano: event.time, name: name.into(), attributes, dropped_attributes_count }
}

fn link(link: TraceParent) -> Link {
    Link {
        trace_id: link.trace_id().to_be_bytes().into(),
        span_id: link.span_id().to_be_bytes().into(),
        flags: link.flags().into(),
        ..Link::default()
    }
}
