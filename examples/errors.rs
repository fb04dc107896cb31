//! Errors with their causes: as a field, and logged once on the way up with `exception!`.
//!
//! `cargo run --example errors`, and with `RUST_BACKTRACE=1` for the backtrace.

use std::{error::Error, fmt, fs};

use tracing::error;
use tracing_strata::{
    exception,
    format::{Json, Text},
    output::Stream,
    prelude::*,
};
use tracing_subscriber::prelude::*;

#[derive(Debug)]
struct LoadError {
    path: &'static str,
    source: std::io::Error,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot load {}", self.path)
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

fn load(path: &'static str) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|source| LoadError { path, source })
}

/// Logs once, at ERROR, with the chain and the type; the error goes on up.
fn start() -> Result<String, LoadError> {
    let text = exception!(load("/no/such/settings.toml"), attempt = 1, "the service cannot start")?;
    Ok(text)
}

fn main() {
    tracing_subscriber::registry()
        .with(Stream::stdout().format(Text::new().multi_line(true)).into_layer())
        .with(Stream::stdout().format(Json::new()).into_layer())
        .init();

    if let Err(failed) = start() {
        error!(error = &failed as &dyn Error, "giving up");
    }
}
