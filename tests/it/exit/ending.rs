//! `process::exit`, the end of `main`, `kill -9`; flushing by a flag and while thread-locals are dropped.

use std::{
    cell::RefCell,
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process, thread,
    time::{Duration, Instant},
};

use tracing::{debug, error, info, info_span};
use tracing_strata::{
    Error, FlightRecorder, Handler, Memory, Outcome, Queue, Record,
    exit::{flush_within, request_flush, wait_at_exit},
    filter::RateLimit,
    output::LogFile,
};
use tracing_subscriber::prelude::*;

use super::{as_child, command, is_child, run};
use crate::places::{Bare, Dir};

const RECORDS: usize = 1_000;

/// A buffered file, one behind a queue, one behind a memory: all hold records back. The guard is leaked.
fn hold_back(dir: &Path) {
    let file = |name: &str| LogFile::builder(dir.join(name)).buffer(64 << 10).format(Bare).build().unwrap();
    let (queue, guard) = Queue::builder().spawn(file("queued")).unwrap();
    std::mem::forget(guard);
    tracing_subscriber::registry()
        .with(file("buffered").into_layer())
        .with(queue.into_layer())
        .with(Memory::new(10_000).target(file("remembered")).into_layer())
        .with(FlightRecorder::new(file("recorded")).into_layer())
        .with(file("limited").filter(RateLimit::new(1, Duration::from_secs(3_600))).into_layer())
        .init();
    let _request = info_span!("request").entered();
    debug!("held for ever, and no loss");
    (0..RECORDS).for_each(|number| info!("{number}"));
}

fn end(dir: &Path, mode: &str) {
    hold_back(dir);
    match mode {
        "exit" => process::exit(3),
        "another thread" => thread::spawn(|| process::exit(3)).join().unwrap(),
        "twice" => {
            tracing_strata::flush_all().unwrap();
            process::exit(3)
        }
        _ => {}
    }
}

#[test]
fn t10_after_process_exit_all_records_are_in_the_files() {
    const NAME: &str = "exit::ending::t10_after_process_exit_all_records_are_in_the_files";
    as_child(end);
    if is_child() {
        // The end of the harness's own `main`.
        return;
    }
    for (mode, code) in [("exit", 3), ("another thread", 3), ("twice", 3), ("main", 0)] {
        let left = run(NAME, mode);
        assert_eq!(left.output.status.code(), Some(code), "{mode}: {}", left.stderr());
        let expected: Vec<_> = (0..RECORDS).map(|number| number.to_string()).collect();
        for name in ["buffered", "queued", "remembered"] {
            let lines = left.lines(name);
            let numbers: Vec<_> = lines.iter().filter(|line| !line.starts_with("held")).cloned().collect();
            assert!(numbers == expected, "{mode}: {name}: {} of {RECORDS}", numbers.len());
        }
        assert_eq!(left.lines("recorded").len(), RECORDS);
        assert_eq!(left.lines("limited").last().map(String::as_str), Some("1 … 999 similar"));
        // Nothing was lost, so nothing is said.
        assert_eq!(left.stderr(), "", "{mode}");
    }
}

/// Takes one record, for ever.
struct Stuck;

impl Handler for Stuck {
    fn handle(&self, _: &Record) -> Result<Outcome, Error> {
        loop {
            thread::park();
        }
    }
}

#[test]
fn t10_what_is_lost_at_exit_is_counted() {
    const NAME: &str = "exit::ending::t10_what_is_lost_at_exit_is_counted";
    as_child(|_, mode| {
        let (queue, guard) = Queue::builder().spawn(Stuck).unwrap();
        std::mem::forget(guard);
        tracing_subscriber::registry().with(queue.into_layer().named("stuck")).init();
        (0..7).for_each(|number| info!("{number}"));
        wait_at_exit(Duration::from_millis(if mode == "off" { 0 } else { 100 }));
        process::exit(0);
    });
    let left = run(NAME, "");
    assert!(left.stderr().contains("at exit: 7 records are lost in handler \"stuck\""), "{}", left.stderr());
    assert_eq!(left.output.status.code(), Some(0));
    assert_eq!(run(NAME, "off").stderr(), "");
}

