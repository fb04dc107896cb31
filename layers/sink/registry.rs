//! Which files the handlers of this process use, so that they do not get in each other's way.
//!
//! Two handlers that rotate one path would rename each other's files away, and one that only appends would keep writing
//! to a file that another has rotated. And retention must not delete a file that a handler still writes to.

use std::{
    any::Any,
    cell::Cell,
    ffi::OsStr,
    fmt,
    fs::{self, File, Metadata},
    mem,
    path::{Path, PathBuf},
    sync::{Arc, MutexGuard, Weak},
    time::Duration,
};

use crate::{
    Error,
    fork::{ForkMutex, ForkRwLock},
};

/// A handler's claim to a path, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    /// None for devices and pipes: any number of handlers may have them.
    number: Option<u64>,
}

#[derive(Clone)]
struct Entry {
    number: u64,
    path: PathBuf,
    /// The open file, wherever that was moved to.
    open: Option<FileId>,
    /// None for a handler that only appends.
    shared: Option<SharedRotator>,
    /// Matches the names of its rotated files.
    backups: Option<BackupMatcher>,
}

/// Whether a file name is that of a rotated file. No user code.
pub(crate) type BackupMatcher = Arc<dyn Fn(&OsStr) -> bool + Send + Sync>;

#[derive(Clone)]
enum SharedRotator {
    Opening,
    Open(Weak<dyn Any + Send + Sync>),
}

#[derive(Clone, Default)]
struct Registry {
    entries: Vec<Entry>,
    last: u64,
}

static REGISTRY: ForkRwLock<Registry> = ForkRwLock::for_static(Registry { entries: Vec::new(), last: 0 });
/// Held while the registry is checked and then changed; signals changes.
static CHANGES: ForkMutex<()> = ForkMutex::for_static(());

/// How long to wait for another thread that is opening or closing the same path.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(5);

fn change<R>(change: impl FnOnce(&mut Registry) -> R) -> R {
    let _changes = CHANGES.get();
    change(&mut REGISTRY.write())
}

thread_local! {
    static ALLOW_TAKEOVER: Cell<bool> = const { Cell::new(false) };
}

/// While `create` runs, paths of other handlers can be claimed: for a handler that replaces another and is not written
/// to before that one is gone.
#[cfg(feature = "config")]
pub(crate) fn allow_takeover<R>(create: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            ALLOW_TAKEOVER.set(false);
        }
    }
    ALLOW_TAKEOVER.set(true);
    let _reset = Reset;
    create()
}

/// Claims a path for a handler that only appends. Several may have the same path.
///
/// # Errors
/// Another handler rotates it.
pub(crate) fn claim(path: &Path) -> Result<Claim, Error> {
    if is_not_a_regular_file(path) {
        return Ok(Claim { number: None });
    }
    let _changes = CHANGES.get();
    let registry = REGISTRY.read();
    if !ALLOW_TAKEOVER.get() && registry.of(path).any(|entry| entry.shared.is_some()) {
        return Err(cannot_use(
            path,
            "a rotating handler of this process has this file; use that one, or another path",
        ));
    }
    if !ALLOW_TAKEOVER.get() {
        if let Some(owner) = registry.rotator_with_backup(path) {
            return Err(is_backup_of(path, &owner));
        }
    }
    drop(registry);
    Ok(REGISTRY.write().add(path, None, None))
}

/// Claims a path for a handler that rotates. All handlers of this path share what `create` returns, if it `fits` them.
///
/// # Errors
/// Another handler only appends to it, or `create` or `fits` fails.
pub(crate) fn share<T: Send + Sync + 'static>(
    path: &Path,
    backups: BackupMatcher,
    create: impl FnOnce(Claim) -> Result<T, Error>,
    fits: impl FnOnce(&T) -> Result<(), Error>,
) -> Result<Arc<T>, Error> {
    let mut changes = CHANGES.get();
    let add = |backups| REGISTRY.write().add(path, Some(SharedRotator::Opening), Some(backups));
    let claim = loop {
        if ALLOW_TAKEOVER.get() {
            break add(backups);
        }
        let registry = REGISTRY.read();
        if registry.of(path).any(|entry| entry.shared.is_none()) {
            return Err(cannot_use(path, "another handler of this process appends to this file without rotating it"));
        }
        let known = registry.of(path).find_map(|entry| entry.shared.clone());
        let Some(SharedRotator::Open(other)) = known else {
            if registry.of(path).next().is_none() {
                if let Some(owner) = registry.rotator_with_backup(path) {
                    return Err(is_backup_of(path, &owner));
                }
                if let Some(other) = registry.path_matching(path, &backups) {
                    return Err(cannot_use(
                        path,
                        format_args!(
                            "another handler of this process has {}, which is the name of a rotated file of this one",
                            other.display()
                        ),
                    ));
                }
                drop(registry);
                break add(backups);
            }
            drop(registry);
            changes = wait(changes, path)?;
            continue;
        };
        drop(registry);
        match other.upgrade().map(Arc::downcast::<T>) {
            Some(Ok(found)) => {
                drop(changes);
                fits(&found)?;
                return Ok(found);
            }
            Some(Err(other)) => {
                drop(changes);
                drop(other);
                return Err(cannot_use(path, "a handler of another kind rotates this file"));
            }
            // Its last owner is closing it.
            None => changes = wait(changes, path)?,
        }
    };
    drop(changes);
    let number = claim.number;
    let made = Arc::new(create(claim)?);
    let shared: Weak<dyn Any + Send + Sync> = Arc::downgrade(&made) as _;
    change(|registry| {
        if let Some(entry) = registry.entries.iter_mut().find(|entry| Some(entry.number) == number) {
            entry.shared = Some(SharedRotator::Open(shared));
        }
    });
    CHANGES.notify_all();
    Ok(made)
}

