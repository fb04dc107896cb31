//! What can go wrong within a rotation.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tracing_strata::{NamedHandler, clock::ManualClock, output::RotatingFile};

use super::{File, clock_at, files, record, sized, timed};
use crate::places::{Dir, remembering};

fn deliver(file: &NamedHandler, from: usize, until: usize) {
    (from..until).for_each(|number| file.emit(&record(&format!("record-{number:02}"))));
}

fn shared(file: File) -> (NamedHandler, Arc<std::sync::Mutex<Vec<String>>>) {
    let (error_handler, told) = remembering();
    (NamedHandler::with_error_handler("file", file, error_handler), told)
}

/// Records 0 to 9 while the rotation is refused, then, after it was made possible, 10 and 11.
fn refused_and_possible_again(dir: &Dir, file: File, clock: &ManualClock, allow: impl FnOnce()) -> Vec<String> {
    let (file, told) = shared(file);
    deliver(&file, 0, 5);
    // Each try waits longer; none is told again.
    for number in 5..10 {
        clock.advance(Duration::from_secs(100));
        deliver(&file, number, number + 1);
    }
    let text = fs::read_to_string(dir.path("app.log")).unwrap();
    assert_eq!(text.lines().count(), 10, "the records go on into the file in use");
    allow();
    // Not yet: the last try was just now.
    deliver(&file, 10, 11);
    assert_eq!(fs::read_to_string(dir.path("app.log")).unwrap().lines().count(), 11);
    clock.advance(Duration::from_secs(100));
    deliver(&file, 11, 13);
    assert_eq!((file.stats().written, file.stats().failed), (13, 0));
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with(&format!("cannot rotate {}: ", dir.path("app.log").display())), "{told:?}");
    files(dir)
}

#[test]
fn t36_a_refused_rename_is_told_once_and_tried_again() {
    let dir = Dir::new();
    let clock = clock_at("2024-03-05T12:00:00Z");
    fs::create_dir_all(dir.path("app.log.1/in the way")).unwrap();
    let file = sized(&dir, 25, 3).clock(clock.clone()).build().unwrap();
    let found = refused_and_possible_again(&dir, file, &clock, || fs::remove_dir_all(dir.path("app.log.1")).unwrap());
    let all: Vec<_> = (0..11).map(|number| format!("record-{number:02}")).collect();
    assert_eq!(found, ["app.log: record-11 record-12".to_owned(), format!("app.log.1: {}", all.join(" "))]);
}

#[test]
fn t36_something_in_the_way_of_those_that_move_up() {
    let dir = Dir::new();
    let clock = clock_at("2024-03-05T12:00:00Z");
    fs::create_dir_all(dir.path("app.log.3/in the way")).unwrap();
    fs::write(dir.path("app.log.1"), "one\n").unwrap();
    fs::write(dir.path("app.log.2"), "two\n").unwrap();
    let file = sized(&dir, 25, 5).clock(clock.clone()).build().unwrap();
    let found = refused_and_possible_again(&dir, file, &clock, || fs::remove_dir_all(dir.path("app.log.3")).unwrap());
    assert_eq!(found.len(), 4);
    assert_eq!(found[2..], ["app.log.2: one", "app.log.3: two"]);
}

#[test]
fn t36_by_time_with_a_namer_into_a_directory_that_is_not_there() {
    let dir = Dir::new();
    let (builder, clock) = timed(&dir, "D", "2024-03-05T12:00:00Z");
    let later = dir.path("archive");
    let namer = move |name: &Path| later.join(name.file_name().unwrap());
    let (file, told) = shared(builder.namer(namer).build().unwrap());
    deliver(&file, 0, 1);
    clock.advance(Duration::from_secs(86_400));
    deliver(&file, 1, 5);
    assert_eq!(files(&dir), ["app.log: record-00 record-01 record-02 record-03 record-04"]);
    fs::create_dir(dir.path("archive")).unwrap();
    clock.advance(Duration::from_secs(5));
    deliver(&file, 5, 6);
    assert_eq!(files(&dir), ["app.log: record-05", "archive: ?"]);
    let archived = fs::read_to_string(dir.path("archive/app.log.2024-03-05")).unwrap();
    assert_eq!(archived.lines().count(), 5);
    assert_eq!((told.lock().unwrap().len(), file.stats().written, file.stats().other_errors), (1, 6, 1));
}

