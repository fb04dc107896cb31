//! The suite for sinks.

use std::{thread, time::SystemTime};

use crate::sink::{FlushTo, Lines, Sink};

/// Checks a sink: it takes no lines, one and many; after `Ok` it has marked each line, after an error the ones before it;
/// it can be flushed with nothing in it; many threads may write at once. `make` gives a new one for each step.
///
/// # Panics
/// It does not: the message says at which step.
#[track_caller]
pub fn sink<S: Sink>(make: impl Fn() -> S) {
    let new = make();
    for to in [FlushTo::System, FlushTo::Disk] {
        if let Err(error) = new.flush(to) {
            panic!("a flush of {to:?} without lines: {error}");
        }
    }
    for count in [0, 1, 2, 100] {
        write(&make(), &format!("{count} lines"), count);
    }
    let shared = make();
    thread::scope(|scope| {
        let writers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (0..20).for_each(|_| write(&shared, "many threads", 5)))).collect();
        for writer in writers {
            writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

#[track_caller]
fn write(sink: &impl Sink, what: &str, count: usize) {
    let line = b"a line\n";
    let bytes = line.repeat(count);
    let ends: Vec<_> = (1..=count).map(|n| n * line.len()).collect();
    let times = vec![SystemTime::UNIX_EPOCH; count];
    let mut lines = Lines::new(&bytes, &ends, &times);
    let before = lines.len();
    loop {
        match sink.write(&mut lines) {
            Ok(()) => {
                assert!(lines.is_empty(), "{what}: it returns Ok, and {} of {before} lines have no mark", lines.len());
                return;
            }
            Err(error) => {
                assert!(!lines.is_empty(), "{what}: it returns an error ({error}), and all lines are marked");
                // As an output does: this line failed, and the others are tried again.
                lines.dropped(1);
            }
        }
    }
}
