//! `output::FluentForward` before a strict receiver that does as it is told.

mod faults;
#[cfg(unix)]
mod forks;
mod handshake;
pub(crate) mod receiver;
mod records;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing_strata::{
    NamedHandler, Record, Severity,
    output::{FluentForward, FluentForwardBuilder},
};

use self::receiver::Receiver;
use crate::places::remembering;

const LONG: Duration = Duration::from_secs(60);

/// Batches that are sent by a flush only.
fn eager(receiver: &Receiver) -> FluentForwardBuilder {
    let builder = FluentForward::builder(receiver.address()).schedule_delay(LONG).timeout(LONG);
    builder.connect_timeout(LONG).flush_timeout(LONG)
}

fn named(builder: FluentForwardBuilder) -> (NamedHandler, Arc<Mutex<Vec<String>>>) {
    let (error_handler, told) = remembering();
    (NamedHandler::with_error_handler("fluent", builder.build().unwrap(), error_handler), told)
}

fn emit(handler: &NamedHandler, target: &str, messages: &[&str]) {
    messages.iter().for_each(|message| handler.emit(&Record::new(Severity::INFO, target, message)));
}

/// `written, failed, dropped`; everything else is none.
fn ends(handler: &NamedHandler) -> (u64, u64, u64) {
    let stats = handler.stats();
    assert_eq!(stats.accepted(), stats.written + stats.failed + stats.dropped + stats.queued, "{stats}");
    assert_eq!((stats.filtered, stats.queued), (0, 0), "{stats}");
    (stats.written, stats.failed, stats.dropped)
}
