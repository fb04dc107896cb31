//! Every handler, filter, format and option that there is can be declared: each is built and logged through.

use std::{
    io::Read as _,
    net::{TcpListener, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::{Value as Json, json};
use tracing::{debug, error, info, info_span, warn};
use tracing_strata::{
    Error, HandlerExt as _, Severity,
    clock::ManualClock,
    config::{ClassRegistry, Config, Logging},
    ledger::ErrorHandler,
};

use super::{Calls, Dir, OwnedRecord, problems, with};
use crate::places::apart;

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Handlers, all of them on the root at TRACE but those that others name; the message is the whole line.
fn declared(handlers: Json, more: Json) -> Config {
    let names: Vec<_> = handlers.as_object().unwrap().keys().filter(|name| !name.starts_with("behind")).collect();
    let mut config = json!({
        "version": 1,
        "formatters": {"m": {"format": "%(message)s"}, "l": {"format": "%(levelname)s %(message)s"}},
        "root": {"level": "TRACE", "handlers": names},
        "handlers": handlers,
    });
    for (key, value) in more.as_object().unwrap() {
        match config[key].as_object_mut() {
            Some(section) => section.extend(value.as_object().unwrap().clone()),
            None => config[key] = value.clone(),
        }
    }
    Config::from_value(&config).unwrap()
}

fn build(handlers: Json) -> Logging {
    Logging::builder().build(&declared(handlers, json!({}))).unwrap()
}

fn kept() -> (OwnedRecord, ClassRegistry) {
    let kept = OwnedRecord::default();
    let registry = kept.registry();
    (kept, registry)
}

fn wrong(handlers: Json, more: Json) -> Vec<String> {
    problems(&Logging::new().reload(&declared(handlers, more)).unwrap_err())
}

/// Waits for what another thread does.
fn until(what: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !what() {
        assert!(began.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_flight_recorder() {
    let (kept, registry) = kept();
    let config = |picked: &str| {
        declared(
            json!({
                "r": {"class": "flight_recorder", "target": "behind", "buffer_below": "INFO", "release_at": "ERROR",
                    "release_after": 3600, "trigger": "p", "tree_records": 10, "tree_bytes": 100_000, "max_trees": 5,
                    "max_bytes": 1_000_000, "outside": "pass"},
                "behind": {"class": "test.Kept", "tag": "k", "level": "DEBUG"},
            }),
            json!({"filters": {"p": {"name": picked}}}),
        )
    };
    let logging = Logging::builder().registry(registry).clock(ManualClock::at(1)).build(&config("picked")).unwrap();
    with(&logging, || {
        debug!("outside");
        info_span!("request").in_scope(|| debug!("for nobody"));
        info_span!("request").in_scope(|| {
            debug!("before");
            tracing::trace!("below the target's own level");
            error!("it happened");
            debug!("after");
        });
        info_span!("request").in_scope(|| debug!(target: "picked", "by the filter"));
        assert_eq!(kept.take(), ["k outside", "k before", "k it happened", "k after", "k by the filter"]);
        // The same declaration with the same filter goes on; another filter is another recorder.
        assert_eq!(logging.reload(&config("picked")).unwrap().kept(), ["behind", "r"]);
        assert_eq!(logging.reload(&config("other")).unwrap().replaced(), ["r"]);
        info_span!("request").in_scope(|| debug!(target: "other", "now this"));
        assert_eq!(kept.take(), ["k now this"]);
    });
    let told = wrong(
        json!({"r": {"class": "flight_recorder", "target": "behindt", "trigger": "q", "outside": "pas"},
            "behind": {"class": "null"}}),
        json!({"filters": {"p": {"name": ""}}}),
    );
    assert!(
        told[0].contains("handlers.r.target: there is no handler \"behindt\"; did you mean \"behind\""),
        "{told:?}"
    );
    let told = wrong(
        json!({"r": {"class": "flight_recorder", "target": "behind", "trigger": "q", "outside": "pas"},
            "behind": {"class": "null"}}),
        json!({"filters": {"p": {"name": ""}}}),
    );
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("handlers.r.trigger: there is no filter \"q\""), "{told:?}");
    assert!(told[1].contains("expected drop or pass, got \"pas\"; did you mean \"pass\"?"), "{told:?}");
}

#[test]
fn a_tee_behind_a_memory_and_the_memorys_own_limits() {
    let (kept, registry) = kept();
    let config = declared(
        json!({
            "m": {"class": "memory", "capacity": 100, "flushLevel": "ERROR", "flushOnClose": false, "target": "behind both",
                "strata": {"max_bytes": 1_000_000, "timeout": 1.5}},
            "behind both": {"class": "tee", "handlers": ["behind a", "behind b"]},
            "behind a": {"class": "test.Kept", "tag": "a"},
            "behind b": {"class": "test.Kept", "tag": "b", "level": "ERROR"},
        }),
        json!({}),
    );
    let logging = Logging::builder().registry(registry).build(&config).unwrap();
    with(&logging, || {
        info!("one");
        error!("two");
        info!("given up");
    });
    assert_eq!(kept.take(), ["a one", "a two", "b two"]);
    // `flushOnClose` is kept to at the end.
    logging.reload(&Config::from_yaml("{version: 1}").unwrap()).unwrap();
    drop(logging);
    assert!(kept.take().iter().all(|line| !line.contains("given up")));
}

#[test]
fn a_fallback_for_any_handler() {
    let dir = Dir::new();
    static IS_AWAY: AtomicBool = AtomicBool::new(false);
    let registry = ClassRegistry::new().handler("test.Remote", |_, _| {
        let handle = |_: &tracing_strata::Record| match IS_AWAY.load(Ordering::SeqCst) {
            true => Err(Error::new("nobody there")),
            false => Ok(()),
        };
        Ok(Calls(handle).boxed())
    });
    let config = declared(
        json!({
            "r": {"class": "test.Remote", "formatter": "m", "strata": {"fallback": "behind", "queue": {"capacity": 100}}},
            "behind": {"class": "file", "filename": dir.path("a.log"), "formatter": "m", "level": "INFO"},
        }),
        json!({}),
    );
    let (error_handler, told) = ErrorHandler::counting();
    let logging = Logging::builder().registry(registry).error_handler(error_handler).build(&config).unwrap();
    with(&logging, || {
        info!("gets through");
        logging.handler("r").unwrap().flush().unwrap();
        IS_AWAY.store(true, Ordering::SeqCst);
        info!("rescued");
        debug!("below the level of the file");
        logging.handler("r").unwrap().flush().unwrap();
    });
    assert_eq!(dir.read("a.log"), "handler \"r\" is away; its records come here\nrescued\n");
    assert!(told.load(Ordering::Relaxed) == 1, "that it is away");
    let stats = logging.handler("r").unwrap().handler().stats();
    assert_eq!((stats.written, stats.fallback_written, stats.filtered), (2, 1, 1));
    let behind = logging.handler("behind").unwrap().handler().stats();
    assert_eq!((behind.written, behind.filtered, behind.queued), (2, 1, 0));
    // Both go on as they are.
    assert_eq!(logging.reload(&config).unwrap().kept(), ["behind", "r"]);
    // What the fallback holds back is settled on both accounts.
    let config = declared(
        json!({
            "r": {"class": "test.Remote", "formatter": "m", "strata": {"fallback": "behind"}},
            "behind": {"class": "file", "filename": dir.path("b.log"), "formatter": "m", "strata": {"queue": {"capacity": 100}}},
        }),
        json!({}),
    );
    logging.reload(&config).unwrap();
    with(&logging, || (0..5).for_each(|number| info!("{number}")));
    let [r, behind] = ["r", "behind"].map(|name| logging.handler(name).unwrap());
    r.flush().unwrap();
    behind.flush().unwrap();
    assert_eq!(dir.read("b.log").lines().count(), 6);
    let [r, behind] = [r, behind].map(|handler| handler.handler().stats());
    assert_eq!((r.queued, r.written, r.fallback_written), (0, 5, 5));
    assert_eq!(behind.queued, 0);
    let told = wrong(
        json!({"r": {"class": "null", "strata": {"fallback": "behint"}}, "behind": {"class": "null"}}),
        json!({}),
    );
    assert!(told[0].contains("handlers.r.strata.or_else: there is no handler \"behint\"; did you mean"), "{told:?}");
    let circle = json!({"a": {"class": "null", "strata": {"fallback": "b"}}, "b": {"class": "null", "strata": {"fallback": "a"}}});
    assert!(wrong(circle, json!({}))[0].contains("lead back"));
}

#[test]
fn filters_that_limit_and_sample_tell_what_they_refused() {
    let (kept, registry) = kept();
    let clock = ManualClock::at(1_000);
    let config = declared(
        json!({
            "l": {"class": "test.Kept", "tag": "l", "filters": ["limit"]},
            "s": {"class": "test.Kept", "tag": "s", "filters": ["some"]},
        }),
        json!({"filters": {
            "limit": {"class": "rate_limit", "most": 2, "per": 60, "by": ["tenant"], "always_pass_from": "CRITICAL", "max_keys": 100},
            "some": {"class": "sample", "one_in": 3, "traces": false, "by": ["tenant"], "always_pass_from": "OFF", "summary_interval": 600, "max_keys": 9},
        }}),
    );
    let logging = Logging::builder().registry(registry).clock(clock.clone()).build(&config).unwrap();
    let of = |tag: &str| {
        let lines: Vec<String> = kept.take();
        lines.into_iter().filter(|line| line.starts_with(tag)).collect::<Vec<_>>()
    };
    let say = |tenant: u32, times: u32| (0..times).for_each(|_| error!(tenant, "full"));
    with(&logging, || {
        say(1, 4);
        say(2, 1);
        assert_eq!(of("l"), ["l full", "l full", "l full"]);
        clock.advance(Duration::from_secs(61));
        say(1, 1);
        assert_eq!(of("l"), ["l full … 2 similar", "l full"]);
        say(3, 4);
        assert_eq!(of("s"), ["s full", "s full … 2 similar", "s full"]);
        say(4, 5);
        kept.take();
        // At a flush, and when the filter goes.
        logging.handler("l").unwrap().flush().unwrap();
        let mut told = of("l");
        told.sort();
        assert_eq!(told, ["l full … 2 similar", "l full … 3 similar"]);
        say(5, 3);
        kept.take();
        let filter = logging.filter("limit").unwrap();
        assert!(logging.handler("l").unwrap().remove_filter(&filter));
        assert_eq!(of("l"), ["l full … 1 similar"]);
    });
    // On a logger, too.
    let config = declared(
        json!({"k": {"class": "test.Kept", "tag": "k"}}),
        json!({"filters": {"limit": {"()": "tracing_strata.filter.RateLimit", "most": 1, "per": 60, "always_pass_from": "OFF"}},
            "loggers": {"shop": {"filters": ["limit"]}}}),
    );
    logging.reload(&config).unwrap();
    with(&logging, || {
        (0..3).for_each(|_| info!(target: "shop", "sold"));
        clock.advance(Duration::from_secs(61));
        info!(target: "shop", "other");
    });
    assert_eq!(of("k"), ["k sold", "k sold … 2 similar", "k other"]);
    for (filter, expected) in [
        (json!({"class": "rate_limit", "most": 0}), "expected the key \"per\""),
        (json!({"class": "rate_limit", "most": 0, "per": 1}), "filters.f.most: expected 1 or more"),
        (json!({"class": "rate_limit", "most": 1, "per": -1}), "filters.f.per: expected seconds, 0 or more"),
        (json!({"class": "sample", "one_in": 2, "sumary_interval": 1}), "did you mean \"summary_interval\""),
        (json!({"class": "rate_limt", "most": 1, "per": 1}), "did you mean \"rate_limit\""),
    ] {
        let told = wrong(json!({}), json!({"filters": {"f": filter}}));
        assert!(told[0].contains(expected) || told.last().unwrap().contains(expected), "{told:?}");
    }
    // What counts, counts for all: two that ask it are worth a warning.
    let shared = declared(
        json!({"a": {"class": "null", "filters": ["limit"]}, "b": {"class": "null", "filters": ["limit"]}}),
        json!({"filters": {"limit": {"class": "rate_limit", "most": 1, "per": 60}}}),
    );
    let warnings = Logging::new().check(&shared).unwrap();
    assert!(warnings.iter().any(|told| told.path() == "filters.limit" && told.message().contains("share one count")));
}

#[cfg(feature = "otlp")]
#[test]
fn log_records_to_a_collector() {
    use crate::otlp::receiver::{Receiver, body, text};

    let (receiver, dir) = (Receiver::start(), Dir::new());
    let handler = json!({"class": "otlp", "service": "shop", "attributes": {"deployment": "test", "shard": 7},
        "endpoint": "http://127.0.0.1:9", "failover": [receiver.url()],
        "spool": {"directory": dir.path("spool"), "max_bytes": 8_000_000, "sync": true},
        "protocol": "http/protobuf", "headers": {"x-tenant": "t1"}, "timeout": 30, "compression": "gzip", "context": ["user"],
        "capacity": 100, "max_bytes": 1_000_000, "max_batch": 10, "schedule_delay": 0.05, "retry_for": 30, "flush_timeout": 30,
        "environment": false, "level": "INFO"});
    let logging = build(json!({"o": handler}));
    with(&logging, || {
        let _span = info_span!("request", user = "u1", other = 2).entered();
        info!(total = 3, "paid");
        debug!("below");
    });
    logging.handler("o").unwrap().flush().unwrap();
    let (_, paid) = receiver.take_logs().remove(0);
    assert_eq!(
        (body(&paid), text(&paid.attributes, "user"), text(&paid.attributes, "other")),
        ("paid", Some("u1"), None)
    );
    assert_eq!(text(&receiver.resource(), "service.name"), Some("shop"));
    assert_eq!(receiver.requests()[0]["x-tenant"], "t1");
    let stats = logging.handler("o").unwrap().handler().stats();
    assert_eq!((stats.written, stats.filtered, stats.queued), (1, 1, 0));
    assert!(std::fs::exists(dir.path("spool/logs/lock")).unwrap());
    // What waits is sent when the handler goes.
    with(&logging, || info!("last"));
    logging.reload(&Config::from_yaml("{version: 1}").unwrap()).unwrap();
    assert_eq!(body(&receiver.take_logs()[0].1), "last");

    let told = wrong(
        json!({"o": {"class": "otlp", "environment": false, "protocol": "gprc", "client_key": "k", "contxt": "all"}}),
        json!({}),
    );
    for expected in [
        "expected the key \"client_certificate\"",
        "handlers.o.contxt: LoggingHandler has no such key; did you mean \"context\"?",
        "handlers.o.protocol: expected http/protobuf, http/json or grpc, got \"gprc\"; did you mean \"grpc\"?",
    ] {
        assert!(told.iter().any(|told| told.contains(expected)), "{told:?}\n{expected}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn the_options_of_queues() {
    let (kept, registry) = kept();
    let config = declared(
        json!({
            "q": {"class": "test.Kept", "tag": "q", "strata": {"queue": {"capacity": 50, "max_bytes": 1_000_000,
                "overflow": "block", "block_for": 10, "priority_level": "ERROR", "flush_timeout": 10, "report_every": 0.02}}},
            "p": {"class": "logging.handlers.QueueHandler", "handlers": ["behind"], "strata": {"capacity": 20, "overflow": "drop_oldest"}},
            "behind": {"class": "test.Kept", "tag": "p"},
        }),
        json!({}),
    );
    let logging = Logging::builder().registry(registry).build(&config).unwrap();
    with(&logging, || info!("one"));
    logging.handler("q").unwrap().flush().unwrap();
    logging.handler("p").unwrap().flush().unwrap();
    let mut lines = kept.take();
    until(|| kept.0.lock().unwrap().iter().any(|line| line.starts_with("q queue health")));
    lines.retain(|line| line.ends_with("one"));
    lines.sort();
    assert_eq!(lines, ["p one", "q one"]);
    let told = wrong(
        json!({"q": {"class": "null", "strata": {"queue": {"overflow": "drop_newest", "block_for": 1, "capacty": 1}}}}),
        json!({}),
    );
    assert!(
        told.iter().any(|told| told.contains("handlers.q.strata.queue.block_for: expected no such key: only")),
        "{told:?}"
    );
    assert!(told.iter().any(|told| told.contains("capacty") && told.contains("did you mean \"capacity\"")), "{told:?}");
    let told = wrong(json!({"q": {"class": "null", "strata": {"queue": {"capacity": 0}}}}), json!({}));
    assert!(told[0].contains("capacity: expected 1 or more"), "{told:?}");
}

#[test]
fn the_options_of_files() {
    let dir = Dir::new();
    let logging = build(json!({
        "f": {"class": "file", "filename": dir.path("deep/f.log"), "formatter": "m", "strata": {"create_dirs": true, "permissions": 0o600,
            "buffer": 4096, "flush_on": "ERROR", "sync_on": "CRITICAL", "sync_every": 100, "sync_interval": 60}},
        "w": {"class": "watched", "filename": dir.path("w.log"), "formatter": "m", "strata": {"watch_interval": 0.0}},
    }));
    with(&logging, || {
        info!("one");
        assert_eq!((dir.read("deep/f.log"), dir.read("w.log")), (String::new(), "one\n".into()));
        std::fs::rename(dir.0.join("w.log"), dir.0.join("moved.log")).unwrap();
        error!("two");
        assert_eq!((dir.read("deep/f.log"), dir.read("w.log")), ("one\ntwo\n".into(), "two\n".into()));
    });
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(dir.0.join("deep/f.log")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[cfg(unix)]
#[test]
fn permissions_are_octal_and_nothing_that_only_looks_so() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = Dir::new();
    let made = |number: usize, permissions: Json| {
        let path = dir.path(&format!("{number}.log"));
        let handlers = json!({"f": {"class": "file", "filename": path, "strata": {"permissions": permissions}}});
        let logging = Logging::new();
        logging.reload(&declared(handlers, json!({}))).map_err(|error| problems(&error))?;
        Ok::<_, Vec<String>>(std::fs::metadata(path).unwrap().permissions().mode() & 0o7777)
    };
    for (number, permissions) in [json!("0600"), json!("600"), json!("0o600"), json!(0o600)].into_iter().enumerate() {
        assert_eq!(made(number, permissions), Ok(0o600));
    }
    for (permissions, shown, meant) in [
        (json!(640), "640", "; did you mean \"0640\"?"),
        (json!(600), "600", "; did you mean \"0600\"?"),
        (json!(99999), "99999", ""),
        (json!(-1), "-1", ""),
        (json!("0800"), "\"0800\"", ""),
        (json!("+600"), "\"+600\"", ""),
        (json!("rw-r-----"), "\"rw-r-----\"", ""),
        (json!(0.5), "0.5", ""),
        (json!(true), "true", ""),
    ] {
        let expected = "expected permissions in octal, such as \"0640\" (a number up to 0o777)";
        let expected = format!("handlers.f.strata.permissions: {expected}, got {shown}{meant}");
        assert_eq!(made(100, permissions), Err(vec![expected]));
    }
    // YAML 1.1 has 0640 for what is meant, and 0o640 is a text.
    let yaml =
        "{version: 1, handlers: {f: {class: file, filename: /nowhere/x, delay: true, strata: {permissions: 640}}}}";
    assert!(Logging::new().reload(&Config::from_yaml(yaml).unwrap()).is_err());
    for right in ["0640", "0o640", "'0640'"] {
        Logging::new().reload(&Config::from_yaml(&yaml.replace("640", right)).unwrap()).unwrap();
    }
}

#[cfg(feature = "gzip")]
#[test]
fn the_options_of_rotating_files() {
    let dir = Dir::new();
    let logging = build(json!({
        "r": {"class": "rotating", "filename": dir.path("r.log"), "maxBytes": 1000, "backupCount": 3, "formatter": "m",
            "strata": {"compression": "gzip", "compression_level": 9, "locking": "shared", "max_age_days": 1.5,
                "max_total_bytes": 1_000_000, "latest": dir.path("latest"), "sync_every": 1, "permissions": 0o640}},
        "t": {"class": "timed", "filename": dir.path("t.log"), "when": "midnight", "formatter": "m",
            "strata": {"alignment": "rollover", "zone": "Europe/Berlin", "locking": "exclusive"}},
    }));
    with(&logging, || {
        info!("one");
        logging.handler("r").unwrap().rollover().unwrap();
        info!("two");
    });
    logging.shutdown().unwrap();
    assert_eq!(
        (dir.read("r.log"), dir.read("t.log"), dir.read("latest")),
        ("two\n".into(), "one\ntwo\n".into(), "two\n".into())
    );
    until(|| dir.0.join("r.log.1.gz").exists());
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(dir.0.join("r.log.1.gz")).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "one\n");
    let told = wrong(
        json!({"r": {"class": "rotating", "filename": dir.path("x"), "delay": true, "strata": {"compression": "gzipp", "locking": "none"}}}),
        json!({}),
    );
    assert!(told[0].contains("expected none, gzip or zstd, got \"gzipp\"; did you mean \"gzip\"?"), "{told:?}");
    assert!(told[1].contains("expected unguarded, exclusive or shared"), "{told:?}");
}

#[test]
fn the_options_of_sockets() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port();
    let logging = build(json!({
        "s": {"class": "socket", "host": "127.0.0.1", "port": port, "formatter": "m",
            "strata": {"format": "text", "framing": "length", "backoff": {"initial": 0.01, "factor": 2, "max": 1, "jitter": 0.1},
                "connect_timeout": 20, "write_timeout": 20, "reconnect_timeout": 1, "queue": true}},
        "p": {"class": "logging.handlers.SocketHandler", "host": "127.0.0.1", "port": port,
            ".": {"retryStart": 0.5, "retryMax": 10, "retryFactor": 3}, "strata": {"process_name": "shop-7"}},
    }));
    with(&logging, || info!("over"));
    logging.handler("s").unwrap().flush().unwrap();
    drop(logging);
    let mut both: Vec<Vec<u8>> = (0..2)
        .map(|_| {
            let mut bytes = Vec::new();
            peer.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
            bytes
        })
        .collect();
    both.sort_by_key(Vec::len);
    assert_eq!(both[0], b"\0\0\0\x04over");
    assert!(both[1].windows(6).any(|part| part == b"shop-7"));
}

#[cfg(feature = "tls")]
#[test]
fn sockets_and_syslog_over_tls() {
    use crate::net::tls::{Authority, accept, all_of, config};

    let dir = Dir::new();
    let authority = Authority::new();
    let config = config(&authority.server(), None);
    std::fs::write(dir.0.join("ca.pem"), &authority.pem).unwrap();
    let peers = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [socket, syslog] = peers.each_ref().map(|peer| peer.local_addr().unwrap().port());
    let tls = json!({"ca_file": dir.path("ca.pem"), "server_name": "localhost"});
    let logging = build(json!({
        "s": {"class": "socket", "host": "127.0.0.1", "port": socket, "formatter": "m",
            "strata": {"format": "text", "tls": tls, "queue": true, "connect_timeout": 20}},
        "l": {"class": "syslog", "address": ["127.0.0.1", syslog], "socktype": "ext://socket.SOCK_STREAM", "facility": "local3",
            "formatter": "m", "strata": {"form": "rfc5424", "tls": tls, "host": "h", "app": "shop", "process_id": "9",
                "structured_data": false, "elements": {"meta": {"language": "en"}}, "bom": false, "connect_timeout": 20}},
    }));
    std::thread::scope(|scope| {
        let got = peers.each_ref().map(|peer| scope.spawn(|| all_of(&mut accept(peer, &config)).0));
        with(&logging, || info!("secret"));
        logging.handler("s").unwrap().flush().unwrap();
        logging.handler("l").unwrap().flush().unwrap();
        drop(logging);
        let [socket, syslog] = got.map(|got| String::from_utf8(got.join().unwrap()).unwrap());
        assert_eq!(socket, "secret\n");
        assert!(syslog.contains("<158>1 ") && syslog.contains(" h shop 9 "), "{syslog}");
        assert!(syslog.ends_with(" [meta language=\"en\"] secret"), "{syslog}");
    });
    let told = wrong(
        json!({"s": {"class": "socket", "host": "h", "port": 1, "strata": {"tls": {"certificate": "c.pem", "cafile": "x"}}}}),
        json!({}),
    );
    assert!(told.iter().any(|told| told.contains("expected the key \"key\"")), "{told:?}");
    assert!(
        told.iter().any(|told| told.contains("strata.tls.cafile") && told.contains("did you mean \"ca_file\"")),
        "{told:?}"
    );
}

#[test]
fn the_options_of_syslog() {
    let peers = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let [new, old] = peers.each_ref().map(|peer| peer.local_addr().unwrap().port());
    let logging = build(json!({
        "n": {"class": "syslog", "address": ["127.0.0.1", new], "formatter": "m", "strata": {"form": "rfc5424", "direct": true,
            "sd_id": "strata@32473", "token": "t0ken", "max_bytes": 1000, "escape_values": true, "multi_line": true,
            "source": false, "thread": false, "bom": false, "app": "shop"}},
        "o": {"class": "logging.handlers.SysLogHandler", "address": ["127.0.0.1", old], "formatter": "m", "timeout": 2,
            ".": {"ident": "shop: ", "append_nul": false, "priority_map": {"INFO": "crit"}},
            "strata": {"queue": {"capacity": 5, "overflow": "block"}}},
    }));
    with(&logging, || info!(k = 1, "m"));
    logging.handler("o").unwrap().flush().unwrap();
    let [new, old] = peers.map(|peer| {
        let mut bytes = [0; 2000];
        peer.set_read_timeout(Some(LONG)).unwrap();
        let length = peer.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    });
    assert!(new.starts_with("t0ken <14>1 ") && new.ends_with("[strata@32473 k=\"1\"] m"), "{new}");
    assert_eq!(old, "<10>shop: m");
    let told = wrong(
        json!({"s": {"class": "syslog", "facility": "locl0", ".": {"priority_map": {"INFO": "criticl"}},
            "strata": {"form": "rfc5425", "zone": "Mars/Base"}}}),
        json!({}),
    );
    for expected in ["did you mean \"local0\"", "did you mean \"rfc5424\"", "Mars/Base", "priority_map"] {
        assert!(told.iter().any(|told| told.contains(expected)), "{expected}: {told:?}");
    }
}

#[test]
fn the_options_of_datagrams() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(LONG)).unwrap();
    let port = peer.local_addr().unwrap().port();
    let receive = || {
        let mut bytes = [0; 2000];
        let length = peer.recv(&mut bytes).unwrap();
        bytes[..length].to_vec()
    };
    let logging = build(json!({"d": {"class": "datagram", "host": "127.0.0.1", "port": port, "formatter": "m",
        "strata": {"format": "text", "limit": 64, "oversize": "refuse", "write_timeout": 2}}}));
    with(&logging, || info!("plain"));
    assert_eq!(receive(), b"plain");

    if cfg!(feature = "gelf") {
        let config = declared(
            json!({"g": {"class": "datagram", "host": "127.0.0.1", "port": port, "formatter": "g",
                "strata": {"format": "text", "gelf": {"compression": "none", "compress_from": 10, "chunk_bytes": 1400}}}}),
            json!({"formatters": {"g": {"class": "gelf", "host": "h7", "fields": {"env": "test"}, "source": false, "thread": false}}}),
        );
        logging.reload(&config).unwrap();
        with(&logging, || info!("gelf"));
        let message: Json = serde_json::from_slice(&receive()).unwrap();
        assert_eq!(
            (&message["host"], &message["_env"], &message["short_message"]),
            (&json!("h7"), &json!("test"), &json!("gelf"))
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_options_of_the_journal() {
    use crate::journald::journal::{Journal, one};

    let journal = Journal::new();
    let logging = build(
        json!({"j": {"class": "systemd.journal.JournalHandler", "SYSLOG_IDENTIFIER": "shop", "UNIT_OF_MINE": "u7",
        "strata": {"socket": journal.path(), "timestamp": true, "delay": true, "write_timeout": 5}}}),
    );
    with(&logging, || warn!("to the journal"));
    let entry = journal.read();
    let is = |name: &str| one(&entry, name);
    assert_eq!(
        (is("MESSAGE"), is("SYSLOG_IDENTIFIER"), is("UNIT_OF_MINE")),
        ("to the journal".into(), "shop".into(), "u7".into())
    );
    assert!(is("TIMESTAMP").starts_with("20"));
    let told = wrong(json!({"j": {"class": "journald", "BAD-NAME": "x", "strata": {"delay": true}}}), json!({}));
    assert!(told[0].contains("BAD-NAME"), "{told:?}");
}

#[test]
fn the_options_of_streams() {
    // Its stderr is nobody's here.
    apart("config::every::the_options_of_streams", || {
        let logging = build(json!({"s": {"class": "stream", "stream": "ext://sys.stderr", "formatter": "m",
            "strata": {"timeout": 0.5, "or_journal": true}}}));
        with(&logging, || info!("to stderr"));
        assert_eq!(logging.handler("s").unwrap().handler().stats().written, 1);
    });
}

#[test]
fn the_options_of_formats() {
    let dir = Dir::new();
    let config = declared(
        json!({
            "t": {"class": "file", "filename": dir.path("t.log"), "formatter": "t"},
            "j": {"class": "file", "filename": dir.path("j.log"), "formatter": "j"},
            "s": {"class": "file", "filename": dir.path("s.log"), "formatter": "s"},
            "p": {"class": "file", "filename": dir.path("p.log"), "formatter": "p"},
        }),
        json!({"formatters": {
            "t": {"class": "text", "time": "none", "color": "never", "level": true, "target": false, "source": false, "thread": false,
                "spans": false, "globals": false, "trace_ids": false, "multi_line": false},
            "j": {"class": "json", "time": "unix_seconds", "rename": {"level": "severity"}, "omit": ["target"],
                "nest_fields": "extra", "nest_context": "around", "fields": {"service": "shop"}, "level_number": true,
                "lower_case_levels": true, "source": false, "thread": false, "process": true, "event_name": false,
                "span_list": false, "current_span": true},
            "s": {"class": "json", "shape": "tracing_subscriber", "time": "none"},
            "p": {"format": "%(asctime)s %(extra)s", "defaults": {"extra": "-"}, "zone": "Asia/Tokyo",
                "default_time_format": "%H:%M", "default_msec_format": null},
        }}),
    );
    let logging = Logging::builder().clock(ManualClock::at(0)).build(&config).unwrap();
    with(&logging, || info_span!("r", id = 7).in_scope(|| info!(k = 1, "m")));
    assert_eq!((dir.read("t.log"), dir.read("p.log")), ("INFO  m k=1\n".into(), "09:00 -\n".into()));
    let line: Json = serde_json::from_str(&dir.read("j.log")).unwrap();
    assert_eq!(line["severity"], "info");
    assert_eq!((&line["extra"]["k"], &line["around"]["id"], &line["service"]), (&json!(1), &json!(7), &json!("shop")));
    assert!(
        line.get("target").is_none()
            && line["level_number"] == 20
            && line["timestamp"] == 0
            && line["span"]["name"] == "r"
    );
    let line: Json = serde_json::from_str(&dir.read("s.log")).unwrap();
    assert_eq!(line["fields"], json!({"message": "m", "k": 1}));
    let told = wrong(
        json!({}),
        json!({"formatters": {"j": {"class": "json", "omit": ["targt"], "rename": {"levle": "x"}, "shape": "round", "time": "noon"}}}),
    );
    for expected in [
        "there is no member \"targt\"; did you mean \"target\"?",
        "rename.levle",
        "expected flat, tracing_subscriber, ecs, gcp, datadog, logstash, bunyan, otel or python",
        "since_start or a zone",
    ] {
        assert!(told.iter().any(|told| told.contains(expected)), "{expected}: {told:?}");
    }
}

#[test]
fn every_shape_of_json_and_logfmt() {
    let shapes = ["flat", "tracing_subscriber", "ecs", "gcp", "datadog", "logstash", "bunyan", "otel", "python"];
    let dir = Dir::new();
    let (mut handlers, mut formatters) = (json!({}), json!({}));
    for shape in shapes {
        handlers[shape] = json!({"class": "file", "filename": dir.path(shape), "formatter": shape});
        formatters[shape] = json!({"class": "json", "shape": shape, "time": "utc", "schema_version": "2",
            "trace_prefix": "projects/p/traces/"});
    }
    handlers["pretty"] = json!({"class": "file", "filename": dir.path("pretty"), "formatter": "pretty"});
    formatters["pretty"] = json!({"class": "pretty", "time": "none", "source": true});
    handlers["logfmt"] = json!({"class": "file", "filename": dir.path("logfmt"), "formatter": "logfmt"});
    formatters["logfmt"] =
        json!({"class": "logfmt", "time": "none", "source": false, "thread": false, "fields": {"v": 2}});
    let logging = Logging::builder()
        .clock(ManualClock::at(0))
        .build(&declared(handlers, json!({"formatters": formatters})))
        .unwrap();
    with(&logging, || info!(target: "shop", k = 1, "m"));
    for (shape, key) in shapes.into_iter().zip([
        "\"timestamp\"",
        "\"fields\"",
        "\"@timestamp\"",
        "\"severity\":\"INFO\"",
        "\"status\":\"info\"",
        "\"@version\":\"1\"",
        "\"v\":0",
        "\"resourceLogs\"",
        "\"levelname\":\"INFO\"",
    ]) {
        let line = dir.read(shape);
        serde_json::from_str::<Json>(&line).unwrap();
        assert!(line.contains(key) && line.contains("schema_version"), "{shape}: {line}");
    }
    let pretty = dir.read("pretty");
    assert!(
        pretty.starts_with("INFO     m  k=1  shop tests/it/config/every.rs:") && pretty.ends_with('\n'),
        "{pretty}"
    );
    assert_eq!(dir.read("logfmt"), "level=info target=shop msg=m k=1 v=2\n");
    let told = wrong(
        json!({}),
        json!({"formatters": {"j": {"class": "json", "shape": "ecs", "rename": {"target": "message"}}, "l": {"class": "logfnt"}}}),
    );
    for expected in [
        "formatters.j.rename: the key \"message\" is asked for by `message` and by `target`",
        "did you mean \"logfmt\"?",
    ] {
        assert!(told.iter().any(|told| told.contains(expected)), "{expected}: {told:?}");
    }
}

#[test]
fn the_options_of_the_whole() {
    let (kept, registry) = kept();
    let logging = Logging::builder()
        .registry(registry)
        .clock(ManualClock::at(0))
        .globals(tracing_strata::Globals::new().service("shop"))
        .trace_ids()
        .value_limit(16)
        .build(&declared(
            json!({"k": {"class": "test.Kept", "formatter": "j"}}),
            json!({"formatters": {"j": {"class": "json", "time": "none"}}}),
        ))
        .unwrap();
    with(&logging, || info_span!("r").in_scope(|| info!(long = "x".repeat(1000), "m")));
    let line: Json = serde_json::from_str(kept.take()[0].trim()).unwrap();
    assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
    assert!(line["long"].as_str().unwrap().len() < 40 && line["service"] == "shop", "{line}");
    assert_eq!(logging.loggers().level("root"), Some(Severity::TRACE));
}
