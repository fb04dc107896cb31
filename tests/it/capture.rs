//! What a record holds of an event.

use std::{error::Error, fmt, time::SystemTime};

use tracing::{debug, error, info, trace, warn};
use tracing_strata::{Fields, HandlerExt as _, Record, Severity, Value, clock::ManualClock, critical, exception};

use crate::support::{MemoryBuffer, record, records, with_layer};

#[test]
fn every_type_keeps_its_type() {
    let cause: Box<dyn Error> = Box::new("x".parse::<i32>().unwrap_err());
    let record = record(|| {
        info!(
            yes = true,
            minus = -1i64,
            small = 2u8,
            wide = i128::MIN,
            wider = u128::MAX,
            half = 0.5,
            text = "t",
            bytes = &[1u8, 255][..],
            error = &*cause,
            debug = ?"quoted",
            display = %"plain",
            "message {}",
            7
        );
    });
    assert_eq!(record.message(), "message 7");
    let fields: Vec<_> = record.fields().iter().filter(|(name, _)| *name != "error").collect();
    let expected = [
        ("yes", Value::Bool(true)),
        ("minus", Value::I64(-1)),
        ("small", Value::U64(2)),
        ("wide", Value::I128(i128::MIN)),
        ("wider", Value::U128(u128::MAX)),
        ("half", Value::F64(0.5)),
        ("text", Value::Str("t")),
        ("bytes", Value::Bytes(&[1, 255])),
        ("debug", Value::Rendered("\"quoted\"")),
        ("display", Value::Rendered("plain")),
    ];
    assert_eq!(fields, expected);
    let chain = record.error().unwrap();
    assert_eq!(
        (chain.message(), chain.type_name()),
        ("invalid digit found in string", Some("std::num::ParseIntError"))
    );
}

#[test]
fn attributes_of_pythons_log_record() {
    let before = SystemTime::now();
    let made = std::thread::Builder::new()
        .name("worker-1".into())
        .spawn(|| record(|| warn!(name: "order.paid", target: "shop::db", "m")))
        .unwrap()
        .join()
        .unwrap();
    assert_eq!((made.target(), made.name(), made.severity()), ("shop::db", Some("order.paid"), Severity::WARN));
    assert_eq!((made.file_name(), made.module()), (Some("capture.rs"), Some("capture")));
    assert!(made.file().unwrap().ends_with("tests/it/capture.rs") && made.line().unwrap() > 40);
    assert_eq!(made.module_path(), Some("it::capture"));
    assert_eq!(made.thread_name(), Some("worker-1"));
    assert!(made.thread_id() > 0 && made.process_id() == std::process::id());
    assert!(made.process_name().starts_with("it-"), "{}", made.process_name());
    assert!(before <= made.time() && made.time() <= SystemTime::now());
    assert_eq!(record(|| info!("no name of its own")).name(), None);
}

#[test]
fn threads_by_name() {
    let of = |builder: std::thread::Builder| {
        builder.spawn(|| record(|| info!("m")).thread_name().map(str::to_owned)).unwrap().join().unwrap()
    };
    assert_eq!(of(std::thread::Builder::new()), None);
    for name in
        ["w", "a name of twenty three.", "a name of twenty four ..", "a name that is longer than most, with ä and ö"]
    {
        assert_eq!(of(std::thread::Builder::new().name(name.into())).as_deref(), Some(name));
    }
}

#[test]
fn modules_of_odd_file_names_as_in_rule_6_2() {
    let mut record = Record::new(Severity::INFO, "t", "m");
    for (file, name, module) in
        [("a/db.pool.rs", "db.pool.rs", "db.pool"), ("/x/.hidden", ".hidden", ".hidden"), ("", "", "")]
    {
        record.set_source(file, 1);
        assert_eq!((record.file_name(), record.module()), (Some(name), Some(module)));
    }
}

#[test]
fn levels_become_severities() {
    let made = records(|| {
        trace!("a");
        debug!("b");
        info!("c");
        warn!("d");
        error!("e");
        critical!("f");
        critical!(target: "t", user = 7, "g {}", 1);
        error!(strata.severity = 45, "h");
    });
    let numbers: Vec<_> = made.iter().map(|record| record.severity().number()).collect();
    assert_eq!(numbers, [5, 10, 20, 30, 40, 50, 50, 45]);
    assert_eq!((made[6].target(), made[6].message(), made[6].get("user")), ("t", "g 1", Some(Value::I64(7))));
    assert!(made.iter().all(|record| !record.fields().contains("strata.severity")));
}

#[test]
fn critical_takes_every_prefix() {
    let span = tracing::info_span!("s");
    let made = records(|| {
        critical!(name: "n", target: "t", parent: None, "m");
        critical!(name: "n", target: "t", "m");
        critical!(name: "n", "m");
        critical!(target: "t", parent: &span, a = 1, "m");
        critical!(parent: None, ?span, "m");
        let free = 0;
        critical!(free, disk = %"sda", "m");
    });
    assert!(made.iter().all(|record| record.severity() == Severity::CRITICAL && record.message() == "m"));
    assert_eq!((made[0].name(), made[0].target()), (Some("n"), "t"));
    assert_eq!(made[5].get("free"), Some(Value::I64(0)));
}

