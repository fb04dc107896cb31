//! What a handler says of a record.

use std::{
    fmt, io,
    sync::{Arc, Mutex},
};

use tracing_strata::{
    Delivery, Error, Handler, NamedHandler, Outcome, OwnedDelivery, Record, Severity, ledger::ErrorHandler,
};

/// What a handler says of one record that it is given without a name of its own.
pub(crate) trait Give: Handler {
    fn give(&self, record: &Record) -> Result<Outcome, Told> {
        self.give_and_hear(record).0
    }

    /// Also what it tells last.
    fn give_and_hear(&self, record: &Record) -> (Result<Outcome, Told>, Option<Told>) {
        let (hands, told) = (Hands::default(), Arc::new(Mutex::new(None)));
        let error_handler = {
            let told = Arc::clone(&told);
            ErrorHandler::new(move |failure| *told.lock().unwrap() = Some(Told::of(failure.error())))
        };
        let desk = NamedHandler::with_error_handler("desk", hands.clone(), error_handler);
        // Whatever its severity.
        desk.set_level(Severity::new(i32::MIN));
        desk.emit(record);
        let delivery = hands.0.lock().unwrap().take().unwrap();
        delivery.pass_on(self);
        let stats = desk.stats();
        assert_eq!(stats.accepted(), 1, "{stats}");
        let told = told.lock().unwrap().take();
        let result = match [stats.written, stats.filtered, stats.dropped, stats.queued] {
            [1, ..] => Ok(Outcome::Written),
            [_, 1, ..] => Ok(Outcome::Filtered),
            [_, _, 1, _] => Ok(Outcome::Dropped),
            [.., 1] => Ok(Outcome::Queued),
            _ => Err(told.clone().unwrap()),
        };
        (result, told)
    }
}

impl<H: Handler + ?Sized> Give for H {}

/// An error as the trap was told of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    text: String,
    is_io: bool,
    io_kind: Option<io::ErrorKind>,
}

impl Told {
    fn of(error: &Error) -> Self {
        Self { text: error.to_string(), is_io: error.is_io(), io_kind: error.io_kind() }
    }

    pub(crate) fn is_io(&self) -> bool {
        self.is_io
    }

    pub(crate) fn io_kind(&self) -> Option<io::ErrorKind> {
        self.io_kind
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes one delivery, for whoever asks.
#[derive(Clone, Default)]
struct Hands(Arc<Mutex<Option<OwnedDelivery>>>);

impl Handler for Hands {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        *self.0.lock().unwrap() = Some(record.take());
        Ok(Outcome::Queued)
    }
}
