//! Logs and spans to an OpenTelemetry collector, correlated: one call sets up both.
//!
//! `cargo run --example otlp`, with a receiver of its own; for a real collector:
//! `OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 cargo run --example otlp`

#[path = "support/receiver.rs"]
mod receiver;

use std::{error::Error, time::Duration};

use tracing::{error, info, info_span, warn};
use tracing_strata::{
    Loggers,
    format::Text,
    otlp::{Otlp, Protocol},
    output::Stream,
    prelude::*,
};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    // All `OTEL_*` variables count. Without an endpoint, a receiver in this process takes what is sent.
    let mut otlp = Otlp::from_env().service("shop").attribute("service.version", env!("CARGO_PKG_VERSION"));
    let mut own_receiver = None;
    if std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_none() {
        let receiver = receiver::Receiver::start()?;
        otlp = otlp.endpoint(receiver.url()).protocol(Protocol::HttpJson);
        own_receiver = Some(receiver);
    }
    let (otlp, guard) = otlp.build_with_guard()?;

    let loggers = Loggers::parse("info,otlp=debug")?;
    tracing_subscriber::registry()
        // The console shows the same ids as the collector has.
        .with(Stream::stdout().format(Text::colored().trace_ids(true)).into_layer().with_filter(loggers.clone()))
        .with(otlp.with_filter(loggers))
        .init();

    let trace_id = {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let request =
            info_span!("request", otel.name = "POST /order", otel.kind = "server", traceparent = header, user = 7);
        let _entered = request.entered();
        info!("the order has come");
        info_span!("reserve", otel.kind = "client", item = 13).in_scope(|| warn!(left = 1, "nearly sold out"));
        let failed = "12,50".parse::<f64>();
        if let Err(reason) = &failed {
            error!(error = reason as &dyn Error, "no price");
        }
        let ids = tracing_strata::current_traceparent().ok_or("no ids inside a span")?;
        format!("{:032x}", ids.trace_id())
    };

    guard.flush(Duration::from_secs(5))?;
    println!("\nlogs:  {}\nspans: {}", guard.logs(), guard.spans());
    assert_eq!((guard.logs().written, guard.spans().written), (3, 2));
    if let Some(receiver) = own_receiver {
        let tree = receiver.tree(&trace_id);
        println!("\nWhat has arrived:\n{tree}");
        assert_eq!((receiver.logs().len(), receiver.spans().len(), tree.lines().count()), (3, 2, 6));
    }
    // Takes nothing any more; says what it could not send.
    guard.shutdown(Duration::from_secs(5))?;
    Ok(())
}
