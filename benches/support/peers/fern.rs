//! `log` with `fern`, which flushes after each line: files with a write a line only.

use std::path::Path;

use super::Failure;
use crate::support::{place, work::Facade};

pub(super) fn install(path: &Path) -> Result<Facade, Failure> {
    fern::Dispatch::new()
        .format(|out, message, record| {
            let now = jiff::Timestamp::now();
            out.finish(format_args!("{now:.6} {} {} {message}", record.level(), record.target()));
        })
        .level(log::LevelFilter::Info)
        .chain(place::open(path)?)
        .apply()?;
    Ok(Facade::Log)
}
