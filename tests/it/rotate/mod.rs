//! Files that are exchanged for new ones. Rules are those of CPython 3.11 to 3.13, by the numbers of our list of them:
//! 15 is `RotatingFileHandler`, 16 `TimedRotatingFileHandler`.

mod batches;
mod faults;
mod model;
mod processes;
mod size;
mod time;

use std::{
    fs,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use tracing_strata::{
    Record, Severity,
    clock::ManualClock,
    output::{Formatted, RotatingFile, RotatingFileBuilder},
    sink::RotatingFileSink,
};

use crate::{
    places::{Bare, Dir},
    support::Give as _,
};

type File = Formatted<Bare, RotatingFileSink>;

fn record(message: &str) -> Record {
    Record::new(Severity::INFO, "t", message)
}

fn write(file: &File, message: &str) {
    file.give(&record(message)).unwrap();
}

fn write_all(file: &File, messages: &[&str]) {
    messages.iter().for_each(|message| write(file, message));
}

/// A file by size in a directory of its own.
fn sized(dir: &Dir, max_bytes: u64, backups: usize) -> RotatingFileBuilder<Bare> {
    RotatingFile::builder(dir.path("app.log")).max_bytes(max_bytes).backups(backups).format(Bare)
}

/// A file by time in UTC, and the clock that it goes by.
fn timed(dir: &Dir, when: &str, now: &str) -> (RotatingFileBuilder<Bare>, ManualClock) {
    let clock = clock_at(now);
    let builder = RotatingFile::builder(dir.path("app.log")).when(when.parse().unwrap()).utc(true).format(Bare);
    (builder.clock(clock.clone()), clock)
}

fn seconds(time: &str) -> u64 {
    u64::try_from(time.parse::<jiff::Timestamp>().unwrap().as_second()).unwrap()
}

fn clock_at(time: &str) -> ManualClock {
    ManualClock::at(seconds(time))
}

fn set(clock: &ManualClock, time: &str) {
    clock.set(UNIX_EPOCH + Duration::from_secs(seconds(time)));
}

fn touch(path: &Path, time: &str) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds(time))).unwrap();
}

/// `name: text` of all files, lines joined by spaces.
fn files(dir: &Dir) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(dir.path(""))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = if path.is_file() { fs::read_to_string(&path).unwrap() } else { "?".into() };
            let text = text.lines().collect::<Vec<_>>().join(" ");
            format!("{}: {text}", path.file_name().unwrap().to_str().unwrap()).trim_end().to_owned()
        })
        .collect();
    files.sort_by(|a, b| a.split(':').next().cmp(&b.split(':').next()));
    files
}
