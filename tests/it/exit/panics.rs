//! Panics as records.

use std::{
    panic, process,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tracing::{error, info, info_span};
use tracing_strata::{
    Delivery, Error, Flush, Handler, HandlerExt as _, Outcome, Queue,
    format::Json,
    output::LogFile,
    shutdown::{PanicHook, panic_hook, set_exit_timeout},
};
use tracing_subscriber::prelude::*;

use super::{Left, as_child, run};

fn json(dir: &std::path::Path) -> impl Handler {
    LogFile::builder(dir.join("log")).buffer(64 << 10).format(Json::new().thread(true).source(true)).build().unwrap()
}

fn records(left: &Left) -> Vec<serde_json::Value> {
    left.lines("log").iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_panic_is_a_critical_record() {
    const NAME: &str = "exit::panics::a_panic_is_a_critical_record";
    as_child(|dir, mode| {
        // The hook before ours runs, too.
        panic::set_hook(Box::new(|info| eprintln!("before: {}", info.location().is_some())));
        PanicHook::new().backtrace(mode != "bare").install();
        tracing_subscriber::registry().with(json(dir).into_layer()).init();
        let worker = thread::Builder::new().name("worker 7".into());
        let panicked = worker.spawn(|| {
            let _request = info_span!("request", id = 7).entered();
            let _inner = info_span!("query", table = "orders").entered();
            panic!("out of {}\nsecond line", "cheese");
        });
        assert!(panicked.unwrap().join().is_err());
        process::exit(0);
    });
    let left = run(NAME, "");
    assert_eq!((left.output.status.code(), &*left.stderr()), (Some(0), "before: true\n"));
    let records = records(&left);
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    assert_eq!((&*text("level"), &*text("target")), ("CRITICAL", "panic"));
    assert_eq!(text("message"), "out of cheese\nsecond line");
    assert!(record.to_string().contains("panics.rs"), "{record}");
    assert!(record.to_string().contains("worker 7"), "{record}");
    assert_eq!((record["id"].as_i64(), record["table"].as_str()), (Some(7), Some("orders")));
    assert!(text("backtrace").contains("a_panic_is_a_critical_record"), "{record}");
    assert!(run(NAME, "bare").lines("log").iter().all(|line| !line.contains("backtrace")));
}

#[test]
fn t14_a_panic_that_aborts_is_in_the_file() {
    const NAME: &str = "exit::panics::t14_a_panic_that_aborts_is_in_the_file";
    extern "C" fn no_way_out() {
        panic!("cannot unwind from here");
    }
    as_child(|dir, _| {
        panic_hook();
        tracing_subscriber::registry().with(json(dir).into_layer()).init();
        info!("buffered before");
        no_way_out();
    });
    let left = run(NAME, "");
    assert_eq!(left.output.status.code(), None, "killed by SIGABRT: {:?}", left.output.status);
    let records = records(&left);
    assert_eq!(records[0]["message"], "buffered before");
    assert_eq!(records[1]["message"], "cannot unwind from here");
}

/// Panics on the record of a panic, or on every one.
struct Touchy(bool);

impl Handler for Touchy {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        assert!(record.target() != "panic" && !self.0, "a handler's own panic");
        Ok(Outcome::Written)
    }
}

#[test]
fn t73_a_panic_in_a_handler_while_a_panic_is_recorded_does_not_abort() {
    const NAME: &str = "exit::panics::t73_a_panic_in_a_handler_while_a_panic_is_recorded_does_not_abort";
    as_child(|dir, _| {
        panic_hook();
        tracing_subscriber::registry()
            .with(Touchy(false).into_layer().named("touchy"))
            .with(json(dir).into_layer())
            .init();
        assert!(thread::spawn(|| panic!("the first")).join().is_err());
        process::exit(7);
    });
    let left = run(NAME, "");
    assert_eq!(left.output.status.code(), Some(7), "{}", left.stderr());
    let stderr = left.stderr();
    assert!(
        stderr.contains("a panic while another was recorded") && stderr.contains("a handler's own panic"),
        "{stderr}"
    );
    assert!(stderr.contains("handler \"touchy\": panicked in handle()"), "{stderr}");
    // The other handler has it, and the hook before ours has told it as ever.
    assert_eq!(records(&left)[0]["message"], "the first");
    assert!(stderr.contains("the first"), "{stderr}");
}

#[test]
fn t73_a_panic_inside_a_handler_or_a_value_is_told_elsewhere() {
    const NAME: &str = "exit::panics::t73_a_panic_inside_a_handler_or_a_value_is_told_elsewhere";
    struct Bomb;
    impl std::fmt::Debug for Bomb {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("bomb")
        }
    }
    as_child(|dir, _| {
        panic_hook();
        tracing_subscriber::registry()
            .with(Touchy(true).into_layer().named("touchy"))
            .with(json(dir).into_layer())
            .init();
        info!("1");
        error!(value = ?Bomb, "2");
        process::exit(7);
    });
    let left = run(NAME, "");
    assert_eq!(left.output.status.code(), Some(7), "{}", left.stderr());
    let records = records(&left);
    assert_eq!(records.len(), 2, "{records:?}");
    assert_eq!(records[1]["value"], "<panicked: bomb>");
}

