//! Read by jq, zcat, zstdcat, lnav and rsyslog, across rotations: each record once.

use std::{fs, path::Path, process::Command, time::Duration};

use tracing_strata::{
    NamedHandler,
    format::Json,
    ledger::ErrorHandler,
    output::RotatingFile,
    sink::{Compression, RotatingFileSink},
};

use super::{Dir, record, said, shell};
use crate::servers::Server;

fn rotating(path: &Path, compression: Option<Compression>) -> (NamedHandler, RotatingFileSink) {
    let mut builder = RotatingFile::builder(path).max_bytes(20_000).backups(500).format(Json::new());
    if let Some(compression) = compression {
        builder = builder.compression(compression);
    }
    let file = builder.build().unwrap();
    let sink = file.as_sink().clone();
    (NamedHandler::with_error_handler("file", file, ErrorHandler::new(|failure| panic!("{failure:?}"))), sink)
}

fn assert_all(numbers: &str, records: usize) {
    let mut numbers: Vec<usize> = numbers.lines().map(|line| line.trim().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..records), "{} of {records}", numbers.len());
}

#[test]
fn jq_zcat_and_zstdcat_read_current_rotated_and_compressed_files() {
    const RECORDS: usize = 3_000;
    let cases = [
        (None, "jq .number app.log*"),
        (Some(Compression::gzip()), "{ cat app.log; zcat app.log.*.gz; } | jq .number"),
        (Some(Compression::zstd()), "{ cat app.log; zstdcat app.log.*.zst; } | jq .number"),
    ];
    for (compression, script) in cases {
        let dir = Dir::new();
        let (file, sink) = rotating(&dir.path("app.log"), compression);
        (0..RECORDS).for_each(|number| file.emit(&record(number)));
        assert!(sink.wait_for_archiving(Duration::from_secs(60)));
        let names = dir.names("app.log.");
        assert!(names.len() > 10, "{names:?}");
        let plain = names.iter().filter(|name| !name.ends_with(".gz") && !name.ends_with(".zst")).count();
        assert_eq!(plain, if compression.is_some() { 0 } else { names.len() });
        assert_all(&shell(script, &dir.path("")), RECORDS);
        if compression.is_some() {
            shell(
                "for file in app.log.*; do case $file in *.gz) gzip -t $file ;; *) zstd -qt $file ;; esac; done",
                &dir.path(""),
            );
        }
    }
}

#[test]
fn lnav_reads_current_rotated_and_compressed_files_as_one_log() {
    const RECORDS: usize = 1_000;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/servers/readers/lnav_json.sh");
    for compression in [None, Some(Compression::gzip())] {
        let dir = Dir::new();
        let (file, sink) = rotating(&dir.path("app.log"), compression);
        (0..RECORDS).for_each(|number| file.emit(&record(number)));
        assert!(sink.wait_for_archiving(Duration::from_secs(60)));
        let mut command = Command::new("bash");
        command.arg(&script).args(dir.names("app.log").iter().map(|name| dir.path(name))).env("HOME", dir.path("home"));
        let told: serde_json::Value = serde_json::from_str(&said(&mut command)).unwrap();
        let lines = told.as_array().unwrap();
        assert!(lines.iter().all(|line| line["log_format"] == "strata_json" && line["log_level"] == "info"), "{told}");
        let number =
            |line: &serde_json::Value| line["log_body"].as_str().unwrap().trim_start_matches("record ").to_owned();
        assert_all(&lines.iter().map(number).collect::<Vec<_>>().join("\n"), RECORDS);
    }
}

#[test]
fn rsyslog_s_imfile_follows_a_file_across_rotations() {
    const RECORDS: usize = 3_000;
    let server = Server::start("imfile");
    let (path, out) = (server.dir().join("logs/app.log"), server.dir().join("run/out.jsonl"));
    let (file, _) = rotating(&path, None);
    let mut text = String::new();
    for step in 1..=RECORDS / 100 {
        // Less than a file each time: it is given time to follow, as it would have in life.
        (100 * (step - 1)..100 * step).for_each(|number| file.emit(&record(number)));
        for _ in 0..200 {
            text = fs::read_to_string(&out).unwrap_or_default();
            if text.lines().count() >= 100 * step {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(text.lines().count(), 100 * step);
    }
    assert!(fs::read_dir(path.parent().unwrap()).unwrap().count() > 10);
    let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["number"].to_string();
    assert_all(&text.lines().map(number).collect::<Vec<_>>().join("\n"), RECORDS);
}
