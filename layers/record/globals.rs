//! Fields that all records of an application share.

use std::borrow::Cow;

use super::{Fields, Value};

/// Fields of the whole application, for [`HandlerLayer::globals`](crate::HandlerLayer::globals). A field of the record or
/// of one of its spans under the same name wins.
///
/// ```
/// use tracing_strata::{Globals, prelude::*, output::Stream};
///
/// let globals = Globals::new().service("shop").version(env!("CARGO_PKG_VERSION")).host().pid().field("zone", "eu-1");
/// let layer = Stream::stdout().into_layer().globals(globals);
/// # drop(layer);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Globals(Fields);

impl Globals {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// `service`: the application's name.
    pub fn service(self, name: &str) -> Self {
        self.field("service", name)
    }

    /// `version`: the application's version.
    pub fn version(self, version: &str) -> Self {
        self.field("version", version)
    }

    /// `host`: this machine's name, from the operating system (on Unix) or the environment variables `COMPUTERNAME` or
    /// `HOSTNAME` (elsewhere), at the time of the call. Adds nothing if there is none.
    pub fn host(self) -> Self {
        match host_name() {
            Some(name) => self.field("host", name.as_str()),
            None => self,
        }
    }

    /// `pid`: this process's id at the time of the call; after a fork it is still the parent's.
    pub fn pid(self) -> Self {
        self.field("pid", std::process::id())
    }

    /// Any other field.
    pub fn field<'v>(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value<'v>>) -> Self {
        self.0.set(name, value);
        self
    }
}

impl From<Globals> for Fields {
    fn from(globals: Globals) -> Self {
        globals.0
    }
}

/// This machine's name.
#[cfg(unix)]
pub(crate) fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(not(unix))]
pub(crate) fn host_name() -> Option<String> {
    ["COMPUTERNAME", "HOSTNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty())
}
