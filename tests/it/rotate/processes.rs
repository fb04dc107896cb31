//! Several processes on one path.

use std::{
    collections::HashSet,
    env, fs,
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracing_strata::{
    Flush, Handler, NamedHandler,
    clock::Clock,
    ledger::ErrorHandler,
    output::{FileLocking, Formatted, RotatingFile, RotatingFileBuilder, When},
    sink::RotatingFileSink,
};

use super::{File, files, record, sized, write};
use crate::places::{Bare, Dir, again, if_child};

/// How many records each of the four processes writes; `.ci/run` asks for 100,000.
fn records() -> usize {
    env::var("STRATA_TEST_RECORDS").map_or(1_500, |count| count.parse().unwrap())
}

const PROCESSES: usize = 4;

/// The system's clock, faster: all processes see the same time.
struct Fast {
    since: SystemTime,
    times: u32,
}

impl Clock for Fast {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH
            + Duration::from_secs(1_709_640_000)
            + SystemTime::now().duration_since(self.since).unwrap_or_default() * self.times
    }
}

const BEGAN: &str = "STRATA_TEST_BEGAN";

/// Runs this test in four processes, each of which writes its records to `app.log` beside the report; every record must be in
/// one file, once and whole, and there must be so many files at least.
fn many_processes(test: &str, least: usize, builder: impl Fn(&Path) -> RotatingFileBuilder<Bare>) -> usize {
    if_child(|report| {
        let builder = builder(&report.with_file_name("app.log")).locking(FileLocking::Shared);
        let (error_handler, told) = ErrorHandler::counting();
        let file: Formatted<Bare, RotatingFileSink> = builder.build().unwrap();
        let file = NamedHandler::with_error_handler("file", file, error_handler);
        write_in_two_threads(&file);
        file.flush().unwrap();
        let stats = file.stats();
        assert_eq!(
            (stats.written, stats.failed, told.load(std::sync::atomic::Ordering::Relaxed)),
            (records() as u64, 0, 0)
        );
    });
    let dir = Dir::new();
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| again(test, &dir.path("report")).env(BEGAN, &began).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    look_into(&dir, least)
}

fn write_in_two_threads(file: &NamedHandler) {
    let process = std::process::id();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            scope.spawn(move || {
                for number in 0..records() / 2 {
                    file.emit(&record(&format!("{process}-{thread}:{number}:{}", "x".repeat(number % 50))));
                }
            });
        }
    });
}

/// What is in the files of all processes; how long the longest is.
fn look_into(dir: &Dir, least: usize) -> usize {
    let mut seen = HashSet::new();
    let mut count = 0;
    let mut longest = 0;
    for entry in fs::read_dir(dir.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path == dir.path("app.log.lock") {
            continue;
        }
        assert!(path.file_name().unwrap().to_str().unwrap().starts_with("app.log"), "{path:?}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{path:?}");
        (count, longest) = (count + 1, longest.max(text.len()));
        for line in text.lines() {
            let parts: Vec<_> = line.split(':').collect();
            let [who, number, fill] = parts[..] else { panic!("{path:?}: {line:?}") };
            let number: usize = number.parse().unwrap();
            assert!(fill.len() == number % 50 && fill.bytes().all(|byte| byte == b'x'), "{line:?}");
            assert!(seen.insert((who.to_owned(), number)), "{line:?} twice");
        }
    }
    assert_eq!(seen.len(), PROCESSES * records());
    assert!(count > least, "{count} files");
    longest
}

fn by_size(path: &Path) -> RotatingFileBuilder<Bare> {
    // Sixty files or so, whatever the number of records.
    RotatingFile::builder(path).max_bytes(records() as u64 * 2).backups(10_000).format(Bare)
}

#[test]
fn t39_four_processes_by_size() {
    const NAME: &str = "rotate::processes::t39_four_processes_by_size";
    let longest = many_processes(NAME, 50, by_size);
    assert!(longest < records() * 2, "{longest}");
}

/// They have a handler in common, and no lock between processes that both hold at once.
#[cfg(unix)]
#[test]
fn t39_children_of_a_fork_are_processes_of_their_own() {
    use fork::{Fork, fork, waitpid};

    const NAME: &str = "rotate::processes::t39_children_of_a_fork_are_processes_of_their_own";
    if_child(|report| {
        let builder = by_size(&report.with_file_name("app.log")).locking(FileLocking::Shared);
        let file = NamedHandler::new("file", builder.build().unwrap());
        let mut children = Vec::new();
        for _ in 0..PROCESSES {
            match fork().unwrap() {
                Fork::Child => {
                    write_in_two_threads(&file);
                    std::process::exit(i32::from(file.stats().failed > 0));
                }
                Fork::Parent(pid) => children.push(pid),
            }
        }
        children.into_iter().for_each(|pid| assert!(waitpid(pid).is_ok()));
    });
    let dir = Dir::new();
    assert!(again(NAME, &dir.path("report")).stdout(Stdio::null()).status().unwrap().success());
    let longest = look_into(&dir, 50);
    assert!(longest < records() * 2, "{longest}");
}

#[test]
fn t39_four_processes_by_size_with_buffers() {
    const NAME: &str = "rotate::processes::t39_four_processes_by_size_with_buffers";
    let longest = many_processes(NAME, 50, |path| by_size(path).buffer(1_000));
    assert!(longest < records() * 2, "{longest}");
}

