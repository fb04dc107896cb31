//! After a fork, parent and child both log, and nothing is there twice.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::Path,
    process,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fork::{Fork, fork, waitpid};
use rustix::process::{Pid, Signal, WaitOptions, kill_process};
use tracing::{debug, error, info, info_span};
use tracing_strata::{
    Delivery, Error, FlightRecorder, Handler, HandlerExt as _, Loggers, MemoryBuffer, Outcome, Queue, Severity,
    SpanContextLayer, current_traceparent,
    filter::RateLimit,
    format::SyslogFormat,
    handler::queue::Overflow,
    ledger,
    output::{LogFile, RotatingFile, Socket, Stream},
    record::{TraceParent, request_id},
    shutdown,
    sink::{
        Durability, RotatedFile,
        net::{Address, Connection},
    },
};
use tracing_subscriber::prelude::*;

use super::{as_child, command, run};
use crate::places::{Bare, Dir};

const RECORDS: usize = 50;
const FILES: [&str; 4] = ["direct", "buffered", "queued", "remembered"];

fn hold_back(dir: &Path) {
    let file = |name: &str| LogFile::builder(dir.join(name)).buffer(64 << 10).format(Bare).build().unwrap();
    let (queue, guard) = Queue::builder().build_with_guard(file("queued")).unwrap();
    std::mem::forget(guard);
    tracing_subscriber::registry()
        .with(LogFile::builder(dir.join("direct")).build().unwrap().format(Bare).into_layer())
        .with(file("buffered").into_layer())
        .with(queue.into_layer())
        .with(MemoryBuffer::new(10_000).target(file("remembered")).into_layer())
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
                    shutdown::after_fork();
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
fn t15_records_of_a_child_have_its_process_id() {
    const NAME: &str = "exit::forks::t15_records_of_a_child_have_its_process_id";
    as_child(|dir, _| {
        let file = LogFile::builder(dir.join("log")).format(SyslogFormat::rfc5424().host("here")).build().unwrap();
        tracing_subscriber::registry().with(file.into_layer()).init();
        info!("{}", process::id());
        match fork().unwrap() {
            Fork::Child => info!("{}", process::id()),
            Fork::Parent(pid) => drop(waitpid(pid).unwrap()),
        }
        info!("{}", process::id());
        process::exit(0);
    });
    let left = run(NAME, "");
    let text = fs::read_to_string(left.dir.path("log")).unwrap();
    let ids: Vec<(&str, &str)> = text
        .lines()
        .map(|line| (line.split(' ').nth(4).unwrap(), line.rsplit(' ').next().unwrap().trim_start_matches('\u{feff}')))
        .collect();
    // Parent, twice the child, parent.
    assert!(ids.len() == 4 && ids.iter().all(|(found, made)| found == made), "{text}");
    assert!(ids[0] == ids[3] && ids[1] == ids[2] && ids[0] != ids[1], "{text}");
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
fn a_child_draws_other_ids_than_its_parent() {
    const NAME: &str = "exit::forks::a_child_draws_other_ids_than_its_parent";
    as_child(|dir, mode| {
        tracing_subscriber::registry().with(SpanContextLayer::new().trace_ids()).init();
        let draw = || match mode {
            "request" => request_id(None).into_owned(),
            "trace" => TraceParent::random().to_string(),
            _ => info_span!("root").in_scope(|| current_traceparent().unwrap().to_string()),
        };
        // The generator of this thread is in use.
        let before = draw();
        match fork().unwrap() {
            Fork::Child => fs::write(dir.join("child"), draw()).unwrap(),
            Fork::Parent(pid) => {
                waitpid(pid).unwrap();
                fs::write(dir.join("parent"), draw()).unwrap();
                assert_ne!(before, draw());
            }
        }
        process::exit(0);
    });
    for mode in ["request", "trace", "span"] {
        let left = run(NAME, mode);
        let drawn = |name: &str| fs::read_to_string(left.dir.path(name)).unwrap();
        assert_ne!(drawn("child"), drawn("parent"), "{mode}: {}", left.stderr());
    }
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

/// Forks while four threads log all the time, and gives how many of the children hang, or fail in what they do.
fn fork_in_the_midst(forks: usize, noise: &(dyn Fn() + Sync), child: impl Fn(usize) -> bool) -> (usize, usize) {
    static IS_DONE: AtomicBool = AtomicBool::new(false);
    // A thread that is beginning in the parent has a lock of the standard library's, without which a child can start none.
    let has_begun = Barrier::new(5);
    let (mut hung, mut failed) = (0, 0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                noise();
                has_begun.wait();
                while !IS_DONE.load(Ordering::Relaxed) {
                    noise();
                }
            });
        }
        tracing_strata::flush_all().unwrap_or_default();
        has_begun.wait();
        // Several at a time: one that waits for a lock of the parent's holds up nobody else.
        let mut alive: Vec<(Pid, Instant)> = Vec::new();
        let mut number = 0;
        while number < forks || !alive.is_empty() {
            while number < forks && alive.len() < 8 {
                number += 1;
                match fork().unwrap() {
                    Fork::Child => {
                        let is_done = child(number);
                        // As C's `_exit`: nothing is flushed any more.
                        shutdown::set_exit_timeout(Duration::ZERO);
                        process::exit(if is_done { 0 } else { 9 });
                    }
                    Fork::Parent(pid) => alive.push((Pid::from_raw(pid).unwrap(), Instant::now())),
                }
            }
            alive.retain(|(pid, began)| match waitpid_now(*pid) {
                Some(code) => {
                    failed += usize::from(code != Some(0));
                    false
                }
                None if began.elapsed() > HANGS => {
                    hung += 1;
                    kill_process(*pid, Signal::KILL).unwrap();
                    waitpid(pid.as_raw_nonzero().get()).unwrap();
                    false
                }
                None => true,
            });
            thread::sleep(Duration::from_millis(1));
        }
        IS_DONE.store(true, Ordering::Relaxed);
    });
    (hung, failed)
}

