//! `output::Http` before a server that does as it is told.

mod answers;
mod datadog;
mod faults;
#[cfg(unix)]
mod forks;
mod options;
mod presets;
mod python;
pub(crate) mod receiver;
#[cfg(unix)]
mod spool;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing_strata::{
    NamedHandler, Record, Severity,
    output::{Http, HttpBuilder},
};

use self::receiver::Receiver;
use crate::places::{Bare, remembering};

const LONG: Duration = Duration::from_secs(60);

/// Bare lines, and batches that are sent by a flush only.
fn eager(receiver: &Receiver) -> HttpBuilder {
    Http::builder(receiver.url("/in")).format(Bare).schedule_delay(LONG).timeout(LONG).flush_timeout(LONG)
}

fn named(builder: HttpBuilder) -> (NamedHandler, Arc<Mutex<Vec<String>>>) {
    let (error_handler, told) = remembering();
    (NamedHandler::with_error_handler("http", builder.build().unwrap(), error_handler), told)
}

fn emit(handler: &NamedHandler, messages: &[&str]) {
    messages.iter().for_each(|message| handler.emit(&Record::new(Severity::INFO, "t", message)));
}

/// `written, failed, dropped`; everything else is none.
fn ends(handler: &NamedHandler) -> (u64, u64, u64) {
    let stats = handler.stats();
    assert_eq!(stats.accepted(), stats.written + stats.failed + stats.dropped + stats.queued, "{stats}");
    assert_eq!((stats.filtered, stats.queued), (0, 0), "{stats}");
    (stats.written, stats.failed, stats.dropped)
}
