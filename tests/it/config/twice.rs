//! One system's layer in one subscriber twice.

use std::sync::{Arc, Mutex};

use tracing_strata::config::{Config, Logging};
use tracing_subscriber::prelude::*;

use super::OwnedRecord;
use crate::places::remembering;

fn logging(kept: &OwnedRecord) -> (Logging, Arc<Mutex<Vec<String>>>) {
    let (error_handler, told) = remembering();
    let yaml = "{version: 1, handlers: {k: {class: test.Kept, tag: k}}, root: {level: INFO, handlers: [k]}}";
    let builder = Logging::builder().registry(kept.registry()).error_handler(error_handler);
    (builder.build(&Config::from_yaml(yaml).unwrap()).unwrap(), told)
}

const TOLD: &str = "the layer of one `Logging` is in the subscriber twice: every record comes twice";

#[test]
fn a_layer_that_is_there_twice_is_told_once_and_loses_nothing() {
    let (kept, between) = (OwnedRecord::default(), Logging::new());
    let (logging, told) = logging(&kept);
    let twice = tracing_subscriber::registry().with(logging.layer()).with(between.layer()).with(logging.layer());
    tracing::subscriber::with_default(twice.with(Logging::new().layer()), || {
        tracing::info!("one");
        tracing::info!("two");
    });
    assert_eq!(kept.take(), ["k one", "k one", "k two", "k two"]);
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(TOLD), "{told:?}");
}

#[test]
fn one_layer_in_each_of_many_subscribers_is_nothing_to_tell() {
    let kept = OwnedRecord::default();
    let (logging, told) = logging(&kept);
    let stays = tracing::Dispatch::new(tracing_subscriber::registry().with(logging.layer()));
    for _ in 0..20 {
        super::with(&logging, || tracing::info!("in turn"));
        let other = Logging::new();
        let both = tracing_subscriber::registry().with(logging.layer()).with(other.layer());
        tracing::subscriber::with_default(both, || tracing::info!("beside another"));
    }
    tracing::dispatcher::with_default(&stays, || tracing::info!("the first"));
    assert_eq!(kept.take().len(), 41);
    assert!(told.lock().unwrap().is_empty());
}
