//! What an output in batches keeps on disk while its receiver is away.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use tracing_strata::{
    Error, NamedHandler, Record, Severity,
    output::{Answer, Attempt, Batch, Batched, BatchedBuilder, Verdict},
    record::OwnedRecord,
};

use crate::places::{Dir, remembering};

const LONG: Duration = Duration::from_secs(60);

/// What a store does with a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    IsAway,
    /// Says nothing until it has another mood.
    Hangs,
    /// Refuses every tenth.
    IsPicky,
    Panics,
}

#[derive(Clone)]
struct Store(Arc<(Mutex<Inside>, Condvar)>);

struct Inside {
    mood: Mood,
    taken: Vec<String>,
    ids: HashMap<u128, String>,
    asked: usize,
}

impl Store {
    fn new(mood: Mood) -> Self {
        let inside = Inside { mood, taken: Vec::new(), ids: HashMap::new(), asked: 0 };
        Self(Arc::new((Mutex::new(inside), Condvar::new())))
    }

    fn set(&self, mood: Mood) {
        self.0.0.lock().unwrap().mood = mood;
        self.0.1.notify_all();
    }

    fn taken(&self) -> Vec<String> {
        self.0.0.lock().unwrap().taken.clone()
    }

    fn wait(&self, until: impl Fn(&Inside) -> bool) {
        let inside = self.0.0.lock().unwrap();
        let over = self.0.1.wait_timeout_while(inside, LONG, |inside| !until(inside)).unwrap().1;
        assert!(!over.timed_out());
    }

    fn wait_for(&self, count: usize) {
        self.wait(|inside| inside.taken.len() >= count);
    }
}

impl Batch for Store {
    fn send(&self, records: &[OwnedRecord], _: &Attempt) -> Answer {
        let mut inside = self.0.0.lock().unwrap();
        inside.asked += 1;
        self.0.1.notify_all();
        let mut inside = self.0.1.wait_while(inside, |inside| inside.mood == Mood::Hangs).unwrap();
        let mood = inside.mood;
        if mood == Mood::IsAway {
            return Answer::Retry { after: Some(Duration::from_millis(1)), error: Error::new("away") };
        }
        if mood == Mood::Panics {
            drop(inside);
            panic!("scripted");
        }
        let mut verdicts = Vec::new();
        for record in records {
            if mood == Mood::IsPicky && record.message().ends_with('7') {
                verdicts.push(Verdict::Refused(Error::new(format!("{} is bad", record.message()))));
                continue;
            }
            if let Some(id) = record.id() {
                let known = inside.ids.entry(id).or_insert_with(|| record.message().to_owned());
                assert_eq!(known, record.message());
            }
            inside.taken.push(record.message().to_owned());
            verdicts.push(Verdict::Accepted);
        }
        self.0.1.notify_all();
        Answer::Each(verdicts)
    }
}

fn builder(store: &Store, dir: &Path) -> BatchedBuilder {
    Batched::builder(store.clone())
        .name("store")
        .max_batch(10)
        .max_batch_bytes(8 << 10)
        .schedule_delay(LONG)
        .flush_timeout(LONG)
        .spool(dir, 1 << 20)
}

fn named(builder: BatchedBuilder) -> (NamedHandler, Arc<Mutex<Vec<String>>>) {
    let (error_handler, told) = remembering();
    (NamedHandler::with_error_handler("store", builder.build().unwrap(), error_handler), told)
}

fn emit(handler: &NamedHandler, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        handler.emit(&Record::new(Severity::INFO, "t", &number.to_string()));
    }
}

fn numbers(range: impl IntoIterator<Item = usize>) -> Vec<String> {
    range.into_iter().map(|number| number.to_string()).collect()
}

/// The names in a spool, without its lock.
fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
    names.sort();
    names
}

