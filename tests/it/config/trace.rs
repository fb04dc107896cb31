//! What a configuration could leave behind, and the small configurations of `cases/`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tracing_strata::{Error, config::Config};

/// Files and directories, threads, and open files and sockets.
#[derive(Debug)]
pub(super) struct Trace {
    files: BTreeSet<(PathBuf, u64, Option<SystemTime>)>,
    threads: BTreeSet<String>,
    open: BTreeSet<String>,
}

impl Trace {
    /// Of a directory and of this process.
    pub(super) fn of(directory: &Path) -> Self {
        let mut files = BTreeSet::new();
        add_files(directory, &mut files);
        let entries = |path: &str| fs::read_dir(path).into_iter().flatten().flatten();
        // By number: a new one gets its name a little later.
        let thread = |entry: fs::DirEntry| entry.file_name().display().to_string();
        let open = |entry: fs::DirEntry| {
            let target = fs::read_link(entry.path()).ok()?.display().to_string();
            // That of the listing itself.
            (!target.starts_with("/proc/")).then(|| format!("{} {target}", entry.file_name().display()))
        };
        Self {
            files,
            threads: entries("/proc/self/task").map(thread).collect(),
            open: entries("/proc/self/fd").filter_map(open).collect(),
        }
    }

    /// What is there now and was not, or was changed. Threads that were about to end may be gone.
    pub(super) fn news(&self, directory: &Path) -> Vec<String> {
        let now = Self::of(directory);
        let files = self.files.symmetric_difference(&now.files).map(|file| format!("{file:?}"));
        let threads = now.threads.difference(&self.threads).map(|thread| {
            let name = fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
            format!("thread {thread} {}", name.unwrap_or_default())
        });
        let open = now.open.difference(&self.open).map(|file| format!("open {file}"));
        files.chain(threads).chain(open).collect()
    }
}

fn add_files(directory: &Path, files: &mut BTreeSet<(PathBuf, u64, Option<SystemTime>)>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let metadata = fs::symlink_metadata(entry.path()).unwrap();
        if metadata.is_dir() {
            files.insert((entry.path(), 0, None));
            add_files(&entry.path(), files);
        } else {
            files.insert((entry.path(), metadata.len(), metadata.modified().ok()));
        }
    }
}

/// The files of `cases/` by name, sorted.
pub(super) fn cases() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/config/cases");
    let mut cases: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    cases.sort();
    assert!(cases.len() >= 25);
    cases
}

pub(super) fn parse(name: &str, text: &str) -> Result<Config, Error> {
    match name.rsplit('.').next() {
        Some("json") => Config::from_json(text),
        Some("ini") => Config::from_ini(text),
        _ => Config::from_yaml(text),
    }
}
