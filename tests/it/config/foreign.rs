//! What is not ours (factories, filters, formats, the ends of handlers) runs with nothing locked: it may ask the handle, and
//! log.

use std::{
    sync::{Arc, OnceLock, atomic::AtomicU64, atomic::Ordering, mpsc},
    thread,
    time::Duration,
};

use serde_json::json;
use tracing_strata::{
    Delivery, Error, Flush, Format, Handler, HandlerExt as _, Outcome, Record, Severity,
    config::{ClassRegistry, Config, ConfigFilter, Logging},
    filter::Filter,
    format::Buffer,
};
use tracing_subscriber::prelude::*;

/// Uses the handle and logs, when it is called and when it is dropped.
struct Nosy {
    logging: Arc<OnceLock<Logging>>,
    calls: Arc<AtomicU64>,
}

impl Nosy {
    fn ask(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Some(logging) = self.logging.get() else { return };
        // What takes the lock of the state, to read and to change, and that of the loggers.
        logging.handler_names();
        logging.config();
        logging.loggers().set_level("nosy", Severity::INFO).unwrap();
        if let Some(handler) = logging.handler("other") {
            let sieve = ConfigFilter::decides(|_: &Record| true);
            handler.add_filter(&sieve);
            handler.remove_filter(&sieve);
        }
        tracing::info!(target: "nosy", "from inside");
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.ask();
    }
}

impl Handler for Nosy {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        self.ask();
        Ok(Outcome::Written)
    }

    fn flush(&self, _: &Flush) -> Result<(), Error> {
        self.ask();
        Ok(())
    }
}

impl Format for Nosy {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        self.ask();
        out.push_str(record.message());
        Ok(())
    }
}

impl Filter for Nosy {
    fn passes(&self, _: &Record) -> bool {
        self.ask();
        true
    }

    fn drain_summaries(&self, all: bool, tell: &mut dyn FnMut(&Record)) {
        self.ask();
        if all {
            tell(&Record::new(Severity::INFO, "nosy", "in sum"));
        }
    }
}

fn registry(logging: &Arc<OnceLock<Logging>>, calls: &Arc<AtomicU64>) -> ClassRegistry {
    let make = |logging: &Arc<OnceLock<Logging>>, calls: &Arc<AtomicU64>| {
        let (logging, calls) = (Arc::clone(logging), Arc::clone(calls));
        move || {
            let nosy = Nosy { logging: Arc::clone(&logging), calls: Arc::clone(&calls) };
            // As a factory.
            nosy.ask();
            nosy
        }
    };
    let (handler, format, filter) = (make(logging, calls), make(logging, calls), make(logging, calls));
    ClassRegistry::new()
        .handler("test.Nosy", move |arguments, _| {
            let _ = arguments.integer("turn");
            Ok(handler().boxed())
        })
        .formatter("test.Nosy", move |_| Ok(Box::new(format())))
        .filter("test.Nosy", move |_| Ok(ConfigFilter::decides(filter())))
}

fn config(turn: u32, level: &str) -> Config {
    Config::from_value(&json!({
        "version": 1,
        "formatters": {"f": {"()": "test.Nosy"}},
        "filters": {"s": {"()": "test.Nosy"}},
        "handlers": {
            "nosy": {"class": "test.Nosy", "turn": turn, "filters": ["s"], "level": level},
            "other": {"class": "null", "formatter": "f"},
        },
        "loggers": {"shop": {"level": level, "handlers": ["nosy"], "filters": ["s"]}},
        "root": {"level": level, "handlers": ["other"]},
    }))
    .unwrap()
}

fn change_everything() -> u64 {
    let (logging_cell, calls) = (Arc::new(OnceLock::new()), Arc::new(AtomicU64::new(0)));
    let logging = Logging::builder().registry(registry(&logging_cell, &calls)).empty();
    logging_cell.set(logging.clone()).unwrap();
    let subscriber = tracing_subscriber::registry().with(logging.layer());
    tracing::subscriber::with_default(subscriber, || {
        for turn in 0..3 {
            logging.reload(&config(turn, "INFO")).unwrap();
            tracing::info!(target: "shop", "one");
            logging.check(&config(7, "DEBUG")).unwrap();
            // Refused when all was made.
            let mut refused: serde_json::Value = serde_json::from_str(&config(9, "DEBUG").to_json()).unwrap();
            refused["root"]["handlers"] = json!(["no such"]);
            assert!(logging.reload(&Config::from_value(&refused).unwrap()).is_err());
            let adjusting = json!({"version": 1, "incremental": true, "handlers": {"nosy": {"level": "ERROR"}},
                "loggers": {"shop": {"level": "DEBUG"}}});
            logging.reload(&Config::from_value(&adjusting).unwrap()).unwrap();

            let nosy = logging.handler("nosy").unwrap();
            let filter = logging.make_filter(&json!({"()": "test.Nosy"})).unwrap();
            nosy.add_filter(&filter);
            assert!(nosy.remove_filter(&filter));
            nosy.add_filter(&filter);
            logging.add_filter("shop", &filter).unwrap();
            assert!(logging.remove_filter("shop", &filter));
            drop(filter);
            // The one on the handler is the last, and goes with the filters of this configuration.
            logging.reload(&config(turn, "DEBUG")).unwrap();
            let other = logging.handler("other").unwrap();
            other.set_formatter(&json!({"()": "test.Nosy"})).unwrap();
            other.set_formatter(&json!(null)).unwrap();
            nosy.set("turn", &(turn + 100)).unwrap();
            nosy.flush().unwrap();
            logging.set_handler("more", &json!({"class": "test.Nosy", "formatter": {"()": "test.Nosy"}})).unwrap();
            logging.loggers().add_handler("shop", logging.handler("more").unwrap().handler().clone()).unwrap();
            logging.set_handler("more", &json!({"class": "test.Nosy"})).unwrap();
            assert!(logging.remove_handler("more"));
        }
        logging.shutdown().unwrap();
        logging.reload(&Config::from_yaml("{version: 1}").unwrap()).unwrap();
    });
    calls.load(Ordering::Relaxed)
}

#[test]
fn t04_what_is_not_ours_runs_with_nothing_locked() {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || done.send(change_everything()));
    // Far longer than it takes: only what hangs for ever waits for it.
    let calls = is_done.recv_timeout(Duration::from_secs(120)).expect("it hangs, or has panicked");
    assert!(calls > 50, "{calls}");
}
