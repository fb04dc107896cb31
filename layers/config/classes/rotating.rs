//! `logging.handlers.RotatingFileHandler` and `TimedRotatingFileHandler`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    file::{Mode, encoding, mode, truncate},
    files::{durability, permissions},
};
use crate::{
    Error,
    config::{
        class::{BuildContext, Class, DEFAULTS, placeholder},
        configured_handler::{Control, Output},
        handler_args::SetIfSome as _,
        registry::{Namer, Rotator},
    },
    output::{RotatingFile, RotatingFileBuilder},
    sink::{Alignment, Compression, FileLocking, Retention, RotatingFileSink, TimeOfDay, When},
};

pub(super) const ROTATING: Class = Class {
    names: &["logging.handlers.RotatingFileHandler", "handlers.RotatingFileHandler", "rotating"],
    keys: &["filename", "mode", "maxBytes", "backupCount", "encoding", "delay", "errors"],
    attributes: &["terminator", "namer", "rotator"],
    make: make_rotating,
    ..DEFAULTS
};

pub(super) const TIMED: Class = Class {
    names: &["logging.handlers.TimedRotatingFileHandler", "handlers.TimedRotatingFileHandler", "timed"],
    keys: &["filename", "when", "interval", "backupCount", "encoding", "delay", "utc", "atTime", "errors", "maxBytes"],
    attributes: &["terminator", "namer", "rotator"],
    make: make_timed,
    ..DEFAULTS
};

fn make_rotating(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let args = context.args;
    let path = args.required("filename");
    let mode = mode(context, &path);
    let max_bytes = args.count("maxBytes").unwrap_or(0);
    // As in Python, a limit overrides the mode.
    let truncates = mode == Mode::Write && max_bytes == 0 && !context.is_replacement;
    let delay = args.bool("delay").unwrap_or(false);
    finish(
        context,
        RotatingFile::builder(&path).max_bytes(max_bytes).encoding(encoding(context)),
        path,
        truncates,
        delay,
    )
}

fn make_timed(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let path = context.args.required("filename");
    mode(context, &path);
    let builder = timed(context, &path).encoding(encoding(context));
    let delay = context.args.bool("delay").unwrap_or(false);
    finish(context, builder, path, false, delay)
}

/// When the file is rotated.
pub(super) fn timed(context: &BuildContext<'_, '_>, path: &str) -> RotatingFileBuilder {
    let args = context.args;
    let mut builder = RotatingFile::builder(path).when(When::Hour);
    match args.str("when").as_deref().unwrap_or("h").parse::<When>() {
        Ok(when) => builder = builder.when(when),
        Err(error) => {
            let text = error.to_string();
            // The message starts with Python's own.
            let python = text.split(" (expected").next().unwrap_or_default().to_owned();
            args.report(args.wrong("when", text).python(python));
        }
    }
    if let Some(interval) = args.count("interval") {
        builder = builder.interval(u32::try_from(interval).unwrap_or(u32::MAX));
    }
    builder = builder
        .set_if_some(args.bool("utc"), RotatingFileBuilder::utc)
        .set_if_some(args.converted("atTime", str::parse::<TimeOfDay>), RotatingFileBuilder::at_time)
        .set_if_some(args.count("maxBytes"), RotatingFileBuilder::max_bytes)
        .set_if_some(context.strata.str("zone"), RotatingFileBuilder::zone);
    let alignment =
        context.strata.choice("alignment", &[("clock", Alignment::Clock), ("rollover", Alignment::Rollover)]);
    let python = context.as_python.then_some(Alignment::Rollover);
    builder.set_if_some(alignment.or(python), RotatingFileBuilder::alignment)
}

