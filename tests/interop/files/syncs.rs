//! How often the system was asked to sync, as strace counts it.

use std::{fs, process::Command};

use super::{Dir, Writer};

/// How many calls of fdatasync(2) and fsync(2) the work took.
fn syncs(kind: &str, work: &[&str]) -> usize {
    let dir = Dir::new();
    let (calls, path) = (dir.path("calls"), dir.path("app.log"));
    // It is there: the directory needs no sync.
    fs::write(&path, "old\n").unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o"]).arg(&calls);
    let mut writer = Writer::start(kind, &path, &mut command);
    for step in work {
        writer.ask(step);
    }
    writer.end();
    fs::read_to_string(&calls).unwrap().lines().filter(|line| line.contains("sync(")).count()
}

#[test]
fn files_are_synced_as_often_as_the_durability_says() {
    for buffer in ["", "+buffer"] {
        let kind = |name: &str| format!("{name}{buffer}");
        assert_eq!(syncs(&kind("plain"), &["log 100", "error", "flush"]), 0, "{buffer}");
        assert_eq!(syncs(&kind("synced,10"), &["log 100"]), 10, "{buffer}");
        // The rest with the flush, once.
        assert_eq!(syncs(&kind("synced,10"), &["log 105", "flush", "flush"]), 11, "{buffer}");
        // The rest at the end.
        assert_eq!(syncs(&kind("synced,10"), &["log 105"]), 11, "{buffer}");
        assert_eq!(syncs(&kind("synced,1"), &["log 20"]), 20, "{buffer}");
        assert_eq!(syncs(&kind("severe"), &["log 20", "error", "error", "flush"]), 2, "{buffer}");
        assert_eq!(syncs(&kind("severe"), &["log 20", "error", "log 1"]), 2, "{buffer}");
    }
}
