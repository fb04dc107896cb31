//! A maximum number of similar records per period.

use std::{fmt, time::Duration};

use super::{
    Filter,
    groups::{Grouping, grouping_setters},
};
use crate::{Record, Severity, clock::Clock};

/// Passes a maximum number of records of each call site per period. The others are refused, counted, and reported in one
/// record: `disk is full … 37 similar`.
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
/// Records of one call site with the same values of the fields named by [`by`](Self::by). Records without a source
/// location are compared by target, severity and message.
///
/// # What is never refused
/// The first of its kind; ERROR and above ([`always_pass_from`](Self::always_pass_from)).
///
/// # The summary
/// It is the first record that was refused, with `… N similar` after its message and the field `similar`. It is emitted
/// when the period is over and a record of any kind reaches the filter; when the handler is flushed or ends; and when the
/// kind is evicted from the table.
///
/// Time is monotonic: setting the wall clock back changes nothing. Clones share the table.
#[derive(Clone)]
pub struct RateLimit {
    max: u64,
    per: Duration,
    grouping: Grouping,
}

impl RateLimit {
    /// At most `max` of each kind (and at least one) in `per`, which begins with the first of them.
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
