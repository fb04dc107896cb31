//! The end of the process: each test runs itself again as a process that ends in some way, and looks at what is left.

mod ending;
#[cfg(unix)]
mod forks;
mod panics;
#[cfg(unix)]
mod signals;

use std::{
    env, fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::places::{Dir, again};

const MODE: &str = "STRATA_TEST_MODE";

/// What a child left behind.
struct Left {
    output: Output,
    dir: Dir,
}

impl Left {
    fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.dir.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }
}

/// In the child: runs it with its directory and the mode. In the parent: nothing.
fn as_child(run: impl FnOnce(&Path, &str)) {
    if let Some(dir) = env::var_os("STRATA_TEST_REPORT") {
        run(Path::new(&dir), &env::var(MODE).unwrap_or_default());
    }
}

fn is_child() -> bool {
    env::var_os("STRATA_TEST_REPORT").is_some()
}

fn command(test: &str, mode: &str, dir: &Dir) -> Command {
    let mut command = again(test, &dir.path(""));
    command.env(MODE, mode).env_remove("RUST_BACKTRACE").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// In the parent: runs a test of this binary again.
fn run(test: &str, mode: &str) -> Left {
    let dir = Dir::new();
    let output = command(test, mode, &dir).output().unwrap();
    Left { output, dir }
}
