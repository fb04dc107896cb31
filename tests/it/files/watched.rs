//! Files that others move away while we write.

use std::{collections::HashSet, fs, path::Path, time::Duration};

use tracing_strata::{NamedHandler, clock::ManualClock, ledger::ErrorHandler, output::LogFile, sink::ReopenPolicy};

use super::{buffered, read, record};
use crate::{
    places::{Bare, Dir, remembering},
    support::Give as _,
};

/// The messages of all files in a directory, each once.
fn all_lines(dir: &Dir) -> HashSet<String> {
    let mut all = HashSet::new();
    for entry in fs::read_dir(dir.path("")).unwrap() {
        let text = read(&entry.unwrap().path());
        assert!(text.is_empty() || text.ends_with('\n'));
        for line in text.lines() {
            assert!(all.insert(line.to_owned()), "{line} twice");
        }
    }
    all
}

#[test]
fn t38_two_threads_lose_nothing_while_it_is_moved_and_made_anew() {
    for buffer in [None, Some(200)] {
        let dir = Dir::new();
        let path = dir.path("app.log");
        let (error_handler, told) = remembering();
        let file = NamedHandler::with_error_handler(
            "w",
            buffered(LogFile::builder(&path).watch(ReopenPolicy::each_record()), buffer).build().unwrap(),
            error_handler,
        );
        std::thread::scope(|scope| {
            for who in ["a", "b"] {
                let file = &file;
                scope.spawn(move || (0..2_000).for_each(|number| file.emit(&record(&format!("{who}{number}")))));
            }
            for number in 0..40 {
                // Where it is not there yet, the next one finds it.
                if fs::rename(&path, dir.path(&format!("app.log.{number}"))).is_ok() && number % 2 == 0 {
                    fs::File::options().create(true).append(true).open(&path).unwrap();
                }
                std::thread::yield_now();
            }
        });
        file.flush().unwrap();
        assert_eq!(*told.lock().unwrap(), [""; 0]);
        assert_eq!((all_lines(&dir).len(), file.stats().written), (4_000, 4_000));
    }
}

#[test]
fn t38_the_next_record_after_a_move_is_in_the_new_file() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    let file = LogFile::builder(&path).watch(ReopenPolicy::each_record()).format(Bare).build().unwrap();
    for number in 0..50 {
        file.give(&record(&number.to_string())).unwrap();
        assert_eq!(read(&path), format!("{number}\n"));
        fs::rename(&path, dir.path("app.log.1")).unwrap();
    }
}

#[test]
fn t38_copytruncate() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    for file in [LogFile::builder(&path).watch(ReopenPolicy::each_record()), LogFile::builder(&path)] {
        let file = file.format(Bare).build().unwrap();
        file.give(&record("1")).unwrap();
        fs::copy(&path, dir.path("app.log.1")).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        file.give(&record("2")).unwrap();
        // No hole where the old end was.
        assert_eq!((read(&dir.path("app.log.1")).as_str(), read(&path).as_str()), ("1\n", "2\n"));
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn an_interval_looks_no_more_often_and_whenever_the_clock_goes_back() {
    let dir = Dir::new();
    let (path, moved) = (dir.path("app.log"), dir.path("app.log.1"));
    let clock = ManualClock::at(1_700_000_000);
    let watch = ReopenPolicy::at_most_every(Duration::from_millis(100)).clock(clock.clone());
    let file = LogFile::builder(&path).watch(watch).format(Bare).build().unwrap();
    // The first record looks.
    fs::remove_file(&path).unwrap();
    file.give(&record("1")).unwrap();
    fs::rename(&path, &moved).unwrap();
    clock.advance(Duration::from_millis(99));
    file.give(&record("2")).unwrap();
    assert!(!path.exists());
    clock.advance(Duration::from_millis(1));
    file.give(&record("3")).unwrap();
    assert_eq!((read(&moved).as_str(), read(&path).as_str()), ("1\n2\n", "3\n"));
    fs::remove_file(&path).unwrap();
    clock.set(std::time::UNIX_EPOCH);
    file.give(&record("4")).unwrap();
    assert_eq!(read(&path), "4\n");
}

/// What to do with the path so that it cannot be opened, and how to undo it.
type Obstacle = (fn(&Path), fn(&Path));

const IN_THE_WAY: Obstacle = (|path| fs::create_dir(path).unwrap(), |path| fs::remove_dir(path).unwrap());

#[test]
fn t12_a_file_that_was_moved_stays_in_use_while_the_path_cannot_be_opened() {
    for buffer in [None, Some(1)] {
        let dir = Dir::new();
        let (path, moved) = (dir.path("app.log"), dir.path("app.log.1"));
        let (error_handler, told) = remembering();
        let file = NamedHandler::with_error_handler(
            "w",
            buffered(LogFile::builder(&path).watch(ReopenPolicy::each_record()), buffer).build().unwrap(),
            error_handler,
        );
        file.emit(&record("1"));
        fs::rename(&path, &moved).unwrap();
        IN_THE_WAY.0(&path);
        file.emit(&record("2"));
        file.flush().unwrap();
        let expected = format!("cannot reopen {}: ", path.display());
        assert!(told.lock().unwrap().iter().all(|told| told.starts_with(&expected)), "{told:?}");
        assert_eq!((read(&moved).as_str(), file.stats().failed), ("1\n2\n", 0));
        assert!(file.stats().other_errors > 0);
        // It goes on by itself.
        IN_THE_WAY.1(&path);
        file.emit(&record("3"));
        file.flush().unwrap();
        assert_eq!((read(&path).as_str(), file.stats().written), ("3\n", 3));
    }
}

#[test]
fn t12_records_fail_rather_than_go_to_a_file_without_a_name() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    let (error_handler, failures) = ErrorHandler::counting();
    let file = NamedHandler::with_error_handler(
        "w",
        LogFile::builder(&path).watch(ReopenPolicy::each_record()).format(Bare).build().unwrap(),
        error_handler,
    );
    file.emit(&record("1"));
    fs::remove_file(&path).unwrap();
    IN_THE_WAY.0(&path);
    file.emit(&record("2"));
    file.emit(&record("3"));
    assert_eq!((file.stats().failed, failures.load(std::sync::atomic::Ordering::Relaxed)), (2, 2));
    IN_THE_WAY.1(&path);
    file.emit(&record("4"));
    assert_eq!((read(&path).as_str(), file.stats().written), ("4\n", 2));
}
