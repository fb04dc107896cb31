//! Loggers: names, levels, dispatch, directives, and how call sites follow.

mod directives;
mod dispatch;
mod keeping;
mod levels;
mod live;
mod model;
mod threads;

use std::{
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use tracing_strata::{Delivery, Error, Handler, HandlerExt as _, Loggers, NamedHandler, Outcome};

/// Remembers messages. Clones share them.
#[derive(Clone, Default)]
struct Messages(Arc<Mutex<Vec<String>>>);

impl Messages {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// A handler that writes `name: message` here.
    fn handler(&self, name: &'static str) -> NamedHandler {
        Named { name, messages: self.clone() }.named(name)
    }
}

struct Named {
    name: &'static str,
    messages: Messages,
}

impl Handler for Named {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        let line = if self.name.is_empty() {
            record.message().to_owned()
        } else {
            format!("{}: {}", self.name, record.message())
        };
        self.messages.0.lock().unwrap().push(line);
        Ok(Outcome::Written)
    }
}

/// Runs with these loggers as filter and layer.
fn with(loggers: &Loggers, run: impl FnOnce()) {
    crate::support::with_layer(loggers.clone().into_layer(), run);
}

/// Whether this is a process in which a test runs alone. If not, such a process runs it, and its output is given.
///
/// For tests about what `tracing` keeps for the whole process: other tests' subscribers have a say in that.
pub(crate) fn alone(test: &str, variables: &[(&str, &str)]) -> Option<Output> {
    const MARK: &str = "STRATA_TEST_ALONE";
    if std::env::var(MARK).is_ok_and(|running| running == test) {
        return None;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, test)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    Some(output)
}
