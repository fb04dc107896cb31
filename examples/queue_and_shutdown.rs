//! A file behind a queue: what the guard does at the end, and how the queue is doing.
//!
//! ```text
//! cargo run --example queue_and_shutdown
//! ```

use std::{fs, time::Duration};

use tracing_strata::{Queue, format::Json, output::LogFile, prelude::*};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("strata-queue-{}.jsonl", std::process::id()));

    // The file needs no buffer: the listener writes what waits, up to 64 KiB at once.
    let file = LogFile::builder(&path).format(Json::new()).build()?;
    let (queue, guard) = Queue::builder().capacity(8_192).max_bytes(16 << 20).build_with_guard(file)?;
    let layer = queue.into_layer().named("shop.jsonl");
    let ledger = layer.ledger();
    tracing_subscriber::registry().with(layer).init();

    // Callers only capture; formatting and writing happen on the thread "strata-…".
    std::thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || {
                for order in 0..1_000 {
                    tracing::info!(worker, order, "order paid");
                }
            });
        }
    });
    println!("at once      {}", ledger.stats());

    // Everything logged before is in the file after a flush; the deadline is yours.
    guard.flush(Duration::from_secs(5))?;
    println!("after flush  {}", ledger.stats());
    assert_eq!(fs::read_to_string(&path)?.lines().count(), 4_000);

    // The end: what waits is handled, the listener ends. (Dropping the guard does the same, within `flush_timeout`.)
    tracing::info!("bye");
    guard.shutdown(Duration::from_secs(5))?;
    println!("queue        {}", guard.stats());

    // What comes later is counted, and hurts nobody.
    tracing::info!("too late");
    println!("at the end   {}", ledger.stats());
    let stats = ledger.stats();
    assert_eq!((stats.written, stats.dropped, stats.queued), (4_001, 1, 0));
    assert!(fs::read_to_string(&path)?.ends_with('\n'));
    fs::remove_file(path)?;
    Ok(())
}
