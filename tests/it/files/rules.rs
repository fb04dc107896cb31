//! The rules of Python's `FileHandler` (13) and `WatchedFileHandler` (14), one by one; where ours differ, the name says so.

use std::{
    env,
    fs::{self, File},
    io::Write as _,
};

use tracing_strata::{Flush, Handler, NamedHandler, output::LogFile, sink::ReopenPolicy};

use super::{buffered, read, record};
use crate::{
    places::{Bare, Dir, remembering},
    support::Give as _,
};

#[test]
fn rule_13_1_it_appends_to_an_absolute_path_and_opens_at_once() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    fs::write(&path, "old\n").unwrap();
    let file = LogFile::builder(&path).build().unwrap().format(Bare);
    file.give(&record("new")).unwrap();
    assert_eq!(read(&path), "old\nnew\n");
    LogFile::builder(dir.path("made.log")).build().unwrap();
    assert!(dir.path("made.log").exists());
    let relative = LogFile::builder("relative.log").open_lazily(true).build_sink().unwrap();
    assert_eq!(relative.path(), env::current_dir().unwrap().join("relative.log"));
}

#[test]
fn rule_13_2_truncate_is_done_when_it_is_opened() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    fs::write(&path, "old\n").unwrap();
    let _file = LogFile::builder(&path).truncate(true).build().unwrap();
    assert_eq!(read(&path), "");
}

#[test]
fn rule_13_3_a_delayed_file_is_opened_by_the_first_record() {
    let dir = Dir::new();
    for (name, watched) in [("plain.log", false), ("watched.log", true)] {
        let path = dir.path(name);
        let builder =
            if watched { LogFile::builder(&path).watch(ReopenPolicy::each_record()) } else { LogFile::builder(&path) };
        let file = builder.open_lazily(true).format(Bare).build().unwrap();
        assert!(!path.exists());
        file.give(&record("first")).unwrap();
        assert_eq!(read(&path), "first\n");
    }
}

#[test]
fn rule_13_4_and_13_5_ours_is_always_utf_8() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    LogFile::builder(&path).build().unwrap().format(Bare).give(&record("\u{eb}\u{6f22}\u{1f389}")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), "\u{eb}\u{6f22}\u{1f389}\n".as_bytes());
}

#[test]
fn rule_13_6_after_close_the_next_record_opens_it_again_ours_also_with_truncate() {
    let dir = Dir::new();
    for (name, truncate) in [("append.log", false), ("truncate.log", true)] {
        let path = dir.path(name);
        let file = LogFile::builder(&path).truncate(truncate).format(Bare).build().unwrap();
        file.give(&record("1")).unwrap();
        file.as_sink().close().unwrap();
        file.give(&record("2")).unwrap();
        assert_eq!(read(&path), "1\n2\n");
    }
}

#[test]
fn rule_13_7_a_file_that_cannot_be_opened_is_an_error_of_whoever_configures() {
    let dir = Dir::new();
    let path = dir.path("missing/app.log");
    let error = LogFile::builder(&path).build().unwrap_err();
    assert!(error.is_io() && error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn rule_13_8_several_handlers_may_append_to_one_file() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    let one = LogFile::builder(&path).build().unwrap().format(Bare);
    let two = LogFile::builder(&path).watch(ReopenPolicy::each_record()).format(Bare).build().unwrap();
    for (number, file) in [&one, &two, &one].into_iter().enumerate() {
        file.give(&record(&number.to_string())).unwrap();
    }
    assert_eq!(read(&path), "0\n1\n2\n");
}

#[test]
fn rule_14_1_a_file_that_is_gone_or_another_is_opened_again() {
    for buffer in [None, Some(1)] {
        let dir = Dir::new();
        let (path, moved) = (dir.path("app.log"), dir.path("app.log.1"));
        let file = buffered(LogFile::builder(&path).watch(ReopenPolicy::each_record()), buffer).build().unwrap();
        file.give(&record("1")).unwrap();
        fs::rename(&path, &moved).unwrap();
        // Gone.
        file.give(&record("2")).unwrap();
        file.flush(&Flush::PLAIN).unwrap();
        assert_eq!((read(&moved).as_str(), read(&path).as_str()), ("1\n", "2\n"));
        // Another.
        fs::rename(&path, &moved).unwrap();
        fs::write(&path, "of others\n").unwrap();
        file.give(&record("3")).unwrap();
        file.flush(&Flush::PLAIN).unwrap();
        assert_eq!((read(&moved).as_str(), read(&path).as_str()), ("2\n", "of others\n3\n"));
        // Deleted.
        fs::remove_file(&path).unwrap();
        file.give(&record("4")).unwrap();
        file.flush(&Flush::PLAIN).unwrap();
        assert_eq!(read(&path), "4\n");
    }
}

#[test]
fn rule_14_1_ours_does_not_truncate_when_it_opens_again() {
    let dir = Dir::new();
    let (path, moved) = (dir.path("app.log"), dir.path("app.log.1"));
    let file = LogFile::builder(&path).watch(ReopenPolicy::each_record()).truncate(true).format(Bare).build().unwrap();
    fs::rename(&path, &moved).unwrap();
    fs::write(&path, "of others\n").unwrap();
    file.give(&record("1")).unwrap();
    assert_eq!(read(&path), "of others\n1\n");
}

#[test]
fn rule_14_2_a_plain_file_goes_on_in_the_file_that_was_moved() {
    let dir = Dir::new();
    let (path, moved) = (dir.path("app.log"), dir.path("app.log.1"));
    let file = LogFile::builder(&path).build().unwrap().format(Bare);
    fs::rename(&path, &moved).unwrap();
    file.give(&record("1")).unwrap();
    assert_eq!(read(&moved), "1\n");
    assert!(!path.exists());
}

#[test]
fn rule_14_3_a_file_truncated_in_place_is_not_opened_again_and_goes_on_at_its_new_end() {
    let dir = Dir::new();
    let path = dir.path("app.log");
    let file = LogFile::builder(&path).watch(ReopenPolicy::each_record()).format(Bare).build().unwrap();
    file.give(&record("before, and longer")).unwrap();
    let mut other = File::options().write(true).truncate(true).open(&path).unwrap();
    file.give(&record("after")).unwrap();
    assert_eq!(read(&path), "after\n");
    other.write_all(b"AFTER").unwrap();
    file.give(&record("last")).unwrap();
    assert_eq!(read(&path), "AFTER\nlast\n");
}

#[test]
fn rule_14_4_before_the_first_opening_nothing_is_watched() {
    let dir = Dir::new();
    let path = dir.path("later/app.log");
    let (error_handler, told) = remembering();
    let file = NamedHandler::with_error_handler(
        "w",
        LogFile::builder(&path).watch(ReopenPolicy::each_record()).open_lazily(true).format(Bare).build().unwrap(),
        error_handler,
    );
    file.flush().unwrap();
    assert!(told.lock().unwrap().is_empty());
    fs::create_dir(dir.path("later")).unwrap();
    file.emit(&record("1"));
    assert_eq!((read(&path).as_str(), file.stats().written), ("1\n", 1));
}