#[test]
fn t73_a_handler_that_needs_what_the_panicking_thread_holds_is_not_waited_for_long() {
    const NAME: &str = "exit::panics::t73_a_handler_that_needs_what_the_panicking_thread_holds_is_not_waited_for_long";
    static HELD: std::sync::Mutex<()> = std::sync::Mutex::new(());
    struct Needs;
    impl Handler for Needs {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            drop(HELD.lock());
            Ok(Outcome::Written)
        }
    }
    as_child(|_, _| {
        PanicHook::new().timeout(Duration::from_millis(50)).install();
        tracing_subscriber::registry().with(Needs.into_layer()).init();
        let panicked = thread::spawn(|| {
            let _held = HELD.lock();
            panic!("with a lock");
        });
        assert!(panicked.join().is_err());
        process::exit(7);
    });
    let left = run(NAME, "");
    assert_eq!(left.output.status.code(), Some(7), "{}", left.stderr());
    assert!(left.stderr().contains("a panic that could not be recorded"), "{}", left.stderr());
}

#[test]
fn scoped_subscribers_get_their_panics() {
    const NAME: &str = "exit::panics::scoped_subscribers_get_their_panics";
    as_child(|dir, _| {
        panic_hook();
        let subscriber = tracing_subscriber::registry().with(json(dir).into_layer());
        tracing::subscriber::with_default(subscriber, || {
            let _span = info_span!("scoped", id = 1).entered();
            assert!(panic::catch_unwind(|| panic!("caught")).is_err());
        });
        // Without a subscriber, only the hook before ours speaks.
        assert!(panic::catch_unwind(|| panic!("unheard")).is_err());
        process::exit(0);
    });
    let left = run(NAME, "");
    let records = records(&left);
    assert_eq!(records.len(), 1);
    assert_eq!((&records[0]["message"], &records[0]["id"]), (&"caught".into(), &1.into()));
    assert!(!left.stderr().contains("tracing-strata"), "{}", left.stderr());
}

/// In the record's own fields: a backtrace would name the file as well.
#[test]
fn the_place_of_a_panic_is_the_place_of_its_record() {
    const NAME: &str = "exit::panics::the_place_of_a_panic_is_the_place_of_its_record";
    const LINE: u32 = line!() + 5;
    as_child(|dir, _| {
        PanicHook::new().backtrace(false).install();
        tracing_subscriber::registry().with(json(dir).into_layer()).init();
        // Five lines after the constant.
        assert!(panic::catch_unwind(|| panic!("here")).is_err());
        process::exit(0);
    });
    let left = run(NAME, "");
    let records = records(&left);
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!((&record["message"], record.get("backtrace")), (&"here".into(), None));
    assert_eq!((record["file"].as_str(), record["line"].as_u64()), (Some(file!()), Some(LINE.into())), "{record}");
}

