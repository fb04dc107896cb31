//! How do I give my program `-v`, `-q`, `--log` and `--log-file`?
//!
//! Try `cargo run --features clap --example command_line -- -v --log warn,shop=trace --log-format json`.

use clap::Parser;
use tracing::{debug, info, trace};
use tracing_strata::{Severity, config::CliArgs};
use tracing_subscriber::prelude::*;

/// Sells things.
#[derive(Parser)]
struct Options {
    /// What is sold.
    #[arg(default_value = "tea")]
    article: String,
    #[command(flatten)]
    log: CliArgs,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let logging = options.log.build()?;
    tracing_subscriber::registry().with(logging.layer()).init();
    info!(target: "shop", article = options.article, "sold");
    debug!(target: "shop", "stock is counted");
    trace!(target: "shop", "nothing escapes");

    let quiet = Options::parse_from(["shop", "-q"]).log.build()?;
    assert!(!quiet.loggers().is_enabled_for("shop", Severity::INFO));
    let chosen = Options::parse_from(["shop", "-v", "--log", "error,shop=trace"]).log.build()?;
    assert_eq!(chosen.loggers().to_string(), "error,shop=trace");
    Ok(())
}
