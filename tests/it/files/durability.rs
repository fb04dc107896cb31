//! How much a crash takes: a child is killed, the parent counts.

use std::{io::Write as _, path::Path, time::Duration};
#[cfg(unix)]
use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use tracing_strata::{
    HandlerExt as _, NamedHandler, Outcome, Record, Severity, Sink,
    output::{Formatted, LogFile, RotatingFile, Weekday, When},
    sink::{Durability, FlushTo, Lines, ReopenPolicy},
};

use super::{buffered, read, record};
use crate::{
    places::{Bare, Dir, again, if_child, remembering},
    support::Give as _,
};

const RECORDS: usize = 1_000;

type Open = Box<dyn Fn(&Path) -> NamedHandler>;

/// How the file is written, and how many of the last records a kill takes.
fn levels() -> Vec<(Open, usize)> {
    let hour = Duration::from_secs(3_600);
    let system = Durability::system;
    // Buffer, flush_on, durability.
    let levels = [
        ((None, None, system()), 0),
        ((None, None, system().sync_every(100)), 0),
        ((None, None, system().sync_on(Severity::ERROR)), 0),
        ((None, None, system().sync_interval(hour)), 0),
        ((Some(1 << 20), Some(Severity::ALL), system()), 0),
        ((Some(1 << 20), None, system().sync_every(1)), 0),
        // The last ERROR is the tenth from the end.
        ((Some(1 << 20), Some(Severity::ERROR), system()), 9),
        ((Some(1 << 20), None, system().sync_on(Severity::ERROR)), 9),
        // 1,000 = 7 × 142 + 6.
        ((Some(1 << 20), None, system().sync_every(7)), 6),
        ((Some(1 << 20), None, system()), RECORDS),
        ((Some(1 << 20), None, system().sync_interval(hour)), RECORDS),
        // 100 bytes hold twelve of eight bytes: at most those; 1,000 = 83 × 12 + 4.
        ((Some(100), None, system()), 4),
    ];
    macro_rules! open {
        ($builder:expr, $level:expr) => {
            Box::new(move |path: &Path| {
                let (buffer, flush_on, durability): (Option<usize>, Option<Severity>, _) = $level;
                let mut builder = $builder(path).format(Bare).durability(durability);
                if let Some(bytes) = buffer {
                    builder = builder.buffer(bytes);
                }
                if let Some(least) = flush_on {
                    builder = builder.flush_on(least);
                }
                builder.build().unwrap().named("file")
            })
        };
    }
    let rotating = |path: &Path| RotatingFile::builder(path).max_bytes(1 << 30).backups(1);
    let timed = |path: &Path| RotatingFile::builder(path).when(When::Weekly(Weekday::Monday));
    let mut all: Vec<(Open, usize)> = Vec::new();
    for (level, most) in levels {
        all.push((open!(|path: &Path| LogFile::builder(path), level), most));
        all.push((open!(|path: &Path| LogFile::builder(path).watch(ReopenPolicy::each_record()), level), most));
        all.push((open!(rotating, level), most));
        all.push((open!(timed, level), most));
    }
    all
}

fn severity(number: usize) -> Severity {
    if number % 100 == 90 { Severity::ERROR } else { Severity::INFO }
}

/// A child writes its records, says so, and waits to be killed.
#[cfg(unix)]
#[test]
fn t14_the_last_records_after_a_sigkill_by_level() {
    const NAME: &str = "files::durability::t14_the_last_records_after_a_sigkill_by_level";
    if_child(|path| {
        let level: usize = std::env::var("STRATA_TEST_LEVEL").unwrap().parse().unwrap();
        let file = levels()[level].0(path);
        for number in 0..RECORDS {
            file.emit(&Record::new(severity(number), "t", &format!("{number:07}")));
        }
        println!("ready");
        std::io::stdout().flush().unwrap();
        std::thread::sleep(Duration::from_secs(600));
    });
    let dir = Dir::new();
    // All at once: each child takes its time to start.
    let children = levels().into_iter().enumerate().map(|(level, (_, most))| {
        let path = dir.path(&format!("{level}.log"));
        let mut command = again(NAME, &path);
        (command.env("STRATA_TEST_LEVEL", level.to_string()).stdout(Stdio::piped()).spawn().unwrap(), path, most)
    });
    for (level, (mut child, path, most)) in children.collect::<Vec<_>>().into_iter().enumerate() {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with("ready")), "level {level}");
        child.kill().unwrap();
        child.wait().unwrap();
        let text = read(&path);
        let present = text.lines().count();
        // From the first on, without a gap, the last one whole.
        assert!(text.lines().eq((0..present).map(|number| format!("{number:07}"))), "level {level}");
        assert!(text.is_empty() || text.ends_with('\n'), "level {level}");
        assert_eq!(RECORDS - present, most, "level {level}");
    }
}

