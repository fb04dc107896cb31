//! A memory for each request: `FlightRecorder`.

use std::sync::Arc;

use super::{Class, Making, PLAIN};
use crate::{Error, FlightRecorder, Record, config::slot::Output, handler::OutsideSpan};

pub(super) const RECORDER: Class = Class {
    names: &["tracing_strata.FlightRecorder", "flight_recorder"],
    keys: &[
        "target",
        "hold_below",
        "release_at",
        "release_after",
        "pick",
        "tree_records",
        "tree_bytes",
        "max_trees",
        "max_bytes",
        "outside",
    ],
    refers: Some("target"),
    asks: Some("pick"),
    make,
    ..PLAIN
};

fn make(making: &Making<'_, '_>) -> Result<Output, Error> {
    let keywords = making.keywords;
    let target = keywords.required("target");
    let Some(target) = making.target(&target, true) else { return Ok(super::file::nothing()) };
    let mut recorder = FlightRecorder::new(target);
    if let Some(severity) = keywords.level("hold_below") {
        recorder = recorder.buffer_below(severity);
    }
    if let Some(least) = keywords.level("release_at") {
        recorder = recorder.release_at(least);
    }
    if let Some(limit) = keywords.seconds("release_after") {
        recorder = recorder.release_after(limit);
    }
    if let Some(name) = keywords.str("pick") {
        match making.filters.get(&name) {
            Some((_, sieve)) if sieve.only_decides() => {
                let asked = sieve.as_filter();
                recorder = recorder.trigger(move |record: &Record| asked.passes(record));
            }
            Some(_) => {
                let message = format!("expected a filter that only decides, got {name:?}, which changes records");
                keywords.note(keywords.wrong("pick", message));
            }
            None => {
                let known = making.filters.keys().map(String::as_str);
                keywords.note(keywords.wrong("pick", format!("there is no filter {name:?}")).nearest(&name, known));
            }
        }
    }
    if let Some(records) = keywords.size("tree_records") {
        recorder = recorder.tree_records(records);
    }
    if let Some(bytes) = keywords.size("tree_bytes") {
        recorder = recorder.tree_bytes(bytes);
    }
    if let Some(trees) = keywords.size("max_trees") {
        recorder = recorder.max_trees(trees);
    }
    if let Some(bytes) = keywords.size("max_bytes") {
        recorder = recorder.max_bytes(bytes);
    }
    if let Some(outside) = keywords.choice("outside", &[("drop", OutsideSpan::Drop), ("pass", OutsideSpan::Pass)]) {
        recorder = recorder.outside(outside);
    }
    if let Some(clock) = &making.setup.clock {
        recorder = recorder.clock(Arc::clone(clock));
    }
    Ok(Output::plain(recorder))
}
