//! What records over HTTP, and by the forward protocol, cost: the thread that logs, and the thread that sends.
//!
//! ```text
//! cargo bench --bench http                # the whole table, about a minute
//! cargo bench --bench http -- --quick     # does it run? numbers are rough
//! ```
//!
//! One record is `info!` with a message and five fields (W1 of `foundation`), as JSON lines of 1,000 records a request, to a
//! receiver on loopback that answers and forgets. Each case is a process of its own. Time is what the threads have used the
//! processors, without those of the receiver; the median of rounds.
//!
//! | case | what is measured |
//! |---|---|
//! | format | the thread that logs, with a sink that takes all: the floor |
//! | ureq | the same, and a request for each 1,000 lines, by hand on that thread |
//! | queue | the thread that logs, before a `Queue` |
//! | http, logs | the thread that logs, before `Http` |
//! | http, sends | the thread of `Http` |
//! | forward, logs; sends | the same for `FluentForward`, packed and acknowledged |
//! | file | the thread of a `Queue` before a buffered file |
//! | spool | the threads of a `Batched` whose receiver is away: records go to its spool |
//!
//! Then, what 10⁷ records cost the thread that logs, and the process in memory, while nobody listens, with the 64 MiB of
//! `max_bytes` and no other limit. That all are on the account is asserted, and that memory is bounded: by half as
//! much again, for what the allocator and the process take beside the records.
//!
//! Last, how long a start takes until the first batch of a spool of 1 GB is sent, and how much memory the process has then.
//!
//! A bar that is not met is told, and fails nothing: time is no test.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "support/clock.rs"]
mod clock;

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, ExitCode},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use tracing::info;
use tracing_strata::{
    Error, Queue, Sink,
    format::Json,
    ledger::ErrorHandler,
    output::{Answer, Attempt, Batch, Batched, FluentForward, Formatted, Http, LogFile},
    prelude::*,
    record::OwnedRecord,
    sink::{Lines, net::Address},
};
use tracing_subscriber::prelude::*;

/// What a case writes.
static SCRATCH: OnceLock<PathBuf> = OnceLock::new();

