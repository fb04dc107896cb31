//! A panic is a CRITICAL record with its place, thread, spans and backtrace; and nothing that was held back is lost,
//! though nobody flushes.
//!
//! `cargo run --example panic_hook`

use std::{process::Command, thread, time::Duration};

use tracing::{info, info_span};
use tracing_strata::{Queue, format::Json, output::LogFile, prelude::*, shutdown};
use tracing_subscriber::prelude::*;

/// The application: a buffered file behind a queue, a worker that panics, and an exit that flushes nothing by itself.
fn application(path: &str) -> Result<(), Box<dyn std::error::Error>> {
    let file = LogFile::builder(path).buffer(64 << 10).format(Json::new()).build()?;
    let (file, _guard) = Queue::builder().build_with_guard(file)?;
    tracing_subscriber::registry().with(file.into_layer()).init();
    shutdown::panic_hook();
    // What holds the exit up is not waited for longer than this.
    shutdown::set_exit_timeout(Duration::from_secs(2));

    info!("started");
    let worker = thread::Builder::new().name("worker".into()).spawn(|| {
        let _order = info_span!("order", id = 7).entered();
        let prices: Vec<u32> = Vec::new();
        info!(first = prices[0], "never said");
    })?;
    info!(panicked = worker.join().is_err(), "the worker has ended");
    std::process::exit(3)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(path) = std::env::args().nth(1) {
        return application(&path);
    }
    let path = std::env::temp_dir().join(format!("strata-panic-hook-{}.jsonl", std::process::id()));
    let status = Command::new(std::env::current_exe()?).arg(&path).status()?;
    let text = std::fs::read_to_string(&path)?;
    println!("\nexit status {:?}; {}:", status.code(), path.display());
    for line in text.lines() {
        println!("{}", line.chars().take(300).collect::<String>());
    }
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((status.code(), lines.len()), (Some(3), 3));
    assert!(lines[1].contains(r#""level":"CRITICAL""#) && lines[1].contains("index out of bounds"));
    assert!(lines[1].contains(r#""id":7"#) && lines[1].contains("backtrace"));
    std::fs::remove_file(path)?;
    Ok(())
}
