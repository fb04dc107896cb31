//! Starts and stops the servers of `servers/`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Condvar, Mutex},
};

/// A running server; it is stopped when this is dropped.
pub(crate) struct Server {
    name: &'static str,
    dir: PathBuf,
}

/// Servers have fixed ports: one test at a time has each.
static TAKEN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
static FREED: Condvar = Condvar::new();

fn take(name: &'static str) {
    let taken = TAKEN.lock().unwrap();
    FREED.wait_while(taken, |taken| taken.contains(&name)).unwrap().push(name);
}

fn scripts(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/servers").join(name)
}

impl Server {
    /// Starts it with an empty state of its own.
    pub(crate) fn start(name: &'static str) -> Self {
        Self::start_with(name, &[])
    }

    /// As [`start`](Self::start), with more in the script's environment.
    pub(crate) fn start_with(name: &'static str, environment: &[(&str, &str)]) -> Self {
        take(name);
        let dir = env::temp_dir().join(format!("strata-interop-{}", std::process::id())).join(name);
        // What an earlier test left.
        fs::remove_dir_all(&dir).unwrap_or_default();
        fs::create_dir_all(&dir).unwrap();
        let server = Self { name, dir };
        server.run("start.sh", environment);
        server
    }

    /// The directory of its state (`$D`).
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stops it and starts it again with the state it has.
    pub(crate) fn restart(&self, environment: &[(&str, &str)]) {
        self.run("stop.sh", environment);
        self.run("start.sh", environment);
    }

    /// Runs one of its scripts; panics with all it said if it fails.
    pub(crate) fn run(&self, script: &str, environment: &[(&str, &str)]) {
        let log = self.dir.join(format!("{script}.log"));
        // Not a pipe: the server the script leaves behind would hold it open.
        let out = fs::File::create(&log).unwrap();
        let status = Command::new("bash")
            .arg(scripts(self.name).join(script))
            .env("D", &self.dir)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .status()
            .unwrap();
        assert!(status.success(), "{}/{script}: {status}\n{}", self.name, fs::read_to_string(log).unwrap_or_default());
    }
}

/// Runs a script of a folder that has no server; panics with all it said if it fails.
pub(crate) fn run_script(name: &str, script: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new("bash");
    command.arg(scripts(name).join(script)).envs(environment.iter().copied()).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{name}/{script}: {output:?}");
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = Command::new("bash")
            .arg(scripts(self.name).join("stop.sh"))
            .env("D", &self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        TAKEN.lock().unwrap().retain(|name| *name != self.name);
        FREED.notify_all();
        assert!(stopped.is_ok() || std::thread::panicking());
    }
}
