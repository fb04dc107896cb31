//! A test that runs in a process of its own, and may be killed at a point.

use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, Command, ExitStatus, Stdio, exit},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// Says which test runs in this process.
const VARIABLE: &str = "STRATA_TEST_PROCESS";
/// Begins the lines that say which point was reached.
const MARK: &str = "strata-test-process reached ";

/// A test in a process of its own, which the test itself started: to look at what is left after the end of a program, or after
/// it was killed. Dropping it kills the process.
///
/// The test runs itself again, by its name with all modules, and the part for the child is a closure.
///
/// ```no_run
/// use tracing_strata::{Record, Severity, output::LogFile, prelude::*, testing::process::{self, TestProcess}};
///
/// #[test]
/// fn a_record_is_in_the_file_when_the_call_returns() {
///     let path = std::env::temp_dir().join("killed.log");
///     let mut child = TestProcess::start("a_record_is_in_the_file_when_the_call_returns", || {
///         let file = LogFile::builder(&path).truncate(true).build().unwrap().named("file");
///         file.emit(&Record::new(Severity::INFO, "shop", "paid"));
///         process::reached("written");
///         unreachable!("it was killed there");
///     });
///     child.wait_for("written");
///     child.kill();
///     assert!(std::fs::read_to_string(&path).unwrap().contains("paid"));
/// }
/// ```
#[derive(Debug)]
pub struct TestProcess {
    child: Child,
    /// The points that were reached.
    points: Receiver<String>,
}

/// How long a test waits for a point.
const LONG: Duration = Duration::from_secs(60);

impl TestProcess {
    /// Runs this test again, where `test` is its name with its modules, as `cargo test` shows it. In the new process `work` is
    /// run, which then ends with the status 0, or 101 after a panic; this call returns only in the old one.
    ///
    /// # Panics
    /// The process cannot be started.
    pub fn start(test: &str, work: impl FnOnce()) -> Self {
        Self::start_with(test, [("", ""); 0], work)
    }

    /// With variables in the environment of the new process.
    ///
    /// # Panics
    /// The process cannot be started.
    pub fn start_with(
        test: &str,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
        work: impl FnOnce(),
    ) -> Self {
        if env::var(VARIABLE).is_ok_and(|name| name == test) {
            work();
            exit(0);
        }
        let program = env::current_exe().unwrap_or_else(|error| panic!("the path of this program: {error}"));
        let mut command = Command::new(program);
        command
            .args([test, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"])
            .envs(variables)
            .env(VARIABLE, test);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{test}: its process does not start: {error}"));
        let Some(out) = child.stdout.take() else { panic!("{test}: its process has no output") };
        let (reached, points) = channel();
        thread::spawn(move || {
            // It may print anything.
            let lines = BufReader::new(out).split(b'\n').map_while(Result::ok);
            let point = |line: Vec<u8>| Some(String::from_utf8_lossy(&line).split_once(MARK)?.1.trim_end().to_owned());
            let points = lines.filter_map(point);
            // Once nobody asks any more, the rest is read all the same: the process may wait for that.
            points.for_each(|point| reached.send(point).unwrap_or_default());
        });
        Self { child, points }
    }

    /// Waits until it calls [`reached`] with this point. It waits there.
    ///
    /// # Panics
    /// It ended before, no test has this name, or it reached nothing for a minute.
    pub fn wait_for(&mut self, point: &str) {
        let found = std::iter::from_fn(|| self.points.recv_timeout(LONG).ok()).any(|reached| reached == point);
        assert!(found, "the process ended before it reached {point:?}, or reached nothing for {LONG:?}");
    }

    /// Lets it go on from the point where it waits.
    pub fn resume(&mut self) {
        if let Some(input) = &mut self.child.stdin {
            // One that has ended is seen by `wait_for` and `wait`.
            drop(input.write_all(b"\n").and_then(|()| input.flush()));
        }
    }

    /// Kills it as the system would: with SIGKILL, `TerminateProcess`.
    pub fn kill(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Waits for its end. From now on it waits at no point.
    ///
    /// # Panics
    /// The system does not know how it ended.
    pub fn wait(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().unwrap_or_else(|error| panic!("the end of the process: {error}"))
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// In the process of a [`TestProcess`]: says that a point was reached, and waits there to be resumed or killed. Elsewhere it
/// does nothing.
pub fn reached(point: &str) {
    if env::var_os(VARIABLE).is_none() {
        return;
    }
    let mut out = io::stdout();
    drop(writeln!(out, "\n{MARK}{point}").and_then(|()| out.flush()));
    // At the end of the input, nobody will resume it any more: it goes on.
    drop(io::stdin().lock().read_line(&mut String::new()));
}
