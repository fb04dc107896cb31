//! Many records in one write: the files are the same as record by record.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use proptest::prelude::*;
use tracing_strata::{
    Queue,
    output::RotatingFileBuilder,
    prelude::*,
    sink::{Durability, FileLocking, Lines, RotatingFileSink},
};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{clock_at, seconds, sized, timed, touch};
use crate::places::{Bare, Dir, remembering};

type Builder = RotatingFileBuilder<Bare>;

/// What is in a directory, name by name.
fn contents(dir: &Dir) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir.path("")).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// Writes records as a queue's listener does; gives how many were written.
fn write_at_once(sink: &RotatingFileSink, lines: &[String], times: &[SystemTime]) -> usize {
    let bytes = lines.concat();
    let ends: Vec<_> = lines
        .iter()
        .scan(0, |end, line| {
            *end += line.len();
            Some(*end)
        })
        .collect();
    let mut all = Lines::new(bytes.as_bytes(), &ends, times);
    let result = sink.write(&mut all);
    assert!(result.is_ok(), "{result:?}");
    ends.len() - all.len()
}

fn write_one_by_one(sink: &RotatingFileSink, lines: &[String], times: &[SystemTime]) {
    for (line, time) in lines.iter().zip(times) {
        let (ends, times) = ([line.len()], [*time]);
        let mut one = Lines::new(line.as_bytes(), &ends, &times);
        assert!(sink.write(&mut one).is_ok() && one.is_empty());
    }
}

fn lines(lengths: &[usize]) -> Vec<String> {
    lengths.iter().enumerate().map(|(number, len)| format!("{number}{}\n", "x".repeat(*len))).collect()
}

const START: &str = "2024-03-05T12:00:00Z";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// By size, by time, by both; the clock goes on between the batches.
    #[test]
    fn batches_leave_the_files_that_single_records_leave(
        batches in prop::collection::vec((prop::collection::vec(0..60_usize, 0..20), 0..3_u64), 0..6),
        max_bytes in prop_oneof![Just(0_u64), 1..200_u64],
        by_time: bool,
        durable: bool,
        delay: bool,
    ) {
        let (one_by_one, at_once) = (Dir::new(), Dir::new());
        let open = |dir: &Dir| {
            let (builder, clock) = if by_time {
                let (builder, clock) = timed(dir, "H", START);
                (builder.max_bytes(max_bytes), clock)
            } else {
                let clock = clock_at(START);
                (sized(dir, max_bytes, 1_000).clock(clock.clone()), clock)
            };
            let durability = if durable { Durability::system().sync_every(3) } else { Durability::system() };
            (builder.open_lazily(delay).durability(durability).build_sink().unwrap(), clock)
        };
        let ((single, a), (many, b)) = (open(&one_by_one), open(&at_once));
        for (lengths, hours) in batches {
            let lines = lines(&lengths);
            let times = vec![UNIX_EPOCH; lines.len()];
            write_one_by_one(&single, &lines, &times);
            prop_assert_eq!(write_at_once(&many, &lines, &times), lines.len());
            a.advance(Duration::from_secs(3_600 * hours));
            b.advance(Duration::from_secs(3_600 * hours));
        }
        drop((single, many));
        prop_assert_eq!(contents(&one_by_one), contents(&at_once));
    }
}

/// In the midst of a batch a period ends: each record goes where its own time says.
#[test]
fn each_record_of_a_batch_goes_by_its_own_time() {
    let (one_by_one, at_once) = (Dir::new(), Dir::new());
    let old = UNIX_EPOCH + Duration::from_secs(seconds("2024-03-05T23:59:59Z"));
    let times: Vec<_> = (0..40).map(|number| if number < 17 { old } else { SystemTime::now() }).collect();
    let lines = lines(&[5; 40]);
    for (dir, both) in [(&one_by_one, false), (&at_once, true)] {
        fs::write(dir.path("app.log"), "earlier\n").unwrap();
        touch(&dir.path("app.log"), START);
        let builder = tracing_strata::output::RotatingFile::builder(dir.path("app.log"));
        let sink = builder.when("D".parse().unwrap()).utc(true).build_sink().unwrap();
        match both {
            true => assert_eq!(write_at_once(&sink, &lines, &times), 40),
            false => write_one_by_one(&sink, &lines, &times),
        }
    }
    let files = contents(&at_once);
    assert_eq!(files, contents(&one_by_one));
    let first = format!("earlier\n{}", lines[..17].concat());
    assert_eq!(files["app.log.2024-03-05"], first.as_bytes());
    assert_eq!(files["app.log"], lines[17..].concat().as_bytes());
}

