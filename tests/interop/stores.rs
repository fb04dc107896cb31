//! Log stores by the presets of `output::Http`: what was sent is asked back.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value as Json, json};
use tracing_strata::{
    NamedHandler, Record,
    format::{Json as JsonFormat, Key, Time},
    ledger::ErrorHandler,
    output::{Datadog, Elasticsearch, Http, HttpBody, HttpBuilder, Loki, SplunkHec},
    sink::{
        Compression,
        http::{Auth, Credential},
    },
};

use crate::{hostile, servers::Server};

const VICTORIA: &str = "http://127.0.0.1:29428";
const OPENSEARCH: &str = "http://127.0.0.1:29200";

fn named(http: HttpBuilder) -> NamedHandler {
    let http = http.flush_timeout(Duration::from_secs(60)).timeout(Duration::from_secs(30)).build().unwrap();
    NamedHandler::with_error_handler("store", http, ErrorHandler::stderr())
}

/// In this order: a number in the message, hostile texts, a trace, a span's field.
fn records(count: usize) -> Vec<Record> {
    let record = |number: usize| {
        let hostile = hostile::record(number);
        let mut record = Record::new(hostile.severity(), "shop::cart", hostile.message());
        record.set_time(UNIX_EPOCH + Duration::from_nanos(1_764_000_000_000_000_000 + number as u64 * 1_000_001));
        record.set("text", record.message().to_owned().as_str());
        record.set("region", ["eu", "us"][number % 2]);
        record.push_span("request", [("user", "ann")].into_iter().collect());
        record
    };
    (0..count).map(record).collect()
}

fn send(http: HttpBuilder, records: &[Record]) {
    let http = named(http);
    records.iter().for_each(|record| http.emit(record));
    http.flush().unwrap();
    let stats = http.stats();
    assert_eq!((stats.written, stats.accepted(), stats.other_errors), (records.len() as u64, records.len() as u64, 0));
}

/// By time; all values are texts.
fn stored(server: &Server, tenant: &str) -> Vec<BTreeMap<String, String>> {
    server.run("query.sh", &[("TENANT", tenant)]);
    let text = fs::read_to_string(server.dir().join("out.jsonl")).unwrap();
    let record = |line: &str| {
        let mut record: BTreeMap<String, String> = serde_json::from_str(line).unwrap();
        // Without zeros at the end, as it is told.
        let time = record["_time"].trim_end_matches('Z').to_owned();
        let (seconds, fraction) = time.split_once('.').unwrap_or((&time, ""));
        record.insert("_time".into(), format!("{seconds}.{fraction:0<9}Z"));
        record
    };
    text.lines().map(record).collect()
}

fn time_of(record: &Record) -> String {
    let mut text = String::new();
    Time::utc().nanos().write(record.time(), &mut text);
    text
}

/// Empty values are not stored.
fn check(records: &[Record], stored: &[BTreeMap<String, String>], text: &str) {
    assert_eq!(stored.len(), records.len());
    for (record, stored) in records.iter().zip(stored) {
        assert_eq!(stored["_msg"], record.message(), "{stored:?}");
        assert_eq!(stored[text], record.message(), "{stored:?}");
    }
}

#[test]
fn victorialogs_takes_bulk_requests() {
    let server = Server::start("victorialogs");
    let records = records(300);
    let url =
        format!("{VICTORIA}/insert/elasticsearch/?_time_field=@timestamp&_msg_field=message&_stream_fields=log.logger");
    let http = Http::builder(Elasticsearch::new(url)).compression(Compression::zstd()).max_batch(70);
    send(http.format(JsonFormat::ecs().time(Time::utc().nanos())), &records);
    let stored = stored(&server, "0");
    check(&records, &stored, "text");
    for (record, stored) in records.iter().zip(&stored) {
        assert_eq!(stored["_time"], time_of(record));
        assert_eq!((&*stored["_stream"], &*stored["user"]), ("{log.logger=\"shop::cart\"}", "ann"));
        assert_eq!(stored["log.level"], record.severity().to_string().to_lowercase());
    }
}

#[test]
fn victorialogs_takes_pushes_of_loki() {
    pushes_of_loki(false);
}

#[test]
fn victorialogs_takes_pushes_of_loki_in_protobuf() {
    pushes_of_loki(true);
}

