//! Log files: opening, appending from threads and processes, buffers, reopening, and what happens when they fail.

use std::{
    collections::HashSet,
    fs,
    io::Write,
    path::Path,
    process::Stdio,
    sync::{Arc, atomic::Ordering},
};

use tracing::{error, info};
use tracing_strata::{
    Flush, Handler, HandlerExt as _, NamedHandler, Outcome, Record, Severity,
    format::Json,
    ledger::ErrorHandler,
    output::{LogFile, LogFileBuilder},
    sink::{FileSink, write_line},
};
use tracing_subscriber::{prelude::*, registry};

use crate::{
    places::{Bare, Dir, again, if_child, in_a_child, remembering},
    support::{Give as _, with_layer},
};

fn record(message: &str) -> Record {
    Record::new(Severity::INFO, "t", message)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// A file with or without a buffer.
fn builder(path: &Path, buffer: Option<usize>) -> LogFileBuilder<Bare> {
    let builder = LogFile::builder(path).format(Bare);
    match buffer {
        Some(bytes) => builder.buffer(bytes),
        None => builder,
    }
}

// --- opening

#[test]
fn it_is_opened_at_once_and_appended_to() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    fs::write(&path, "old\n").unwrap();
    let file = LogFile::builder(&path).build().unwrap().format(Bare);
    assert_eq!(file.give(&record("new")).unwrap(), Outcome::Written);
    assert_eq!(read(&path), "old\nnew\n");
    let fresh = dir.path("fresh.log");
    LogFile::builder(&fresh).build().unwrap();
    assert_eq!(read(&fresh), "");
}

#[test]
fn truncation_happens_once_and_appends_from_there() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    fs::write(&path, "old\n").unwrap();
    let file = LogFile::builder(&path).truncate(true).format(Bare).build().unwrap();
    assert_eq!(read(&path), "");
    file.give(&record("1")).unwrap();
    // Another one appends to the same file: neither writes over the other.
    LogFile::builder(&path).build().unwrap().format(Bare).give(&record("2")).unwrap();
    file.give(&record("3")).unwrap();
    file.as_sink().reopen().unwrap();
    file.give(&record("4")).unwrap();
    file.as_sink().close().unwrap();
    file.give(&record("5")).unwrap();
    assert_eq!(read(&path), "1\n2\n3\n4\n5\n");
}

#[test]
fn a_delayed_file_is_opened_by_the_first_record() {
    for buffer in [None, Some(100)] {
        let dir = Dir::new();
        let path = dir.path("app.log");
        fs::write(&path, "old\n").unwrap();
        let file = builder(&path, buffer).open_lazily(true).truncate(true).build().unwrap();
        file.flush(&Flush::PLAIN).unwrap();
        assert_eq!(read(&path), "old\n");
        file.give(&record("new")).unwrap();
        file.flush(&Flush::PLAIN).unwrap();
        assert_eq!(read(&path), "new\n");
    }
}

#[test]
fn t20_a_delayed_opening_that_fails_is_a_failure_each_time_until_it_succeeds() {
    for buffer in [None, Some(100)] {
        let dir = Dir::new();
        let path = dir.path("later/app.log");
        let (error_handler, told) = remembering();
        let file = NamedHandler::with_error_handler(
            "file",
            builder(&path, buffer).open_lazily(true).build().unwrap(),
            error_handler,
        );
        file.emit(&record("1"));
        file.emit(&record("2"));
        fs::create_dir(path.parent().unwrap()).unwrap();
        file.emit(&record("3"));
        file.flush().unwrap();
        assert_eq!((file.stats().failed, file.stats().written, read(&path).as_str()), (2, 1, "3\n"));
        let told = told.lock().unwrap();
        let expected = format!("cannot write to {}: cannot find the directory of it: No such file", path.display());
        assert!(told.len() == 2 && told[0].starts_with(&expected), "{told:?}");
    }
}

#[test]
fn t20_the_constructor_names_the_path_and_what_it_tried() {
    let dir = Dir::new();
    fs::write(dir.path("file"), "").unwrap();
    let missing = dir.path("missing/app.log");
    let below_a_file = dir.path("file/app.log");
    let cases = [
        (missing.clone(), format!("cannot find the directory of {}: ", missing.display())),
        (below_a_file.clone(), format!("cannot open {}: ", below_a_file.display())),
        (dir.path(""), format!("cannot open {}: ", dir.path("").display())),
        #[cfg(target_os = "linux")]
        ("/proc/app.log".into(), "cannot open /proc/app.log: ".into()),
    ];
    for (path, expected) in cases {
        let error = LogFile::builder(&path).build().unwrap_err();
        assert!(error.is_io() && error.to_string().starts_with(&expected), "{error}");
    }
    let error = LogFile::builder(&below_a_file).create_dirs(true).build().unwrap_err();
    let expected = format!("cannot create the directory of {}: ", below_a_file.display());
    assert!(error.is_io() && error.to_string().starts_with(&expected), "{error}");
    let error = LogFile::builder("").build().unwrap_err();
    assert!(error.is_config() && error.to_string().contains("path"), "{error}");
}

