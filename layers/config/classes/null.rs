//! `logging.NullHandler`.

use super::Class;
use crate::{config::slot::Output, output::Null};

pub(super) const NULL: Class = Class {
    names: &["logging.NullHandler", "NullHandler", "null"],
    keys: &[],
    attributes: &[],
    refers: None,
    make: |_| Ok(Output::plain(Null)),
};
