//! What is promised to allocate nothing allocates nothing, once buffers, pools and caches are warm.
//!
//! Every thread counts for itself, so the threads of the test harness do not disturb.
#![allow(clippy::unwrap_used)]

#[path = "../benches/support/alloc.rs"]
mod alloc;

use std::{
    cell::RefCell,
    hint::black_box,
    net::Ipv4Addr,
    num::NonZeroU16,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use alloc::allocations;
use tracing::Subscriber;
use tracing_strata::{
    Delivery, Error, FlightRecorder, Loggers, MemoryBuffer, Outcome, Record, Tee,
    format::{Buffer, Format, Json, Logfmt, Template, Text},
    prelude::*,
    record::OwnedRecord,
};
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, prelude::*, registry};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// Enough that a buffer that only seldom grows is noticed.
const EVENTS: u64 = 10_000;

/// One subscriber at a time: `tracing` caches for each call site what all living ones want, and a call site that one of
/// them may want makes its values for all.
static ALONE: Mutex<()> = Mutex::new(());

fn alone<T>(subscriber: impl Subscriber + Send + Sync, work: impl FnOnce() -> T) -> T {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    tracing::subscriber::with_default(subscriber, work)
}

/// In a process of its own: spare records are everybody's, and those of other tests have less memory for values.
fn apart(name: &str, test: impl FnOnce()) {
    const NAME: &str = "STRATA_TEST_APART";
    if std::env::var_os(NAME).is_some_and(|apart| apart == name) {
        return test();
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap());
    let told = { child }.args(["--exact", name]).env(NAME, name).output().unwrap();
    let output = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success() && output.contains("1 passed"), "{output}{}", String::from_utf8_lossy(&told.stderr));
}

/// Not counted.
const WARM_UP: u64 = 2_000;

/// How many allocations `work` makes under `subscriber`, after some calls that are not counted.
fn steady(subscriber: impl Subscriber + Send + Sync, mut work: impl FnMut(u64)) -> u64 {
    alone(subscriber, || {
        // The values are as long as they will get.
        (EVENTS..EVENTS + WARM_UP).for_each(&mut work);
        let before = allocations();
        (0..EVENTS).for_each(&mut work);
        allocations() - before
    })
}

fn event(index: u64) {
    let client = Ipv4Addr::from_bits(0x0a00_0000 | index as u32);
    tracing::info!(user = index, route = "/orders", ms = index as f64 / 8.0, cached = true, %client, "request served");
}

fn event_in_spans(index: u64) {
    event(index);
    tracing::info!(parent: tracing::Span::current(), index, "with an explicit parent");
}

fn in_spans(subscriber: impl Subscriber + Send + Sync) -> u64 {
    alone(subscriber, || {
        let request = tracing::info_span!("request", request_id = "7f3a", tenant = 12, late = tracing::field::Empty);
        let _request = request.enter();
        let query = tracing::info_span!("query", table = "orders", attempt = 1);
        let _query = query.enter();
        request.record("late", 7);
        (EVENTS..EVENTS + WARM_UP).for_each(event_in_spans);
        let before = allocations();
        (0..EVENTS).for_each(event_in_spans);
        allocations() - before
    })
}

/// Formats into a reused buffer, and looks at the line.
struct Null<F>(F);

/// On a terminal on which lines are broken.
struct Narrow<F>(F);

impl<F: Format> Format for Narrow<F> {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        out.set_terminal(true);
        out.set_columns(NonZeroU16::new(50));
        self.0.format(record, out)
    }
}

thread_local! {
    static LINE: RefCell<Buffer> = const { RefCell::new(Buffer::new()) };
}

impl<F: Format> Handler for Null<F> {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.0.format(&record, line)?;
            assert!(black_box(&*line).to_str().unwrap().contains(record.message()));
            Ok(Outcome::Written)
        })
    }
}