#[test]
fn t17_flushing_has_a_deadline_everywhere() {
    const NAME: &str = "exit::ending::t17_flushing_has_a_deadline_everywhere";
    as_child(|_, _| {
        let (queue, guard) = Queue::builder().spawn(Stuck).unwrap();
        std::mem::forget(guard);
        tracing_subscriber::registry().with(queue.into_layer().named("stuck")).init();
        info!("m");
        let short = Duration::from_millis(50);
        let check = move || assert!(flush_within(short).unwrap_err().to_string().contains("50ms"));
        check();
        let current = tokio::runtime::Builder::new_current_thread().build().unwrap();
        current.block_on(async { check() });
        let several = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        several.block_on(async { tokio::spawn(async move { check() }).await.unwrap() });
        wait_at_exit(Duration::ZERO);
        process::exit(0);
    });
    let left = run(NAME, "");
    assert_eq!(left.output.status.code(), Some(0), "{}", left.stderr());
}

#[test]
fn t14_after_kill_9_what_was_written_is_there() {
    const NAME: &str = "exit::ending::t14_after_kill_9_what_was_written_is_there";
    as_child(|dir, _| {
        let severe = LogFile::builder(dir.join("severe")).buffer(64 << 10).format(Bare).build().unwrap();
        tracing_subscriber::registry()
            .with(LogFile::append(dir.join("direct")).unwrap().format(Bare).into_layer())
            .with(severe.flush_on(tracing_strata::Severity::ERROR).into_layer())
            .init();
        (0..100).for_each(|number| info!("{number}"));
        error!("100");
        info!("101");
        println!("ready");
        std::io::stdout().flush().unwrap();
        loop {
            thread::park();
        }
    });
    let dir = Dir::new();
    let mut child = command(NAME, "", &dir).spawn().unwrap();
    let mut told = String::new();
    let mut out = child.stdout.take().unwrap();
    while !told.contains("ready") {
        let mut some = [0; 100];
        let count = out.read(&mut some).unwrap();
        assert!(count > 0, "{told}");
        told.push_str(std::str::from_utf8(&some[..count]).unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let count = |name: &str| fs::read_to_string(dir.path(name)).unwrap().lines().count();
    // Direct: all; buffered: up to the last severe one.
    assert_eq!((count("direct"), count("severe")), (102, 101));
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// Logs and flushes when the thread's locals are dropped, whichever are gone by then.
struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        info!("last words");
        tracing_strata::flush_all().unwrap();
        flush_within(Duration::from_secs(20)).unwrap();
        request_flush();
    }
}

#[test]
fn t06_a_flush_while_thread_locals_are_dropped_does_not_panic() {
    const NAME: &str = "exit::ending::t06_a_flush_while_thread_locals_are_dropped_does_not_panic";
    as_child(|dir, mode| {
        hold_back(dir);
        let before = mode == "before";
        thread::spawn(move || {
            // Before or after the locals of this crate: they are dropped after or before those.
            if before {
                LAST.set(Some(Last));
            }
            info!("a record");
            if !before {
                LAST.set(Some(Last));
            }
        })
        .join()
        .unwrap();
        LAST.set(Some(Last));
        process::exit(0);
    });
    for mode in ["before", "after"] {
        let left = run(NAME, mode);
        assert_eq!((left.output.status.code(), &*left.stderr()), (Some(0), ""), "{mode}");
        let lines = left.lines("buffered");
        assert_eq!(lines.iter().filter(|line| *line == "a record").count(), 1, "{mode}");
        assert!(lines.iter().filter(|line| *line == "last words").count() >= 1, "{mode}");
    }
}

#[test]
fn t06_a_flush_is_asked_for_by_a_flag() {
    const NAME: &str = "exit::ending::t06_a_flush_is_asked_for_by_a_flag";
    as_child(|dir, _| {
        hold_back(dir);
        request_flush();
        assert_eq!(fs::read_to_string(dir.join("buffered")).unwrap(), "");
        info!("this one starts it");
        let began = Instant::now();
        while !fs::read_to_string(dir.join("buffered")).unwrap().contains("this one") {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody flushed");
            thread::yield_now();
        }
        process::exit(0);
    });
    let left = run(NAME, "");
    assert_eq!((left.output.status.code(), &*left.stderr()), (Some(0), ""));
}