fn pushes_of_loki(in_protobuf: bool) {
    let server = Server::start("victorialogs");
    let records = records(300);
    let loki = Loki::new(format!("{VICTORIA}/insert"))
        .label("app", "shop")
        .label("2nd label", "é\"\\\n")
        .field_label("region");
    let http = Http::builder(loki.metadata("user").tenant("7").protobuf(in_protobuf));
    let http = if in_protobuf { http } else { http.compression(Compression::gzip()) };
    send(http.max_batch(90).format(JsonFormat::new().rename(Key::Message, "_msg")), &records);
    let stored = stored(&server, "7");
    check(&records, &stored, "text");
    for (record, stored) in records.iter().zip(&stored) {
        assert_eq!((&*stored["app"], &*stored["user"]), ("shop", "ann"));
        assert_eq!((&*stored["_2nd_label"], stored["_time"].as_str()), ("é\"\\\n", &*time_of(record)));
        assert!(
            stored["_stream"].contains(&format!("region={:?}", record.get("region").unwrap().as_str().unwrap())),
            "{stored:?}"
        );
    }
}

/// A Loki by another hand, asked in LogQL.
#[test]
fn qryn_gives_back_what_loki_pushed() {
    let server = Server::start("qryn");
    for (app, in_protobuf) in [("json", false), ("protobuf", true)] {
        let mut records = records(200);
        let start = SystemTime::now() - Duration::from_secs(60);
        for (number, record) in records.iter_mut().enumerate() {
            record.set_time(start + Duration::from_nanos(1_000_001 * number as u64));
        }
        let loki = Loki::new("http://127.0.0.1:29100").label("app", app).field_label("region").protobuf(in_protobuf);
        send(Http::builder(loki).max_batch(70), &records);
        let query = format!("{{app=\"{app}\"}}");
        // It writes what it took once a second.
        let found = || {
            server.run("query.sh", &[("QUERY", &query)]);
            let answer: Json = serde_json::from_slice(&fs::read(server.dir().join("out.json")).unwrap()).unwrap();
            let mut found = Vec::new();
            for stream in answer["data"]["result"].as_array().unwrap() {
                for value in stream["values"].as_array().unwrap() {
                    let line: Json = serde_json::from_str(value[1].as_str().unwrap()).unwrap();
                    // It answers with a number of JavaScript: it is right to half a microsecond.
                    let time = value[0].as_u64().unwrap();
                    assert_eq!((&stream["stream"]["app"], &stream["stream"]["region"]), (&json!(app), &line["region"]));
                    found.push((time, line["text"].as_str().unwrap().to_owned(), stream["stream"]["level"].clone()));
                }
            }
            found.sort_by_key(|(time, ..)| *time);
            found
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while found().len() < records.len() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(200));
        }
        let found = found();
        assert_eq!(found.len(), records.len());
        for (record, (time, text, level)) in records.iter().zip(found) {
            let since = record.time().duration_since(UNIX_EPOCH).unwrap();
            assert!(time.abs_diff(since.as_nanos() as u64) < 500, "{time}, {since:?}");
            assert_eq!((&*text, level), (record.message(), json!(record.severity().to_string().to_lowercase())));
        }
    }
}

#[test]
fn victorialogs_takes_events_of_splunk() {
    let server = Server::start("victorialogs");
    let records = records(300);
    let hec = SplunkHec::new(VICTORIA, Credential::new("t")).host("web-1").source("app").sourcetype("_json");
    send(Http::builder(hec).max_batch(90), &records);
    let stored = stored(&server, "0");
    assert_eq!(stored.len(), records.len());
    for (record, stored) in records.iter().zip(&stored) {
        assert_eq!(stored["event.text"], record.message(), "{stored:?}");
        assert_eq!((&*stored["host"], &*stored["event.user"]), ("web-1", "ann"));
        // To the microsecond.
        assert_eq!(stored["_time"][..26], time_of(record)[..26]);
    }
}

#[test]
fn victorialogs_takes_logs_of_datadog() {
    let server = Server::start("victorialogs");
    let records = records(300);
    let datadog = Datadog::new(format!("{VICTORIA}/insert/datadog"), "key")
        .service("shop")
        .tags("env:test,team:pay")
        .host("web-1");
    send(Http::builder(datadog), &records);
    let stored = stored(&server, "0");
    check(&records, &stored, "text");
    for (record, stored) in records.iter().zip(&stored) {
        assert_eq!(
            (&*stored["service"], &*stored["env"], &*stored["team"], &*stored["hostname"]),
            ("shop", "test", "pay", "web-1")
        );
        // To the millisecond.
        assert_eq!(stored["_time"][..23], time_of(record)[..23]);
    }
}

