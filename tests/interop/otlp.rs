//! Logs and spans to a receiver on the official definitions, and to the collector rotel.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use serde_json::Value;
use tracing::{Dispatch, error, info, info_span, warn};
use tracing_strata::{
    critical,
    format::Json,
    ledger::{ErrorHandler, Stats},
    otlp::{Otlp, OtlpCompression, OtlpGuard, Protocol, Sampler},
    output::LogFile,
    prelude::*,
};
use tracing_subscriber::{prelude::*, registry};

use crate::servers::Server;

const LONG: Duration = Duration::from_secs(60);
const HTTP: &str = "http://127.0.0.1:14318";
const GRPC: &str = "http://127.0.0.1:14317";

/// What the receiver has written down, a request a line.
struct Arrived {
    requests: Vec<Value>,
}

impl Arrived {
    fn read(server: &Server) -> Self {
        let text = fs::read_to_string(server.dir().join("run/recv.jsonl")).unwrap();
        // A receiver that was killed may have been in the middle of its last line.
        let requests = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Self { requests }
    }

    fn of(&self, kind: &str, resources: &str, scopes: &str, items: &str) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        for request in self.requests.iter().filter(|request| request["kind"] == kind) {
            assert_eq!(request["error"], Value::Null, "{request}");
            for resource in list(&request["req"][resources]) {
                for scope in list(&resource[scopes]) {
                    let name = scope["scope"]["name"].as_str().unwrap_or_default();
                    found.extend(list(&scope[items]).iter().map(|item| (name.to_owned(), item.clone())));
                }
            }
        }
        found
    }

    fn logs(&self) -> Vec<(String, Value)> {
        self.of("logs", "resourceLogs", "scopeLogs", "logRecords")
    }

    fn spans(&self) -> Vec<(String, Value)> {
        self.of("traces", "resourceSpans", "scopeSpans", "spans")
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// `{"stringValue": "x"}` of a key.
fn attribute(item: &Value, key: &str) -> Value {
    let mut found = list(&item["attributes"]).iter().filter(|attribute| attribute["key"] == key);
    let value = found.next().map_or(Value::Null, |attribute| attribute["value"].clone());
    assert!(found.next().is_none(), "{key} stands twice");
    value
}

fn text(text: &str) -> Value {
    serde_json::json!({ "stringValue": text })
}

/// Protobuf's JSON has bytes in base64.
fn id(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let digit = |c: u8| {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|known| *known == c)
    };
    let bits = text.bytes().filter_map(digit).fold(String::new(), |bits, digit| bits + &format!("{digit:06b}"));
    let whole = bits.len() / 8 * 8;
    (0..whole / 4).map(|at| format!("{:x}", u8::from_str_radix(&bits[at * 4..at * 4 + 4], 2).unwrap())).collect()
}

fn with(otlp: Otlp, run: impl FnOnce()) -> OtlpGuard {
    let (layer, guard) = otlp.build_with_guard().unwrap();
    let dispatch: Dispatch = registry().with(layer).into();
    tracing::dispatcher::with_default(&dispatch, run);
    guard.flush(LONG).unwrap();
    guard
}

fn ways() -> Vec<(&'static str, Protocol, OtlpCompression, &'static str)> {
    vec![
        ("grpc", Protocol::Grpc, OtlpCompression::None, GRPC),
        ("grpc gzip", Protocol::Grpc, OtlpCompression::Gzip, GRPC),
        ("protobuf", Protocol::HttpProtobuf, OtlpCompression::None, HTTP),
        ("protobuf gzip", Protocol::HttpProtobuf, OtlpCompression::Gzip, HTTP),
        ("json", Protocol::HttpJson, OtlpCompression::None, HTTP),
        ("json gzip", Protocol::HttpJson, OtlpCompression::Gzip, HTTP),
    ]
}

