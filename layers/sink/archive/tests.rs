use std::{
    any::Any,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, UNIX_EPOCH},
};

use super::{compress::MAX_ATTEMPTS, names::with_suffix, queue::OnArchived, *};
use crate::{
    Delivery, Error, Handler, Outcome,
    ledger::{ErrorHandler, Ledger},
    sink::{registry::claim, scratch::Dir},
};

const LONG: Duration = Duration::from_secs(60);

struct Nothing;

impl Handler for Nothing {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        Ok(Outcome::Written)
    }
}

/// A ledger, and the errors that its error handler got.
fn ledger() -> (Arc<Ledger>, Arc<Mutex<Vec<String>>>) {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let remember = Arc::clone(&reported);
    let error_handler = ErrorHandler::new(move |failure| remember.lock().unwrap().push(failure.error().to_string()));
    (crate::NamedHandler::with_error_handler("archive", Nothing, error_handler).ledger(), reported)
}

fn job(base: &Path, path: &Path, compression: Compression, ledger: Option<Arc<Ledger>>) -> Job {
    Job {
        base: base.to_owned(),
        path: path.to_owned(),
        compression: Some(compression),
        on_archived: None,
        ledger,
        process_lock: None,
    }
}

fn both() -> [Compression; 2] {
    [Compression::gzip(), Compression::zstd()]
}

/// What is in a compressed file.
fn unpacked(path: &Path, compression: Compression) -> String {
    let mut text = String::new();
    compression.decode(File::open(path).unwrap()).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Compresses and waits; returns the reported errors.
fn done(base: &Path, path: &Path, compression: Compression) -> Vec<String> {
    let (ledger, reported) = ledger();
    enqueue(job(base, path, compression, Some(Arc::clone(&ledger)))).unwrap();
    assert!(wait_until_done(base, LONG));
    let reported = reported.lock().unwrap().clone();
    assert_eq!(ledger.stats().other_errors, reported.len() as u64);
    reported
}

fn lines(count: usize) -> String {
    (0..count).map(|number| format!("{{\"number\":{number}}}\n")).collect()
}

#[test]
fn t42_a_file_is_compressed_with_its_time_and_permissions() {
    for compression in both() {
        for text in [String::new(), lines(50_000)] {
            let dir = Dir::new();
            let (base, path) = (dir.path("app.log"), dir.path("app.log.1"));
            fs::write(&path, &text).unwrap();
            let old = UNIX_EPOCH + Duration::from_millis(1_234_567_891);
            File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
            #[cfg(unix)]
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
            assert_eq!(done(&base, &path, compression), [""; 0]);
            let target = with_suffix(&path, compression.suffix());
            assert_eq!(dir.names(), [target.file_name().unwrap().to_str().unwrap()]);
            assert_eq!(unpacked(&target, compression), text);
            let metadata = fs::metadata(&target).unwrap();
            assert_eq!(metadata.modified().unwrap(), old);
            #[cfg(unix)]
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o640);
            assert!(text.is_empty() || metadata.len() * 4 < text.len() as u64);
        }
    }
}

#[test]
fn levels_beyond_the_scale_are_its_ends() {
    for level in [i32::MIN, -1, 0, 1, 9, 22, i32::MAX] {
        for compression in both() {
            let dir = Dir::new();
            fs::write(dir.path("a.1"), lines(10)).unwrap();
            assert_eq!(done(&dir.path("a"), &dir.path("a.1"), compression.level(level)), [""; 0]);
        }
    }
}

#[test]
fn t42_whoever_asks_does_not_wait() {
    let dir = Dir::new();
    let (base, path) = (dir.path("app.log"), dir.path("app.log.1"));
    fs::write(&path, lines(10)).unwrap();
    // Guarded: it cannot end before this does.
    let guard = RenameGuard::acquire(&base).unwrap();
    enqueue(job(&base, &path, Compression::gzip(), None)).unwrap();
    enqueue(job(&base, &path, Compression::gzip(), None)).unwrap();
    assert!(!wait_until_done(&base, Duration::ZERO));
    assert!(path.exists());
    drop(guard);
    assert!(wait_until_done(&base, LONG));
    assert_eq!(dir.names(), ["app.log.1.gz"]);
}

