//! A pleasant console in three lines: levels by name, colour on terminals only, spans with their fields.
//!
//! `cargo run --example console`, and `RUST_LOG=console=trace cargo run --example console`.

use tracing::{debug, error, info, info_span, warn};
use tracing_strata::{Loggers, format::Text, output::Stream, prelude::*};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), tracing_strata::Error> {
    let loggers = Loggers::from_env_or("RUST_LOG", "warn,console=debug")?;
    tracing_subscriber::registry()
        .with(Stream::stderr().format(Text::colored()).into_layer().with_filter(loggers))
        .init();

    info!(version = env!("CARGO_PKG_VERSION"), "started");
    let _request = info_span!("request", id = "7f3a", method = "GET").entered();
    debug!(rows = 3, took_ms = 1.25, "query done");
    warn!(user = "Ada Lovelace", "password will expire");
    error!(path = %"/srv/data", "line one\nline two stays on one line");
    Ok(())
}