#[test]
fn a_template_in_use_allocates_nothing() {
    let formats = [
        Template::percent(
            "%(asctime)s %(levelname)-8s [%(threadName)s] %(name)s:%(lineno)d %(created).3f %(user)05d %(ms)9.3f %(route)r %(message)s",
        ),
        Template::brace("{asctime} {levelname:<8} {name:>40} {user:,} {ms:*^12.3f} {cached} {route!r:20} {message}"),
        Template::dollar("$asctime $levelname $name ${user} $message $client"),
        Template::builder("%(asctime)s %(message)s").datefmt("%a %d %b %Y %I:%M:%S %p %z %Z %j").build(),
    ];
    for template in formats {
        let subscriber = registry().with(Null(template.unwrap()).into_layer());
        assert_eq!(steady(subscriber, event), 0);
    }
}

#[test]
fn the_counter_counts() {
    let before = allocations();
    let text = black_box(String::from("one"));
    let mut list = black_box(Vec::with_capacity(1));
    list.extend([1, 2, 3]);
    assert_eq!(allocations() - before, 3, "{text} {list:?}");
}

#[test]
fn an_event() {
    assert_eq!(steady(registry().with(Null(Json::new()).into_layer()), event), 0);
    assert_eq!(steady(registry().with(Null(Text::plain()).into_layer()), event), 0);
    assert_eq!(steady(registry().with(Null(Text::pretty()).into_layer()), event), 0);
    assert_eq!(steady(registry().with(Null(Narrow(Text::pretty())).into_layer()), event), 0);
}

#[test]
fn an_event_in_the_shapes_that_tools_expect() {
    let shapes: [fn() -> Json; 7] =
        [Json::ecs, Json::gcp, Json::datadog, Json::logstash, Json::bunyan, Json::otel, Json::python];
    for shape in shapes {
        assert_eq!(steady(registry().with(Null(shape().source(true).thread(true)).into_layer()), event), 0);
        assert_eq!(in_spans(registry().with(Null(shape()).into_layer())), 0);
    }
    assert_eq!(steady(registry().with(Null(Logfmt::new().source(true).thread(true)).into_layer()), event), 0);
    assert_eq!(in_spans(registry().with(Null(Logfmt::new()).into_layer())), 0);
}

#[test]
fn an_event_with_a_list_and_a_map() {
    let event = |index: u64| {
        let rows = [(index, "orders", 0.5), (7, "users\n", -1e300)];
        let rows = tracing_strata::json(&rows);
        tracing::info!(tags = ?tracing_strata::json(&["new", "gift"]), ?rows, part = ?Some(&rows), "request served");
    };
    assert_eq!(steady(registry().with(Null(Json::new()).into_layer()), event), 0);
    assert_eq!(steady(registry().with(Null(Text::plain()).into_layer()), event), 0);
}

#[test]
fn an_event_in_two_spans() {
    assert_eq!(in_spans(registry().with(Null(Json::new()).into_layer())), 0);
    assert_eq!(in_spans(registry().with(Null(Text::plain()).into_layer())), 0);
    assert_eq!(in_spans(registry().with(Null(Text::pretty()).into_layer())), 0);
    assert_eq!(in_spans(registry().with(Null(Narrow(Text::pretty())).into_layer())), 0);
}

#[test]
fn two_handlers_on_a_tee() {
    let tee = || Tee::new().with("json", Null(Json::new())).with("text", Null(Text::plain()));
    assert_eq!(steady(registry().with(tee().into_layer()), event), 0);
    assert_eq!(in_spans(registry().with(tee().into_layer())), 0);
}

#[test]
fn a_rewritten_record() {
    let masked = Null(Json::new()).transform(|record: &mut Record| record.set("route", "***"));
    assert_eq!(steady(registry().with(masked.into_layer()), event), 0);
}

fn debug_event(index: u64) {
    let client = Ipv4Addr::from_bits(0x0a00_0000 | index as u32);
    tracing::debug!(user = index, route = "/orders", ms = index as f64 / 8.0, cached = true, %client, "request served");
}

