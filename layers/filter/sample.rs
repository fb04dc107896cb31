//! One in N similar records, or one in N traces.

use std::{fmt, time::Duration};

use super::{
    Filter,
    groups::{Grouping, grouping_setters},
};
use crate::{Record, Severity, clock::Clock};

/// Passes one in N similar records. The others are refused, counted, and reported in one record:
/// `cache miss … 99 similar`.
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
/// ERROR and above ([`always_pass_from`](Self::always_pass_from)). Outside of traces, the first of similar records.
///
/// # Traces
/// The trace id decides: all processes with the same N sample the same traces, as OpenTelemetry's `TraceIdRatioBased` does.
/// Records outside of a trace are sampled by call site.
///
/// # The summary
/// Similar records and summaries are those of [`RateLimit`](super::RateLimit). A summary is emitted before the next similar
/// record that passes; with a record of any kind after [`summary_interval`](Self::summary_interval); and when the handler
/// is flushed or dropped. Clones share the table.
#[derive(Clone)]
pub struct Sample {
    one_in: u64,
    by_trace: bool,
    summary_interval: Duration,
    grouping: Grouping,
}

impl Sample {
    /// One in `n` similar records, beginning with the first. An `n` of 0 or 1 passes all.
    pub fn one_in(n: u32) -> Self {
        Self {
            one_in: u64::from(n).max(1),
            by_trace: false,
            summary_interval: Duration::from_secs(60),
            grouping: Grouping::new(),
        }
    }

    /// All records of one in `n` traces. An `n` of 0 or 1 passes all.
    pub fn traces(n: u32) -> Self {
        Self { by_trace: true, ..Self::one_in(n) }
    }

    /// How long refused records wait for their summary at most, as long as other records arrive (default: 60 s).
    pub fn summary_interval(mut self, time: Duration) -> Self {
        self.summary_interval = time;
        self
    }

    grouping_setters!();
}

impl Filter for Sample {
    fn passes(&self, record: &Record) -> bool {
        if self.grouping.always_passes(record) {
            return true;
        }
        let trace = if self.by_trace { record.trace() } else { None };
        let passes = trace.map(|trace| is_sampled(trace.trace_id(), self.one_in));
        if passes == Some(true) {
            return true;
        }
        self.grouping.decide(record, self.summary_interval, |group, is_new, now| {
            let passes = passes.unwrap_or(is_new || group.count >= self.one_in);
            if passes {
                (group.began, group.count) = (now, 0);
            }
            group.count += 1;
            let is_over = now.saturating_sub(group.began) >= self.summary_interval;
            if is_over {
                group.began = now;
            }
            (passes, passes || is_over)
        })
    }

    fn drain_summaries(&self, all: bool, emit: &mut dyn FnMut(&Record)) {
        self.grouping.drain_summaries(all, self.summary_interval, emit);
    }
}

/// As OpenTelemetry: the lower 63 bits of the id, as a fraction, are below the ratio.
fn is_sampled(trace_id: u128, one_in: u64) -> bool {
    (trace_id as u64) >> 1 < (1 << 63) / one_in
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample").field("one_in", &self.one_in).field("by_trace", &self.by_trace).finish_non_exhaustive()
    }
}
