//! A handler of one's own that takes records, and says later what became of each.
//!
//! `cargo run --example own_later`

use std::{sync::mpsc, thread, time::Duration};

use tracing::{error, info};
use tracing_strata::{
    Delivery, Error, Flush, Outcome, OwnedDelivery, Record, Severity, ledger::ErrorHandler, prelude::*,
};
use tracing_subscriber::prelude::*;

/// Sends records on a thread of its own, which answers when it is asked whether it is done.
pub(crate) struct Later(mpsc::Sender<Result<OwnedDelivery, mpsc::Sender<()>>>);

impl Later {
    pub(crate) fn new(mut send: impl FnMut(&Record) -> Result<(), Error> + Send + 'static) -> Self {
        let (give, jobs) = mpsc::channel::<Result<OwnedDelivery, mpsc::Sender<()>>>();
        thread::spawn(move || {
            for job in jobs {
                match job.map(|delivery| (send(&delivery), delivery)) {
                    Ok((Ok(()), delivery)) => delivery.written(),
                    Ok((Err(error), delivery)) => delivery.failed(error),
                    Err(done) => done.send(()).unwrap_or_default(),
                }
            }
        });
        Self(give)
    }
}

impl Handler for Later {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.send(Ok(delivery.take())).map_err(|_| Error::new("its thread has ended"))?;
        Ok(Outcome::Queued)
    }

    fn flush(&self, _: &Flush) -> Result<(), Error> {
        let (done, is_done) = mpsc::channel();
        self.0.send(Err(done)).map_err(|_| Error::new("its thread has ended"))?;
        is_done.recv_timeout(Duration::from_secs(5)).map_err(|_| Error::new("its thread does not answer"))
    }
}

fn main() -> Result<(), Error> {
    let later = Later::new(|record| {
        if record.severity() >= Severity::ERROR {
            return Err(Error::new("refused"));
        }
        println!("sent: {}", record.message());
        Ok(())
    });
    let error_handler = ErrorHandler::new(|failure| println!("{}: {}", failure.handler(), failure.error()));
    let layer = later.into_layer().named("later").error_handler(error_handler);
    let ledger = layer.ledger();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        info!("a record");
        info!("another one");
        error!("one too many");
    });

    // The subscriber is gone, and all is at its place.
    let stats = ledger.stats();
    println!("{stats}");
    assert_eq!((stats.written, stats.failed, stats.queued), (2, 1, 0));
    Ok(())
}