#[test]
fn t42_a_crash_in_any_phase_leaves_the_plain_file_or_a_whole_one() {
    for compression in both() {
        let suffix = compression.suffix();
        let text = lines(1_000);
        let dir = Dir::new();
        let (base, path) = (dir.path("app.log"), dir.path("app.log.1"));
        let target = with_suffix(&path, suffix);
        // While it was being written: a part of it, which is not locked.
        fs::write(&path, &text).unwrap();
        fs::write(dir.path(format!("app.log.1-1.{suffix}.part")), "half").unwrap();
        remove_stale_parts(&base, &dir.path(""));
        assert_eq!(dir.names(), ["app.log.1"]);
        assert_eq!(done(&base, &path, compression), [""; 0]);
        assert_eq!(unpacked(&target, compression), text);
        // After it was renamed, before the plain one was deleted.
        let modified = fs::metadata(&target).unwrap().modified().unwrap();
        fs::write(&path, &text).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        let before = fs::read(&target).unwrap();
        assert_eq!(done(&base, &path, compression), [""; 0]);
        assert_eq!(dir.names(), [format!("app.log.1.{suffix}")]);
        assert_eq!(fs::read(&target).unwrap(), before);
        // After that there is nothing to do.
        assert_eq!(done(&base, &path, compression), [""; 0]);
        assert_eq!(fs::read(&target).unwrap(), before);
    }
}

#[test]
fn nothing_is_overwritten_where_the_name_is_taken() {
    for compression in both() {
        let dir = Dir::new();
        let (base, path) = (dir.path("app.log"), dir.path("app.log.1"));
        for text in ["first\n", "second\n", "", "third\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(done(&base, &path, compression), [""; 0]);
        }
        let target = with_suffix(&path, compression.suffix());
        assert_eq!(unpacked(&target, compression), "first\nsecond\nthird\n");
        // Where it is not whole, the plain file stays.
        let whole = fs::read(&target).unwrap();
        let torn = &whole[..whole.len() - 9];
        fs::write(&target, torn).unwrap();
        fs::write(&path, "fourth\n").unwrap();
        let reported = done(&base, &path, compression);
        let expected =
            format!("cannot compress {}: {} is there already and is not whole", path.display(), target.display());
        assert!(reported.len() == 1 && reported[0].starts_with(&expected), "{reported:?}");
        assert_eq!(
            (fs::read(&target).unwrap(), fs::read_to_string(&path).unwrap().as_str()),
            (torn.into(), "fourth\n")
        );
    }
}

#[test]
fn t42_a_failure_is_told_and_the_plain_file_stays_and_is_tried_again() {
    let dir = Dir::new();
    // Its own name is short enough, that of the part is too long.
    let base = dir.path("b".repeat(250));
    let path = dir.path("b.1");
    fs::write(&path, "text\n").unwrap();
    let reported = done(&base, &path, Compression::gzip());
    assert!(
        reported.len() == 1 && reported[0].starts_with(&format!("cannot compress {}: ", path.display())),
        "{reported:?}"
    );
    assert_eq!(dir.names(), ["b.1"]);
    assert_eq!(done(&dir.path("b"), &path, Compression::gzip()), [""; 0]);
    assert_eq!(dir.names(), ["b.1.gz"]);
    // A deleted file is no failure; a directory is one.
    assert_eq!(done(&base, &dir.path("none"), Compression::gzip()), [""; 0]);
    fs::create_dir(dir.path("b.2")).unwrap();
    assert_eq!(done(&base, &dir.path("b.2"), Compression::gzip()).len(), 1);
}

