//! Kinds of receivers: what is sent, and what their answers mean.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value as Json, json};
use tracing_strata::{
    Record, Severity,
    output::{BetterStack, Datadog, Elasticsearch, Http, HttpBuilder, Logstash, Loki, Sematext, SplunkHec, Webhook},
};

use super::{
    LONG, datadog, emit, ends, named,
    receiver::{Got, Receiver, Reply, status},
};
use crate::places::Bare;

fn eager(to: impl Into<HttpBuilder>) -> HttpBuilder {
    Http::builder(to).schedule_delay(LONG).timeout(LONG).flush_timeout(LONG)
}

fn record(message: &str) -> Record {
    let mut record = Record::new(Severity::WARN, "shop::pay", message);
    record.set_time(UNIX_EPOCH + Duration::from_micros(1_764_000_000_000_123));
    record
}

/// The requests of these records: path, headers' values by name, body.
fn sent(http: HttpBuilder, receiver: &Receiver, records: &[Record]) -> Vec<(String, Vec<Json>)> {
    let (http, told) = named(http);
    records.iter().for_each(|record| http.emit(record));
    http.flush().unwrap();
    assert_eq!(ends(&http), (records.len() as u64, 0, 0), "{told:?}");
    let values = |body: &str| serde_json::Deserializer::from_str(body).into_iter().map(Result::unwrap).collect();
    receiver.requests().iter().map(|got| (got.path.clone(), values(&got.body))).collect()
}

fn bulk(items: &'static str) -> Reply {
    Reply::Status(200, &[], items)
}

