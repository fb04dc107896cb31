//! The thread behind a queue.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    batch,
    core::{Core, Item, Task, Untold},
};
use crate::{Error, Outcome, Record, Severity, format::Time, handler::panicked, record};

/// The most records the listener takes at once. Fewer if they take long: what it has can no longer be given up for others.
const MOST: usize = 256;
/// How long a batch may take before the next one is smaller.
const LONG: Duration = Duration::from_millis(10);
/// How often losses are told while there are always more.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How many records are handled before their room is given back.
const STEP: usize = 32;

pub(super) fn run(core: &Arc<Core>) {
    record::silence_this_thread();
    batch::listen();
    core.begin();
    let _ends = Ends(core);
    let mut listener = Listener { core, most: 1, told: None };
    listener.work();
    // The trap was told.
    listener.flush().unwrap_or_default();
}

/// Whatever happens, nobody waits for a listener that is gone.
struct Ends<'a>(&'a Core);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

struct Listener<'a> {
    core: &'a Core,
    most: usize,
    /// When losses were told.
    told: Option<Instant>,
}

impl Listener<'_> {
    fn work(&mut self) {
        let mut batch = Vec::new();
        let mut has_rested = false;
        // Half of what fits at most: the other half can still be given up.
        let most = MOST.min(self.core.limits.capacity.div_ceil(2));
        loop {
            match self.core.next(&mut batch, self.most, has_rested) {
                Task::Handle => {
                    has_rested = false;
                    let began = Instant::now();
                    self.handle_all(&mut batch);
                    let was_long = began.elapsed() > LONG;
                    self.most = if was_long { self.most / 2 } else { self.most * 2 }.clamp(1, most);
                    if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                        self.tell_losses();
                    }
                }
                Task::Rest => {
                    self.tell_losses();
                    batch::write_out();
                    has_rested = true;
                }
                Task::Flush(ticket) => {
                    let result = self.flush();
                    self.core.flushed(ticket, result);
                }
                Task::End => return,
            }
        }
    }

    fn handle_all(&self, batch: &mut Vec<Item>) {
        let mut records = batch.drain(..);
        let (mut count, mut bytes) = (0, 0);
        while let Some(item) = records.next() {
            self.deliver(&item.record);
            count += 1;
            bytes += item.bytes();
            drop(item);
            if count == STEP || records.len() == 0 {
                let goes_on = self.core.handled(count, bytes);
                (count, bytes) = (0, 0);
                if !goes_on {
                    return self.core.leave(records);
                }
            }
        }
    }

    /// The ledger has counted the record as queued.
    fn deliver(&self, record: &Record) {
        let ledger = self.core.ledger();
        match catch_unwind(AssertUnwindSafe(|| self.core.handler().handle(record))) {
            Ok(Ok(Outcome::Written)) => ledger.settle_written(1),
            Ok(Ok(Outcome::Filtered)) => ledger.settle_filtered(1),
            Ok(Ok(Outcome::Dropped)) => ledger.settle_dropped(1),
            // It settles it on the ledger it was given.
            Ok(Ok(Outcome::Queued)) => {}
            Ok(Err(error)) => self.failed(&error, record),
            Err(panic) => self.failed(&panicked("handle", &*panic), record),
        }
    }

    #[cold]
    fn failed(&self, error: &Error, record: &Record) {
        let ledger = self.core.ledger();
        if !error.record_is_held() {
            ledger.settle_failed(1);
        }
        ledger.tell_of(error, Some(record));
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.tell_losses();
        batch::write_out();
        let result = catch_unwind(AssertUnwindSafe(|| self.core.handler().flush()))
            .unwrap_or_else(|panic| Err(panicked("flush", &*panic)));
        if let Err(error) = &result {
            self.core.ledger().tell(error);
        }
        result
    }

    /// In the handler's own format, as a record.
    fn tell_losses(&mut self) {
        let Some(untold) = self.core.take_untold() else { return };
        self.told = Some(Instant::now());
        let record = notice(&self.core.name, &untold);
        self.core.ledger().queue(1);
        self.deliver(&record);
    }
}

/// "12 records lost"
fn notice(queue: &str, untold: &Untold) -> Record {
    let lost = untold.lost.total();
    let highest = untold.lost.iter().rfind(|(_, count)| *count > 0).map_or(Severity::WARN, |(severity, _)| severity);
    let records = if lost == 1 { "record" } else { "records" };
    let mut record =
        Record::new(highest.max(Severity::WARN), "tracing_strata::queue", &format!("{lost} {records} lost"));
    record.set("queue", queue);
    record.set("lost", lost);
    for (severity, count) in untold.lost.iter().filter(|(_, count)| *count > 0) {
        record.set(format!("lost.{}", severity.to_string().to_ascii_lowercase()), count);
    }
    if let Some((from, to)) = untold.span {
        for (name, time) in [("from", from), ("to", to)] {
            let mut text = String::new();
            Time::utc().micros().write(time, &mut text);
            record.set(name, text.as_str());
        }
    }
    record
}
