//! What becomes of records and spans when the collector is not as it should be.

use std::{
    net::TcpListener,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use tracing::{info, info_span};
use tracing_strata::{
    ledger::{ErrorHandler, Stats},
    otlp::{Otlp, OtlpGuard, OtlpLayer, Protocol},
};
use tracing_subscriber::prelude::*;

use super::receiver::{LONG, Receiver, Reply, body};
use crate::{places::remembering, support::with_layer};

fn is_balanced(stats: Stats, made: u64) -> bool {
    stats.accepted() == made && stats.written + stats.failed + stats.dropped + stats.filtered + stats.queued == made
}

/// An endpoint where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn logs_only(otlp: Otlp) -> (OtlpLayer, OtlpGuard) {
    otlp.spans(false).build_with_guard().unwrap()
}

#[test]
fn busy_collectors_are_tried_again() {
    for reply in [
        Reply::Status(429, Some("0")),
        Reply::Status(503, Some("0")),
        Reply::Status(503, None),
        Reply::Status(502, None),
        Reply::Status(504, Some("not a time")),
        Reply::Close,
    ] {
        let receiver = Receiver::start();
        receiver.reply(reply.clone());
        receiver.reply(reply.clone());
        let (layer, guard) = logs_only(receiver.otlp());
        let (error_handler, told) = ErrorHandler::counting();
        with_layer(layer.error_handler(error_handler), || info!("m"));
        guard.flush(LONG).unwrap();
        assert_eq!(receiver.take_logs().len(), 1, "{reply:?}");
        assert_eq!(receiver.requests().len(), 3);
        assert_eq!((guard.logs().written, guard.logs().accepted()), (1, 1));
        assert!(told.load(Ordering::Relaxed) == 1, "told once for one batch");
    }
}

#[test]
fn retry_after_is_kept_to() {
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(429, Some("1")));
    let (layer, guard) = logs_only(receiver.otlp());
    let began = Instant::now();
    with_layer(layer.error_handler(ErrorHandler::silent()), || info!("m"));
    guard.flush(LONG).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(900), "the back-off alone would be 200 ms at most");
    // More than the deadline of the batch allows: given up at once.
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(503, Some("3600")));
    let (layer, guard) = logs_only(receiver.otlp().retry_for(Duration::from_secs(30)));
    let (error_handler, told) = remembering();
    with_layer(layer.error_handler(error_handler), || info!("m"));
    guard.flush(LONG).unwrap();
    assert_eq!((guard.logs().failed, guard.logs().accepted()), (1, 1));
    let told = told.lock().unwrap();
    assert!(told[0].contains("1 log records given up after") && told[0].contains("503"), "{told:?}");
}

#[test]
fn what_is_refused_is_not_sent_again() {
    for status in [400, 401, 404, 413, 500] {
        let receiver = Receiver::start();
        receiver.reply(Reply::Status(status, None));
        let (layer, guard) = logs_only(receiver.otlp());
        let (error_handler, told) = remembering();
        with_layer(layer.error_handler(error_handler), || info!("m"));
        guard.flush(LONG).unwrap();
        assert_eq!((guard.logs().failed, guard.logs().accepted(), receiver.requests().len()), (1, 1, 1));
        assert!(told.lock().unwrap()[0].contains(&format!("answered {status}: \"no\"")), "{told:?}");
    }
}

#[test]
fn partial_success_is_counted() {
    let receiver = Receiver::start();
    let (layer, guard) = receiver.otlp().schedule_delay(Duration::from_secs(3_600)).build_with_guard().unwrap();
    let (error_handler, told) = remembering();
    with_layer(layer.error_handler(error_handler), || {
        receiver.reply(Reply::Partial(3));
        (0..10).for_each(|_| info!("m"));
        guard.flush(LONG).unwrap();
        receiver.reply(Reply::Partial(1_000));
        info_span!("s").in_scope(|| ());
    });
    guard.flush(LONG).unwrap();
    let (logs, spans) = (guard.logs(), guard.spans());
    assert_eq!((logs.written, logs.failed), (7, 3));
    assert_eq!((spans.written, spans.failed), (0, 1));
    let told = told.lock().unwrap();
    assert!(told[0].contains("rejected 3 of 10 log records: \"too old\""), "{told:?}");
}

