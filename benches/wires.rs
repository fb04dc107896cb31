//! What a record costs that goes over a wire: its rendering, what it takes from the caller, and how many get through in a
//! second.
//!
//! ```text
//! cargo bench --bench wires                      # the tables, half a minute; tracing-journald needs root and no journal
//! cargo bench --bench wires -- --quick           # does it run? numbers are rough
//! cargo bench --bench wires -- --plain 5424 2000 # renders, without a clock: `valgrind --tool=callgrind` counts it
//! ```
//!
//! # Rendering
//!
//! The record: WARN, a message and five fields (`u64`, `&str`, `f64`, `bool`, an address), inside a span with two, built
//! once. The bar: rendering 5424 costs no more than 1.3 × rendering our JSON, and allocates nothing. It is told, and fails
//! nothing. `fasyslog`, what logforth's syslog is made with, renders the same values as structured data.
//!
//! # Sending
//!
//! | case | an event is |
//! |---|---|
//! | W1 | `info!` with a message and five fields, no span |
//! | W2 | the same inside two spans of two fields each |
//!
//! Every logger gets the events through its own facade, and sends them to a daemon on this machine that counts what comes.
//! What they send is not the same, though:
//!
//! | logger | over | sends |
//! |---|---|---|
//! | tracing-strata, as it is by default behind a queue, and direct | all | RFC 5424 with all fields (unix: RFC 3164 with them as text); `Journald` typed fields |
//! | tracing-rfc-5424 | all | the message alone |
//! | logforth | all | the message, in which `log`'s macro has written the fields; no spans, so no W2; over TCP it gathers messages, which may stay with it |
//! | tracing-journald | the journal's socket | typed fields |
//!
//! "caller" is the processor time of the thread that logs, for each event; "per second" counts the events that were handed to
//! the system in the time on the wall until all of a round were, flush included; "arrived" is the part of them that the
//! daemon has read: UDP promises none. A round is shorter than what our queue holds. Rounds go in turns, medians count.
//!
//! # Last run
//! 2026-11-20, two shared cores under load, rustc 1.95.0: JSON 83 ns, 5424 90 ns, the older forms 117 ns. W1 over a unix
//! socket took 303 ns of its caller behind the queue and 3222 ns direct (tracing-rfc-5424 22006, logforth 3147); to the journal
//! 304 ns and 3236 ns (tracing-journald 4190).
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "support/alloc.rs"]
mod alloc;
#[path = "support/clock.rs"]
mod clock;
#[cfg(target_os = "linux")]
#[path = "support/journal.rs"]
mod journal;
#[path = "support/work.rs"]
#[allow(dead_code, reason = "the other facades and works are for benches/foundation.rs")]
mod work;