const ROUND: u64 = 20_000;
const BATCH: usize = 1_000;
const LONG: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, name, rounds] = &args[..]
        && first == "--child"
    {
        child(name, rounds.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let (times, rounds) = if args.iter().any(|arg| arg == "--quick") { (1, 3) } else { (5, 21) };
    println!("{}\n", clock::here_and_now());
    let mut costs = Vec::new();
    for name in ["format", "ureq", "queue", "http", "forward", "file", "spool"] {
        let mut all = Vec::new();
        for _ in 0..times {
            match measure(name, rounds) {
                Some(cost) => all.push(cost),
                None => return ExitCode::FAILURE,
            }
        }
        costs.push(median(all));
    }
    let [(format, _), (ureq, _), (queue, _), http, forward, (_, file), (_, spool)] = costs[..] else {
        return ExitCode::FAILURE;
    };
    println!("| case | ns a record | × format | bar |\n|---|--:|--:|---|");
    let row = |case: &str, nanos: f64, bar: &str| println!("| {case} | {nanos:.0} | {:.2} | {bar} |", nanos / format);
    let verdict = |bar: &str, is_met: bool| format!("{bar}: {}", if is_met { "met" } else { "**not met**" });
    row("format", format, "");
    row("ureq", ureq, "");
    row("queue", queue, "");
    for (name, (logs, sends)) in [("http", http), ("forward", forward)] {
        row(&format!("{name}, logs"), logs, &verdict("as a queue", logs <= queue * 1.1));
        let per_second = 1e9 / sends;
        let is_fast = sends <= 2.0 * format && per_second >= 400_000.0;
        let bar = format!("≤ 2 × format, ≥ 400,000/s ({per_second:.0})");
        row(&format!("{name}, sends"), sends, &verdict(&bar, is_fast));
    }
    row("file", file, "");
    row("spool", spool, &verdict(&format!("≤ 1.3 × file ({:.2})", spool / file), spool <= 1.3 * file));
    let millions = if times == 1 { 1 } else { 10 };
    let Some((nanos, memory)) = measure("dead", millions) else { return ExitCode::FAILURE };
    let bar = verdict("≤ 64 MiB", memory <= 64.0);
    println!(
        "\n{millions},000,000 records, nobody listens: {nanos:.0} ns a record, {memory:.1} MiB more in use; {bar}"
    );
    let gigabytes = if times == 1 { "0.1" } else { "1" };
    let Some((millis, memory)) = measure("start", if times == 1 { 100 } else { 1_000 }) else {
        return ExitCode::FAILURE;
    };
    println!(
        "\na spool of {gigabytes} GB: the first batch after {millis:.0} ms, {memory:.0} MB in use; {}",
        verdict("≤ 1 s", millis <= 1e3)
    );
    ExitCode::SUCCESS
}

fn median(mut costs: Vec<(f64, f64)>) -> (f64, f64) {
    costs.sort_by(|a, b| (a.0 + a.1).total_cmp(&(b.0 + b.1)));
    costs[costs.len() / 2]
}

fn measure(name: &str, rounds: u32) -> Option<(f64, f64)> {
    let out = Command::new(std::env::current_exe().ok()?).args(["--child", name, &rounds.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    match numbers[..] {
        [own, others] if out.status.success() => Some((own, others)),
        _ => {
            eprintln!("{name}: {text}{}", String::from_utf8_lossy(&out.stderr));
            None
        }
    }
}

// --- one case, in a process of its own

/// Leaves so many megabytes, and starts again.
fn start(megabytes: u64) {
    let dir = scratch("spool");
    let builder =
        |batch: Box<dyn Batch>| Batched::builder(batch).spool(&dir, 1 << 32).capacity(32_768).flush_timeout(LONG);
    let away = builder(Box::new(Away)).build().unwrap().named("away");
    away.set_error_handler(ErrorHandler::silent());
    let layer = tracing_subscriber::registry().with(away.clone().into_layer());
    tracing::subscriber::with_default(layer, || {
        while fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum::<u64>()
            < megabytes << 20
        {
            (0..ROUND).for_each(record);
            away.flush().unwrap();
        }
    });
    drop(away);
    let (first, is_first) = mpsc::channel();
    let begun = Instant::now();
    let _here = builder(Box::new(First(Mutex::new(first)))).build().unwrap();
    let millis = (is_first.recv().unwrap() - begun).as_secs_f64() * 1e3;
    println!("{millis} {}", kilobytes_in_use() / 1e3);
    fs::remove_dir_all(&dir).unwrap();
    std::process::exit(0);
}

fn kilobytes_in_use() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let found = lines.find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    found.unwrap_or_default()
}

/// So many million records, and nobody listens.
fn dead(millions: u64) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let http = Http::builder(format!("http://127.0.0.1:{port}")).capacity(10_000_000).retry_for(LONG * 60);
    let http = http.flush_timeout(Duration::ZERO).build().unwrap().named("dead");
    http.set_error_handler(ErrorHandler::silent());
    tracing_subscriber::registry().with(http.clone().into_layer()).init();
    let (before, begun) = (kilobytes_in_use(), clock::thread_time());
    (0..millions * 1_000_000).for_each(record);
    let nanos = (clock::thread_time() - begun).as_nanos() as f64 / (millions * 1_000_000) as f64;
    let (stats, memory) = (http.stats(), (kilobytes_in_use() - before) / 1_024.0);
    assert_eq!((stats.queued + stats.dropped, stats.written + stats.failed), (millions * 1_000_000, 0), "{stats}");
    assert!(stats.queued > 10_000 && memory <= 96.0, "{memory} MiB: {stats}");
    println!("{nanos} {memory}");
}

/// Says when it was asked.
struct First(Mutex<mpsc::Sender<Instant>>);

impl Batch for First {
    fn send(&self, _: &[OwnedRecord], _: &Attempt) -> Answer {
        self.0.lock().unwrap().send(Instant::now()).unwrap_or_default();
        Answer::retry(Error::new("that was enough"))
    }
}

fn child(name: &str, rounds: u32) {
    match name {
        "start" => return start(rounds.into()),
        "dead" => return dead(rounds.into()),
        _ => {}
    }
    let flush = install(name);
    let mut samples = Vec::new();
    for round in 0..rounds + 2 {
        let (own, all, receiver) = (clock::thread_time(), process_time(), receiver_time());
        (0..ROUND).for_each(record);
        let own = clock::thread_time() - own;
        flush();
        let others = (process_time() - all).saturating_sub(own + (receiver_time() - receiver));
        if round >= 2 {
            samples.push((own.as_nanos() as f64 / ROUND as f64, others.as_nanos() as f64 / ROUND as f64));
        }
    }
    let (own, others) = median(samples);
    println!("{own} {others}");
    if let Some(path) = SCRATCH.get() {
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
}

fn record(index: u64) {
    let client = Ipv4Addr::from_bits(0x0a00_0000 | index as u32);
    info!(user = index, route = "/orders", ms = index as f64 / 8.0, cached = true, %client, "request served");
}

fn install(name: &str) -> Box<dyn Fn()> {
    let registry = tracing_subscriber::registry();
    match name {
        "format" => registry.with(Formatted::new(Json::new(), Forget).into_layer()).init(),
        "ureq" => registry.with(Formatted::new(Json::new(), ByHand::new(receiver())).into_layer()).init(),
        "queue" => {
            let queue = Queue::builder().capacity(32_768).max_bytes(usize::MAX);
            let (queue, guard) = queue.build_with_guard(Formatted::new(Json::new(), Forget)).unwrap();
            registry.with(queue.into_layer()).init();
            return Box::new(move || guard.flush(LONG).unwrap());
        }
        "http" => {
            let http = Http::builder(receiver()).capacity(32_768).max_bytes(usize::MAX).max_batch(BATCH);
            return logs_to(http.max_batch_bytes(usize::MAX).flush_timeout(LONG).build().unwrap());
        }
        "forward" => {
            let to = Address::tcp("127.0.0.1", acknowledging());
            let forward = FluentForward::builder(to).capacity(32_768).max_bytes(usize::MAX).max_batch(BATCH);
            return logs_to(forward.max_batch_bytes(usize::MAX).flush_timeout(LONG).build().unwrap());
        }
        "file" => {
            let file = LogFile::builder(scratch("file")).format(Json::new()).buffer(1 << 20);
            let queue = Queue::builder().capacity(32_768).max_bytes(usize::MAX);
            let (queue, guard) = queue.build_with_guard(file.build().unwrap()).unwrap();
            registry.with(queue.into_layer()).init();
            return Box::new(move || guard.flush(LONG).unwrap());
        }
        "spool" => {
            let away = Batched::builder(Away).spool(scratch("spool"), 1 << 32).capacity(32_768).max_bytes(usize::MAX);
            let away =
                away.max_batch(BATCH).max_batch_bytes(1 << 30).flush_timeout(LONG).build().unwrap().named("away");
            away.set_error_handler(ErrorHandler::silent());
            registry.with(away.clone().into_layer()).init();
            return Box::new(move || {
                away.flush().unwrap();
                assert_eq!((away.stats().dropped, away.stats().failed, away.stats().queued), (0, 0, 0));
            });
        }
        other => panic!("no case {other:?}"),
    }
    Box::new(|| ())
}

struct Away;

impl Batch for Away {
    fn send(&self, _: &[OwnedRecord], _: &Attempt) -> Answer {
        Answer::retry(Error::new("away"))
    }
}

fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("strata-bench-{}-{name}", std::process::id()));
    SCRATCH.set(path.clone()).unwrap();
    path
}