/// One of everything in the tables of the module's documentation.
fn one_of_each() {
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let cause = info_span!("cause");
    let request = info_span!(
        target: "shop::web",
        "request",
        otel.name = "GET /order",
        otel.kind = "server",
        traceparent = header,
        tracestate = "congo=1",
        user = 7,
        status = tracing::field::Empty,
    );
    request.follows_from(&cause);
    let entered = request.entered();
    entered.record("status", 500);
    let error = "x".parse::<u8>().unwrap_err();
    error!(target: "shop::db", error = &error as &dyn std::error::Error, error.type = "ParseIntError", error.backtrace = "0: main", "failed");
    critical!(name: "order.lost", target: "shop", yes = true, n = -7, big = u64::MAX, f = 0.5, bytes = b"\x01\xff".as_slice(), debug = ?[1, 2], "m");
}

fn check_one_of_each(arrived: &Arrived, way: &str) {
    let logs: BTreeMap<String, Value> = arrived.logs().into_iter().collect();
    let spans: BTreeMap<String, Value> =
        arrived.spans().into_iter().map(|(_, span)| (span["name"].as_str().unwrap().to_owned(), span)).collect();
    let (lost, failed) = (&logs["shop"], &logs["shop::db"]);
    let span = &spans["GET /order"];
    // Log records.
    assert_eq!(lost["severityNumber"], "SEVERITY_NUMBER_FATAL", "{way}");
    assert_eq!(
        (&lost["severityText"], &lost["body"], &lost["eventName"]),
        (&"CRITICAL".into(), &text("m"), &"order.lost".into())
    );
    let nanos = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    assert!(nanos(&lost["timeUnixNano"]) > 1_600_000_000_000_000_000);
    assert_eq!(lost["timeUnixNano"], lost["observedTimeUnixNano"]);
    assert_eq!(attribute(lost, "yes")["boolValue"], true);
    assert_eq!(attribute(lost, "n")["intValue"], "-7");
    assert_eq!(attribute(lost, "big"), text(&u64::MAX.to_string()));
    assert_eq!(attribute(lost, "f")["doubleValue"], 0.5);
    assert_eq!(attribute(lost, "bytes")["bytesValue"], "Af8=");
    assert_eq!(attribute(lost, "debug"), text("[1, 2]"));
    assert_eq!(attribute(lost, "user")["intValue"], "7");
    assert_eq!(attribute(lost, "status")["intValue"], "500");
    assert_eq!(attribute(lost, "code.file.path"), text(file!()));
    assert_eq!(attribute(lost, "code.module.name"), text(module_path!()));
    assert!(attribute(lost, "code.line.number")["intValue"].is_string());
    assert!(attribute(lost, "thread.id")["intValue"].is_string());
    assert_eq!(attribute(lost, "thread.name"), text(thread::current().name().unwrap()));
    assert_eq!(attribute(failed, "exception.message"), text("invalid digit found in string"));
    assert_eq!(attribute(failed, "exception.type"), text("std::num::ParseIntError"));
    assert_eq!(attribute(failed, "exception.stacktrace"), text("invalid digit found in string\n0: main"));
    assert_eq!((attribute(lost, "traceparent"), attribute(failed, "error")), (Value::Null, Value::Null));
    // The span, with the same ids.
    assert_eq!(id(&span["traceId"]), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(id(&span["parentSpanId"]), "00f067aa0ba902b7");
    assert_eq!((&lost["traceId"], &lost["spanId"], &lost["flags"]), (&span["traceId"], &span["spanId"], &1.into()));
    assert_eq!((&failed["traceId"], &failed["spanId"]), (&span["traceId"], &span["spanId"]));
    assert_eq!(
        (&span["kind"], &span["traceState"], &span["flags"]),
        (&"SPAN_KIND_SERVER".into(), &"congo=1".into(), &0x301.into())
    );
    assert!(nanos(&span["startTimeUnixNano"]) <= nanos(&lost["timeUnixNano"]));
    assert!(nanos(&span["endTimeUnixNano"]) >= nanos(&lost["timeUnixNano"]));
    assert_eq!(attribute(span, "status")["intValue"], "500");
    assert_eq!(attribute(span, "otel.kind"), Value::Null);
    assert_eq!(
        span["status"],
        serde_json::json!({"message": "invalid digit found in string", "code": "STATUS_CODE_ERROR"})
    );
    assert_eq!(list(&span["links"]).len(), 1);
    assert_eq!(span["links"][0]["spanId"], spans["cause"]["spanId"]);
    let scopes: HashSet<_> = arrived.spans().into_iter().map(|(scope, _)| scope).collect();
    assert!(scopes.contains("shop::web"), "{scopes:?}");
    // The resource.
    for (kind, list_of) in [("logs", "resourceLogs"), ("traces", "resourceSpans")] {
        let request = arrived.requests.iter().find(|request| request["kind"] == kind).unwrap();
        let resource = &request["req"][list_of][0]["resource"];
        assert_eq!(attribute(resource, "service.name"), text("interop"), "{way}");
        assert_eq!(attribute(resource, "zone"), text("eu"));
        assert_eq!(attribute(resource, "telemetry.sdk.language"), text("rust"));
    }
}

fn complete(otlp: Otlp) -> Otlp {
    otlp.service("interop").attribute("zone", "eu").header("x-key", "secret").sampler(Sampler::Always)
}

#[test]
fn each_field_by_each_way() {
    for (way, protocol, compression, url) in ways() {
        let server = Server::start("otlp");
        let guard =
            with(complete(Otlp::builder().endpoint(url).protocol(protocol).compression(compression)), one_of_each);
        assert_eq!((guard.logs().written, guard.spans().written), (2, 2), "{way}");
        let arrived = Arrived::read(&server);
        check_one_of_each(&arrived, way);
        let headers = &arrived.requests[0]["meta"]["headers"];
        assert_eq!(
            (&arrived.requests[0]["via"], &headers["x-key"]),
            (&way[..4].replace("prot", "http").replace("json", "http").into(), &"secret".into())
        );
        if !way.starts_with("grpc") {
            assert_eq!(headers["content-encoding"] == "gzip", way.ends_with("gzip"));
        }
    }
}

#[test]
fn through_the_collector_rotel() {
    for (protocol, url) in [
        (Protocol::Grpc, "http://127.0.0.1:24317"),
        (Protocol::HttpProtobuf, "http://127.0.0.1:24318"),
        (Protocol::HttpJson, "http://127.0.0.1:24318"),
    ] {
        let server = Server::start("otlp");
        let rotel = Server::start("rotel");
        let guard = with(complete(Otlp::builder().endpoint(url).protocol(protocol)), one_of_each);
        assert_eq!((guard.logs().written, guard.spans().written), (2, 2), "{protocol:?}");
        // It forwards what it has before it ends.
        rotel.run("stop.sh", &[]);
        let arrived = Arrived::read(&server);
        assert_eq!((arrived.logs().len(), arrived.spans().len()), (2, 2), "{protocol:?}");
        let (logs, spans) = (arrived.logs(), arrived.spans());
        let span = spans.iter().find(|(_, span)| span["name"] == "GET /order").unwrap();
        assert!(logs.iter().all(|(_, record)| record["spanId"] == span.1["spanId"]));
        assert!(logs.iter().any(|(_, record)| record["severityText"] == "CRITICAL" && attribute(record, "user")["intValue"] == "7"));
    }
}

#[test]
fn ids_are_equal_for_a_thousand_concurrent_requests() {
    let server = Server::start("otlp");
    let (layer, guard) =
        complete(Otlp::builder().endpoint(GRPC).protocol(Protocol::Grpc)).capacity(10_000).build_with_guard().unwrap();
    let path = server.dir().join("requests.jsonl");
    let file = LogFile::builder(&path).format(Json::new()).build().unwrap();
    // The file's layer first: the ids are made by the later one all the same.
    let dispatch: Dispatch = registry().with(file.into_layer()).with(layer).into();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        let requests: Vec<_> = (0..1_000)
            .map(|number| {
                use tracing::{Instrument as _, instrument::WithSubscriber as _};
                let request = async move {
                    tokio::task::yield_now().await;
                    info!("first");
                    tokio::task::yield_now().await;
                    info!("second");
                };
                runtime.spawn(request.instrument(info_span!("request", number)).with_subscriber(dispatch.clone()))
            })
            .collect();
        runtime.block_on(async {
            for request in requests {
                request.await.unwrap();
            }
        });
    });
    guard.flush(LONG).unwrap();
    let arrived = Arrived::read(&server);
    let mut ids: HashMap<i64, HashSet<(String, String)>> = HashMap::new();
    let mut seen = 0;
    for line in fs::read_to_string(path).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let own = (line["trace_id"].as_str().unwrap().to_owned(), line["span_id"].as_str().unwrap().to_owned());
        ids.entry(line["number"].as_i64().unwrap()).or_default().insert(own);
        seen += 1;
    }
    for (_, item) in arrived.logs().into_iter().chain(arrived.spans()) {
        let number = attribute(&item, "number")["intValue"].as_str().unwrap().parse().unwrap();
        ids.entry(number).or_default().insert((id(&item["traceId"]), id(&item["spanId"])));
        seen += 1;
    }
    assert_eq!(seen, 2_000 + 2_000 + 1_000);
    assert_eq!(ids.len(), 1_000);
    assert!(ids.values().all(|ids| ids.len() == 1));
    let traces: HashSet<_> = ids.values().flatten().map(|(trace, _)| trace).collect();
    assert_eq!(traces.len(), 1_000);
}

