//! Which files the handlers of this process have.
//!
//! Two that rotate one path would rename each other's files away, and whoever only appends would go on in a file that
//! another has rotated (T37); a prune must not delete what a handler still writes to (T30).

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

/// A handler's right to a path, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    /// None for what is no regular file: any number of handlers may have a device.
    number: Option<u64>,
}

#[derive(Clone)]
struct Entry {
    number: u64,
    path: PathBuf,
    /// The file it has open, wherever that was moved to.
    open: Option<FileId>,
    /// None for those that only append.
    rotated: Option<Shareable>,
    /// Which names in its directory are those of its rotated files.
    family: Option<Family>,
}

/// Says of a file name whether a rotated file has it. No user code.
pub(crate) type Family = Arc<dyn Fn(&OsStr) -> bool + Send + Sync>;

#[derive(Clone)]
enum Shareable {
    Coming,
    There(Weak<dyn Any + Send + Sync>),
}

#[derive(Clone, Default)]
struct Registry {
    entries: Vec<Entry>,
    last: u64,
}

static REGISTRY: ForkRwLock<Registry> = ForkRwLock::first(Registry { entries: Vec::new(), last: 0 });
/// Of those that look and then change it. They wait for it to change.
static TURN: ForkMutex<()> = ForkMutex::first(());

/// How long one waits for another thread that opens or closes the same path right now.
const PATIENCE: Duration = Duration::from_secs(5);

/// Changes it in a moment, while nobody else looks at it to do so.
fn change<R>(change: impl FnOnce(&mut Registry) -> R) -> R {
    let _turn = TURN.get();
    change(&mut REGISTRY.write())
}

thread_local! {
    static SUCCEEDING: Cell<bool> = const { Cell::new(false) };
}

/// While `make` runs, paths can be claimed that other handlers have: for one that takes the place of another, and is not
/// written to before that one is gone.
#[cfg(feature = "config")]
pub(crate) fn succeeding<R>(make: impl FnOnce() -> R) -> R {
    struct Over;
    impl Drop for Over {
        fn drop(&mut self) {
            SUCCEEDING.set(false);
        }
    }
    SUCCEEDING.set(true);
    let _over = Over;
    make()
}

/// For a handler that only appends to a file: there may be several.
///
/// # Errors
/// Another handler rotates it.
pub(crate) fn claim(path: &Path) -> Result<Claim, Error> {
    if is_no_regular_file(path) {
        return Ok(Claim { number: None });
    }
    let _turn = TURN.get();
    let registry = REGISTRY.read();
    if !SUCCEEDING.get() && registry.of(path).any(|entry| entry.rotated.is_some()) {
        return Err(refused(path, "a rotating handler of this process has this file; use that one, or another path"));
    }
    if !SUCCEEDING.get()
        && let Some(owner) = registry.rotator_to(path)
    {
        return Err(refused_to(path, &owner));
    }
    drop(registry);
    Ok(REGISTRY.write().add(path, None, None))
}

/// For a handler that rotates a file: what `make` makes is shared by all handlers of this path, as far as it `fits` them.
///
/// # Errors
/// Another handler only appends to it, or `make` or `fits` refuse.
pub(crate) fn share<T: Send + Sync + 'static>(
    path: &Path,
    family: Family,
    make: impl FnOnce(Claim) -> Result<T, Error>,
    fits: impl FnOnce(&T) -> Result<(), Error>,
) -> Result<Arc<T>, Error> {
    let mut turn = TURN.get();
    let add = |family| REGISTRY.write().add(path, Some(Shareable::Coming), Some(family));
    let claim = loop {
        if SUCCEEDING.get() {
            break add(family);
        }
        let registry = REGISTRY.read();
        if registry.of(path).any(|entry| entry.rotated.is_none()) {
            return Err(refused(path, "another handler of this process appends to this file without rotating it"));
        }
        let known = registry.of(path).find_map(|entry| entry.rotated.clone());
        let Some(Shareable::There(other)) = known else {
            if registry.of(path).next().is_none() {
                if let Some(owner) = registry.rotator_to(path) {
                    return Err(refused_to(path, &owner));
                }
                if let Some(other) = registry.has_one_of(path, &family) {
                    return Err(refused(
                        path,
                        format_args!(
                            "another handler of this process has {}, which is the name of a rotated file of this one",
                            other.display()
                        ),
                    ));
                }
                drop(registry);
                break add(family);
            }
            drop(registry);
            turn = wait(turn, path)?;
            continue;
        };
        drop(registry);
        match other.upgrade().map(Arc::downcast::<T>) {
            Some(Ok(found)) => {
                drop(turn);
                fits(&found)?;
                return Ok(found);
            }
            Some(Err(other)) => {
                drop(turn);
                drop(other);
                return Err(refused(path, "a handler of another kind rotates this file"));
            }
            // Its last owner is about to close it.
            None => turn = wait(turn, path)?,
        }
    };
    drop(turn);
    let number = claim.number;
    let made = Arc::new(make(claim)?);
    let shared: Weak<dyn Any + Send + Sync> = Arc::downgrade(&made) as _;
    change(|registry| {
        if let Some(entry) = registry.entries.iter_mut().find(|entry| Some(entry.number) == number) {
            entry.rotated = Some(Shareable::There(shared));
        }
    });
    TURN.notify_all();
    Ok(made)
}