#[test]
fn a_hook_that_is_installed_again_makes_one_record_by_the_later_options() {
    const NAME: &str = "exit::panics::a_hook_that_is_installed_again_makes_one_record_by_the_later_options";
    as_child(|dir, mode| {
        panic::set_hook(Box::new(|_| eprintln!("before")));
        PanicHook::new().backtrace(mode == "bare later").install();
        if mode == "another between" {
            let ours = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                eprintln!("between");
                ours(info);
            }));
        }
        PanicHook::new().backtrace(mode != "bare later").install();
        if mode == "another instead" {
            // What was installed is gone, and is to be installed again.
            panic::set_hook(Box::new(|_| eprintln!("instead")));
            PanicHook::new().install();
        }
        tracing_subscriber::registry().with(json(dir).into_layer()).init();
        for number in 0..2 {
            assert!(panic::catch_unwind(|| panic!("panic {number}")).is_err());
        }
        process::exit(0);
    });
    for (mode, said, has_backtrace) in [
        ("", "before\nbefore\n", true),
        ("bare later", "before\nbefore\n", false),
        ("another between", "between\nbefore\nbetween\nbefore\n", true),
        ("another instead", "instead\ninstead\n", true),
    ] {
        let left = run(NAME, mode);
        assert_eq!((left.output.status.code(), &*left.stderr()), (Some(0), said), "{mode}");
        let records = records(&left);
        let messages: Vec<_> = records.iter().map(|record| record["message"].as_str()).collect();
        assert_eq!(messages, [Some("panic 0"), Some("panic 1")], "{mode}");
        assert!(records.iter().all(|record| record.get("backtrace").is_some() == has_backtrace), "{mode}");
    }
}

#[test]
fn a_handler_that_hangs_when_it_is_flushed_is_not_waited_for_long() {
    const NAME: &str = "exit::panics::a_handler_that_hangs_when_it_is_flushed_is_not_waited_for_long";
    const DEADLINE: Duration = Duration::from_secs(2);
    const HANGS: Duration = Duration::from_secs(60);
    struct Hangs(mpsc::Sender<String>);
    impl Handler for Hangs {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            self.0.send(record.message().to_owned()).unwrap();
            Ok(Outcome::Written)
        }
        fn flush(&self, _: &Flush) -> Result<(), Error> {
            loop {
                thread::park();
            }
        }
    }
    as_child(|_, _| {
        // A process that hangs ends all the same, with another code.
        thread::spawn(|| {
            thread::sleep(HANGS);
            process::abort();
        });
        set_exit_timeout(Duration::ZERO);
        // To find the names in a backtrace takes long in a test.
        PanicHook::new().timeout(DEADLINE).backtrace(false).install();
        let (sender, seen) = mpsc::channel();
        tracing_subscriber::registry().with(Hangs(sender).into_layer()).init();
        let began = Instant::now();
        assert!(panic::catch_unwind(|| panic!("goes on")).is_err());
        assert!(began.elapsed() >= DEADLINE, "{:?}", began.elapsed());
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["goes on"]);
        process::exit(7);
    });
    let left = run(NAME, "");
    assert_eq!(left.output.status.code(), Some(7), "{}", left.stderr());
}

/// Nothing that a panic waits for is a matter of luck: the queue has hardly begun.
struct Unhurried<H>(H);

impl<H: Handler> Handler for Unhurried<H> {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        thread::sleep(Duration::from_millis(5));
        self.0.handle(record)
    }

    fn flush(&self, how: &Flush) -> Result<(), Error> {
        self.0.flush(how)
    }
}

#[test]
fn t14_the_queue_drains_before_a_panic_aborts() {
    const NAME: &str = "exit::panics::t14_the_queue_drains_before_a_panic_aborts";
    extern "C" fn no_way_out() {
        panic!("cannot unwind from here");
    }
    as_child(|dir, _| {
        panic_hook();
        let queue = Queue::builder().build(Unhurried(json(dir))).unwrap();
        tracing_subscriber::registry().with(queue.into_layer()).init();
        (0..100).for_each(|number| info!("{number}"));
        no_way_out();
    });
    let left = run(NAME, "");
    assert_eq!(left.output.status.code(), None, "killed by SIGABRT: {:?}", left.output.status);
    let records = records(&left);
    // The record of a panic is made on another thread: it may come before what waits of this one.
    let (panics, others): (Vec<_>, Vec<_>) = records.iter().partition(|record| record["level"] == "CRITICAL");
    let messages: Vec<_> = others.iter().filter_map(|record| record["message"].as_str()).collect();
    assert_eq!(messages, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    // The second is that the function cannot unwind.
    assert_eq!(panics[0]["message"], "cannot unwind from here");
}
