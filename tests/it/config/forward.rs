//! `fluent_forward` and Python's `FluentHandler` in configurations.

use serde_json::{Value as Json, json};
use tracing::info;
use tracing_strata::config::{Config, Logging};

use super::{problems, with};
use crate::{
    forward::receiver::{Access, Receiver, Time},
    net::tls::{Authority, config},
    places::Dir,
};

fn document(handler: Json) -> Config {
    let document = json!({"version": 1, "handlers": {"h": handler}, "root": {"level": "INFO", "handlers": ["h"]}});
    Config::from_value(&document).unwrap()
}

/// Built, and one record sent.
fn send(handler: Json) {
    let logging = Logging::builder().build(&document(handler)).unwrap();
    with(&logging, || info!(target: "shop::db", user = "ann", "paid"));
    let handler = logging.handler("h").unwrap();
    handler.flush().unwrap();
    assert_eq!(handler.handler().stats().written, 1);
}

fn wrong(handler: Json) -> Vec<String> {
    problems(&Logging::new().reload(&document(handler)).unwrap_err())
}

#[test]
fn all_keys() {
    let authority = Authority::new();
    let access = Access { key: "key", user: Some(("ann", "pass")), ..Access::default() };
    let receiver = Receiver::encrypted(config(&authority.server(), None), Some(access));
    let dir = Dir::new();
    std::fs::write(dir.path("ca.pem"), &authority.pem).unwrap();
    std::fs::write(dir.path("key"), "key\n").unwrap();
    let ours = json!({"class": "fluent_forward", "address": receiver.address().to_string(), "tag_prefix": "web",
        "mode": "compressed_packed_forward", "nanoseconds": false, "require_ack": true,
        "shared_key": {"file": dir.path("key")}, "user": "ann", "password": "pass", "host": "web-1",
        "tls": {"ca_file": dir.path("ca.pem")}, "connect_timeout": 60, "timeout": 60, "capacity": 100, "max_bytes": 100_000,
        "max_batch": 10, "max_batch_bytes": 10_000, "schedule_delay": 60, "retry_for": 60, "flush_timeout": 60,
        "spool": {"directory": dir.path("spool"), "max_bytes": 8_000_000}});
    send(ours.clone());
    assert!(std::fs::exists(dir.path("spool/lock")).unwrap());
    let got = receiver.got().remove(0);
    assert_eq!(
        (&*got.tag, got.mode, receiver.clients()),
        ("web.shop.db", "CompressedPackedForward", vec!["web-1".into()])
    );
    assert!(got.chunk.is_some() && matches!(got.entries[0].0, Time::Seconds(_)), "{got:?}");
    let names: Vec<_> = got.entries[0].1.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["level", "target", "message", "user"]);

    let receiver = Receiver::start();
    send(json!({"class": "fluent_forward", "address": receiver.address().to_string(), "tag": "app", "mode": "forward",
        "require_ack": false, "flush_timeout": 60}));
    while receiver.got().is_empty() {
        std::thread::yield_now();
    }
    let got = receiver.got().remove(0);
    assert_eq!((&*got.tag, got.mode, got.chunk), ("app", "Forward", None));
}

/// Python's own package, with its parameters.
#[test]
fn pythons_parameters() {
    let receiver = Receiver::start();
    let handler = json!({"class": "fluent.handler.FluentHandler", "tag": "app", "host": "127.0.0.1", "port": receiver.port(),
        "timeout": 60.0, "verbose": false, "buffer_overflow_handler": null, "msgpack_kwargs": null,
        "nanosecond_precision": true, "bufmax": 100_000, "forward_packet_error": true,
        "strata": {"mode": "forward", "flush_timeout": 60}});
    send(handler.clone());
    let got = receiver.got().remove(0);
    assert_eq!((&*got.tag, got.mode, got.chunk.is_some()), ("app", "Forward", true));
    assert!(matches!(got.entries[0].0, Time::Nanos(..)), "{got:?}");

    #[cfg(unix)]
    {
        let dir = Dir::new();
        let receiver = Receiver::unix(&dir.path("s"));
        let host = format!("unix://{}", dir.path("s").display());
        send(json!({"class": "fluent.handler.FluentHandler", "tag": "app", "host": host}));
        assert!(matches!(receiver.got()[0].entries[0].0, Time::Seconds(_)));
    }
}

#[test]
fn with_a_formatter() {
    let receiver = Receiver::start();
    let address = receiver.address().to_string();
    let handler = |formatter: &str| json!({"class": "fluent_forward", "address": address, "formatter": formatter, "flush_timeout": 60});
    let document = json!({"version": 1, "handlers": {"text": handler("f"), "json": handler("j")},
        "formatters": {"f": {"format": "%(levelname)s %(message)s"}, "j": {"class": "json", "time": "none", "omit": ["target"]}},
        "root": {"level": "INFO", "handlers": ["text", "json"]}});
    let logging = Logging::builder().build(&Config::from_value(&document).unwrap()).unwrap();
    with(&logging, || info!(target: "shop", n = 7, "paid"));
    ["text", "json"].iter().for_each(|name| logging.handler(name).unwrap().flush().unwrap());
    let got: Vec<_> = receiver.got().into_iter().map(|mut got| got.entries.remove(0).1).collect();
    let member = |name: &str, value: rmpv::Value| (name.to_owned(), value);
    assert_eq!(got[0], [member("message", "INFO paid".into())]);
    assert_eq!(got[1], [member("level", "INFO".into()), member("message", "paid".into()), member("n", 7.into())]);
}

#[test]
fn mistakes_are_told() {
    let python = |more: Json| {
        let mut handler = json!({"class": "fluent.handler.FluentHandler", "tag": "app"});
        handler.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        handler
    };
    for (handler, expected) in [
        (json!({"class": "fluent_forward"}), "expected the key \"address\""),
        (json!({"class": "fluent_forward", "address": "h"}), "address \"h\": expected"),
        (json!({"class": "fluent_forward", "address": "udp://h:1"}), "expected the address of a stream"),
        (json!({"class": "fluent_forward", "address": "tcp://h:1", "mode": "packed"}), "packed_forward"),
        (json!({"class": "fluent_forward", "address": "tcp://h:1", "tls": {"ca_file": "c"}}), "not encrypted"),
        (json!({"class": "fluent_forward", "address": "tcp://h:1", "user": "u"}), "expected the key \"password\""),
        (json!({"class": "fluent_forward", "address": "tcp://h:1", "shared_key": {"fil": "u"}}), "{env: NAME}"),
        (
            json!({"class": "fluent_forward", "address": "tcp://h:1", "shared_keys": "k"}),
            "did you mean \"shared_key\"?",
        ),
        (json!({"class": "fluent.handler.FluentHandler"}), "expected the key \"tag\""),
        (python(json!({"port": 70_000})), "a port of 16 bits"),
        (python(json!({"verbose": true})), "expected false"),
        (python(json!({"buffer_overflow_handler": "ext://f"})), "expected none"),
        (python(json!({"strata": {"address": "x"}})), "address"),
    ] {
        let told = wrong(handler);
        assert!(told.iter().any(|told| told.contains(expected)), "{told:?}\n{expected}");
    }
}