fn wait<'a>(changes: MutexGuard<'a, ()>, path: &Path) -> Result<MutexGuard<'a, ()>, Error> {
    let mut has_waited = false;
    let (changes, timed_out) = CHANGES.wait_while(changes, CLAIM_TIMEOUT, |()| !mem::replace(&mut has_waited, true));
    if timed_out {
        return Err(cannot_use(path, "another handler of this process has been opening or closing it for 5 seconds"));
    }
    Ok(changes)
}

fn is_backup_of(path: &Path, owner: &Path) -> Error {
    cannot_use(
        path,
        format_args!(
            "a handler of this process rotates {}, and this is the name of a rotated file of it; use another path",
            owner.display()
        ),
    )
}

fn cannot_use(path: &Path, why: impl fmt::Display) -> Error {
    Error::config(format_args!("cannot use {}: {why}", path.display()))
}

/// Removes a file that was just made, if it is still empty and no handler has it open.
pub(super) fn remove_unused(path: &Path, id: Option<FileId>) {
    // A handler that opens it now says so when this is done.
    let _changes = CHANGES.get();
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let is_open = id.is_some() && REGISTRY.read().entries.iter().any(|entry| entry.open == id);
    if metadata.is_file() && metadata.len() == 0 && FileId::of(&metadata) == id && !is_open {
        // It stays where that fails.
        fs::remove_file(path).unwrap_or_default();
    }
}

/// Whether a handler of this process has this path or the file at it.
pub(crate) fn is_open(path: &Path) -> bool {
    let id = fs::metadata(path).ok().as_ref().and_then(FileId::of);
    let registry = REGISTRY.read();
    (id.is_some() && registry.entries.iter().any(|entry| entry.open == id)) || registry.of(path).next().is_some()
}

impl Claim {
    /// The handler has opened this file.
    pub(crate) fn opened(&self, file: &File) {
        let id = file.metadata().ok().as_ref().and_then(FileId::of);
        change(|registry| {
            if let Some(entry) = registry.entries.iter_mut().find(|entry| Some(entry.number) == self.number) {
                entry.open = id;
            }
        });
    }

    /// The handler closes this file. Another file may get its inode number.
    pub(crate) fn closed(&self, file: &File) {
        let id = file.metadata().ok().as_ref().and_then(FileId::of);
        change(|registry| {
            let entry = registry.entries.iter_mut().find(|entry| Some(entry.number) == self.number);
            if let Some(entry) = entry.filter(|entry| entry.open == id) {
                entry.open = None;
            }
        });
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.number.is_some() {
            change(|registry| registry.entries.retain(|entry| Some(entry.number) != self.number));
            CHANGES.notify_all();
        }
    }
}

impl Registry {
    /// The entries of this path, by whatever name.
    fn of<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Entry> {
        let canonical = canonical_path(path);
        // Directories may have come, gone or been linked since an entry was made.
        self.entries.iter().filter(move |entry| entry.path == path || canonical_path(&entry.path) == canonical)
    }

    /// The path of a handler that gives its rotated files this name.
    fn rotator_with_backup(&self, path: &Path) -> Option<PathBuf> {
        let canonical = canonical_path(path);
        let is_owner = |entry: &&Entry| {
            entry.backups.as_ref().is_some_and(|backups| matches_backup(&entry.path, backups, &canonical))
        };
        self.entries.iter().find(is_owner).map(|entry| entry.path.clone())
    }

    /// A path in use that is the name of a rotated file of `base`.
    fn path_matching(&self, base: &Path, backups: &BackupMatcher) -> Option<PathBuf> {
        self.entries
            .iter()
            .find(|entry| matches_backup(base, backups, &canonical_path(&entry.path)))
            .map(|entry| entry.path.clone())
    }