#[test]
fn t12_everything_is_accounted_for_while_nobody_listens() {
    let (layer, guard) = Otlp::builder()
        .endpoint(nobody())
        .capacity(50)
        .max_batch(10)
        .schedule_delay(Duration::ZERO)
        .flush_timeout(Duration::from_millis(10))
        .retry_for(Duration::from_secs(3_600))
        .build_with_guard()
        .unwrap();
    let (error_handler, told) = ErrorHandler::counting();
    let layer = layer.error_handler(error_handler);
    let ledgers = [layer.logs_ledger().unwrap(), layer.spans_ledger().unwrap()];
    with_layer(layer, || {
        for n in 0..1_000 {
            info_span!("s").in_scope(|| info!(n, "m"));
            assert!(is_balanced(ledgers[0].stats(), n + 1));
        }
    });
    for stats in ledgers.iter().map(|ledger| ledger.stats()) {
        assert!(is_balanced(stats, 1_000));
        assert_eq!((stats.queued, stats.dropped, stats.written), (50, 950, 0), "{stats}");
    }
    let error = guard.shutdown(Duration::from_millis(50)).unwrap_err().to_string();
    assert!(error.contains("50 log records not sent within 50ms"), "{error}");
    assert!(error.contains("50 spans not sent"), "{error}");
    assert!(told.load(Ordering::Relaxed) >= 1);
    // What was on its way is given up a little later, by the threads.
    while ledgers.iter().any(|ledger| ledger.stats().queued > 0) {
        thread::yield_now();
    }
    assert!(ledgers.iter().all(|ledger| is_balanced(ledger.stats(), 1_000)));
}

#[test]
fn t13_bounded_in_bytes_and_told_in_band() {
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(503, Some("1")));
    let (layer, guard) = logs_only(receiver.otlp().max_bytes(1 << 20).max_batch(1).schedule_delay(Duration::ZERO));
    let large = "x".repeat(50_000);
    with_layer(layer.error_handler(ErrorHandler::silent()), || {
        (0..100).for_each(|_| info!(large, "large"));
        guard.flush(LONG).unwrap();
        info!("afterwards");
        guard.flush(LONG).unwrap();
    });
    let stats = guard.logs();
    assert!(stats.dropped >= 75 && is_balanced(stats, 101), "{stats}");
    let logs = receiver.take_logs();
    let lost: Vec<_> = logs.iter().filter(|(scope, _)| scope == "tracing_strata::otlp").collect();
    let told: u64 =
        lost.iter().map(|(_, record)| body(record).split(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(told, stats.dropped);
    assert!(body(&lost[0].1).ends_with("records lost") && lost[0].1.severity_text == "WARN");
    assert_eq!((logs.len() - lost.len()) as u64, stats.written);
}

#[test]
fn t13_spans_are_in_the_bytes_of_what_is_inside_of_them() {
    let full =
        |otlp: Otlp| otlp.max_bytes(1 << 20).max_batch(1).schedule_delay(Duration::ZERO).build_with_guard().unwrap();
    let body = "x".repeat(50_000);
    // Log records.
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(503, Some("1")));
    let (layer, guard) = full(receiver.otlp().spans(false));
    with_layer(layer.error_handler(ErrorHandler::silent()), || {
        (0..100).for_each(|_| info_span!("request", body).in_scope(|| info!("small")));
    });
    guard.flush(LONG).unwrap();
    let stats = guard.logs();
    assert!(stats.dropped >= 75 && is_balanced(stats, 100), "{stats}");
    // Spans, each in a heavy one, which it keeps.
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(503, Some("1")));
    let (layer, guard) = full(receiver.otlp().logs(false));
    with_layer(layer.error_handler(ErrorHandler::silent()), || {
        for _ in 0..100 {
            let _request = info_span!("request", body).entered();
            drop(info_span!("small"));
        }
    });
    guard.flush(LONG).unwrap();
    let stats = guard.spans();
    assert!(stats.dropped >= 150 && is_balanced(stats, 200), "{stats}");
}

#[test]
fn a_batch_is_kept_below_what_receivers_take() {
    let receiver = Receiver::start();
    let (layer, guard) = logs_only(receiver.otlp().schedule_delay(Duration::from_secs(3_600)));
    let large = "x".repeat(60_000);
    with_layer(layer, || (0..100).for_each(|_| info!(large, "large")));
    guard.flush(LONG).unwrap();
    let lengths: Vec<usize> =
        receiver.requests().iter().map(|request| request["content-length"].parse().unwrap()).collect();
    assert!(lengths.len() > 1 && lengths.iter().all(|length| *length < 4 << 20), "{lengths:?}");
    assert_eq!(receiver.take_logs().len(), 100);
}