#[test]
fn it_follows_a_file_that_is_renamed_and_gives_up_one_that_is_deleted() {
    let dir = Dir::new();
    let base = dir.path("app.log");
    let guard = RenameGuard::acquire(&base).unwrap();
    for number in [1, 2, 3] {
        fs::write(dir.path(format!("app.log.{number}")), format!("{number}\n")).unwrap();
        enqueue(job(&base, &dir.path(format!("app.log.{number}")), Compression::zstd(), None)).unwrap();
    }
    // The oldest goes; the others move up; a new first comes.
    assert!(guard.remove(&dir.path("app.log.3")).unwrap());
    guard.rename(&dir.path("app.log.2"), &dir.path("app.log.3")).unwrap();
    guard.rename(&dir.path("app.log.1"), &dir.path("app.log.2")).unwrap();
    fs::write(dir.path("app.log.1"), "0\n").unwrap();
    drop(guard);
    assert!(wait_until_done(&base, LONG));
    assert_eq!(dir.names(), ["app.log.1", "app.log.2.zst", "app.log.3.zst"]);
    assert_eq!(unpacked(&dir.path("app.log.2.zst"), Compression::zstd()), "1\n");
    assert_eq!(unpacked(&dir.path("app.log.3.zst"), Compression::zstd()), "2\n");
}

#[test]
fn rotations_while_it_works_lose_nothing() {
    let dir = Dir::new();
    let base = dir.path("app.log");
    let keep = 200;
    let (ledger, reported) = ledger();
    for round in 0..keep {
        let guard = RenameGuard::acquire(&base).unwrap();
        for number in (1..round + 1).rev() {
            for suffix in ["", ".gz"] {
                let name = |number| dir.path(format!("app.log.{number}{suffix}"));
                if name(number).exists() {
                    guard.rename(&name(number), &name(number + 1)).unwrap();
                }
            }
        }
        fs::write(dir.path("app.log.1"), format!("{round}\n")).unwrap();
        drop(guard);
        enqueue(job(&base, &dir.path("app.log.1"), Compression::gzip(), Some(Arc::clone(&ledger)))).unwrap();
    }
    assert!(wait_until_done(&base, LONG));
    assert_eq!(*reported.lock().unwrap(), [""; 0]);
    let mut names: Vec<_> = (1..=keep).map(|number| format!("app.log.{number}.gz")).collect();
    names.sort();
    assert_eq!(dir.names(), names);
    for number in 1..=keep {
        let text = unpacked(&dir.path(format!("app.log.{number}.gz")), Compression::gzip());
        assert_eq!(text, format!("{}\n", keep - number));
    }
}

/// A lock that signals each request and waits until it is granted.
struct Gate(Mutex<(mpsc::Sender<()>, mpsc::Receiver<()>)>);

impl ProcessLock for Gate {
    fn lock(&self) -> io::Result<Box<dyn Any>> {
        let gate = self.0.lock().unwrap();
        gate.0.send(()).unwrap();
        gate.1.recv_timeout(LONG).unwrap();
        Ok(Box::new(()))
    }
}

#[test]
fn what_changes_while_it_works_is_looked_at_again() {
    let dir = Dir::new();
    let (base, path) = (dir.path("app.log"), dir.path("app.log.1"));
    fs::write(&path, "first\n").unwrap();
    let ((asked, asks), (open, gate)) = (mpsc::channel(), mpsc::channel());
    let process_lock: Arc<dyn ProcessLock> = Arc::new(Gate(Mutex::new((asked, gate))));
    let (ledger, reported) = ledger();
    let job = |path: &Path| Job {
        process_lock: Some(Arc::clone(&process_lock)),
        ..job(&base, path, Compression::gzip(), Some(Arc::clone(&ledger)))
    };
    enqueue(job(&path)).unwrap();
    // Another process still wrote to it …
    asks.recv_timeout(LONG).unwrap();
    File::options().append(true).open(&path).unwrap().write_all(b"second\n").unwrap();
    open.send(()).unwrap();
    // … and then rotated it away and created another.
    asks.recv_timeout(LONG).unwrap();
    fs::rename(&path, dir.path("app.log.2")).unwrap();
    fs::write(&path, "third\n").unwrap();
    open.send(()).unwrap();
    asks.recv_timeout(LONG).unwrap();
    open.send(()).unwrap();
    assert!(wait_until_done(&base, LONG));
    assert_eq!(dir.names(), ["app.log.1.gz", "app.log.2"]);
    assert_eq!(unpacked(&dir.path("app.log.1.gz"), Compression::gzip()), "third\n");
    // If that never ends, it is reported.
    enqueue(job(&dir.path("app.log.2"))).unwrap();
    for _ in 0..MAX_ATTEMPTS {
        asks.recv_timeout(LONG).unwrap();
        File::options().append(true).open(dir.path("app.log.2")).unwrap().write_all(b"more\n").unwrap();
        open.send(()).unwrap();
    }
    assert!(wait_until_done(&base, LONG));
    assert_eq!(dir.names(), ["app.log.1.gz", "app.log.2"]);
    assert!(reported.lock().unwrap()[0].contains("app.log.2: it is being written to"), "{reported:?}");
}

