//! What the export of a log record or a span costs the thread that makes it, beside the bridges of the OpenTelemetry SDK;
//! and what ids cost on a JSON line.
//!
//! ```text
//! cargo bench --bench otlp                # the whole table, about a minute
//! cargo bench --bench otlp -- --quick     # does it run? numbers are rough
//! ```
//!
//! | case | what is made |
//! |---|---|
//! | log record | `info!` with a message and five fields (`u64`, `&str`, `f64`, `bool`, `%Ipv4Addr`) |
//! | span | one with two fields that is made, entered, left and closed |
//! | JSON line | the log record inside two spans, as JSON into a writer that takes all |
//!
//! Each logger is a process of its own with the global default set. Time is what the calling thread has used the processor,
//! the median of rounds in turns; allocations are those of that thread. `Otlp` sends by HTTP protobuf to a receiver in the same
//! process that answers and forgets; the SDK's batch processors hand their batches to an exporter that forgets. Queues have
//! room for a round, and are flushed between rounds, untimed; a round in which something was dropped fails.
//!
//! A bar that is not met is told, and fails nothing: time is no test.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "support/alloc.rs"]
mod alloc;
#[path = "support/clock.rs"]
mod clock;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{BatchConfigBuilder as LogConfig, BatchLogProcessor, LogBatch, LogExporter, SdkLoggerProvider},
    trace::{BatchConfigBuilder as SpanConfig, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter},
};
use tracing::{info, info_span, span::EnteredSpan};
use tracing_strata::{
    format::Json,
    otlp::{Otlp, OtlpGuard, ProviderLogs},
    output::Formatted,
    prelude::*,
    sink::Lines,
};
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// How many are made in a round; the queues have room for more.
const ROUND: u64 = 5_000;
const ROOM: usize = 16_384;
const LONG: Duration = Duration::from_secs(60);

struct Case {
    title: &'static str,
    peers: &'static [(&'static str, &'static str)],
    bar: &'static str,
}

