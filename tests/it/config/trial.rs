//! `reload_with_trial`: a configuration whose handlers fail is not applied.

use std::fs;

use tracing_strata::{
    Delivery, Error, HandlerExt as _, Outcome,
    config::{ClassRegistry, Config, ConfigErrors, Logging},
    ledger::ErrorHandler,
};

use super::{Dir, with};

fn failing(delivery: &Delivery<'_>) -> Result<Outcome, Error> {
    match delivery.severity().number() {
        // The trial's.
        20 => Err(Error::new("no route to the pager")),
        _ => Ok(Outcome::Written),
    }
}

struct Pager(fn(&Delivery<'_>) -> Result<Outcome, Error>);

impl tracing_strata::Handler for Pager {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        (self.0)(&delivery)
    }
}

fn registry() -> ClassRegistry {
    ClassRegistry::new()
        .handler("test.Failing", |_, _| Ok(Pager(failing).boxed()))
        .handler("test.Panicking", |_, _| Ok(Pager(|_| panic!("scripted")).boxed()))
        .handler("test.Dropping", |_, _| Ok(Pager(|_| Ok(Outcome::Dropped)).boxed()))
        .handler("test.Fine", |_, _| Ok(Pager(|_| Ok(Outcome::Written)).boxed()))
}

fn config(dir: &Dir, pager: &str) -> Config {
    let yaml = format!(
        "version: 1
formatters: {{m: {{format: '%(message)s'}}}}
handlers:
  file: {{class: file, filename: {}, formatter: m}}
  new: {{class: file, filename: {}, formatter: m, delay: true}}
  pager: {{class: {pager}}}
root: {{level: INFO, handlers: [file, new, pager]}}
",
        dir.path("a.log"),
        dir.path(&format!("{}.log", pager.split(['.', ',']).nth(1).unwrap())),
    );
    Config::from_yaml(&yaml).unwrap()
}

#[test]
fn a_handler_that_fails_the_trial_changes_nothing() {
    let dir = Dir::new();
    let (error_handler, reported) = ErrorHandler::counting();
    let builder = Logging::builder().registry(registry()).error_handler(error_handler);
    let before = Config::from_yaml(&format!(
        "{{version: 1, formatters: {{m: {{format: '%(message)s'}}}}, handlers: {{file: {{class: file, filename: {}, formatter: m}}}}, \
         root: {{level: ERROR, handlers: [file]}}}}",
        dir.path("a.log")
    ))
    .unwrap();
    let logging = builder.build(&before).unwrap();
    let rows = [
        ("test.Failing", "no route to the pager"),
        ("test.Failing, strata: {queue: true}", "no route to the pager"),
        ("test.Panicking", "scripted"),
        ("test.Dropping", "it was dropped"),
    ];
    for (pager, why) in rows {
        let error = logging.reload_with_trial(&config(&dir, pager)).unwrap_err();
        let problems: Vec<_> = ConfigErrors::of(&error).unwrap().iter().collect();
        assert_eq!((problems.len(), problems[0].path(), problems[0].line()), (1, "handlers.pager", Some(6)), "{error}");
        assert!(problems[0].message().contains(why), "{error}");
        assert_eq!(logging.handler_names(), ["file"]);
        assert_eq!(logging.config(), Some(before.clone()));
    }
    with(&logging, || {
        tracing::warn!("not yet");
        tracing::error!("as before");
    });
    assert_eq!(fs::read_to_string(dir.0.join("a.log")).unwrap(), "as before\n");
    // What the trial told is in the error, and the handler that stays was not tried.
    assert_eq!(reported.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert_eq!(fs::read_to_string(dir.0.join("Failing.log")).unwrap(), "a new configuration is tried\n".repeat(2));
}

#[test]
fn handlers_that_pass_the_trial_are_in_use_at_once() {
    let dir = Dir::new();
    let logging = Logging::builder().registry(registry()).empty();
    let changes = logging.reload_with_trial(&config(&dir, "test.Fine")).unwrap();
    assert_eq!(changes.added(), ["file", "new", "pager"]);
    with(&logging, || tracing::info!("in use"));
    let expected = "a new configuration is tried\nin use\n";
    assert_eq!(fs::read_to_string(dir.0.join("a.log")).unwrap(), expected);
    assert_eq!(fs::read_to_string(dir.0.join("Fine.log")).unwrap(), expected);
    // A failure later is the error handler's affair again, and a mistake is one as ever.
    assert!(logging.reload_with_trial(&Config::from_yaml("{version: 1, root: {levle: 1}}").unwrap()).is_err());
    assert_eq!(logging.handler_names(), ["file", "new", "pager"]);
}