/// A child does what takes a moment.
const HANGS: Duration = Duration::from_secs(20);

fn waitpid_now(pid: Pid) -> Option<Option<i32>> {
    rustix::process::waitpid(Some(pid), WaitOptions::NOHANG).unwrap().map(|(_, status)| status.exit_status())
}

fn log_a_little(who: &str, number: usize) {
    let request = info_span!("request", number).entered();
    debug!("{who} {number} 0");
    info!("{who} {number} 1");
    error!("{who} {number} 2");
    drop(request);
    info!("{who} {number} 3");
}

#[test]
fn t15_a_fork_in_the_midst_of_anything_does_not_hang_the_child() {
    const NAME: &str = "exit::forks::t15_a_fork_in_the_midst_of_anything_does_not_hang_the_child";
    const FORKS: usize = 200;
    const LONG: Duration = Duration::from_secs(15);
    as_child(|dir, mode| {
        let file = || LogFile::builder(dir.join("log")).format(Bare).build().unwrap();
        let registry = tracing_subscriber::registry();
        let mut queue = None;
        match mode {
            "queue" | "losses" => {
                let builder = Queue::builder();
                let builder = match mode {
                    "losses" => builder.capacity(2).overflow(Overflow::DropNewest),
                    _ => builder,
                };
                let (handler, guard) = builder.build_with_guard(file()).unwrap();
                registry.with(handler.into_layer()).init();
                queue = Some(guard);
            }
            "recorder" => registry.with(FlightRecorder::new(file()).max_trees(3).into_layer()).init(),
            _ => registry.with(MemoryBuffer::new(20).target(file()).into_layer()).init(),
        }
        let noise = || log_a_little("noise", 0);
        let (hung, failed) = fork_in_the_midst(FORKS, &noise, |number| {
            log_a_little("child", number);
            let Some(guard) = &queue else { return tracing_strata::flush_all().is_ok() };
            guard.stats();
            guard.flush(LONG).is_ok() && guard.shutdown(LONG).is_ok() && shutdown::flush_within(LONG).is_ok()
        });
        fs::write(dir.join("result"), format!("{hung} hang, {failed} failed")).unwrap();
        process::exit(0);
    });
    // All at once: most of the time they wait.
    let modes = ["queue", "losses", "recorder", "memory"];
    let left: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = modes.iter().map(|mode| scope.spawn(move || run(NAME, mode))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (mode, left) in modes.iter().zip(&left) {
        assert_eq!(left.lines("result"), ["0 hang, 0 failed"], "{mode}: {}", left.stderr());
        // What a child was told is written is there.
        let lines = left.lines("log");
        let children = lines.iter().filter(|line| line.starts_with("child ") && line.ends_with(" 2")).count();
        let lost = lines.iter().filter(|line| line.ends_with(" lost")).count();
        assert!(children == FORKS || *mode == "losses" && children + lost >= FORKS, "{mode}: {children}, {lost} lost");
    }
}

/// The same for what is not held while a record is made: levels change, ledgers are read, everything is flushed, a file
/// is rotated, a peer is written to, spans get fields.
#[test]
fn t15_a_fork_in_the_midst_of_other_things_does_not_hang_the_child() {
    const NAME: &str = "exit::forks::t15_a_fork_in_the_midst_of_other_things_does_not_hang_the_child";
    const FORKS: usize = 100;
    as_child(|dir, mode| {
        let registry = tracing_subscriber::registry();
        let loggers = Loggers::parse("trace").unwrap();
        let file = || LogFile::builder(dir.join("log")).format(Bare);
        let (mode, port) = mode.split_once(' ').unwrap();
        match mode {
            "loggers" => registry.with(file().build().unwrap().into_layer().with_filter(loggers.clone())).init(),
            "rotating" => {
                let file = RotatingFile::builder(dir.join("log")).max_bytes(200).backups(3).format(Bare);
                registry.with(file.build().unwrap().into_layer()).init();
            }
            "peer" => {
                let connection = Connection::builder(Address::tcp("127.0.0.1", port.parse().unwrap()));
                let socket = Socket::builder(connection).format(Bare).build_sync().unwrap();
                registry.with(socket.into_layer()).init();
            }
            _ => {
                let writer = Stream::writer(fs::File::create(dir.join("log")).unwrap()).format(Bare);
                registry.with(writer.into_layer()).init();
            }
        }
        let shared = info_span!("shared", state = 0);
        let own = || {
            let _shared = shared.enter();
            shared.record("state", 1);
            log_a_little("any", 0);
            if mode == "loggers" {
                loggers.set_level("some.place", Severity::INFO).unwrap();
                loggers.clear_level("some.place");
            }
            ledger::stats();
            tracing_strata::flush_all().unwrap_or_default();
        };
        let (hung, _) = fork_in_the_midst(FORKS, &own, |_| {
            own();
            shutdown::flush_within(Duration::from_secs(15)).is_ok()
        });
        fs::write(dir.join("result"), format!("{hung} hang")).unwrap();
        shutdown::set_exit_timeout(Duration::ZERO);
        process::exit(0);
    });
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in peer.incoming() {
            thread::spawn(move || std::io::copy(&mut stream.unwrap(), &mut std::io::sink()).unwrap_or(0));
        }
    });
    let modes = ["loggers", "rotating", "peer", "writer"].map(|mode| format!("{mode} {port}"));
    let left: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = modes.iter().map(|mode| scope.spawn(move || run(NAME, mode))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (mode, left) in modes.iter().zip(&left) {
        assert_eq!(left.lines("result"), ["0 hang"], "{mode}: {}", left.stderr());
    }
}

