//! Nothing is lost while the receiver is away, through SIGKILL and forks.

use std::{
    collections::HashMap,
    env, fs,
    io::{Seek as _, Write as _},
    path::Path,
    process::{self, Child},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tracing_strata::{
    Error, Format, NamedHandler, Record,
    format::Buffer,
    output::{Elasticsearch, Http},
};

use super::{
    LONG, emit, named,
    receiver::{Receiver, Reply, status},
};
use crate::places::{Dir, again, if_child, in_a_child};

const URL: &str = "STRATA_TEST_URL";
const SPOOL: &str = "STRATA_TEST_SPOOL";
const START: &str = "STRATA_TEST_START";
const MAX_BATCH: usize = 16;

/// The message and the id.
struct Identified;

impl Format for Identified {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        out.push_str(&format!("{} {:032x}", record.message(), record.id().unwrap()));
        Ok(())
    }
}

fn spooled(url: &str, spool: &Path) -> (NamedHandler, Arc<Mutex<Vec<String>>>) {
    named(
        Http::builder(url)
            .format(Identified)
            .max_batch(MAX_BATCH)
            .max_batch_bytes(16 << 10)
            .schedule_delay(Duration::from_millis(3))
            .timeout(Duration::from_millis(100))
            .flush_timeout(LONG)
            .spool(spool, 4 << 20),
    )
}

fn is_sent(spool: &Path) -> bool {
    let mut names = fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    !names.any(|name| name.ends_with(".spool"))
}

