//! By size.

use std::{fs, io::Write, sync::Arc};

use tracing_strata::{
    Handler, HandlerExt as _, NamedHandler, Outcome, Severity,
    ledger::ErrorHandler,
    output::{LogFile, RotatingFile},
    sink::write_line,
};

use super::{File, files, record, sized, write, write_all};
use crate::{
    places::{Bare, Dir},
    support::Give as _,
};

#[test]
fn rule_15_1_a_file_never_reaches_the_limit() {
    let dir = Dir::new();
    let file = sized(&dir, 20, 3).build().unwrap();
    write_all(&file, &["1234567", "1234567890", "12", "xxxxxxxxxxxxxxxx", "y", "zzzzzzzzzzzzzzzzzz", "w"]);
    let expected = ["app.log: w", "app.log.1: zzzzzzzzzzzzzzzzzz", "app.log.2: xxxxxxxxxxxxxxxx y", "app.log.3: 12"];
    assert_eq!(files(&dir), expected);
    // 8 + 11 were 19 bytes and fit; one more would have been as much as the limit.
    let dir = Dir::new();
    let file = sized(&dir, 20, 3).build().unwrap();
    write_all(&file, &["1234567", "12345678901"]);
    assert_eq!(files(&dir), ["app.log: 12345678901", "app.log.1: 1234567"]);
}

#[test]
fn rule_15_1_bytes_are_counted_not_characters() {
    let dir = Dir::new();
    let file = sized(&dir, 10, 3).build().unwrap();
    write_all(&file, &["äöü", "ä"]);
    assert_eq!(files(&dir), ["app.log: ä", "app.log.1: äöü"]);
}

#[test]
fn t40_rule_15_2_15_11_a_record_longer_than_the_limit_is_written_whole() {
    let dir = Dir::new();
    let file = sized(&dir, 10, 5).build().unwrap();
    let long = "x".repeat(100);
    // An empty file is not rotated for it, and it does not end in a loop.
    write_all(&file, &[&long, "a", "b", &long, &long]);
    let long = |name: &str| format!("{name}: {long}");
    assert_eq!(files(&dir), [long("app.log"), long("app.log.1"), "app.log.2: a b".into(), long("app.log.3")]);
}

#[test]
fn rule_15_3_15_4_all_move_up_and_the_last_is_dropped() {
    let dir = Dir::new();
    let names = ["app.log.4", "app.log.5", "app.log.03", "app.log.x", "app.log.2.bak", "xapp.log.1"];
    for name in names {
        fs::write(dir.path(name), "not ours\n").unwrap();
    }
    let file = sized(&dir, 12, 3).build().unwrap();
    (0..8).for_each(|number| write(&file, &format!("record-{number:02}")));
    let mut expected: Vec<_> = names.iter().map(|name| format!("{name}: not ours")).collect();
    expected.extend(
        ["app.log: record-07", "app.log.1: record-06", "app.log.2: record-05", "app.log.3: record-04"].map(Into::into),
    );
    expected.sort_by(|a, b| a.split(':').next().cmp(&b.split(':').next()));
    assert_eq!(files(&dir), expected);
}

#[test]
fn rule_15_3_gaps_are_left_alone() {
    let dir = Dir::new();
    fs::write(dir.path("app.log.1"), "one\n").unwrap();
    fs::write(dir.path("app.log.3"), "three\n").unwrap();
    let file = sized(&dir, 10, 5).build().unwrap();
    write_all(&file, &["first", "second"]);
    assert_eq!(files(&dir), ["app.log: second", "app.log.1: first", "app.log.2: one", "app.log.4: three"]);
}

#[test]
fn rule_15_5_without_backups_nothing_is_lost() {
    let dir = Dir::new();
    let file = sized(&dir, 12, 0).allow_unbounded(true).build().unwrap();
    write_all(&file, &["record-00", "record-01", "record-02"]);
    file.as_sink().rollover();
    write(&file, "record-03");
    assert_eq!(files(&dir), ["app.log: record-00 record-01 record-02 record-03"]);
}

