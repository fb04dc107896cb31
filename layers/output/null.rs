//! Sends records nowhere.
//!
//! Python: `logging.NullHandler`.

use crate::{Delivery, Description, Error, Handler, Outcome};

/// Does nothing, and counts every record as written.
///
/// For a place that must have a handler, and for measuring what everything else costs.
///
/// ```
/// use tracing_strata::{Record, Severity, output::Null, prelude::*};
///
/// let nothing = Null.named("nothing");
/// nothing.emit(&Record::new(Severity::CRITICAL, "app", "unheard"));
/// assert_eq!(nothing.stats().written, 1);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

impl Handler for Null {
    #[inline]
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        Ok(Outcome::Written)
    }

    fn describe(&self) -> Description {
        Description::new("null")
    }
}
