//! Assertions about what was captured.

use std::{fmt, mem, sync::Arc, thread};

use super::{
    Capture, Pattern, fail,
    pattern::{Shown, is_same},
};
use crate::{
    Severity, Value,
    record::{OwnedRecord, SpanData},
};

impl Capture {
    /// Asserts that there is such a record, and returns the first.
    ///
    /// ```should_panic
    /// use tracing_strata::testing::{Capture, target};
    ///
    /// let logs = Capture::start();
    /// tracing::warn!(target: "shop::db", rows = 4, "slow query");
    /// // no record is target shop.db, message "slow query", rows=3
    /// // nearest of 1 record:
    /// //     WARN     slow query  rows=4  shop::db  at src/shop.rs:7
    /// //       - rows: expected 3, is 4
    /// logs.assert_contains(target("shop.db").message("slow query").field("rows", 3));
    /// ```
    ///
    /// # Panics
    /// There is none: the message shows the nearest ones, and what differs.
    #[track_caller]
    pub fn assert_contains(&self, pattern: Pattern) -> OwnedRecord {
        match self.matches(&pattern).into_iter().next() {
            Some(found) => found,
            None => fail::no_match(self, &pattern, "no record is"),
        }
    }

    /// Asserts that there is no such record.
    ///
    /// # Panics
    /// There are some: the message shows them.
    #[track_caller]
    pub fn assert_none(&self, pattern: Pattern) {
        self.assert_count(pattern, 0);
    }

    /// Asserts how many such records there are.
    ///
    /// # Panics
    /// There are more or fewer: the message shows them.
    #[track_caller]
    pub fn assert_count(&self, pattern: Pattern, count: usize) {
        let found = self.matches(&pattern);
        if found.is_empty() && count > 0 {
            fail::no_match(self, &pattern, &format!("expected {}, but no record is", fail::count(count)));
        }
        if found.len() != count {
            let what = format!("expected {}, are {}: {pattern}", fail::count(count), found.len());
            fail::unexpected(&what, &found, self.records().len());
        }
    }

    /// Asserts that there are such records in this order. Others may come between them.
    ///
    /// # Panics
    /// One is missing, or comes earlier: the message says which, and shows the nearest.
    #[track_caller]
    pub fn assert_order(&self, patterns: impl IntoIterator<Item = Pattern>) {
        let taken = self.shared.store.all();
        let mut at = 0;
        for (index, pattern) in patterns.into_iter().enumerate() {
            let fits = |record: &OwnedRecord| pattern.matches(record);
            match taken.records[at..].iter().position(fits) {
                Some(found) => {
                    self.shared.store.expect([taken.first + (at + found) as u64]);
                    at += found + 1;
                }
                None => {
                    let place = match at {
                        0 => format!("number {} of the order: no record is", index + 1),
                        _ => format!(
                            "number {} of the order: no record after {:?} is",
                            index + 1,
                            taken.records[at - 1].message()
                        ),
                    };
                    fail::no_match(self, &pattern, &place);
                }
            }
        }
    }

