//! `logging.handlers.MemoryHandler`.

use std::sync::Arc;

use crate::{
    Error, MemoryBuffer, NamedHandler, Severity,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        configured_handler::{Control, Output},
        handler_args::SetIfSome as _,
    },
};

pub(super) const MEMORY: Class = Class {
    names: &["logging.handlers.MemoryHandler", "handlers.MemoryHandler", "memory"],
    keys: &["capacity", "flushLevel", "target", "flushOnClose"],
    targets_key: Some("target"),
    make,
    ..DEFAULTS
};

fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let args = context.args;
    args.require("capacity");
    let capacity = args.count("capacity").unwrap_or(1);
    let flush_on_close = args.bool("flushOnClose").unwrap_or(true);
    let memory = MemoryBuffer::new(usize::try_from(capacity).unwrap_or(usize::MAX).max(1))
        .flush_at(args.level("flushLevel").unwrap_or(Severity::ERROR))
        .flush_on_close(flush_on_close);
    let memory = memory
        .set_if_some(context.strata.size("max_bytes"), MemoryBuffer::max_bytes)
        .set_if_some(context.strata.seconds("timeout"), MemoryBuffer::timeout);
    if let Some(target) = args.str("target").and_then(|target| context.target(&target, false)) {
        memory.set_target(target);
    }
    let memory = Arc::new(memory);
    Ok(Output::new(Arc::clone(&memory), MemoryControl { memory, flush_on_close }))
}

struct MemoryControl {
    memory: Arc<MemoryBuffer>,
    flush_on_close: bool,
}

impl Control for MemoryControl {
    fn flushes_when_closed(&self) -> bool {
        self.flush_on_close
    }

    fn close(&self) -> Result<bool, Error> {
        self.memory.clear_target();
        Ok(true)
    }

    fn buffered(&self) -> Option<usize> {
        Some(self.memory.len())
    }

    fn set_target(&self, target: Option<NamedHandler>) -> Result<Option<NamedHandler>, Option<NamedHandler>> {
        Ok(self.memory.replace_target(target))
    }
}
