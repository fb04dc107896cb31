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

/// A writer that is nobody, in a directory that is nobody's: root is never refused anything.
fn as_nobody(kind: &str, dir: &Dir) -> Writer {
    let mut command = Command::new("bash");
    // The test may lie where nobody else can go.
    let script = r#"cp "$1" "$0/writer"; mkdir "$0/logs"; chown 65534 "$0/logs"; chmod 755 "$0"
        program=$0/writer; shift
        exec setpriv --reuid=65534 --regid=65534 --clear-groups "$program" "$@""#;
    command.args(["-euc", script]).arg(&dir.0);
    Writer::start(kind, &dir.path("logs").join("app.log"), &mut command)
}

/// The numbers in all files, in order.
fn numbers(dir: &Dir) -> Vec<u64> {
    let text = shell("cat logs/app.log*", &dir.0);
    let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["number"].as_u64().unwrap();
    let mut numbers: Vec<_> = text.lines().map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn t12_permission_to_open_the_file_is_lost_and_given_back() {
    for kind in ["plain", "watched", "rotating,20000,100", "timed,UTC,D"] {
        let dir = Dir::new();
        let mut writer = as_nobody(kind, &dir);
        writer.ask("log 10");
        // Who has it open goes on with it; who has to open it again cannot.
        shell("chmod 000 logs/app.log", &dir.0);
        writer.ask("log 10");
        writer.ask("close");
        writer.ask("log 10");
        let [written, failed, _, _, told] = stats(&mut writer);
        assert_eq!((written, failed, told), (20, 10, 10), "{kind}");
        shell("chmod 600 logs/app.log", &dir.0);
        writer.ask("log 10");
        let [written, failed, ..] = stats(&mut writer);
        assert_eq!((written, failed), (30, 10), "{kind}");
        assert_eq!(numbers(&dir), (0..20).chain(30..40).collect::<Vec<_>>(), "{kind}");
        writer.end();
    }
}

#[test]
fn t12_permission_to_rotate_is_lost_and_given_back() {
    for kind in ["rotating,20000,100", "rotating,20000,100+buffer"] {
        let dir = Dir::new();
        let mut writer = as_nobody(kind, &dir);
        writer.ask("log 10");
        shell("chmod 555 logs", &dir.0);
        writer.ask("log 1000");
        assert_eq!(writer.ask("flush"), "flushed", "{kind}");
        let [written, failed, queued, troubles, told] = stats(&mut writer);
        assert_eq!((written, failed, queued), (1_010, 0, 0), "{kind}");
        assert!(troubles > 0 && told == troubles, "{kind}: {troubles} troubles, {told} told");
        assert_eq!(shell("ls logs", &dir.0), "app.log\n", "{kind}");
        // All well again, by itself; it waits before it tries again.
        shell("chmod 755 logs; sleep 2.1", &dir.0);
        writer.ask("log 1000");
        assert_eq!(writer.ask("flush"), "flushed", "{kind}");
        writer.end();
        assert!(shell("ls logs | wc -l", &dir.0).trim().parse::<usize>().unwrap() > 2, "{kind}");
        assert_eq!(numbers(&dir), (0..2_010).collect::<Vec<_>>(), "{kind}");
    }
}