/// A buffer that is written by the clock is so in a child, too, which has not got the thread for it.
#[test]
fn t15_a_child_syncs_by_the_clock() {
    const NAME: &str = "exit::forks::t15_a_child_syncs_by_the_clock";
    as_child(|dir, _| {
        let durability = Durability::system().sync_interval(Duration::from_millis(1));
        let file = LogFile::builder(dir.join("log")).buffer(64 << 10).durability(durability).format(Bare);
        tracing_subscriber::registry().with(file.build().unwrap().into_layer()).init();
        match fork().unwrap() {
            Fork::Child => {
                info!("child");
                let began = Instant::now();
                while fs::read_to_string(dir.join("log")).unwrap().is_empty() && began.elapsed() < HANGS {
                    thread::sleep(Duration::from_millis(1));
                }
                shutdown::set_exit_timeout(Duration::ZERO);
            }
            Fork::Parent(pid) => drop(waitpid(pid).unwrap()),
        }
        process::exit(0);
    });
    assert_eq!(run(NAME, "").lines("log"), ["child"]);
}

/// What is done with a rotated file is done in a child, too, although its parent's thread for that is busy.
#[test]
fn t15_a_child_sees_to_the_files_it_rotates() {
    const NAME: &str = "exit::forks::t15_a_child_sees_to_the_files_it_rotates";
    as_child(|dir, _| {
        let (parent, busy, seen) = (process::id(), dir.join("busy"), dir.join("seen"));
        let wait_for = |path: &Path| {
            let began = Instant::now();
            while !path.exists() && began.elapsed() < HANGS {
                thread::sleep(Duration::from_millis(1));
            }
        };
        let told = {
            let (busy, seen) = (busy.clone(), seen.clone());
            move |_: &RotatedFile| {
                if process::id() != parent {
                    return fs::write(&seen, "").unwrap();
                }
                fs::write(&busy, "").unwrap();
                loop {
                    thread::park();
                }
            }
        };
        let file = RotatingFile::builder(dir.join("log")).max_bytes(20).backups(9).on_rotation(told).format(Bare);
        tracing_subscriber::registry().with(file.build().unwrap().into_layer()).init();
        log("parent");
        wait_for(&busy);
        match fork().unwrap() {
            Fork::Child => {
                log("child");
                wait_for(&seen);
            }
            Fork::Parent(pid) => drop(waitpid(pid).unwrap()),
        }
        shutdown::set_exit_timeout(Duration::ZERO);
        process::exit(0);
    });
    assert!(run(NAME, "").dir.path("seen").exists());
}

