//! `logging.FileHandler`.

use std::{fs, path::Path};

use super::files::{durability, permissions};
use crate::{
    Error,
    config::{
        class::{BuildContext, Class, DEFAULTS, placeholder},
        configured_handler::{Control, Output},
        handler_args::SetIfSome as _,
    },
    format::{Encoding, EncodingErrors},
    output::{LogFile, LogFileBuilder},
    sink::{FileSink, ReopenPolicy},
};

pub(super) const FILE: Class = Class {
    names: &["logging.FileHandler", "FileHandler", "file"],
    keys: &["filename", "mode", "encoding", "delay", "errors"],
    attributes: &["terminator"],
    make: |context| make(context, LogFile::builder(context.args.required("filename"))),
    ..DEFAULTS
};

pub(super) const WATCHED: Class = Class {
    names: &["logging.handlers.WatchedFileHandler", "handlers.WatchedFileHandler", "watched"],
    make: |context| {
        let mut builder = LogFile::builder(context.args.required("filename")).watch(ReopenPolicy::each_record());
        if let Some(interval) = context.strata.seconds("watch_interval") {
            builder = builder.watch(ReopenPolicy::at_most_every(interval));
        }
        make(context, builder)
    },
    ..FILE
};

/// How Python's `mode` opens a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Append,
    /// Truncates the file when it is first opened.
    Write,
}

/// Reads `mode`.
pub(super) fn mode(context: &BuildContext<'_, '_>, path: &str) -> Mode {
    let args = context.args;
    match args.str("mode").as_deref() {
        None => Mode::Append,
        Some(mode) => match mode.trim_end_matches(['t', 'b', '+']) {
            "a" => Mode::Append,
            "w" => Mode::Write,
            "x" if context.is_replacement || !Path::new(path).exists() => Mode::Append,
            "x" => {
                let python = format!("[Errno 17] File exists: {}", crate::text::python_repr(path));
                args.report(args.wrong("mode", format!("the file {path:?} is there already")).python(python));
                Mode::Append
            }
            _ => {
                let python = format!("invalid mode: {}", crate::text::python_repr(mode));
                args.report(args.wrong("mode", format!("expected \"a\", \"w\" or \"x\", got {mode:?}")).python(python));
                Mode::Append
            }
        },
    }
}

/// Reads `encoding` and `errors`.
pub(super) fn encoding(context: &BuildContext<'_, '_>) -> Encoding {
    let args = context.args;
    let encoding = args.str("encoding").and_then(|name| match Encoding::named(&name) {
        Ok(encoding) => Some(encoding),
        Err(error) => {
            args.report(args.wrong("encoding", error.to_string()).python(format!("unknown encoding: {name}")));
            None
        }
    });
    encoding.unwrap_or_default().errors(args.choice("errors", &EncodingErrors::NAMES).unwrap_or_default())
}

fn make(context: &BuildContext<'_, '_>, builder: LogFileBuilder) -> Result<Output, Error> {
    let args = context.args;
    let path = args.str("filename").unwrap_or_default();
    let mode = mode(context, &path);
    let delay = args.bool("delay").unwrap_or(false);
    let strata = context.strata;
    let mut builder = builder.encoding(encoding(context)).create_dirs(strata.bool("create_dirs").unwrap_or(false));
    builder = builder
        .set_if_some(strata.size("buffer"), LogFileBuilder::buffer)
        .set_if_some(strata.level("flush_on"), LogFileBuilder::flush_on)
        .set_if_some(permissions(context), LogFileBuilder::permissions);
    builder = builder.durability(durability(context));
    if path.is_empty() {
        // Reported already.
        return Ok(placeholder());
    }
    let truncates = mode == Mode::Write && !context.is_replacement;
    // A file that is opened now must not be truncated before the configuration is accepted.
    let handler =
        builder.truncate(truncates && delay).format(context.formatting.lines()).build_closed()?.terminator("");
    let sink = handler.as_sink().clone();
    let control = FileControl {
        sink: sink.clone(),
        truncates: truncates && !delay,
        drops_after_close: mode == Mode::Write && context.as_python,
    };
    let starting = sink.clone();
    let output = Output::new(handler, control).started_by(move || starting.start());
    if delay {
        return Ok(output);
    }
    sink.check()?;
    Ok(output.opened_by(move || sink.open()))
}

struct FileControl {
    sink: FileSink,
    truncates: bool,
    /// As in Python with mode `w`.
    drops_after_close: bool,
}

impl Control for FileControl {
    fn close(&self) -> Result<bool, Error> {
        self.sink.close()?;
        Ok(!self.drops_after_close)
    }

    fn activate(&self) -> Result<(), Error> {
        if self.truncates { truncate(self.sink.path()) } else { Ok(()) }
    }
}

/// Truncates a regular file; leaves a device or pipe alone.
pub(super) fn truncate(path: &Path) -> Result<(), Error> {
    let truncate = || {
        if fs::metadata(path)?.is_file() {
            fs::OpenOptions::new().write(true).open(path)?.set_len(0)?;
        }
        Ok(())
    };
    truncate().map_err(|error| Error::io_at(path, "empty", error))
}
