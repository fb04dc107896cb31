//! The fields that a reader sees: each name once.

use super::{Entry, Fields, Record, SpanView, Tag, TraceParent, Value, context::Spans};

impl Record {
    /// Every name once with the value that [`Record::get`] gives: the event's own fields, then those of the spans,
    /// innermost first, then the global ones. A `traceparent` that is understood is left out: its parts are
    /// [`Record::trace`].
    pub(crate) fn visible(&self) -> Visible<'_> {
        Visible { record: self, spans: self.spans(), source: Source::Event, fields: self.fields(), index: 0, taken: 0 }
    }

    /// Whether a reader sees a field of this name.
    pub(crate) fn sees(&self, name: &str) -> bool {
        self.visible().any(|entry| entry.text() == name)
    }

    /// What a format calls a part of a field (`error.type` of `error`): the name with the suffix, and with `_` behind
    /// it as often as it takes until no field of the record has that name.
    #[cold]
    pub(crate) fn name_of_part(&self, name: &str, suffix: &str) -> String {
        let mut part = [name, suffix].concat();
        while self.sees(&part) {
            part.push('_');
        }
        part
    }
}

/// Made by [`Record::visible`].
pub(crate) struct Visible<'a> {
    record: &'a Record,
    spans: Spans<'a>,
    source: Source<'a>,
    fields: &'a Fields,
    index: usize,
    /// Bits of the names of the sources before.
    taken: u64,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Event,
    /// How many spans are further in.
    Span(usize, SpanView<'a>),
    Globals,
}

const TRACEPARENT: Tag = Tag::of(TraceParent::FIELD);

impl<'a> Visible<'a> {
    /// Goes on to the next source; false if there is none.
    fn advance(&mut self) -> bool {
        let depth = match self.source {
            Source::Event => 0,
            Source::Span(depth, _) => depth + 1,
            Source::Globals => return false,
        };
        self.taken |= self.fields.bloom();
        self.index = 0;
        (self.source, self.fields) = match self.spans.next() {
            Some(span) => (Source::Span(depth, span), span.fields()),
            None => match self.record.globals() {
                Some(globals) => (Source::Globals, globals),
                None => return false,
            },
        };
        true
    }

    fn is_hidden(&self, entry: Entry<'a>) -> bool {
        let tag = entry.tag();
        if let Source::Span(_, span) = self.source
            && tag == TRACEPARENT
            && entry.text() == TraceParent::FIELD
            && span.trace().is_some()
        {
            return true;
        }
        if tag.bit() & self.taken == 0 {
            return false;
        }
        let inner = match self.source {
            Source::Event => return false,
            Source::Span(depth, _) => depth,
            Source::Globals => usize::MAX,
        };
        let has = |fields: &Fields| fields.has(entry.text(), tag);
        has(self.record.fields()) || self.record.spans().take(inner).any(|span| has(span.fields()))
    }
}

impl<'a> Iterator for Visible<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            match self.fields.entry(self.index) {
                Some(entry) => {
                    self.index += 1;
                    if !self.is_hidden(entry) {
                        return Some(entry);
                    }
                }
                None if self.advance() => {}
                None => return None,
            }
        }
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
    fn each_name_once_and_what_get_gives() {
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
    fn a_traceparent_that_is_none_stays() {
        let mut record = Record::new(Severity::INFO, "a", "b");
        record.push_span("s", [("traceparent", "no")].into_iter().collect());
        assert!(record.sees("traceparent"));
    }
}