/// Losses of the parent's that its log has not told yet are not the child's.
#[test]
fn t15_losses_are_told_by_the_process_that_had_them() {
    const NAME: &str = "exit::forks::t15_losses_are_told_by_the_process_that_had_them";
    static IS_CLOSED: AtomicBool = AtomicBool::new(true);
    static HAS_ONE: AtomicBool = AtomicBool::new(false);
    struct Gate<H>(H);
    impl<H: Handler> Handler for Gate<H> {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            HAS_ONE.store(true, Ordering::SeqCst);
            while IS_CLOSED.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            self.0.handle(record)
        }
    }
    as_child(|dir, _| {
        let file = LogFile::builder(dir.join("log")).format(Bare).build().unwrap();
        let (queue, guard) =
            Queue::builder().capacity(3).overflow(Overflow::DropNewest).build_with_guard(Gate(file)).unwrap();
        tracing_subscriber::registry().with(queue.into_layer()).init();
        info!("first");
        while !HAS_ONE.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        (0..7).for_each(|number| info!("{number}"));
        match fork().unwrap() {
            Fork::Child => {
                IS_CLOSED.store(false, Ordering::SeqCst);
                let before = guard.stats();
                info!("child");
                let flushed = shutdown::flush_within(Duration::from_secs(60)).is_ok();
                let lost = (before.lost.total(), before.depth, guard.stats().lost.total());
                fs::write(dir.join("child"), format!("{lost:?} {flushed}")).unwrap();
            }
            Fork::Parent(pid) => {
                waitpid(pid).unwrap();
                IS_CLOSED.store(false, Ordering::SeqCst);
                guard.shutdown(Duration::from_secs(60)).unwrap();
                fs::write(dir.join("parent"), guard.stats().lost.total().to_string()).unwrap();
            }
        }
        process::exit(0);
    });
    let left = run(NAME, "");
    assert_eq!((left.lines("child"), left.lines("parent")), (vec!["(0, 0, 0) true".to_owned()], vec!["5".to_owned()]));
    assert_eq!(left.lines("log"), ["child", "first", "0", "1", "5 records lost"], "{}", left.stderr());
}

/// Failures that the default trap has counted and not told are the parent's to tell.
#[test]
fn t15_failures_are_told_by_the_process_that_had_them() {
    const NAME: &str = "exit::forks::t15_failures_are_told_by_the_process_that_had_them";
    struct Fails;
    impl Handler for Fails {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            Err(Error::new("no"))
        }
    }
    as_child(|_, _| {
        tracing_subscriber::registry().with(Fails.into_layer()).init();
        log("before");
        match fork().unwrap() {
            Fork::Child => info!("child"),
            Fork::Parent(pid) => drop(waitpid(pid).unwrap()),
        }
        process::exit(0);
    });
    let stderr = run(NAME, "").stderr();
    let count = |text: &str| stderr.lines().filter(|line| line.ends_with(text)).count();
    assert_eq!((count(": no"), count(": 49 more failures since the last report")), (1, 1), "{stderr}");
    assert_eq!(count(": 1 more failure since the last report"), 1, "{stderr}");
}

/// What the parent's queue has lost is no answer to who flushes everything in the child, and hides no losses of its own.
#[test]
fn t15_a_child_counts_its_own_losses() {
    const NAME: &str = "exit::forks::t15_a_child_counts_its_own_losses";
    static IS_CLOSED: AtomicBool = AtomicBool::new(true);
    struct Refuses;
    impl Handler for Refuses {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            while IS_CLOSED.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            // Its log does not tell of losses.
            Ok(if record.message().ends_with("lost") { Outcome::Dropped } else { Outcome::Written })
        }
    }
    as_child(|dir, _| {
        let (queue, guard) =
            Queue::builder().capacity(1).overflow(Overflow::DropNewest).build_with_guard(Refuses).unwrap();
        tracing_subscriber::registry().with(queue.into_layer().named("queue")).init();
        let lose = |records: usize| {
            IS_CLOSED.store(true, Ordering::SeqCst);
            let before = guard.stats().lost.total();
            while guard.stats().lost.total() < before + records as u64 {
                info!("a record");
            }
            IS_CLOSED.store(false, Ordering::SeqCst);
            shutdown::flush_within(Duration::from_secs(60)).unwrap_err().to_string()
        };
        let parent = lose(5);
        match fork().unwrap() {
            Fork::Child => {
                let own = lose(3);
                let more = shutdown::flush_within(Duration::from_secs(60)).map_err(|error| error.to_string());
                fs::write(dir.join("child"), format!("{own}\n{more:?}")).unwrap();
                shutdown::set_exit_timeout(Duration::ZERO);
            }
            Fork::Parent(pid) => {
                waitpid(pid).unwrap();
                fs::write(dir.join("parent"), parent).unwrap();
            }
        }
        process::exit(0);
    });
    let left = run(NAME, "");
    assert_eq!(left.lines("parent"), ["handler \"queue\": 5 records were lost"]);
    assert_eq!(left.lines("child"), ["handler \"queue\": 3 records were lost", "Ok(())"]);
}
