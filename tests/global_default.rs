//! What only shows under the process's one global subscriber: values and handlers that log while they are logged.
//! (While any thread has a scoped default, `tracing` itself swallows nested events: no test here may set one.)
#![allow(clippy::unwrap_used)]

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tracing::{info, info_span};
use tracing_strata::{Delivery, Error, Handler, HandlerExt as _, Outcome, Record, ledger::Ledger};
use tracing_subscriber::prelude::*;

#[derive(Clone, Default)]
struct MemoryBuffer(Arc<Mutex<Vec<Record>>>);

impl Handler for MemoryBuffer {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
        Ok(Outcome::Written)
    }
}

/// Logs on its own while it handles.
struct Chatty;

impl Handler for Chatty {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        if record.target() == "t02" {
            info!(target: "t02", "from inside the handler");
        }
        Ok(Outcome::Written)
    }
}

struct Global {
    memory: MemoryBuffer,
    chatty: Arc<Ledger>,
}

fn global() -> &'static Global {
    static GLOBAL: OnceLock<Global> = OnceLock::new();
    GLOBAL.get_or_init(|| {
        let memory = MemoryBuffer::default();
        let chatty = Chatty.into_layer();
        let ledger = chatty.ledger();
        // Stacked several times: each layer visits values and keeps spans.
        tracing_subscriber::registry()
            .with(memory.clone().into_layer())
            .with(chatty)
            .with(Some(MemoryBuffer::default().into_layer()))
            .init();
        Global { memory, chatty: ledger }
    })
}

/// The messages of the records with a target.
fn messages(target: &str) -> Vec<String> {
    let records = global().memory.0.lock().unwrap_or_else(PoisonError::into_inner);
    records.iter().filter(|record| record.target() == target).map(|record| record.message().to_owned()).collect()
}

/// Fails instead of hanging. The limit is far beyond what any machine needs.
fn returns(run: impl FnOnce() + Send + 'static) {
    global();
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        run();
        done.send(()).unwrap();
    });
    match is_done.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs"),
        _ => thread.join().unwrap(),
    }
}

struct Logs(&'static str);

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!(target: "t01", "inner {}", self.0);
        f.write_str(self.0)
    }
}

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[test]
fn t01_values_that_log_while_they_are_logged() {
    returns(|| {
        info!(target: "t01", value = ?Logs("field"), "outer {}", Logs("message"));
        let span = info_span!("s", value = ?Logs("at creation"), late = tracing::field::Empty);
        let _entered = span.enter();
        span.record("late", tracing::field::debug(Logs("late")));
        span.follows_from(info_span!("other").id());
        info!(target: "t01", "in span");
    });
    let messages = messages("t01");
    for expected in ["inner field", "inner message", "outer message", "inner at creation", "inner late", "in span"] {
        assert!(messages.iter().any(|message| message == expected), "{expected}: {messages:?}");
    }
    let records = global().memory.0.lock().unwrap_or_else(PoisonError::into_inner);
    let last = records.iter().rfind(|record| record.message() == "in span").unwrap();
    assert_eq!(last.get("late").unwrap().as_str(), Some("late"));
}

/// Logs itself, which logs itself …
struct Forever;

impl fmt::Debug for Forever {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!(target: "forever", again = ?self, "deeper");
        f.write_str("bottom")
    }
}

#[test]
fn t01_a_value_that_logs_itself_ends() {
    returns(|| info!(target: "forever", value = ?Forever, "top"));
    let messages = messages("forever");
    assert_eq!(messages.iter().filter(|message| *message == "top").count(), 1);
    assert!((2..=64).contains(&messages.len()), "{}", messages.len());
}

#[test]
fn t02_a_handler_that_logs_goes_to_the_others_and_is_counted() {
    returns(|| info!(target: "t02", "from outside"));
    assert_eq!(messages("t02"), ["from outside", "from inside the handler"]);
    assert!(global().chatty.stats().dropped >= 1);
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::panic::resume_unwind(Box::new("in Debug"))
    }
}

#[test]
fn t07_a_panic_in_a_value_poisons_nothing() {
    returns(|| {
        let span = info_span!("s", bad = ?Panics, late = tracing::field::Empty);
        let _entered = span.enter();
        span.record("late", tracing::field::debug(Panics));
        info!(target: "t07", bad = ?Panics, "one");
        info!(target: "t07", "two");
        let _inner = info_span!("inner").entered();
        info!(target: "t07", "three");
    });
    assert_eq!(messages("t07"), ["one", "two", "three"]);
    let records = global().memory.0.lock().unwrap_or_else(PoisonError::into_inner);
    let three = records.iter().find(|record| record.message() == "three").unwrap();
    assert_eq!(three.get("late").unwrap().as_str(), Some("<panicked: in Debug>"));
    assert_eq!(three.get("bad").unwrap().as_str(), Some("<panicked: in Debug>"));
}

#[test]
fn t06_logging_while_a_thread_ends() {
    struct AtEnd;
    impl Drop for AtEnd {
        fn drop(&mut self) {
            info!(target: "t06", "from a thread-local's drop");
        }
    }
    thread_local! { static AT_END: AtEnd = const { AtEnd }; }
    returns(|| {
        AT_END.with(|_| info!(target: "t06", "alive"));
    });
    let messages = messages("t06");
    assert!(messages.contains(&"alive".to_owned()), "{messages:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn t68_tasks_that_are_over_leave_nothing() {
    use tracing::Instrument as _;

    fn resident_bytes() -> u64 {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap();
        status.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }
    global();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let run = |tasks: u64| {
        runtime.block_on(async {
            for id in 0..tasks {
                let work = async move {
                    tokio::task::yield_now().await;
                    info_span!("inner", id, late = tracing::field::Empty).in_scope(|| {
                        tracing::Span::current().record("late", 1);
                    });
                };
                tokio::spawn(work.instrument(info_span!("request", id, name = "of a task"))).await.unwrap();
            }
        });
    };
    run(2_000);
    let before = resident_bytes();
    run(100_000);
    let grown = resident_bytes().saturating_sub(before);
    // A span takes some hundred bytes: 200,000 that stayed would be far beyond this.
    assert!(grown < 16 << 20, "{grown} bytes");
}
