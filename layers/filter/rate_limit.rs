//! A maximum number of similar records per period.

use std::{fmt, time::Duration};

use super::{
    Filter,
    groups::{Grouping, grouping_setters},
};
use crate::{Record, Severity, clock::Clock};

/// Passes at most a number of similar records per period. The others are refused, counted, and reported in one record:
/// `disk is full … 37 similar`.
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::{filter::RateLimit, output::Stream, prelude::*};
///
/// // At most ten of each call site and tenant in a minute.
/// let limited = Stream::stderr().filter(RateLimit::new(10, Duration::from_secs(60)).by("tenant"));
/// # drop(limited);
/// ```
///
/// # What is similar
/// Records of one call site with the same values in the fields given to [`by`](Self::by). Records without a source
/// location are similar if target, severity and message are equal.
///
/// # What is never refused
/// The first of similar records, and ERROR and above ([`always_pass_from`](Self::always_pass_from)).
///
/// # The summary
/// The summary is the first refused record, with `… N similar` after its message and the number in the field `similar`. It
/// is emitted with the next record of any kind after the period; when the handler is flushed or dropped; and when
/// [`max_keys`](Self::max_keys) evicts its group.
///
/// Time is monotonic: setting the wall clock back changes nothing. Clones share the table.
#[derive(Clone)]
pub struct RateLimit {
    max: u64,
    per: Duration,
    grouping: Grouping,
}

impl RateLimit {
    /// At most `max` similar records in `per`, a period that begins with the first of them. A `max` of 0 counts as 1.
    pub fn new(max: u32, per: Duration) -> Self {
        Self { max: u64::from(max).max(1), per, grouping: Grouping::new() }
    }

    grouping_setters!();
}

impl Filter for RateLimit {
    fn passes(&self, record: &Record) -> bool {
        if self.grouping.always_passes(record) {
            return true;
        }
        self.grouping.decide(record, self.per, |group, _, now| {
            let is_over = now.saturating_sub(group.began) >= self.per;
            if is_over {
                (group.began, group.count) = (now, 0);
            }
            group.count += 1;
            (group.count <= self.max, is_over)
        })
    }

    fn drain_summaries(&self, all: bool, emit: &mut dyn FnMut(&Record)) {
        self.grouping.drain_summaries(all, self.per, emit);
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("max", &self.max).field("per", &self.per).finish_non_exhaustive()
    }
}
