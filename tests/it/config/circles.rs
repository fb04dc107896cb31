//! Handlers that hand on to others never lead back to themselves, whoever changes them.

use std::{
    sync::{Arc, Barrier},
    thread,
};

use tracing_strata::config::{Config, Logging};

use super::{OwnedRecord, problems, with};

/// `m` and `m2` are memories, `q` a queue and `t` a tee; all lead to `k` but what the tests change.
fn memories(kept: &OwnedRecord) -> Logging {
    let yaml = "
version: 1
handlers:
  k: {class: test.Kept, tag: k}
  m: {class: memory, capacity: 1, target: k}
  m2: {class: memory, capacity: 1, target: m}
  q: {class: queue, handlers: [m2]}
  t: {class: tee, handlers: [k]}
root: {level: INFO, handlers: [m]}
";
    Logging::builder().registry(kept.registry()).build(&Config::from_yaml(yaml).unwrap()).unwrap()
}

#[test]
fn a_target_that_leads_back_is_refused_and_nothing_is_changed() {
    let kept = OwnedRecord::default();
    let logging = memories(&kept);
    for target in ["m", "m2", "q"] {
        let refused = logging.handler("m").unwrap().set_target(Some(target)).unwrap_err();
        assert_eq!(problems(&refused), [format!("handlers.m.target: {target:?} leads back to it")]);
        let refused = logging.handler("m").unwrap().set("target", &target).unwrap_err();
        assert_eq!(problems(&refused), [format!("handlers.m.target: {target:?} leads back to it")]);
    }
    let refused = logging.handler("t").unwrap().set("handlers", &["k", "t"]).unwrap_err();
    assert_eq!(problems(&refused), ["handlers.t.handlers[1]: \"t\" leads back to it"]);
    with(&logging, || tracing::info!("once"));
    assert_eq!(kept.take(), ["k once"]);
}

#[test]
fn a_way_round_by_several_changes_is_seen_too() {
    let kept = OwnedRecord::default();
    let logging = memories(&kept);
    let memory = logging.handler("m").unwrap();
    // Whatever the configuration said, it is what leads where now that counts.
    logging.handler("m2").unwrap().set_target(Some("k")).unwrap();
    memory.set_target(Some("m2")).unwrap();
    assert!(logging.handler("m2").unwrap().set_target(Some("m")).is_err());
    assert!(logging.handler("m2").unwrap().set("target", &"m").is_err());
    with(&logging, || tracing::info!("round"));
    assert_eq!(kept.take(), ["k round"]);
    // None is a way out.
    memory.set_target(None).unwrap();
    logging.handler("m2").unwrap().set("target", &"m").unwrap();
    assert!(memory.set_target(Some("q")).is_err());
}

#[test]
fn what_is_set_stays_when_something_else_is_set() {
    let kept = OwnedRecord::default();
    let logging = memories(&kept);
    let memory = logging.handler("m").unwrap();
    memory.set_target(None).unwrap();
    memory.set("capacity", &10).unwrap();
    with(&logging, || tracing::info!("held"));
    assert_eq!((memory.buffered(), kept.take().len()), (Some(1), 0));
    let refused = memory.set("target", &"kk").unwrap_err();
    assert_eq!(problems(&refused), ["handlers.m.target: there is no handler \"kk\"; did you mean \"k\"?"]);
    memory.set_target(Some("k")).unwrap();
    memory.flush().unwrap();
    assert_eq!(kept.take(), ["k held"]);
}

#[test]
fn of_two_changes_at_once_one_is_refused() {
    for _ in 0..50 {
        let kept = OwnedRecord::default();
        let logging = memories(&kept);
        logging.handler("m2").unwrap().set_target(Some("k")).unwrap();
        let together = Arc::new(Barrier::new(2));
        let other = {
            let (logging, together) = (logging.clone(), Arc::clone(&together));
            thread::spawn(move || {
                together.wait();
                logging.handler("m2").unwrap().set("target", &"m").is_ok()
            })
        };
        together.wait();
        let one = logging.handler("m").unwrap().set_target(Some("m2")).is_ok();
        assert!(one != other.join().unwrap());
        with(&logging, || tracing::info!("once"));
        assert_eq!(kept.take(), ["k once"]);
    }
}

#[test]
fn a_circle_hides_no_handler_that_is_not_there() {
    let yaml = "{version: 1, handlers: {m: {class: memory, capacity: 1, target: q}, q: {class: queue, handlers: [m, nosuch]}}}";
    let refused = Logging::new().reload(&Config::from_yaml(yaml).unwrap()).unwrap_err();
    let told = problems(&refused);
    assert!(told.iter().any(|told| told.contains("there is no handler \"nosuch\"")), "{told:?}");
    assert_eq!(told.iter().filter(|told| told.contains("lead back")).count(), 2, "{told:?}");
}
