//! `logging.handlers.RotatingFileHandler` and `TimedRotatingFileHandler`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    Class, Making, PLAIN,
    durability::{durability, permissions},
    file::{Mode, empty, mode_and_encoding, nothing},
};
use crate::{
    Error,
    config::{
        Setup,
        registry::{Namer, Rotator},
        slot::{Control, Output},
    },
    output::{RotatingFile, RotatingFileBuilder},
    sink::{Alignment, Compression, FileLocking, Retention, RotatingFileSink, TimeOfDay, When},
};

pub(super) const ROTATING: Class = Class {
    names: &["logging.handlers.RotatingFileHandler", "handlers.RotatingFileHandler", "rotating"],
    keys: &["filename", "mode", "maxBytes", "backupCount", "encoding", "delay", "errors"],
    attributes: &["terminator", "namer", "rotator"],
    make: make_rotating,
    ..PLAIN
};

pub(super) const TIMED: Class = Class {
    names: &["logging.handlers.TimedRotatingFileHandler", "handlers.TimedRotatingFileHandler", "timed"],
    keys: &["filename", "when", "interval", "backupCount", "encoding", "delay", "utc", "atTime", "errors", "maxBytes"],
    attributes: &["terminator", "namer", "rotator"],
    make: make_timed,
    ..PLAIN
};

fn make_rotating(making: &Making<'_, '_>) -> Result<Output, Error> {
    let keywords = making.keywords;
    let path = keywords.required("filename");
    let mode = mode_and_encoding(making, &path);
    let most = keywords.count("maxBytes").unwrap_or(0);
    // With a limit the mode does not count.
    let empties = mode == Mode::Write && most == 0 && !making.goes_on;
    finish(making, RotatingFile::builder(&path).max_bytes(most), path, empties)
}

fn make_timed(making: &Making<'_, '_>) -> Result<Output, Error> {
    let keywords = making.keywords;
    let path = keywords.required("filename");
    mode_and_encoding(making, &path);
    let mut builder = RotatingFile::builder(&path).when(When::Hour);
    match keywords.str("when").as_deref().unwrap_or("h").parse::<When>() {
        Ok(when) => builder = builder.when(when),
        Err(error) => {
            let text = error.to_string();
            // Python's own words come first.
            let python = text.split(" (expected").next().unwrap_or_default().to_owned();
            keywords.note(keywords.wrong("when", text).python(python));
        }
    }
    if let Some(interval) = keywords.count("interval") {
        builder = builder.interval(u32::try_from(interval).unwrap_or(u32::MAX));
    }
    if let Some(utc) = keywords.bool("utc") {
        builder = builder.utc(utc);
    }
    if let Some(time) = keywords.str("atTime") {
        match time.parse::<TimeOfDay>() {
            Ok(time) => builder = builder.at_time(time),
            Err(error) => keywords.note(keywords.wrong("atTime", error.to_string())),
        }
    }
    if let Some(most) = keywords.count("maxBytes") {
        builder = builder.max_bytes(most);
    }
    if let Some(zone) = making.ours.str("zone") {
        builder = builder.zone(zone);
    }
    match making.ours.choice("grid", &[("clock", Alignment::Clock), ("rollover", Alignment::Rollover)]) {
        None if making.setup.as_python => builder = builder.alignment(Alignment::Rollover),
        None => {}
        Some(grid) => builder = builder.alignment(grid),
    }
    finish(making, builder, path, false)
}

