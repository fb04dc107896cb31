//! Tests with logs: [`Capture`] takes the records of one test, and says what is wrong with them.
//!
//! Python: pytest's `caplog`, `unittest.TestCase.assertLogs`, `assertNoLogs`.
//!
//! ```
//! use tracing_strata::{Severity, testing::{Capture, level, message}};
//!
//! # fn pay() { tracing::error!(target: "shop::pay", order = 7, "payment failed"); }
//! let logs = Capture::start();
//! pay();
//! logs.assert_contains(level(Severity::ERROR).target("shop.pay").field("order", 7));
//! logs.assert_none(message("paid"));
//! ```
//!
//! That line is all a test needs. There is no attribute: a macro for one needs a crate of its own and a parser of Rust, and
//! could do no more than the line does.
//!
//! [A page](crate::guide::testing_your_logs) shows five ways to test logs, and what each costs. [`Config::probe`] tells what a
//! configuration would do, [`conformance`] runs your own handlers, formats and sinks through what ours go through, and
//! [`fault`] has places that fail by script.
//!
//! [`Config::probe`]: crate::config::Config::probe
//!
//! # What it costs
//! A program that does not use it pays nothing; with the feature, a record asks one thread-local value more for each handler.
//! In a process with a capture, and from then on, `tracing` no longer decides by call site alone: each disabled event asks
//! its thread's subscriber. A captured record costs its caller 0.85 × what one costs that goes to a
//! [`Queue`](crate::Queue), where an earlier capture has left memory (about 25,000 records are kept for reuse); in new
//! memory 3.2 × (`cargo bench --bench queue -- --only caller`).
//!
//! # What it does not see
//! - What other threads log outside of the spans of the test and without its help: the table at [`Capture`].
//! - Ids of a tracing SDK: records have those of the application's subscriber in its handlers, not in the capture. Extension
//!   traits that look for a layer in the current subscriber (`OpenTelemetrySpanExt`, `SpanTrace`) do not find it through the
//!   capture, as that takes unsafe code. [`current_traceparent`](crate::current_traceparent) works.
//! - A test that ends with an `Err` rather than a panic: nothing is printed. `unwrap` it.
//!
//! # Compared with Python
//!
//! | `caplog` | here | why |
//! |---|---|---|
//! | takes what the loggers' levels let pass: WARNING at first | takes all levels | a test that looks for a DEBUG record should not have to enable it |
//! | `set_level`, `at_level`, per logger, set back in the end | [`at_level`](Capture::at_level), set back when its guard is dropped | |
//! | changes the levels for the application, too | for the capture alone | what handlers write is part of what is tested |
//! | misses loggers that do not propagate | takes them | a capture stands in front of the loggers |
//! | takes what all threads log | those that belong to the test | tests run beside each other |
//! | `records`, `messages` | [`records`](Capture::records) | |
//! | `text`, `record_tuples` | [`snapshot`](Capture::snapshot) | the same text in each run |
//! | `clear()` | [`clear`](Capture::clear) | |
//! | `get_records("setup")` | `clear()` between phases | a Rust test has no phases |
//! | `filtering(…)` | a [`Pattern`], [`silence`](Capture::silence) | |
//! | printed in the report of a failing test | the same | |
//! | a message with wrong arguments fails the test | it does not compile | |
//!
//! | `unittest` | here | why |
//! |---|---|---|
//! | `assertLogs("shop", "ERROR")` | [`assert_contains(at_least(ERROR).target("shop"))`](Capture::assert_contains) | |
//! | INFO and above unless told otherwise | what the pattern says | |
//! | "no logs of level ERROR or above triggered on shop" | the nearest records, and what differs | |
//! | `assertNoLogs` | [`assert_none`](Capture::assert_none) | |
//! | inside the block the application's handlers get nothing | they get everything | |
//! | an inner block hides records from the outer one | both take them | |
//! | an exception in the block is not replaced by a failed assertion | the same: [`fail_on`](Capture::fail_on) is silent then | |
//! | `cm.records`, also after the block | [`records`](Capture::records) are yours | |

mod assertions;
mod capture;
pub mod conformance;
mod fail;
pub mod fault;
mod interest;
mod outer;
mod pattern;
mod places;
#[cfg(feature = "config")]
mod probe;
pub mod process;
mod redact;
mod replay;
mod show;
mod store;
mod subscriber;

use std::time::SystemTime;

#[cfg(feature = "config")]
pub use self::probe::{Answer, Probe};
pub use self::{
    assertions::{FailOn, SpanAssertion},
    capture::{Capture, LevelGuard},
    pattern::{Pattern, at_least, field, level, matching, message, message_contains, span, target},
};
use crate::Error;

/// A time in a zone, for a [`ManualClock`](crate::clock::ManualClock): to see what happens when clocks change.
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::{clock::{Clock, ManualClock}, testing::zoned_time};
///
/// let clock = ManualClock::default();
/// // The last second of the hour that comes twice, and the first of its second time.
/// clock.set(zoned_time("2026-10-25T02:59:59+02:00[Europe/Berlin]")?);
/// let before = clock.now();
/// clock.set(zoned_time("2026-10-25T02:00:00+01:00[Europe/Berlin]")?);
/// assert_eq!(clock.now(), before + Duration::from_secs(1));
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// # Errors
/// It is no such time (RFC 9557), or its zone is not in the system's database.
pub fn zoned_time(text: &str) -> Result<SystemTime, Error> {
    let wrong = |error| Error::config(format_args!("expected a time with its zone, got {text:?}: {error}"));
    text.parse::<jiff::Zoned>().map(|zoned| zoned.timestamp().into()).map_err(wrong)
}
