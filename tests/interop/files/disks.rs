//! Disks that are full or read-only under a running process: mounts of its own namespace (needs root).

use std::{fs, path::Path, process::Command};

use super::{Dir, Writer, shell};

/// A writer in a mount namespace with a small disk at `dir/disk`.
fn on_a_small_disk(kind: &str, dir: &Dir) -> Writer {
    let disk = dir.path("disk");
    fs::create_dir_all(&disk).unwrap();
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=256k,mode=777 tmpfs \"$0\"; exec \"$@\"";
    command.args(["-m", "bash", "-euc", script]).arg(&disk);
    Writer::start(kind, &disk.join("app.log"), &mut command)
}

/// Does something where the writer is, which sees its disk.
fn there(writer: &Writer, dir: &Path, script: &str) -> String {
    let id = writer.process.id();
    shell(&format!("nsenter -t {id} -m bash -euc 'cd {}; {script}'", dir.display()), dir)
}

fn stats(writer: &mut Writer) -> [usize; 5] {
    let stats: Vec<_> = writer.ask("stats").split(' ').map(|number| number.parse().unwrap()).collect();
    stats.try_into().unwrap()
}

const KINDS: [&str; 8] = [
    "plain",
    "watched",
    "rotating,20000,100",
    "timed,UTC,D",
    "plain+buffer",
    "watched+buffer",
    "rotating,20000,100+buffer",
    "timed,UTC,D+buffer",
];

#[test]
fn t12_a_disk_that_fills_up_and_has_room_again() {
    for kind in KINDS {
        let dir = Dir::new();
        let disk = dir.path("disk");
        let mut writer = on_a_small_disk(kind, &dir);
        writer.ask("log 100");
        there(&writer, &disk, "dd if=/dev/zero of=ballast bs=1k count=1000 2>/dev/null || true");
        writer.ask("log 2000");
        let [written, failed, queued, _, told] = stats(&mut writer);
        assert!(failed > 0 && told >= failed, "{kind}: {failed} failed, {told} told");
        assert_eq!(written + failed + queued, 2_100, "{kind}");
        // All well again, by itself.
        there(&writer, &disk, "rm ballast");
        writer.ask("log 100");
        assert_eq!(writer.ask("flush"), "flushed", "{kind}");
        let [written_at_last, failed_at_last, queued, ..] = stats(&mut writer);
        assert_eq!(
            (written_at_last, failed_at_last, queued),
            (written + 100 + (2_100 - written - failed), failed, 0),
            "{kind}"
        );
        // Each record that counts as written is there once, whole; a torn one is a line of its own.
        let text = there(&writer, &disk, "cat app.log*");
        let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["number"].as_u64();
        let mut numbers: Vec<_> = text.lines().filter_map(number).collect();
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!((numbers.len(), all), (written_at_last, written_at_last), "{kind}");
        assert!((2_100..2_200).all(|number| numbers.contains(&number)), "{kind}");
        writer.end();
    }
}

#[test]
fn t12_a_disk_that_is_read_only_for_a_while() {
    for kind in ["plain", "watched", "rotating,20000,100", "timed,UTC,D"] {
        let dir = Dir::new();
        let disk = dir.path("disk");
        let mut writer = on_a_small_disk(kind, &dir);
        writer.ask("log 10");
        // No system makes a disk read-only while a file is open for writing, short of an error of the disk.
        writer.ask("close");
        there(&writer, &disk, "mount -o remount,ro .");
        writer.ask("log 10");
        let [written, failed, _, _, told] = stats(&mut writer);
        assert_eq!((written, failed, told), (10, 10, 10), "{kind}");
        there(&writer, &disk, "mount -o remount,rw .");
        writer.ask("log 10");
        let [written, failed, ..] = stats(&mut writer);
        assert_eq!((written, failed), (20, 10), "{kind}");
        assert_eq!(there(&writer, &disk, "cat app.log* | wc -l").trim(), "20", "{kind}");
        writer.end();
    }
}