fn finish(
    making: &Making<'_, '_>,
    mut builder: RotatingFileBuilder,
    path: String,
    empties: bool,
) -> Result<Output, Error> {
    let keywords = making.keywords;
    builder = builder.backups(usize::try_from(keywords.count("backupCount").unwrap_or(0)).unwrap_or(usize::MAX));
    // As in Python.
    builder = builder.allow_unbounded(true);
    let delay = keywords.bool("delay").unwrap_or(false);
    builder = ours(making, builder.open_lazily(delay));
    if let Some(clock) = &making.setup.clock {
        builder = builder.shared_clock(Arc::clone(clock));
    }
    if let Some(namer) = making.attributes.registered::<Namer>("namer") {
        builder = builder.namer(move |default| PathBuf::from((namer.0)(&default.to_string_lossy())));
    }
    if let Some(rotator) = making.attributes.registered::<Rotator>("rotator") {
        builder = builder.rotator(move |source, destination| (rotator.0)(source, destination));
    }
    if path.is_empty() {
        // Told already.
        return Ok(nothing());
    }
    let handler = builder.truncate(empties && delay).format(making.dress.lines()).build()?.terminator("");
    let control = Rotating { file: handler.as_sink().clone(), empties: empties && !delay, setup: making.setup.clone() };
    Ok(Output::new(handler, control))
}

fn ours(making: &Making<'_, '_>, mut builder: RotatingFileBuilder) -> RotatingFileBuilder {
    let ours = making.ours;
    if let Some(create) = ours.bool("create_dirs") {
        builder = builder.create_dirs(create);
    }
    if let Some(bytes) = ours.size("buffer") {
        builder = builder.buffer(bytes);
    }
    if let Some(least) = ours.level("flush_on") {
        builder = builder.flush_on(least);
    }
    if let Some(mode) = permissions(making) {
        builder = builder.permissions(mode);
    }
    builder = builder.durability(durability(making));
    if let Some(link) = ours.str("latest") {
        builder = builder.latest(link);
    }
    let mut retention = Retention::new();
    let mut is_limited = false;
    if let Some(days) = ours.number("max_age_days") {
        match Duration::try_from_secs_f64(days * 86_400.0) {
            Ok(age) => (retention, is_limited) = (retention.age(age), true),
            Err(_) => ours.note(ours.wrong("max_age_days", format!("expected days, 0 or more, got {days}"))),
        }
    }
    if let Some(bytes) = ours.count("max_total_bytes") {
        (retention, is_limited) = (retention.bytes(bytes), true);
    }
    if is_limited {
        builder = builder.retention(retention);
    }
    if let Some(Some(method)) = ours.choice("compression", METHODS) {
        match method() {
            Ok(compression) => {
                let level = ours.integer("compression_level").and_then(|level| i32::try_from(level).ok());
                builder = builder.compression(level.map_or(compression, |level| compression.level(level)));
            }
            Err(feature) => {
                let message = format!("{feature} needs the feature {feature:?} of tracing-strata");
                ours.note(ours.wrong("compression", message));
            }
        }
    }
    if ours.str("compression").is_none_or(|method| method == "none") {
        ours.idle(&["compression_level"], "nothing is compressed (`compression`)");
    }
    let sharing = [
        ("unguarded", FileLocking::Unguarded),
        ("exclusive", FileLocking::Exclusive),
        ("shared", FileLocking::NamedHandler),
    ];
    if let Some(sharing) = ours.choice("sharing", &sharing) {
        builder = builder.locking(sharing);
    }
    builder
}

/// By its name, or the feature that is missing.
type Method = fn() -> Result<Compression, &'static str>;

const METHODS: &[(&str, Option<Method>)] = &[
    ("none", None),
    #[cfg(feature = "gzip")]
    ("gzip", Some(|| Ok(Compression::gzip()))),
    #[cfg(not(feature = "gzip"))]
    ("gzip", Some(|| Err("gzip"))),
    #[cfg(feature = "zstd")]
    ("zstd", Some(|| Ok(Compression::zstd()))),
    #[cfg(not(feature = "zstd"))]
    ("zstd", Some(|| Err("zstd"))),
];

struct Rotating {
    file: RotatingFileSink,
    empties: bool,
    setup: Setup,
}

impl Control for Rotating {
    fn close(&self) -> Result<bool, Error> {
        self.file.close()?;
        Ok(!(self.empties && self.setup.as_python))
    }

    fn rollover(&self) -> Option<Result<(), Error>> {
        self.file.rollover();
        Some(Ok(()))
    }

    fn begin(&self) -> Result<(), Error> {
        if self.empties { empty(self.file.path()) } else { Ok(()) }
    }
}
