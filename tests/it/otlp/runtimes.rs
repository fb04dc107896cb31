//! T17: flush and shutdown from everywhere, with a collector that answers, one that does not, and none.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use tracing::{info, info_span};
use tracing_strata::{
    ledger::ErrorHandler,
    otlp::{OtlpGuard, Protocol},
};

use super::receiver::{LONG, Receiver, Reply};
use crate::support::with_layer;

/// A deadline that is short against the ten seconds of an attempt.
const SHORT: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
enum Collector {
    Answers,
    Silent,
    Absent,
}

fn each_way(run: impl Fn(OtlpGuard, bool)) {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        for collector in [Collector::Answers, Collector::Silent, Collector::Absent] {
            if protocol == Protocol::Grpc && matches!(collector, Collector::Answers) {
                // The embedded receiver speaks HTTP; a gRPC one is among the interop tests.
                continue;
            }
            let receiver = Receiver::start();
            (0..2).for_each(|_| {
                if let Collector::Silent = collector {
                    receiver.reply(Reply::Silence);
                }
            });
            // Accepts connections and never reads them.
            let mute = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = match (collector, protocol) {
                (Collector::Silent, Protocol::Grpc) => format!("http://{}", mute.local_addr().unwrap()),
                (Collector::Absent, _) => {
                    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
                    format!("http://{}", gone.local_addr().unwrap())
                }
                _ => receiver.url(),
            };
            let (layer, guard) =
                receiver.otlp().endpoint(url).protocol(protocol).flush_timeout(SHORT).build_with_guard().unwrap();
            with_layer(layer.error_handler(ErrorHandler::silent()), || info_span!("s").in_scope(|| info!("m")));
            run(guard, matches!(collector, Collector::Answers));
        }
    }
}

/// In time, and with the right answer.
fn check(guard: OtlpGuard, answers: bool) {
    let began = Instant::now();
    let deadline = if answers { LONG } else { SHORT };
    assert_eq!(guard.flush(deadline).is_ok(), answers);
    assert_eq!(guard.shutdown(deadline).is_ok(), answers);
    assert!(began.elapsed() < LONG);
}

#[test]
fn t17_without_a_runtime() {
    each_way(check);
}

#[test]
fn t17_on_a_current_thread_runtime() {
    each_way(|guard, answers| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { check(guard, answers) });
    });
}

#[test]
fn t17_on_the_only_worker_of_a_multi_thread_runtime() {
    each_way(|guard, answers| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async { tokio::spawn(async move { check(guard, answers) }).await }).unwrap();
    });
}

#[test]
fn t17_spawned_and_dropped_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
            let receiver = Receiver::start();
            let otlp = receiver.otlp().protocol(protocol).endpoint("http://127.0.0.1:1").flush_timeout(SHORT);
            let (layer, guard) = otlp.build_with_guard().unwrap();
            with_layer(layer.error_handler(ErrorHandler::silent()), || info!("m"));
            drop(guard);
            // A bad certificate is found on the thread, and nothing panics when its runtime goes.
            let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
            let bad = receiver.otlp().protocol(protocol).endpoint("https://127.0.0.1:1").ca_certificate(manifest);
            let error = bad.build_with_guard().map(drop).unwrap_err().to_string();
            assert!(error.contains("OTEL_EXPORTER_OTLP_CERTIFICATE: expected certificates as PEM"), "{error}");
        }
    });
}
