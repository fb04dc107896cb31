//! Handlers, their wrappers, and the account they keep.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use proptest::prelude::*;
use tracing::{error, info, warn};
use tracing_strata::{
    Delivery, Error, Globals, Handler, HandlerExt as _, Loggers, Outcome, OwnedDelivery, Record, Severity, Tee, Value,
    ledger::{ErrorHandler, Ledger, stats},
};
use tracing_subscriber::{Layer as _, filter::LevelFilter, prelude::*, registry, reload};

use crate::support::{MemoryBuffer, with_layer};

#[test]
fn a_handlers_level_filter_and_rewrite_are_its_own() {
    let (all, some) = (MemoryBuffer::default(), MemoryBuffer::default());
    let narrow = some
        .clone()
        .transform(|record: &mut Record| record.set("password", "***"))
        .filter(|record: &Record| record.get("skip").is_none())
        .min_level(Severity::WARN)
        .into_layer();
    let ledger = narrow.ledger();
    tracing::subscriber::with_default(registry().with(all.clone().into_layer()).with(narrow), || {
        info!("below");
        warn!(skip = true, "skipped");
        warn!(password = "s3cret", "masked");
    });
    let all = all.take();
    assert_eq!(all.len(), 3);
    assert_eq!(all[2].get("password"), Some(Value::Str("s3cret")));
    assert_eq!(some.only().get("password"), Some(Value::Str("***")));
    assert_eq!((ledger.stats().filtered, ledger.stats().written), (2, 1));
}

/// Counts how often it is printed.
struct Counted(Arc<AtomicU64>);

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fetch_add(1, Ordering::Relaxed);
        f.write_str("x")
    }
}

#[test]
fn loggers_capture_once_for_all_handlers() {
    let memory = MemoryBuffer::default();
    let loggers = Loggers::parse("info").unwrap();
    for (logger, name) in [("", "1"), ("", "2"), ("app", "3")] {
        loggers.add_handler(logger, memory.clone().named(name)).unwrap();
    }
    let visits = Arc::new(AtomicU64::new(0));
    tracing::subscriber::with_default(registry().with(loggers.into_layer()), || {
        info!(target: "app::db", value = %Counted(Arc::clone(&visits)), "m");
    });
    assert_eq!((memory.take().len(), visits.load(Ordering::Relaxed)), (3, 1));
}

#[test]
fn globals_of_service_version_host_and_pid() {
    let memory = MemoryBuffer::default();
    let globals = Globals::new().service("shop").version("1.2").host().pid().field("zone", "eu-1");
    with_layer(memory.clone().into_layer().globals(globals), || info!(zone = "own", "m"));
    let record = memory.only();
    assert_eq!(record.get("pid"), Some(Value::U64(std::process::id().into())));
    assert_eq!((record.get("service"), record.get("version")), (Some(Value::Str("shop")), Some(Value::Str("1.2"))));
    assert_eq!(record.get("zone"), Some(Value::Str("own")));
    #[cfg(target_os = "linux")]
    {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(record.get("host"), Some(Value::Str(host.trim_end())));
    }
}

#[test]
fn a_tee_captures_once() {
    let (a, b) = (MemoryBuffer::default(), MemoryBuffer::default());
    let tee = Tee::new().with("a", a.clone().min_level(Severity::WARN)).with("b", b.clone());
    let ledgers: Vec<_> = tee.handlers().iter().map(|handler| handler.ledger()).collect();
    let visits = Arc::new(AtomicU64::new(0));
    with_layer(tee.into_layer(), || {
        info!(value = %Counted(Arc::clone(&visits)), "1");
        warn!(value = %Counted(Arc::clone(&visits)), "2");
    });
    assert_eq!((a.take().len(), b.take().len(), visits.load(Ordering::Relaxed)), (1, 2, 2));
    assert_eq!((ledgers[0].stats().filtered, ledgers[1].stats().written), (1, 2));
}

#[test]
fn boxes_vecs_options_and_reload_are_layers() {
    let memory = MemoryBuffer::default();
    let boxed: Vec<_> = (0..3).map(|_| memory.clone().boxed().into_layer()).collect();
    let filtered: Vec<_> = (0..2).map(|_| memory.clone().boxed().into_layer().with_filter(LevelFilter::WARN)).collect();
    let (reloaded, handle) = reload::Layer::new(memory.clone().boxed().into_layer());
    let absent: Option<tracing_strata::HandlerLayer<MemoryBuffer>> = None;
    let subscriber =
        registry().with(boxed).with(filtered).with(Some(memory.clone().into_layer())).with(absent).with(reloaded);
    tracing::subscriber::with_default(subscriber, || {
        info!("m");
        assert_eq!(memory.take().len(), 5);
        warn!("m");
        assert_eq!(memory.take().len(), 7);
        handle.reload(memory.clone().min_level(Severity::ERROR).boxed().into_layer()).unwrap();
        let _span = tracing::info_span!("opened later", id = 1).entered();
        info!("m");
        let made = memory.take();
        assert_eq!(made.len(), 4);
        error!("m");
        let made = memory.take();
        assert_eq!(made.len(), 7);
        assert!(made.iter().all(|record| record.get("id") == Some(Value::I64(1))));
    });
}

