//! A file a day and none too long, compressed and handed on when it is finished. The clock is set by hand, so that days go by
//! at once.
//!
//! `cargo run --example archive_on_rotation`

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::info;
use tracing_strata::{
    clock::ManualClock,
    output::{RotatingFile, When},
    prelude::*,
    sink::{Compression, Retention},
};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logs = std::env::temp_dir().join(format!("strata-rotation-{}", std::process::id()));

    // A file a day, and no file longer than 2 KiB either; 20 KiB of the past, compressed and told to somebody else.
    let clock = ManualClock::at(1_711_800_000); // 30 March 2024: summer time begins in the night
    let archived = Arc::new(Mutex::new(Vec::new()));
    let archive = archived.clone();
    let by_day = RotatingFile::builder(logs.join("daily.log"))
        .when(When::Midnight)
        .zone("Europe/Berlin")
        .max_bytes(2 << 10)
        .create_dirs(true)
        .retention(Retention::new().bytes(20 << 10).age(Duration::from_secs(30 * 86_400)))
        .compression(Compression::gzip())
        .on_rotation(move |rotated| {
            // On a thread of its own: this may copy the file to the other end of the world.
            archive.lock().unwrap().push(rotated.path().to_owned());
        })
        .clock(clock.clone())
        .build()?;
    let handle = by_day.as_sink().clone();

    let subscriber = tracing_subscriber::registry().with(by_day.into_layer());
    tracing::subscriber::with_default(subscriber, || {
        for day in 1..=4 {
            for order in 0..25 {
                info!(day, order, "sold a {}", "pencil ".repeat(3));
            }
            clock.advance(Duration::from_secs(86_400));
        }
    });

    // At the end of `main`, where it matters that all is compressed and handed on.
    assert!(handle.wait_for_archiving(Duration::from_secs(60)));
    show(&logs)?;
    let archived = archived.lock().unwrap();
    assert!(archived.len() >= 4 && archived.iter().all(|path| path.extension().is_some_and(|suffix| suffix == "gz")));
    assert!(logs.join("daily.log.2024-03-31.gz").exists());
    assert!(
        fs::read_dir(&logs)?
            .all(|entry| entry.is_ok_and(|entry| entry.metadata().is_ok_and(|about| about.len() < 4096)))
    );
    fs::remove_dir_all(logs)?;
    Ok(())
}

fn show(logs: &Path) -> std::io::Result<()> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(logs)? {
        let entry = entry?;
        lines.push(format!("{:<28} {:>5} bytes", entry.file_name().to_string_lossy(), entry.metadata()?.len()));
    }
    lines.sort();
    println!("{}", lines.join("\n"));
    Ok(())
}
