//! `logging.handlers.HTTPHandler` in configurations.

use serde_json::json;
use tracing::info;
use tracing_strata::{
    config::{ClassRegistry, Config, Logging},
    sink::net::Tls,
};

use super::{problems, with};
use crate::{
    http::receiver::{Receiver, Reply, status},
    net::tls::{Authority, config},
};

fn build(handler: serde_json::Value, registry: ClassRegistry) -> Logging {
    let config = json!({"version": 1, "handlers": {"h": handler}, "root": {"level": "INFO", "handlers": ["h"]}});
    Logging::builder().registry(registry).build(&Config::from_json(&config.to_string()).unwrap()).unwrap()
}

fn wrong(handler: serde_json::Value) -> Vec<String> {
    let config = json!({"version": 1, "handlers": {"h": handler}});
    problems(&Logging::new().reload(&Config::from_json(&config.to_string()).unwrap()).unwrap_err())
}

#[test]
fn pythons_parameters() {
    let receiver = Receiver::start();
    let handler = json!({"class": "logging.handlers.HTTPHandler", "host": receiver.host(), "url": "/in?a=1",
        "method": "post", "secure": false, "credentials": ["user", "pä:ss"], "context": null,
        "strata": {"check_answer": false}});
    let logging = build(handler, ClassRegistry::new());
    // The answer does not matter, as in Python.
    receiver.judge(|_| Some(status(500)));
    with(&logging, || info!(target: "shop", user = "ann", "paid"));
    let handler = logging.handler("h").unwrap();
    handler.flush().unwrap();
    assert_eq!((handler.handler().stats().written, receiver.requests().len()), (1, 1));
    let request = receiver.requests().remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/in?a=1"));
    assert_eq!(request.headers["authorization"], "Basic dXNlcjpww6Q6c3M=");
    assert!(request.body.starts_with("name=shop&msg=paid&") && request.body.ends_with("&user=ann"), "{}", request.body);
}

#[test]
fn in_an_ini_file() {
    let receiver = Receiver::start();
    let text = format!(
        "[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=\n[logger_root]\nlevel=INFO\nhandlers=h\n\
         [handler_h]\nclass=handlers.HTTPHandler\nargs=('{}', '/log', 'GET')\nkwargs={{'credentials': ('u', 'p')}}\n",
        receiver.host()
    );
    let logging = Logging::builder().build(&Config::from_ini(&text).unwrap()).unwrap();
    with(&logging, || info!(target: "shop", "paid"));
    logging.handler("h").unwrap().flush().unwrap();
    let request = receiver.requests().remove(0);
    assert!(request.method == "GET" && request.path.starts_with("/log?name=shop&msg=paid&"), "{request:?}");
    assert_eq!(request.headers["authorization"], "Basic dTpw");
}

/// `secure` and `context`, or our own keys.
#[test]
fn encrypted() {
    let authority = Authority::new();
    let receiver = Receiver::encrypted(config(&authority.server(), None));
    let host = receiver.url("").trim_start_matches("https://").to_owned();
    let dir = crate::places::Dir::new();
    std::fs::write(dir.path("ca.pem"), &authority.pem).unwrap();
    let registry = || ClassRegistry::new().object("app.tls", Tls::new().ca_pem(authority.pem.as_str()));
    let base = json!({"class": "logging.handlers.HTTPHandler", "host": host, "url": "/log", "secure": true});
    let context = json!({"context": "ext://app.tls"});
    let strata = json!({"strata": {"tls": {"ca_file": dir.path("ca.pem")}, "check_answer": true, "timeout": 30,
        "connect_timeout": 30, "capacity": 10, "max_bytes": 1_000_000, "retry_for": 30, "flush_timeout": 30, "process_name": "p",
        "proxy": ""}});
    for (count, more) in [context, strata].into_iter().enumerate() {
        let mut handler = base.clone();
        handler.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let logging = build(handler, registry());
        with(&logging, || info!("paid"));
        logging.handler("h").unwrap().flush().unwrap();
        assert_eq!(receiver.requests().len(), count + 1);
    }
    assert!(receiver.requests()[1].path.contains("&processName=p&"));
}

