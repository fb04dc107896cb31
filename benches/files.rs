//! What a line costs on its way into a file: our file sinks and their peers in one run, as plain writers.
//!
//! ```text
//! cargo bench --bench files                # the whole table, about a minute
//! cargo bench --bench files -- --test      # only what the test for rotation costs
//! cargo bench --bench files -- --quick     # does it run? numbers are rough
//! ```
//!
//! # What is measured
//! The same text lines of 100 and of 300 bytes, already formatted, are written to a file that is rotated at 10 MB with five
//! backups kept, where the sink rotates at all. `line`: each line is a write, flushed; `buffer`: through 64 KiB, ours or a
//! `BufWriter` around the peer. With two threads each writes half of the lines to the one file; peers that are no more than
//! `io::Write` have a `Mutex` around them, as they are used under `tracing_subscriber::fmt`.
//!
//! # How
//! Rounds go in turns (A B C, A B C …) and the median counts. Times are those on the wall: only the ratios of one run mean
//! anything. The last columns are the longest times of single lines, of all rounds of one thread: what a rotation stalls.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "support/clock.rs"]
mod clock;

use std::{
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime},
};

use tracing_strata::{
    Sink,
    output::{LogFile, RotatingFile},
    sink::{Lines, ReopenPolicy, When, write_line},
};

/// Writes a line, flushed or not. From several threads at once.
type Put = Arc<dyn Fn(&[u8]) + Send + Sync>;
type Open = fn(&Path, buffered: bool) -> Put;

const ROTATED: u64 = 10_000_000;
const BACKUPS: usize = 5;
const BUFFER: usize = 64 << 10;

fn ours(sink: impl Sink) -> Put {
    Arc::new(move |line| {
        write_line(&sink, line).unwrap();
    })
}

fn theirs(writer: impl Write + Send + 'static, buffered: bool) -> Put {
    let capacity = if buffered { BUFFER } else { 0 };
    let writer = Mutex::new(BufWriter::with_capacity(capacity, writer));
    Arc::new(move |line| {
        let mut writer = writer.lock().unwrap();
        writer.write_all(line).unwrap();
        if !buffered {
            writer.flush().unwrap();
        }
    })
}

macro_rules! ours {
    ($builder:expr) => {
        |path: &Path, buffered| {
            let builder = $builder(path);
            ours(if buffered { builder.buffer(BUFFER) } else { builder }.build_sink().unwrap())
        }
    };
}

const PEERS: &[(&str, Open)] = &[
    ("**tracing-strata** `LogFile`", ours!(LogFile::builder)),
    (
        "**tracing-strata** `LogFile`, watched, each record",
        ours!(|path| LogFile::builder(path).watch(ReopenPolicy::each_record())),
    ),
    (
        "**tracing-strata** `LogFile`, watched, each 100 ms",
        ours!(|path| LogFile::builder(path).watch(ReopenPolicy::at_most_every(Duration::from_millis(100)))),
    ),
    (
        "**tracing-strata** `RotatingFile`, 10 MB",
        ours!(|path| RotatingFile::builder(path).max_bytes(ROTATED).backups(BACKUPS)),
    ),
    ("**tracing-strata** `RotatingFile`, hourly", ours!(|path| RotatingFile::builder(path).when(When::Hour))),
    ("tracing-appender, never", |path, buffered| {
        let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap());
        theirs(tracing_appender::rolling::never(folder, name), buffered)
    }),
    ("tracing-appender, hourly", |path, buffered| {
        let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap());
        theirs(tracing_appender::rolling::hourly(folder, name), buffered)
    }),
    ("rolling-file, 10 MB", |path, buffered| {
        let condition = rolling_file::RollingConditionBasic::new().max_size(ROTATED);
        theirs(rolling_file::BasicRollingFileAppender::new(path, condition, BACKUPS).unwrap(), buffered)
    }),
    ("file-rotate, 10 MB", |path, buffered| {
        use file_rotate::{ContentLimit, FileRotate, compression::Compression, suffix::AppendCount};
        let limit = ContentLimit::BytesSurpassed(ROTATED as usize);
        theirs(FileRotate::new(path, AppendCount::new(BACKUPS), limit, Compression::None, None), buffered)
    }),
    ("logroller, 10 MB", |path, buffered| {
        use logroller::{LogRollerBuilder, Rotation, RotationSize};
        let size = Rotation::SizeBased(RotationSize::Bytes(ROTATED));
        let roller = LogRollerBuilder::new(path.parent().unwrap(), path.file_name().unwrap().as_ref());
        theirs(roller.rotation(size).max_keep_files(BACKUPS as u64).build().unwrap(), buffered)
    }),
];

#[derive(Clone, Copy)]
struct Case {
    line: usize,
    buffered: bool,
    threads: usize,
}

