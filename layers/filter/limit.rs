//! At most so many similar records in a time.

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

/// Passes at most so many records of each call site in a time; the others are refused, counted, and told in one record:
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
/// What comes from one call site and has the same values of the fields named by [`by`](Self::by). Records without a place
/// in the source are told apart by target, severity and message.
///
/// # What is never refused
/// The first of its kind; ERROR and above ([`always_pass_from`](Self::always_pass_from)).
///
/// # The summary
/// It is the first record that was refused, with `… N similar` behind its message and the field `similar`. It comes when
/// the time is over and a record, of any kind, reaches the filter; when the handler is flushed or ends; and when the kind
/// has to leave the table.
///
/// Time is monotonic: a wall clock that is set back changes nothing. Clones share what they know.
#[derive(Clone)]
pub struct RateLimit {
    most: u64,
    per: Duration,
    names: Names,
    exempt: Severity,
    max_keys: usize,
    clock: Arc<dyn Clock>,
    similar: Arc<Similar>,
}

impl RateLimit {
    /// At most `most` of each kind (and not less than one) in `per`, which begins with the first of them.
    pub fn new(most: u32, per: Duration) -> Self {
        fork::watch();
        Self {
            most: u64::from(most).max(1),
            per,
            names: Names::new(),
            exempt: Severity::ERROR,
            max_keys: MAX_KEYS,
            clock: Arc::new(SystemClock),
            similar: Arc::default(),
        }
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

impl Filter for RateLimit {
    fn passes(&self, record: &Record) -> bool {
        if record.severity() >= self.exempt {
            return true;
        }
        let now = self.clock.monotonic();
        self.similar.judge(record, &self.names, self.max_keys, now, self.per, |kind, _| {
            let is_over = now.saturating_sub(kind.began) >= self.per;
            if is_over {
                (kind.began, kind.count) = (now, 0);
            }
            kind.count += 1;
            (kind.count <= self.most, is_over)
        })
    }

    fn drain_summaries(&self, all: bool, tell: &mut dyn FnMut(&Record)) {
        self.similar.report(all, || self.clock.monotonic(), self.per, tell);
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("most", &self.most).field("per", &self.per).finish_non_exhaustive()
    }
}