use std::{
    hint::black_box,
    io::{Read as _, Write as _},
    net::{TcpListener, UdpSocket},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use logforth_append_syslog::{SyslogBuilder as LogforthBuilder, SyslogFormat};
use tracing::Dispatch;
use tracing_rfc_5424::{layer::Layer as PeerLayer, rfc5424::Rfc5424, tracing::TrivialTracingFormatter};
use tracing_strata::{
    Handler, HandlerExt as _, Record, Severity,
    format::{Buffer, Format, Json, SyslogFormat as Form},
    output::Syslog,
    sink::net::Address,
};
use tracing_subscriber::{Registry, layer::SubscriberExt as _, registry};

use crate::work::{Facade, Work};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

fn main() {
    let args: Vec<_> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [plain, what, count] = &args[..]
        && plain == "--plain"
    {
        return render_plainly(what, count.parse().unwrap());
    }
    let quick = args.iter().any(|arg| arg == "--quick");
    println!("{}\n", clock::here_and_now());
    rendering(if quick { (3, 200) } else { (31, 5_000) });
    sending(if quick { (1, 200) } else { (15, 4_000) });
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

// --- rendering

fn record() -> Record {
    let mut record = Record::new(Severity::WARN, "shop::pay", "card refused by the bank, twice");
    record.set("user", 4_711_u64);
    record.set("route", "/orders/pay");
    record.set("ms", 12.5);
    record.set("cached", true);
    record.set("client", "10.0.0.17");
    record.push_span("request", [("request_id", "7f3a-11"), ("tenant", "blue")].into_iter().collect());
    record
}

/// One way to do it.
struct Rendering {
    who: &'static str,
    once: Box<dyn FnMut()>,
    nanos: Vec<f64>,
    allocations: f64,
}

fn format(what: &str) -> Option<Box<dyn Format>> {
    Some(match what {
        "json" => Box::new(Json::new()),
        "5424" => Box::new(Form::rfc5424()),
        "3164" => Box::new(Form::rfc3164()),
        "local" => Box::new(Form::local()),
        _ => return None,
    })
}

fn ours(who: &'static str, what: &str) -> Rendering {
    let (record, mut out, format) = (record(), Buffer::new(), format(what).unwrap());
    let once = move || {
        out.clear();
        format.format(black_box(&record), &mut out).unwrap();
        black_box(&out);
    };
    Rendering { who, once: Box::new(once), nanos: Vec::new(), allocations: f64::NAN }
}

fn render_plainly(what: &str, count: u64) {
    let Some(format) = format(what) else { panic!("--plain {what}: expected json, 5424, 3164 or local") };
    let (record, mut out) = (record(), Buffer::new());
    for _ in 0..count {
        out.clear();
        format.format(black_box(&record), &mut out).unwrap();
        black_box(&out);
    }
}

/// What a peer has to make of the same values itself.
fn record_pairs() -> Vec<(&'static str, String)> {
    vec![
        ("user", black_box(4_711_u64).to_string()),
        ("route", "/orders/pay".to_owned()),
        ("ms", black_box(12.5_f64).to_string()),
        ("cached", black_box(true).to_string()),
        ("client", "10.0.0.17".to_owned()),
        ("request_id", "7f3a-11".to_owned()),
        ("tenant", "blue".to_owned()),
    ]
}

fn peer_fasyslog() -> Rendering {
    use fasyslog::{Facility, SDElement, Severity, format::SyslogContext};
    let mut context = SyslogContext::const_new();
    context.facility(Facility::USER).hostname("web1").appname("shop").procid("42");
    let mut out = Vec::new();
    let once = move || {
        out.clear();
        let mut element = SDElement::new("strata@32473").unwrap();
        for (name, value) in record_pairs() {
            element.add_param(name, value).unwrap();
        }
        let message = context.format_rfc5424(
            Severity::WARNING,
            Some("shop::pay"),
            vec![element],
            Some("card refused by the bank, twice"),
        );
        write!(out, "{message}").unwrap();
        black_box(&out);
    };
    Rendering { who: "fasyslog, 5424", once: Box::new(once), nanos: Vec::new(), allocations: f64::NAN }
}

fn rendering((rounds, count): (u32, u32)) {
    let mut all = [
        ours("**tracing-strata**, JSON", "json"),
        ours("**tracing-strata**, 5424", "5424"),
        ours("**tracing-strata**, 3164", "3164"),
        ours("**tracing-strata**, local", "local"),
        peer_fasyslog(),
    ];
    for round in 0..=rounds {
        for one in &mut all {
            let (before, start) = (alloc::allocations(), clock::thread_time());
            (0..count).for_each(|_| (one.once)());
            let nanos = (clock::thread_time() - start).as_nanos() as f64 / f64::from(count);
            one.allocations = (alloc::allocations() - before) as f64 / f64::from(count);
            // The first round warms up.
            if round > 0 {
                one.nanos.push(nanos);
            }
        }
    }
    println!("| rendering | ns | × JSON | allocations | bar |\n|---|--:|--:|--:|---|");
    let json = median(all[0].nanos.clone());
    for (index, Rendering { who, nanos, allocations, .. }) in all.into_iter().enumerate() {
        let nanos = median(nanos);
        let bar = match index {
            1 => {
                let met = nanos <= 1.3 * json && allocations == 0.0;
                format!("≤ 1.30 ×, 0 allocations: {}", if met { "met" } else { "**not met**" })
            }
            _ => String::new(),
        };
        println!("| {who} | {nanos:.0} | {:.2} | {allocations} | {bar} |", nanos / json);
    }
}

// --- sending

/// How many records have come.
type Count = Arc<AtomicU64>;

/// Counts what comes over TCP: each message begins with the priority of `info!` and facility user.
fn tcp_daemon() -> (u16, Count) {
    const BEGIN: &[u8] = b"<14>";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Count::default());
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let counted = Arc::clone(&counted);
            thread::spawn(move || {
                let (mut bytes, mut held) = (vec![0; 1 << 16], 0);
                while let Ok(length @ 1..) = stream.read(&mut bytes[held..]) {
                    let end = held + length;
                    let begun = bytes[..end].windows(BEGIN.len()).filter(|part| *part == BEGIN).count();
                    counted.fetch_add(begun as u64, Ordering::Relaxed);
                    // What may be the beginning of a mark.
                    held = end.min(BEGIN.len() - 1);
                    bytes.copy_within(end - held..end, 0);
                }
            });
        }
    });
    (port, count)
}

