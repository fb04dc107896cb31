//! File times by the scenario's clock.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(crate) struct Mtimes {
    scratch: PathBuf,
    seen: BTreeMap<PathBuf, (u64, SystemTime)>,
}

impl Mtimes {
    pub(crate) fn of(scratch: &Path) -> Self {
        let mut mtimes = Self { scratch: scratch.to_owned(), seen: BTreeMap::new() };
        mtimes.seen = mtimes.scan();
        mtimes
    }

    fn scan(&self) -> BTreeMap<PathBuf, (u64, SystemTime)> {
        let mut seen = BTreeMap::new();
        let mut folders = vec![self.scratch.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(about) = entry.metadata() else { continue };
                if about.is_dir() {
                    folders.push(entry.path());
                } else if about.is_file() {
                    seen.insert(entry.path(), (about.len(), about.modified().unwrap_or(UNIX_EPOCH)));
                }
            }
        }
        seen
    }

    /// A file that was written during an action was modified now, by the scenario's clock. A time that the action itself
    /// has set stays.
    pub(crate) fn settle(&mut self, now: f64, kept: Option<&str>) {
        let kept = kept.map(|path| self.scratch.join(path));
        for (path, state) in self.scan() {
            if self.seen.get(&path) == Some(&state) || kept.as_ref() == Some(&path) {
                continue;
            }
            let touched = fs::File::options().append(true).open(&path);
            let touched = touched.and_then(|file| file.set_modified(UNIX_EPOCH + Duration::from_secs_f64(now)));
            // Whoever has taken the file away meanwhile needs no time on it.
            touched.unwrap_or_default();
        }
        self.seen = self.scan();
    }
}
