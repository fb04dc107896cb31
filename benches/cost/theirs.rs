//! A console, and rotating JSON behind a queue: `fmt`, `json`, `env-filter` and `tracing-appender`.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

fn main() {
    let (file, _guard) = tracing_appender::non_blocking(tracing_appender::rolling::daily("logs", "app.jsonl"));
    tracing_subscriber::registry()
        .with(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with(fmt::layer().with_writer(std::io::stderr))
        .with(fmt::layer().json().with_writer(file))
        .init();
    tracing::info!(user = 7, route = "/orders", "request served");
}
