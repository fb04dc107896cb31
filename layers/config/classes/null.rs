//! `logging.NullHandler`.

use crate::config::class::{Class, DEFAULTS};

pub(super) const NULL: Class = Class { names: &["logging.NullHandler", "NullHandler", "null"], ..DEFAULTS };
