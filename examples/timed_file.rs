//! A file an hour in Berlin, over the night in which the clocks are set back and one hour comes twice. The clock is set by
//! hand, so that the night goes by at once.
//!
//! `cargo run --example timed_file`

use std::{fs, time::Duration};

use tracing::info;
use tracing_strata::{
    clock::ManualClock,
    format::Json,
    output::{RotatingFile, When},
    prelude::*,
};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logs = std::env::temp_dir().join(format!("strata-timed-file-{}", std::process::id()));
    let clock = ManualClock::at(1_761_429_900); // 26 October 2025, 00:05 in Berlin

    let file = RotatingFile::builder(logs.join("shop.jsonl"))
        .when(When::Hour)
        .zone("Europe/Berlin")
        .backups(24)
        .create_dirs(true)
        .clock(clock.clone())
        .format(Json::new())
        .build()?;
    let subscriber = tracing_subscriber::registry().with(file.into_layer().clock(clock.clone()));
    tracing::subscriber::with_default(subscriber, || {
        for hour in 0..6 {
            info!(hour, "open");
            info!(hour, "closed");
            clock.advance(Duration::from_secs(3600));
        }
    });

    let mut names = Vec::new();
    for entry in fs::read_dir(&logs)? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        // Each hour has a file of its own, also the one that comes twice.
        assert_eq!(text.lines().count(), 2, "{path:?}: {text}");
        names.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    names.sort();
    println!("{}", names.join("\n"));
    assert_eq!(
        names,
        [
            "shop.jsonl",
            "shop.jsonl.2025-10-26_00",
            "shop.jsonl.2025-10-26_01",
            "shop.jsonl.2025-10-26_02",
            "shop.jsonl.2025-10-26_02.1",
            "shop.jsonl.2025-10-26_03",
        ]
    );
    fs::remove_dir_all(logs)?;
    Ok(())
}