fn wait_until_sent(dir: &Path) {
    let began = Instant::now();
    while !files(dir).iter().all(|name| name.ends_with(".corrupt")) {
        assert!(began.elapsed() < LONG, "{:?}", files(dir));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Leaves so many records of an earlier run.
fn leave(dir: &Path, range: std::ops::Range<usize>) {
    let (handler, _) = named(builder(&Store::new(Mood::IsAway), dir));
    let count = range.len() as u64;
    emit(&handler, range);
    handler.flush().unwrap();
    let stats = handler.stats();
    assert_eq!((stats.written, stats.queued, stats.dropped, stats.failed), (count, 0, 0, 0), "{stats}");
}

#[test]
fn what_cannot_be_sent_waits_on_disk_and_goes_first() {
    let dir = Dir::new();
    let dir = dir.path("spool");
    leave(&dir, 0..95);
    assert!(!files(&dir).is_empty());
    leave(&dir, 95..120);
    let store = Store::new(Mood::Takes);
    let (handler, told) = named(builder(&store, &dir));
    emit(&handler, 120..125);
    handler.flush().unwrap();
    store.wait_for(125);
    assert_eq!(store.taken(), numbers(0..125));
    wait_until_sent(&dir);
    assert_eq!((files(&dir), told.lock().unwrap().len()), (Vec::new(), 0));
    assert_eq!(handler.stats().written, 5);
}

#[test]
fn while_all_is_well_nothing_is_written() {
    let dir = Dir::new();
    let store = Store::new(Mood::Takes);
    let (handler, _) = named(builder(&store, &dir.path("")));
    for number in 0..100 {
        emit(&handler, [number]);
        handler.flush().unwrap();
        assert_eq!((store.taken().len(), files(&dir.path("")).len()), (number + 1, 0));
    }
}

#[test]
fn it_comes_back_while_records_come() {
    let dir = Dir::new();
    let store = Store::new(Mood::Takes);
    let (handler, told) = named(builder(&store, &dir.path("")));
    for number in 0..2_000 {
        if number % 100 == 0 {
            store.set(if number / 100 % 2 == 0 { Mood::Takes } else { Mood::IsAway });
        }
        emit(&handler, [number]);
        if number % 33 == 0 {
            handler.flush().unwrap();
        }
    }
    store.set(Mood::Takes);
    handler.flush().unwrap();
    store.wait_for(2_000);
    assert_eq!(store.taken(), numbers(0..2_000));
    wait_until_sent(&dir.path(""));
    let stats = handler.stats();
    assert_eq!((stats.written, stats.dropped, stats.failed), (2_000, 0, 0));
    assert!(told.lock().unwrap().iter().all(|error| error == "away"));
    // Each has an id of its own.
    assert_eq!(store.0.0.lock().unwrap().ids.len(), 2_000);
}

#[test]
fn a_full_spool_leaves_records_in_memory_and_to_the_policy_of_the_queue() {
    let dir = Dir::new();
    let store = Store::new(Mood::IsAway);
    let small = builder(&store, &dir.path("")).spool(dir.path(""), 16 << 10).capacity(50);
    let (handler, told) = named(small);
    let mut count = 0;
    let is_full = || told.lock().unwrap().iter().any(|error| error.contains("has no room"));
    while handler.stats().dropped < 5 {
        emit(&handler, [count]);
        count += 1;
        while !is_full() && handler.stats().queued > 20 {
            std::thread::yield_now();
        }
    }
    let held: u64 = files(&dir.path("")).iter().map(|name| fs::metadata(dir.path(name)).unwrap().len()).sum();
    assert!(held <= 16 << 10, "{held}");
    assert!(is_full());
    store.set(Mood::Takes);
    handler.flush().unwrap();
    let dropped = handler.stats().dropped as usize;
    // The notice of what was lost, too.
    store.wait_for(count - dropped + 1);
    let taken = store.taken();
    let (notices, taken): (Vec<_>, Vec<_>) = taken.into_iter().partition(|text| text.ends_with("lost"));
    let taken: Vec<usize> = taken.iter().map(|text| text.parse().unwrap()).collect();
    assert!(taken.is_sorted() && taken.len() == count - dropped, "{taken:?}");
    let lost: usize = notices.iter().map(|text| text.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!((lost, handler.stats().written), (dropped, (count - dropped) as u64));
}

#[test]
fn a_shutdown_with_a_receiver_that_hangs_loses_nothing() {
    let dir = Dir::new();
    let store = Store::new(Mood::Hangs);
    {
        let (handler, _) = named(builder(&store, &dir.path("")).flush_timeout(Duration::from_secs(1)));
        emit(&handler, 0..25);
        store.wait(|inside| inside.asked > 0);
        emit(&handler, 25..67);
    }
    let again = Store::new(Mood::Takes);
    let (handler, _) = named(builder(&again, &dir.path("")));
    again.wait_for(67);
    handler.flush().unwrap();
    assert_eq!(again.taken(), numbers(0..67));
    store.set(Mood::IsAway);
}

#[test]
fn a_shutdown_with_a_receiver_that_is_away_stores_all_at_once() {
    let dir = Dir::new();
    let began = Instant::now();
    leave(&dir.path(""), 0..500);
    assert!(began.elapsed() < LONG / 2);
    let again = Store::new(Mood::Takes);
    let (_handler, _) = named(builder(&again, &dir.path("")));
    again.wait_for(500);
    assert_eq!(again.taken(), numbers(0..500));
}

/// The segments of a spool with `count` records in batches of ten.
fn segments(dir: &Path, count: usize) -> Vec<std::path::PathBuf> {
    leave(dir, 0..count);
    files(dir).iter().map(|name| dir.join(name)).collect()
}

#[test]
fn a_damaged_entry_is_set_aside_and_counted_and_the_others_arrive() {
    let dir = Dir::new();
    let dir = dir.path("spool");
    leave(&dir, 100..120);
    let segment = dir.join(&files(&dir)[0]);
    let bytes = fs::read(&segment).unwrap();
    // The damaged ones, how many are told, and what arrives. After eight in a row of one batch, a wrong length is more
    // likely; where batches end is a matter of time.
    for (damaged, lost, arrives) in [
        (110..111, 1..=1, numbers((100..110).chain(111..120))),
        (100..101, 1..=1, numbers(101..120)),
        (119..120, 1..=1, numbers(100..119)),
        (112..115, 3..=3, numbers((100..112).chain(115..120))),
        (113..120, 7..=7, numbers(100..113)),
        (105..112, 7..=7, numbers((100..105).chain(112..120))),
        (101..120, 8..=19, numbers(100..101)),
    ] {
        fs::remove_dir_all(&dir).unwrap();
        fs::create_dir(&dir).unwrap();
        let mut bytes = bytes.clone();
        for number in damaged.clone() {
            let message = number.to_string();
            let at = bytes.windows(3).position(|text| text == message.as_bytes()).unwrap();
            bytes[at] = b'X';
        }
        fs::write(&segment, bytes).unwrap();
        let store = Store::new(Mood::Takes);
        let (handler, told) = named(builder(&store, &dir));
        store.wait_for(arrives.len());
        wait_until_sent(&dir);
        assert_eq!(store.taken(), arrives, "{damaged:?}: {told:?} {:?}", files(&dir));
        assert!(files(&dir)[0].ends_with("1.corrupt"), "{:?}", files(&dir));
        emit(&handler, [20]);
        handler.flush().unwrap();
        let told = told.lock().unwrap();
        assert!(told.iter().any(|told| told.contains("not as they were written")), "{told:?}");
        assert!(told.last().unwrap().contains("1.corrupt"), "{told:?}");
        let stats = handler.stats();
        assert!(stats.written == 1 && lost.contains(&stats.failed), "{damaged:?}: {stats}, {told:?}");
    }
}

/// Another file stands in its place for a while: it can be read, and not written.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_opened_is_told_once_and_sent_when_it_can() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    let dir = Dir::new();
    let spool = dir.path("spool");
    // More than one segment.
    leave(&spool, 0..1_500);
    let second = spool.join(&files(&spool)[1]);
    let aside = dir.path("aside");
    fs::create_dir(&aside).unwrap();
    let exchange = || renameat_with(CWD, &second, CWD, &aside, RenameFlags::EXCHANGE).unwrap();
    let store = Store::new(Mood::Hangs);
    let (handler, told) = named(builder(&store, &spool));
    emit(&handler, [1_500]);
    store.wait(|inside| inside.asked > 0);
    exchange();
    store.set(Mood::Takes);
    let began = Instant::now();
    while told.lock().unwrap().is_empty() {
        assert!(began.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(1));
    }
    exchange();
    store.wait_for(1_500);
    wait_until_sent(&spool);
    handler.flush().unwrap();
    store.wait_for(1_501);
    assert_eq!(store.taken(), numbers(0..1_501));
    let told = told.lock().unwrap();
    assert!(told.len() == 1 && told[0].starts_with(&format!("cannot open {}", second.display())), "{told:?}");
    assert_eq!((handler.stats().failed, handler.stats().dropped), (0, 0));
}

#[test]
fn a_torn_tail_is_set_aside_and_the_rest_arrives() {
    let dir = Dir::new();
    let dir = dir.path("spool");
    let segments = segments(&dir, 20);
    let bytes = fs::read(&segments[0]).unwrap();
    for cut in [1, 5, 40] {
        fs::write(&segments[0], &bytes[..bytes.len() - cut]).unwrap();
        let store = Store::new(Mood::Takes);
        let (handler, told) = named(builder(&store, &dir));
        store.wait_for(19);
        wait_until_sent(&dir);
        emit(&handler, [20]);
        handler.flush().unwrap();
        assert_eq!(store.taken(), numbers((0..21).filter(|number| *number != 19)));
        assert!(told.lock().unwrap().iter().all(|told| told.contains("not whole")), "{told:?}");
        assert_eq!(handler.stats().failed, 1);
    }
}

#[test]
fn what_is_no_segment_of_ours_is_set_aside() {
    let dir = Dir::new();
    let dir = dir.path("spool");
    let segments = segments(&dir, 20);
    let bytes = fs::read(&segments[0]).unwrap();
    let mut later = bytes.clone();
    later[7] = 2;
    for (content, why) in
        [(&later[..], "version 2, expected 1"), (b"something else that is long", "no segment"), (b"x", "header")]
    {
        fs::write(&segments[0], content).unwrap();
        fs::write(dir.join("00000000000000000002.spool"), &bytes).unwrap();
        fs::write(dir.join("00000000000000000003.spool"), "").unwrap();
        fs::write(dir.join("notes.spool"), "").unwrap();
        let store = Store::new(Mood::Takes);
        let (handler, told) = named(builder(&store, &dir));
        store.wait_for(20);
        emit(&handler, [20]);
        handler.flush().unwrap();
        assert!(told.lock().unwrap()[0].contains(why), "{told:?}");
        assert_eq!(store.taken(), numbers(0..21));
        assert_eq!(files(&dir), ["00000000000000000001.corrupt", "notes.spool"]);
        assert_eq!(fs::read(dir.join("00000000000000000001.corrupt")).unwrap(), content);
    }
}

#[test]
fn damage_of_any_kind_neither_panics_nor_hangs() {
    let dir = Dir::new();
    let original = dir.path("original");
    let segments = segments(&original, 30);
    let bytes = fs::read(&segments[0]).unwrap();
    for seed in 0..40 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let spool = dir.path(&seed.to_string());
        fs::create_dir(&spool).unwrap();
        let mut bytes = bytes.clone();
        for _ in 0..dice.usize(1..4) {
            let at = dice.usize(..bytes.len());
            match dice.u32(..3) {
                0 => bytes[at] = dice.u8(..),
                1 => bytes.truncate(at + 1),
                _ => bytes.insert(at, dice.u8(..)),
            }
        }
        fs::write(spool.join("00000000000000000001.spool"), bytes).unwrap();
        let store = Store::new(Mood::Takes);
        let (handler, _) = named(builder(&store, &spool));
        emit(&handler, [1_000]);
        handler.flush().unwrap();
        store.wait(|inside| inside.taken.last().is_some_and(|text| text == "1000"));
        assert!(store.taken().iter().map(|text| text.parse::<usize>().unwrap()).is_sorted_by(|a, b| a < b));
        drop(handler);
    }
}

#[test]
fn two_handlers_never_share_a_spool() {
    let dir = Dir::new();
    let store = Store::new(Mood::Takes);
    let first = builder(&store, &dir.path("")).build().unwrap();
    let error = builder(&store, &dir.path("")).build().unwrap_err();
    assert!(error.is_config(), "{error}");
    let lock = dir.path("lock").display().to_string();
    assert!(
        error.to_string().starts_with("store: spool: cannot use ") && error.to_string().ends_with(&lock),
        "{error}"
    );
    drop(first);
    drop(builder(&store, &dir.path("")).build().unwrap());
}

#[test]
fn a_spool_that_cannot_be_is_an_error_at_build() {
    let dir = Dir::new();
    let file = dir.path("file");
    fs::write(&file, "").unwrap();
    let error = builder(&Store::new(Mood::Takes), &file.join("spool")).build().unwrap_err();
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    let error = builder(&Store::new(Mood::Takes), &dir.path("")).spool(dir.path(""), 1).build().unwrap_err();
    assert!(error.to_string().contains("spool: expected at least 16384 bytes"), "{error}");
    let error = builder(&Store::new(Mood::Takes), Path::new("")).build().unwrap_err();
    assert!(error.to_string().contains("expected a directory"), "{error}");
}

#[test]
fn another_configuration_sends_what_was_left() {
    let dir = Dir::new();
    leave(&dir.path(""), 0..300);
    let store = Store::new(Mood::Takes);
    let other =
        builder(&store, &dir.path("")).max_batch(3).max_batch_bytes(500).spool(dir.path(""), 1_000).spool_sync(true);
    let (handler, _) = named(other);
    emit(&handler, 300..310);
    handler.flush().unwrap();
    store.wait_for(310);
    assert_eq!(store.taken(), numbers(0..310));
}

#[test]
fn what_is_refused_out_of_the_spool_fails_and_is_told() {
    let dir = Dir::new();
    leave(&dir.path(""), 0..20);
    let store = Store::new(Mood::IsAway);
    let (handler, told) = named(builder(&store, &dir.path("")));
    emit(&handler, 20..40);
    handler.flush().unwrap();
    assert_eq!(handler.stats().written, 20);
    store.set(Mood::IsPicky);
    store.wait_for(36);
    wait_until_sent(&dir.path(""));
    handler.flush().unwrap();
    let stats = handler.stats();
    // Two of an earlier run count as accepted here; two of this one were written.
    assert_eq!((stats.accepted(), stats.written, stats.failed, stats.queued), (22, 18, 4, 0), "{stats}");
    let told = told.lock().unwrap();
    assert!(
        ["7 is bad", "17 is bad", "27 is bad", "37 is bad"].iter().all(|bad| told.iter().any(|text| text == bad)),
        "{told:?}"
    );
}

#[test]
fn what_a_panic_ends_out_of_the_spool_fails_and_is_told() {
    let dir = Dir::new();
    leave(&dir.path(""), 0..10);
    let store = Store::new(Mood::IsAway);
    let (handler, told) = named(builder(&store, &dir.path("")));
    emit(&handler, 10..20);
    handler.flush().unwrap();
    store.set(Mood::Panics);
    wait_until_sent(&dir.path(""));
    store.set(Mood::Takes);
    emit(&handler, [20]);
    handler.flush().unwrap();
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.written, stats.failed, stats.queued), (21, 1, 20, 0), "{stats}");
    let told = told.lock().unwrap();
    // Once for each batch; how many they are is a matter of time.
    assert!((2..=20).contains(&told.iter().filter(|text| text.contains("scripted")).count()), "{told:?}");
    assert_eq!(store.taken(), ["20"]);
}