#[test]
fn what_is_without_effect_is_an_error_that_names_the_way_out() {
    let dir = Dir::new();
    for (builder, expected) in [
        (sized(&dir, 12, 0), "max_bytes 12 without backups: expected backups, a retention or `when`"),
        (sized(&dir, 0, 0).interval(2), "interval 2: expected with `when` only"),
        #[cfg(feature = "gzip")]
        (
            sized(&dir, 0, 0).compression(tracing_strata::sink::Compression::gzip()),
            "a compression without rotated files: expected backups, a retention or `when`",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert!(error.is_config() && error.to_string().contains(expected), "{error}");
    }
    assert!(files(&dir).is_empty());
}

/// Whichever comes first; and what only looks alike is free.
#[test]
fn t37_a_rotated_files_name_is_refused_to_other_handlers() {
    let dir = Dir::new();
    let rotating = sized(&dir, 12, 2).build().unwrap();
    for name in ["app.log.1", "app.log.2", "app.log.2.gz", "app.log.rotating"] {
        let error = LogFile::builder(dir.path(name)).build().unwrap_err();
        let expected = format!("cannot use {}: ", dir.path(name).display());
        assert!(error.is_config() && error.to_string().starts_with(&expected), "{error}");
        assert!(error.to_string().contains(&dir.path("app.log").display().to_string()), "{error}");
        assert!(RotatingFile::builder(dir.path(name)).max_bytes(9).backups(1).build().unwrap_err().is_config());
    }
    for name in ["app.log.3", "app.log.01", "app.log.1.old", "app.log.notes", "other.log.1"] {
        LogFile::builder(dir.path(name)).build().unwrap();
    }
    drop(rotating);
    let one = LogFile::builder(dir.path("app.log.1")).build().unwrap();
    let error = sized(&dir, 12, 2).build().unwrap_err().to_string();
    assert!(error.contains("app.log.1"), "{error}");
    drop(one);
    sized(&dir, 12, 2).build().unwrap();
}

#[test]
fn rule_15_6_15_7_without_a_limit_it_never_rolls_over_and_may_be_truncated() {
    let dir = Dir::new();
    fs::write(dir.path("app.log"), "old\n").unwrap();
    let file = sized(&dir, 0, 3).truncate(true).build().unwrap();
    write_all(&file, &["n".repeat(4000).as_str(), "m"]);
    assert_eq!(files(&dir), [format!("app.log: {} m", "n".repeat(4000))]);
    let dir = Dir::new();
    fs::write(dir.path("app.log"), "old\n").unwrap();
    write(&sized(&dir, 1000, 3).truncate(true).build().unwrap(), "new");
    assert_eq!(files(&dir), ["app.log: old new"]);
}

#[test]
fn rule_15_8_what_is_there_counts() {
    for delay in [false, true] {
        let dir = Dir::new();
        fs::write(dir.path("app.log"), "0123456789012345678901234\n").unwrap();
        fs::write(dir.path("app.log.1"), "older\n").unwrap();
        let file = sized(&dir, 30, 2).open_lazily(delay).build().unwrap();
        write_all(&file, &["first", "second"]);
        let expected = ["app.log: first second", "app.log.1: 0123456789012345678901234", "app.log.2: older"];
        assert_eq!(files(&dir), expected);
    }
}

#[test]
fn rule_15_9_the_namer_makes_every_name() {
    let dir = Dir::new();
    let namer = |name: &std::path::Path| {
        let (base, number) = name.to_str().unwrap().rsplit_once('.').unwrap();
        format!("{}.{number}.log", base.strip_suffix(".log").unwrap()).into()
    };
    let file = sized(&dir, 12, 2).namer(namer).build().unwrap();
    (0..5).for_each(|number| write(&file, &format!("record-{number:02}")));
    assert_eq!(files(&dir), ["app.1.log: record-03", "app.2.log: record-02", "app.log: record-04"]);
}

#[test]
fn rule_15_10_the_rotator_moves_the_file_in_use() {
    let dir = Dir::new();
    let rotator = |from: &std::path::Path, to: &std::path::Path| {
        fs::write(to, fs::read_to_string(from)?.to_uppercase())?;
        fs::remove_file(from)
    };
    let file = sized(&dir, 12, 2).rotator(rotator).build().unwrap();
    (0..5).for_each(|number| write(&file, &format!("record-{number:02}")));
    assert_eq!(files(&dir), ["app.log: record-04", "app.log.1: RECORD-03", "app.log.2: RECORD-02"]);
}

#[test]
fn a_rotator_that_fails_or_panics_loses_nothing() {
    for panics in [false, true] {
        let dir = Dir::new();
        let rotator = move |_: &std::path::Path, _: &std::path::Path| {
            assert!(!panics, "scripted");
            Err(std::io::ErrorKind::PermissionDenied.into())
        };
        let (error_handler, told) = ErrorHandler::counting();
        let file = NamedHandler::with_error_handler(
            "file",
            sized(&dir, 12, 2).rotator(rotator).build().unwrap(),
            error_handler,
        );
        (0..3).for_each(|number| file.emit(&record(&format!("record-{number:02}"))));
        assert_eq!(files(&dir), ["app.log: record-02", "app.log.1: record-01", "app.log.2: record-00"]);
        assert_eq!((file.stats().written, file.stats().failed), (3, 0));
        assert_eq!(told.load(std::sync::atomic::Ordering::Relaxed), 2);
    }
}

#[test]
fn a_rotator_may_log_to_the_very_file_from_another_thread() {
    let dir = Dir::new();
    let (handle_to, handle) = std::sync::mpsc::channel::<tracing_strata::sink::RotatingFileSink>();
    let handle = std::sync::Mutex::new(Some(handle));
    let rotator = move |from: &std::path::Path, to: &std::path::Path| {
        let sink = handle.lock().unwrap().take().map(|handle| handle.recv().unwrap());
        if let Some(sink) = sink {
            // Over the limit: no rotation within one.
            std::thread::spawn(move || (0..5).for_each(|_| (&sink).write_all(b"from the rotator\n").unwrap()))
                .join()
                .unwrap();
        }
        fs::rename(from, to)
    };
    let file = sized(&dir, 20, 9).rotator(rotator).build().unwrap();
    handle_to.send(file.as_sink().clone()).unwrap();
    write_all(&file, &["123456789", "1234567890"]);
    let inner = ["from the rotator"; 5].join(" ");
    assert_eq!(
        files(&dir),
        ["app.log: 1234567890".to_owned(), format!("app.log.1: {inner}"), "app.log.2: 123456789".into()]
    );
}

#[test]
fn rule_15_12_a_rollover_by_hand() {
    let dir = Dir::new();
    let file = sized(&dir, 0, 2).build().unwrap();
    write(&file, "1");
    file.as_sink().rollover();
    assert_eq!(files(&dir), ["app.log:", "app.log.1: 1"]);
    write(&file, "2");
    let dir = Dir::new();
    let file = sized(&dir, 0, 2).open_lazily(true).build().unwrap();
    write(&file, "1");
    file.as_sink().rollover();
    assert_eq!(files(&dir), ["app.log.1: 1"]);
    write(&file, "2");
    assert_eq!(files(&dir), ["app.log: 2", "app.log.1: 1"]);
}

#[cfg(target_os = "linux")]
#[test]
fn rule_15_13_only_regular_files_are_rolled_over() {
    let file: File = RotatingFile::builder("/dev/null").max_bytes(10).backups(3).format(Bare).build().unwrap();
    (0..10).for_each(|_| write(&file, "0123456789"));
    file.as_sink().rollover();
    assert!(!fs::exists("/dev/null.1").unwrap() && !fs::exists("/dev/null.rotating").unwrap());
    assert_eq!(fs::metadata("/dev/null").unwrap().len(), 0);
}

#[test]
fn rule_13_a_file_that_cannot_be_opened_is_an_error_that_names_it() {
    let dir = Dir::new();
    let missing = dir.path("missing/app.log");
    let error = RotatingFile::builder(&missing).max_bytes(10).backups(1).build().unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot find the directory of {}", missing.display())), "{error}");
    assert!(error.to_string().ends_with("; create_dirs creates it"), "{error}");
    RotatingFile::builder(&missing).max_bytes(10).backups(1).create_dirs(true).build().unwrap();
    // Delayed: the failure is that of the record.
    let later = dir.path("later/app.log");
    let file = RotatingFile::builder(&later).max_bytes(10).backups(1).open_lazily(true).format(Bare).build().unwrap();
    assert!(file.give(&record("x")).is_err());
    fs::create_dir(dir.path("later")).unwrap();
    write(&file, "x");
    assert_eq!(fs::read_to_string(later).unwrap(), "x\n");
}

#[test]
fn rule_13_6_after_close_the_next_record_opens_it_again() {
    let dir = Dir::new();
    let file = sized(&dir, 12, 2).build().unwrap();
    write(&file, "record-00");
    file.as_sink().close().unwrap();
    write(&file, "record-01");
    assert_eq!(files(&dir), ["app.log: record-01", "app.log.1: record-00"]);
}

#[test]
fn a_buffer_counts_and_is_written_before_the_rotation() {
    let dir = Dir::new();
    let file = sized(&dir, 25, 3).buffer(64 << 10).flush_on(Severity::ERROR).build().unwrap();
    let sink = file.as_sink().clone();
    let file = file.named("file");
    (0..3).for_each(|number| file.emit(&record(&format!("record-{number:02}"))));
    assert_eq!(files(&dir), ["app.log:", "app.log.1: record-00 record-01"]);
    assert_eq!((file.stats().written, file.stats().queued), (2, 1));
    file.flush().unwrap();
    assert_eq!(files(&dir)[0], "app.log: record-02");
    // On nobody's account: two handles.
    write_line(&sink, b"x\n").unwrap();
    file.emit(&record("record-03"));
    drop((file, sink));
    assert_eq!(files(&dir), ["app.log: record-02 x record-03", "app.log.1: record-00 record-01"]);
}

#[test]
fn lines_of_many_threads_are_each_in_one_file_and_none_is_too_long() {
    // T37.
    for buffer in [None, Some(500)] {
        let dir = Dir::new();
        let builder = sized(&dir, 1000, 10_000);
        let file = match buffer {
            Some(bytes) => builder.buffer(bytes).build().unwrap(),
            None => builder.build().unwrap(),
        };
        let (error_handler, told) = ErrorHandler::counting();
        let file = NamedHandler::with_error_handler("file", file, error_handler);
        std::thread::scope(|scope| {
            for thread in 0..32 {
                let file = &file;
                scope.spawn(move || (0..60).for_each(|number| file.emit(&record(&format!("{thread:02}-{number:03}")))));
            }
        });
        file.flush().unwrap();
        assert_eq!((file.stats().written, told.load(std::sync::atomic::Ordering::Relaxed)), (32 * 60, 0));
        let mut lines = Vec::new();
        let mut full = 0;
        for entry in fs::read_dir(dir.path("")).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.len() < 1000, "{path:?}: {}", text.len());
            full += usize::from(text.len() == 994);
            lines.extend(text.lines().map(str::to_owned));
        }
        lines.sort();
        let expected: Vec<_> =
            (0..32).flat_map(|thread| (0..60).map(move |number| format!("{thread:02}-{number:03}"))).collect();
        assert!(lines == expected);
        // 142 lines of 7 bytes each: exact counts, also with many threads.
        assert_eq!(full, 32 * 60 / 142);
    }
}

