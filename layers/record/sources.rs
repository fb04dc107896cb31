//! The visible fields of a record: each name once.

use super::{Entry, Fields, Record, SpanView, Tag, TraceParent, Value, path::Spans};

impl Record {
    /// Each name once, with the value that [`Record::get`] returns: the event's own fields, then those of the spans,
    /// innermost first, then the global ones. A valid `traceparent` is left out: [`Record::trace`] gives its parts.
    #[inline]
    pub(crate) fn visible(&self) -> impl Iterator<Item = Entry<'_>> {
        self.sources().flat_map(Source::entries)
    }

    /// [`visible`](Self::visible), source by source.
    #[inline]
    pub(crate) fn sources(&self) -> Sources<'_> {
        Sources { record: self, spans: self.spans(), depth: 0, last: None, taken: 0 }
    }

    /// Whether a field of this name is visible.
    pub(crate) fn sees(&self, name: &str) -> bool {
        self.visible().any(|entry| entry.text() == name)
    }

    /// A name for a part of a field (`error.type` of `error`): the name with the suffix, then as many `_` as it takes to
    /// differ from all fields of the record.
    #[cold]
    pub(crate) fn name_of_part(&self, name: &str, suffix: &str) -> String {
        let mut part = [name, suffix].concat();
        while self.sees(&part) {
            part.push('_');
        }
        part
    }
}

/// One source of a record's fields: the event, one of its spans, or the application.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    record: &'a Record,
    fields: &'a Fields,
    of: Of<'a>,
    /// Bits of the names in earlier sources.
    taken: u64,
    /// Bits of the names that may be hidden.
    watched: u64,
}

#[derive(Clone, Copy)]
enum Of<'a> {
    Event,
    /// With the number of spans inside it.
    Span(usize, SpanView<'a>),
    Globals,
}

const TRACEPARENT: Tag = Tag::of(TraceParent::FIELD);

impl<'a> Source<'a> {
    /// The visible fields.
    #[inline]
    pub(crate) fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        self.fields.entries().filter(move |entry| !self.is_hidden(*entry))
    }

    /// The span, if none of its names is in earlier sources or among `others` (given by their bits), and it has no
    /// `traceparent`. Then its visible fields depend on it alone.
    #[inline]
    pub(crate) fn span_apart_from(self, others: u64) -> Option<SpanView<'a>> {
        match self.of {
            Of::Span(_, span) if self.fields.bloom() & (self.taken | others | TRACEPARENT.bit()) == 0 => Some(span),
            _ => None,
        }
    }

    #[inline]
    fn is_hidden(self, entry: Entry<'a>) -> bool {
        entry.tag().bit() & self.watched != 0 && self.is_hidden_by(entry)
    }

    #[inline(never)]
    fn is_hidden_by(self, entry: Entry<'a>) -> bool {
        let (name, tag) = (entry.text(), entry.tag());
        let inner = match self.of {
            Of::Event => return false,
            Of::Span(_, span) if tag == TRACEPARENT && name == TraceParent::FIELD && span.trace().is_some() => {
                return true;
            }
            Of::Span(depth, _) => depth,
            Of::Globals => usize::MAX,
        };
        let has = |fields: &Fields| fields.has(name, tag);
        has(self.record.fields()) || self.record.spans().take(inner).any(|span| has(span.fields()))
    }
}

/// Made by [`Record::sources`].
pub(crate) struct Sources<'a> {
    spans: Spans<'a>,
    depth: usize,
    /// `None` at the beginning.
    last: Option<Source<'a>>,
    /// Bits of the names in earlier sources.
    taken: u64,
    record: &'a Record,
}

impl<'a> Iterator for Sources<'a> {
    type Item = Source<'a>;

    #[inline]
    fn next(&mut self) -> Option<Source<'a>> {
        let record = self.record;
        let next = match self.last {
            None => Source { record, fields: record.fields(), of: Of::Event, taken: 0, watched: 0 },
            Some(last) => {
                self.taken |= last.fields.bloom();
                let taken = self.taken;
                if matches!(last.of, Of::Globals) {
                    return None;
                }
                match self.spans.next() {
                    Some(span) => {
                        let depth = self.depth;
                        self.depth += 1;
                        let watched = taken | TRACEPARENT.bit();
                        Source { record, fields: span.fields(), of: Of::Span(depth, span), taken, watched }
                    }
                    None => Source { record, fields: record.globals()?, of: Of::Globals, taken, watched: taken },
                }
            }
        };
        self.last = Some(next);
        Some(next)
    }
}

impl<'a> Entry<'a> {
    /// The name.
    #[inline]
    pub(crate) fn text(self) -> &'a str {
        let (Ok(name) | Err(name)) = self.name();
        name
    }

    /// Name and value.
    #[inline]
    pub(crate) fn pair(self) -> (&'a str, Value<'a>) {
        (self.text(), self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    #[test]
    fn each_name_once_with_the_value_that_get_returns() {
        let mut record = Record::new(Severity::INFO, "a", "b");
        record.push_span("outer", [("user", "outer"), ("zone", "eu")].into_iter().collect());
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        record.push_span("inner", [("user", "inner"), ("traceparent", trace)].into_iter().collect());
        record.set_globals([("zone", "us"), ("host", "h")].into_iter().collect());
        record.set("id", 7);
        let seen: Vec<_> = record.visible().map(|entry| format!("{}={}", entry.text(), entry.value())).collect();
        assert_eq!(seen, ["id=7", "user=inner", "zone=eu", "host=h"]);
        assert!(record.visible().all(|entry| record.get(entry.text()) == Some(entry.value())));
        assert!(record.sees("host") && !record.sees("traceparent"));
        assert_eq!(record.name_of_part("us", "er"), "user_");
        let mut ended = record.visible();
        assert_eq!(ended.by_ref().count(), 4);
        assert!(ended.next().is_none());
    }

    #[test]
    fn an_invalid_traceparent_stays() {
        let mut record = Record::new(Severity::INFO, "a", "b");
        record.push_span("s", [("traceparent", "no")].into_iter().collect());
        assert!(record.sees("traceparent"));
    }
}
