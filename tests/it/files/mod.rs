//! Files of others and of faults: what Python's rules ask of plain and watched files, how much of a log a crash takes, and
//! what happens while a disk, a directory or a name is gone.

mod beside;
mod durability;
mod faults;
mod rules;
mod watched;

use std::{fs, path::Path};

use tracing_strata::{Record, Severity, output::LogFileBuilder};

use crate::places::Bare;

fn record(message: &str) -> Record {
    Record::new(Severity::INFO, "t", message)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// With or without a buffer.
fn buffered(builder: LogFileBuilder, buffer: Option<usize>) -> LogFileBuilder<Bare> {
    let builder = builder.format(Bare);
    match buffer {
        Some(bytes) => builder.buffer(bytes),
        None => builder,
    }
}
