//! Handlers of files, sockets and memory as a configuration makes them.

use std::{io::Read as _, net::TcpListener};

use tracing_strata::config::{Config, Logging};

use super::{Dir, refused, with};

fn build(dir: &Dir, yaml: &str) -> Logging {
    Logging::builder().build(&Config::from_yaml(&yaml.replace("DIR", &dir.0.display().to_string())).unwrap()).unwrap()
}

#[test]
fn our_own_keys_have_one_place() {
    let dir = Dir::new();
    let logging = build(
        &dir,
        "{version: 1, formatters: {m: {format: '%(message)s'}}, handlers: {f: {class: rotating, filename: DIR/deep/a.log, formatter: m, \
         maxBytes: 20, backupCount: 3, strata: {create_dirs: true, buffer: 4096, flush_on: ERROR}}}, root: {level: INFO, handlers: [f]}}",
    );
    with(&logging, || {
        (0..4).for_each(|number| tracing::info!("record {number}"));
        tracing::error!("flushed");
    });
    assert_eq!(dir.read("deep/a.log.2"), "record 0\nrecord 1\n");
    assert_eq!(dir.read("deep/a.log"), "flushed\n");
    let told = refused(&Logging::new(), "{version: 1, handlers: {f: {class: 'null', strata: {buffr: 1}}}}");
    assert!(told[0].contains("handlers.f.strata.buffr") && told[0].contains("did you mean \"buffer\""), "{told:?}");
}

#[test]
fn a_memory_hands_on_in_any_order_of_names_and_asks_the_targets_filters_only() {
    let dir = Dir::new();
    let logging = build(
        &dir,
        "{version: 1, formatters: {m: {format: '%(message)s'}}, filters: {shop: {name: shop}}, handlers: {\
         a: {class: logging.handlers.MemoryHandler, capacity: 100, flushLevel: ERROR, target: z}, \
         z: {class: file, filename: DIR/z.log, formatter: m, level: CRITICAL, filters: [shop]}}, root: {level: INFO, handlers: [a]}}",
    );
    with(&logging, || {
        tracing::info!(target: "shop", "1");
        tracing::info!(target: "web", "2");
        assert_eq!(logging.handler("a").unwrap().buffered(), Some(2));
        tracing::error!(target: "shop", "3");
        assert_eq!(logging.handler("a").unwrap().buffered(), Some(0));
    });
    assert_eq!(dir.read("z.log"), "1\n3\n");
    logging.handler("a").unwrap().set_target(None).unwrap();
    assert!(logging.handler("a").unwrap().set_target(Some("nope")).is_err());
    assert!(logging.handler("z").unwrap().set_target(None).is_err());
}

#[test]
fn a_socket_gets_lines_where_that_is_asked_for() {
    let dir = Dir::new();
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let logging = build(
        &dir,
        &format!(
            "{{version: 1, formatters: {{m: {{format: '%(name)s %(message)s'}}}}, handlers: {{s: {{class: socket, host: 127.0.0.1, port: {}, \
             formatter: m, strata: {{format: text}}}}}}, root: {{level: INFO, handlers: [s]}}}}",
            peer.local_addr().unwrap().port()
        ),
    );
    with(&logging, || tracing::info!(target: "a", "over"));
    logging.shutdown().unwrap();
    let mut text = String::new();
    peer.accept().unwrap().0.read_to_string(&mut text).unwrap();
    assert_eq!(text, "a over\n");
}

#[test]
fn an_attribute_changes_on_a_handler_that_runs() {
    let dir = Dir::new();
    let logging = build(
        &dir,
        "{version: 1, formatters: {m: {format: '%(message)s'}}, handlers: {f: {class: file, filename: DIR/a.log, mode: w, formatter: m}}, root: {level: INFO, handlers: [f]}}",
    );
    with(&logging, || {
        tracing::info!("1");
        let handler = logging.handler("f").unwrap();
        handler.set(".terminator", &"|").unwrap();
        tracing::info!("2");
        // Nothing is thrown away when a detail changes.
        handler.set("encoding", &"ascii").unwrap();
        tracing::info!("3");
        assert!(handler.set("encodng", &"ascii").unwrap_err().to_string().contains("did you mean"));
        tracing::info!("4");
    });
    // A file that is opened in the middle of a line gets a line break.
    assert_eq!(dir.read("a.log"), "1\n2|\n3|4|");
}

#[test]
fn closing_and_rolling_over_by_hand() {
    let dir = Dir::new();
    let logging = build(
        &dir,
        "{version: 1, formatters: {m: {format: '%(message)s'}}, handlers: {r: {class: rotating, filename: DIR/a.log, backupCount: 2, maxBytes: 1000, formatter: m}}, root: {level: INFO, handlers: [r]}}",
    );
    with(&logging, || {
        tracing::info!("1");
        logging.handler("r").unwrap().rollover().unwrap();
        tracing::info!("2");
        logging.handler("r").unwrap().close().unwrap();
        tracing::info!("3");
    });
    assert_eq!((dir.read("a.log.1"), dir.read("a.log")), ("1\n".into(), "2\n3\n".into()));
    assert!(logging.handler("r").unwrap().listen(true).is_err());
}