#[test]
fn directories_are_created_where_asked_for() {
    let dir = Dir::new();
    let path = dir.path("a/b/app.log");
    let file = LogFile::builder(&path).create_dirs(true).format(Bare).build().unwrap();
    file.give(&record("x")).unwrap();
    assert_eq!(read(&path), "x\n");
}

#[test]
fn the_path_is_absolute_and_the_name() {
    let file = LogFile::builder("some.log").open_lazily(true).build().unwrap();
    let path = std::env::current_dir().unwrap().join("some.log");
    assert_eq!(file.as_sink().path(), path);
    assert_eq!(file.describe().name, path.display().to_string());
}

#[cfg(unix)]
#[test]
fn a_file_that_is_created_has_the_mode_asked_for() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = Dir::new();
    let path = dir.path("app.log");
    LogFile::builder(&path).permissions(0o600).build().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn t43_a_path_that_is_no_text() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let dir = Dir::new();
    let name = OsStr::from_bytes(b"caf\xe9\xff.log");
    let path = dir.path("").join(name);
    let file = LogFile::builder(&path).build().unwrap().format(Bare);
    file.give(&record("\u{0}caf\u{e9}\u{fffd}")).unwrap();
    assert_eq!(read(&path), "\0caf\u{e9}\u{fffd}\n");
    assert!(file.describe().name.ends_with("caf\u{fffd}\u{fffd}.log"));
    let error = LogFile::builder(path.join("below")).build().unwrap_err();
    assert!(error.to_string().contains("caf\u{fffd}\u{fffd}.log/below"), "{error}");
}

#[test]
fn t41_a_tail_torn_by_an_earlier_run_gets_its_line_break() {
    for buffer in [None, Some(100)] {
        let dir = Dir::new();
        let path = dir.path("app.log");
        fs::write(&path, "whole\nto").unwrap();
        let file = builder(&path, buffer).build().unwrap();
        file.give(&record("next")).unwrap();
        file.give(&record("last")).unwrap();
        file.flush(&Flush::PLAIN).unwrap();
        assert_eq!(read(&path), "whole\nto\nnext\nlast\n");
    }
}

// --- many writers

/// Each line `who:number:xxx…`, all numbers of all writers once.
fn assert_all_lines(text: &str, writers: usize, records: usize) {
    let mut seen = HashSet::new();
    for line in text.lines() {
        let parts: Vec<_> = line.split(':').collect();
        let [who, number, fill] = parts[..] else { panic!("{line:?}") };
        assert!(
            fill.len() == number.parse::<usize>().unwrap() % 300 && fill.bytes().all(|byte| byte == b'x'),
            "{line:?}"
        );
        assert!(seen.insert((who, number)), "{line:?} twice");
    }
    assert_eq!(seen.len(), writers * records);
    assert!(text.ends_with('\n'));
}

fn write_many(file: &dyn Handler, who: &str, records: usize) {
    for number in 0..records {
        file.give(&record(&format!("{who}:{number}:{}", "x".repeat(number % 300)))).unwrap();
    }
}

#[test]
fn t41_records_of_two_threads_are_whole_and_there_once() {
    for buffer in [None, Some(1000)] {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let file = builder(&path, buffer).build().unwrap();
        std::thread::scope(|scope| {
            for who in ["a", "b"] {
                let file = &file;
                scope.spawn(move || write_many(file, who, 2_000));
            }
        });
        file.flush(&Flush::PLAIN).unwrap();
        assert_all_lines(&read(&path), 2, 2_000);
    }
}

