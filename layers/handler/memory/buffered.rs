//! Buffered records, in order.

use std::collections::VecDeque;

use crate::{OwnedDelivery, Record, Severity, handler::worker::Evicted};

/// Records in order, and their total size: each counts with its spans, except those it shares with the record before
/// it.
#[derive(Debug, Default)]
pub(super) struct Buffered {
    records: VecDeque<OwnedDelivery>,
    weight: usize,
}

impl Buffered {
    /// Empty, in the memory of an earlier buffer.
    pub(super) fn reuse(records: VecDeque<OwnedDelivery>) -> Self {
        Self { records, weight: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    #[inline]
    pub(super) fn push(&mut self, record: OwnedDelivery) {
        self.weight += match self.records.back() {
            Some(before) => record.weight_beside(before),
            None => record.weight(),
        };
        self.records.push_back(record);
    }

    /// Removes the oldest ones while `too_much` holds. Returns them and their number.
    pub(super) fn evict_while(&mut self, too_much: impl Fn(&Self) -> bool) -> (Evicted<OwnedDelivery>, usize) {
        let (mut evicted, mut count) = (Evicted::default(), 0);
        while too_much(self) {
            let Some(oldest) = self.shift() else { break };
            evicted.push(oldest);
            count += 1;
        }
        (evicted, count)
    }

    /// Removes the oldest.
    #[inline]
    pub(super) fn shift(&mut self) -> Option<OwnedDelivery> {
        let record = self.records.pop_front()?;
        self.weight -= record.weight();
        if let Some(first) = self.records.front() {
            // What the two shared now counts for this one.
            self.weight += first.weight() - first.weight_beside(&record);
        }
        Some(record)
    }

    /// Passes all records on, after a notice of the ones lost before. Returns its memory.
    pub(super) fn pass_on(mut self, lost: u64, mut to: impl FnMut(OwnedDelivery)) -> VecDeque<OwnedDelivery> {
        if lost > 0 {
            if let Some(first) = self.records.front() {
                to(OwnedDelivery::internal(lost_before(first, lost), None));
            }
        }
        while let Some(record) = self.records.pop_front() {
            to(record);
        }
        self.records
    }

    /// Discards all records. Returns its memory.
    pub(super) fn discard(mut self) -> VecDeque<OwnedDelivery> {
        self.records.drain(..).for_each(OwnedDelivery::dropped);
        self.records
    }
}

/// The target of the notices.
const TARGET: &str = "tracing_strata::memory";

/// The in-band notice of a loss, with the time, thread and spans of the first record that was not lost.
#[cold]
fn lost_before(first: &Record, lost: u64) -> Record {
    let records = if lost == 1 { "record" } else { "records" };
    let mut note = first.note(Severity::WARN, TARGET, &format!("{lost} {records} lost before this one: no room"));
    note.set("lost", lost);
    note
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fields;

    fn body(bytes: usize) -> Fields {
        let mut fields = Fields::new();
        fields.set("body", &*"x".repeat(bytes));
        fields
    }

    /// A record in spans of so many bytes, the outermost first.
    fn record(spans: &[usize]) -> Record {
        let mut record = Record::new(Severity::INFO, "a", "b");
        spans.iter().for_each(|bytes| record.push_span("s", body(*bytes)));
        record
    }

    /// The same in one more.
    fn deeper(around: &Record, bytes: usize) -> Record {
        let mut record = around.clone();
        record.push_span("s", body(bytes));
        record
    }

    fn taken(record: &Record) -> OwnedDelivery {
        OwnedDelivery::internal(record.clone(), None)
    }

    fn buffered(records: &[&Record]) -> Buffered {
        let mut buffered = Buffered::default();
        records.iter().for_each(|record| buffered.push(taken(record)));
        buffered
    }

    #[test]
    fn spans_that_neighbours_share_are_weighed_once() {
        let outer = record(&[1_000]);
        let (one, two) = (deeper(&outer, 10_000), deeper(&outer, 20_000));
        let elsewhere = record(&[5_000, 50_000]);
        let bare = record(&[]).weight();
        let own = |record: &Record| record.weight() - bare;
        assert!(own(&outer) > 1_000 && own(&one) > 11_000 && own(&elsewhere) > 55_000);
        let of_one = own(&one) - own(&outer);
        let of_two = own(&two) - own(&outer);
        let expect = |records: &[&Record], spans: usize| {
            assert_eq!(buffered(records).weight(), records.len() * bare + spans);
        };
        expect(&[&outer], own(&outer));
        expect(&[&outer, &outer, &outer], own(&outer));
        expect(&[&outer, &one], own(&one));
        expect(&[&one, &outer], own(&one));
        expect(&[&one, &two], own(&one) + of_two);
        expect(&[&one, &outer, &one], own(&one) + of_one);
        expect(&[&one, &elsewhere], own(&one) + own(&elsewhere));
        expect(&[&record(&[]), &two, &record(&[]), &two], 2 * own(&two));
    }

    /// In any order of operations: never less than the real size, nothing at the end, and each removal makes it
    /// smaller.
    #[test]
    fn what_is_held_weighs_no_less_than_it_is() {
        let mut spans = vec![record(&[])];
        let mut state = 1_u64;
        let mut dice = |sides: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % sides
        };
        for _ in 0..30 {
            let around = dice(spans.len());
            spans.push(deeper(&spans[around], dice(3_000)));
        }
        let mut buffered = Buffered::default();
        for _ in 0..3_000 {
            if dice(5) < 3 {
                buffered.push(taken(&spans[dice(spans.len())]));
            } else {
                let before = buffered.weight();
                let was_empty = buffered.is_empty();
                buffered.shift();
                assert!(buffered.weight() < before || was_empty);
            }
            let own: usize = buffered.records.iter().map(|record| size_of::<Record>() + record.fields().len()).sum();
            let mut seen: Vec<*const Fields> = Vec::new();
            let mut bodies = 0;
            for span in buffered.records.iter().flat_map(|record| record.spans()) {
                if !seen.contains(&std::ptr::from_ref(span.fields())) {
                    seen.push(span.fields());
                    bodies += span.fields().get("body").and_then(|body| body.as_str()).map_or(0, str::len);
                }
            }
            assert!(buffered.weight() >= own + bodies);
        }
        while buffered.shift().is_some() {}
        assert_eq!(buffered.weight(), 0);
    }
}