fn wait<'a>(turn: MutexGuard<'a, ()>, path: &Path) -> Result<MutexGuard<'a, ()>, Error> {
    let mut has_waited = false;
    let (turn, is_late) = TURN.wait_while(turn, PATIENCE, |()| !mem::replace(&mut has_waited, true));
    if is_late {
        return Err(refused(path, "another handler of this process has been opening or closing it for 5 seconds"));
    }
    Ok(turn)
}

fn refused_to(path: &Path, owner: &Path) -> Error {
    refused(
        path,
        format_args!(
            "a handler of this process rotates {}, and this is the name of a rotated file of it; use another path",
            owner.display()
        ),
    )
}

fn refused(path: &Path, why: impl fmt::Display) -> Error {
    Error::config(format_args!("cannot use {}: {why}", path.display()))
}

/// Whether a handler of this process has this path, or the file that is there.
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
}

impl Claim {
    /// The handler closes this file: another may get its number in the file system.
    pub(crate) fn left(&self, file: &File) {
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
            TURN.notify_all();
        }
    }
}

impl Registry {
    /// Those that have this path, by whatever name.
    fn of<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Entry> {
        let place = true_path(path);
        // Directories may have come, gone or been linked since an entry was made.
        self.entries.iter().filter(move |entry| entry.path == path || true_path(&entry.path) == place)
    }

    /// The path of a handler that gives its rotated files this name.
    fn rotator_to(&self, path: &Path) -> Option<PathBuf> {
        let place = true_path(path);
        let is_owner = |entry: &&Entry| entry.family.as_ref().is_some_and(|family| is_of(&entry.path, family, &place));
        self.entries.iter().find(is_owner).map(|entry| entry.path.clone())
    }

    /// A path in use that a handler's rotated files would have.
    fn has_one_of(&self, base: &Path, family: &Family) -> Option<PathBuf> {
        self.entries.iter().find(|entry| is_of(base, family, &true_path(&entry.path))).map(|entry| entry.path.clone())
    }

    fn add(&mut self, path: &Path, rotated: Option<Shareable>, family: Option<Family>) -> Claim {
        self.last += 1;
        self.entries.push(Entry { number: self.last, path: path.to_owned(), open: None, rotated, family });
        Claim { number: Some(self.last) }
    }
}

/// Whether the true path is one of a family.
fn is_of(base: &Path, family: &Family, place: &Path) -> bool {
    place.file_name().is_some_and(|name| family(name)) && true_path(base).parent() == place.parent()
}

/// Without symbolic links, as far as it exists.
fn true_path(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    match (path.parent().map(fs::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

fn is_no_regular_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| !about.is_file())
}

/// Which file it is, whatever its name.
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

    /// None where the system has no such number.
    #[cfg(unix)]
    pub(crate) fn of(about: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        Some(Self { device: about.dev(), inode: about.ino() })
    }

    /// None where the system has no such number.
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

    struct Engine(&'static str, #[allow(dead_code)] Claim);

    fn engine(path: &Path, name: &'static str) -> Result<Arc<Engine>, Error> {
        let fits = |other: &Engine| if other.0 == name { Ok(()) } else { Err(Error::config("other settings")) };
        share(path, Arc::new(|_| false), |claim| Ok(Engine(name, claim)), fits)
    }

    #[test]
    fn t37_those_that_append_may_be_several_and_not_beside_one_that_rotates() {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let (one, two) = (claim(&path).unwrap(), claim(&path).unwrap());
        let error = engine(&path, "a").err().unwrap();
        assert!(error.is_config() && error.to_string().contains(path.to_str().unwrap()), "{error}");
        drop((one, two));
        let rotating = engine(&path, "a").unwrap();
        let error = claim(&path).unwrap_err();
        assert!(error.is_config() && error.to_string().contains(path.to_str().unwrap()), "{error}");
        drop(rotating);
        claim(&path).unwrap();
    }

    #[test]
    fn t37_those_that_rotate_share_or_are_refused() {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let first = engine(&path, "a").unwrap();
        assert!(Arc::ptr_eq(&first, &engine(&path, "a").unwrap()));
        assert_eq!(engine(&path, "b").err().unwrap().to_string(), "other settings");
        assert!(
            share(&path, Arc::new(|_| false), |_| Ok(7_u8), |_| Ok(()))
                .unwrap_err()
                .to_string()
                .contains("another kind")
        );
        drop(first);
        assert_eq!(engine(&path, "b").unwrap().0, "b");
        // A failed making leaves nothing behind.
        share(&path, Arc::new(|_| false), |_| Err::<(), _>(Error::new("no")), |_| Ok(())).unwrap_err();
        engine(&path, "c").unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn t37_links_lead_to_one_file() {
        let dir = Dir::new();
        fs::create_dir(dir.path("real")).unwrap();
        std::os::unix::fs::symlink(dir.path("real"), dir.path("link")).unwrap();
        let _engine = engine(&dir.path("real/app.log"), "a").unwrap();
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
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| engine(&path, "a").unwrap())).collect();
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
        claim.left(&other);
        assert!(is_open(&dir.path("app.log.1")));
        claim.left(&file);
        assert!(!is_open(&dir.path("app.log.1")));
    }

    #[cfg(unix)]
    #[test]
    fn devices_belong_to_all() {
        let _one = claim(Path::new("/dev/null")).unwrap();
        assert!(!is_open(Path::new("/dev/null")));
    }
}