#[test]
fn t41_records_of_two_processes_are_whole_and_there_once() {
    const NAME: &str = "log_file::t41_records_of_two_processes_are_whole_and_there_once";
    let child = |path: &Path| {
        let direct = LogFile::builder(path).build().unwrap().format(Bare);
        let buffered = LogFile::builder(path).buffer(2_000).format(Bare).build().unwrap();
        let who = std::process::id();
        std::thread::scope(|scope| {
            scope.spawn(|| write_many(&direct, &format!("{who}d"), 2_000));
            write_many(&buffered, &format!("{who}b"), 2_000);
        });
        // Buffers are whole records, too.
        buffered.flush(&Flush::PLAIN).unwrap();
    };
    if_child(child);
    let dir = Dir::new();
    let path = dir.path("app.log");
    let children: Vec<_> = (0..2).map(|_| again(NAME, &path).stdout(Stdio::null()).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_all_lines(&read(&path), 4, 2_000);
}

// --- buffers

#[test]
fn a_buffer_holds_back_settles_and_empties_on_severity_and_drop() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    let file = LogFile::builder(&path).buffer(64 << 10).flush_on(Severity::ERROR).format(Bare).build().unwrap();
    let layer = file.into_layer();
    let ledger = layer.ledger();
    with_layer(layer, || {
        info!("1");
        info!("2");
        assert_eq!((ledger.stats().queued, ledger.stats().written, read(&path).as_str()), (2, 0, ""));
        error!("3");
        assert_eq!((ledger.stats().queued, ledger.stats().written, read(&path).as_str()), (0, 3, "1\n2\n3\n"));
        info!("4");
        assert_eq!(ledger.stats().queued, 1);
    });
    assert_eq!((ledger.stats().queued, ledger.stats().written, read(&path).as_str()), (0, 4, "1\n2\n3\n4\n"));
}

#[test]
fn a_full_buffer_is_written_at_once_and_a_long_record_by_itself() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    let file = LogFile::builder(&path).buffer(10).format(Bare).build().unwrap().named("file");
    file.emit(&record("1234"));
    file.emit(&record("5678"));
    assert_eq!((read(&path).as_str(), file.stats().queued), ("", 2));
    file.emit(&record("9"));
    assert_eq!((read(&path).as_str(), file.stats().queued), ("1234\n5678\n", 1));
    file.emit(&record("longer than that"));
    assert_eq!((file.stats().queued, file.stats().written), (0, 4));
    assert_eq!(read(&path), "1234\n5678\n9\nlonger than that\n");
}

#[test]
fn handlers_that_share_a_buffer_have_an_account_each() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    let plain = LogFile::builder(&path).buffer(100).format(Bare).build().unwrap();
    let sink = plain.as_sink().clone();
    let other = tracing_strata::output::Formatted::new(Json::new(), sink.clone()).named("json");
    let plain = plain.named("plain");
    plain.emit(&record("a"));
    other.emit(&record("b"));
    plain.emit(&record("c"));
    // What comes as io::Write is on nobody's account.
    (&sink).write_all(b"d\n").unwrap();
    write_line(&sink, b"e\n").unwrap();
    assert_eq!((plain.stats().queued, other.stats().queued), (2, 1));
    other.flush().unwrap();
    assert_eq!((plain.stats().written, other.stats().written), (2, 1));
    assert_eq!((plain.stats().accepted(), other.stats().accepted()), (2, 1));
    assert_eq!(read(&path).lines().count(), 5);
}

#[test]
fn a_handler_that_hangs_twice_counts_what_is_in_the_buffer_as_written() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    let file = Arc::new(LogFile::builder(&path).buffer(100).format(Bare).build().unwrap());
    let (one, two) = (Arc::clone(&file).into_layer(), Arc::clone(&file).into_layer());
    let ledgers = [one.ledger(), two.ledger()];
    tracing::subscriber::with_default(registry().with(one).with(two), || info!("a"));
    for ledger in ledgers {
        assert_eq!((ledger.stats().accepted(), ledger.stats().written), (1, 1));
    }
    file.flush(&Flush::PLAIN).unwrap();
    assert_eq!(read(&path), "a\na\n");
}

// --- faults

#[cfg(target_os = "linux")]
#[test]
fn t12_t19_a_full_disk_is_counted_and_told() {
    let (error_handler, told) = remembering();
    let file = LogFile::builder("/dev/full").build().unwrap().format(Bare);
    let layer = file.into_layer().error_handler(error_handler);
    let ledger = layer.ledger();
    with_layer(layer, || (0..1_000).for_each(|_| info!("lost")));
    assert_eq!((ledger.stats().accepted(), ledger.stats().failed), (1_000, 1_000));
    let told = told.lock().unwrap();
    assert!(told.len() == 1_000 && told[0].starts_with("cannot write to /dev/full: No space left"), "{}", told[0]);
}

#[cfg(target_os = "linux")]
#[test]
fn t12_t19_a_full_disk_behind_a_buffer() {
    let (error_handler, told) = remembering();
    let file = LogFile::builder("/dev/full").buffer(100).flush_on(Severity::ERROR).format(Bare).build().unwrap();
    let layer = file.into_layer().error_handler(error_handler);
    let ledger = layer.ledger();
    with_layer(layer, || {
        error!("123456789");
        assert_eq!((ledger.stats().queued, ledger.stats().failed), (1, 0));
        assert!(told.lock().unwrap()[0].starts_with("cannot flush /dev/full: No space left"));
        (0..999).for_each(|_| info!("123456789"));
        // As many as the buffer has room for are held.
        assert_eq!((ledger.stats().accepted(), ledger.stats().queued, ledger.stats().failed), (1_000, 10, 990));
    });
    // The last flush, when the layer was dropped, failed as well and was told.
    assert_eq!((ledger.stats().accepted(), ledger.stats().failed, told.lock().unwrap().len()), (1_000, 1_000, 992));
}

