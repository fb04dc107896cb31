//! The bridge from the `log` crate, which is one per process.
#![cfg(feature = "log")]
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use tracing_strata::{Delivery, Error, Handler, HandlerExt as _, Outcome, Record, Severity, Value};
use tracing_subscriber::{filter::LevelFilter, prelude::*, reload};

#[derive(Clone, Default)]
struct MemoryBuffer(Arc<Mutex<Vec<Record>>>);

impl Handler for MemoryBuffer {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.lock().unwrap().push(record.clone());
        Ok(Outcome::Written)
    }
}

#[test]
fn t66_records_of_log_are_events_like_any_other() {
    tracing_strata::log::install().unwrap();
    assert!(tracing_strata::log::install().unwrap_err().to_string().contains("log crate"));
    let memory = MemoryBuffer::default();
    let (filter, handle) = reload::Layer::new(LevelFilter::INFO);
    tracing_subscriber::registry().with(memory.clone().into_layer().with_filter(filter)).init();
    let take = || std::mem::take(&mut *memory.0.lock().unwrap());

    let target = format!("legacy::{}", "db");
    let _span = tracing::info_span!("request", id = "r-1").entered();
    log::info!(target: target.as_str(), rows = 3, ratio = 0.5, ok = true, name = "x", shown:% = 'c', rows = 4; "took {}", "12ms");
    log::debug!("not yet");
    let made = take();
    assert_eq!(made.len(), 1);
    let record = &made[0];
    assert_eq!((record.target(), record.message(), record.severity()), ("legacy::db", "took 12ms", Severity::INFO));
    assert_eq!((record.file_name(), record.module_path()), (Some("log_bridge.rs"), Some("log_bridge")));
    assert!(record.line().is_some());
    let fields: Vec<_> = record.fields().iter().collect();
    let expected = [
        ("ratio", Value::F64(0.5)),
        ("ok", Value::Bool(true)),
        ("name", Value::Str("x")),
        ("shown", Value::Rendered("c")),
        ("rows", Value::I64(4)),
    ];
    assert_eq!(fields, expected);
    assert_eq!(record.get("id"), Some(Value::Str("r-1")));
    assert!(record.metadata().unwrap().target() == "legacy::db", "other layers see the target, too");

    // T63: levels are followed at once.
    assert!(!log::log_enabled!(log::Level::Debug));
    handle.reload(LevelFilter::DEBUG).unwrap();
    assert!(log::log_enabled!(log::Level::Debug));
    log::debug!("now");
    assert_eq!(take()[0].message(), "now");

    // T70: targets made from data end in a fallback, with nothing lost and nothing in the wrong place.
    for number in 0..6_000 {
        log::warn!(target: &format!("user.{number}"), number; "m");
    }
    let made = take();
    assert_eq!(made.len(), 6_000);
    for (number, record) in made.iter().enumerate() {
        assert_eq!(record.target(), format!("user.{number}"));
        assert_eq!(record.get("number").and_then(|value| value.as_u64()), Some(number as u64));
        assert_eq!((record.fields().len(), record.line().is_some()), (1, true));
    }
    for number in 0..1_500 {
        let name = format!("k{number}");
        tracing_strata::Logger::new(format!("u.{number}")).at(Severity::ERROR).field(name, number).log("m");
    }
    let made = take();
    assert_eq!((made.len(), made[1_499].target(), made[1_499].message()), (1_500, "u.1499", "m"));
    assert_eq!(made[1_499].get("fields").and_then(|value| value.as_str()), Some("k1499=1499"));
}