#[test]
fn t30_a_file_that_a_handler_has_open_is_not_deleted() {
    let dir = Dir::new();
    let base = dir.path("app.log");
    fs::write(dir.path("app.log.1"), "").unwrap();
    let claim = claim(&dir.path("app.log.1")).unwrap();
    let guard = RenameGuard::acquire(&base).unwrap();
    assert!(!guard.remove(&dir.path("app.log.1")).unwrap());
    drop(claim);
    assert!(guard.remove(&dir.path("app.log.1")).unwrap());
    assert!(dir.names().is_empty());
}

#[test]
fn the_callback_gets_a_file_that_is_compressed_or_could_not_be() {
    let dir = Dir::new();
    let base = dir.path("app.log");
    let (ledger, reported) = ledger();
    let (given, gives) = mpsc::channel();
    let on_archived = || -> Option<OnArchived> {
        let given = given.clone();
        Some(Box::new(move |path, mut file| {
            let mut bytes = Vec::new();
            // A directory cannot be read.
            file.read_to_end(&mut bytes).unwrap_or_default();
            given.send((path.to_owned(), bytes, tracing::enabled!(tracing::Level::ERROR))).unwrap();
        }))
    };
    let job = |name: &str| job(&base, &dir.path(name), Compression::gzip(), Some(Arc::clone(&ledger)));
    for name in ["app.log.1", "app.log.2", "app.log.3", "app.log.5"] {
        fs::write(dir.path(name), "text").unwrap();
    }
    fs::create_dir(dir.path("app.log.4")).unwrap();
    let guard = RenameGuard::acquire(&base).unwrap();
    // Asked for twice: compressed once, handed over once.
    enqueue(job("app.log.1")).unwrap();
    enqueue(Job { on_archived: on_archived(), ..job("app.log.1") }).unwrap();
    enqueue(Job { on_archived: on_archived(), compression: None, ..job("app.log.2") }).unwrap();
    enqueue(Job { on_archived: on_archived(), ..job("app.log.4") }).unwrap();
    enqueue(Job { on_archived: on_archived(), ..job("app.log.5") }).unwrap();
    enqueue(Job { on_archived: Some(Box::new(|_, _| panic!("scripted"))), ..job("app.log.3") }).unwrap();
    assert!(guard.remove(&dir.path("app.log.5")).unwrap());
    drop(guard);
    assert!(wait_until_done(&base, LONG));
    let packed = fs::read(dir.path("app.log.1.gz")).unwrap();
    let expected = [("app.log.1.gz", packed), ("app.log.2", b"text".to_vec()), ("app.log.4", Vec::new())];
    let expected = expected.map(|(name, bytes)| (dir.path(name), bytes, false));
    assert_eq!(gives.try_iter().collect::<Vec<_>>(), expected);
    let reported = reported.lock().unwrap();
    assert!(
        reported.len() == 2
            && reported[0].contains("app.log.4")
            && reported[1].contains("panicked in on_rotation(): scripted"),
        "{reported:?}"
    );
}

#[test]
fn an_error_handler_that_logs_on_the_archive_thread_is_not_heard() {
    let dir = Dir::new();
    let (heard, hears) = mpsc::channel();
    let error_handler = ErrorHandler::new(move |_| heard.send(tracing::enabled!(tracing::Level::ERROR)).unwrap());
    let ledger = crate::NamedHandler::with_error_handler("archive", Nothing, error_handler).ledger();
    fs::create_dir(dir.path("app.log.1")).unwrap();
    enqueue(job(&dir.path("app.log"), &dir.path("app.log.1"), Compression::gzip(), Some(ledger))).unwrap();
    assert!(!hears.recv_timeout(LONG).unwrap());
}