#[test]
fn t61_a_handler_that_comes_later_shows_spans_opened_earlier() {
    let memory = MemoryBuffer::default();
    let (layer, handle) = reload::Layer::new(None::<tracing_strata::HandlerLayer<MemoryBuffer>>);
    tracing::subscriber::with_default(registry().with(tracing_strata::SpanContextLayer::new()).with(layer), || {
        let _span = tracing::info_span!("early", id = 7).entered();
        handle.reload(Some(memory.clone().into_layer())).unwrap();
        info!("m");
    });
    assert_eq!(memory.only().get("id"), Some(Value::I64(7)));
}

#[test]
fn names_and_readings_of_all_handlers() {
    let layer = MemoryBuffer::default().min_level(Severity::WARN).into_layer();
    let named = MemoryBuffer::default().into_layer().named("named one");
    assert!(format!("{layer:?}").contains("MemoryBuffer"));
    let all = stats();
    assert!(all.iter().any(|(name, _)| name == "MemoryBuffer") && all.iter().any(|(name, _)| name == "named one"));
    drop(named);
    assert!(stats().iter().all(|(name, _)| name != "named one"));
}

/// Does with each record what its field says.
struct Obedient;

impl Handler for Obedient {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        match record.message() {
            "written" => Ok(Outcome::Written),
            "filtered" => Ok(Outcome::Filtered),
            "dropped" => Ok(Outcome::Dropped),
            "failed" => Err(Error::new("as told")),
            "panicked" => std::panic::resume_unwind(Box::new("as told")),
            other => unreachable!("{other}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn t12_every_record_is_accounted_for(plan in proptest::collection::vec(0..5usize, 0..60)) {
        const KINDS: [&str; 5] = ["written", "filtered", "dropped", "failed", "panicked"];
        let (error_handler, told) = ErrorHandler::counting();
        let layer = Obedient.into_layer().error_handler(error_handler);
        let ledger = layer.ledger();
        let mut expected = [0; 5];
        with_layer(layer, || {
            for (done, kind) in plan.iter().enumerate() {
                info!("{}", KINDS[*kind]);
                expected[*kind] += 1;
                assert_eq!(ledger.stats().accepted(), done as u64 + 1);
            }
        });
        let stats = ledger.stats();
        let lost = expected[3] + expected[4];
        prop_assert_eq!([stats.written, stats.filtered, stats.dropped, stats.failed], [expected[0], expected[1], expected[2], lost]);
        prop_assert_eq!(told.load(Ordering::Relaxed), lost);
    }
}

#[test]
fn readings_balance_while_records_settle() {
    // A handler of the kind a queue is: takes, holds back, settles elsewhere.
    #[derive(Clone, Default)]
    struct Holding(Arc<std::sync::Mutex<Vec<OwnedDelivery>>>);
    impl Handler for Holding {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            self.0.lock().unwrap().push(record.take());
            Ok(Outcome::Queued)
        }
    }
    let (holding, (error_handler, told)) = (Holding::default(), ErrorHandler::counting());
    let layer = holding.clone().into_layer().error_handler(error_handler);
    let ledger = layer.ledger();
    with_layer(layer, || (0..10_000).for_each(|_| info!("m")));
    assert_eq!((ledger.stats().accepted(), ledger.stats().queued), (10_000, 10_000));
    let mut held = std::mem::take(&mut *holding.0.lock().unwrap());
    let others = held.split_off(5_000);
    std::thread::scope(|scope| {
        scope.spawn(|| held.into_iter().for_each(OwnedDelivery::written));
        scope.spawn(|| others.into_iter().for_each(|delivery| delivery.failed(Error::new("later"))));
        while ledger.stats().queued > 0 {
            assert_eq!(ledger.stats().accepted(), 10_000);
        }
    });
    assert_eq!((ledger.stats().written, ledger.stats().failed, ledger.stats().queued), (5_000, 5_000, 0));
    assert_eq!(told.load(Ordering::Relaxed), 5_000);
}