#[test]
fn elasticsearch_answers_for_each_record() {
    let receiver = Receiver::start();
    receiver.script([
        bulk(
            r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":429,"error":{"type":"full","reason":"later"}}},
            {"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse"}}}]}"#,
        ),
        bulk(r#"{"errors":false,"items":[]}"#),
    ]);
    let (http, told) = named(eager(Elasticsearch::new(receiver.url("/es/?x=1"))));
    ["one", "two", "three"].iter().for_each(|message| http.emit(&record(message)));
    http.flush().unwrap();
    assert_eq!(ends(&http), (2, 1, 0));
    let requests = receiver.requests();
    assert_eq!(
        (requests[0].path.as_str(), requests[0].headers["content-type"].as_str()),
        ("/es/_bulk?x=1", "application/x-ndjson")
    );
    let lines: Vec<&str> = requests[0].body.split_terminator('\n').collect();
    assert_eq!((lines.len(), lines[0]), (6, r#"{"create":{"_index":"logs-generic-default"}}"#));
    let document: Json = serde_json::from_str(lines[1]).unwrap();
    assert_eq!((&document["message"], &document["@timestamp"]), (&json!("one"), &json!("2025-11-24T16:00:00.000123Z")));
    // The one that had to wait comes again, alone.
    assert!(requests[1].body.contains("\"two\"") && requests[1].body.lines().count() == 2);
    let told = told.lock().unwrap();
    let refused = "elasticsearch: 400: mapper_parsing_exception: \"failed to parse\"";
    assert!(told.iter().any(|told| told == refused), "{told:?}");
}

/// Whatever is not the answer of `_bulk` is no acceptance.
#[test]
fn elasticsearch_must_say_what_became_of_each() {
    for answer in [
        "",
        "<html>",
        "{}",
        "[]",
        r#"{"errors":true}"#,
        r#"{"errors":true,"items":[{}]}"#,
        r#"{"errors":1,"items":[]}"#,
    ] {
        let receiver = Receiver::start();
        receiver.script([bulk(answer)]);
        let (http, _) = named(eager(Elasticsearch::new(receiver.url(""))));
        receiver.judge(|_| Some(bulk(r#"{"errors":false}"#)));
        ["one", "two"].iter().for_each(|message| http.emit(&record(message)));
        http.flush().unwrap();
        assert_eq!((receiver.requests().len(), ends(&http)), (2, (2, 0, 0)), "{answer}");
    }
}

#[test]
fn elasticsearch_and_sematext_name_an_index() {
    let check = |make: &dyn Fn(String) -> Elasticsearch, action: Json| {
        let receiver = Receiver::start();
        receiver.judge(|_| Some(bulk(r#"{"errors":false}"#)));
        let requests = sent(eager(make(receiver.url("/"))), &receiver, &[record("x")]);
        assert_eq!((requests[0].0.as_str(), &requests[0].1[0]), ("/_bulk", &action));
    };
    check(&|url| Elasticsearch::new(url).data_stream("logs-a-b"), json!({"create": {"_index": "logs-a-b"}}));
    check(&|url| Elasticsearch::new(url).index("a\"b"), json!({"index": {"_index": "a\"b"}}));
    check(&|url| Elasticsearch::new(url).daily_index("logs-"), json!({"index": {"_index": "logs-2025.11.24"}}));
    check(&|url| Sematext::at(url, "t-0-k-e-n"), json!({"index": {"_index": "t-0-k-e-n"}}));
}

#[test]
fn loki_gets_streams_with_labels_and_metadata() {
    let receiver = Receiver::start();
    let loki = Loki::new(receiver.url("")).label("app", "shop").label("level", "x").field_label("http.method");
    let loki = loki.metadata("user").tenant("t1");
    let mut records = vec![record("one"), record("two\n\"quoted\""), record("three")];
    records[0].set("http.method", "GET");
    records[1].set("user", 7);
    records[2].set("http.method", "GET");
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    records[2].push_span("request", [("traceparent", trace)].into_iter().collect());
    let requests = sent(eager(loki).format(Bare), &receiver, &records);
    assert_eq!(receiver.requests()[0].headers["x-scope-orgid"], "t1");
    assert_eq!(requests[0].0, "/loki/api/v1/push");
    let time = "1764000000000123000";
    // The first one of a name counts.
    let ids = json!({"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"});
    let get = json!({"app": "shop", "level": "x", "http_method": "GET"});
    assert_eq!(
        requests[0].1[0],
        json!({"streams": [
            {"stream": get, "values": [[time, "one"], [time, "three", ids]]},
            {"stream": {"app": "shop", "level": "x"}, "values": [[time, "two\n\"quoted\"", {"user": "7"}]]},
        ]})
    );
    let plain = Loki::new(receiver.url("")).level_label(Some("level")).target_label(Some("logger"));
    let body = sent(eager(plain).format(Bare), &receiver, &[record("x")]).pop().unwrap().1.remove(0);
    assert_eq!(body["streams"][0]["stream"], json!({"level": "warn", "logger": "shop.pay"}));
}

/// The fields of a message of protobuf, strictly: numbers, and everything else as bytes.
fn protobuf(mut bytes: &[u8]) -> Vec<(u8, Result<u64, &[u8]>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let length = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
        let (number, rest) = bytes.split_at(length);
        *bytes = rest;
        number.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
    }
    let mut fields = Vec::new();
    while let [tag, rest @ ..] = bytes {
        bytes = rest;
        let number = varint(&mut bytes);
        fields.push(match tag & 7 {
            0 => (tag >> 3, Ok(number)),
            2 => {
                let (value, rest) = bytes.split_at(number as usize);
                bytes = rest;
                (tag >> 3, Err(value))
            }
            other => panic!("wire type {other}"),
        });
    }
    fields
}

#[test]
fn loki_gets_protobuf() {
    let receiver = Receiver::start();
    let loki = Loki::new(receiver.url("")).label("app", "sh\"op\n").metadata("user").protobuf(true);
    let mut records = [record("one"), record("é\u{7}")];
    records[1].set("user", 7);
    let (http, _) = named(eager(loki).format(Bare));
    records.iter().for_each(|record| http.emit(record));
    http.flush().unwrap();
    let request = receiver.requests().remove(0);
    assert_eq!((&*request.path, &*request.headers["content-type"]), ("/loki/api/v1/push", "application/x-protobuf"));
    let block: Vec<u8> = request.body.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let push = snap::raw::Decoder::new().decompress_vec(&block).unwrap();
    let [(1, Err(stream))] = *protobuf(&push) else { panic!("one stream") };
    let fields = protobuf(stream);
    let [(1, Err(labels)), (2, Err(first)), (2, Err(second))] = *fields else { panic!("{fields:?}") };
    assert_eq!(std::str::from_utf8(labels).unwrap(), r#"{app="sh\"op\n", level="warn"}"#);
    let time = [(1, Ok(1_764_000_000)), (2, Ok(123_000))];
    let [(1, Err(at)), (2, Err(b"one"))] = *protobuf(first) else { panic!("the first entry") };
    assert_eq!(protobuf(at), time);
    let fields = protobuf(second);
    let [(1, Err(at)), (2, Err(line)), (3, Err(pair))] = *fields else { panic!("{fields:?}") };
    assert_eq!((protobuf(at), line), (time.to_vec(), "é\u{7}".as_bytes()));
    assert_eq!(protobuf(pair), [(1, Err(&b"user"[..])), (2, Err(b"7"))]);
}

/// As many streams as are allowed; then the fields are in no label any more.
#[test]
fn t70_labels_of_loki_are_bounded() {
    let receiver = Receiver::start();
    let loki = Loki::new(receiver.url("")).level_label(None).label("app", "shop").field_label("user").max_streams(3);
    let of = |user: u64| {
        let mut record = record("x");
        record.set("user", user);
        record
    };
    let records: Vec<_> = (0..100).chain(0..3).map(of).collect();
    let requests = sent(eager(loki).format(Bare), &receiver, &records);
    let streams: Vec<(String, usize)> = requests[0].1[0]["streams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stream| (stream["stream"].to_string(), stream["values"].as_array().unwrap().len()))
        .collect();
    let labels = |user: &str| format!(r#"{{"app":"shop","user":"{user}"}}"#);
    assert_eq!(streams, [(labels("0"), 2), (labels("1"), 2), (labels("2"), 2), (r#"{"app":"shop"}"#.into(), 97)]);
}

#[test]
fn splunk_gets_events_and_says_codes() {
    let receiver = Receiver::start();
    let hec = |receiver: &Receiver| {
        SplunkHec::new(receiver.url("/"), "t-1").host("a").host("web-1").sourcetype("_json").index("main").source("s")
    };
    let ok = || Some(Reply::Status(200, &[], r#"{"text":"Success","code":0}"#));
    receiver.judge(move |_| ok());
    let requests = sent(eager(hec(&receiver)), &receiver, &[record("one"), record("two")]);
    assert_eq!(requests[0].0, "/services/collector/event");
    assert_eq!(receiver.requests()[0].headers["authorization"], "Splunk t-1");
    let event = &requests[0].1[0];
    assert_eq!(requests[0].1.len(), 2);
    assert_eq!(event["time"], json!(1_764_000_000.000_123));
    assert_eq!(
        (&event["host"], &event["sourcetype"], &event["index"]),
        (&json!("web-1"), &json!("_json"), &json!("main"))
    );
    assert_eq!((&event["event"]["message"], &event["event"]["target"]), (&json!("one"), &json!("shop::pay")));

    let answers = [
        (400, r#"{"text":"Invalid data format","code":6,"invalid-event-number":1}"#, 3, (2, 0, 0)),
        (400, r#"{"text":"Incorrect index","code":7}"#, 1, (0, 2, 0)),
        (400, r#"{"text":"Data channel is missing","code":10}"#, 1, (0, 2, 0)),
        (503, r#"{"text":"Server is busy","code":9}"#, 2, (2, 0, 0)),
        (403, r#"{"text":"Invalid token","code":4}"#, 2, (2, 0, 0)),
        (500, "", 2, (2, 0, 0)),
    ];
    for (code, body, count, expected) in answers {
        let receiver = Receiver::start();
        receiver.script([Reply::Status(code, &[("retry-after", "0")], body)]);
        receiver.judge(move |_| ok());
        let (http, _) = named(eager(hec(&receiver)));
        ["one", "two"].iter().for_each(|message| http.emit(&record(message)));
        http.flush().unwrap();
        assert_eq!((receiver.requests().len(), ends(&http)), (count, expected), "{body}");
    }
}

/// A collector whose indexer writes a batch when it is asked about it for the third time, and loses those in `lost`. It takes
/// nothing without the channel.
fn indexer(lost: &'static [u64]) -> impl Fn(&Got) -> Option<Reply> {
    let (count, asked) = (AtomicU64::new(0), Mutex::new(HashMap::<u64, u32>::new()));
    move |got: &Got| {
        let reply = |text: String| Some(Reply::Status(200, &[], Box::leak(text.into_boxed_str())));
        let channel = got.headers.get("x-splunk-request-channel");
        let Some(channel) = channel.filter(|of| of.len() == 36 && of.split('-').count() == 5) else {
            return Some(Reply::Status(400, &[], r#"{"text":"Data channel is missing","code":10}"#));
        };
        match got.path.split_once("/ack?channel=") {
            None => {
                let id = count.fetch_add(1, Ordering::Relaxed);
                reply(format!(r#"{{"text":"Success","code":0,"ackId":{id}}}"#))
            }
            Some((_, of)) => {
                assert_eq!(of, channel);
                let question: Json = serde_json::from_str(&got.body).unwrap();
                let id = question["acks"][0].as_u64().unwrap();
                let mut asked = asked.lock().unwrap();
                let times = asked.entry(id).or_default();
                *times += 1;
                reply(format!(r#"{{"acks":{{"{id}":{}}}}}"#, *times > 2 && !lost.contains(&id)))
            }
        }
    }
}

#[test]
fn t97_records_of_splunk_end_when_they_are_indexed() {
    let receiver = Receiver::start();
    receiver.judge(indexer(&[1]));
    let hec = SplunkHec::new(receiver.url("/x"), "t").acks(Duration::from_secs(3));
    let (http, told) = named(eager(hec).max_batch(1));
    http.emit(&record("one"));
    http.flush().unwrap();
    let paths = |got: &[Got]| got.iter().map(|got| got.path.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>();
    let first = receiver.requests();
    assert!(matches!(&*paths(&first), [event, asked @ ..] if event == "event" && asked.len() == 3), "{first:?}");
    assert!(first[1].path.starts_with("/x/services/collector/ack?channel="), "{first:?}");
    // The second one is lost: it comes again, as the third batch of the same channel.
    http.emit(&record("two"));
    http.flush().unwrap();
    let all = receiver.requests();
    let sent: Vec<&Got> = all.iter().filter(|got| got.path.ends_with("/event")).collect();
    assert_eq!((sent.len(), sent[1].body == sent[2].body, ends(&http)), (3, true, (2, 0, 0)));
    let channels: HashSet<_> = all.iter().map(|got| &got.headers["x-splunk-request-channel"]).collect();
    assert_eq!(channels.len(), 1);
    assert!(told.lock().unwrap().iter().any(|told| told.contains("not indexed within")), "{told:?}");
    // A token without acknowledgements.
    let receiver = Receiver::start();
    receiver.judge(|_| Some(Reply::Status(200, &[], r#"{"text":"Success","code":0}"#)));
    let (http, told) = named(eager(SplunkHec::new(receiver.url(""), "t").acks(Duration::from_secs(9))));
    http.emit(&record("one"));
    http.flush().unwrap();
    assert_eq!((receiver.requests().len(), ends(&http)), (1, (1, 0, 0)));
    assert!(told.lock().unwrap().iter().any(|told| told.contains("the token has no acknowledgements")), "{told:?}");
}

#[test]
fn splunk_gets_raw_lines() {
    let receiver = Receiver::start();
    receiver.judge(|_| Some(Reply::Status(200, &[], r#"{"text":"Success","code":0}"#)));
    let hec = SplunkHec::new(receiver.url("/?a=1"), "t").raw(true).source("a b&c").sourcetype("é");
    let (http, _) = named(eager(hec).format(Bare));
    ["one", "two\nlines"].iter().for_each(|message| http.emit(&record(message)));
    http.flush().unwrap();
    let got = receiver.requests().remove(0);
    assert_eq!(
        (&*got.path, &*got.body),
        ("/services/collector/raw?a=1&source=a%20b%26c&sourcetype=%C3%A9", "one\ntwo lines\n")
    );
}

#[test]
fn datadog_gets_arrays_within_its_limits() {
    let receiver = Receiver::start();
    receiver.judge(|got| Some(datadog::judge(got)));
    let datadog = Datadog::new(receiver.url(""), datadog::KEY)
        .service("a")
        .service("shop")
        .source("rust")
        .host("h")
        .tags("env:test");
    let (http, told) = named(eager(datadog));
    http.emit(&record(&"x".repeat(1_000_001)));
    (0..1_500).for_each(|n| http.emit(&record(&n.to_string())));
    http.flush().unwrap();
    assert_eq!(ends(&http), (1_500, 1, 0));
    assert!(told.lock().unwrap()[0].contains("expected 1000000 at most"), "{told:?}");
    let requests = receiver.requests();
    assert_eq!((requests[0].path.as_str(), requests[0].headers["dd-api-key"].as_str()), ("/api/v2/logs", datadog::KEY));
    assert_eq!(requests[0].headers["content-encoding"], "gzip");
    let bodies: Vec<Vec<Json>> = requests.iter().map(|got| serde_json::from_str(&got.body).unwrap()).collect();
    assert!(bodies.iter().all(|body| body.len() <= 1_000) && bodies.iter().map(Vec::len).sum::<usize>() == 1_500);
    let first = &bodies[0][0];
    assert_eq!(
        (&first["message"], &first["timestamp"], &first["status"]),
        (&json!("0"), &json!(1_764_000_000_000_u64), &json!("warning"))
    );
    assert_eq!((&first["service"], &first["ddsource"]), (&json!("shop"), &json!("rust")));
    assert_eq!((&first["hostname"], &first["ddtags"]), (&json!("h"), &json!("env:test")));
    let error = Http::builder(Datadog::new("datadoghq.eu", "")).build().unwrap_err().to_string();
    assert_eq!(error, "datadog: the secret that was given: expected a secret, got nothing");
}

#[test]
fn datadog_gets_what_it_did_not_take_again() {
    let receiver = Receiver::start();
    receiver.judge(|got| Some(datadog::judge(got)));
    let later = Reply::Status(429, &[("x-ratelimit-reset", "0")], "later");
    receiver.script([status(408), later, status(500), status(403), status(413)]);
    let (http, told) = named(eager(Datadog::new(receiver.url(""), datadog::KEY)));
    // More than 5 MB.
    (0..60).for_each(|_| http.emit(&record(&"x".repeat(100_000))));
    http.flush().unwrap();
    assert_eq!((ends(&http), told.lock().unwrap().len()), ((60, 0, 0), 1), "{told:?}");
    let counts = receiver.requests().into_iter().map(|got| serde_json::from_str::<Vec<Json>>(&got.body).unwrap().len());
    let counts: Vec<_> = counts.collect();
    // Five times the same, then its halves.
    assert!(counts[..5].iter().all(|count| *count == counts[0]) && counts[5] + counts[6] == counts[0], "{counts:?}");
    assert_eq!(counts[5..].iter().sum::<usize>(), 60);

    // One that is refused costs no other.
    receiver.script([status(400), status(400)]);
    ["bad", "good"].iter().for_each(|message| http.emit(&record(message)));
    http.flush().unwrap();
    assert_eq!(ends(&http), (61, 1, 0));
    let (http, told) = named(eager(Datadog::new(receiver.url(""), "wrong")).retry_for(Duration::ZERO));
    http.emit(&record("x"));
    http.flush().unwrap();
    let told = told.lock().unwrap();
    assert!(ends(&http) == (0, 1, 0) && told[0].contains("403") && !told[0].contains("wrong"), "{told:?}");
}

#[test]
fn better_stack_and_logstash_get_arrays() {
    let receiver = Receiver::start();
    let requests = sent(eager(BetterStack::new(receiver.url("/"), "t-1")), &receiver, &[record("one"), record("two")]);
    let got = &receiver.requests()[0];
    assert_eq!(
        (got.headers["authorization"].as_str(), got.headers["content-encoding"].as_str()),
        ("Bearer t-1", "gzip")
    );
    let records = requests[0].1[0].as_array().unwrap();
    assert_eq!(
        (records.len(), &records[0]["dt"], &records[1]["message"]),
        (2, &json!("2025-11-24T16:00:00.000123Z"), &json!("two"))
    );

    let receiver = Receiver::start();
    let requests = sent(eager(Logstash::new(receiver.url("/"))), &receiver, &[record("one"), record("two")]);
    let records = requests[0].1[0].as_array().unwrap();
    assert_eq!((&records[1]["message"], &records[1]["@version"]), (&json!("two"), &json!("1")));
}

/// One text a request; the URL is the secret.
#[test]
fn webhooks_get_a_text() {
    let receiver = Receiver::start();
    let hook = |receiver: &Receiver| Webhook::new(receiver.url("/services/s3cret?k=s3cret"));
    let text = |webhook: Webhook| eager(webhook).format(Bare);
    let requests = sent(text(hook(&receiver)), &receiver, &[record("one \"1\""), record("two")]);
    let bodies: Vec<_> = requests.iter().map(|(_, body)| body[0].clone()).collect();
    assert_eq!(bodies, [json!({"text": "one \"1\""}), json!({"text": "two"})]);
    let around = hook(&receiver).around(r##"{"channel":"#ops","body":{"plain":"##, "}}");
    let last = |http: HttpBuilder| sent(http, &receiver, &[record("x")]).pop().unwrap().1.remove(0);
    assert_eq!(last(text(around)), json!({"channel": "#ops", "body": {"plain": "x"}}));
    assert_eq!(last(text(hook(&receiver).key("content"))), json!({"content": "x"}));
    // Without a format of its own: one line, as people read it.
    let plain = last(eager(hook(&receiver)));
    assert!(plain["text"].as_str().unwrap().ends_with("WARN  shop::pay: x"), "{plain}");

    receiver.script([status(404)]);
    let (http, told) = named(text(hook(&receiver)));
    emit(&http, &["x"]);
    http.flush().unwrap();
    let told = told.lock().unwrap();
    assert!(told[0].contains("/… answered 404") && !told[0].contains("s3cret"), "{told:?}");
}