/// Counts datagrams.
fn counting(mut receive: impl FnMut() -> bool + Send + 'static) -> Count {
    let count = Count::default();
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        while receive() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    count
}

fn udp_daemon() -> (u16, Count) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut bytes = [0; 2_048];
    (port, counting(move || socket.recv(&mut bytes).is_ok()))
}

/// A logger, over one wire.
struct Sender {
    wire: &'static str,
    who: &'static str,
    through: Through,
    /// Returns when all is handed to the system.
    flush: Box<dyn Fn()>,
    count: Count,
}

enum Through {
    Tracing(Dispatch),
    /// By its number in [`LOGGERS`].
    Log(usize),
}

/// `log` has one logger for a process: it asks one of these.
static LOGGERS: OnceLock<Vec<logforth_bridge_log::LogBridge>> = OnceLock::new();
static CURRENT: AtomicUsize = AtomicUsize::new(0);

struct Switch;

impl Switch {
    fn current() -> Option<&'static logforth_bridge_log::LogBridge> {
        LOGGERS.get()?.get(CURRENT.load(Ordering::Relaxed))
    }
}

impl log::Log for Switch {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        Self::current().is_some_and(|logger| log::Log::enabled(logger, metadata))
    }

    fn log(&self, record: &log::Record<'_>) {
        if let Some(logger) = Self::current() {
            log::Log::log(logger, record);
        }
    }

    fn flush(&self) {}
}

fn sender(wire: &'static str, who: &'static str, handler: impl Handler, count: &Count) -> Sender {
    let handler = handler.named(who);
    let flushed = handler.clone();
    Sender {
        wire,
        who,
        through: Through::Tracing(Dispatch::new(registry().with(handler.into_layer()))),
        flush: Box::new(move || flushed.flush().unwrap()),
        count: Arc::clone(count),
    }
}

fn peer(wire: &'static str, who: &'static str, dispatch: Dispatch, count: &Count) -> Sender {
    Sender { wire, who, through: Through::Tracing(dispatch), flush: Box::new(|| {}), count: Arc::clone(count) }
}

fn rfc_5424<T>(transport: T) -> Dispatch
where
    T: tracing_rfc_5424::transport::Transport<Rfc5424> + Send + Sync + 'static,
{
    let layer = PeerLayer::<Registry, _, TrivialTracingFormatter, _>::with_transport(transport);
    Dispatch::new(registry().with(layer))
}

fn logforth(to: LogforthBuilder) -> logforth_bridge_log::LogBridge {
    let append = to.format(SyslogFormat::RFC5424).build();
    logforth_bridge_log::LogBridge::new(logforth_core::builder().dispatch(|dispatch| dispatch.append(append)).build())
}

const QUEUE: &str = "**tracing-strata** `Syslog`, behind its queue";
const DIRECT: &str = "**tracing-strata** `Syslog`, direct";
const PEER: &str = "tracing-rfc-5424";
const LOGFORTH: &str = "logforth syslog";