/// Sent, refused and dropped are all that was made.
fn is_settled(stats: Stats, made: u64) {
    assert_eq!((stats.accepted(), stats.queued), (made, 0), "{stats}");
    assert_eq!(stats.written + stats.failed + stats.dropped + stats.filtered, made, "{stats}");
}

const RECORDS: u64 = 100_000;
const SPANS: u64 = 20_000;

/// Makes all of them, while `collector` is killed and restarted three times, and sees all settled.
fn while_killed(protocol: Protocol, url: &str, collector: &Server) -> (Stats, Stats) {
    let (layer, guard) = complete(Otlp::builder().endpoint(url).protocol(protocol))
        .capacity(8_192)
        .max_batch(1_000)
        .build_with_guard()
        .unwrap();
    let dispatch: Dispatch = registry().with(layer.error_handler(ErrorHandler::silent())).into();
    thread::scope(|scope| {
        scope.spawn(|| {
            tracing::dispatcher::with_default(&dispatch, || {
                for n in 0..SPANS {
                    let _span = info_span!("s", n).entered();
                    (0..RECORDS / SPANS).for_each(|k| warn!(k, number = n * (RECORDS / SPANS) + k, "m"));
                    if n % 50 == 0 {
                        // Some seconds in all, so that the restarts are in the middle.
                        thread::sleep(Duration::from_millis(10));
                    }
                }
            });
        });
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(700));
            collector.restart(&[("KILL", "9")]);
        }
    });
    guard.flush(LONG).unwrap();
    let (logs, spans) = (guard.logs(), guard.spans());
    is_settled(logs, RECORDS);
    is_settled(spans, SPANS);
    assert!(logs.written > 0 && spans.written > 0);
    (logs, spans)
}