#[cfg(target_os = "linux")]
#[test]
fn t19_a_dead_file_is_reported_on_stderr_once() {
    const NAME: &str = "log_file::t19_a_dead_file_is_reported_on_stderr_once";
    let child = |report: &Path| {
        rustix::stdio::dup2_stderr(fs::File::create(report).unwrap()).unwrap();
        with_layer(LogFile::builder("/dev/full").build().unwrap().into_layer(), || {
            (0..100).for_each(|_| info!("lost"))
        });
    };
    let told = in_a_child(NAME, |_| {}, child);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(lines[0].contains("\"/dev/full\": cannot write to /dev/full: No space left"), "{told}");
    // When the handler is dropped, what was held back is told in one number.
    assert!(lines[1].contains("\"/dev/full\": 99 more failures"), "{told}");
}

// --- reopening

#[test]
fn a_file_that_was_moved_away_is_opened_again() {
    for buffer in [None, Some(100)] {
        let dir = Dir::new();
        let (path, moved) = (dir.path("app.log"), dir.path("app.log.1"));
        let file = builder(&path, buffer).build().unwrap();
        let handle = file.as_sink().clone();
        let file = file.named("file");
        file.emit(&record("1"));
        fs::rename(&path, &moved).unwrap();
        file.emit(&record("2"));
        // A directory is in the way: the old file stays in use.
        fs::create_dir(&path).unwrap();
        let error = handle.reopen().unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot reopen {}: ", path.display())), "{error}");
        file.emit(&record("3"));
        fs::remove_dir(&path).unwrap();
        handle.reopen().unwrap();
        file.emit(&record("4"));
        file.flush().unwrap();
        assert_eq!((read(&moved).as_str(), read(&path).as_str()), ("1\n2\n3\n", "4\n"));
        assert_eq!(file.stats().written, 4);
    }
}

#[test]
fn a_closed_file_is_opened_again_by_the_next_record() {
    for buffer in [None, Some(100)] {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let file = builder(&path, buffer).build().unwrap();
        file.give(&record("1")).unwrap();
        file.as_sink().close().unwrap();
        assert_eq!(read(&path), "1\n");
        fs::remove_file(&path).unwrap();
        file.give(&record("2")).unwrap();
        file.flush(&Flush::PLAIN).unwrap();
        assert_eq!(read(&path), "2\n");
    }
}

#[test]
fn t12_no_record_is_lost_while_another_thread_reopens() {
    for buffer in [None, Some(500)] {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let file = builder(&path, buffer).build().unwrap();
        let handle: FileSink = file.as_sink().clone();
        let (error_handler, failures) = ErrorHandler::counting();
        let file = NamedHandler::with_error_handler("file", file, error_handler);
        let moved = |number: usize| dir.path(&format!("app.log.{number}"));
        std::thread::scope(|scope| {
            scope.spawn(|| (0..3_000).for_each(|number| file.emit(&record(&format!("{number:05}")))));
            for number in 0..20 {
                fs::rename(&path, moved(number)).unwrap();
                handle.reopen().unwrap();
            }
        });
        file.flush().unwrap();
        assert_eq!((file.stats().written, failures.load(Ordering::Relaxed)), (3_000, 0));
        let all: String = (0..20).map(moved).chain([path.clone()]).map(|path| read(&path)).collect();
        assert!(all.lines().eq((0..3_000).map(|number| format!("{number:05}"))));
    }
}

// --- beside others

#[test]
fn t41_a_file_serves_fmt_and_tracing_appender() {
    for buffer in [None, Some(100)] {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let sink = builder(&path, buffer).build_sink().unwrap();
        let fmt = || tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false);
        tracing::subscriber::with_default(fmt().with_writer(sink.clone()).finish(), || info!("through fmt"));
        let (appender, guard) = tracing_appender::non_blocking(sink.clone());
        tracing::subscriber::with_default(fmt().with_writer(appender).finish(), || {
            info!("through an appender");
            info!("twice");
        });
        drop(guard);
        Write::flush(&mut &sink).unwrap();
        assert_eq!(read(&path), " INFO through fmt\n INFO through an appender\n INFO twice\n");
    }
}
