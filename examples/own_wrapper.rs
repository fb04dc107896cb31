//! A wrapper of one's own: it changes what passes, and knows nothing of accounts.
//!
//! `cargo run --example own_wrapper`

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
};

use tracing::info;
use tracing_strata::{Delivery, Error, Flush, Outcome, Queue, format::Template, output::LogFile, prelude::*};
use tracing_subscriber::prelude::*;

/// Numbers the records on their way to a handler, whatever that is.
pub(crate) struct Numbered<H> {
    last: AtomicU64,
    handler: H,
}

impl<H> Numbered<H> {
    pub(crate) fn new(handler: H) -> Self {
        Self { last: AtomicU64::new(0), handler }
    }
}

impl<H: Handler> Handler for Numbered<H> {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        let mut copy = delivery.clone();
        copy.set("number", self.last.fetch_add(1, Ordering::Relaxed) + 1);
        delivery.with_record(copy, &self.handler)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.handler.flush(how)
    }
}

fn main() -> Result<(), Error> {
    let path = std::env::temp_dir().join(format!("own-wrapper-{}.log", std::process::id()));
    let file = LogFile::builder(&path).format(Template::percent("%(number)s %(message)s")?).build()?;
    // Written on another thread, and counted by the layer all the same.
    let layer = Numbered::new(Queue::builder().build(file)?).into_layer().named("numbered");
    let ledger = layer.ledger();
    tracing_subscriber::registry().with(layer).init();

    info!("a record");
    info!("another one");
    tracing_strata::flush_all()?;

    let text = fs::read_to_string(&path)?;
    fs::remove_file(&path)?;
    println!("{text}{}", ledger.stats());
    assert_eq!((text.as_str(), ledger.stats().written), ("1 a record\n2 another one\n", 2));
    Ok(())
}