fn sending((rounds, events): (u64, u64)) {
    let mut loggers = Vec::new();
    let mut all = Vec::new();
    let mut add = |wire, address: &dyn Fn() -> Address, dispatch, builder, count: &Count| {
        all.push(sender(wire, QUEUE, Syslog::builder(address()).build().unwrap(), count));
        all.push(sender(wire, DIRECT, Syslog::builder(address()).build_sync().unwrap(), count));
        all.push(peer(wire, PEER, dispatch, count));
        loggers.push(logforth(builder));
        let through = Through::Log(loggers.len() - 1);
        all.push(Sender { wire, who: LOGFORTH, through, flush: Box::new(log_flush), count: Arc::clone(count) });
    };
    let (port, count) = udp_daemon();
    let to = ("127.0.0.1", port);
    add(
        "UDP",
        &|| Address::udp("127.0.0.1", port),
        rfc_5424(tracing_rfc_5424::transport::UdpTransport::new(to).unwrap()),
        LogforthBuilder::udp("127.0.0.1:0", to).unwrap(),
        &count,
    );
    let (port, count) = tcp_daemon();
    let to = ("127.0.0.1", port);
    add(
        "TCP",
        &|| Address::tcp("127.0.0.1", port),
        rfc_5424(tracing_rfc_5424::transport::TcpTransport::new(to).unwrap()),
        LogforthBuilder::tcp(to).unwrap(),
        &count,
    );
    #[cfg(unix)]
    let path = std::env::temp_dir().join(format!("strata-bench-wires-{}", std::process::id()));
    #[cfg(unix)]
    {
        let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        let mut bytes = [0; 2_048];
        let count = counting(move || socket.recv(&mut bytes).is_ok());
        add(
            "unix datagram",
            &|| Address::UnixDatagram(path.clone()),
            rfc_5424(tracing_rfc_5424::transport::UnixSocket::new(&path).unwrap()),
            LogforthBuilder::unix_datagram(&path).unwrap(),
            &count,
        );
    }
    #[cfg(target_os = "linux")]
    let _journal = {
        use tracing_strata::output::Journald;
        let journal = journal::Journal::new().unwrap();
        let socket = journal.socket.try_clone().unwrap();
        let mut bytes = [0; 2_048];
        let count = counting(move || socket.recv(&mut bytes).is_ok());
        let ours = || Journald::builder().socket(&journal.path);
        let (queue, direct) = (ours().build().unwrap(), ours().build_sync().unwrap());
        all.push(sender("journal", "**tracing-strata** `Journald`, behind its queue", queue, &count));
        all.push(sender("journal", "**tracing-strata** `Journald`, direct", direct, &count));
        match journal.is_systems() {
            true => {
                let dispatch = Dispatch::new(registry().with(tracing_journald::layer().unwrap()));
                all.push(peer("journal", "tracing-journald", dispatch, &count));
            }
            false => println!("\n{} is there already or cannot be made: no tracing-journald", journal::SYSTEM),
        }
        journal
    };
    assert!(LOGGERS.set(loggers).is_ok());
    log::set_logger(&Switch).unwrap();
    log::set_max_level(log::LevelFilter::Info);

    println!(
        "\n| wire | logger | case | caller, ns | allocations | per second | arrived |\n|---|---|---|--:|--:|--:|--:|"
    );
    let works = [("W1", Work::Event), ("W2", Work::EventInSpans)];
    let mut costs: Vec<[Vec<Cost>; 2]> = all.iter().map(|_| Default::default()).collect();
    for round in 0..=rounds {
        for (sender, costs) in all.iter().zip(&mut costs) {
            for ((_, work), costs) in works.iter().zip(costs) {
                if matches!(sender.through, Through::Log(_)) && *work == Work::EventInSpans {
                    continue;
                }
                let cost = sender.measure(*work, events);
                if round > 0 {
                    costs.push(cost);
                }
            }
        }
    }
    for (sender, costs) in all.iter().zip(costs) {
        for ((case, _), costs) in works.iter().zip(costs).filter(|(_, costs)| !costs.is_empty()) {
            let of = |part: fn(&Cost) -> f64| median(costs.iter().map(part).collect());
            println!(
                "| {} | {} | {case} | {:.0} | {:.2} | {:.0} | {:.1} % |",
                sender.wire,
                sender.who,
                of(|cost| cost.nanos),
                of(|cost| cost.allocations),
                of(|cost| cost.per_second),
                100.0 * of(|cost| cost.arrived),
            );
        }
    }
    #[cfg(unix)]
    std::fs::remove_file(path).unwrap();
}

fn log_flush() {
    if let Some(logger) = Switch::current() {
        log::Log::flush(logger);
    }
}

struct Cost {
    nanos: f64,
    allocations: f64,
    per_second: f64,
    arrived: f64,
}

impl Sender {
    fn measure(&self, work: Work, events: u64) -> Cost {
        let before = self.settled();
        let cost = match &self.through {
            Through::Tracing(dispatch) => {
                tracing::dispatcher::with_default(dispatch, || self.run(&Facade::Tracing, work, events))
            }
            Through::Log(index) => {
                CURRENT.store(*index, Ordering::Relaxed);
                self.run(&Facade::Log, work, events)
            }
        };
        Cost { arrived: (self.settled() - before) as f64 / events as f64, ..cost }
    }

    fn run(&self, facade: &Facade, work: Work, events: u64) -> Cost {
        let inside = facade.enter(work);
        let (wall, start, allocated) = (Instant::now(), clock::thread_time(), alloc::allocations());
        inside.run(work, events);
        let (own, allocated) = (clock::thread_time() - start, alloc::allocations() - allocated);
        (self.flush)();
        let seconds = wall.elapsed().as_secs_f64();
        let events = events as f64;
        Cost {
            nanos: own.as_nanos() as f64 / events,
            allocations: allocated as f64 / events,
            per_second: events / seconds,
            arrived: f64::NAN,
        }
    }

    /// How many have come when no more do.
    fn settled(&self) -> u64 {
        let mut count = self.count.load(Ordering::Relaxed);
        loop {
            thread::sleep(Duration::from_millis(5));
            let now = self.count.load(Ordering::Relaxed);
            if std::mem::replace(&mut count, now) == now {
                return now;
            }
        }
    }
}