#[test]
fn t39_four_processes_by_time() {
    const NAME: &str = "rotate::processes::t39_four_processes_by_time";
    // How many hours a few records take depends on the machine.
    many_processes(NAME, if records() >= 100_000 { 50 } else { 0 }, |path| {
        let began = env::var(BEGAN).map_or(0, |began| began.parse().unwrap());
        // An hour goes by in 36 to 72 milliseconds.
        let times = if records() >= 100_000 { 50_000 } else { 100_000 };
        let clock = Fast { since: UNIX_EPOCH + Duration::from_millis(began), times };
        RotatingFile::builder(path).when(When::Hour).utc(true).clock(clock).format(Bare)
    });
}

#[test]
fn t39_exclusively_the_second_process_is_refused() {
    const NAME: &str = "rotate::processes::t39_exclusively_the_second_process_is_refused";
    let open = |path: &Path| {
        RotatingFile::builder(path).max_bytes(100).backups(3).locking(FileLocking::Exclusive).format(Bare).build()
    };
    if_child(|report| {
        let path = report.with_file_name("app.log");
        let text = open(&path).map_or_else(|error| error.to_string(), |_| "opened".into());
        fs::write(report, text).unwrap();
    });
    let dir = Dir::new();
    let report = dir.path("report");
    let ask = || {
        assert!(again(NAME, &report).stdout(Stdio::null()).status().unwrap().success());
        fs::read_to_string(&report).unwrap()
    };
    let path = dir.path("app.log");
    let file = open(&path).unwrap();
    write(&file, "mine");
    let told = ask();
    let expected = format!("cannot use {}: another process rotates it and holds the lock on {0}.lock", path.display());
    assert!(told.starts_with(&expected), "{told}");
    // In this process it is shared.
    write(&open(&path).unwrap(), "mine, too");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine\nmine, too\n");
    drop(file);
    assert_eq!(ask(), "opened");
}

#[cfg(unix)]
#[test]
fn t39_the_lock_of_a_killed_process_is_free() {
    const NAME: &str = "rotate::processes::t39_the_lock_of_a_killed_process_is_free";
    let open =
        |path: &Path| RotatingFile::builder(path).max_bytes(100).backups(3).locking(FileLocking::Exclusive).build();
    if_child(|report| {
        let _file = open(&report.with_file_name("app.log")).unwrap();
        fs::write(report, "").unwrap();
        std::thread::sleep(Duration::from_secs(30));
    });
    let dir = Dir::new();
    let report = dir.path("report");
    let mut child = again(NAME, &report).stdout(Stdio::null()).spawn().unwrap();
    while !report.exists() {
        std::thread::yield_now();
    }
    assert!(open(&dir.path("app.log")).is_err());
    child.kill().unwrap();
    child.wait().unwrap();
    open(&dir.path("app.log")).unwrap();
}

#[test]
fn another_process_that_rotated_first_is_followed() {
    let dir = Dir::new();
    // Unguarded: it is noticed when a rotation is due.
    let file: File = sized(&dir, 25, 5).build().unwrap();
    write(&file, "record-00");
    write(&file, "record-01");
    // What another process would do.
    fs::rename(dir.path("app.log"), dir.path("app.log.1")).unwrap();
    fs::write(dir.path("app.log"), "record-02\n").unwrap();
    write(&file, "record-03");
    assert_eq!(files(&dir), ["app.log: record-02 record-03", "app.log.1: record-00 record-01"]);
}

#[test]
fn a_process_that_stopped_with_the_lock_does_not_stop_others() {
    let dir = Dir::new();
    let (error_handler, told) = crate::places::remembering();
    let file = NamedHandler::with_error_handler(
        "file",
        sized(&dir, 25, 5).locking(FileLocking::Shared).build().unwrap(),
        error_handler,
    );
    file.emit(&record("record-00"));
    let lock = fs::File::open(dir.path("app.log.lock")).unwrap();
    lock.lock().unwrap();
    // The first one waits, those after it do not.
    for number in 1..100 {
        file.emit(&record(&format!("record-{number:02}")));
    }
    drop(lock);
    assert_eq!(fs::read_to_string(dir.path("app.log")).unwrap().lines().count(), 100);
    assert_eq!((file.stats().written, file.stats().failed), (100, 0));
    let told = told.lock().unwrap();
    assert!(told.len() == 1 && told[0].starts_with(&format!("cannot lock {}", dir.path("app.log.lock").display())));
}

#[test]
fn a_rotator_cannot_be_shared() {
    let dir = Dir::new();
    let error = sized(&dir, 25, 5).locking(FileLocking::Shared).rotator(|_, _| Ok(())).build().unwrap_err();
    assert!(error.is_config() && error.to_string().contains("rotator"), "{error}");
}

#[test]
fn handlers_of_one_shared_file_follow_each_other() {
    let dir = Dir::new();
    let handler = |buffer: Option<usize>| {
        let builder = sized(&dir, 45, 5).locking(FileLocking::Shared);
        match buffer {
            Some(bytes) => builder.buffer(bytes).build().unwrap(),
            None => builder.build().unwrap(),
        }
    };
    for buffer in [None, Some(25)] {
        let file = handler(buffer);
        (0..6).for_each(|number| write(&file, &format!("record-{number:02}")));
        file.flush(&Flush::PLAIN).unwrap();
        drop(file);
        let mut lines: Vec<_> = files(&dir)
            .iter()
            .flat_map(|file| file.split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>())
            .collect();
        lines.sort();
        let expected: Vec<_> = (0..6).map(|number| format!("record-{number:02}")).collect();
        assert_eq!(lines, expected);
        for entry in fs::read_dir(dir.path("")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}
