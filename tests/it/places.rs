//! Directories that go away, and this test binary as a process of its own.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing_strata::{
    Error, Record,
    format::{Buffer, Format},
    ledger::ErrorHandler,
};

/// A directory of one test.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = env::temp_dir().join(format!("strata-it-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // Of a process that was killed and had the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

const REPORT: &str = "STRATA_TEST_REPORT";

/// Runs one test of this binary in a process of its own, where it may change what belongs to the process, and gives what
/// that wrote to the report. In the child itself it runs `child`, which gets the path of the report, and exits.
pub(crate) fn in_a_child(test: &str, prepare: impl FnOnce(&mut Command), child: impl FnOnce(&Path)) -> String {
    if_child(child);
    let dir = Dir::new();
    let report = dir.path("report");
    let mut command = again(test, &report);
    prepare(&mut command);
    let output = command.output().unwrap();
    let text = fs::read_to_string(&report).unwrap_or_default();
    assert!(output.status.success(), "{test}: {output:?}\n{text}");
    text
}

/// Runs the body of a test in a process of its own. For those that change levels a thousand times: each change has `tracing`
/// ask all subscribers of the process about all call sites, under a lock for which every other test waits.
pub(crate) fn apart(test: &str, body: impl FnOnce()) {
    let report = in_a_child(
        test,
        |_| {},
        |report| {
            body();
            fs::write(report, "done").unwrap();
        },
    );
    // A name that leads to no test would run none.
    assert_eq!(report, "done", "{test}");
}

/// In the child it runs `child`, which gets the path of the report, and exits.
pub(crate) fn if_child(child: impl FnOnce(&Path)) {
    if let Some(report) = env::var_os(REPORT) {
        child(Path::new(&report));
        process::exit(0);
    }
}

/// A command that runs one test of this binary with a report.
pub(crate) fn again(test: &str, report: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(REPORT, report).stdin(Stdio::null());
    command
}

/// The message alone.
pub(crate) struct Bare;

impl Format for Bare {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        out.push_str(record.message());
        Ok(())
    }
}

/// A trap that remembers what it was told.
pub(crate) fn remembering() -> (ErrorHandler, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let told_too = Arc::clone(&told);
    (ErrorHandler::new(move |failure| told_too.lock().unwrap().push(failure.error().to_string())), told)
}