pub(super) fn finish(
    context: &BuildContext<'_, '_>,
    mut builder: RotatingFileBuilder,
    path: String,
    truncates: bool,
    delay: bool,
) -> Result<Output, Error> {
    let args = context.args;
    builder = builder.backups(usize::try_from(args.count("backupCount").unwrap_or(0)).unwrap_or(usize::MAX));
    // As in Python.
    builder = builder.allow_unbounded(true);
    builder = strata_options(context, builder.open_lazily(delay));
    if let Some(clock) = context.clock {
        builder = builder.shared_clock(Arc::clone(clock));
    }
    if let Some(namer) = context.attributes.registered::<Namer>("namer") {
        builder = builder.namer(move |default| PathBuf::from((namer.0)(&default.to_string_lossy())));
    }
    if let Some(rotator) = context.attributes.registered::<Rotator>("rotator") {
        builder = builder.rotator(move |source, destination| (rotator.0)(source, destination));
    }
    if path.is_empty() {
        // Reported already.
        return Ok(placeholder());
    }
    let handler =
        builder.truncate(truncates && delay).format(context.formatting.lines()).build_closed()?.terminator("");
    let sink = handler.as_sink().clone();
    sink.check()?;
    let control = RotatingControl { file: sink.clone(), truncates: truncates && !delay, as_python: context.as_python };
    let starting = sink.clone();
    Ok(Output::new(handler, control).opened_by(move || sink.open()).started_by(move || starting.start()))
}

fn strata_options(context: &BuildContext<'_, '_>, mut builder: RotatingFileBuilder) -> RotatingFileBuilder {
    let strata = context.strata;
    builder = builder
        .set_if_some(strata.bool("create_dirs"), RotatingFileBuilder::create_dirs)
        .set_if_some(strata.size("buffer"), RotatingFileBuilder::buffer)
        .set_if_some(strata.level("flush_on"), RotatingFileBuilder::flush_on)
        .set_if_some(permissions(context), RotatingFileBuilder::permissions);
    builder = builder.durability(durability(context));
    builder = builder.set_if_some(strata.str("latest"), RotatingFileBuilder::latest);
    let mut retention = Retention::new();
    let mut is_limited = false;
    if let Some(days) = strata.number("max_age_days") {
        match Duration::try_from_secs_f64(days * 86_400.0) {
            Ok(age) => (retention, is_limited) = (retention.age(age), true),
            Err(_) => strata.report(strata.wrong("max_age_days", format!("expected days, 0 or more, got {days}"))),
        }
    }
    if let Some(bytes) = strata.count("max_total_bytes") {
        (retention, is_limited) = (retention.bytes(bytes), true);
    }
    if is_limited {
        builder = builder.retention(retention);
    }
    if let Some(Some(method)) = strata.choice("compression", METHODS) {
        match method() {
            Ok(compression) => {
                let level = strata.integer("compression_level").and_then(|level| i32::try_from(level).ok());
                builder = builder.compression(level.map_or(compression, |level| compression.level(level)));
            }
            Err(feature) => {
                let message = format!("{feature} needs the feature {feature:?} of tracing-strata");
                strata.report(strata.wrong("compression", message));
            }
        }
    }
    if strata.str("compression").is_none_or(|method| method == "none") {
        strata.reject_unused(&["compression_level"], "nothing is compressed (`compression`)");
    }
    let sharing =
        [("unguarded", FileLocking::Unguarded), ("exclusive", FileLocking::Exclusive), ("shared", FileLocking::Shared)];
    builder = builder.set_if_some(strata.choice("locking", &sharing), RotatingFileBuilder::locking);
    builder
}

/// Makes a compression, or names the missing feature.
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

struct RotatingControl {
    file: RotatingFileSink,
    truncates: bool,
    as_python: bool,
}

impl Control for RotatingControl {
    fn close(&self) -> Result<bool, Error> {
        self.file.close()?;
        Ok(!(self.truncates && self.as_python))
    }

    fn rollover(&self) -> Option<Result<(), Error>> {
        self.file.rollover();
        Some(Ok(()))
    }

    fn activate(&self) -> Result<(), Error> {
        if self.truncates { truncate(self.file.path()) } else { Ok(()) }
    }
}
