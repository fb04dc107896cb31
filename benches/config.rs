//! What a configured stack costs beside the same stack put together by hand, and what a reload costs.
//!
//! ```text
//! cargo bench --bench config              # the table
//! cargo bench --bench config -- --quick   # does it run? numbers are rough
//! ```
//!
//! W1 is an event with a message and five fields, W2 the same inside two spans of two fields each; each becomes a line of
//! JSON, or of a template, to a writer that takes all bytes and keeps none. "By hand" is `Loggers` with one handler
//! (`Formatted<Json, _>`) on the root, "configured" the same declared and built by `Logging`. Rounds go in turns; time is
//! what the thread has used the processor, the median; the bar is 1.15. A reload is one of a configuration with three
//! handlers that stay the same.
#![allow(clippy::print_stdout)]

#[allow(dead_code)]
#[path = "support/alloc.rs"]
mod alloc;
#[allow(dead_code)]
#[path = "support/clock.rs"]
mod clock;

use std::{hint::black_box, io, net::Ipv4Addr};

use tracing::Dispatch;
use tracing_strata::{
    Loggers, Severity,
    config::{ClassRegistry, Config, Logging},
    format::{Json, Template},
    output::Stream,
    prelude::*,
    sink::Lines,
};
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

struct Null;

impl Sink for Null {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            black_box(line);
            Ok(())
        })
    }
}

fn event(index: u64) {
    let client = Ipv4Addr::from_bits(0x0a00_0000 | index as u32);
    tracing::info!(user = index, route = "/orders", ms = index as f64 / 8.0, cached = true, %client, "request served");
}

fn by_hand(format: impl Format) -> Dispatch {
    let loggers = Loggers::new();
    let handler = Stream::sink(Null).format(format).named("null");
    loggers.set_level("root", Severity::INFO).and_then(|()| loggers.add_handler("root", handler)).unwrap_or_default();
    Dispatch::new(tracing_subscriber::registry().with(loggers.into_layer()))
}

fn configured(formatter: &str) -> Result<Dispatch, tracing_strata::Error> {
    let registry = ClassRegistry::new()
        .handler("bench.Null", |_, format| Ok(Stream::sink(Null).format(format).terminator("").boxed()));
    let text = format!(
        "{{version: 1, formatters: {{f: {formatter}}}, handlers: {{n: {{class: bench.Null, formatter: f}}}}, root: {{level: INFO, handlers: [n]}}}}"
    );
    let logging = Logging::builder().registry(registry).build(&Config::from_yaml(&text)?)?;
    Ok(Dispatch::new(tracing_subscriber::registry().with(logging.layer())))
}

/// Nanoseconds and allocations an event.
fn sample(dispatch: &Dispatch, in_spans: bool, events: u64) -> (f64, f64) {
    tracing::dispatcher::with_default(dispatch, || {
        let spans = in_spans.then(|| {
            let request = tracing::info_span!("request", request_id = "7f3a-91c2", tenant = 12_u64).entered();
            [tracing::info_span!("query", table = "orders", attempt = 1_u64).entered(), request]
        });
        (0..200).for_each(event);
        let (before, allocated) = (clock::thread_time(), alloc::allocations());
        (0..events).for_each(event);
        let took = (clock::thread_time() - before).as_nanos() as f64;
        let allocated = alloc::allocations() - allocated;
        drop(spans);
        (took / events as f64, allocated as f64 / events as f64)
    })
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() -> Result<(), tracing_strata::Error> {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, events) = if quick { (3, 2_000) } else { (15, 100_000) };
    const FORMAT: &str = "%(asctime)s %(levelname)-8s %(name)s %(message)s user=%(user)d route=%(route)s";
    println!("{}", clock::here_and_now());
    println!("| case | by hand ns | configured ns | ratio | bar | allocations |");
    println!("|---|--:|--:|--:|--:|--:|");
    let stacks = [
        ("JSON", by_hand(Json::new()), configured("{class: json}")?),
        ("template", by_hand(Template::percent(FORMAT)?), configured(&format!("{{format: '{FORMAT}'}}"))?),
    ];
    for (format, hand, declared) in &stacks {
        for (work, in_spans) in [("W1", false), ("W2", true)] {
            let (mut plain, mut through, mut allocations) = (Vec::new(), Vec::new(), 0.0);
            for _ in 0..rounds {
                plain.push(sample(hand, in_spans, events).0);
                let (nanos, allocated) = sample(declared, in_spans, events);
                through.push(nanos);
                allocations = allocated;
            }
            let (plain, through) = (median(plain), median(through));
            let ratio = through / plain;
            let met = if ratio <= 1.15 { "met" } else { "NOT MET" };
            println!("| {work} → {format} | {plain:.0} | {through:.0} | {ratio:.2} | ≤ 1.15 {met} | {allocations} |");
        }
    }
    let handlers = "a: {class: 'null'}, b: {class: 'null', level: ERROR}, c: {class: memory, capacity: 9, target: a}";
    let config = format!(
        "{{version: 1, handlers: {{{handlers}}}, loggers: {{x: {{level: INFO}}}}, root: {{handlers: [a, b, c]}}}}"
    );
    let config = Config::from_yaml(&config)?;
    let logging = Logging::builder().build(&config)?;
    let reloads = if quick { 50 } else { 2_000 };
    let before = clock::thread_time();
    for _ in 0..reloads {
        logging.reload(&config)?;
    }
    let took = (clock::thread_time() - before).as_nanos() as f64 / f64::from(reloads);
    println!("| reload, three handlers kept | - | {took:.0} | - | - | - |");
    Ok(())
}
