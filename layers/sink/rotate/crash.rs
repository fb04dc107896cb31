//! Points at which a test kills the process; nothing outside of tests.

#[cfg(not(test))]
#[inline(always)]
pub(super) fn crash_point(_: &str) {}

/// Dies as by `kill -9` at the nth visit of the point that the environment names.
#[cfg(all(test, unix))]
pub(super) fn crash_point(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::process::{Signal, getpid, kill_process};
    static VISITS: AtomicU32 = AtomicU32::new(0);
    let Ok(point) = std::env::var(tests::CRASH) else { return };
    let Some((point, nth)) = point.split_once(':') else { return };
    if point == name && VISITS.fetch_add(1, Ordering::Relaxed).to_string() == nth {
        kill_process(getpid(), Signal::KILL).unwrap_or_default();
        // The signal is on its way.
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

#[cfg(all(test, not(unix)))]
pub(super) fn crash_point(_: &str) {}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        env, fs,
        io::Write as _,
        os::unix::process::ExitStatusExt as _,
        path::Path,
        process::{Command, Stdio},
        time::{Duration, UNIX_EPOCH},
    };

    use crate::{
        clock::ManualClock,
        output::{RotatingFile, RotatingFileBuilder, When},
        sink::{FileLocking, scratch::Dir, write_line},
    };

    pub(super) const CRASH: &str = "STRATA_TEST_CRASH";
    const DIR: &str = "STRATA_TEST_CRASH_DIR";
    const START: u64 = 1_709_640_000;

    /// Three records a file, by number or by hour.
    fn builder(dir: &Path, dated: bool, backups: usize, clock: &ManualClock) -> RotatingFileBuilder {
        let path = dir.join("app.log");
        let builder = match dated {
            false => RotatingFile::builder(path).max_bytes(20).backups(backups),
            true => RotatingFile::builder(path).when(When::Hour).utc(true).backups(backups),
        };
        builder.clock(clock.clone())
    }

    /// Writes numbers from here on, and notes each beside the log once it is written.
    fn write(dir: &Path, sink: &crate::sink::RotatingFileSink, clock: &ManualClock, numbers: std::ops::Range<u32>) {
        let mut notes = fs::File::options().create(true).append(true).open(dir.join("notes")).unwrap();
        for number in numbers {
            clock.set(UNIX_EPOCH + Duration::from_secs(START + u64::from(number) * 1200));
            write_line(sink, format!("{number:05}\n").as_bytes()).unwrap();
            fs::File::options()
                .append(true)
                .open(dir.join("app.log"))
                .unwrap()
                .set_modified(UNIX_EPOCH + Duration::from_secs(START + u64::from(number) * 1200))
                .unwrap();
            writeln!(notes, "{number:05}").unwrap();
        }
    }

    /// In the child: writes until it dies. In the parent: false.
    fn is_child(settings: impl Fn(&Path, &ManualClock) -> RotatingFileBuilder) -> bool {
        let Some(dir) = env::var_os(DIR) else { return false };
        let clock = ManualClock::at(START);
        let sink = settings(Path::new(&dir), &clock).build_sink().unwrap();
        write(Path::new(&dir), &sink, &clock, 0..1000);
        true
    }

    fn die(test: &str, dir: &Dir, point: &str) {
        let mut command = Command::new(env::current_exe().unwrap());
        let test = format!("sink::rotate::crash::tests::{test}");
        command.args([&test, "--exact", "--test-threads=1"]).env(DIR, dir.path("")).env(CRASH, point);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert_eq!(status.signal(), Some(9), "{point}: {status}");
    }

    /// The lines of all rotated files and the one in use, the oldest first.
    fn lines(dir: &Dir, names: &[String]) -> Vec<String> {
        names
            .iter()
            .flat_map(|name| fs::read_to_string(dir.path(name)).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// All but what is beside the log, the oldest first.
    fn in_order(dir: &Dir, dated: bool) -> Vec<String> {
        let mut names = dir.names();
        names.retain(|name| name != "notes" && name != "app.log.lock" && name != "app.log");
        assert!(!names.iter().any(|name| name.ends_with("rotating")), "{names:?}");
        if !dated {
            names.sort_by_key(|name| std::cmp::Reverse(name.rsplit('.').next().unwrap().parse::<u32>().unwrap()));
        }
        names.push("app.log".into());
        names
    }

    /// Dies at each point, in the first rotation and in a later one; the next run finishes the rotation and continues.
    fn dies_everywhere(test: &str, dated: bool, backups: usize, sharing: FileLocking, points: &[&str]) {
        let settings = |dir: &Path, clock: &ManualClock| builder(dir, dated, backups, clock).locking(sharing);
        if is_child(settings) {
            return;
        }
        for point in points {
            for nth in [0, 5] {
                let dir = Dir::new();
                die(test, &dir, &format!("{point}:{nth}"));
                let notes = fs::read_to_string(dir.path("notes")).unwrap();
                let mut expected: Vec<_> = notes.lines().map(str::to_owned).collect();
                let clock = ManualClock::at(START + expected.len() as u64 * 1200);
                let sink = settings(&dir.path(""), &clock).build_sink().unwrap();
                if backups == 3 && nth > 0 {
                    // Not one file less than without the crash.
                    assert_eq!(in_order(&dir, dated).len(), 4, "{point}: {:?}", dir.names());
                }
                let from = u32::try_from(expected.len()).unwrap();
                write(&dir.path(""), &sink, &clock, from..from + 10);
                expected.extend((from..from + 10).map(|number| format!("{number:05}")));
                let names = in_order(&dir, dated);
                let found = lines(&dir, &names);
                assert!(expected.ends_with(&found), "{point} {nth}: {names:?}\n{found:?}");
                if backups != 3 {
                    assert_eq!(found.len(), expected.len(), "{point} {nth}: {names:?}");
                }
            }
        }
    }

    const BY_NUMBER: [&str; 6] = ["before", "renamed", "moved", "shifting", "shifted", "filed"];

    #[test]
    fn killed_in_every_phase_by_number() {
        dies_everywhere("killed_in_every_phase_by_number", false, 100, FileLocking::Unguarded, &BY_NUMBER);
    }

    #[test]
    fn killed_in_every_phase_with_few_backups() {
        dies_everywhere("killed_in_every_phase_with_few_backups", false, 3, FileLocking::Exclusive, &BY_NUMBER);
    }

    #[test]
    fn killed_in_every_phase_of_one_of_several_processes() {
        let test = "killed_in_every_phase_of_one_of_several_processes";
        dies_everywhere(test, false, 100, FileLocking::Shared, &BY_NUMBER);
    }

    #[test]
    fn killed_in_every_phase_by_date() {
        dies_everywhere(
            "killed_in_every_phase_by_date",
            true,
            0,
            FileLocking::Unguarded,
            &["before", "renamed", "moved"],
        );
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn t42_killed_while_it_compresses() {
        use std::io::Read as _;

        use crate::sink::Compression;
        const NAME: &str = "sink::rotate::crash::tests::t42_killed_while_it_compresses";
        let settings = |dir: &Path| {
            RotatingFile::builder(dir.join("app.log")).max_bytes(1 << 20).backups(3).compression(Compression::gzip())
        };
        // Text that takes its time.
        let text = || -> String {
            let mut state = 1_u64;
            let line = |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                format!("{state:020}{:020}\n", state.rotate_left(17))
            };
            (0..100_000).map(line).collect()
        };
        if let Some(dir) = env::var_os(DIR) {
            let sink = settings(Path::new(&dir)).build_sink().unwrap();
            write_line(&sink, text().as_bytes()).unwrap();
            write_line(&sink, b"next\n").unwrap();
            std::thread::sleep(Duration::from_secs(30));
        }
        let dir = Dir::new();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([NAME, "--exact", "--test-threads=1"]).env(DIR, dir.path("")).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let is_part = |name: &String| name.ends_with(".part");
        while !dir.names().iter().any(is_part) {
            assert!(child.try_wait().unwrap().is_none());
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(dir.names().contains(&"app.log.1".to_owned()), "{:?}", dir.names());
        let sink = settings(&dir.path("")).build_sink().unwrap();
        assert!(sink.wait_for_archiving(Duration::from_secs(60)));
        assert_eq!(dir.names(), ["app.log", "app.log.1.gz"]);
        let mut found = String::new();
        let file = fs::File::open(dir.path("app.log.1.gz")).unwrap();
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut found).unwrap();
        assert!(found == text());
        // Killed before that was written, or after.
        assert!(["", "next\n"].contains(&fs::read_to_string(dir.path("app.log")).unwrap().as_str()));
    }
}
