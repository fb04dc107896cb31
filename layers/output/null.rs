//! Discards records.

use crate::{Delivery, Description, Error, Handler, Outcome};

/// Discards records, and counts each as written.
///
/// Python: `logging.NullHandler`.
///
/// For places that need a handler, and for measuring what everything else costs. It never blocks and never fails.
///
/// # Examples
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