/// How many different ones are there.
fn mine(arrived: &Arrived) -> (u64, u64) {
    let numbers = |items: Vec<(String, Value)>, key: &str| -> HashSet<String> {
        items.iter().filter_map(|(_, item)| attribute(item, key)["intValue"].as_str().map(str::to_owned)).collect()
    };
    (numbers(arrived.logs(), "number").len() as u64, numbers(arrived.spans(), "n").len() as u64)
}

fn killed_and_restarted(protocol: Protocol, url: &str) {
    let server = Server::start("otlp");
    let (logs, spans) = while_killed(protocol, url, &server);
    // All that the collector has confirmed is there; it may have more, as an answer may have been lost with it.
    let arrived = Arrived::read(&server);
    let (of_logs, of_spans) = mine(&arrived);
    println!("{protocol:?}: logs {logs}, {of_logs} arrived; spans {spans}, {of_spans} arrived");
    assert!(of_logs >= logs.written && of_logs <= RECORDS - logs.dropped, "{of_logs}: {logs}");
    assert!(of_spans >= spans.written && of_spans <= SPANS - spans.dropped, "{of_spans}: {spans}");
    // What was dropped was told in-band.
    let lost: u64 = arrived
        .logs()
        .iter()
        .filter(|(scope, _)| scope == "tracing_strata::otlp")
        .map(|(_, record)| attribute(record, "lost")["intValue"].as_str().unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(lost <= logs.dropped || logs.dropped == 0, "{lost}: {logs}");
}

#[test]
fn killed_and_restarted_over_http() {
    killed_and_restarted(Protocol::HttpProtobuf, HTTP);
}

#[test]
fn killed_and_restarted_over_grpc() {
    killed_and_restarted(Protocol::Grpc, GRPC);
}

/// What rotel has confirmed and not forwarded yet dies with it, which is its own account.
fn rotel_killed_and_restarted(protocol: Protocol, url: &str) {
    let server = Server::start("otlp");
    let rotel = Server::start("rotel");
    let (logs, spans) = while_killed(protocol, url, &rotel);
    // It forwards what it has before it ends.
    rotel.run("stop.sh", &[]);
    let (of_logs, of_spans) = mine(&Arrived::read(&server));
    println!("rotel, {protocol:?}: logs {logs}, {of_logs} arrived; spans {spans}, {of_spans} arrived");
    assert!(of_logs > 0 && of_logs <= RECORDS - logs.dropped, "{of_logs}: {logs}");
    assert!(of_spans > 0 && of_spans <= SPANS - spans.dropped, "{of_spans}: {spans}");
}

#[test]
fn rotel_killed_and_restarted_over_http() {
    rotel_killed_and_restarted(Protocol::HttpProtobuf, "http://127.0.0.1:24318");
}

#[test]
fn rotel_killed_and_restarted_over_grpc() {
    rotel_killed_and_restarted(Protocol::Grpc, "http://127.0.0.1:24317");
}

#[test]
fn refusals_delays_and_partial_success() {
    for (protocol, url) in [(Protocol::Grpc, GRPC), (Protocol::HttpProtobuf, HTTP), (Protocol::HttpJson, HTTP)] {
        let server = Server::start_with("otlp", &[("ARGS", "--fail 2:503 --retry-after 1 --partial 3 --delay 0.2")]);
        let (layer, guard) =
            complete(Otlp::builder().endpoint(url).protocol(protocol)).spans(false).build_with_guard().unwrap();
        let (error_handler, told) = ErrorHandler::counting();
        let dispatch: Dispatch = registry().with(layer.error_handler(error_handler)).into();
        tracing::dispatcher::with_default(&dispatch, || (0..10).for_each(|n| info!(n, "m")));
        guard.flush(LONG).unwrap();
        let stats = guard.logs();
        assert_eq!((stats.written, stats.failed), (7, 3), "{protocol:?}");
        assert!(told.load(std::sync::atomic::Ordering::Relaxed) >= 2);
        assert_eq!(Arrived::read(&server).logs().len(), 10);
    }
}

#[test]
fn t17_a_collector_that_does_not_answer_in_time() {
    for (protocol, url) in [(Protocol::Grpc, GRPC), (Protocol::HttpProtobuf, HTTP)] {
        let _server = Server::start_with("otlp", &[("ARGS", "--delay 5")]);
        let (layer, guard) = Otlp::builder()
            .endpoint(url)
            .protocol(protocol)
            .flush_timeout(Duration::from_millis(50))
            .build_with_guard()
            .unwrap();
        let dispatch: Dispatch = registry().with(layer.error_handler(ErrorHandler::silent())).into();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            tracing::dispatcher::with_default(&dispatch, || info_span!("s").in_scope(|| info!("m")));
            let began = std::time::Instant::now();
            assert!(guard.flush(Duration::from_millis(100)).is_err());
            assert!(guard.shutdown(Duration::from_millis(100)).is_err());
            assert!(began.elapsed() < Duration::from_secs(4));
        });
    }
}

