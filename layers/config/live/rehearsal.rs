//! A configuration set up without its outputs: for tests.

use std::sync::Arc;

use super::{
    logging::{Logging, RootHandler, State},
    reload::is_incremental,
};
use crate::{
    Error, HandlerExt as _, Record,
    config::{
        build::{StandIn, Turn},
        configured_handler::Retired,
        document::Config,
    },
};

impl Logging {
    /// As [`reload`](Self::reload), but opens nothing: `stand_in` makes what takes the place of each output.
    pub(crate) fn rehearse(&self, config: &Config, stand_in: StandIn<'_>) -> Result<(), Error> {
        if is_incremental(config) {
            return Err(Error::config("incremental: expected a whole configuration, as this one alone does nothing"));
        }
        let applied = self.update(|present| {
            let mut ready = crate::sink::rehearsed(|| self.prepare(present, config, Turn::Check))?;
            ready.prepared.rehearse(&self.setup().registry, stand_in)?;
            Ok(move |state: &mut State| self.commit(state, ready, config))
        })?;
        applied.retired.into_iter().for_each(Retired::finish);
        Ok(())
    }

    /// Passes a record to the handlers of its logger, and waits until all have it.
    pub(crate) fn emit(&self, record: &Record) {
        let root = RootHandler { router: self.loggers().router(), inner: Arc::clone(&self.0) }.named("probe");
        root.set_error_handler(self.setup().error_handler.clone());
        root.emit(record);
        // Its error handler gets the error.
        root.flush().unwrap_or_default();
    }

    /// Whether another handler hands on to it, or has it as a fallback.
    pub(crate) fn is_forwarded_to(&self, name: &str) -> bool {
        let state = self.state();
        let Some(target) = state.handlers.get(name) else { return false };
        let others = state.handlers.iter().filter(|(other, _)| *other != name);
        let mut forwards = others.map(|(_, installed)| &installed.configured.forwards);
        forwards.any(|forwards| forwards.reaches(&target.configured.forwards))
    }
}