    fn add(&mut self, path: &Path, shared: Option<SharedRotator>, backups: Option<BackupMatcher>) -> Claim {
        self.last += 1;
        self.entries.push(Entry { number: self.last, path: path.to_owned(), open: None, shared, backups });
        Claim { number: Some(self.last) }
    }
}

fn matches_backup(base: &Path, backups: &BackupMatcher, canonical: &Path) -> bool {
    canonical.file_name().is_some_and(|name| backups(name)) && canonical_path(base).parent() == canonical.parent()
}

/// The path without symbolic links, as far as it exists.
fn canonical_path(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    match (path.parent().map(fs::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

fn is_not_a_regular_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

/// Identifies a file, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    #[cfg(test)]
    pub(super) fn of_number(inode: u64) -> Self {
        Self { device: 0, inode }
    }

    /// None if the system has no such number.
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }

    /// None if the system has no such number.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sink::scratch::Dir;

    struct Rotator(&'static str, #[allow(dead_code)] Claim);

    fn rotator(path: &Path, name: &'static str) -> Result<Arc<Rotator>, Error> {
        let fits = |other: &Rotator| if other.0 == name { Ok(()) } else { Err(Error::config("other settings")) };
        share(path, Arc::new(|_| false), |claim| Ok(Rotator(name, claim)), fits)
    }

    #[test]
    fn t37_those_that_append_may_be_several_and_not_beside_one_that_rotates() {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let (one, two) = (claim(&path).unwrap(), claim(&path).unwrap());
        let error = rotator(&path, "a").err().unwrap();
        assert!(error.is_config() && error.to_string().contains(path.to_str().unwrap()), "{error}");
        drop((one, two));
        let rotating = rotator(&path, "a").unwrap();
        let error = claim(&path).unwrap_err();
        assert!(error.is_config() && error.to_string().contains(path.to_str().unwrap()), "{error}");
        drop(rotating);
        claim(&path).unwrap();
    }

    #[test]
    fn t37_those_that_rotate_share_or_are_refused() {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let first = rotator(&path, "a").unwrap();
        assert!(Arc::ptr_eq(&first, &rotator(&path, "a").unwrap()));
        assert_eq!(rotator(&path, "b").err().unwrap().to_string(), "other settings");
        assert!(
            share(&path, Arc::new(|_| false), |_| Ok(7_u8), |_| Ok(()))
                .unwrap_err()
                .to_string()
                .contains("another kind")
        );
        drop(first);
        assert_eq!(rotator(&path, "b").unwrap().0, "b");
        // A failed `create` leaves nothing behind.
        share(&path, Arc::new(|_| false), |_| Err::<(), _>(Error::new("no")), |_| Ok(())).unwrap_err();
        rotator(&path, "c").unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn t37_links_lead_to_one_file() {
        let dir = Dir::new();
        fs::create_dir(dir.path("real")).unwrap();
        std::os::unix::fs::symlink(dir.path("real"), dir.path("link")).unwrap();
        let _rotator = rotator(&dir.path("real/app.log"), "a").unwrap();
        assert!(claim(&dir.path("link/app.log")).is_err());
        assert!(claim(&dir.path("link/../real/app.log")).is_err());
        claim(&dir.path("link/other.log")).unwrap();
    }

    #[test]
    fn t37_threads_that_come_at_once_get_one() {
        let dir = Dir::new();
        let path = dir.path("app.log");
        for _ in 0..20 {
            let all: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| rotator(&path, "a").unwrap())).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(all.iter().all(|one| Arc::ptr_eq(one, &all[0])));
        }
    }

    #[cfg(unix)]
    #[test]
    fn t30_a_file_is_known_by_its_inode_after_it_was_moved() {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let claim = claim(&path).unwrap();
        assert!(is_open(&path));
        claim.opened(&File::create(&path).unwrap());
        fs::rename(&path, dir.path("app.log.1")).unwrap();
        fs::write(dir.path("app.log.2"), "").unwrap();
        assert!(is_open(&dir.path("app.log.1")) && !is_open(&dir.path("app.log.2")));
        drop(claim);
        assert!(!is_open(&dir.path("app.log.1")) && !is_open(&path));
    }

    #[test]
    fn a_file_that_was_closed_is_not_open() {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let claim = claim(&path).unwrap();
        let file = File::create(&path).unwrap();
        claim.opened(&file);
        fs::rename(&path, dir.path("app.log.1")).unwrap();
        let other = File::create(dir.path("other")).unwrap();
        claim.closed(&other);
        assert!(is_open(&dir.path("app.log.1")));
        claim.closed(&file);
        assert!(!is_open(&dir.path("app.log.1")));
    }

    #[cfg(unix)]
    #[test]
    fn devices_belong_to_all() {
        let _one = claim(Path::new("/dev/null")).unwrap();
        assert!(!is_open(Path::new("/dev/null")));
    }
}
