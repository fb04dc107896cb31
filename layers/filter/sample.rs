//! One of so many similar records, or of so many traces.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use super::{
    Filter,
    groups::{MAX_KEYS, Names, Similar, SimilarStats},
};
use crate::{
    Record, Severity,
    clock::{Clock, SystemClock},
    fork,
};

/// Passes one of so many records; the others are refused, counted, and told in one record: `cache miss … 99 similar`.
///
/// ```
/// use tracing_strata::{filter::Sample, output::Stream, prelude::*};
///
/// // The 1st, the 101st, the 201st … of each call site.
/// let some = Stream::stderr().filter(Sample::one_in(100));
/// // All records of one trace in a hundred.
/// let traces = Stream::stderr().filter(Sample::traces(100));
/// # drop((some, traces));
/// ```
///
/// # What is never refused
/// ERROR and above ([`always_pass_from`](Self::always_pass_from)); by call site, the first of its kind.
///
/// # Traces
/// Whether a trace passes is in its id: all processes that sample one in so many decide alike, and as OpenTelemetry's
/// `TraceIdRatioBased` does. Records outside of a trace are sampled by call site.
///
/// # The summary
/// As for [`RateLimit`](super::RateLimit): before the next record of its kind that passes, after [`summary_interval`](Self::summary_interval)
/// (a minute) if a record of any kind comes, at a flush, and at the end. Clones share what they know.
#[derive(Clone)]
pub struct Sample {
    one_in: u64,
    by_trace: bool,
    names: Names,
    exempt: Severity,
    tell_after: Duration,
    max_keys: usize,
    clock: Arc<dyn Clock>,
    similar: Arc<Similar>,
}

impl Sample {
    /// One in so many records of each call site, the first one first. One in one: all.
    pub fn one_in(many: u32) -> Self {
        fork::watch();
        Self {
            one_in: u64::from(many).max(1),
            by_trace: false,
            names: Names::new(),
            exempt: Severity::ERROR,
            tell_after: Duration::from_secs(60),
            max_keys: MAX_KEYS,
            clock: Arc::new(SystemClock),
            similar: Arc::default(),
        }
    }

    /// All records of one in so many traces.
    pub fn traces(one_in: u32) -> Self {
        Self { by_trace: true, ..Self::one_in(one_in) }
    }

    /// Tells records apart by the value of a field, too: the event's, its spans', or a global one. Again for more fields.
    pub fn by(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.names.push(field.into());
        self
    }

    /// From which severity on records always pass (default: ERROR). `Severity::OFF`: none does.
    pub fn always_pass_from(mut self, least: impl Into<Severity>) -> Self {
        self.exempt = least.into();
        self
    }

    /// How long refused records may stay untold while other records come (default: a minute).
    pub fn summary_interval(mut self, time: Duration) -> Self {
        self.tell_after = time;
        self
    }

    /// How many kinds are known at once (default: 1,024). The one that was not seen for longest makes room for a new one.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// Where the (monotonic) time comes from.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A reading of what it did.
    pub fn stats(&self) -> SimilarStats {
        self.similar.stats()
    }
}

impl Filter for Sample {
    fn passes(&self, record: &Record) -> bool {
        if record.severity() >= self.exempt {
            return true;
        }
        let trace = if self.by_trace { record.trace() } else { None };
        let passes = trace.map(|trace| is_sampled(trace.trace_id(), self.one_in));
        if passes == Some(true) {
            return true;
        }
        let now = self.clock.monotonic();
        self.similar.judge(record, &self.names, self.max_keys, now, self.tell_after, |kind, is_new| {
            let passes = passes.unwrap_or(is_new || kind.count >= self.one_in);
            if passes {
                (kind.began, kind.count) = (now, 0);
            }
            kind.count += 1;
            let is_over = now.saturating_sub(kind.began) >= self.tell_after;
            if is_over {
                kind.began = now;
            }
            (passes, passes || is_over)
        })
    }

    fn drain_summaries(&self, all: bool, tell: &mut dyn FnMut(&Record)) {
        self.similar.report(all, || self.clock.monotonic(), self.tell_after, tell);
    }
}

/// The lower half of the id, as a fraction, is below the ratio.
fn is_sampled(trace_id: u128, one_in: u64) -> bool {
    (trace_id as u64) >> 1 < (1 << 63) / one_in
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample").field("one_in", &self.one_in).field("by_trace", &self.by_trace).finish_non_exhaustive()
    }
}
