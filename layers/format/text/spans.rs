//! The spans of a record.

use super::{
    Text,
    color::Paint,
    pair::{name, write_value},
    quote::word,
    space,
};
use crate::{
    Record,
    format::{
        json::value::hex,
        line::{Fragment, Line},
        outermost_first,
    },
    record::{FormatCache, SpanView, TraceParent},
};

impl Text {
    pub(super) fn path(&self, record: &Record, paint: Paint, out: &mut Line<'_>) {
        for (depth, span) in outermost_first(record).enumerate() {
            match depth {
                0 => space(out),
                _ => out.byte(b':'),
            }
            paint.dim(out, |out| self.span(span, out));
        }
    }

    pub(super) fn span(&self, span: SpanView<'_>, out: &mut Line<'_>) {
        // How a `traceparent` is written depends on more than the span.
        let is_same_for_all = !span.fields().contains(TraceParent::FIELD);
        match is_same_for_all.then(|| span.cached(FormatCache::Text, || span_text(span))).flatten() {
            Some(text) => out.raw_bytes(text),
            None => in_braces(span, self.trace_ids, out),
        }
    }
}

/// Longest cached text of a span, in bytes.
const MAX_CACHED: usize = 1_024;

/// A span's text without colour. `None` if it is long.
#[cold]
fn span_text(span: SpanView<'_>) -> Option<Box<[u8]>> {
    let text = Fragment::of(false, |line| in_braces(span, false, line));
    (text.text().len() <= MAX_CACHED).then(|| text.text().into())
}

/// `name{field=value field=value}`
#[inline(never)]
fn in_braces(span: SpanView<'_>, without_trace: bool, out: &mut Line<'_>) {
    word(out, span.name(), ":");
    out.byte(b'{');
    let mut is_first = true;
    for entry in span.fields().entries() {
        let trace = if entry.text() == TraceParent::FIELD { span.trace() } else { None };
        if trace.is_some() && without_trace {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            out.byte(b' ');
        }
        if let Some(trace) = trace {
            out.raw("trace_id=");
            hex(out, &trace.trace_id().to_be_bytes());
            continue;
        }
        name(entry, out);
        write_value(entry.value(), out);
    }
    out.byte(b'}');
}
