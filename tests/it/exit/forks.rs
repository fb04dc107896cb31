//! After a fork, parent and child both log, and nothing is there twice.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use fork::{Fork, fork, waitpid};
use tracing::{debug, error, info, info_span};
use tracing_strata::{FlightRecorder, Handler as _, Memory, Queue, exit, filter::RateLimit, output::LogFile};
use tracing_subscriber::prelude::*;

use super::{as_child, command, run};
use crate::places::{Bare, Dir};

const RECORDS: usize = 50;
const FILES: [&str; 4] = ["direct", "buffered", "queued", "remembered"];

fn hold_back(dir: &Path) {
    let file = |name: &str| LogFile::builder(dir.join(name)).buffer(64 << 10).format(Bare).build().unwrap();
    let (queue, guard) = Queue::builder().spawn(file("queued")).unwrap();
    std::mem::forget(guard);
    tracing_subscriber::registry()
        .with(LogFile::append(dir.join("direct")).unwrap().format(Bare).into_layer())
        .with(file("buffered").into_layer())
        .with(queue.into_layer())
        .with(Memory::new(10_000).target(file("remembered")).into_layer())
        .with(FlightRecorder::new(file("recorded")).into_layer())
        .with(file("limited").filter(RateLimit::new(1, Duration::from_secs(3_600))).into_layer())
        .init();
}

fn log(who: &str) {
    (0..RECORDS).for_each(|number| info!("{who} {number}"));
}

fn count(dir: &Dir, name: &str) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(dir.path(name)).unwrap_or_default();
    text.lines().fold(BTreeMap::new(), |mut lines, line| {
        *lines.entry(line.to_owned()).or_default() += 1;
        lines
    })
}

fn expected(who: &[&str]) -> BTreeMap<String, usize> {
    who.iter().flat_map(|who| (0..RECORDS).map(move |number| (format!("{who} {number}"), 1))).collect()
}

#[test]
fn t15_after_a_fork_both_log_and_nothing_is_doubled() {
    const NAME: &str = "exit::forks::t15_after_a_fork_both_log_and_nothing_is_doubled";
    as_child(|dir, mode| {
        hold_back(dir);
        // In a tree of its own, which both may release.
        let request = info_span!("request").entered();
        debug!("remembered before");
        log("before");
        match fork().unwrap() {
            Fork::Child => {
                if mode == "told" {
                    exit::after_fork();
                }
                log("child");
                match fork().unwrap() {
                    Fork::Child => log("grandchild"),
                    Fork::Parent(pid) => drop(waitpid(pid).unwrap()),
                }
            }
            Fork::Parent(pid) => {
                log("parent");
                error!("released");
                waitpid(pid).unwrap();
            }
        }
        drop(request);
        process::exit(0);
    });
    for mode in ["", "told"] {
        let left = run(NAME, mode);
        assert_eq!((left.output.status.code(), &*left.stderr()), (Some(0), ""), "{mode}");
        for name in FILES {
            let mut lines = count(&left.dir, name);
            assert_eq!(
                (lines.remove("released"), lines.remove("remembered before")),
                (Some(1), Some(1)),
                "{name}, {mode}"
            );
            assert_eq!(lines, expected(&["before", "child", "grandchild", "parent"]), "{name}, {mode}");
        }
        assert_eq!(count(&left.dir, "recorded").get("remembered before"), Some(&1), "{mode}");
        let summaries = left.lines("limited").iter().filter(|line| line.contains("similar")).count();
        assert_eq!(summaries, 3, "{:?}", left.lines("limited"));
    }
}

#[test]
fn t15_a_child_that_logs_nothing_writes_nothing() {
    const NAME: &str = "exit::forks::t15_a_child_that_logs_nothing_writes_nothing";
    as_child(|dir, _| {
        hold_back(dir);
        log("before");
        match fork().unwrap() {
            Fork::Child => process::exit(0),
            Fork::Parent(pid) => drop(waitpid(pid).unwrap()),
        }
        process::exit(0);
    });
    let left = run(NAME, "");
    for name in FILES {
        assert_eq!(count(&left.dir, name), expected(&["before"]), "{name}");
    }
}

#[test]
fn t15_a_fork_while_other_threads_log_does_not_hang_the_child() {
    const NAME: &str = "exit::forks::t15_a_fork_while_other_threads_log_does_not_hang_the_child";
    static IS_DONE: AtomicBool = AtomicBool::new(false);
    as_child(|dir, _| {
        let file = LogFile::builder(dir.join("log")).buffer(300).format(Bare).build().unwrap();
        tracing_subscriber::registry().with(file.into_layer()).init();
        thread::scope(|scope| {
            scope.spawn(|| {
                while !IS_DONE.load(Ordering::Relaxed) {
                    info!("noise");
                }
            });
            for number in 0..40 {
                match fork().unwrap() {
                    Fork::Child => {
                        info!("child {number}");
                        process::exit(0)
                    }
                    Fork::Parent(pid) => drop(waitpid(pid).unwrap()),
                }
            }
            IS_DONE.store(true, Ordering::Relaxed);
        });
        process::exit(0);
    });
    let dir = Dir::new();
    let mut child = command(NAME, "", &dir).spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "a child hangs");
        thread::sleep(Duration::from_millis(5));
    }
    let lines = count(&dir, "log");
    let children = lines.iter().filter(|(line, count)| line.starts_with("child ") && **count == 1).count();
    assert_eq!(children, 40, "{lines:?}");
}

#[test]
fn t16_a_daemon_logs() {
    const NAME: &str = "exit::forks::t16_a_daemon_logs";
    as_child(|dir, _| {
        hold_back(dir);
        log("before");
        // The first process ends without a word (`_exit`): what it holds is to be written before.
        tracing_strata::flush_all().unwrap();
        match fork::daemon(false, false).unwrap() {
            Fork::Parent(_) => {}
            Fork::Child => {
                log("daemon");
                tracing_strata::flush_all().unwrap();
                fs::write(dir.join("done"), "").unwrap();
            }
        }
        process::exit(0);
    });
    let left = run(NAME, "");
    let began = Instant::now();
    while !left.dir.path("done").exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "the daemon hangs");
        thread::sleep(Duration::from_millis(5));
    }
    for name in FILES {
        assert_eq!(count(&left.dir, name), expected(&["before", "daemon"]), "{name}");
    }
}
