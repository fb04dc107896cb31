//! `log`: one record, through a logger by its name.

use std::{error::Error as StdError, fmt, thread};

use serde_json::{Map, Value as Json};
use tracing_strata::{Logger, Value, format::Template};

use crate::player::{Chain, Player, event_logger, level, text};

const FILE: &str = "/srv/app/src/app.rs";

/// An error as the scenarios give it: text and cause.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    cause: Option<Box<Failure>>,
}

impl Failure {
    pub(crate) fn new(spec: &Json) -> Option<Self> {
        let kind = spec["type"].as_str()?;
        let message = text(spec, "message");
        let text = if message.is_empty() { kind.to_owned() } else { format!("{kind}: {message}") };
        Some(Self { text, cause: Self::new(&spec["cause"]).map(Box::new) })
    }

    pub(crate) fn with_text(text: &str) -> Self {
        Self { text: text.to_owned(), cause: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// A value of `extra`, as a field.
pub(crate) fn value(json: &Json) -> Value<'_> {
    match json {
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::Str(text),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::I64(number),
            None => Value::F64(number.as_f64().unwrap_or(f64::NAN)),
        },
        _ => Value::Str("None"),
    }
}

impl Player {
    pub(crate) fn log(&self, action: &Json) -> Result<(), Chain> {
        match action["thread"].as_str() {
            None => self.log_here(action),
            Some(name) => thread::scope(|scope| {
                let worker = thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, || self.log_here(action));
                let worker = worker.map_err(|error| vec![error.to_string()])?;
                worker.join().unwrap_or_else(|_| Err(vec!["the thread panicked".into()]))
            }),
        }
    }

    fn log_here(&self, action: &Json) -> Result<(), Chain> {
        let level = level(&action["level"])?;
        if action["module_level"] == true && !self.logging.loggers().has_handlers("") {
            self.basic_config(&Json::Null).map_err(|error| crate::player::chain(&error))?;
        }
        let none = Map::new();
        let call = action["extra"].as_object();
        // What adapters bring travels with the logger, what the call brings with the event.
        let (name, bound, own) = match action["adapter"].as_str() {
            None => (self.logger(action)?, Map::new(), call.unwrap_or(&none).clone()),
            Some(name) => {
                let adapter = self.adapters.get(name).ok_or_else(|| vec![name.to_owned()])?;
                let (mut bound, mut own) = (Map::new(), call.unwrap_or(&none).clone());
                for (values, merges) in adapter.layers.iter().rev() {
                    if !merges {
                        (bound, own) = (Map::new(), Map::new());
                    }
                    for (key, value) in values {
                        if !own.contains_key(key) && !bound.contains_key(key) {
                            bound.insert(key.clone(), value.clone());
                        }
                    }
                }
                (adapter.logger.clone(), bound, own)
            }
        };
        if !self.logging.loggers().is_enabled_for(&name, level) {
            return Ok(());
        }
        // In Rust a field may have any name; Python refuses these.
        if let Some(key) = bound.keys().chain(own.keys()).find(|key| Template::ATTRIBUTES.contains(&key.as_str())) {
            return Err(vec![format!("Attempt to overwrite '{key}' in LogRecord")]);
        }
        let logger: Logger =
            bound.iter().fold(event_logger(&name), |logger, (key, json)| logger.bind(key.clone(), value(json)));
        let src = &action["src"];
        let line = src["lineno"].as_u64().unwrap_or(10);
        let mut entry = logger
            .at(level)
            .source(src["pathname"].as_str().unwrap_or(FILE), u32::try_from(line).unwrap_or_default())
            .function(src["func"].as_str().unwrap_or("run"));
        for (key, json) in &own {
            entry = entry.field(key.as_str(), value(json));
        }
        let failure = match action["exc_text"].as_str() {
            Some(text) => Some(Failure::with_text(text)),
            None => Failure::new(&action["exc"]),
        };
        if let Some(failure) = &failure {
            entry = entry.error(failure);
        }
        if let Some(stack) = action["stack_info"].as_str() {
            entry = entry.stack(stack);
        }
        entry.log(text(action, "msg"));
        Ok(())
    }
}