fn logs_to(batched: Batched) -> Box<dyn Fn()> {
    let handler = batched.named("h");
    tracing_subscriber::registry().with(handler.clone().into_layer()).init();
    Box::new(move || {
        handler.flush().unwrap();
        assert_eq!((handler.stats().dropped, handler.stats().failed), (0, 0));
    })
}

/// Takes the bytes and forgets them.
struct Forget;

impl Sink for Forget {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            std::hint::black_box(line);
            Ok(())
        })
    }
}

/// What one writes without this crate: lines into a buffer, and a request when there are enough.
struct ByHand {
    url: String,
    lines: Mutex<(Vec<u8>, usize)>,
}

impl ByHand {
    fn new(url: String) -> Self {
        Self { url, lines: Mutex::default() }
    }
}

impl Sink for ByHand {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            let (body, count) = &mut *self.lines.lock().unwrap();
            body.extend_from_slice(line);
            *count += 1;
            if *count == BATCH {
                ureq::post(&self.url).send(&body[..]).unwrap();
                body.clear();
                *count = 0;
            }
            Ok(())
        })
    }
}

// --- a receiver that forgets

static RECEIVER: AtomicU64 = AtomicU64::new(0);

fn receiver_time() -> Duration {
    Duration::from_nanos(RECEIVER.load(Ordering::Acquire))
}

fn process_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // One connection at a time, so that its thread's time is that of the receiver.
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| serve(stream).unwrap_or_default()));
    url
}

fn serve(stream: TcpStream) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()?
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
        RECEIVER.store(u64::try_from(clock::thread_time().as_nanos()).ok()?, Ordering::Release);
        out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

/// The same for the forward protocol: a port.
fn acknowledging() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| acknowledge(stream).unwrap_or_default()));
    port
}

fn acknowledge(stream: TcpStream) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let message = rmpv::decode::read_value(&mut reader).ok()?;
        let (_, chunk) = message[2].as_map()?.iter().find(|(key, _)| key.as_str() == Some("chunk"))?;
        let mut answer = Vec::new();
        rmpv::encode::write_value(&mut answer, &rmpv::Value::Map(vec![("ack".into(), chunk.clone())])).ok()?;
        RECEIVER.store(u64::try_from(clock::thread_time().as_nanos()).ok()?, Ordering::Release);
        out.write_all(&answer).ok()?;
    }
}
