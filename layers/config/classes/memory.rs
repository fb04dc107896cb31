//! `logging.handlers.MemoryHandler`.

use std::sync::Arc;

use super::{Class, Making, PLAIN};
use crate::{
    Error, MemoryBuffer, NamedHandler, Severity,
    config::slot::{Control, Output},
};

pub(super) const MEMORY: Class = Class {
    names: &["logging.handlers.MemoryHandler", "handlers.MemoryHandler", "memory"],
    keys: &["capacity", "flushLevel", "target", "flushOnClose"],
    refers: Some("target"),
    make,
    ..PLAIN
};

fn make(making: &Making<'_, '_>) -> Result<Output, Error> {
    let keywords = making.keywords;
    keywords.require("capacity");
    let capacity = keywords.count("capacity").unwrap_or(1);
    let flush_on_close = keywords.bool("flushOnClose").unwrap_or(true);
    let memory = MemoryBuffer::new(usize::try_from(capacity).unwrap_or(usize::MAX).max(1))
        .flush_at(keywords.level("flushLevel").unwrap_or(Severity::ERROR))
        .flush_on_close(flush_on_close);
    let memory = match making.ours.size("max_bytes") {
        Some(bytes) => memory.max_bytes(bytes),
        None => memory,
    };
    let memory = match making.ours.seconds("patience") {
        Some(patience) => memory.timeout(patience),
        None => memory,
    };
    if let Some(target) = keywords.str("target").and_then(|target| making.target(&target, false)) {
        memory.set_target(target);
    }
    let memory = Arc::new(memory);
    Ok(Output::new(Arc::clone(&memory), Held { memory, flush_on_close }))
}

struct Held {
    memory: Arc<MemoryBuffer>,
    flush_on_close: bool,
}

impl Control for Held {
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