#[test]
fn a_sync_writes_what_is_held_and_files_go_on() {
    for buffer in [None, Some(1_000)] {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let durability = Durability::system().sync_every(3);
        let file = buffered(LogFile::builder(&path), buffer).durability(durability).build().unwrap();
        let sink = file.as_sink().clone();
        let file = file.named("file");
        for number in 1..=4 {
            file.emit(&record(&number.to_string()));
        }
        let third = "1\n2\n3\n";
        assert_eq!(read(&path), if buffer.is_some() { third.to_owned() } else { format!("{third}4\n") });
        sink.sync().unwrap();
        assert_eq!(read(&path), format!("{third}4\n"));
        assert_eq!((file.stats().written, file.stats().other_errors), (4, 0));
    }
}

#[test]
fn by_the_interval_a_buffer_is_written_without_another_record() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    let durability = Durability::system().sync_interval(Duration::from_millis(1));
    let file = LogFile::builder(&path).buffer(1_000).durability(durability).format(Bare).build().unwrap().named("file");
    file.emit(&record("1"));
    // No limit but patience.
    for _ in 0..60_000 {
        if file.stats().written == 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!((read(&path).as_str(), file.stats().queued), ("1\n", 0));
}

/// A place that cannot sync.
struct Unsyncable;

impl Sink for Unsyncable {
    fn write(&self, lines: &mut Lines<'_>) -> std::io::Result<()> {
        lines.write_each(|_| Ok(()))
    }
    fn flush(&self, to: FlushTo) -> std::io::Result<()> {
        match to {
            FlushTo::System => Ok(()),
            FlushTo::Disk => Err(std::io::ErrorKind::StorageFull.into()),
        }
    }
}

#[test]
fn t12_a_sync_that_fails_is_told_and_its_record_is_written() {
    let (error_handler, told) = remembering();
    let handler = Formatted::new(Bare, Unsyncable).name("disk").sync_on(Severity::ERROR);
    let file = NamedHandler::with_error_handler("file", handler, error_handler);
    file.emit(&record("not severe"));
    file.emit(&Record::new(Severity::ERROR, "t", "severe"));
    assert_eq!((file.stats().written, file.stats().failed, file.stats().other_errors), (2, 0, 1));
    assert!(told.lock().unwrap()[0].starts_with("cannot sync disk: "));
    // Hung nowhere, it tells the trap of whoever gives it the record.
    let alone = Formatted::new(Bare, Unsyncable).sync_on(Severity::ERROR);
    let (result, told) = alone.give_and_hear(&Record::new(Severity::ERROR, "t", "severe"));
    assert_eq!(result.unwrap(), Outcome::Written);
    assert!(told.unwrap().is_io());
}

#[cfg(target_os = "linux")]
#[test]
fn t12_a_full_disk_behind_a_buffer_that_is_synced() {
    let (error_handler, told) = remembering();
    let durability = Durability::system().sync_every(10);
    let builder = LogFile::builder("/dev/full").buffer(1_000).durability(durability).format(Bare);
    let file = NamedHandler::with_error_handler("file", builder.build().unwrap(), error_handler);
    for _ in 0..20 {
        file.emit(&record("x"));
    }
    // Held still, and told each time a sync was due.
    let stats = file.stats();
    assert_eq!((stats.queued, stats.written, stats.failed), (20, 0, 0));
    assert!(
        stats.other_errors > 0 && told.lock().unwrap()[0].starts_with("cannot sync /dev/full: No space"),
        "{told:?}"
    );
    let mut sink = LogFile::builder("/dev/full").buffer(1_000).durability(durability).build_sink().unwrap();
    for _ in 0..10 {
        sink.write_all(b"x\n").unwrap();
    }
    assert_eq!(Sink::flush(&sink, FlushTo::System).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}