#[test]
fn t37_two_handlers_of_one_path_share_it_or_are_refused() {
    let dir = Dir::new();
    let first = sized(&dir, 30, 3).build().unwrap();
    let second = sized(&dir, 30, 3).build().unwrap();
    for number in 0..6 {
        write(if number % 2 == 0 { &first } else { &second }, &format!("record-{number:02}"));
    }
    let expected = ["app.log: record-04 record-05", "app.log.1: record-02 record-03", "app.log.2: record-00 record-01"];
    assert_eq!(files(&dir), expected);
    let error = sized(&dir, 31, 3).build().unwrap_err();
    assert!(error.is_config() && error.to_string().contains("another max_bytes"), "{error}");
    assert!(LogFile::builder(dir.path("app.log")).build().unwrap_err().is_config());
    drop((first, second));
    sized(&dir, 31, 3).build().unwrap();
}

#[test]
fn a_file_moved_away_from_outside_is_opened_again_and_not_rotated() {
    let dir = Dir::new();
    let file = sized(&dir, 20, 3).build().unwrap();
    write(&file, "record-00");
    fs::rename(dir.path("app.log"), dir.path("moved")).unwrap();
    file.as_sink().reopen().unwrap();
    write(&file, "record-01");
    // Without a word: noticed when it is full.
    fs::rename(dir.path("app.log"), dir.path("again")).unwrap();
    write(&file, "record-02");
    write(&file, "record-03");
    let expected = ["again: record-01", "app.log: record-03", "app.log.1: record-02", "moved: record-00"];
    assert_eq!(files(&dir), expected);
}

