//! A span as the Registry holds it.

use std::sync::Arc;

use super::{SpanData, current};

/// A span in the Registry's extensions.
pub(crate) struct SpanSlot(Option<Arc<SpanData>>);

impl SpanSlot {
    pub(crate) fn new(data: Arc<SpanData>) -> Self {
        Self(Some(data))
    }

    pub(crate) fn data(&self) -> Option<Arc<SpanData>> {
        self.0.clone()
    }
}

impl Drop for SpanSlot {
    fn drop(&mut self) {
        if let Some(data) = self.0.take() {
            current::forget_last_created(&data);
            SpanData::close(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_core::Metadata;

    #[cfg(feature = "otlp")]
    use super::super::ClosedSpan;
    use super::{super::SpanPath, *};
    use crate::Fields;

    #[test]
    fn a_span_that_records_for_ever_stays_small() {
        let span = SpanData::detached("job", [("state", "new")].into_iter().collect(), None);
        for step in 0..20_000 {
            let state = format!("step {step} of many, with a text of some length");
            let mut values = Fields::new();
            values.set("state", state.as_str());
            values.set(format!("own{}", step % 3), state.as_bytes());
            span.record(&values);
        }
        let late = span.late().unwrap();
        assert_eq!(late.get("state").unwrap().as_str(), Some("step 19999 of many, with a text of some length"));
        assert_eq!(late.len(), 4);
        assert!(late.held_bytes() < 64 * 1024, "{}", late.held_bytes());
    }

    /// A span of `tracing`'s, and the Registry's slot for it.
    fn open() -> (Arc<SpanData>, SpanSlot) {
        static METADATA: Metadata<'static> = tracing_core::metadata! {
            name: "job",
            target: "test",
            level: tracing_core::Level::INFO,
            fields: &[],
            callsite: &Nowhere,
            kind: tracing_core::metadata::Kind::SPAN,
        };
        struct Nowhere;
        impl tracing_core::Callsite for Nowhere {
            fn set_interest(&self, _: tracing_core::Interest) {}
            fn metadata(&self) -> &Metadata<'_> {
                &METADATA
            }
        }
        let data = SpanData::create(1, &METADATA, None, None, |fields| fields.set("a", 1));
        (Arc::clone(&data), SpanSlot::new(data))
    }

    fn late_of(span: &SpanData) -> std::sync::Weak<Fields> {
        span.record(&[("body", "x")].into_iter().collect());
        Arc::downgrade(&span.late().unwrap())
    }

    #[test]
    fn values_recorded_after_a_record_go_with_the_span() {
        let (span, slot) = open();
        let mut path = SpanPath::default();
        path.set(Some(Arc::clone(&span)));
        let late = late_of(&span);
        drop(span);
        assert!(late.upgrade().is_some());
        drop(slot);
        assert!(late.upgrade().is_none(), "a record keeps what it does not show");
        assert_eq!(path.iter().next().map(|span| span.fields().len()), Some(1));
    }

    #[test]
    fn values_recorded_before_a_record_stay_with_it() {
        let (span, slot) = open();
        let late = late_of(&span);
        let mut path = SpanPath::default();
        path.set(Some(Arc::clone(&span)));
        assert_eq!(path.weight(), span.weight + late.upgrade().unwrap().weight());
        drop((span, slot));
        assert_eq!(path.iter().next().map(|span| span.fields().len()), Some(2));
        path.clear();
        assert!(late.upgrade().is_none() && path.weight() == 0);
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn every_exporter_of_a_span_finds_its_late_values() {
        let (span, slot) = open();
        let late = late_of(&span);
        let (one, two) = (ClosedSpan::new(Arc::clone(&span)), ClosedSpan::new(Arc::clone(&span)));
        drop(one);
        drop(slot);
        assert_eq!(two.read_fields(Fields::len), 2);
        drop(two);
        assert!(late.upgrade().is_none());
        assert_eq!(span.read_fields(Fields::len), 1);
    }
}