#[test]
fn a_record_that_a_flight_recorder_holds_back() {
    // (The list of trees grows until it has twice the most there may be.)
    let recorder = || FlightRecorder::new(Null(Json::new())).tree_records(100).max_trees(100);
    let recorder = || registry().with(recorder().into_layer());
    // In one tree, whose ring is full, and in one tree after the other.
    let count = alone(recorder(), || {
        let _request = tracing::info_span!("request", request_id = "7f3a").entered();
        (EVENTS..EVENTS + WARM_UP).for_each(debug_event);
        let before = allocations();
        (0..EVENTS).for_each(debug_event);
        allocations() - before
    });
    assert_eq!(count, 0);
    let trees =
        |records| move |index| tracing::info_span!("request", index).in_scope(|| (0..records).for_each(debug_event));
    // What a span takes, and a place for the tree in it and one of its own; nothing for what it holds and forgets.
    let spans = steady(registry().with(Null(Json::new()).into_layer()), trees(0));
    assert_eq!(steady(recorder(), trees(0)), spans);
    for records in [1, 20, 150] {
        assert_eq!(steady(recorder(), trees(records)), spans + 2 * EVENTS, "trees of {records} records");
    }
}

#[test]
fn a_record_that_a_memory_holds_back() {
    let memory = || registry().with(MemoryBuffer::new(64).target(Null(Json::new())).into_layer());
    assert_eq!(steady(memory(), event), 0);
    assert_eq!(in_spans(memory()), 0);
}

/// Keeps each record, or takes it, and sends it away.
struct Courier {
    to: mpsc::SyncSender<OwnedRecord>,
    takes: bool,
}

impl Courier {
    fn send(&self, record: OwnedRecord) -> Result<(), Error> {
        self.to.send(record).map_err(|_| Error::new("nobody is there"))
    }
}

impl Handler for Courier {
    fn handle(&self, mut record: Delivery<'_>) -> Result<Outcome, Error> {
        if !self.takes {
            self.send(record.keep())?;
            return Ok(Outcome::Written);
        }
        let (record, receipt) = record.take().split();
        self.send(record)?;
        receipt.written();
        Ok(Outcome::Queued)
    }
}

/// Keeps all.
struct Hoard {
    kept: Mutex<Vec<OwnedRecord>>,
    takes: bool,
}

impl Hoard {
    fn put(&self, record: OwnedRecord) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }
}

impl Handler for Hoard {
    fn handle(&self, mut record: Delivery<'_>) -> Result<Outcome, Error> {
        if !self.takes {
            self.put(record.keep());
            return Ok(Outcome::Written);
        }
        let (record, receipt) = record.take().split();
        self.put(record);
        receipt.written();
        Ok(Outcome::Queued)
    }
}

/// Makes more records than can be under way and at hand in two threads, in whatever way they share them: in memory of
/// both kinds.
fn hoard() {
    for takes in [false, true] {
        let hoard = Hoard { kept: Mutex::default(), takes };
        alone(registry().with(hoard.into_layer()), || (0..1_000).for_each(event));
    }
}

/// A bounded channel allocates when it is made. One record at a time is under way, so that no run needs more room than
/// the warm-up.
fn sent_away(takes: bool) -> u64 {
    hoard();
    let (to, from) = mpsc::sync_channel::<OwnedRecord>(16);
    let (done, is_done) = mpsc::sync_channel(1);
    let reader = thread::spawn(move || {
        let mut seen = 0;
        for kept in from {
            assert_eq!(kept.message(), "request served");
            assert_eq!(kept.fields().len(), 5);
            drop(kept);
            seen += 1;
            done.send(()).unwrap();
        }
        seen
    });
    let count = steady(registry().with(Courier { to, takes }.into_layer()), |index| {
        event(index);
        is_done.recv().unwrap();
    });
    assert_eq!(reader.join().unwrap(), EVENTS + WARM_UP);
    count
}

#[test]
fn a_kept_record_that_is_dropped_on_another_thread() {
    apart("a_kept_record_that_is_dropped_on_another_thread", || assert_eq!(sent_away(false), 0));
}

