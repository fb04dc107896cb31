//! `config`: what is declared, what is wrong with it, and how it is changed while records come.

mod bad_input;
mod behind;
mod cases;
mod circles;
mod command_line;
mod cpython;
mod doubts;
mod encodings;
mod errors;
mod every;
mod files;
mod foreign;
mod forward;
#[cfg(feature = "http")]
mod http;
mod include;
mod ini;
mod mutations;
mod parsers;
mod random;
mod refused;
mod reload;
mod report;
mod schema;
mod sources;
mod stories;
mod third_party;
mod third_party_text;
mod trace;
mod trial;
mod twice;
mod watching;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing_strata::{
    Delivery, Error, Handler, HandlerExt as _, Outcome, Record,
    config::{ClassRegistry, Config, ConfigErrors, Logging},
    format::Buffer,
};
use tracing_subscriber::prelude::*;

/// A directory of its own, deleted at the end.
pub(super) struct Dir(pub(super) PathBuf);

impl Dir {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("strata-config-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Where handlers of the class `test.OwnedRecord` put what they get: `handler message`.
#[derive(Clone, Default)]
pub(super) struct OwnedRecord(pub(super) Arc<Mutex<Vec<String>>>);

impl OwnedRecord {
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(super) fn registry(&self) -> ClassRegistry {
        let kept = self.clone();
        ClassRegistry::new().handler("test.Kept", move |arguments, format| {
            let kept = kept.clone();
            let tag = arguments.str("tag").unwrap_or_default();
            let handler = move |record: &Record| {
                let mut line = Buffer::from(format!("{tag} ").into_bytes());
                format.format(record, &mut line)?;
                kept.0.lock().unwrap().push(line.to_str().unwrap().trim_end().to_owned());
                Ok(())
            };
            Ok(Calls(handler).boxed())
        })
    }
}

/// A handler that is a function.
pub(super) struct Calls<F>(pub(super) F);

impl<F: Fn(&Record) -> Result<(), Error> + Send + Sync + 'static> Handler for Calls<F> {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        self.0(&record).map(|()| Outcome::Written)
    }
}

/// `path (line, column): message ? suggestion` of each problem.
pub(super) fn problems(error: &Error) -> Vec<String> {
    ConfigErrors::of(error).unwrap().iter().map(|problem| problem.to_string()).collect()
}

pub(super) fn refused(logging: &Logging, yaml: &str) -> Vec<String> {
    problems(&logging.reload(&Config::from_yaml(yaml).unwrap()).unwrap_err())
}

pub(super) fn with(logging: &Logging, run: impl FnOnce()) {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(logging.layer()), run);
}
