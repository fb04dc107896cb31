//! A naive model of Python's rules, and random trees on which both must agree.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use proptest::prelude::*;
use tracing_strata::{Delivery, Error, Handler, HandlerExt as _, Loggers, NamedHandler, Outcome, Record, Severity};

use crate::{places::apart, support::Give as _};

/// What Python keeps of a logger. Numbers as in Python; here a logger has a level or none.
#[derive(Clone, Debug)]
struct PyLogger {
    level: Option<i32>,
    propagate: bool,
    disabled: bool,
    handlers: Vec<usize>,
}

#[derive(Debug)]
struct Python {
    loggers: HashMap<Vec<String>, PyLogger>,
    disable: i32,
    handler_levels: Vec<i32>,
}

/// The parts of a name; none for the root.
fn parts(name: &str) -> Vec<String> {
    if name.is_empty() || name == "root" {
        return Vec::new();
    }
    name.split("::").flat_map(|part| part.split('.')).map(str::to_owned).collect()
}

impl Python {
    fn new(handlers: usize) -> Self {
        let root = PyLogger { level: Some(30), propagate: true, disabled: false, handlers: Vec::new() };
        Self { loggers: HashMap::from([(Vec::new(), root)]), disable: 0, handler_levels: vec![0; handlers] }
    }

    fn logger(&mut self, name: &str) -> &mut PyLogger {
        let new = PyLogger { level: None, propagate: true, disabled: false, handlers: Vec::new() };
        self.loggers.entry(parts(name)).or_insert(new)
    }

    /// The loggers from a name up to the root.
    fn chain(&self, name: &str) -> Vec<&PyLogger> {
        let parts = parts(name);
        let lengths = (0..=parts.len()).rev();
        lengths.filter_map(|length| self.loggers.get(&parts[..length])).collect()
    }

    fn effective_level(&self, name: &str) -> i32 {
        self.chain(name).iter().find_map(|logger| logger.level).unwrap_or(0)
    }

    fn is_enabled_for(&self, name: &str, number: i32) -> bool {
        let disabled = self.loggers.get(&parts(name)).is_some_and(|logger| logger.disabled);
        !disabled && number > self.disable && number >= self.effective_level(name)
    }

    /// The handlers that are found, and those of them that take the record.
    fn call_handlers(&self, name: &str, number: i32) -> (usize, Vec<usize>) {
        let (mut found, mut taking) = (0, Vec::new());
        for logger in self.chain(name) {
            for handler in &logger.handlers {
                found += 1;
                if number >= self.handler_levels[*handler] {
                    taking.push(*handler);
                }
            }
            if !logger.propagate {
                break;
            }
        }
        (found, taking)
    }
}

#[derive(Clone, Debug)]
enum Change {
    SetLevel(String, i32),
    ClearLevel(String),
    Propagate(String, bool),
    Disabled(String, bool),
    Disable(i32),
    AddHandler(String, usize),
    RemoveHandler(String, usize),
    HandlerLevel(usize, i32),
}

const HANDLERS: usize = 3;

fn name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "a", "b", "b", "ab", "a:b", "root", "é", ""]);
    let separator = prop::sample::select(vec![".", "::"]);
    prop::collection::vec((part, separator), 0..5).prop_map(|pairs| {
        let mut name = String::new();
        for (index, (part, separator)) in pairs.iter().enumerate() {
            if index > 0 {
                name.push_str(separator);
            }
            name.push_str(part);
        }
        name
    })
}

fn number() -> impl Strategy<Value = i32> {
    prop::sample::select(vec![-5, 0, 1, 5, 10, 15, 20, 25, 30, 35, 40, 50, 51])
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (name(), number()).prop_map(|(name, level)| Change::SetLevel(name, level)),
        1 => name().prop_map(Change::ClearLevel),
        2 => (name(), any::<bool>()).prop_map(|(name, on)| Change::Propagate(name, on)),
        2 => (name(), any::<bool>()).prop_map(|(name, on)| Change::Disabled(name, on)),
        1 => number().prop_map(Change::Disable),
        4 => (name(), 0..HANDLERS).prop_map(|(name, handler)| Change::AddHandler(name, handler)),
        1 => (name(), 0..HANDLERS).prop_map(|(name, handler)| Change::RemoveHandler(name, handler)),
        1 => (0..HANDLERS, number()).prop_map(|(handler, level)| Change::HandlerLevel(handler, level)),
    ]
}

