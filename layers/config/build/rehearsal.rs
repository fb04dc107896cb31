//! Sets up handlers without what they write to: for tests of configurations.

use super::{Prepared, handlers::class_of};
use crate::{
    Format, Handler,
    config::{configured_handler::Output, error::ConfigError, registry::ClassRegistry},
};

/// Makes what stands for an output: from the handler's name, and the format with its terminator, if the class has one.
pub(in crate::config) type StandIn<'s> = &'s dyn Fn(&str, Box<dyn Format>) -> Box<dyn Handler>;

impl Prepared {
    /// Replaces each output before it opens anything. Handlers that hand on to others, such as queues, stay and start.
    pub(in crate::config) fn rehearse(
        &mut self,
        registry: &ClassRegistry,
        stand_in: StandIn<'_>,
    ) -> Result<(), ConfigError> {
        for update in &mut self.updates {
            let configured = &update.configured;
            let declared = self.handlers.iter().find(|(name, _)| *name == configured.name);
            let class = declared.and_then(|(_, installed)| class_of(registry, &installed.declaration));
            if class.is_some_and(|class| class.targets_key.is_some()) {
                update.start()?;
                continue;
            }
            let formatting = &configured.formatting;
            let is_lines = class.is_none_or(|class| class.attributes.contains(&"terminator"));
            let format = if is_lines { formatting.lines() } else { formatting.texts() };
            // It was never opened, and its threads never started.
            update.steps = Default::default();
            drop(configured.set_output(Output::plain(stand_in(&configured.name, format))));
        }
        Ok(())
    }
}