    /// Asserts that a span of this name was opened, and goes on to its fields.
    ///
    /// ```
    /// let logs = tracing_strata::testing::Capture::start();
    /// let request = tracing::info_span!("request", id = "r-1", status = tracing::field::Empty);
    /// request.record("status", 200);
    /// logs.assert_span("request").has_field("id", "r-1").has_field("status", 200);
    /// ```
    ///
    /// # Panics
    /// There was none: the message lists those that were.
    #[track_caller]
    pub fn assert_span(&self, name: &str) -> SpanAssertion {
        let mut spans = self.shared.store.spans();
        let mut names: Vec<_> = spans.iter().map(|span| span.name()).collect();
        names.sort_unstable();
        names.dedup();
        spans.retain(|span| span.name() == name);
        assert!(
            !spans.is_empty(),
            "no span {name} was opened; those opened: {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        );
        SpanAssertion { name: name.to_owned(), spans }
    }

    /// Asserts that nothing was lost: neither here (see the bounds of [`Capture`]) nor by a handler of the application
    /// that got one of this test's records. What is still in a queue is not lost: flush before, with
    /// [`flush_all`](crate::flush_all).
    ///
    /// A handler's losses count from the first record that it got from this test. If tests share it, those of all count.
    ///
    /// # Panics
    /// Something was lost: the message says where and how many.
    #[track_caller]
    pub fn assert_nothing_lost(&self) {
        let lost = self.shared.store.lost();
        let mut found = Vec::new();
        if lost.records > 0 {
            found.push(format!("the capture lost {} of its records", lost.records));
        }
        if lost.spans > 0 {
            found.push(format!("the capture lost {} of its spans", lost.spans));
        }
        for (ledger, before) in self.shared.witness.seen() {
            let now = ledger.stats();
            let (dropped, failed) = (now.dropped - before.dropped, now.failed - before.failed);
            if dropped + failed > 0 {
                found
                    .push(format!("handler {:?} dropped {dropped} and failed to write {failed}: {now}", ledger.name()));
            }
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    /// Fails the test if it logs something of this severity or above that nobody expected, until what this returns is
    /// dropped: then it looks at the records since, and panics if there are some.
    ///
    /// Expected is what an assertion or a wait has found by then, and the [exceptions](FailOn::except).
    ///
    /// ```
    /// use tracing_strata::{Severity, testing::{Capture, message, target}};
    ///
    /// let logs = Capture::start();
    /// let strict = logs.fail_on(Severity::WARN).except(target("hyper"));
    /// tracing::warn!(target: "hyper::proto", "connection closed");
    /// tracing::error!("payment failed");
    /// logs.assert_contains(message("payment failed"));
    /// drop(strict);
    /// ```
    pub fn fail_on(&self, severity: impl Into<Severity>) -> FailOn<'_> {
        FailOn { capture: self, from: self.shared.store.next(), pattern: super::at_least(severity) }
    }

    /// Those that fit; they are expected from now on.
    fn matches(&self, pattern: &Pattern) -> Vec<OwnedRecord> {
        let taken = self.shared.store.all();
        let numbered = (taken.first..).zip(taken.records);
        let (numbers, found): (Vec<_>, Vec<_>) = numbered.filter(|(_, record)| pattern.matches(record)).unzip();
        self.shared.store.expect(numbers);
        found
    }
}

/// The spans of one name. Made by [`Capture::assert_span`].
pub struct SpanAssertion {
    name: String,
    spans: Vec<Arc<SpanData>>,
}

impl SpanAssertion {
    /// Asserts that one of the spans has this value, at the time of the assertion; several calls are about the same span.
    /// Values are compared as by [`field`](super::field).
    ///
    /// # Panics
    /// None has: the message shows their fields.
    #[track_caller]
    pub fn has_field<'v>(mut self, name: &str, value: impl Into<Value<'v>>) -> Self {
        let value = value.into();
        let before = mem::take(&mut self.spans);
        let has = |span: &Arc<SpanData>| {
            span.read_fields(|fields| fields.get(name).is_some_and(|actual| is_same(value, actual)))
        };
        self.spans = before.iter().filter(|span| has(span)).cloned().collect();
        if self.spans.is_empty() {
            let fields = |span: &Arc<SpanData>| span.read_fields(|fields| format!("    {}{fields:?}\n", self.name));
            let fields: String = before.iter().map(fields).collect();
            panic!("no span {} has {name}={}; those that fit until here:\n{fields}", self.name, Shown(value));
        }
        self
    }
}

impl fmt::Debug for SpanAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanAssertion").field("name", &self.name).field("spans", &self.spans.len()).finish()
    }
}

/// Fails a test that logs what nobody expected, when it is dropped. Made by [`Capture::fail_on`].
#[must_use = "it looks at the records when it is dropped"]
pub struct FailOn<'c> {
    capture: &'c Capture,
    from: u64,
    pattern: Pattern,
}

impl FailOn<'_> {
    /// Expects such records.
    pub fn except(mut self, pattern: Pattern) -> Self {
        self.pattern = self.pattern.clone().and(!pattern);
        self
    }
}

impl Drop for FailOn<'_> {
    fn drop(&mut self) {
        // The test fails already.
        if thread::panicking() {
            return;
        }
        let store = &self.capture.shared.store;
        let taken = store.since(self.from);
        let numbered = (taken.first..).zip(taken.records);
        let is_wrong =
            |(number, record): &(u64, OwnedRecord)| self.pattern.matches(record) && !store.is_expected(*number);
        let found: Vec<_> = numbered.filter(is_wrong).map(|(_, record)| record).collect();
        if !found.is_empty() {
            let what = format!("{} that nobody expected: {}", fail::count(found.len()), self.pattern);
            fail::unexpected(&what, &found, self.capture.records().len());
        }
    }
}

impl fmt::Debug for FailOn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FailOn").field(&self.pattern).finish()
    }
}