#[test]
fn tls_with_a_clients_certificate() {
    let server = Server::start_with("otlp", &[("TLS", "1")]);
    let tls = server.dir().join("run/tls");
    for (protocol, url) in [
        (Protocol::Grpc, "https://localhost:14317"),
        (Protocol::HttpProtobuf, "https://localhost:14318"),
        (Protocol::HttpJson, "https://127.0.0.1:14318"),
    ] {
        let vars = [
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", tls.join("ca.pem")),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", tls.join("client.pem")),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", tls.join("client.key")),
        ];
        let vars = vars.map(|(name, path)| (name, path.to_str().unwrap().to_owned()));
        let guard = with(complete(Otlp::from_vars(vars).endpoint(url).protocol(protocol)), one_of_each);
        assert_eq!((guard.logs().written, guard.spans().written), (2, 2), "{protocol:?}");
        // Without a certificate of its own, or with another authority, it is not let in and lets nobody in.
        let strangers = [Otlp::builder().ca_certificate(tls.join("ca.pem")), Otlp::builder()];
        for stranger in strangers {
            let otlp = stranger.endpoint(url).protocol(protocol).retry_for(Duration::ZERO).spans(false);
            let (layer, guard) = otlp.build_with_guard().unwrap();
            let dispatch: Dispatch = registry().with(layer.error_handler(ErrorHandler::silent())).into();
            tracing::dispatcher::with_default(&dispatch, || info!("m"));
            guard.flush(LONG).unwrap();
            assert_eq!((guard.logs().failed, guard.logs().accepted()), (1, 1), "{protocol:?}");
        }
    }
    assert_eq!(Arrived::read(&server).logs().len(), 6);
}