/// Nanoseconds a line; of one thread also the time of each line.
fn measure(open: Open, case: Case, lines: usize) -> (f64, Vec<u32>) {
    let folder: PathBuf = std::env::temp_dir().join(format!("strata-bench-files-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let put = open(&folder.join("app.log"), case.buffered);
    let mut line = vec![b'x'; case.line];
    line[case.line - 1] = b'\n';
    let each = lines / case.threads;
    let begin = Instant::now();
    let mut times = Vec::new();
    if case.threads == 1 {
        times.reserve(each);
        let mut last = begin;
        for _ in 0..each {
            put(&line);
            let now = Instant::now();
            times.push(u32::try_from((now - last).as_nanos()).unwrap_or(u32::MAX));
            last = now;
        }
    } else {
        thread::scope(|scope| {
            for _ in 0..case.threads {
                scope.spawn(|| (0..each).for_each(|_| put(&line)));
            }
        });
    }
    let nanos = begin.elapsed().as_nanos() as f64 / (each * case.threads) as f64;
    drop(put);
    let files = fs::read_dir(&folder).unwrap();
    let written: u64 = files.filter_map(|entry| Some(entry.unwrap().metadata().ok()?.len())).sum();
    assert!(written > 0, "nothing was written");
    // Some take their old files away on a thread of their own.
    while fs::remove_dir_all(&folder).is_err() {
        thread::sleep(Duration::from_millis(10));
    }
    (nanos, times)
}

/// What it costs to find out that it is not time yet to rotate: nanoseconds of a record on its way into a buffer, by a
/// handler, which knows the time of the record. Lines are short, so that little else is measured.
fn test_alone(quick: bool) {
    const LINE: &[u8] = b"123456789\n";
    type Make = fn(PathBuf) -> Box<dyn Sink>;
    let sinks: [(&str, Make); 4] = [
        ("`LogFile`", |path| Box::new(LogFile::builder(path).buffer(BUFFER).build_sink().unwrap())),
        ("`RotatingFile`, 1 TB", |path| {
            Box::new(
                RotatingFile::builder(path).max_bytes(1 << 40).backups(BACKUPS).buffer(BUFFER).build_sink().unwrap(),
            )
        }),
        ("`RotatingFile`, midnight", |path| {
            Box::new(RotatingFile::builder(path).when(When::Midnight).buffer(BUFFER).build_sink().unwrap())
        }),
        ("`RotatingFile`, midnight and 1 TB", |path| {
            let timed = RotatingFile::builder(path).when(When::Midnight);
            Box::new(timed.max_bytes(1 << 40).buffer(BUFFER).build_sink().unwrap())
        }),
    ];
    let (rounds, lines) = if quick { (1, 10_000) } else { (15, 1_000_000) };
    let folder: PathBuf = std::env::temp_dir().join(format!("strata-bench-files-test-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut results = vec![Vec::new(); sinks.len()];
    for _ in 0..rounds {
        for ((_, make), nanos) in sinks.iter().zip(&mut results) {
            let path = folder.join("app.log");
            let sink = make(path.clone());
            let time = SystemTime::now();
            let begin = clock::thread_time();
            for _ in 0..lines {
                let (ends, times) = ([LINE.len()], [time]);
                sink.write(&mut Lines::new(std::hint::black_box(LINE), &ends, &times)).unwrap();
            }
            nanos.push((clock::thread_time() - begin).as_nanos() as f64 / f64::from(lines));
            drop(sink);
            fs::remove_file(path).unwrap();
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    println!(
        "\n| 10 bytes into a buffer, with the record's time | ns | more than `LogFile` | bar |\n|---|--:|--:|---|"
    );
    let medians: Vec<f64> = results.iter_mut().map(|nanos| median(nanos)).collect();
    for ((name, _), nanos) in sinks.iter().zip(&medians) {
        let more = nanos - medians[0];
        let verdict = if more <= 10.0 { "≤ 10 ns: met" } else { "≤ 10 ns: **not met**" };
        println!("| **tracing-strata** {name} | {nanos:.1} | {more:+.1} | {verdict} |");
    }
}

fn main() {
    let is_given = |name: &str| std::env::args().any(|arg| arg == name);
    let quick = is_given("--quick");
    if is_given("--test") {
        return test_alone(quick);
    }
    // Some 40 MB, so that there are rotations.
    let (rounds, bytes) = if quick { (1, 12_000_000) } else { (5, 40_000_000) };
    println!("| lines | sink | ns | lines/s | × `LogFile` | p99.9 µs | max µs |\n|---|---|--:|--:|--:|--:|--:|");
    let cases = [100, 300].into_iter().flat_map(|line| {
        [(false, 1), (true, 1), (false, 2), (true, 2)].map(|(buffered, threads)| Case { line, buffered, threads })
    });
    for case in cases {
        let mut results = vec![(Vec::new(), Vec::new()); PEERS.len()];
        for _ in 0..rounds {
            for ((_, open), (nanos, times)) in PEERS.iter().zip(&mut results) {
                let (each, some) = measure(*open, case, bytes / case.line);
                nanos.push(each);
                times.extend(some);
            }
        }
        let medians: Vec<f64> = results.iter_mut().map(|(nanos, _)| median(nanos)).collect();
        let way = if case.buffered { "buffer" } else { "line" };
        let mut title = format!("{} bytes, {way}, {} thread(s)", case.line, case.threads);
        for (((name, _), nanos), (_, mut times)) in PEERS.iter().zip(&medians).zip(results) {
            times.sort_unstable();
            let at = |part: f64| times.get((times.len() as f64 * part) as usize).or(times.last());
            let micros =
                |nanos: Option<&u32>| nanos.map_or(String::new(), |nanos| format!("{:.0}", f64::from(*nanos) / 1e3));
            let (rate, ratio) = (1e9 / nanos, nanos / medians[0]);
            let (high, most) = (micros(at(0.999)), micros(times.last()));
            println!("| {title} | {name} | {nanos:.0} | {rate:.0} | {ratio:.2} | {high} | {most} |");
            title.clear();
        }
    }
    test_alone(quick);
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
