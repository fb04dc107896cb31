//! One trace through two processes: the shop asks the stock over HTTP, with a `traceparent`; both send to one collector
//! and write their own log file, and every line of both has the same trace id.
//!
//! `cargo run --example distributed`

#[path = "../support/receiver.rs"]
mod receiver;

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::{Router, extract::Request, middleware, middleware::Next, response::Response, routing::get};
use tracing::{Instrument as _, Span, info, info_span, warn};
use tracing_strata::{
    format::Json,
    handler::current_trace_context,
    otlp::{Otlp, OtlpGuard, Protocol},
    output::LogFile,
    prelude::*,
};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

const WAIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1) {
        Some(directory) => stock(Path::new(&directory)),
        None => shop(),
    }
}

/// The same in both processes.
fn set_up(otlp: Otlp, service: &str, directory: &Path) -> Result<OtlpGuard, tracing_strata::Error> {
    let (otlp, guard) = otlp.service(service).build_with_guard()?;
    let file = LogFile::builder(directory.join(service)).format(Json::new()).build()?;
    tracing_subscriber::registry()
        .with(file.into_layer().with_filter(LevelFilter::INFO))
        .with(otlp.with_filter(LevelFilter::INFO))
        .init();
    Ok(guard)
}

// --- the first process

fn shop() -> Result<(), Box<dyn Error>> {
    let directory = env::temp_dir().join(format!("strata-distributed-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let receiver = receiver::Receiver::start()?;
    let is_own = env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_none();
    let mut child = Command::new(env::current_exe()?);
    child.arg(&directory).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut otlp = Otlp::from_env();
    if is_own {
        child.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url()).env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
        otlp = otlp.endpoint(receiver.url()).protocol(Protocol::HttpJson);
    }
    let guard = set_up(otlp, "shop", &directory)?;
    let mut child = child.spawn()?;
    let asked = order(&mut child);
    // The stock ends when its input does.
    drop(child.stdin.take());
    let ended = child.wait()?;
    guard.shutdown(WAIT)?;
    asked?;
    assert!(ended.success(), "the stock failed: {ended}");

    // Each line of both files is of one trace.
    let mut trace_id = None;
    for service in ["shop", "stock"] {
        let text = fs::read_to_string(directory.join(service))?;
        println!("{service}:\n{text}");
        assert_eq!(text.lines().count(), 2);
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line)?;
            let id = line["trace_id"].as_str().ok_or("a line without a trace id")?.to_owned();
            assert_eq!(*trace_id.get_or_insert(id.clone()), id);
        }
    }
    fs::remove_dir_all(directory)?;
    if is_own {
        let tree = receiver.tree(&trace_id.unwrap_or_default());
        println!("{tree}");
        assert_eq!((receiver.spans().len(), receiver.logs().len(), tree.lines().count()), (3, 4, 8));
    }
    Ok(())
}

fn order(child: &mut Child) -> Result<(), Box<dyn Error>> {
    let mut address = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut address)?;
    let _order = info_span!("order", otel.kind = "server", user = 7).entered();
    info!("an order has come");
    {
        let _ask = info_span!("ask the stock", otel.kind = "client").entered();
        let mut request = ureq::get(format!("http://{}/reserve", address.trim()));
        // What makes it one trace.
        for (name, value) in current_trace_context().headers() {
            request = request.header(name, value);
        }
        request.call()?;
    }
    info!("sent");
    Ok(())
}

// --- the second process

fn stock(directory: &Path) -> Result<(), Box<dyn Error>> {
    let guard = set_up(Otlp::from_env(), "stock", directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let service = Router::new().route("/reserve", get(reserve)).layer(middleware::from_fn(in_span));
        let the_end = tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin()));
        axum::serve(listener, service).with_graceful_shutdown(async { drop(the_end.await) }).await
    })?;
    guard.shutdown(WAIT)?;
    Ok(())
}

async fn reserve() -> &'static str {
    info!(item = 13, "reserved");
    warn!(left = 1, "nearly sold out");
    "reserved"
}

async fn in_span(request: Request, next: Next) -> Response {
    let span = span_of(&request);
    next.run(request).instrument(span).await
}

/// The caller's headers go into the span, as they are.
fn span_of(request: &Request) -> Span {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    info_span!(
        "reserve",
        otel.kind = "server",
        traceparent = header("traceparent"),
        tracestate = header("tracestate"),
        baggage = header("baggage"),
    )
}
