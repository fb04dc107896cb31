//! `output::Http` beside Python's own `HTTPHandler`, before one receiver.

use std::{
    fs,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value as Json, json};
use tracing_strata::{
    HandlerExt as _, Record, Severity,
    config::{Config, Logging},
    format::{Buffer, Form, Format},
    output::{Http, HttpBody},
    sink::http::Auth,
};

use self::receiver::Receiver;
use crate::{
    hostile,
    servers::{Server, run_script},
};

#[path = "../it/http/datadog.rs"]
mod datadog;
#[path = "../it/http/receiver.rs"]
#[allow(dead_code, reason = "what only tests/it scripts")]
mod receiver;

fn received(server: &Server) -> Vec<Json> {
    let text = fs::read_to_string(server.dir().join("out.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn records() -> Vec<Record> {
    let hostile = (0..40).map(|number| hostile::record(number).message().to_owned());
    let texts = hostile.chain(["plain".into(), "a & b = é+%~/*".into(), String::new()]);
    let record = |(index, text): (usize, String)| {
        let mut record = Record::new(Severity::new([10, 20, 30, 40, 50][index % 5]), "shop::cart", &text);
        record.set_time(UNIX_EPOCH + Duration::from_millis(1_709_640_000_000 + 125 * index as u64));
        record.set_source("/srv/app/src/app.rs", 10 + index as u32);
        record.set_function("run");
        record.set_thread("worker 1", 4_711);
        record.set("user", &*text);
        record.set("n", -7);
        record.set("wide", u64::MAX);
        record.set("ratio", 0.1 + index as f64 * 1e15);
        record.set("tiny", 1e-7);
        record.set("yes", true);
        record.set("é name", "x");
        record
    };
    texts.enumerate().map(record).collect()
}

/// What Python is given: the attributes of the same record, typed.
fn attributes(record: &Record) -> Json {
    let severity = record.severity().number();
    let level = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"][severity as usize / 10 - 1];
    let mut form = Buffer::new();
    Form::new().format(record, &mut form).unwrap();
    let uptime = form.to_str().unwrap().split("relativeCreated=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let since = record.time().duration_since(UNIX_EPOCH).unwrap();
    json!({
        "name": "shop.cart",
        "msg": record.message(),
        "levelno": severity,
        "levelname": level,
        "pathname": "/srv/app/src/app.rs",
        "filename": "app.rs",
        "module": "app",
        "lineno": record.line(),
        "funcName": "run",
        "created": since.as_secs_f64(),
        "msecs": f64::from(since.subsec_millis()),
        "relativeCreated": uptime.parse::<f64>().unwrap(),
        "thread": 4_711,
        "threadName": "worker 1",
        "processName": "MainProcess",
        "process": record.process_id(),
        "extra": [
            ["user", record.message()],
            ["n", -7],
            ["wide", u64::MAX],
            ["ratio", record.get("ratio").unwrap().as_f64()],
            ["tiny", 1e-7],
            ["yes", true],
            ["é name", "x"],
        ],
    })
}

#[test]
fn requests_are_those_of_python() {
    for (url, method, body) in [
        ("/log?key=1", "GET", HttpBody::query()),
        ("/log", "GET", HttpBody::query()),
        ("/in", "post", HttpBody::form()),
    ] {
        let server = Server::start("http");
        let records = records();
        let path = server.dir().join("records.json");
        fs::write(&path, Json::from_iter(records.iter().map(attributes)).to_string()).unwrap();
        server.run("send.sh", &[("URL", url), ("METHOD", method), ("RECORDS", path.to_str().unwrap())]);
        let http = Http::builder(format!("http://127.0.0.1:19070{url}"))
            .body(body)
            .format(Form::new().process_name("MainProcess"))
            .auth(Auth::basic("user", "pä:ss"))
            .flush_timeout(Duration::from_secs(60))
            .build()
            .unwrap()
            .named("http");
        records.iter().for_each(|record| http.emit(record));
        http.flush().unwrap();
        assert_eq!(http.stats().written, records.len() as u64);

        let came = received(&server);
        let (theirs, ours) = came.split_at(records.len());
        assert_eq!(ours.len(), records.len());
        for (their, our) in theirs.iter().zip(ours) {
            for part in ["method", "path", "body"] {
                assert_eq!(our[part], their[part], "{method}: {part}");
            }
            for header in ["host", "content-type", "content-length", "authorization"] {
                assert_eq!(our["headers"][header], their["headers"][header], "{method}: {header}");
            }
        }
    }
}

/// One configuration for python-logging-loki and for us: the same labels and lines. (Its time is that of sending.)
#[test]
fn pushes_are_those_of_python_logging_loki() {
    let server = Server::start("http");
    let config = json!({
        "version": 1,
        "formatters": {"f": {"format": "%(levelname)s:%(name)s:%(message)s"}},
        "handlers": {"h": {"class": "logging_loki.LokiHandler", "url": "http://127.0.0.1:19070/loki/api/v1/push", "formatter": "f",
            "tags": {"application": "shop \"1\"", "shard": "7"}, "auth": ["user", "secret"], "version": "1"}},
        "root": {"level": "DEBUG", "handlers": ["h"]},
    });
    let sent: Vec<(&str, i32, String)> = (0..40)
        .map(|number| {
            (["shop", "shop.cart"][number % 2], [10, 20, 30, 40, 50, 25][number % 6], format!("{number} é \"q\""))
        })
        .collect();
    let path = server.dir().join("records.json");
    fs::write(&path, json!(sent).to_string()).unwrap();
    server.run("loki.sh", &[("CONFIG", &config.to_string()), ("RECORDS", path.to_str().unwrap())]);

    let logging = Logging::builder().build(&Config::from_json(&config.to_string()).unwrap()).unwrap();
    let handler = logging.handler("h").unwrap();
    for (name, level, message) in &sent {
        handler.handler().emit(&Record::new(Severity::new(*level), name, message));
    }
    handler.flush().unwrap();
    let pairs = |requests: &[Json]| {
        let mut pairs = Vec::new();
        for request in requests {
            let body: Json = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
            for stream in body["streams"].as_array().unwrap() {
                let values = stream["values"].as_array().unwrap();
                pairs.extend(values.iter().map(|value| (stream["stream"].to_string(), value[1].to_string())));
            }
        }
        pairs.sort();
        pairs
    };
    let came = received(&server);
    let (theirs, ours) = came.split_at(sent.len());
    assert_eq!(pairs(ours), pairs(theirs));
    for name in ["path", "method"] {
        assert_eq!(ours[0][name], theirs[0][name]);
    }
    for header in ["authorization", "content-type"] {
        assert_eq!(ours[0]["headers"][header], theirs[0]["headers"][header]);
    }
}

/// So that the receiver of `tests/it` is judged, too.
#[test]
fn datadogs_own_client_is_answered_by_the_tests_receiver() {
    let receiver = Receiver::start();
    receiver.judge(|got| Some(datadog::judge(got)));
    run_script("http", "datadog.sh", &[("HOST", &receiver.host()), ("KEY", datadog::KEY)]);
    assert!(receiver.requests().len() >= 6);
}