#[test]
fn a_taken_record_that_is_dropped_on_another_thread() {
    apart("a_taken_record_that_is_dropped_on_another_thread", || assert_eq!(sent_away(true), 0));
}

#[test]
fn a_span_takes_two_at_most() {
    let span = |index| {
        let span = tracing::info_span!("request", user = index, route = "/orders");
        span.in_scope(|| black_box(()));
    };
    let made = steady(registry().with(Null(Json::new()).into_layer()), span);
    assert!(made <= 2 * EVENTS, "{made} allocations for {EVENTS} spans");
}

#[test]
fn a_disabled_call_site() {
    let layer = || Null(Json::new()).into_layer();
    let by_level = |index: u64| tracing::debug!(index, text = %format!("{index}"), "not wanted");
    assert_eq!(steady(registry().with(layer().with_filter(LevelFilter::INFO)), by_level), 0);
    let by_name = |index: u64| tracing::info!(target: "noisy", index, text = %format!("{index}"), "not wanted");
    let loggers = Loggers::parse("info,noisy=off").unwrap();
    assert_eq!(steady(registry().with(layer().with_filter(loggers)), by_name), 0);
}

#[test]
fn handlers_on_loggers() {
    let loggers = || {
        let loggers = Loggers::parse("info,noisy=off").unwrap();
        loggers.add_handler("", Null(Json::new()).named("json")).unwrap();
        loggers.add_handler("allocations", Null(Text::plain()).named("text")).unwrap();
        loggers
    };
    assert_eq!(steady(registry().with(loggers().into_layer()), event), 0);
    assert_eq!(in_spans(registry().with(loggers().into_layer())), 0);
}

/// Nothing of a record that goes over a wire is made anew: neither the message nor what frames it.
#[test]
fn records_over_a_wire() {
    use std::{
        io::Read as _,
        net::{TcpListener, UdpSocket},
    };

    use tracing_strata::{
        output::{Socket, Syslog},
        sink::net::Address,
    };

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to_udp = Address::udp("127.0.0.1", udp.local_addr().unwrap().port());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to_tcp = Address::tcp("127.0.0.1", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while stream.read(&mut bytes).is_ok_and(|length| length > 0) {}
            });
        }
    });
    let wires = [
        Syslog::builder(to_udp).build_sync().unwrap().boxed(),
        Syslog::builder(to_tcp.clone()).build_sync().unwrap().boxed(),
        Socket::builder(to_tcp).build_sync().unwrap().boxed(),
    ];
    for wire in wires {
        let layer = wire.into_layer();
        let ledger = layer.ledger();
        assert_eq!(in_spans(registry().with(layer)), 0);
        assert_eq!(ledger.stats().failed, 0);
    }
}

/// Takes all datagrams until it is sent an empty one.
#[cfg(unix)]
fn drained(work: impl FnOnce(&std::path::Path) -> u64) -> u64 {
    use std::{os::unix::net::UnixDatagram, sync::atomic::AtomicU64};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("strata-allocations-{}-{number}", std::process::id()));
    let server = UnixDatagram::bind(&path).unwrap();
    let reader = thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while server.recv(&mut bytes).unwrap() > 0 {}
    });
    let count = work(&path);
    UnixDatagram::unbound().unwrap().send_to(&[], &path).unwrap();
    reader.join().unwrap();
    std::fs::remove_file(path).unwrap();
    count
}

/// So that no record fails while the reader is slow.
#[cfg(unix)]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

#[test]
#[cfg(target_os = "linux")]
fn an_event_to_the_journal() {
    use tracing_strata::output::Journald;
    let journald = |path: &std::path::Path| {
        let layer = Journald::builder().socket(path).timeout(PATIENCE).build_sync().unwrap().into_layer();
        let ledger = layer.ledger();
        (registry().with(layer), ledger)
    };
    let check = |count: u64, written: u64| if written > EVENTS { count } else { u64::MAX };
    let steady = drained(|path| {
        let (subscriber, ledger) = journald(path);
        check(steady(subscriber, event), ledger.stats().written)
    });
    assert_eq!(steady, 0);
    let in_spans = drained(|path| {
        let (subscriber, ledger) = journald(path);
        check(in_spans(subscriber), ledger.stats().written)
    });
    assert_eq!(in_spans, 0);
}