/// Basic authorization, and a body of lines.
#[test]
fn victorialogs_takes_lines_with_a_password() {
    let server = Server::start_with("victorialogs", &[("ARGS", "-httpAuth.username=u -httpAuth.password=secret")]);
    let records = records(50);
    let url = format!("{VICTORIA}/insert/jsonline?_time_field=timestamp&_msg_field=message");
    let http = Http::builder(url).body(HttpBody::lines().content_type("application/stream+json"));
    let refused = named(Http::builder(format!("{VICTORIA}/insert/jsonline")).retry_for(Duration::ZERO));
    refused.set_error_handler(ErrorHandler::silent());
    refused.emit(&records[0]);
    refused.flush().unwrap();
    assert_eq!(refused.stats().failed, 1);
    send(http.auth(Auth::basic("u", Credential::new("secret"))), &records);
    server.run("query.sh", &[("AUTH", "u:secret")]);
    assert_eq!(fs::read_to_string(server.dir().join("out.jsonl")).unwrap().lines().count(), records.len());
}

/// Mappings refuse some documents, each by itself.
#[test]
fn opensearch_refuses_single_documents() {
    let server = Server::start("opensearch");
    let mapping =
        json!({"mappings": {"properties": {"amount": {"type": "long"}, "@timestamp": {"type": "date_nanos"}}}});
    server.run("put.sh", &[("URL", "/strict"), ("BODY", &mapping.to_string())]);
    let mut records = records(200);
    for (number, record) in records.iter_mut().enumerate() {
        match number % 50 {
            7 => record.set("amount", "not a number"),
            _ => record.set("amount", number),
        }
    }
    let http = named(
        Http::builder(Elasticsearch::new(OPENSEARCH).index("strict")).compression(Compression::gzip()).max_batch(60),
    );
    http.set_error_handler(ErrorHandler::silent());
    records.iter().for_each(|record| http.emit(record));
    http.flush().unwrap();
    assert_eq!((http.stats().written, http.stats().failed), (196, 4));

    server.run("search.sh", &[("INDEX", "strict")]);
    let found: Json = serde_json::from_str(&fs::read_to_string(server.dir().join("found.json")).unwrap()).unwrap();
    let found: Vec<_> = found["hits"]["hits"].as_array().unwrap().iter().map(|hit| &hit["_source"]).collect();
    let good: Vec<_> =
        records.iter().enumerate().filter(|(number, _)| number % 50 != 7).map(|(_, record)| record).collect();
    assert_eq!(found.len(), good.len());
    for (record, found) in good.iter().zip(found) {
        assert_eq!((&found["message"], &found["text"]), (&json!(record.message()), &json!(record.message())));
        assert_eq!((&found["log.logger"], &found["user"]), (&json!("shop::cart"), &json!("ann")));
    }

    // A data stream takes `create` only; a day has an index.
    let template = json!({"index_patterns": ["logs-*"], "data_stream": {}, "template": {}});
    server.run("put.sh", &[("URL", "/_index_template/logs"), ("BODY", &template.to_string())]);
    send(
        Http::builder(Elasticsearch::new(OPENSEARCH).data_stream("logs-shop-test")),
        &good.iter().map(|record| (*record).clone()).collect::<Vec<_>>(),
    );
    send(Http::builder(Elasticsearch::new(OPENSEARCH).daily_index("day-")), &[good[0].clone()]);
    server.run("search.sh", &[("INDEX", "day-2025.11.24")]);
    let found: Json = serde_json::from_str(&fs::read_to_string(server.dir().join("found.json")).unwrap()).unwrap();
    assert_eq!(found["hits"]["hits"].as_array().unwrap().len(), 1);
    server.run("search.sh", &[("INDEX", "logs-shop-test")]);
    let found: Json = serde_json::from_str(&fs::read_to_string(server.dir().join("found.json")).unwrap()).unwrap();
    assert_eq!(found["hits"]["hits"].as_array().unwrap().len(), good.len());
}

/// The node is full: it answers 429 for each request, and the records wait.
#[test]
fn opensearch_that_is_full_is_waited_for() {
    let server = Server::start_with("opensearch", &[("ARGS", "indexing_pressure.memory.limit=1kb")]);
    let records = records(20);
    let http = named(Http::builder(Elasticsearch::new(OPENSEARCH).index("full")));
    http.set_error_handler(ErrorHandler::silent());
    records.iter().for_each(|record| http.emit(record));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!((http.stats().queued, http.stats().failed), (20, 0));
    server.restart(&[]);
    http.flush().unwrap();
    assert_eq!((http.stats().written, http.stats().failed), (20, 0));
}
