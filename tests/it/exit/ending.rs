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
    Delivery, Error, FlightRecorder, Flush, Handler, HandlerExt as _, MemoryBuffer, Outcome, Queue, Tee,
    filter::RateLimit,
    handler::queue::Overflow,
    output::{LogFile, Null},
    shutdown::{flush_within, request_flush, set_exit_timeout},
};
use tracing_subscriber::prelude::*;

use super::{as_child, command, is_child, run};
use crate::places::{Bare, Dir};

const RECORDS: usize = 1_000;

/// A buffered file, one behind a queue, one behind a memory: all hold records back. The guard is leaked.
fn hold_back(dir: &Path) {
    let file = |name: &str| LogFile::builder(dir.join(name)).buffer(64 << 10).format(Bare).build().unwrap();
    let (queue, guard) = Queue::builder().build_with_guard(file("queued")).unwrap();
    std::mem::forget(guard);
    tracing_subscriber::registry()
        .with(file("buffered").into_layer())
        .with(queue.into_layer())
        .with(MemoryBuffer::new(10_000).target(file("remembered")).into_layer())
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
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        loop {
            thread::park();
        }
    }
}

#[test]
fn t10_what_is_lost_at_exit_is_counted() {
    const NAME: &str = "exit::ending::t10_what_is_lost_at_exit_is_counted";
    as_child(|_, mode| {
        let (queue, guard) = Queue::builder().build_with_guard(Stuck).unwrap();
        std::mem::forget(guard);
        tracing_subscriber::registry().with(queue.into_layer().named("stuck")).init();
        (0..7).for_each(|number| info!("{number}"));
        set_exit_timeout(Duration::from_millis(if mode == "off" { 0 } else { 100 }));
        process::exit(0);
    });
    let left = run(NAME, "");
    assert!(left.stderr().contains("at exit: 7 records are lost in handler \"stuck\""), "{}", left.stderr());
    assert_eq!(left.output.status.code(), Some(0));
    assert_eq!(run(NAME, "off").stderr(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn t13_flush_all_tells_of_what_was_lost_before() {
    const NAME: &str = "exit::ending::t13_flush_all_tells_of_what_was_lost_before";
    as_child(|dir, mode| {
        let told = match mode {
            "full" => {
                let file = LogFile::builder("/dev/full").format(Bare).build().unwrap();
                tracing_subscriber::registry().with(file.into_layer().named("full")).init();
                "handler \"full\": 3 records were lost"
            }
            "behind a queue" => {
                let file = LogFile::builder("/dev/full").format(Bare).build().unwrap();
                let (queue, guard) = Queue::builder().build_with_guard(file).unwrap();
                std::mem::forget(guard);
                tracing_subscriber::registry().with(queue.into_layer().named("full")).init();
                "handler \"full\": 3 records were lost"
            }
            "too late" => {
                let (queue, guard) = Queue::builder().build_with_guard(Null).unwrap();
                drop(guard);
                tracing_subscriber::registry().with(queue.into_layer().named("shut")).init();
                "handler \"shut\": 3 records were lost"
            }
            _ => {
                // The log itself tells of what its policy gave up.
                let file = LogFile::builder(dir.join("app.log")).format(Bare).build().unwrap();
                let queue = Queue::builder().capacity(2).overflow(Overflow::DropNewest);
                let (queue, guard) = queue.build_with_guard(file).unwrap();
                std::mem::forget(guard);
                tracing_subscriber::registry().with(queue.into_layer().named("app")).init();
                ""
            }
        };
        (0..3).for_each(|number| error!("{number}"));
        match told {
            "" => tracing_strata::flush_all().unwrap(),
            _ => assert_eq!(tracing_strata::flush_all().unwrap_err().to_string(), told),
        }
        // Said once; the next time only what is new.
        tracing_strata::flush_all().unwrap();
        if mode == "full" {
            error!("another one");
            let error = tracing_strata::shutdown::flush_within(Duration::from_secs(60)).unwrap_err();
            assert_eq!(error.to_string(), "handler \"full\": 1 record was lost");
        }
        process::exit(7);
    });
    for mode in ["full", "behind a queue", "too late", "policy"] {
        let left = run(NAME, mode);
        assert_eq!(left.output.status.code(), Some(7), "{mode}: {}", left.stderr());
    }
}

#[test]
fn t13_losses_that_no_log_tells_of_are_counted_at_exit() {
    const NAME: &str = "exit::ending::t13_losses_that_no_log_tells_of_are_counted_at_exit";
    as_child(|_, mode| {
        let queue =
            Queue::builder().capacity(2).overflow(Overflow::DropNewest).flush_timeout(Duration::from_millis(50));
        let (queue, guard) = match mode {
            "early" => queue.build_with_guard(Null).unwrap(),
            _ => queue.build_with_guard(Stuck).unwrap(),
        };
        let layer = queue.into_layer().named("app");
        tracing_subscriber::registry().with(layer).init();
        set_exit_timeout(Duration::from_millis(200));
        if mode == "early" {
            drop(guard);
            (0..1_000).for_each(|number| error!("{number}"));
        } else {
            (0..1_000).for_each(|number| error!("{number}"));
            if mode == "shutdown" {
                // The default trap tells of this, and so would hold back what comes within ten seconds; the end passes.
                tracing_strata::flush_all().unwrap_err();
                guard.shutdown(Duration::from_millis(1)).unwrap_err();
                // Nothing new.
                guard.shutdown(Duration::from_millis(1)).unwrap_err();
            }
            std::mem::forget(guard);
        }
        process::exit(0);
    });
    for mode in ["early", "stuck", "shutdown"] {
        let told = run(NAME, mode).stderr();
        let lost = |count: u32| told.contains(&format!("at exit: {count} records are lost in handler \"app\""));
        // Where the listener comes late, the queue's own notice of what overflowed is stuck, too.
        assert!(lost(1000) || (mode != "early" && lost(1001)), "{mode}: {told}");
        assert_eq!(told.contains("came after the shutdown"), mode == "early", "{told}");
        let ends = told.matches("queue \"app\": shutdown: ").count();
        assert_eq!(ends, usize::from(mode == "shutdown"), "{told}");
    }
}

/// Works until it gets a record that says what to do.
struct Told;

impl Handler for Told {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        match record.message() {
            "hang" => loop {
                thread::park();
            },
            "exit" => process::exit(9),
            _ => Ok(Outcome::Written),
        }
    }
}

#[test]
fn t10_a_stuck_queue_costs_other_handlers_nothing() {
    const NAME: &str = "exit::ending::t10_a_stuck_queue_costs_other_handlers_nothing";
    as_child(|dir, mode| {
        let file = |name: &str| LogFile::builder(dir.join(name)).buffer(64 << 10).format(Bare).build().unwrap();
        let queue = |handler: Box<dyn Handler>| {
            let (queue, guard) = Queue::builder().build_with_guard(handler).unwrap();
            std::mem::forget(guard);
            queue
        };
        tracing_subscriber::registry()
            .with(file("before").into_layer())
            .with(queue(file("queued before").boxed()).into_layer())
            .with(queue(Stuck.boxed()).into_layer().named("stuck"))
            .with(queue(file("queued after").boxed()).into_layer())
            .with(file("after").into_layer())
            .init();
        (0..100).for_each(|number| info!("{number}"));
        let deadline = Duration::from_secs(4);
        if mode == "within" {
            let told = flush_within(deadline).unwrap_err().to_string();
            assert!(told.contains("within 4s") && told.contains("100 records not written"), "{told}");
            set_exit_timeout(Duration::ZERO);
        } else {
            set_exit_timeout(deadline);
        }
        process::exit(3);
    });
    for mode in ["exit", "within"] {
        let left = run(NAME, mode);
        assert_eq!(left.output.status.code(), Some(3), "{}", left.stderr());
        for name in ["before", "queued before", "queued after", "after"] {
            assert_eq!(left.lines(name).len(), 100, "{mode}: {name}");
        }
        let told = left.stderr().contains("at exit: 100 records are lost in handler \"stuck\"");
        assert_eq!(told, mode == "exit", "{}", left.stderr());
    }
}

#[test]
fn t10_what_a_file_behind_a_stuck_queue_took_is_written() {
    const NAME: &str = "exit::ending::t10_what_a_file_behind_a_stuck_queue_took_is_written";
    as_child(|dir, mode| {
        let file = || LogFile::builder(dir.join("log")).buffer(64 << 10).format(Bare).build().unwrap();
        let (queue, guard) = match mode {
            "tee" => Queue::builder().build_with_guard(Tee::new().with("file", file()).with("told", Told)).unwrap(),
            _ => Queue::builder().build_with_guard(Both(file(), Told)).unwrap(),
        };
        std::mem::forget(guard);
        tracing_subscriber::registry().with(queue.into_layer().named("app")).init();
        (0..100).for_each(|number| info!("{number}"));
        info!("hang");
        (0..10).for_each(|_| info!("never"));
        set_exit_timeout(Duration::from_secs(4));
        process::exit(3);
    });
    for mode in ["tee", "one"] {
        let left = run(NAME, mode);
        let lines = left.lines("log");
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (101, Some("hang")), "{mode}: {}", left.stderr());
        assert!(left.stderr().contains("lost in handler \"app\""), "{}", left.stderr());
    }
}

/// A handler of a user's, in one piece.
struct Both<A, B>(A, B);

impl<A: Handler, B: Handler> Handler for Both<A, B> {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        let mut both = record.split();
        both.to(&self.0);
        both.last(&self.1)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.0.flush(how).and(self.1.flush(how))
    }
}