#[test]
#[cfg(unix)]
fn an_event_as_a_datagram() {
    use tracing_strata::{
        format::{Gelf, Pickle},
        output::{Datagram, GelfChunks},
    };
    let datagram = |path: &std::path::Path| Datagram::unix(path).timeout(PATIENCE);
    let count = drained(|path| {
        let layer = datagram(path).build_sync().unwrap().into_layer();
        let ledger = layer.ledger();
        let count = steady(registry().with(layer), event);
        if ledger.stats().written == EVENTS + WARM_UP { count } else { u64::MAX }
    });
    assert_eq!(count, 0);
    // The capture is the same for all; fewer records, as compression takes its time in a test.
    let of = |handler: Box<dyn Handler>| {
        let mut record = Record::new(tracing_strata::Severity::INFO, "shop::http", "request served");
        record.set("user", 7_u64);
        record.set("client", "10.0.0.1");
        record.push_span("request", [("tenant", "twelve")].into_iter().collect());
        let handler = handler.named("datagram");
        let send = |times: u64| (0..times).for_each(|_| handler.emit(&record));
        send(50);
        let before = allocations();
        send(500);
        let count = allocations() - before;
        if handler.stats().written == 550 { count } else { u64::MAX }
    };
    let chunks = GelfChunks::new().compress_from(0).chunk_bytes(100);
    assert_eq!(drained(|path| of(datagram(path).format(Pickle::new()).build_sync().unwrap().boxed())), 0);
    assert_eq!(drained(|path| of(datagram(path).format(Gelf::new()).build_sync().unwrap().boxed())), 0);
    assert_eq!(drained(|path| of(datagram(path).format(Gelf::new()).chunks(chunks).build_sync().unwrap().boxed())), 0);
}

/// Writes nothing while it is held up.
struct HeldUp(std::sync::Arc<Mutex<()>>);

impl Handler for HeldUp {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        let _turn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        black_box(record.message());
        Ok(Outcome::Written)
    }
}

#[test]
fn a_record_for_a_queue() {
    use tracing_strata::handler::queue::Overflow;
    apart("a_record_for_a_queue", || {
        for policy in [Overflow::DropNewest, Overflow::DropOldest] {
            assert_eq!(queued(policy), 0, "{policy:?}");
        }
        // Those that wait for room, and those that find some.
        for policy in [Overflow::BLOCK, Overflow::block_for(std::time::Duration::from_secs(60))] {
            assert_eq!(queued_and_waited(policy), 0, "{policy:?}");
        }
    });
}

fn queued_and_waited(policy: tracing_strata::handler::queue::Overflow) -> u64 {
    hoard();
    let builder = tracing_strata::Queue::builder().capacity(64).overflow(policy);
    let (queue, guard) = builder.build_with_guard(Null(Json::new())).unwrap();
    let count = steady(registry().with(queue.into_layer()), event);
    assert!(guard.stats().blocked_sends > 0 && guard.stats().lost.total() == 0, "{}", guard.stats());
    count
}

fn queued(policy: tracing_strata::handler::queue::Overflow) -> u64 {
    hoard();
    let turn = std::sync::Arc::new(Mutex::new(()));
    let builder = tracing_strata::Queue::builder().capacity(64).overflow(policy);
    let (queue, guard) = builder.build_with_guard(HeldUp(std::sync::Arc::clone(&turn))).unwrap();
    let subscriber = registry().with(queue.into_layer());
    // As many records wait as ever may.
    let hold_up = turn.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hold_up = Some(hold_up);
    steady(subscriber, |index| {
        if index == EVENTS + WARM_UP - 1 {
            hold_up = None;
            (0..EVENTS).for_each(event);
            guard.flush(std::time::Duration::from_secs(60)).unwrap();
        }
        event(index);
    })
}