#[test]
fn the_last_of_a_field_given_twice_wins() {
    let record = record(|| info!(a = 1, b = 2, a = 3, "m"));
    let fields: Vec<_> = record.fields().iter().collect();
    assert_eq!(fields, [("a", Value::I64(3)), ("b", Value::I64(2))]);
}

#[test]
fn names_with_equal_bits_are_different_names() {
    // Many names, so that some share their bit in the set's filter.
    let mut fields = Fields::new();
    for number in 0..500i64 {
        fields.set(format!("n{number}"), number);
    }
    assert_eq!(fields.len(), 500);
    assert!((0..500i64).all(|number| fields.get(&format!("n{number}")) == Some(Value::I64(number))));
    assert!(!fields.contains("m7") && fields.remove("n7") && !fields.contains("n7") && !fields.remove("n7"));
}

#[test]
fn the_clock_is_the_layers() {
    let (memory, clock) = (MemoryBuffer::default(), ManualClock::at(1_000));
    with_layer(memory.clone().into_layer().clock(clock.clone()), || {
        info!("a");
        clock.advance(std::time::Duration::from_secs(5));
        info!("b");
    });
    let seconds: Vec<_> =
        memory.take().iter().map(|r| r.time().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).collect();
    assert_eq!(seconds, [1_000, 1_005]);
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "half")?;
        panic!("debug went wrong")
    }
}

struct Fails;

impl fmt::Display for Fails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some")?;
        Err(fmt::Error)
    }
}

/// Never stops, and takes no refusal.
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("0123456789").unwrap_or_default();
        }
    }
}

#[test]
fn t07_values_that_panic_fail_or_never_end_are_marked() {
    let memory = MemoryBuffer::default();
    let layer = memory.clone().into_layer();
    let ledger = layer.ledger();
    with_layer(layer, || {
        info!(before = 1, bad = ?Panics, after = 2, "m");
        info!(bad = %Fails, "m");
        info!(bad = %Endless, "m");
        info!("{}", Fails);
        info!(fine = 1, "m");
    });
    let made = memory.take();
    assert_eq!(made[0].get("bad"), Some(Value::Rendered("half<panicked: debug went wrong>")));
    assert_eq!((made[0].get("before"), made[0].get("after")), (Some(Value::I64(1)), Some(Value::I64(2))));
    assert_eq!(made[1].get("bad"), Some(Value::Rendered("some<error>")));
    let endless = made[2].get("bad").unwrap().as_str().unwrap();
    assert!(endless.ends_with("…[cut]") && endless.len() < 66_000, "{}", endless.len());
    assert_eq!(made[3].message(), "some<error>");
    assert_eq!((ledger.stats().marked, ledger.stats().written), (4, 5));
}

#[test]
fn a_value_that_takes_no_refusal_but_ends_is_not_unwound() {
    struct Stubborn<'a>(&'a std::sync::Mutex<()>);
    impl fmt::Display for Stubborn<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            // Unwinding would poison this.
            let _held = self.0.lock();
            (0..100_000).for_each(|_| f.write_str("0123456789").unwrap_or_default());
            Ok(())
        }
    }
    let lock = std::sync::Mutex::new(());
    let made = record(|| info!(value = %Stubborn(&lock), "m"));
    assert!(made.get("value").unwrap().as_str().unwrap().ends_with("…[cut]"));
    assert!(!lock.is_poisoned());
}

#[test]
fn long_values_are_cut_at_a_character_and_marked() {
    let memory = MemoryBuffer::default();
    with_layer(memory.clone().into_layer().value_limit(10), || {
        info!(text = "äöüäöü", bytes = &[7u8; 20][..], shown = %"0123456789abc", exact = "0123456789", "{}", "äöüäöü");
        // Static text is bounded, too.
        info!("a long message without arguments");
    });
    let made = memory.take();
    let record = &made[0];
    assert_eq!(record.get("text"), Some(Value::Str("äöüäö…[2 bytes cut]")));
    assert_eq!(record.get("bytes"), Some(Value::Bytes(&[7; 10])));
    assert_eq!(record.get("shown"), Some(Value::Rendered("0123456789…[cut]")));
    assert_eq!(record.get("exact"), Some(Value::Str("0123456789")));
    assert_eq!((record.message(), record.marked_values()), ("äöüäö…[cut]", 4));
    assert_eq!(made[1].message(), "a long mes…[cut]");
}

