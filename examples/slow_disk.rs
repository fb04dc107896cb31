//! A place that takes 2 ms for a record, and what each overflow policy makes of a burst.
//!
//! ```text
//! cargo run --example slow_disk
//! ```

use std::{
    io,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use tracing_strata::{
    Queue, Severity, Sink, format::Text, handler::queue::Overflow, output::Stream, prelude::*, sink::Lines,
};
use tracing_subscriber::prelude::*;

/// A disk on its last legs.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<String>>);

impl Sink for Slow {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            thread::sleep(Duration::from_millis(2));
            self.0.lock().map_err(|_| io::Error::other("poisoned"))?.push_str(&String::from_utf8_lossy(line));
            Ok(())
        })
    }
}

const BURST: u64 = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policies = [
        ("Block", Overflow::BLOCK),
        ("Block, 1 ms", Overflow::block_for(Duration::from_millis(1))),
        ("DropNewest", Overflow::DropNewest),
        ("DropOldest", Overflow::DropOldest),
    ];
    println!("| policy | the burst took | written | lost: info | lost: error |\n|---|--:|--:|--:|--:|");
    for (name, overflow) in policies {
        let disk = Slow::default();
        let handler = Stream::sink(disk.clone()).format(Text::plain());
        let (queue, guard) = Queue::builder().capacity(32).overflow(overflow).build_with_guard(handler)?;
        let layer = queue.into_layer().named("slow disk");
        let ledger = layer.ledger();
        let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));

        let began = Instant::now();
        tracing::dispatcher::with_default(&dispatch, || {
            for number in 0..BURST {
                // ERROR and above are not given up while others can be.
                match number % 20 {
                    0 => tracing::error!(number, "disk is slow"),
                    _ => tracing::info!(number, "business as usual"),
                }
            }
        });
        let took = began.elapsed();
        guard.shutdown(Duration::from_secs(10))?;

        let (stats, lost) = (ledger.stats(), guard.stats().lost);
        let text = disk.0.lock().map_err(|_| "poisoned")?.clone();
        println!(
            "| {name} | {} ms | {} | {} | {} |",
            took.as_millis(),
            stats.written,
            lost.at(Severity::INFO),
            lost.at(Severity::ERROR)
        );

        // Every record is accounted for, and the file itself says what is missing.
        let notices = text.lines().filter(|line| line.contains(" lost")).count() as u64;
        assert_eq!(stats.written + stats.dropped, BURST + notices);
        assert_eq!(lost.total(), stats.dropped);
        assert_eq!(notices > 0, lost.total() > 0, "{text}");
        assert_eq!(lost.at(Severity::ERROR), 0);
        if overflow == Overflow::BLOCK {
            assert_eq!(lost.total(), 0);
        }
        if let Some(line) = text.lines().find(|line| line.contains(" lost")) {
            println!("|  | `{}` | | | |", line.trim());
        }
    }
    Ok(())
}
