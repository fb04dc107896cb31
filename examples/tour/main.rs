//! The main job on real input: a small HTTP service handles some hundred requests, each with a request id and a W3C
//! `traceparent`, and logs to the console at INFO and to a JSON file at DEBUG. Loggers are turned down and up by name
//! while it runs. Logs and spans also go to a collector (one in this process), correlated. Then the file is read back with a
//! strict parser, what it proves is printed, and one trace is shown as a tree with its log lines.
//!
//! `cargo run --example tour`

mod proof;
#[path = "../support/receiver.rs"]
mod receiver;
mod service;

use std::{error::Error, thread, time::Duration};

use tracing::info;
use tracing_strata::{
    Globals, Loggers, Severity, Tee,
    format::{Json, Text, Time},
    otlp::{Otlp, Protocol},
    output::{LogFile, Stream},
    prelude::*,
    record::TraceParent,
};
use tracing_subscriber::prelude::*;

/// Requests of each of the three phases.
const PHASE: usize = 100;
const CLIENTS: usize = 4;

/// What a client sent with a request, to be found again on every record of it.
pub(crate) struct Sent {
    pub(crate) request_id: String,
    pub(crate) trace_id: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::temp_dir().join(format!("strata-tour-{}", std::process::id()));
    let path = directory.join("shop.jsonl");

    // --- logging: one filter by name in front, two handlers with their own level and format behind

    let loggers = Loggers::parse("warn,tour=debug")?;
    let console = Stream::stdout().format(Text::colored().time(Time::time_of_day())).min_level(Severity::INFO);
    let file = LogFile::builder(&path)
        .create_dirs(true)
        .buffer(64 << 10)
        .flush_on(Severity::ERROR)
        .format(Json::new())
        .build()?;
    let outputs = Tee::new().with("console", console).with("file", file);
    let handlers = outputs.handlers().to_vec();
    let globals = Globals::new().service("shop").version(env!("CARGO_PKG_VERSION"));

    // --- the same records, and the spans around them, to a collector: here one in this process

    let collector = receiver::Receiver::start()?;
    let (otlp, export) = Otlp::builder()
        .endpoint(collector.url())
        .protocol(Protocol::HttpJson)
        .service("shop")
        .capacity(16_384)
        .build_with_guard()?;

    tracing_subscriber::registry()
        .with(outputs.into_layer().globals(globals).with_filter(loggers.clone()))
        .with(otlp.with_filter(loggers.clone()))
        .init();

    // --- the job

    let address = service::start()?;
    info!(%address, "the shop is open");
    let mut sent = run_clients(&address)?;

    loggers.set_level("tour.service.cache", Severity::WARN)?;
    info!(logger = "tour.service.cache", "turned down to WARN at run time");
    sent.extend(run_clients(&address)?);

    loggers.set_level("tour.service.db", Severity::TRACE)?;
    info!(logger = "tour.service.db", "turned up to TRACE at run time");
    sent.extend(run_clients(&address)?);
    info!(requests = sent.len(), "the shop is closed");

    // --- the proof

    for handler in &handlers {
        handler.flush()?;
    }
    println!(
        "\nWhy a record of the cache is not in the file:\n{}",
        loggers.explain("tour.service.cache", Severity::DEBUG)
    );
    proof::print(&path, &sent, &handlers)?;
    export.flush(Duration::from_secs(10))?;
    proof::print_trace(&collector, &sent, &export, &path)?;
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

/// A phase of requests from several clients at once.
fn run_clients(address: &str) -> Result<Vec<Sent>, Box<dyn Error>> {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let address = address.to_owned();
            thread::spawn(move || (0..PHASE / CLIENTS).map(|number| order(&address, client, number)).collect())
        })
        .collect();
    let mut sent = Vec::new();
    for client in clients {
        let of_client: Result<Vec<Sent>, String> = client.join().map_err(|_| "a client panicked")?;
        sent.extend(of_client?);
    }
    Ok(sent)
}

fn order(address: &str, client: usize, number: usize) -> Result<Sent, String> {
    let parent = TraceParent::random();
    let request_id = tracing_strata::record::request_id(None).into_owned();
    let item = (client * 31 + number * 7) % 40;
    let answer = ureq::get(format!("http://{address}/order/{item}"))
        .header("x-request-id", &request_id)
        .header("traceparent", parent.to_string())
        .call()
        .map_err(|error| format!("request failed: {error}"))?;
    let echoed = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok());
    if echoed != Some(&request_id) {
        return Err(format!("sent request id {request_id}, got {echoed:?}"));
    }
    Ok(Sent { request_id, trace_id: format!("{:032x}", parent.trace_id()) })
}
