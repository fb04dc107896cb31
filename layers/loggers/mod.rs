//! The logger tree: levels by name, handlers by name, both changed while the application runs.
//!
//! Python: `logging.getLogger`, `Logger.setLevel`, `addHandler`, `propagate`, `disabled`, `logging.disable`.
//!
//! # Names
//! A record's logger is its target. `app::db::pool` is below `app::db`, which is below `app`, which is below the root;
//! `app.db` is the same logger as `app::db`. A single `:` is part of a name. The root is the empty name, or `root`.
//!
//! # Levels
//! The level of the nearest logger that has one decides: of the target itself, else of a logger above it. The root starts
//! at WARN. As a [filter](tracing_subscriber::layer::Filter) of any layer, [`Loggers`] decides once per call site; a change
//! takes effect at all call sites before the method returns. Spans have [a level of their own](Loggers::set_span_level)
//! and all pass by default: a record keeps its context whatever the level of its logger.
//!
//! # Handlers
//! A record goes to the handlers of its own logger, then to those of the loggers above, up to the root or a logger that
//! does not propagate. The levels of the loggers above are not checked again. A handler of two loggers gets the record
//! twice. If no handler was found, the [last resort](Loggers::set_last_resort) gets it.
//!
//! # Directives
//! [`Loggers::parse`], [`Loggers::from_env`] and [`Loggers::apply`] read directives as in `RUST_LOG`, separated by commas:
//!
//! | directive | meaning |
//! |---|---|
//! | `info` | the root's level |
//! | `app=debug`, `app::db=trace` | the level of a logger and those below |
//! | `app` | all of `app`: the same as `app=trace` |
//! | `app=off` | nothing of `app` |
//! | `"odd, name"=info` | a name with anything but letters, digits, `_`, `-`, `.` and `:`; `\"`, `\\` and `\u{…}` inside |
//!
//! Levels are names in any case ([added ones](crate::Severity::add_name), too) or numbers: 0 to 5 as in `env_logger`
//! (off, error, warn, info, debug, trace), all others on Python's scale (25, 35; `+3` is Python's 3). Anything else is an
//! error that names the directive, its position and what was expected; then nothing is changed. Levels by span or field
//! and filters by message are such errors.
//!
//! # Differences from Python
//! - `setLevel(NOTSET)` is [`Loggers::clear_level`]; [`Severity::ALL`](crate::Severity::ALL) is a level like others and
//!   lets all records pass.
//! - A logger exists once something was set on it (or [`Loggers::add`] was called); a getter creates none. At most 65,536
//!   exist, with names of at most 256 bytes.
//! - A logger's filters only decide; to change records, put a [`transform`](crate::HandlerExt::transform) in front of a
//!   handler.
//! - Above `a..b` there is `a.`, then `a`; CPython's search skips the latter.
//! - The last resort writes one line, whatever the message contains. Without a last resort nothing is printed, and the
//!   router's ledger counts the record as dropped.

mod cache;
mod explain;
mod filter;
mod handle;
mod handlers;
mod interest;
mod last_resort;
mod levels;
mod name;
mod parse;
mod router;
#[cfg(feature = "config")]
mod snapshot;
mod tree;

#[cfg(feature = "config")]
pub(crate) use self::snapshot::{LoggerState, RetiredLoggers};
pub use self::{
    explain::{Decision, Explanation, HandlerDecision, Step},
    handle::Loggers,
    router::Router,
};
