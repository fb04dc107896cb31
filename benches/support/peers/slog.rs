//! `slog` with `slog-json`, which writes piece by piece: in front of a file it needs a buffer of a line.

use std::{
    io::{BufWriter, LineWriter, Write},
    path::Path,
    sync::Mutex,
};

use slog::{Drain, Level, LevelFilter, Logger, o};

use super::Failure;
use crate::support::{
    cases::Case,
    place::{self, BUFFER, Null, Place},
    work::{Facade, Work},
};

pub(super) fn install(case: &Case, path: &Path) -> Result<Facade, Failure> {
    Ok(match case.place {
        Place::Null => with_writer(case, Null),
        Place::Lines => with_writer(case, LineWriter::new(place::open(path)?)),
        Place::Buffer => with_writer(case, BufWriter::with_capacity(BUFFER, place::open(path)?)),
    })
}

fn with_writer(case: &Case, writer: impl Write + Send + 'static) -> Facade {
    let json = Mutex::new(slog_json::Json::default(writer)).fuse();
    Facade::Slog(match case.work {
        Work::DisabledByLevel => Logger::root(LevelFilter::new(json, Level::Info).fuse(), o!()),
        _ => Logger::root(json, o!()),
    })
}
