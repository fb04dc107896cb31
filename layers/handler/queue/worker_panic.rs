//! A listener that ends by a panic: nobody waits for it, nobody takes it for alive, and nothing it had is lost without a
//! word.

use super::core::Core;
use crate::{Error, caught::Caught};

impl Core {
    /// From now on whoever flushes or shuts down is told. To be called before those are woken who wait.
    pub(super) fn set_panicked(&self, panic: &Caught) {
        self.job.panic_message.get_or_init(|| panic.message().to_owned());
    }

    /// To whom it may concern.
    pub(super) fn report_panic(&self, lost: u64) {
        // It is told here.
        self.counters().admit_all();
        let records = if lost == 1 { "record" } else { "records" };
        let why = self.job.panic_message.get().map_or("", String::as_str);
        self.ledger().report_unthrottled(&Error::new(format_args!(
            "queue {:?}: its thread has ended by a panic: {why}: {lost} {records} lost, and all that come",
            self.name()
        )));
    }

    /// An error once the listener is dead.
    pub(super) fn alive(&self, doing: &str) -> Result<(), Error> {
        let Some(why) = self.job.panic_message.get() else { return Ok(()) };
        Err(Error::new(format_args!(
            "queue {:?}: {doing}: its thread has ended by a panic, and nothing is written any more: {why}",
            self.name()
        )))
    }
}