#[test]
fn two_processes_one_trace() {
    let server = Server::start("otlp");
    // The example `distributed`, with the receiver as its collector.
    let out = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--all-features", "--example", "distributed"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", HTTP)
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    let arrived = Arrived::read(&server);
    let (logs, spans) = (arrived.logs(), arrived.spans());
    let traces: HashSet<_> = logs.iter().chain(&spans).map(|(_, item)| id(&item["traceId"])).collect();
    assert_eq!(traces.len(), 1, "{traces:?}");
    let services: HashSet<_> = arrived
        .requests
        .iter()
        .map(|request| {
            attribute(&request["req"]["resourceLogs"][0]["resource"], "service.name")["stringValue"].to_string()
        })
        .filter(|name| name != "null")
        .collect();
    assert_eq!(services, HashSet::from(["\"shop\"".to_owned(), "\"stock\"".to_owned()]));
    // The second service's span is a child of the first one's.
    let by_id: HashMap<_, _> = spans.iter().map(|(_, span)| (id(&span["spanId"]), span)).collect();
    let reserve = spans.iter().find(|(_, span)| span["name"] == "reserve").unwrap();
    assert_eq!(by_id[&id(&reserve.1["parentSpanId"])]["name"], "ask the stock");
}

/// In processes of their own, that have no other threads.
#[cfg(unix)]
#[test]
fn a_child_of_a_fork_exports_over_grpc() {
    use fork::{Fork, fork, waitpid};
    const IN_CHILD: &str = "STRATA_INTEROP_FORKS";
    if std::env::var_os(IN_CHILD).is_some() {
        let otlp = complete(Otlp::builder().endpoint(GRPC).protocol(Protocol::Grpc));
        let (layer, guard) = otlp.schedule_delay(Duration::from_secs(3_600)).build_with_guard().unwrap();
        registry().with(layer).init();
        info_span!("before").in_scope(|| info!("before"));
        guard.flush(LONG).unwrap();
        info!("held");
        match fork().unwrap() {
            Fork::Child => {
                info_span!("child").in_scope(|| info!("child"));
                guard.shutdown(LONG).unwrap();
                std::process::exit(0);
            }
            Fork::Parent(pid) => waitpid(pid).unwrap(),
        };
        guard.shutdown(LONG).unwrap();
        std::process::exit(0);
    }
    let server = Server::start("otlp");
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["otlp::a_child_of_a_fork_exports_over_grpc", "--exact", "--test-threads=1"]).env(IN_CHILD, "1");
    let output = again.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let arrived = Arrived::read(&server);
    let mut logs: Vec<_> = arrived.logs().into_iter().map(|(_, record)| record["body"].clone()).collect();
    logs.sort_by_key(Value::to_string);
    assert_eq!(logs, ["before", "child", "held"].map(text));
    let mut spans: Vec<_> = arrived.spans().into_iter().map(|(_, span)| span["name"].clone()).collect();
    spans.sort_by_key(Value::to_string);
    assert_eq!(spans, ["before", "child"]);
}