#[test]
fn t43_text_that_is_no_unicode_is_no_problem() {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9\0");
        let record = record(|| info!(path = ?name, shown = %std::path::Path::new(name).display(), "m"));
        assert_eq!(record.get("path"), Some(Value::Rendered(r#""caf\xE9\0""#)));
        assert_eq!(record.get("shown"), Some(Value::Rendered("caf\u{fffd}\0")));
    }
}

#[derive(Debug)]
struct Chained(u32);

impl fmt::Display for Chained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "level {}", self.0)
    }
}

impl Error for Chained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // An endless chain: each is its own cause.
        if self.0 == 0 { Some(self) } else { None }
    }
}

#[derive(Debug)]
struct Outer(std::io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot load")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn errors_keep_their_causes() {
    let outer = Outer(std::io::Error::other("disk on fire"));
    let made = record(|| error!(error = &outer as &dyn Error, "m"));
    let chain = made.error().unwrap();
    assert_eq!((chain.message(), chain.causes().collect::<Vec<_>>()), ("cannot load", vec!["disk on fire"]));
    assert_eq!(chain.to_string(), "cannot load: disk on fire");
    let endless = record(|| error!(error = &Chained(0) as &dyn Error, "m"));
    assert_eq!(endless.error().unwrap().causes().len(), 64);
}

#[test]
fn exception_logs_once_and_gives_the_error_back() {
    fn load() -> Result<u32, Outer> {
        let loaded = exception!(Err(Outer(std::io::Error::other("no"))), path = "a.toml", "loading {}", "a.toml")?;
        Ok(loaded)
    }
    let made = record(|| assert!(load().is_err()));
    assert_eq!((made.severity(), made.message()), (Severity::ERROR, "loading a.toml"));
    let chain = made.error().unwrap();
    assert_eq!((chain.message(), chain.type_name()), ("cannot load", Some("it::capture::Outer")));
    assert_eq!(made.get("path"), Some(Value::Str("a.toml")));
    assert!(!made.fields().contains("error.type"));
    assert_eq!(made.target(), "it::capture");

    let quiet = records(|| {
        let fine: Result<u32, Outer> = exception!(Ok(1));
        assert_eq!(fine.unwrap(), 1);
    });
    assert!(quiet.is_empty());
}

#[test]
fn exception_under_another_target() {
    let made = record(|| {
        let failed: Result<(), _> =
            exception!(target: "elsewhere", Err(Outer(std::io::Error::other("no"))), step = 1, "m");
        assert!(failed.is_err());
    });
    assert_eq!((made.target(), made.message(), made.get("step")), ("elsewhere", "m", Some(Value::I64(1))));
}

#[test]
fn a_second_message_is_a_field() {
    let made = record(|| info!(message = "given", "formatted {}", 1));
    assert_eq!((made.message(), made.get("message")), ("formatted 1", Some(Value::Str("given"))));
}

#[test]
fn exception_takes_boxed_errors() {
    let made = records(|| {
        let boxed: Result<(), Box<dyn Error>> = Err("boxed".into());
        assert!(exception!(boxed).is_err());
        let shared: Result<(), Box<dyn Error + Send + Sync>> = Err("shared".into());
        assert!(exception!(shared, "m").is_err());
    });
    let messages: Vec<_> = made.iter().map(|r| (r.message(), r.error().unwrap().message())).collect();
    assert_eq!(messages, [("boxed", "boxed"), ("m", "shared")]);
    assert!(made.iter().all(|record| record.error().unwrap().type_name().is_none()), "a box tells no type");
    let known = record(|| drop(exception!(Err::<(), _>(std::io::Error::other("x")))));
    assert_eq!(known.error().unwrap().type_name(), Some("std::io::Error"), "spelled as everywhere");
}

#[test]
fn t66_events_of_tracing_log_are_put_right() {
    use log::Log as _;
    let bridge = tracing_log::LogTracer::new();
    let record = record(|| {
        let args = format_args!("hello");
        let mut builder = log::Record::builder();
        builder.args(args).level(log::Level::Warn).target("legacy::db").module_path(Some("legacy::m"));
        bridge.log(&builder.file(Some("legacy.rs")).line(Some(7)).build());
    });
    assert_eq!((record.target(), record.message(), record.severity()), ("legacy::db", "hello", Severity::WARN));
    assert_eq!((record.file(), record.line(), record.module_path()), (Some("legacy.rs"), Some(7), Some("legacy::m")));
    assert!(record.fields().is_empty() && record.name().is_none());
}

#[test]
fn a_record_by_hand_is_like_a_captured_one() {
    let captured = record(|| {
        let _span = tracing::info_span!("request", id = "r-1").entered();
        info!(target: "shop", user = 7, "paid");
    });
    let mut made = Record::new(Severity::INFO, "shop", "paid");
    made.set("user", 7);
    made.push_span("request", [("id", "r-1")].into_iter().collect());
    assert_eq!(format!("{made:?}"), format!("{captured:?}"));
    made.set_globals([("service", "shop")].into_iter().collect());
    assert_eq!(made.get("service"), Some(Value::Str("shop")));
    assert_eq!(made.clone().keep().get("id"), Some(Value::Str("r-1")));
}
