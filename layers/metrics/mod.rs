//! How the logging itself is doing: numbers for Prometheus, and the health of each handler.
//!
//! Python has nothing like it.
//!
//! # Examples
//! Routes of one's own server:
//!
//! ```
//! use tracing_strata::{metrics, output::Stream, prelude::*};
//!
//! let console = Stream::stderr().named("console");
//! // GET /metrics
//! let text = metrics::prometheus();
//! assert!(text.contains(r#"strata_records_total{handler="console",outcome="written"} 0"#));
//! // GET /ready
//! let health = metrics::health();
//! assert_eq!(health.state(), metrics::State::Ok, "{health}");
//! # drop(console);
//! ```
//!
//! # What is told
//! Of each handler with a ledger ([`ledger::stats`](crate::ledger::stats)):
//!
//! | metric | type | labels | |
//! |---|---|---|---|
//! | `strata_records_total` | counter | `handler`, `outcome` | records that ended: `written`, `filtered`, `dropped`, `failed` |
//! | `strata_records_queued` | gauge | `handler` | records in a buffer or a queue |
//! | `strata_records_marked_total` | counter | `handler` | records with a value that was cut or could not be printed |
//! | `strata_fallback_records_total` | counter | `handler` | of the written ones, those by a fallback |
//! | `strata_other_errors_total` | counter | `handler` | errors without a record |
//! | `strata_handler_up` | gauge | `handler` | 0 where [`health`] says [`State::Failing`], else 1 |
//!
//! Of each [`Queue`](crate::Queue) ([`QueueStats`](crate::handler::queue::QueueStats)):
//!
//! | metric | type | labels | |
//! |---|---|---|---|
//! | `strata_queue_records` | gauge | `queue` | records that wait or are being handled |
//! | `strata_queue_bytes` | gauge | `queue` | their size |
//! | `strata_queue_oldest_seconds` | gauge | `queue` | how long the oldest has waited; 0 if none waits |
//! | `strata_queue_lost_records_total` | counter | `queue`, `level` | records that did not fit, or were left at a shutdown |
//! | `strata_queue_blocked_sends_total` | counter | `queue` | how often a caller had to wait |
//! | `strata_queue_busy_ratio` | gauge | `queue` | how busy its thread was in the last ten to twenty seconds, 0 to 1 |
//!
//! Handlers of one name count together, as do queues of one name. A record that has failed after it was counted as written moves
//! from one counter to the other: `written` may fall by it, which a `rate()` takes for a restart.
//!
//! # When it blocks
//! It reads counters, and takes no lock that is held while a record is written. Nothing is counted for it beyond what the ledgers
//! count anyhow; only errors cost more with this feature: the latest of each handler is kept.

mod exposition;
mod health;

pub use self::{
    exposition::{openmetrics, prometheus},
    health::{HandlerHealth, Health, State, health},
};
