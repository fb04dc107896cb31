//! `FlightRecorder`: buffers the records of each request.

use std::sync::Arc;

use crate::{
    Error, FlightRecorder, Record,
    config::{
        class::{BuildContext, Class, DEFAULTS, placeholder},
        configured_handler::Output,
        handler_args::SetIfSome as _,
    },
    handler::OutsideSpan,
};

pub(super) const RECORDER: Class = Class {
    names: &["tracing_strata.FlightRecorder", "flight_recorder"],
    keys: &[
        "target",
        "buffer_below",
        "release_at",
        "release_after",
        "trigger",
        "tree_records",
        "tree_bytes",
        "max_trees",
        "max_bytes",
        "outside",
    ],
    targets_key: Some("target"),
    filter_key: Some("trigger"),
    make,
    ..DEFAULTS
};

fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let args = context.args;
    let target = args.required("target");
    let Some(target) = context.target(&target, true) else { return Ok(placeholder()) };
    let mut recorder = FlightRecorder::new(target);
    recorder = recorder
        .set_if_some(args.level("buffer_below"), FlightRecorder::buffer_below)
        .set_if_some(args.level("release_at"), FlightRecorder::release_at)
        .set_if_some(args.seconds("release_after"), FlightRecorder::release_after);
    if let Some(name) = args.str("trigger") {
        match context.filters.get(&name) {
            Some((_, filter)) if filter.only_decides() => {
                let filter = filter.as_filter();
                recorder = recorder.trigger(move |record: &Record| filter.passes(record));
            }
            Some(_) => {
                let message = format!("expected a filter that only decides, got {name:?}, which changes records");
                args.report(args.wrong("trigger", message));
            }
            None => {
                let known = context.filters.keys().map(String::as_str);
                args.report(args.wrong("trigger", format!("there is no filter {name:?}")).nearest(&name, known));
            }
        }
    }
    recorder = recorder
        .set_if_some(args.size("tree_records"), FlightRecorder::tree_records)
        .set_if_some(args.size("tree_bytes"), FlightRecorder::tree_bytes)
        .set_if_some(args.size("max_trees"), FlightRecorder::max_trees)
        .set_if_some(args.size("max_bytes"), FlightRecorder::max_bytes)
        .set_if_some(
            args.choice("outside", &[("drop", OutsideSpan::Drop), ("pass", OutsideSpan::Pass)]),
            FlightRecorder::outside,
        );
    if let Some(clock) = context.clock {
        recorder = recorder.clock(Arc::clone(clock));
    }
    Ok(Output::plain(recorder))
}
