//! What users write, as it stands in the examples: they know nothing of accounts.
#![allow(dead_code)]

#[path = "../../examples/own_later.rs"]
mod own_later;
#[path = "../../examples/own_parts.rs"]
mod own_parts;
#[path = "../../examples/own_wrapper.rs"]
mod own_wrapper;

use std::sync::Arc;

use tracing_strata::{Error, Record};

use self::own_later::Later;
pub(crate) use self::{own_parts::Count, own_wrapper::Numbered};
use crate::outputs::{World, id_of};

/// Fails at every fourth.
pub(crate) fn later(world: Arc<World>, out: usize) -> Later {
    Later::new(move |record: &Record| {
        match id_of(record) {
            Some((id, _)) if id % 4 == 0 => return Err(Error::new("refused")),
            id => world.got(out, id),
        }
        Ok(())
    })
}
