//! `watch`: the file is applied when it changes.

use std::{sync::mpsc, time::Duration};

use tracing_strata::{
    Severity,
    config::{Config, Logging},
};

use super::Dir;

/// Far longer than it takes; only a watch that does not work waits for it.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_file_that_changes_is_applied_and_one_that_is_wrong_is_not() {
    let dir = Dir::new();
    let path = dir.0.join("logging.yaml");
    std::fs::write(&path, "{version: 1, root: {level: INFO}}").unwrap();
    let logging = Logging::builder().build(&Config::from_path(&path).unwrap()).unwrap();
    let (told, results) = mpsc::channel();
    let watch =
        logging.watch_with(&path, move |result| told.send(result.map_err(|error| error.to_string())).unwrap()).unwrap();
    assert_eq!(watch.path(), path);

    std::fs::write(&path, "{version: 1, root: {level: ERROR}}").unwrap();
    results.recv_timeout(LONG).unwrap().unwrap();
    assert_eq!(logging.loggers().level("root"), Some(Severity::ERROR));

    std::fs::write(&path, "{version: 1, root: {level: LOUD}}").unwrap();
    let error = results.recv_timeout(LONG).unwrap().unwrap_err();
    assert!(error.contains("LOUD"), "{error}");
    assert_eq!(logging.loggers().level("root"), Some(Severity::ERROR));

    // As editors do it: another file in its place.
    let new = dir.0.join("new");
    std::fs::write(&new, "{version: 1, root: {level: DEBUG}}").unwrap();
    std::fs::rename(&new, &path).unwrap();
    results.recv_timeout(LONG).unwrap().unwrap();
    assert_eq!(logging.loggers().level("root"), Some(Severity::DEBUG));
    drop(watch);
    std::fs::write(&path, "{version: 1, root: {level: INFO}}").unwrap();
    assert!(results.recv_timeout(LONG).is_err());
}

#[test]
fn what_can_never_be_read_is_not_watched() {
    let dir = Dir::new();
    let logging = Logging::new();
    let told = |path: &str| logging.watch(dir.path(path)).unwrap_err().to_string();
    assert!(told("logging.txt").contains("expected a name that ends in .json"), "{}", told("logging.txt"));
    let missing = logging.watch(dir.path("nodir/logging.yaml")).unwrap_err();
    assert!(missing.is_io() && missing.to_string().contains("nodir"), "{missing}");
    assert!(!missing.to_string().contains("about ["), "{missing}");
    // A file may come later.
    drop(logging.watch(dir.path("logging.yaml")).unwrap());
}

#[test]
fn an_included_file_counts_and_what_was_set_by_hand_is_named_first() {
    let dir = Dir::new();
    let path = dir.0.join("logging.yaml");
    std::fs::write(&path, "{include: base.yaml, version: 1}").unwrap();
    std::fs::write(dir.0.join("base.yaml"), "{root: {level: INFO}}").unwrap();
    let logging = Logging::from_path(&path).unwrap();
    logging.loggers().set_level("shop", Severity::DEBUG).unwrap();
    let (told, results) = mpsc::channel();
    let watch =
        logging.watch_with(&path, move |result| told.send(result.map_err(|error| error.to_string())).unwrap()).unwrap();
    assert_eq!(watch.will_override(), ["level DEBUG of the logger \"shop\""]);
    std::fs::write(dir.0.join("base.yaml"), "{root: {level: ERROR}}").unwrap();
    let changes = results.recv_timeout(LONG).unwrap().unwrap();
    assert_eq!(changes.overridden(), watch.will_override());
    assert_eq!(logging.loggers().level("root"), Some(Severity::ERROR));
}
