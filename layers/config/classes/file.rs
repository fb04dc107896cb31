//! `logging.FileHandler`.

use std::{fs, path::Path};

use super::{
    Class, Making, PLAIN,
    durability::{durability, permissions},
};
use crate::{
    Error,
    config::{
        encoding::Encoding,
        slot::{Control, Output},
    },
    output::{LogFile, LogFileBuilder},
    sink::{FileSink, ReopenPolicy},
};

pub(super) const FILE: Class = Class {
    names: &["logging.FileHandler", "FileHandler", "file"],
    keys: &["filename", "mode", "encoding", "delay", "errors"],
    attributes: &["terminator"],
    make: |making| make(making, LogFile::builder(making.keywords.required("filename"))),
    ..PLAIN
};

pub(super) const WATCHED: Class = Class {
    names: &["logging.handlers.WatchedFileHandler", "handlers.WatchedFileHandler", "watched"],
    make: |making| {
        let mut builder = LogFile::builder(making.keywords.required("filename")).watch(ReopenPolicy::each_record());
        if let Some(interval) = making.ours.seconds("watch_interval") {
            builder = builder.watch(ReopenPolicy::at_most_every(interval));
        }
        make(making, builder)
    },
    ..FILE
};

/// How Python's `mode` opens a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Append,
    /// Throws away what is there when it is first opened.
    Write,
}

/// The keys that all files have in common: mode and encoding.
pub(super) fn mode_and_encoding(making: &Making<'_, '_>, path: &str) -> Mode {
    let keywords = making.keywords;
    let mode = match keywords.str("mode").as_deref() {
        None => Mode::Append,
        Some(mode) => match mode.trim_end_matches(['t', 'b', '+']) {
            "a" => Mode::Append,
            "w" => Mode::Write,
            "x" if making.goes_on || !Path::new(path).exists() => Mode::Append,
            "x" => {
                let python = format!("[Errno 17] File exists: {}", crate::text::python_repr(path));
                keywords.note(keywords.wrong("mode", format!("the file {path:?} is there already")).python(python));
                Mode::Append
            }
            _ => {
                let python = format!("invalid mode: {}", crate::text::python_repr(mode));
                keywords.note(
                    keywords.wrong("mode", format!("expected \"a\", \"w\" or \"x\", got {mode:?}")).python(python),
                );
                Mode::Append
            }
        },
    };
    let errors = keywords.str("errors");
    let name = keywords.str("encoding");
    if name.is_some() || errors.is_some() {
        match Encoding::parse(name.as_deref().unwrap_or("utf-8"), errors.as_deref()) {
            Ok(encoding) => making.dress.set_encoding(encoding),
            Err(message) => {
                let key = if message.contains("strict") { "errors" } else { "encoding" };
                let unknown = name.unwrap_or_default();
                keywords.note(keywords.wrong(key, message).python(format!("unknown encoding: {unknown}")));
            }
        }
    }
    mode
}

fn make(making: &Making<'_, '_>, builder: LogFileBuilder) -> Result<Output, Error> {
    let keywords = making.keywords;
    let path = keywords.str("filename").unwrap_or_default();
    let mode = mode_and_encoding(making, &path);
    let delay = keywords.bool("delay").unwrap_or(false);
    let ours = making.ours;
    let mut builder = builder.open_lazily(delay).create_dirs(ours.bool("create_dirs").unwrap_or(false));
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
    if path.is_empty() {
        // Told already.
        return Ok(nothing());
    }
    let empties = mode == Mode::Write && !making.goes_on;
    // A file that is opened later is emptied then; one that is opened now must not be before the configuration counts.
    let handler = builder.truncate(empties && delay).format(making.dress.lines()).build()?.terminator("");
    let control = File {
        sink: handler.as_sink().clone(),
        empties: empties && !delay,
        ends_when_closed: mode == Mode::Write && making.setup.as_python,
    };
    Ok(Output::new(handler, control))
}

/// In place of a handler that cannot be made; what is wrong was noted.
pub(super) fn nothing() -> Output {
    Output::plain(crate::output::Null)
}

struct File {
    sink: FileSink,
    empties: bool,
    /// As Python does with mode `w`: what comes after is dropped.
    ends_when_closed: bool,
}

impl Control for File {
    fn close(&self) -> Result<bool, Error> {
        self.sink.close()?;
        Ok(!self.ends_when_closed)
    }

    fn begin(&self) -> Result<(), Error> {
        if self.empties { empty(self.sink.path()) } else { Ok(()) }
    }
}

/// Throws away what is in a file; what is no file is left alone.
pub(super) fn empty(path: &Path) -> Result<(), Error> {
    let empty = || {
        if fs::metadata(path)?.is_file() {
            fs::OpenOptions::new().write(true).open(path)?.set_len(0)?;
        }
        Ok(())
    };
    empty().map_err(|error| Error::io_at(path, "empty", error))
}
