//! Handlers behind handlers: whose account records are on, and those that nothing is behind.

use tracing_strata::config::{Config, Logging};

use super::{Dir, OwnedRecord, refused, with};

#[test]
fn a_handler_behind_others_has_the_account_of_all_its_records() {
    let kept = OwnedRecord::default();
    let yaml = "
version: 1
filters: {shop: {name: shop}}
handlers:
  file: {class: test.Kept, tag: file, level: INFO, filters: [shop]}
  q: {class: queue, handlers: [file]}
  m: {class: memory, capacity: 1, target: file}
  t: {class: tee, handlers: [file]}
root: {level: DEBUG, handlers: [q, m, t]}
loggers: {shop.direct: {handlers: [file]}}
";
    let logging = Logging::builder().registry(kept.registry()).build(&Config::from_yaml(yaml).unwrap()).unwrap();
    let stats = |name: &str| logging.handler(name).unwrap().handler().stats();
    with(&logging, || {
        tracing::info!(target: "shop", "by three ways");
        tracing::debug!(target: "shop", "below its level, which a memory does not ask");
        tracing::info!(target: "other", "not its own");
        tracing::info!(target: "shop::direct", "by four");
        logging.handler("q").unwrap().flush().unwrap();
    });
    assert_eq!(kept.take().len(), 3 + 1 + 4);
    let file = stats("file");
    assert_eq!((file.written, file.filtered, file.accepted()), (8, 5, 13));
    for (name, written, filtered) in [("q", 2, 2), ("m", 3, 1), ("t", 2, 2)] {
        let stats = stats(name);
        assert_eq!((stats.written, stats.filtered, stats.accepted()), (written, filtered, 4), "{name}");
    }
    // One account, and not two of one name.
    let listed = tracing_strata::ledger::stats();
    let own = listed.iter().filter(|(name, stats)| name == "file" && stats.accepted() == 13);
    assert_eq!(own.count(), 1);
    // It stays where the target changes, and nothing of it is counted twice.
    logging.handler("m").unwrap().set("capacity", &2).unwrap();
    logging.handler("m").unwrap().set_target(Some("file")).unwrap();
    assert_eq!(stats("file"), file);
}

#[test]
fn a_failure_behind_a_queue_is_on_the_handlers_own_account() {
    let dir = Dir::new();
    let yaml = format!(
        "{{version: 1, formatters: {{f: {{format: '%(nosuch)s', validate: false}}}}, \
         handlers: {{f: {{class: file, filename: {}, formatter: f}}, q: {{class: queue, handlers: [f]}}}}, \
         root: {{level: INFO, handlers: [q]}}}}",
        dir.path("a.log")
    );
    let (error_handler, told) = crate::places::remembering();
    let logging = Logging::builder().error_handler(error_handler).build(&Config::from_yaml(&yaml).unwrap()).unwrap();
    with(&logging, || {
        tracing::info!("not to be formatted");
        logging.handler("q").unwrap().flush().unwrap();
    });
    let stats = logging.handler("f").unwrap().handler().stats();
    assert_eq!((stats.failed, stats.accepted()), (1, 1));
    assert_eq!(told.lock().unwrap().len(), 1);
}

#[test]
fn a_queue_or_tee_with_nothing_behind_it_is_refused() {
    let told =
        refused(&Logging::new(), "{version: 1, handlers: {q: {class: logging.handlers.QueueHandler, handler: [x]}}}");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("handlers.q") && told[0].contains("expected the key \"handlers\""), "{told:?}");
    assert!(told[0].ends_with(", got \"handler\""), "{told:?}");
    for class in ["queue", "tee"] {
        let told =
            refused(&Logging::new(), &format!("{{version: 1, handlers: {{q: {{class: {class}, handlers: []}}}}}}"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("handlers.q.handlers") && told[0].ends_with("expected at least one handler"),
            "{told:?}"
        );
    }
}

#[test]
fn what_pythons_queue_without_handlers_takes_is_dropped_and_not_written() {
    let config = Config::from_yaml(
        "{version: 1, handlers: {q: {class: logging.handlers.QueueHandler}}, root: {level: INFO, handlers: [q]}}",
    )
    .unwrap();
    let logging = Logging::builder().python_defaults().build(&config).unwrap();
    let queue = logging.handler("q").unwrap();
    queue.listen(true).unwrap();
    with(&logging, || (0..10).for_each(|number| tracing::info!(number, "for nobody")));
    queue.flush().unwrap();
    let stats = queue.handler().stats();
    assert_eq!((stats.dropped, stats.written, stats.accepted()), (10, 0, 10));
    let told = logging.check(&config).unwrap();
    assert!(
        told.iter().any(|told| told.to_string().contains("handlers.q") && told.message().contains("dropped")),
        "{told:?}"
    );
}

#[test]
fn a_memory_without_target_is_doubted() {
    let config = |target: &str| {
        let yaml = format!(
            "{{version: 1, handlers: {{m: {{class: memory, capacity: 10{target}}}, n: {{class: 'null'}}}}, root: {{handlers: [m, n]}}}}"
        );
        Logging::new().check(&Config::from_yaml(&yaml).unwrap()).unwrap()
    };
    let told = config("");
    assert!(told.iter().any(|told| told.path() == "handlers.m" && told.message().contains("no target")), "{told:?}");
    assert!(!config(", target: n").iter().any(|told| told.message().contains("no target")));
}
