//! Four processes, one path, one set of rotated files: every record is there once, whole.
//!
//! `cargo run --example shared_by_processes`

use std::{collections::HashSet, env, fs, path::Path, process::Command};

use tracing::info;
use tracing_strata::{format::Json, output::RotatingFile, prelude::*, sink::FileLocking};
use tracing_subscriber::prelude::*;

const WORKERS: usize = 4;
const EACH: usize = 500;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(path) = env::args().nth(1) {
        return worker(Path::new(&path));
    }
    let logs = env::temp_dir().join(format!("strata-shared-{}", std::process::id()));
    fs::create_dir_all(&logs)?;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(Command::new(env::current_exe()?).arg(logs.join("shop.jsonl")).spawn()?);
    }
    for mut worker in workers {
        assert!(worker.wait()?.success());
    }

    let (mut files, mut seen) = (0, HashSet::new());
    for entry in fs::read_dir(&logs)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "lock") {
            continue;
        }
        files += 1;
        for line in fs::read_to_string(&path)?.lines() {
            let record: serde_json::Value = serde_json::from_str(line)?;
            assert!(seen.insert((record["process"].to_string(), record["order"].to_string())), "twice: {line}");
        }
    }
    assert_eq!(seen.len(), WORKERS * EACH);
    assert!(files > 5);
    println!("{} records of {WORKERS} processes, each once, in {files} files", seen.len());
    fs::remove_dir_all(logs)?;
    Ok(())
}

fn worker(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let file = RotatingFile::builder(path)
        .max_bytes(16 << 10)
        .backups(1000)
        .locking(FileLocking::Shared)
        .format(Json::new())
        .build()?;
    let subscriber = tracing_subscriber::registry().with(file.into_layer());
    tracing::subscriber::with_default(subscriber, || {
        for order in 0..EACH {
            info!(process = std::process::id(), order, "sold a pencil");
        }
    });
    Ok(())
}