#[test]
fn t17_an_exit_in_a_handler_behind_a_queue_does_not_wait_for_itself() {
    const NAME: &str = "exit::ending::t17_an_exit_in_a_handler_behind_a_queue_does_not_wait_for_itself";
    as_child(|dir, _| {
        let file = |name: &str| LogFile::builder(dir.join(name)).buffer(64 << 10).format(Bare).build().unwrap();
        let tee = Tee::new().with("behind", file("behind")).with("told", Told);
        let (queue, guard) = Queue::builder().flush_timeout(Duration::from_secs(3_600)).build_with_guard(tee).unwrap();
        std::mem::forget(guard);
        let beside = file("beside").into_layer();
        tracing_subscriber::registry().with(beside).with(queue.into_layer().named("app")).init();
        set_exit_timeout(Duration::from_secs(3_600));
        (0..100).for_each(|number| info!("{number}"));
        info!("exit");
        loop {
            thread::park();
        }
    });
    let left = run(NAME, "");
    assert_eq!(left.output.status.code(), Some(9), "{}", left.stderr());
    assert_eq!((left.lines("beside").len(), left.lines("behind").len()), (101, 101));
    let told = left.stderr();
    assert!(
        told.contains("at exit: 1 record is lost in handler \"app\"") && told.contains("the queue's own thread"),
        "{told}"
    );
}

#[test]
fn t17_flushing_has_a_deadline_everywhere() {
    const NAME: &str = "exit::ending::t17_flushing_has_a_deadline_everywhere";
    as_child(|_, _| {
        let (queue, guard) = Queue::builder().build_with_guard(Stuck).unwrap();
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
        set_exit_timeout(Duration::ZERO);
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
            .with(LogFile::builder(dir.join("direct")).build().unwrap().format(Bare).into_layer())
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