#[test]
fn a_namer_that_begins_to_panic_stops_the_rotation_and_nothing_else() {
    let dir = Dir::new();
    let clock = clock_at("2024-03-05T12:00:00Z");
    let panics = Arc::new(AtomicBool::new(false));
    let now = panics.clone();
    let namer = move |name: &Path| {
        assert!(!now.load(Ordering::Relaxed), "scripted");
        name.to_owned()
    };
    let (file, told) = shared(sized(&dir, 12, 2).namer(namer).clock(clock.clone()).build().unwrap());
    deliver(&file, 0, 2);
    panics.store(true, Ordering::Relaxed);
    deliver(&file, 2, 5);
    // By hand as well: no loop.
    panics.store(false, Ordering::Relaxed);
    clock.advance(Duration::from_secs(1));
    deliver(&file, 5, 6);
    let expected = ["app.log: record-05", "app.log.1: record-01 record-02 record-03 record-04", "app.log.2: record-00"];
    assert_eq!(files(&dir), expected);
    assert_eq!(told.lock().unwrap().as_slice(), ["panicked in the namer(): scripted"]);
    panics.store(true, Ordering::Relaxed);
    assert!(RotatingFile::builder(dir.path("b.log")).namer(|_| panic!("scripted")).build().unwrap_err().is_panic());
}

#[test]
fn a_deleted_file_or_directory_is_made_anew() {
    let dir = Dir::new();
    let path = dir.path("logs/app.log");
    let builder = RotatingFile::builder(&path).max_bytes(25).backups(2).create_dirs(true).format(crate::places::Bare);
    let (file, told) = shared(builder.build().unwrap());
    deliver(&file, 0, 2);
    fs::remove_file(&path).unwrap();
    deliver(&file, 2, 3);
    assert_eq!(fs::read_to_string(&path).unwrap(), "record-02\n");
    fs::remove_dir_all(dir.path("logs")).unwrap();
    // One fits the file that is gone; then it is noticed.
    deliver(&file, 3, 5);
    assert_eq!(fs::read_to_string(&path).unwrap(), "record-04\n");
    assert_eq!((file.stats().written, told.lock().unwrap().len()), (5, 0));
}

#[test]
fn a_callback_that_panics_is_told_and_has_no_lock() {
    let dir = Dir::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let told_to = move |rotated: &tracing_strata::output::RotatedFile| {
        use std::io::Read as _;
        let mut text = String::new();
        rotated.file().read_to_string(&mut text).unwrap();
        assert!(text.starts_with("record-"));
        // On a thread of its own, where nothing is logged.
        assert_eq!(std::thread::current().name(), Some("strata-archive"));
        count.fetch_add(1, Ordering::Relaxed);
        panic!("scripted");
    };
    let built = sized(&dir, 12, 2).on_rotation(told_to).build().unwrap();
    let sink = built.as_sink().clone();
    let (file, told) = shared(built);
    for number in 0..4 {
        deliver(&file, number, number + 1);
        assert!(sink.wait_for_archiving(Duration::from_secs(60)));
    }
    assert_eq!((calls.load(Ordering::Relaxed), told.lock().unwrap().len()), (3, 3));
    assert_eq!(file.stats().written, 4);
}

/// Compressed files move up with the others, at whatever moment the compression comes by.
#[test]
fn t42_compression_beside_rotations_loses_nothing() {
    use tracing_strata::sink::Compression;
    for dated in [false, true] {
        let dir = Dir::new();
        let builder = match dated {
            false => sized(&dir, 200, 60),
            true => timed(&dir, "D", "2024-03-05T12:00:00Z").0.max_bytes(200),
        };
        let built = builder.compression(Compression::gzip()).build().unwrap();
        let sink = built.as_sink().clone();
        let (file, told) = shared(built);
        for number in 0..800 {
            file.emit(&record(&format!("record-{number:03}")));
        }
        file.flush().unwrap();
        drop(file);
        assert!(sink.wait_for_archiving(Duration::from_secs(60)));
        assert_eq!(*told.lock().unwrap(), [""; 0]);
        drop(sink);
        // What the bounded queue left plain, the next start compresses.
        let builder = match dated {
            false => sized(&dir, 200, 60),
            true => timed(&dir, "D", "2024-03-05T12:00:00Z").0.max_bytes(200),
        };
        let sink = builder.compression(Compression::gzip()).build_sink().unwrap();
        assert!(sink.wait_for_archiving(Duration::from_secs(60)));
        let mut lines = Vec::new();
        for entry in fs::read_dir(dir.path("")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(name == "app.log" || name.ends_with(".gz"), "{name}");
            lines.extend(read_maybe_compressed(&path).lines().map(str::to_owned));
        }
        lines.sort();
        let expected: Vec<_> = (0..800).map(|number| format!("record-{number:03}")).collect();
        assert!(lines == expected, "{} lines", lines.len());
    }
}

fn read_maybe_compressed(path: &Path) -> String {
    use std::io::Read as _;
    if path.extension().is_none_or(|suffix| suffix != "gz") {
        return fs::read_to_string(path).unwrap();
    }
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}