/// How many times this thread has called write(2) or the like.
#[cfg(target_os = "linux")]
fn writes_so_far() -> Option<u64> {
    let io = fs::read_to_string("/proc/thread-self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("syscw: "))?.parse().ok()
}

#[test]
#[cfg(target_os = "linux")]
fn a_batch_is_two_writes_a_file_at_most() {
    let dir = Dir::new();
    let sink = sized(&dir, 1_000, 100).build_sink().unwrap();
    let lines = lines(&[17; 1_000]);
    // Not every system counts.
    let Some(before) = writes_so_far() else { return };
    assert_eq!(write_at_once(&sink, &lines, &[UNIX_EPOCH; 1_000]), 1_000);
    let writes = writes_so_far().unwrap() - before;
    let files = contents(&dir).len() as u64;
    assert!(files > 15 && (1..=2 * files).contains(&writes), "{writes} writes for {files} files");
}

#[test]
fn a_buffered_or_shared_file_does_not_batch() {
    let dir = Dir::new();
    let supports_batching = |name: &str, change: fn(Builder) -> Builder| {
        let builder = tracing_strata::output::RotatingFile::builder(dir.path(name)).max_bytes(1_000).backups(1);
        change(builder.format(Bare)).build_sink().unwrap().properties().supports_batching
    };
    assert!(supports_batching("a", |builder| builder));
    assert!(supports_batching("b", |builder| builder.locking(FileLocking::Exclusive)));
    assert!(!supports_batching("c", |builder| builder.locking(FileLocking::Shared)));
    assert!(!supports_batching("d", |builder| builder.buffer(1 << 10)));
    // All the same they take what they are given.
    for name in ["c", "d"] {
        let builder =
            tracing_strata::output::RotatingFile::builder(dir.path(&format!("{name}2"))).max_bytes(30).backups(9);
        let builder = if name == "c" { builder.locking(FileLocking::Shared) } else { builder.buffer(1 << 10) };
        let sink = builder.build_sink().unwrap();
        assert_eq!(write_at_once(&sink, &lines(&[10; 9]), &[UNIX_EPOCH; 9]), 9);
        sink.close().unwrap();
        let text: Vec<u8> = contents(&dir)
            .into_iter()
            .filter(|(file, _)| file.starts_with(&format!("{name}2")))
            .flat_map(|(_, text)| text)
            .collect();
        assert_eq!(text.len(), lines(&[10; 9]).concat().len());
    }
}

/// Of a queue before a rotated file: what reached the files is what the ledger says, also while they cannot be opened.
#[test]
fn a_queue_before_a_rotated_file_keeps_the_account() {
    const LONG: Duration = Duration::from_secs(60);
    let dir = Dir::new();
    let logs = dir.path("logs");
    fs::create_dir(&logs).unwrap();
    let builder = tracing_strata::output::RotatingFile::builder(logs.join("app.log")).max_bytes(1_000).backups(1_000);
    let file = builder.format(Bare).build().unwrap();
    let sink = file.as_sink().clone();
    let (queue, guard) = Queue::builder().build_with_guard(file).unwrap();
    let (error_handler, told) = remembering();
    let layer = queue.into_layer().error_handler(error_handler);
    let ledger = layer.ledger();
    let records = |from: usize| {
        (from..from + 2_000).for_each(|number| tracing::info!("{number:05}"));
        guard.flush(LONG).map_err(|error| error.to_string()).unwrap_or_default();
    };
    let read = |at: &Path| -> io::Result<Vec<String>> {
        let mut files: Vec<_> =
            fs::read_dir(at)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
        files.sort_by_key(|path| {
            std::cmp::Reverse(path.extension().and_then(|n| n.to_str()?.parse::<u32>().ok()).unwrap_or(0))
        });
        let texts: Vec<_> = files.iter().map(fs::read_to_string).collect::<io::Result<_>>()?;
        assert!(texts.iter().all(|text| text.len() < 1_000));
        Ok(texts.concat().lines().map(str::to_owned).collect())
    };
    let numbers = |from: usize| (from..from + 2_000).map(|number| format!("{number:05}")).collect::<Vec<_>>();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        records(0);
        assert_eq!((read(&logs).unwrap(), ledger.stats().written), (numbers(0), 2_000));
        // Nowhere to write to: each record is tried, and told.
        sink.close().unwrap();
        fs::rename(&logs, dir.path("away")).unwrap();
        records(2_000);
        let stats = ledger.stats();
        assert_eq!((stats.written, stats.failed, stats.queued, stats.accepted()), (2_000, 2_000, 0, 4_000));
        fs::rename(dir.path("away"), &logs).unwrap();
        records(4_000);
        let stats = ledger.stats();
        assert_eq!((stats.written, stats.failed, stats.queued, stats.accepted()), (4_000, 2_000, 0, 6_000));
        assert_eq!(read(&logs).unwrap(), [numbers(0), numbers(4_000)].concat());
        guard.shutdown(LONG).unwrap();
    });
    assert!(told.lock().unwrap().len() >= 2_000);
}