/// Remembers which handlers were called, in order.
struct Called(usize, Arc<Mutex<Vec<usize>>>);

impl Handler for Called {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        self.1.lock().unwrap().push(self.0);
        Ok(Outcome::Written)
    }
}

fn apply(change: &Change, loggers: &Loggers, handlers: &[NamedHandler], python: &mut Python) {
    match change {
        Change::SetLevel(name, level) => {
            loggers.set_level(name, Severity::new(*level)).unwrap();
            python.logger(name).level = Some(*level);
        }
        Change::ClearLevel(name) => {
            loggers.clear_level(name);
            python.logger(name).level = None;
        }
        Change::Propagate(name, on) => {
            loggers.set_propagate(name, *on).unwrap();
            python.logger(name).propagate = *on;
        }
        Change::Disabled(name, on) => {
            loggers.set_disabled(name, *on).unwrap();
            python.logger(name).disabled = *on;
        }
        Change::Disable(up_to) => {
            loggers.disable(Severity::new(*up_to));
            python.disable = *up_to;
        }
        Change::AddHandler(name, handler) => {
            loggers.add_handler(name, handlers[*handler].clone()).unwrap();
            let there = &mut python.logger(name).handlers;
            if !there.contains(handler) {
                there.push(*handler);
            }
        }
        Change::RemoveHandler(name, handler) => {
            let there = &mut python.logger(name).handlers;
            let before = there.len();
            there.retain(|other| other != handler);
            assert_eq!(loggers.remove_handler(name, &handlers[*handler]), there.len() < before);
        }
        Change::HandlerLevel(handler, level) => {
            handlers[*handler].set_level(Severity::new(*level));
            python.handler_levels[*handler] = *level;
        }
    }
}

#[test]
fn random_trees_agree_with_the_model() {
    apart("loggers::model::random_trees_agree_with_the_model", || {
        proptest!(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() }, |(steps in prop::collection::vec((change(), name(), number()), 1..40))| {
        let called = Arc::new(Mutex::new(Vec::new()));
        let handlers: Vec<NamedHandler> =
            (0..HANDLERS).map(|id| Called(id, Arc::clone(&called)).named(format!("h{id}"))).collect();
        let last = Called(usize::MAX, Arc::clone(&called)).named("last");
        let loggers = Loggers::new();
        loggers.set_last_resort(Some(last));
        let router = loggers.router();
        let mut python = Python::new(HANDLERS);

        for (change, name, number) in &steps {
            apply(change, &loggers, &handlers, &mut python);
            let severity = Severity::new(*number);
            let enabled = python.is_enabled_for(name, *number);
            prop_assert_eq!(loggers.effective_level(name).number(), python.effective_level(name), "{} in {}", name, loggers);
            // Asked twice: the second answer is remembered.
            for _ in 0..2 {
                prop_assert_eq!(loggers.is_enabled_for(name, severity), enabled, "{} at {} in {}", name, number, loggers);
            }
            let (found, taking) = python.call_handlers(name, *number);
            prop_assert_eq!(loggers.has_handlers(name), found > 0);
            // The last resort's own level is 0.
            let last_resort = || if *number >= 0 { vec![usize::MAX] } else { Vec::new() };
            let expected = if found > 0 { taking } else { last_resort() };
            let explanation = loggers.explain(name, severity);
            prop_assert_eq!(explanation.is_enabled(), enabled);
            if enabled {
                let names: Vec<_> = expected
                    .iter()
                    .map(|id| if *id == usize::MAX { "last".to_owned() } else { format!("h{id}") })
                    .collect();
                prop_assert_eq!(explanation.receivers(), names);
            }
            for _ in 0..2 {
                router.give(&Record::new(severity, name, "m")).unwrap();
                let got = std::mem::take(&mut *called.lock().unwrap());
                let disabled = python.loggers.get(&parts(name)).is_some_and(|logger| logger.disabled);
                prop_assert_eq!(&got, if disabled { &[][..] } else { &expected[..] }, "{} in {:?}", name, &python);
            }
        }
        });
    });
}