const CASES: &[Case] = &[
    Case {
        title: "log record",
        peers: &[
            ("log-otlp", "strata `Otlp`"),
            ("log-provider", "strata `ProviderLogs` + the SDK's batch processor"),
            ("log-appender", "opentelemetry-appender-tracing + the SDK's batch processor"),
        ],
        bar: "≤ 0.6 ×",
    },
    Case {
        title: "span",
        peers: &[
            ("span-otlp", "strata `Otlp`"),
            ("span-tracing-opentelemetry", "tracing-opentelemetry + the SDK's batch processor"),
        ],
        bar: "≤ 0.6 ×",
    },
    Case {
        title: "JSON line in two spans",
        peers: &[("json-ids", "with ids"), ("json-plain", "without")],
        bar: "≤ 15 ns more",
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, name, rounds] = &args[..]
        && first == "--child"
    {
        child(name, rounds.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    if let [first, name, events] = &args[..]
        && first == "--count"
    {
        count(name, events.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let (times, rounds) = if args.iter().any(|arg| arg == "--quick") { (1, 3) } else { (5, 41) };
    println!("{}\n", clock::here_and_now());
    println!("| case | logger | ns | × the last | allocations | bar |\n|---|---|--:|--:|--:|---|");
    for case in CASES {
        let mut costs = vec![Vec::new(); case.peers.len()];
        for _ in 0..times {
            for ((name, _), costs) in case.peers.iter().zip(&mut costs) {
                match measure(name, rounds) {
                    Some(cost) => costs.push(cost),
                    None => return ExitCode::FAILURE,
                }
            }
        }
        let costs: Vec<(f64, f64)> = costs.into_iter().map(median).collect();
        let last = costs.last().unwrap().0;
        for (index, ((_, title), (nanos, allocations))) in case.peers.iter().zip(&costs).enumerate() {
            let (case_title, bar) = match index {
                0 => (case.title, verdict(case.bar, *nanos, last)),
                _ => ("", String::new()),
            };
            println!("| {case_title} | {title} | {nanos:.0} | {:.2} | {allocations:.2} | {bar} |", nanos / last);
        }
    }
    ExitCode::SUCCESS
}

fn verdict(bar: &str, nanos: f64, last: f64) -> String {
    let is_met = if bar.ends_with("more") { nanos - last <= 15.0 } else { nanos / last <= 0.6 };
    let more = if bar.ends_with("more") { format!(" ({:+.0})", nanos - last) } else { String::new() };
    format!("{bar}{more}: {}", if is_met { "met" } else { "**not met**" })
}

fn median(mut costs: Vec<(f64, f64)>) -> (f64, f64) {
    costs.sort_by(|a, b| a.0.total_cmp(&b.0));
    costs[costs.len() / 2]
}

fn measure(name: &str, rounds: u32) -> Option<(f64, f64)> {
    let out = Command::new(std::env::current_exe().ok()?).args(["--child", name, &rounds.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    match numbers[..] {
        [nanos, allocations] if out.status.success() => Some((nanos, allocations)),
        _ => {
            eprintln!("{name}: {}{}", text, String::from_utf8_lossy(&out.stderr));
            None
        }
    }
}

// --- one logger, in a process of its own

/// For `benches/instructions.sh`: untimed.
fn count(name: &str, events: u64) {
    let _flush = install(name);
    let _spans = around(name);
    (0..events).for_each(work(name));
}

fn work(name: &str) -> fn(u64) {
    match name.split('-').next() {
        Some("span") => span,
        _ => record,
    }
}

fn around(name: &str) -> Option<[EnteredSpan; 2]> {
    name.starts_with("json").then(|| {
        let request = info_span!("request", id = 7, route = "/orders").entered();
        let query = info_span!("query", table = "orders", part = 2).entered();
        // Dropped in order: the inner one first.
        [query, request]
    })
}

fn child(name: &str, rounds: u32) {
    let flush = install(name);
    let make = work(name);
    let _spans = around(name);
    let mut samples = Vec::new();
    for round in 0..rounds + 2 {
        let (began, before) = (clock::thread_time(), alloc::allocations());
        (0..ROUND).for_each(make);
        let cost = (clock::thread_time() - began).as_nanos() as f64 / ROUND as f64;
        let allocations = (alloc::allocations() - before) as f64 / ROUND as f64;
        flush();
        if round >= 2 {
            samples.push((cost, allocations));
        }
    }
    let (nanos, allocations) = median(samples);
    println!("{nanos} {allocations}");
}

fn record(index: u64) {
    let client = Ipv4Addr::from_bits(0x0a00_0000 | index as u32);
    info!(user = index, route = "/orders", ms = index as f64 / 8.0, cached = true, %client, "request served");
}

fn span(index: u64) {
    info_span!("query", table = "orders", index).in_scope(|| ());
}

fn install(name: &str) -> Box<dyn Fn()> {
    let registry = tracing_subscriber::registry();
    let otlp = |logs: bool| {
        let otlp = Otlp::builder()
            .endpoint(receiver())
            .capacity(ROOM)
            .max_bytes(usize::MAX)
            .schedule_delay(Duration::from_millis(20));
        otlp.logs(logs).spans(!logs).span_events(false).build_with_guard().unwrap()
    };
    let check = |guard: OtlpGuard| -> Box<dyn Fn()> {
        Box::new(move || {
            guard.flush(LONG).unwrap();
            assert_eq!(
                (guard.logs().dropped, guard.logs().failed, guard.spans().dropped, guard.spans().failed),
                (0, 0, 0, 0)
            );
        })
    };
    match name {
        "log-otlp" => {
            let (layer, guard) = otlp(true);
            registry.with(layer).init();
            check(guard)
        }
        "span-otlp" => {
            let (layer, guard) = otlp(false);
            registry.with(layer).init();
            check(guard)
        }
        "log-provider" => {
            let provider = logger_provider();
            registry.with(ProviderLogs::new(&provider).into_layer()).init();
            Box::new(move || provider.force_flush().unwrap())
        }
        "log-appender" => {
            let provider = logger_provider();
            registry.with(OpenTelemetryTracingBridge::new(&provider)).init();
            Box::new(move || provider.force_flush().unwrap())
        }
        "span-tracing-opentelemetry" => {
            let config = SpanConfig::default().with_max_queue_size(ROOM).build();
            let processor = BatchSpanProcessor::builder(NoExporter).with_batch_config(config).build();
            let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
            registry.with(tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"))).init();
            Box::new(move || provider.force_flush().unwrap())
        }
        "json-ids" | "json-plain" => {
            let layer = Formatted::new(Json::new(), NullSink).into_layer();
            let layer = if name == "json-ids" { layer.trace_ids() } else { layer };
            registry.with(layer).init();
            Box::new(|| ())
        }
        other => panic!("no logger {other:?}"),
    }
}

fn logger_provider() -> SdkLoggerProvider {
    let config = LogConfig::default().with_max_queue_size(ROOM).build();
    let processor = BatchLogProcessor::builder(NoExporter).with_batch_config(config).build();
    SdkLoggerProvider::builder().with_log_processor(processor).build()
}

#[derive(Debug)]
struct NoExporter;

impl LogExporter for NoExporter {
    async fn export(&self, _: LogBatch<'_>) -> OTelSdkResult {
        Ok(())
    }
}

impl SpanExporter for NoExporter {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}

/// Takes the bytes and forgets them.
struct NullSink;

impl Sink for NullSink {
    fn write(&self, lines: &mut Lines<'_>) -> std::io::Result<()> {
        lines.write_each(|line| {
            std::hint::black_box(line);
            Ok(())
        })
    }
}

/// Answers everything with 200 and forgets it.
fn receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    url
}

fn serve(stream: TcpStream) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()?
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
        out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}
