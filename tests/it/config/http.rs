//! `logging.handlers.HTTPHandler` in configurations.

use serde_json::json;
use tracing::info;
use tracing_strata::{
    config::{ClassRegistry, Config, Logging},
    sink::net::Tls,
};

use super::{problems, with};
use crate::{
    http::receiver::{Receiver, status},
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
        "connect_deadline": 30, "capacity": 10, "max_bytes": 1_000_000, "retry_for": 30, "drain": 30, "process_name": "p",
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
        (json!({"host": "h:x"}), "URL \"http://h:x/\": expected one like"),
        (json!({"strata": {"tls": {"ca_file": "x"}}}), "it has no effect here: the connection is not"),
        (json!({"methd": "GET"}), "HTTPHandler has no such key; did you mean \"method\"?"),
        (json!({"strata": {"capacity": 0}}), "http: capacity: expected at least 1, got 0"),
    ] {
        let told = with(more);
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}\n{expected}");
    }
}
