//! `logging.NullHandler`.

use super::{Class, PLAIN};
use crate::{config::slot::Output, output::Null};

pub(super) const NULL: Class = Class {
    names: &["logging.NullHandler", "NullHandler", "null"],
    keys: &[],
    make: |_| Ok(Output::plain(Null)),
    ..PLAIN
};
