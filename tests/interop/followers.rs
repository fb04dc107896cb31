//! What reads log files line by line before the shapes that tools expect: the OpenTelemetry Collector's receiver of log
//! files, and lnav. Each must find the time, the level, the trace and all fields.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Map, Value as Json, json};
use tracing_strata::{
    Record, Severity,
    format::{Json as Shape, Logfmt, Time},
};

use crate::{
    servers::Server,
    shapes::{lines, lines_of, parsed, records},
};

/// A shape and its keys: time, level, message, trace, span.
struct Keyed {
    name: &'static str,
    shape: Shape,
    keys: [&'static str; 5],
}

fn shapes() -> Vec<Keyed> {
    let ids = ["trace_id", "span_id"];
    let rows = [
        ("flat", Shape::new(), ["timestamp", "level", "message"], ids),
        ("ecs", Shape::ecs(), ["@timestamp", "log.level", "message"], ["trace.id", "span.id"]),
        (
            "gcp",
            Shape::gcp(),
            ["time", "severity", "message"],
            ["logging.googleapis.com/trace", "logging.googleapis.com/spanId"],
        ),
        // Its ids are decimal: no one but Datadog takes them for ids.
        ("datadog", Shape::datadog(), ["timestamp", "status", "message"], ["none", "none"]),
        ("logstash", Shape::logstash(), ["@timestamp", "level", "message"], ids),
        ("bunyan", Shape::bunyan(), ["time", "level", "msg"], ids),
        ("python", Shape::python().time(Time::utc()), ["asctime", "levelname", "message"], ids),
    ];
    let keyed = |(name, shape, [time, level, message], [trace, span]): (_, Shape, [_; 3], [_; 2])| {
        let shape = shape.source(true).thread(true);
        Keyed { name, shape, keys: [time, level, message, trace, span] }
    };
    rows.into_iter().map(keyed).collect()
}

// --- the collector

/// A value of OTLP/JSON as plain JSON.
fn plain(any: &Json) -> Json {
    let Some((kind, value)) = any.as_object().unwrap().iter().next() else { return Json::Null };
    let items = || value.get("values").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    match kind.as_str() {
        "intValue" => value.as_str().unwrap().parse::<i64>().unwrap().into(),
        "arrayValue" => items().iter().map(plain).collect(),
        "kvlistValue" => pairs(items()).into(),
        _ => value.clone(),
    }
}

fn pairs(list: &[Json]) -> Map<String, Json> {
    // The marshaler leaves out what is empty.
    let pair = |pair: &Json| {
        let key = pair.get("key").and_then(Json::as_str).unwrap_or_default();
        (key.to_owned(), pair.get("value").map_or(Json::Null, plain))
    };
    list.iter().map(pair).collect()
}

#[test]
fn the_collector_s_receiver_of_files_reads_every_shape() {
    let (shapes, records) = (shapes(), records());
    let row = |keyed: &Keyed| {
        let [time, level, _, trace, span] = keyed.keys;
        [keyed.name, time, level, trace, span].join(":")
    };
    let server = Server::start_with("otelcol", &[("SHAPES", &shapes.iter().map(row).collect::<Vec<_>>().join("\n"))]);
    fs::create_dir(server.dir().join("in")).unwrap();
    for Keyed { name, shape, .. } in &shapes {
        let text = lines(shape).join("\n") + "\n";
        fs::write(server.dir().join(format!("in/{name}.jsonl")), text).unwrap();
    }
    for Keyed { name, shape, keys: [.., trace, _] } in &shapes {
        let until = Instant::now() + Duration::from_secs(30);
        let out = server.dir().join(format!("out-{name}.jsonl"));
        let read = loop {
            let text = fs::read_to_string(&out).unwrap_or_default();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let requests = whole.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
            let logs =
                |request: Json| request["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().clone();
            let read: Vec<_> = requests.flat_map(logs).collect();
            if read.len() >= records.len() || Instant::now() > until {
                break read;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(read.len(), records.len(), "{name}");
        for ((record, ours), read) in records.iter().zip(parsed(&lines(shape))).zip(read) {
            let mut attributes = pairs(read["attributes"].as_array().unwrap());
            let mut ours = ours.as_object().unwrap().clone();
            // Beyond 64 bits, signed: a float there.
            let big = (ours.remove("big").unwrap().as_f64(), attributes.remove("big").unwrap().as_f64());
            assert_eq!(big.0, big.1);
            assert_eq!(attributes, ours, "{name}");
            let nanos = read["timeUnixNano"].as_str().unwrap().parse::<u64>().unwrap();
            assert_eq!(nanos / 1_000_000, 1_795_187_836_123, "{name}");
            let level = match record.severity().number() {
                5 => 1,
                // Bunyan has no level between.
                25 if *name == "bunyan" => 9,
                25 => 11,
                10 => 5,
                20 => 9,
                30 => 13,
                40 => 17,
                _ => 21,
            };
            let level = match (*name, record.severity().number()) {
                // These have no TRACE.
                ("gcp", 5) => 5,
                ("python", 25) => 9,
                _ => level,
            };
            assert_eq!(read["severityNumber"], level, "{name}: {read}");
            let expected = record.trace().filter(|_| *trace != "none");
            let expected = expected.map(|trace| format!("{:032x}", trace.trace_id())).unwrap_or_default();
            assert_eq!(read.get("traceId").and_then(Json::as_str).unwrap_or(""), expected, "{name}");
        }
    }
}

// --- lnav

/// Time, level and message of each record that lnav finds in these lines, as `format` or one of its own.
fn lnav(name: &str, format: Option<Json>, lines: &[String]) -> Vec<[String; 3]> {
    let home = std::env::temp_dir().join(format!("strata-interop-{}", std::process::id())).join("lnav").join(name);
    let formats = home.join(".lnav/formats/strata");
    fs::create_dir_all(&formats).unwrap();
    let table = match format {
        Some(format) => {
            fs::write(formats.join("format.json"), json!({"strata_log": format}).to_string()).unwrap();
            "strata_log"
        }
        None => "logfmt_log",
    };
    let file = home.join("lines.log");
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    let query = format!(";SELECT log_time, log_level, log_body FROM {table}");
    let mut lnav = Command::new("lnav");
    lnav.env("HOME", &home).env("XDG_CONFIG_HOME", home.join(".config"));
    let output = lnav.args(["-n", "-c", &query, "-c", ":write-json-to -"]).arg(&file).output().unwrap();
    let rows: Json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{name}: {output:?}"));
    let row = |row: &Json| ["log_time", "log_level", "log_body"].map(|key| row[key].as_str().unwrap_or("").to_owned());
    rows.as_array().unwrap().iter().map(row).collect()
}

fn plain_records() -> Vec<Record> {
    let record = |number: i32| {
        let mut record = Record::new(Severity::new(number), "shop", "order placed");
        record.set_time(std::time::UNIX_EPOCH + Duration::from_millis(1_795_187_836_123));
        record.set("note", "it's \"quoted\"\n=");
        record
    };
    [10, 20, 30, 40, 50].map(record).to_vec()
}

/// Debian's lnav has no formats for ECS, Bunyan and the others: a format of JSON is declared by the names of its keys.
#[test]
fn lnav_reads_every_shape() {
    for Keyed { name, shape, keys: [time, level, message, ..] } in shapes() {
        let (kind, levels) = match name {
            "bunyan" => ("integer", json!({"debug": 20, "info": 30, "warning": 40, "error": 50, "critical": 60})),
            _ => (
                "string",
                json!({"debug": "(?i)^debug", "info": "(?i)^info", "warning": "(?i)^warn", "error": "(?i)^err", "critical": "(?i)^crit"}),
            ),
        };
        let format = json!({
            "title": name, "json": true, "file-pattern": ".*", "timestamp-field": time, "level-field": level,
            "body-field": message, "level": levels,
            "line-format": [{"field": "__timestamp__"}, " ", {"field": "__level__"}, " ", {"field": message}],
            "value": {time: {"kind": "string"}, level: {"kind": kind}, message: {"kind": "string"}},
        });
        let read = lnav(name, Some(format.clone()), &lines_of(&shape, &plain_records()));
        let levels = ["debug", "info", "warning", "error", "critical"];
        let expected = levels.map(|level| ["2026-11-20 15:17:16.123", level, "order placed"].map(str::to_owned));
        assert_eq!(read, expected, "{name}");
        // Its reader of JSON refuses a line with an integer beyond 64 bits (signed).
        let mut hostile = records();
        hostile.iter_mut().for_each(|record| assert!(record.fields_mut().remove("big")));
        assert_eq!(lnav(name, Some(format), &lines_of(&shape, &hostile)).len(), hostile.len(), "{name}");
    }
}

/// With its own reader of logfmt. Version 0.11 sees the level only behind a time in quotes.
#[test]
fn lnav_reads_logfmt_as_its_own() {
    let quoted = Time::utc().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").unwrap();
    for (time, sees_level) in [(Time::utc(), false), (quoted, true)] {
        let read = lnav("logfmt", None, &lines_of(&Logfmt::new().time(time), &plain_records()));
        assert_eq!(read.len(), 5);
        for ([time, level, message], expected) in read.iter().zip(["debug", "info", "warning", "error", "critical"]) {
            assert_eq!((time.as_str(), message.as_str()), ("2026-11-20 15:17:16.123", "\"order placed\""));
            assert!(!sees_level || level == expected, "{level}, not {expected}");
        }
    }
}