#[test]
fn a_trap_that_panics_hurts_nobody() {
    let layer = Obedient.into_layer().error_handler(ErrorHandler::new(|_| std::panic::resume_unwind(Box::new("trap"))));
    let ledger = layer.ledger();
    with_layer(layer, || {
        info!("failed");
        info!("written");
    });
    assert_eq!((ledger.stats().failed, ledger.stats().written), (1, 1));
}

#[test]
fn a_failure_tells_its_handler_error_and_record() {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let error_handler = ErrorHandler::new(move |failure| {
        let record = failure.record().map(|record| record.message().to_owned());
        told.lock().unwrap().push((failure.handler().to_owned(), failure.error().to_string(), record));
    });
    with_layer(Obedient.into_layer().named("o").error_handler(error_handler), || {
        info!("failed");
        info!("panicked");
    });
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], ("o".into(), "as told".into(), Some("failed".into())));
    assert_eq!(seen[1], ("o".into(), "panicked in handle(): as told".into(), Some("panicked".into())));
}

#[test]
fn a_shared_handler_has_a_level_that_changes() {
    let memory = MemoryBuffer::default();
    let shared = memory.clone().named("memory");
    with_layer(shared.clone().into_layer(), || {
        info!("1");
        shared.set_level(Severity::WARN);
        info!("2");
        warn!("3");
    });
    assert_eq!(memory.take().len(), 2);
    assert_eq!((shared.stats().written, shared.stats().filtered), (2, 1));
}

#[test]
fn many_handlers_are_told_apart() {
    // A record passes through the layer, the tee and one of them: whatever their numbers, none takes another for itself.
    let memory = MemoryBuffer::default();
    let tee: Tee = (0..200).map(|number| memory.clone().named(format!("h{number}"))).collect();
    let handlers = tee.handlers().to_vec();
    with_layer(tee.into_layer(), || info!("m"));
    assert!(handlers.iter().all(|handler| handler.stats().written == 1));
    assert_eq!(memory.take().len(), 200);
}

/// However it contradicts itself.
#[test]
fn each_record_is_counted_once_as_its_receipt_says() {
    struct Faulty;
    impl Handler for Faulty {
        fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
            match record.message() {
                "not taken" => {}
                "written" => record.receipt().written(),
                "filtered" => {
                    record.receipt().filtered();
                    return Ok(Outcome::Written);
                }
                "failed" => {
                    record.receipt().failed(Error::new("as told"));
                    return Ok(Outcome::Written);
                }
                "forgotten" => drop(record.take()),
                other => unreachable!("{other}"),
            }
            Ok(Outcome::Queued)
        }
    }
    let layer = Faulty.into_layer().error_handler(ErrorHandler::silent());
    let ledger = layer.ledger();
    let all = ["not taken", "written", "filtered", "failed", "forgotten"];
    with_layer(layer, || all.iter().for_each(|what| info!("{what}")));
    let stats = ledger.stats();
    assert_eq!((stats.accepted(), stats.queued), (5, 0), "{stats}");
    assert_eq!((stats.written, stats.filtered, stats.failed, stats.dropped), (1, 1, 1, 2), "{stats}");
}

#[test]
fn a_ledger_tells_the_trap_of_what_goes_wrong_later() {
    /// Works after it has taken a record.
    #[derive(Clone, Default)]
    struct Late(Arc<std::sync::OnceLock<Arc<Ledger>>>);
    impl Handler for Late {
        fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
            Ok(Outcome::Written)
        }
    }
    let late = Late::default();
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let remember = Arc::clone(&told);
    let error_handler = ErrorHandler::new(move |failure| {
        let what = failure.error().to_string();
        remember.lock().unwrap().push((failure.handler().to_owned(), what.clone(), failure.record().is_some()));
        assert_ne!(what, "panics");
    });
    // The trap and the name come after the ledger.
    let layer = late.clone().into_layer();
    late.0.set(layer.ledger()).unwrap();
    let layer = layer.error_handler(error_handler).named("late");
    let ledger = layer.ledger();
    with_layer(layer, || {
        info!("taken");
        let late = Arc::clone(late.0.get().unwrap());
        std::thread::spawn(move || ["first", "panics", "last"].map(|what| late.report_error(&Error::new(what))))
            .join()
            .unwrap();
    });
    let expected = ["first", "panics", "last"].map(|what| ("late".to_owned(), what.to_owned(), false));
    assert_eq!(*told.lock().unwrap_or_else(std::sync::PoisonError::into_inner), expected);
    assert_eq!((ledger.stats().other_errors, ledger.stats().accepted(), ledger.stats().written), (3, 1, 1));
    assert!(ledger.stats().to_string().ends_with("(3 other errors)"));
}
