//! A listener that ends by a panic: nobody waits for it, nobody takes it for alive, and nothing it had is lost without a
//! word.

use super::core::Core;
use crate::{Error, unwind::PanicPayload};

impl Core {
    /// From now on whoever flushes or shuts down is told. To be called before those are woken who wait.
    pub(super) fn is_dying(&self, panic: &PanicPayload) {
        self.job.death.get_or_init(|| panic.message().to_owned());
    }

    /// To whom it may concern.
    pub(super) fn tell_death(&self, lost: u64) {
        // It is told here.
        self.books().admit_all();
        let records = if lost == 1 { "record" } else { "records" };
        let why = self.job.death.get().map_or("", String::as_str);
        self.ledger().tell_last(&Error::new(format_args!(
            "queue {:?}: its thread has ended by a panic: {why}: {lost} {records} lost, and all that come",
            self.name()
        )));
    }

    /// An error once the listener is dead.
    pub(super) fn alive(&self, doing: &str) -> Result<(), Error> {
        let Some(why) = self.job.death.get() else { return Ok(()) };
        Err(Error::new(format_args!(
            "queue {:?}: {doing}: its thread has ended by a panic, and nothing is written any more: {why}",
            self.name()
        )))
    }
}
