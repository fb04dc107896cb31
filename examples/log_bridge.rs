//! A library that uses the `log` crate, in the same stack: its target, file, line and key-values are its own.
//!
//! `cargo run --example log_bridge` (feature `log`)

use tracing_strata::{Loggers, format::Json, output::Stream, prelude::*};
use tracing_subscriber::prelude::*;

mod legacy {
    pub(crate) fn connect(host: &str) {
        log::debug!("not seen: legacy is at INFO");
        log::info!(host, retries = 3; "connected");
        log::warn!(target: "legacy.pool", "one connection left");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let loggers = Loggers::parse("warn,log_bridge::legacy=info")?;
    let json = Stream::stdout().format(Json::new().source(true)).into_layer();
    let subscriber = tracing_subscriber::registry().with(json.with_filter(loggers.clone()));
    // Not `.init()`: with tracing-subscriber's default features that would install a bridge of its own.
    tracing::subscriber::set_global_default(subscriber)?;
    tracing_strata::log::install()?;

    let _span = tracing::info_span!("request", request_id = "r-1").entered();
    legacy::connect("db-1");
    loggers.apply("error")?;
    legacy::connect("not seen any more");
    Ok(())
}
