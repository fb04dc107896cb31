//! What became of a batch.

use std::time::{Duration, Instant};

use crate::Error;

/// What became of a batch. [`Batch::send`](crate::output::Batch::send) returns it.
///
/// | answer | the records | then |
/// |---|---|---|
/// | [`Accepted`](Self::Accepted) | written | |
/// | [`Refused`](Self::Refused) | failed | |
/// | [`Split`](Self::Split) | each half is sent by itself | one that is alone in its batch failed |
/// | [`Retry`](Self::Retry) | sent again | failed when [`retry_for`](crate::output::BatchedBuilder::retry_for) has passed |
/// | [`Each`](Self::Each) | each by its [`Verdict`] | those to retry are sent again, before others |
/// | [`Partial`](Self::Partial) | so many failed, the others written | |
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// All are at their place.
    Accepted,
    /// All are refused, and would be again.
    Refused(Error),
    /// The receiver refuses the batch because of some record in it that it does not name, or because it is too large.
    Split(Error),
    /// Not accepted now, or nobody knows. Sent again after this time (from the fourth attempt on: not before the back-off),
    /// or after a back-off with jitter (200 ms, doubled up to 5 s). The error handler gets the error once for each batch.
    Retry {
        /// What the receiver asks for (`Retry-After`). An hour at most is waited.
        after: Option<Duration>,
        /// Why.
        error: Error,
    },
    /// One verdict for each record, in order. Records beyond the last one are sent again.
    Each(Vec<Verdict>),
    /// The receiver says how many it refused, but not which.
    Partial {
        /// How many. 0 with an error is a warning for the error handler.
        refused: usize,
        /// What it said.
        error: Error,
    },
}

impl Answer {
    /// Sent again after a back-off.
    pub fn retry(error: Error) -> Self {
        Self::Retry { after: None, error }
    }
}

/// What became of one record of a batch.
#[derive(Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// It is at its place: written.
    Accepted,
    /// It is refused, and would be again: failed.
    Refused(Error),
    /// Not accepted now: it is sent again.
    Retry(Error),
}

/// One attempt to send a batch.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub(super) number: u32,
    pub(super) deadline: Option<Instant>,
}

impl Attempt {
    /// 1 for the first one.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The time until the deadline of a shutdown, if there is one: what is not sent by then is dropped.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// The timeout of what begins now, where it may take `usual`.
    pub fn timeout(&self, usual: Duration) -> Duration {
        self.time_left().map_or(usual, |left| left.min(usual)).max(Duration::from_millis(1))
    }
}
