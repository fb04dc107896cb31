//! Whether the handlers do what they should.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::{
    handler::queue::{QueueStats, stats_of_all},
    ledger::{Trouble, ledgers},
    text::escaped,
};

/// How long an error counts after records are written again.
const RECENT: Duration = Duration::from_secs(60);
/// How long a record may wait in a queue.
const SLOW: Duration = Duration::from_secs(10);

/// How a handler does, from good to bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// No error in the last minute, and no record has waited for ten seconds.
    #[default]
    Ok,
    /// Records are written, but there was an error in the last minute, or a record has waited in a queue for ten seconds.
    Degraded,
    /// Nothing was written since the last error.
    Failing,
}

/// `ok`, `degraded`, `failing`
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        })
    }
}

/// How one handler or queue does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerHealth {
    /// Its name; that of a queue is `queue "…"`.
    pub name: String,
    /// How it does.
    pub state: State,
    /// Why it is not [`State::Ok`]: the text of its latest error, at most 1 KiB, or how long a record has waited.
    pub reason: Option<String>,
    /// Since when: the first error after which nothing was written, or when the record that waits was made.
    pub since: Option<SystemTime>,
}

/// How all handlers do. Made by [`health`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Each handler in the order they were made, then each queue.
    pub handlers: Vec<HandlerHealth>,
}

/// How each handler in use does. A service is ready, usually, unless its [state](Health::state) is [`State::Failing`].
///
/// What a handler cannot know is not in it: a fire-and-forget datagram that nobody receives is written.
pub fn health() -> Health {
    let now = SystemTime::now();
    let handler =
        |(name, trouble, written): (String, Option<Trouble>, u64)| HandlerHealth::of(name, trouble, written, now);
    let handlers =
        ledgers().into_iter().map(|ledger| handler((ledger.name(), ledger.trouble(), ledger.stats().written)));
    let queues =
        stats_of_all().into_iter().map(|(name, stats)| HandlerHealth::of_queue(format!("queue {name:?}"), &stats, now));
    Health { handlers: handlers.chain(queues).collect() }
}

impl Health {
    /// The worst of all.
    pub fn state(&self) -> State {
        self.handlers.iter().map(|handler| handler.state).max().unwrap_or_default()
    }
}

impl HandlerHealth {
    fn of(name: String, trouble: Option<Trouble>, written: u64, now: SystemTime) -> Self {
        let Some(trouble) = trouble else { return Self::ok(name) };
        // A clock that was set back makes it recent.
        let age = now.duration_since(trouble.latest).unwrap_or_default();
        let state = match trouble.written == written {
            true => State::Failing,
            false if age < RECENT => State::Degraded,
            false => return Self::ok(name),
        };
        Self { name, state, reason: Some(trouble.error), since: Some(trouble.since) }
    }

    fn of_queue(name: String, stats: &QueueStats, now: SystemTime) -> Self {
        let Some(age) = stats.oldest_age.filter(|age| *age >= SLOW) else { return Self::ok(name) };
        let reason = format!("a record has waited for {} s, of {}", age.as_secs(), stats.depth);
        Self { name, state: State::Degraded, reason: Some(reason), since: now.checked_sub(age) }
    }

    fn ok(name: String) -> Self {
        Self { name, state: State::Ok, reason: None, since: None }
    }
}

/// One line for each handler: `file: failing: No space left on device`.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, HandlerHealth { name, state, reason, .. }) in self.handlers.iter().enumerate() {
            f.write_str(if index > 0 { "\n" } else { "" })?;
            write!(f, "{}: {state}", escaped(name))?;
            if let Some(reason) = reason {
                write!(f, ": {}", escaped(reason))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_error_counts_until_a_record_is_written_and_a_minute_longer() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let trouble = Trouble { since: at(100), latest: at(200), error: "disk full".into(), written: 7 };
        let state = |written, now| HandlerHealth::of("file".into(), Some(trouble.clone()), written, at(now)).state;
        assert_eq!(state(7, 200), State::Failing);
        assert_eq!(state(7, 9_000), State::Failing);
        assert_eq!(state(8, 259), State::Degraded);
        assert_eq!(state(8, 260), State::Ok);
        assert_eq!(state(8, 150), State::Degraded, "the clock was set back");
        let health = HandlerHealth::of("file".into(), Some(trouble.clone()), 7, at(300));
        assert_eq!((health.reason.as_deref(), health.since), (Some("disk full"), Some(at(100))));
        assert_eq!(HandlerHealth::of("file".into(), None, 0, at(0)), HandlerHealth::ok("file".into()));
    }

    #[test]
    fn a_record_that_waits_for_long_is_told() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let state = |age| {
            let stats = QueueStats { oldest_age: age, depth: 3, ..QueueStats::default() };
            HandlerHealth::of_queue("queue".into(), &stats, now)
        };
        assert_eq!(state(None).state, State::Ok);
        assert_eq!(state(Some(Duration::from_millis(9_999))).state, State::Ok);
        let slow = state(Some(Duration::from_secs(12)));
        assert_eq!(slow.since, now.checked_sub(Duration::from_secs(12)));
        assert_eq!(Health { handlers: vec![slow] }.to_string(), "queue: degraded: a record has waited for 12 s, of 3");
    }
}
