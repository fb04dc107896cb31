//! Our files as others see them: readers that follow them, disks that fill up, clocks that jump, a system that counts syncs.

mod clocks;
mod disks;
mod kills;
mod readers;
mod syncs;

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{self, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use tracing_strata::{
    NamedHandler, Record, Severity,
    format::Json,
    ledger::ErrorHandler,
    output::{LogFile, RotatingFile},
    sink::{Compression, Durability, ReopenPolicy},
};

/// A directory of one test, which others may read.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("strata-files-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names in it that begin so, sorted.
    fn names(&self, prefix: &str) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        names
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn record(number: usize) -> Record {
    let mut record = Record::new(Severity::INFO, "shop", &format!("record {number}"));
    record.fields_mut().set("number", number);
    record
}

/// What the program said, if it ended well.
fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn shell(script: &str, dir: &Path) -> String {
    said(Command::new("bash").args(["-euo", "pipefail", "-c", script]).current_dir(dir))
}

// --- a process of its own that writes to a file and obeys

/// What it is to open: `kind buffer path`, in its environment.
const FILE: &str = "STRATA_INTEROP_FILE";

/// This binary again, before whatever is to be between it and the system.
struct Writer {
    process: process::Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Writer {
    fn start(kind: &str, path: &Path, command: &mut Command) -> Self {
        let mut process = command
            .arg(env::current_exe().unwrap())
            .args(["files::a_writer", "--exact", "--nocapture", "--test-threads=1"])
            .env(FILE, format!("{kind} {}", path.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut writer = Self { process, to, from };
        writer.answer();
        writer
    }

    /// Has it do something; its answer.
    fn ask(&mut self, what: &str) -> String {
        writeln!(self.to, "{what}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "the writer has ended");
            if let Some((_, answer)) = line.trim_end().split_once("> ") {
                return answer.to_owned();
            }
        }
    }

    fn end(mut self) {
        drop(self.to);
        assert!(self.process.wait().unwrap().success());
    }
}

type Close = Box<dyn Fn()>;

/// The handler, and how to close its file.
fn open(kind: &str, path: &str, error_handler: ErrorHandler) -> (NamedHandler, Close) {
    let (kind, buffer) = match kind.strip_suffix("+buffer") {
        Some(kind) => (kind, true),
        None => (kind, false),
    };
    macro_rules! shared {
        ($builder:expr) => {{
            let builder = $builder.format(Json::new());
            let file = if buffer { builder.buffer(4_096) } else { builder }.build().unwrap();
            let sink = file.as_sink().clone();
            let close: Close = Box::new(move || sink.close().unwrap());
            (NamedHandler::with_error_handler("file", file, error_handler), close)
        }};
    }
    match kind.split(',').collect::<Vec<_>>()[..] {
        ["plain"] => shared!(LogFile::builder(path)),
        ["synced", every] => {
            shared!(LogFile::builder(path).durability(Durability::system().sync_every(every.parse().unwrap())))
        }
        ["severe"] => shared!(LogFile::builder(path).durability(Durability::system().sync_on(Severity::ERROR))),
        ["watched"] => shared!(LogFile::builder(path).watch(ReopenPolicy::each_record()).create_dirs(true)),
        ["rotating", bytes, backups] => {
            shared!(RotatingFile::builder(path).max_bytes(bytes.parse().unwrap()).backups(backups.parse().unwrap()))
        }
        ["packed", bytes, backups] => shared!(
            RotatingFile::builder(path)
                .max_bytes(bytes.parse().unwrap())
                .backups(backups.parse().unwrap())
                .compression(Compression::gzip())
        ),
        ["timed", zone, when] => shared!(RotatingFile::builder(path).zone(zone).when(when.parse().unwrap())),
        _ => panic!("{kind}"),
    }
}

/// Not a test by itself: the other side of [`Writer`].
#[test]
fn a_writer() {
    let Ok(what) = env::var(FILE) else { return };
    let (kind, path) = what.split_once(' ').unwrap();
    let (error_handler, told) = ErrorHandler::counting();
    let (file, close) = open(kind, path, error_handler);
    let mut next = 0;
    let answer = |answer: &str| {
        println!("\n> {answer}");
        std::io::stdout().flush().unwrap();
    };
    answer("open");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["log", count] => {
                for _ in 0..count.parse().unwrap() {
                    file.emit(&record(next));
                    next += 1;
                }
                answer("logged");
            }
            ["error"] => {
                let mut record = Record::new(Severity::ERROR, "shop", "severe");
                record.fields_mut().set("number", next);
                file.emit(&record);
                next += 1;
                answer("logged");
            }
            ["close"] => {
                close();
                answer("closed");
            }
            ["flush"] => answer(if file.flush().is_ok() { "flushed" } else { "not flushed" }),
            // written, failed, queued, troubles, told
            ["stats"] => {
                let stats = file.stats();
                let told = told.load(Ordering::Relaxed);
                answer(&format!("{} {} {} {} {told}", stats.written, stats.failed, stats.queued, stats.other_errors));
            }
            _ => panic!("{line}"),
        }
    }
    drop((file, close));
    process::exit(0);
}
