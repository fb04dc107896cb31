//! One line to start, and one screen for the usual service.
//!
//! ```sh
//! cargo run --example quickstart
//! RUST_LOG=quickstart=debug STRATA_FORMAT=pretty cargo run --example quickstart
//! ```

use tracing_strata::output::RotatingFile;

fn main() -> Result<(), tracing_strata::Error> {
    let dir = std::env::temp_dir().join(format!("strata-quickstart-{}", std::process::id()));

    // `tracing_strata::init()?` alone is enough; this adds a file of JSON lines, written by a thread of its own.
    let logging = tracing_strata::setup()
        .levels("warn,quickstart=info")
        .file(RotatingFile::builder(dir.join("app.jsonl")).max_bytes(10 << 20).backups(5).create_dirs(true))
        .init()?;

    tracing::info!(port = 8080, "listening");
    tracing::debug!("not seen, unless RUST_LOG says so");
    logging.loggers().set_level("quickstart", tracing_strata::Severity::DEBUG)?;
    tracing::debug!("seen from now on");

    drop(logging); // at the end of `main`, by itself: everything is flushed
    let lines = std::fs::read_to_string(dir.join("app.jsonl"))?;
    assert!(lines.lines().count() >= 2, "{lines}");
    std::fs::remove_dir_all(dir)?;
    Ok(())
}