/// Logs numbers, and says how many of them are safe, until it is killed. From number 0 on it only sends what is left.
fn log_until_killed(report: &Path) {
    let (url, spool) = (env::var(URL).unwrap(), env::var(SPOOL).unwrap());
    let start: u64 = env::var(START).unwrap().parse().unwrap();
    let (handler, _) = spooled(&url, Path::new(&spool));
    let mut safe = fs::File::create(report).unwrap();
    if start == 0 {
        while !is_sent(Path::new(&spool)) {
            thread::sleep(Duration::from_millis(1));
        }
        return;
    }
    for number in start.. {
        emit(&handler, &[&number.to_string()]);
        if number % 7 == 0 {
            let stats = handler.stats();
            assert_eq!(stats.dropped, 0, "{stats}");
            safe.rewind().unwrap();
            safe.write_all(format!("{:010}", start + stats.written).as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn spawn(url: &str, spool: &Path, report: &Path, start: u64) -> Child {
    let mut command = again("http::spool::nothing_is_lost_through_sigkill", report);
    command.env(URL, url).env(SPOOL, spool).env(START, start.to_string());
    command.spawn().unwrap()
}

#[test]
fn nothing_is_lost_through_sigkill() {
    if_child(log_until_killed);
    let kills: u64 = env::var("STRATA_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let seed = env::var("STRATA_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("STRATA_SEED={seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let dir = Dir::new();
    let (spool, report) = (dir.path("spool"), dir.path("report"));
    let receiver = Receiver::start();
    let url = receiver.url("/");
    let mood = Arc::new(AtomicU32::new(0));
    let taken = Arc::<Mutex<Vec<String>>>::default();
    let keys = Arc::<Mutex<HashMap<String, String>>>::default();
    let unanswered = Arc::new(AtomicU32::new(0));
    {
        let (mood, taken, keys) = (Arc::clone(&mood), Arc::clone(&taken), Arc::clone(&keys));
        let unanswered = Arc::clone(&unanswered);
        receiver.judge(move |got| {
            let mood = mood.load(Ordering::SeqCst);
            let take = || {
                // The same key is the same request, whichever process sends it.
                let key = got.headers["idempotency-key"].clone();
                let known = keys.lock().unwrap().entry(key).or_insert_with(|| got.body.clone()).clone();
                assert_eq!(known, got.body);
                taken.lock().unwrap().extend(got.body.lines().map(str::to_owned));
            };
            match mood {
                0 => take(),
                // Taken, but its answer is lost.
                1 => {
                    take();
                    unanswered.fetch_add(1, Ordering::SeqCst);
                    return Some(Reply::Close);
                }
                2 => return Some(status(503)),
                _ => {
                    thread::sleep(Duration::from_millis(150));
                    return Some(Reply::Close);
                }
            }
            None
        });
    }
    let mut safe = Vec::new();
    for round in 1..=kills {
        fs::remove_file(&report).unwrap_or_default();
        let start = round * 1_000_000;
        mood.store(dice.u32(..4), Ordering::SeqCst);
        let mut child = spawn(&url, &spool, &report, start);
        let began = Instant::now();
        while !fs::read(&report).is_ok_and(|text| text.len() == 10) {
            assert!(child.try_wait().unwrap().is_none() && began.elapsed() < LONG);
            thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..dice.u32(1..4) {
            thread::sleep(Duration::from_micros(dice.u64(..60_000)));
            mood.store(dice.u32(..4), Ordering::SeqCst);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        safe.push(start..fs::read_to_string(&report).unwrap().parse().unwrap());
    }
    mood.store(0, Ordering::SeqCst);
    assert!(spawn(&url, &spool, &report, 0).wait().unwrap().success());

    let taken = taken.lock().unwrap();
    let mut ids = HashMap::new();
    let mut order = Vec::new();
    for line in taken.iter() {
        let (number, id) = line.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        match ids.insert(number, id) {
            None => order.push(number),
            // Sent again under its id.
            Some(before) => assert_eq!(before, id),
        }
    }
    assert!(order.is_sorted(), "{order:?}");
    for range in &safe {
        assert!(range.clone().all(|number| ids.contains_key(&number)), "{range:?}: {order:?}");
    }
    let mut all: Vec<_> = ids.values().collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), ids.len(), "an id stands for two records");
    let (count, twice) = (safe.iter().map(|range| range.end - range.start).sum::<u64>(), taken.len() - order.len());
    println!("{count} safe, {} arrived, {twice} of them twice, {} requests", order.len(), receiver.requests().len());
    // Only what was on its way when the answer or the process was gone.
    let most = (u64::from(unanswered.load(Ordering::SeqCst)) + kills) * (MAX_BATCH as u64 + 1);
    assert!(count > 100 && twice as u64 <= most, "{twice} of at most {most}");
}

/// Elasticsearch is told the id, and says that it knows it.
#[test]
fn a_record_that_is_there_already_is_accepted() {
    const KNOWN: &str = r#"{"errors":true,"items":[{"create":{"status":201}},
        {"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"exists"}}}]}"#;
    let (dir, receiver) = (Dir::new(), Receiver::start());
    receiver.script([status(503), Reply::Status(200, &[], KNOWN)]);
    let search = Http::builder(Elasticsearch::new(receiver.url(""))).schedule_delay(LONG).flush_timeout(LONG);
    let (search, told) = named(search.spool(dir.path(""), 4 << 20));
    emit(&search, &["one", "two"]);
    search.flush().unwrap();
    while !is_sent(&dir.path("")) {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!((search.stats().written, search.stats().failed), (2, 0));
    assert_eq!(told.lock().unwrap().len(), 1, "{told:?}");
    let requests = receiver.requests();
    let actions: Vec<_> = requests[0].body.lines().step_by(2).collect();
    assert!(actions.len() == 2 && actions[0] != actions[1], "{actions:?}");
    assert!(
        actions.iter().all(|action| action.split_once("\"_id\":\"").is_some_and(|(_, id)| id.len() == 35)),
        "{actions:?}"
    );
    let sent = requests.iter().map(|got| (&got.headers["idempotency-key"], &got.body)).collect::<Vec<_>>();
    assert!(sent.len() == 2 && sent[0] == sent[1] && sent[0].0.len() == 34, "{sent:?}");
}

#[test]
fn the_child_of_a_fork_has_no_spool() {
    use fork::{Fork, fork, waitpid};

    const NAME: &str = "http::spool::the_child_of_a_fork_has_no_spool";
    if_child(|report| {
        let (url, spool) = (env::var(URL).unwrap(), env::var(SPOOL).unwrap());
        let spool = Path::new(&spool);
        let build = || {
            Http::builder(&*url)
                .retry_for(Duration::ZERO)
                .schedule_delay(LONG)
                .flush_timeout(LONG)
                .spool(spool, 4 << 20)
        };
        let (http, _) = named(build());
        emit(&http, &["parent"]);
        http.flush().unwrap();
        let files = || fs::read_dir(spool).unwrap().count();
        assert_eq!(files(), 2);
        match fork().unwrap() {
            Fork::Child => {
                // As without a spool: the receiver is away, so the record failed.
                emit(&http, &["child"]);
                http.flush().unwrap();
                let counts = http.stats().to_string();
                let error = build().build().unwrap_err();
                fs::write(report, format!("{counts}\n{}\n{error}", files())).unwrap();
                process::exit(0);
            }
            Fork::Parent(pid) => waitpid(pid).unwrap(),
        };
        emit(&http, &["parent, too"]);
        http.flush().unwrap();
        assert_eq!(http.stats().written, 2);
        drop(http);
        // It was not the child's to keep.
        drop(build().build().unwrap());
    });
    let dir = Dir::new();
    let receiver = Receiver::start();
    receiver.judge(|_| Some(status(503)));
    let url = receiver.url("/");
    let report = in_a_child(
        NAME,
        |command| {
            command.env(URL, url).env(SPOOL, dir.path("spool"));
        },
        |_| (),
    );
    let mut lines = report.lines();
    assert!(report.starts_with("2 accepted: 1 written, 0 filtered, 0 dropped, 1 failed, 0 queued"), "{report}");
    lines.next();
    assert_eq!(lines.next(), Some("2"));
    assert!(lines.next().unwrap().contains("spool: cannot use"), "{report}");
}
