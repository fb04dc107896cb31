//! Which files and directories a thread makes, so that they can be removed again.

use std::{
    cell::RefCell,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::registry::{self, FileId};

thread_local! {
    static NOTED: RefCell<Option<Creations>> = const { RefCell::new(None) };
}

/// Files and directories that were made. When it is dropped they are removed, as far as they are empty and no handler
/// has them open; so drop the handlers first.
#[derive(Default)]
pub(crate) struct Creations(Vec<Creation>);

enum Creation {
    Directory(PathBuf),
    File(PathBuf, Option<FileId>),
}

impl Creations {
    /// Notes what this thread makes meanwhile.
    #[cfg(feature = "config")]
    pub(crate) fn noted<R>(work: impl FnOnce() -> R) -> (R, Self) {
        struct Reset;
        impl Drop for Reset {
            fn drop(&mut self) {
                drop(NOTED.take());
            }
        }
        NOTED.set(Some(Self::default()));
        let _reset = Reset;
        let result = work();
        (result, NOTED.take().unwrap_or_default())
    }

    /// They stay.
    #[cfg(feature = "config")]
    pub(crate) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Creations {
    fn drop(&mut self) {
        for creation in self.0.drain(..).rev() {
            match creation {
                // One that is not empty stays.
                Creation::Directory(path) => fs::remove_dir(path).unwrap_or_default(),
                Creation::File(path, id) => registry::remove_unused(&path, id),
            }
        }
    }
}

fn is_noting() -> bool {
    NOTED.with_borrow(Option::is_some)
}

fn note(creation: Creation) {
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted {
            noted.0.push(creation);
        }
    });
}

/// As [`fs::create_dir_all`].
pub(super) fn create_dir_all(path: &Path) -> io::Result<()> {
    if is_noting() {
        let missing: Vec<_> = path.ancestors().take_while(|directory| !directory.exists()).collect();
        for directory in missing.into_iter().rev() {
            match fs::create_dir(directory) {
                Ok(()) => note(Creation::Directory(directory.to_owned())),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
    fs::create_dir_all(path)
}

/// How many links may lead to each other.
pub(super) const MAX_LINKS: usize = 40;

/// Where a link leads that leads to nothing.
pub(super) fn missing_target(path: &Path) -> Option<PathBuf> {
    let target = fs::read_link(path).ok().filter(|_| !path.exists())?;
    Some(path.parent().unwrap_or(path).join(target))
}

/// Opens a file with options that create it.
pub(super) fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    if !is_noting() {
        return options.open(path);
    }
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match options.clone().create_new(true).open(&target) {
            Ok(file) => {
                let id = file.metadata().ok().as_ref().and_then(FileId::of);
                note(Creation::File(target, id));
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => break,
        }
        // A link to a file that is not there yet.
        match missing_target(&target) {
            Some(next) => target = next,
            None => break,
        }
    }
    options.open(path)
}

#[cfg(all(test, feature = "config"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sink::scratch::Dir;

    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        options
    }

    #[test]
    fn what_was_made_is_removed_and_nothing_else() {
        let dir = Dir::new();
        fs::write(dir.path("there"), "").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("behind", dir.path("link")).unwrap();
        #[cfg(not(unix))]
        fs::write(dir.path("link"), "").unwrap();
        let ((), made) = Creations::noted(|| {
            create_dir_all(&dir.path("a/b")).unwrap();
            for name in ["there", "new", "a/b/deep", "link", "written", "new"] {
                open(&options(), &dir.path(name)).unwrap();
            }
            fs::write(dir.path("written"), "precious").unwrap();
        });
        assert!(dir.path("a/b/deep").exists() && dir.path("link").exists());
        drop(made);
        assert_eq!(dir.names(), ["link", "there", "written"]);
        // Not noted.
        drop(open(&options(), &dir.path("later")).unwrap());
        let ((), made) = Creations::noted(|| drop(open(&options(), &dir.path("kept")).unwrap()));
        made.keep();
        assert_eq!(dir.names(), ["kept", "later", "link", "there", "written"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_another_handler_has_open_stays() {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let (file, made) = Creations::noted(|| open(&options(), &path).unwrap());
        let claim = registry::claim(&path).unwrap();
        claim.opened(&file);
        drop(made);
        assert!(path.exists());
    }
}
