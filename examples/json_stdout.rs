//! JSON lines on stdout, with the fields of the service on every line, as a container wants it.
//!
//! `cargo run --example json_stdout | jq .`

use tracing::{info, info_span, warn};
use tracing_strata::{Globals, Loggers, critical, format::Json, output::Stream, prelude::*, record::request_id};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), tracing_strata::Error> {
    let service = Globals::new().service("shop").version(env!("CARGO_PKG_VERSION")).host().pid();
    let json = Stream::stdout().format(Json::new().source(true)).into_layer().globals(service);
    tracing_subscriber::registry().with(json.with_filter(Loggers::parse("info")?)).init();

    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let span = info_span!("request", request_id = %request_id(Some("r-1")), traceparent = header);
    let _entered = span.enter();
    info!(user = 7, total = 3.5, paid = true, "order paid");
    warn!(level = "a clash with a reserved key", big = u128::MAX, not_a_number = f64::NAN, "hostile fields");
    critical!(free_bytes = 0, "disk full");
    Ok(())
}