#[test]
fn a_file_truncated_from_outside_counts_anew() {
    let dir = Dir::new();
    let file = sized(&dir, 30, 3).build().unwrap();
    write_all(&file, &["record-00", "record-01"]);
    fs::File::options().write(true).open(dir.path("app.log")).unwrap().set_len(0).unwrap();
    write_all(&file, &["record-02", "record-03", "record-04"]);
    assert_eq!(files(&dir), ["app.log: record-04", "app.log.1: record-02 record-03"]);
}

#[cfg(unix)]
#[test]
fn the_latest_link_leads_to_the_file_in_use() {
    let dir = Dir::new();
    let file = sized(&dir, 12, 1).latest(dir.path("latest")).build().unwrap();
    assert_eq!(fs::read_link(dir.path("latest")).unwrap().to_str(), Some("app.log"));
    fs::remove_file(dir.path("latest")).unwrap();
    write_all(&file, &["record-00", "record-01"]);
    assert_eq!(fs::read_to_string(dir.path("latest")).unwrap(), "record-01\n");
    drop(file);
    // What is no link is left alone.
    fs::remove_file(dir.path("latest")).unwrap();
    fs::write(dir.path("latest"), "mine\n").unwrap();
    let (error_handler, told) = ErrorHandler::counting();
    let file = NamedHandler::with_error_handler(
        "f",
        sized(&dir, 100, 1).latest(dir.path("latest")).build().unwrap(),
        error_handler,
    );
    file.emit(&record("x"));
    assert_eq!(told.load(std::sync::atomic::Ordering::Relaxed), 1);
    drop(file);
    assert_eq!(fs::read_to_string(dir.path("latest")).unwrap(), "mine\n");
}

#[test]
fn it_serves_fmt_and_tracing_appender() {
    let dir = Dir::new();
    let sink = sized(&dir, 24, 9).build_sink().unwrap();
    let fmt = || tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false);
    tracing::subscriber::with_default(fmt().with_writer(sink.clone()).finish(), || tracing::info!("through fmt"));
    let (appender, guard) = tracing_appender::non_blocking(sink.clone());
    tracing::subscriber::with_default(fmt().with_writer(appender).finish(), || {
        tracing::info!("appended");
        tracing::info!("twice");
    });
    drop(guard);
    assert_eq!(files(&dir), ["app.log:  INFO twice", "app.log.1:  INFO appended", "app.log.2:  INFO through fmt"]);
}

#[test]
fn a_handler_that_is_asked_for_more_is_a_handler() {
    let dir = Dir::new();
    let file = Arc::new(sized(&dir, 100, 1).build().unwrap());
    assert_eq!(file.give(&record("x")).unwrap(), Outcome::Written);
    assert!(file.describe().name.ends_with("app.log"));
}