/// A limit on the length of files stands for a full disk: it needs no privileges, and ends a write in the middle.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_records_in_memory_until_there_is_room() {
    use crate::places::in_a_child;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    const NAME: &str = "spool::a_full_disk_leaves_records_in_memory_until_there_is_room";
    let limit = |current: Option<u64>| {
        let maximum = getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current: current.or(maximum), maximum }).unwrap();
    };
    let child = |report: &Path| {
        let dir = report.with_file_name("spool");
        let store = Store::new(Mood::IsAway);
        let (handler, told) = named(builder(&store, &dir).capacity(50));
        let began = Instant::now();
        let (mut count, path) = (0, dir.join("00000000000000000001.spool"));
        let failures = || {
            let told = told.lock().unwrap();
            let is_it = |text: &&String| text.starts_with(&format!("cannot write {}: ", path.display()));
            told.iter().filter(is_it).count()
        };
        for round in 1..=3 {
            limit(Some(8_000 * round));
            let dropped = handler.stats().dropped;
            while handler.stats().dropped < dropped + 5 {
                emit(&handler, [count]);
                count += 1;
                while failures() < round as usize && handler.stats().queued > 20 {
                    assert!(began.elapsed() < LONG, "{told:?}");
                    std::thread::yield_now();
                }
            }
            // It is told once, and all that was not dropped is in memory or, whole, on the disk.
            let stats = handler.stats();
            assert_eq!((failures(), stats.failed), (round as usize, 0), "{told:?}");
            assert_eq!(stats.written + stats.queued + stats.dropped, count as u64, "{stats}");
            assert!(fs::metadata(&path).unwrap().len() <= 8_000 * round && stats.queued >= 45, "{stats}");
        }
        limit(None);
        // All finds room, while the receiver is still away.
        handler.flush().unwrap();
        let stats = handler.stats();
        assert_eq!((stats.queued, stats.failed, failures()), (0, 0, 3), "{stats}, {told:?}");
        drop(handler);
        let again = Store::new(Mood::Takes);
        let (_handler, told) = named(builder(&again, &dir));
        wait_until_sent(&dir);
        assert_eq!(files(&dir).len() + told.lock().unwrap().len(), 0);
        let (notices, taken): (Vec<_>, Vec<_>) = again.taken().into_iter().partition(|text| text.ends_with("lost"));
        let taken: Vec<usize> = taken.iter().map(|text| text.parse().unwrap()).collect();
        assert!(taken.is_sorted() && taken.len() as u64 == stats.written, "{taken:?}");
        let lost: u64 = notices.iter().map(|text| text.split(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!((lost, stats.written + lost), (stats.dropped, count as u64));
        fs::write(report, "all well").unwrap();
    };
    // Within a shell that ignores the signal that such a write sends.
    let prepare = |command: &mut std::process::Command| {
        let inner = std::mem::replace(command, std::process::Command::new("sh"));
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
        command.stdin(std::process::Stdio::null());
        command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    };
    assert_eq!(in_a_child(NAME, prepare, child), "all well");
}
