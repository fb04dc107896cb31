//! Context that survives: every record carries the fields of its spans, even behind a filter that hides the spans,
//! across threads, `.await` and late `record`.
//!
//! `cargo run --example span_context`

use tracing::{Instrument as _, error, field, info, info_span};
use tracing_strata::{Logger, Severity, SpanContextLayer, format::Json, output::Stream, prelude::*};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

fn main() {
    // The handler sees errors only; the spans are INFO. `SpanContextLayer` keeps their fields for it.
    tracing_subscriber::registry()
        .with(SpanContextLayer::new())
        .with(Stream::stdout().format(Json::new()).into_layer().with_filter(LevelFilter::ERROR))
        .init();

    let request = info_span!("request", request_id = "r-1", user = field::Empty);
    request.in_scope(|| error!("user is not known yet"));
    request.record("user", 7);

    std::thread::scope(|scope| {
        let request = request.clone();
        scope.spawn(move || request.in_scope(|| error!("on another thread")));
    });

    let task = async {
        tokio::task::yield_now().await;
        info!("too low to be seen");
        error!(step = 2, "in a task");
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(task.instrument(info_span!(parent: &request, "charge", attempt = 1)));

    // Values bound once and inherited, as with Python's LoggerAdapter; name and severity chosen at run time.
    let plugin = Logger::new(format!("plugin.{}", "pdf")).bind("tenant", "acme");
    request.in_scope(|| plugin.at(Severity::new(45)).field("pages", 3).log("rendering failed"));
}
