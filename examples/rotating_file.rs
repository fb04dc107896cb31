//! No file longer than 4 KiB, three of the past: what is written, what is kept, and that a restart goes on.
//!
//! `cargo run --example rotating_file`

use std::fs;

use tracing::info;
use tracing_strata::{format::Json, output::RotatingFile, prelude::*};
use tracing_subscriber::prelude::*;

const RUNS: usize = 3;
const EACH: usize = 50;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logs = std::env::temp_dir().join(format!("strata-rotating-file-{}", std::process::id()));

    // Three starts of the service, one after the other, on the same files.
    for run in 0..RUNS {
        let file = RotatingFile::builder(logs.join("shop.jsonl"))
            .max_bytes(4 << 10)
            .backups(3)
            .create_dirs(true)
            .format(Json::new())
            .build()?;
        let subscriber = tracing_subscriber::registry().with(file.into_layer());
        tracing::subscriber::with_default(subscriber, || {
            for order in 0..EACH {
                info!(order = run * EACH + order, "sold a pencil");
            }
        });
    }

    // Oldest first: shop.jsonl.3, .2, .1, shop.jsonl. The newest orders, without a gap.
    let mut orders = Vec::new();
    for name in ["shop.jsonl.3", "shop.jsonl.2", "shop.jsonl.1", "shop.jsonl"] {
        let text = fs::read_to_string(logs.join(name))?;
        assert!(text.len() < 4 << 10);
        println!("{name:<13} {:>5} bytes, {:>2} records", text.len(), text.lines().count());
        for line in text.lines() {
            let record: serde_json::Value = serde_json::from_str(line)?;
            orders.push(record["order"].as_u64().ok_or("no order")?);
        }
    }
    let newest = (RUNS * EACH) as u64;
    assert!(orders.iter().copied().eq(newest - orders.len() as u64..newest), "{orders:?}");
    println!("orders {} to {} are kept", orders[0], newest - 1);
    fs::remove_dir_all(logs)?;
    Ok(())
}
