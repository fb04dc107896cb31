//! Records that are held back, in order.

use std::collections::VecDeque;

use crate::{OwnedDelivery, Record, Severity};

/// Those that had no room, mostly one.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Victims(Option<OwnedDelivery>, Vec<OwnedDelivery>);

impl Victims {
    pub(super) fn push(&mut self, victim: OwnedDelivery) {
        match &mut self.0 {
            first @ None => *first = Some(victim),
            Some(_) => self.1.push(victim),
        }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.0.is_some()) + self.1.len()
    }

    /// Not under a lock: a fallback is user code.
    pub(super) fn give_up(self) {
        self.0.into_iter().chain(self.1).for_each(OwnedDelivery::dropped);
    }
}

/// Records in order, with what they weigh: each with those of its spans that the one before it is not in, so that what many
/// records have in common is not weighed with each, and with none of them never.
#[derive(Debug, Default)]
pub(super) struct Held {
    records: VecDeque<OwnedDelivery>,
    weight: usize,
}

impl Held {
    /// Empty, in memory of an earlier one.
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

    /// Removes the oldest.
    #[inline]
    pub(super) fn shift(&mut self) -> Option<OwnedDelivery> {
        let record = self.records.pop_front()?;
        self.weight -= record.weight();
        if let Some(first) = self.records.front() {
            // What it had in common with that one is its own now.
            self.weight += first.weight() - first.weight_beside(&record);
        }
        Some(record)
    }

    /// Hands on what it has, after telling how many were lost before. Gives its memory back.
    pub(super) fn hand_on(mut self, lost: u64, mut to: impl FnMut(OwnedDelivery)) -> VecDeque<OwnedDelivery> {
        if lost > 0
            && let Some(first) = self.records.front()
        {
            to(OwnedDelivery::internal(lost_before(first, lost), None));
        }
        while let Some(record) = self.records.pop_front() {
            to(record);
        }
        self.records
    }

    /// Gives up what it has. Gives its memory back.
    pub(super) fn give_up(mut self) -> VecDeque<OwnedDelivery> {
        self.records.drain(..).for_each(OwnedDelivery::dropped);
        self.records
    }
}

/// The target of records of our own.
const TARGET: &str = "tracing_strata::memory";

/// The in-band notice of a loss: of the same time, thread and spans as the first record that was not lost.
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

    fn held(records: &[&Record]) -> Held {
        let mut held = Held::default();
        records.iter().for_each(|record| held.push(taken(record)));
        held
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
            assert_eq!(held(records).weight(), records.len() * bare + spans);
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

    /// Whatever comes and goes, and in which order: never less than is there, nothing is left, and what is forgotten makes it
    /// lighter.
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
        let mut held = Held::default();
        for _ in 0..3_000 {
            if dice(5) < 3 {
                held.push(taken(&spans[dice(spans.len())]));
            } else {
                let before = held.weight();
                let was_empty = held.is_empty();
                held.shift();
                assert!(held.weight() < before || was_empty);
            }
            let own: usize = held.records.iter().map(|record| size_of::<Record>() + record.fields().len()).sum();
            let mut seen: Vec<*const Fields> = Vec::new();
            let mut bodies = 0;
            for span in held.records.iter().flat_map(|record| record.spans()) {
                if !seen.contains(&std::ptr::from_ref(span.fields())) {
                    seen.push(span.fields());
                    bodies += span.fields().get("body").and_then(|body| body.as_str()).map_or(0, str::len);
                }
            }
            assert!(held.weight() >= own + bodies);
        }
        while held.shift().is_some() {}
        assert_eq!(held.weight(), 0);
    }
}
