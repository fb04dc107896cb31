//! Many records in one write, cut where the file is exchanged.

use std::io;

use super::{
    super::{Lines, Sink as _},
    engine::Engine,
    moves::seconds,
};

impl Engine {
    /// A buffer gathers by itself; and what other processes may rotate is looked at record by record.
    pub(super) fn gathers(&self) -> bool {
        !self.is_shared() && self.base.properties().supports_batching
    }

    /// The files become what they would become record by record.
    #[inline]
    pub(super) fn put_all(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        while !lines.is_empty() {
            if lines.len() > 1 && self.gathers() && self.put_many(lines)? {
                continue;
            }
            // It does not go into the open file, perhaps.
            let result = self.put(lines);
            self.base.after(usize::from(result.is_ok()));
            result?;
        }
        Ok(())
    }

    /// Those that go into the open file; whether there were any.
    fn put_many(&self, lines: &mut Lines<'_>) -> io::Result<bool> {
        let before = lines.len();
        // The clock may be user code, so it is not asked while the file is held.
        let clock = match (&self.settings.schedule, &self.settings.clock) {
            // Nobody looks at it.
            (None, _) => Some(0),
            (Some(_), clock) => clock.as_ref().map(|clock| seconds(clock.now())),
        };
        let ((_, from, ends), times) = (lines.rest(), lines.times());
        let admit = || {
            let mut from = from;
            let admitted = ends.iter().zip(times).take_while(|(end, time)| {
                let len = (**end - from) as u64;
                from = **end;
                self.admits(len, clock.unwrap_or_else(|| seconds(**time)))
            });
            admitted.count()
        };
        let result = self.base.put_many_if(lines, admit);
        let written = before - lines.len();
        // Before the file is exchanged, so that it is synced where it has to be.
        self.base.after(written);
        result.map(|()| written > 0).map_err(|error| self.unsure(error))
    }
}