#[test]
fn what_is_wrong_is_named() {
    let with = |more: serde_json::Value| {
        let mut handler = json!({"class": "logging.handlers.HTTPHandler", "host": "h", "url": "/"});
        handler.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        wrong(handler)
    };
    assert_eq!(wrong(json!({"class": "logging.handlers.HTTPHandler"})).len(), 2);
    for (more, expected) in [
        (json!({"method": "PUT"}), "expected GET or POST, got \"PUT\""),
        (json!({"credentials": ["user"]}), "expected a user and a password"),
        (json!({"context": "ext://none"}), "nothing is registered as \"none\""),
        (json!({"host": "h:x"}), "URL \"http://h:x\": expected one like"),
        (json!({"strata": {"tls": {"ca_file": "x"}}}), "it has no effect here: the connection is not"),
        (json!({"methd": "GET"}), "HTTPHandler has no such key; did you mean \"method\"?"),
        (json!({"strata": {"capacity": 0}}), "http: capacity: expected at least 1, got 0"),
    ] {
        let told = with(more);
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}\n{expected}");
    }
}

/// Each kind of receiver with its own keys, and with those that all have.
#[test]
fn receivers_by_short_names() {
    let dir = crate::places::Dir::new();
    std::fs::write(dir.path("token"), "t-1\n").unwrap();
    let secret = json!({"file": dir.path("token")});
    let sent = |mut handler: serde_json::Value, answer: &'static str| {
        let receiver = Receiver::start();
        receiver.judge(move |_| Some(Reply::Status(200, &[], answer)));
        let key = if handler["class"] == "datadog" { "site" } else { "url" };
        handler[key] = receiver.url("").into();
        handler["flush_timeout"] = 30.into();
        let logging = build(handler, ClassRegistry::new());
        with(&logging, || info!(target: "shop", user = "ann", "paid"));
        logging.handler("h").unwrap().flush().unwrap();
        assert_eq!(logging.handler("h").unwrap().handler().stats().written, 1);
        receiver.requests().remove(0)
    };
    let bulk = r#"{"errors":false}"#;

    let all = json!({"class": "http_json", "body": "array", "content_type": "text/x", "headers": {"x-a": "b"}, "user": "u",
        "password": secret, "compression": "gzip", "proxy": "", "redirects": 2, "connect_timeout": 30, "timeout": 30, "capacity": 10,
        "max_bytes": 1_000_000, "max_batch": 5, "max_batch_bytes": 1_000, "schedule_delay": 0.01, "retry_for": 30, "failover": ["http://127.0.0.1:9/"]});
    let got = sent(all, "");
    assert!(got.body.starts_with("[{") && got.body.contains(r#""user":"ann""#), "{got:?}");
    let header = |name: &str| got.headers[name].as_str();
    assert_eq!((header("content-type"), header("x-a"), header("content-encoding")), ("text/x", "b", "gzip"));
    assert_eq!(header("authorization"), "Basic dTp0LTE=");

    let got =
        sent(json!({"class": "elasticsearch", "index": "shop", "auth": {"scheme": "ApiKey", "secret": secret}}), bulk);
    assert_eq!((got.path.as_str(), got.headers["authorization"].as_str()), ("/_bulk", "ApiKey t-1"));
    assert!(got.body.starts_with("{\"index\":{\"_index\":\"shop\"}}\n"), "{got:?}");

    let loki = json!({"class": "loki", "labels": {"app": "shop"}, "level_label": null, "target_label": "logger", "field_labels": ["user"], "metadata": ["user"],
        "max_streams": 5, "tenant": "t"});
    let got = sent(loki, "");
    assert_eq!((got.path.as_str(), got.headers["x-scope-orgid"].as_str()), ("/loki/api/v1/push", "t"));
    assert!(got.body.starts_with(r#"{"streams":[{"stream":{"app":"shop","logger":"shop","user":"ann"}"#), "{got:?}");

    let splunk =
        json!({"class": "splunk_hec", "token": secret, "host": "a", "source": "b", "sourcetype": "c", "index": "d"});
    let got = sent(splunk, "");
    assert_eq!(got.headers["authorization"], "Splunk t-1");
    assert!(got.body.contains(r#""host":"a","source":"b","sourcetype":"c","index":"d","event":{"#), "{got:?}");

    let datadog =
        json!({"class": "datadog", "api_key": secret, "source": "a", "service": "b", "host": "c", "tags": "d:e"});
    let got = sent(datadog, "");
    assert_eq!(got.headers["dd-api-key"], "t-1");
    assert!(got.body.contains(r#""ddsource":"a","service":"b","hostname":"c","ddtags":"d:e""#), "{got:?}");

    assert_eq!(sent(json!({"class": "better_stack", "token": secret}), "").headers["authorization"], "Bearer t-1");
    let sematext = sent(json!({"class": "sematext", "token": "t-2"}), bulk);
    assert!(sematext.body.starts_with("{\"index\":{\"_index\":\"t-2\"}}\n"), "{sematext:?}");
    assert!(sent(json!({"class": "logstash", "auth": {"header": "x-key", "secret": "k"}}), "").headers["x-key"] == "k");
    let webhook = sent(json!({"class": "webhook", "before": "{\"a\":", "after": "}"}), "");
    assert!(webhook.body.starts_with("{\"a\":\"") && webhook.body.ends_with("shop: paid user=ann\"}"), "{webhook:?}");
    assert!(sent(json!({"class": "webhook", "key": "content"}), "").body.starts_with("{\"content\":\""));
}

#[test]
fn what_is_wrong_with_receivers_is_named() {
    for (handler, expected) in [
        (json!({"class": "http_json"}), "expected the key \"url\""),
        (json!({"class": "http_json", "url": "http://h/", "user": "u"}), "expected the key \"password\""),
        (
            json!({"class": "http_json", "url": "http://h/", "body": "list"}),
            "expected lines, array or single, got \"list\"",
        ),
        (json!({"class": "loki", "url": "h"}), "loki: URL \"h\": expected one like"),
        (json!({"class": "loki", "url": "http://h", "lables": {}}), "did you mean \"labels\"?"),
        (
            json!({"class": "datadog", "site": "s", "api_key": {"envv": "A"}}),
            "expected a text, {env: NAME} or {file: PATH}",
        ),
        (
            json!({"class": "better_stack", "url": "http://h", "token": {"file": "/none"}}),
            "cannot read the secret in /none",
        ),
        (json!({"class": "webhook", "url": "http://h", "before": "x"}), "expected the key \"after\""),
        (json!({"class": "logstash", "url": "http://h", "auth": {"scheme": "X"}}), "expected the key \"secret\""),
    ] {
        let told = wrong(handler);
        assert!(told.iter().any(|told| told.contains(expected)), "{told:?}\n{expected}");
    }
}

/// Python's own package, with its parameters.
#[test]
fn python_logging_loki() {
    let receiver = Receiver::start();
    let handler = json!({"class": "logging_loki.LokiHandler", "url": receiver.url("/loki/api/v1/push"),
        "tags": {"application": "shop", "shard": 7, "logger": "mine"}, "auth": ["u", "p"], "version": "1"});
    let logging = build(handler, ClassRegistry::new());
    with(&logging, || tracing::warn!(target: "shop::cart", user = "ann", "paid"));
    logging.handler("h").unwrap().flush().unwrap();
    let request = receiver.requests().remove(0);
    assert_eq!((request.path.as_str(), request.headers["authorization"].as_str()), ("/loki/api/v1/push", "Basic dTpw"));
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    let labels = json!({"application": "shop", "shard": "7", "severity": "warning", "logger": "shop.cart"});
    assert_eq!((&body["streams"][0]["stream"], &body["streams"][0]["values"][0][1]), (&labels, &json!("paid")));
    for (more, expected) in
        [(json!({"version": "0"}), "expected \"1\", got \"0\""), (json!({"auth": ["u"]}), "a user and a password")]
    {
        let mut handler = json!({"class": "logging_loki.LokiHandler", "url": "http://h"});
        handler.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let told = wrong(handler);
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
    }
}

#[test]
fn a_handler_whose_spool_another_one_keeps_says_so() {
    let dir = crate::places::Dir::new();
    let receiver = Receiver::start();
    let handler = json!({"class": "http_json", "url": receiver.url("/in"), "schedule_delay": 0.01, "flush_timeout": 0.01,
        "spool": {"directory": dir.path("spool"), "max_bytes": 4_000_000}});
    let config = json!({"version": 1, "handlers": {"a": handler, "b": handler}, "root": {"level": "INFO", "handlers": ["a", "b"]}});
    let (error_handler, told) = crate::places::remembering();
    let logging =
        Logging::builder().error_handler(error_handler).build(&Config::from_json(&config.to_string()).unwrap());
    let logging = logging.unwrap();
    with(&logging, || info!("one"));
    let began = std::time::Instant::now();
    let directory = dir.path("spool").display().to_string();
    while !told.lock().unwrap().iter().any(|text| text.contains("nothing is sent") && text.contains(&directory)) {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "{told:?}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_spool_is_handed_to_the_handler_that_takes_its_place() {
    let dir = crate::places::Dir::new();
    let receiver = Receiver::start();
    receiver.judge(|_| Some(status(503)));
    let config = |timeout: u32| {
        let handler = json!({"class": "http_json", "url": receiver.url("/in"), "schedule_delay": 0.01, "flush_timeout": 30, "timeout": timeout,
            "spool": {"directory": dir.path("spool"), "max_bytes": 4_000_000, "sync": true}});
        let config = json!({"version": 1, "handlers": {"h": handler}, "root": {"level": "INFO", "handlers": ["h"]}});
        Config::from_json(&config.to_string()).unwrap()
    };
    let silent = || tracing_strata::ledger::ErrorHandler::silent();
    let logging = Logging::builder().error_handler(silent()).build(&config(20)).unwrap();
    with(&logging, || {
        info!("one");
        logging.handler("h").unwrap().flush().unwrap();
        for timeout in 21..24 {
            assert_eq!(logging.reload(&config(timeout)).unwrap().replaced(), ["h"]);
            info!(timeout, "more");
            logging.handler("h").unwrap().flush().unwrap();
        }
        receiver.judge(|_| None);
        let segments = || std::fs::read_dir(dir.path("spool")).unwrap().count() > 1;
        while segments() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
    let last = receiver.requests().into_iter().rev().take(4).map(|got| got.body).collect::<Vec<_>>();
    let messages: Vec<_> =
        last.iter().rev().flat_map(|body| body.lines()).map(|line| line.contains("\"one\"")).collect();
    assert_eq!(messages, [true, false, false, false], "{last:?}");
    // As Python's class, by keys of ours.
    let handler = json!({"class": "logging.handlers.HTTPHandler", "host": receiver.host(), "url": "/",
        "strata": {"spool": {"directory": dir.path("other"), "max_bytes": 4_000_000}}});
    drop(build(handler, ClassRegistry::new()));
    assert!(dir.path("other").join("lock").exists());
    let spool = |spool: serde_json::Value| wrong(json!({"class": "http_json", "url": "http://h/", "spool": spool}));
    assert!(
        spool(json!({"directory": dir.path("x")}))[0].ends_with("expected the key \"max_bytes\", which spool needs")
    );
    assert!(spool(json!({"directory": dir.path("x"), "max_bytes": 5}))[0].contains("spool: expected at least"));
    assert!(!dir.path("x").exists());
}