#[test]
fn t18_records_after_the_shutdown_are_counted() {
    let receiver = Receiver::start();
    let (layer, guard) = receiver.otlp().build_with_guard().unwrap();
    let ledgers = [layer.logs_ledger().unwrap(), layer.spans_ledger().unwrap()];
    with_layer(layer, || {
        let _over_the_end = info_span!("s").entered();
        info!("before");
        guard.shutdown(LONG).unwrap();
        guard.shutdown(LONG).unwrap();
        info!("after");
    });
    let stats: Vec<_> = ledgers.iter().map(|ledger| ledger.stats()).collect();
    assert_eq!((stats[0].written, stats[0].dropped, stats[0].accepted()), (1, 1, 2));
    assert_eq!((stats[1].dropped, stats[1].accepted()), (1, 1));
    assert_eq!(receiver.take_logs().len(), 1);
}

#[test]
fn flush_all_reaches_it() {
    // In a process of its own: it would flush the handlers of other tests, too.
    crate::places::in_a_child(
        "otlp::delivery::flush_all_reaches_it",
        |_| {},
        |_| {
            let receiver = Receiver::start();
            let (layer, _guard) =
                receiver.otlp().schedule_delay(Duration::from_secs(3_600)).build_with_guard().unwrap();
            with_layer(layer, || {
                info!("m");
                tracing_strata::flush_all().unwrap();
                assert_eq!(receiver.take_logs().len(), 1);
            });
        },
    );
}

#[test]
fn a_dropped_guard_waits_for_the_rest() {
    let receiver = Receiver::start();
    let (layer, guard) =
        receiver.otlp().schedule_delay(Duration::from_secs(3_600)).flush_timeout(LONG).build_with_guard().unwrap();
    with_layer(layer, || info_span!("s").in_scope(|| info!("m")));
    drop(guard);
    assert_eq!((receiver.take_logs().len(), receiver.take_spans().len()), (1, 1));
}

#[test]
fn a_restarted_collector_loses_nothing() {
    // Two connections die; what was not answered is sent again.
    let receiver = Receiver::start();
    let (layer, guard) = logs_only(receiver.otlp().capacity(10_000).max_batch(100));
    with_layer(layer.error_handler(ErrorHandler::silent()), || {
        for n in 0..3_000 {
            if n % 1_000 == 500 {
                receiver.reply(Reply::Close);
            }
            info!(n, "m");
        }
    });
    guard.flush(LONG).unwrap();
    assert_eq!((guard.logs().written, guard.logs().accepted()), (3_000, 3_000));
    assert_eq!(receiver.take_logs().len(), 3_000);
}

/// The first one is away, then the second: each batch arrives at once, at the one that answers. gRPC is away for good.
#[test]
fn another_collector_takes_over() {
    for grpc in [false, true] {
        let (one, two) = (Receiver::start(), Receiver::start());
        let others = [one.url(), two.url()].into_iter().fold(one.otlp().endpoint(nobody()), Otlp::failover);
        let others = if grpc { others.protocol(Protocol::Grpc).retry_for(Duration::ZERO) } else { others };
        let (layer, guard) = logs_only(others);
        let (error_handler, told) = remembering();
        let layer = layer.error_handler(error_handler);
        one.reply(Reply::Status(503, None));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            for message in ["a", "b"] {
                info!("{message}");
                guard.flush(LONG).unwrap();
            }
        });
        let bodies = |receiver: &Receiver| receiver.take_logs().iter().map(|(_, log)| body(log).to_owned()).collect();
        let (first, second): (Vec<_>, Vec<_>) = (bodies(&one), bodies(&two));
        if grpc {
            // These speak HTTP/1.1.
            assert_eq!((first.len() + second.len(), guard.logs().failed), (0, 2), "{told:?}");
        } else {
            assert_eq!((first, second, guard.logs().written), (vec![], vec!["a".to_owned(), "b".to_owned()], 2));
            assert!(told.lock().unwrap().is_empty(), "{told:?}");
        }
    }
}
