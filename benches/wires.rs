//! What a record costs that goes over a wire: its rendering, and the way to the system.
//!
//! ```text
//! cargo bench --bench wires               # the table, half a minute
//! cargo bench --bench wires -- --quick    # does it run? numbers are rough
//! ```
//!
//! The record: WARN, a message and five fields (`u64`, `&str`, `f64`, `bool`, an address), inside a span with two, built
//! once. A peer renders the same values as structured data of RFC 5424 with what it has for it: `fasyslog`, what logforth's syslog
//! is made with. Rounds go in turns, the median counts; time is what the thread
//! used the processor. Over wires, a daemon on the loopback takes what comes: UDP a datagram each, TCP and unix streams.
//!
//! The bar: rendering 5424 costs no more than 1.3 × rendering our JSON, and allocates nothing. It is told, and fails nothing.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "support/alloc.rs"]
mod alloc;
#[path = "support/clock.rs"]
mod clock;

use std::{
    hint::black_box,
    io::{Read as _, Write as _},
    net::{TcpListener, UdpSocket},
    thread,
};

use tracing_strata::{
    Handler, Record, Severity,
    format::{Format, Json, Syslog as Form},
    output::{Socket, Syslog},
    sink::net::Address,
};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

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

/// One way to do it, as often as asked.
struct Case {
    what: &'static str,
    who: &'static str,
    run: Box<dyn FnMut(usize)>,
    nanos: Vec<f64>,
    allocations: f64,
}

fn case(what: &'static str, who: &'static str, mut once: impl FnMut() + 'static) -> Case {
    let run = Box::new(move |count| (0..count).for_each(|_| once()));
    Case { what, who, run, nanos: Vec::new(), allocations: f64::NAN }
}

fn rendering(who: &'static str, format: impl Format) -> Case {
    let (record, mut out) = (record(), Vec::new());
    case("render", who, move || {
        out.clear();
        format.format_bytes(black_box(&record), &mut out).unwrap();
        black_box(&out);
    })
}

fn sending(what: &'static str, who: &'static str, handler: impl Handler) -> Case {
    let record = record();
    case(what, who, move || {
        black_box(handler.handle(&record).unwrap());
    })
}

/// Reads what comes, and throws it away.
fn tcp_daemon() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while stream.read(&mut bytes).is_ok_and(|length| length > 0) {}
            });
        }
    });
    Address::tcp("127.0.0.1", port)
}

fn udp_daemon() -> (Address, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut bytes = [0; 2048];
        while socket.recv(&mut bytes).is_ok() {}
    });
    (Address::udp("127.0.0.1", port), port)
}

#[cfg(unix)]
fn unix_daemon() -> Address {
    let path = std::env::temp_dir().join(format!("strata-bench-wires-{}", std::process::id()));
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 2048];
        while socket.recv(&mut bytes).is_ok() {}
    });
    Address::UnixDatagram(path)
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

fn peer_fasyslog() -> Case {
    use fasyslog::{Facility, SDElement, Severity, format::SyslogContext};
    let mut context = SyslogContext::const_new();
    context.facility(Facility::USER).hostname("web1").appname("shop").procid("42");
    let mut out = Vec::new();
    case("render", "fasyslog", move || {
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
    })
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, count) = if quick { (3, 200) } else { (31, 5_000) };
    let (udp, _) = udp_daemon();
    let mut cases = vec![
        rendering("strata, JSON", Json::new()),
        rendering("strata, 5424", Form::rfc5424()),
        rendering("strata, local (3164)", Form::local()),
        peer_fasyslog(),
        sending("UDP", "strata", Syslog::builder(udp).build_direct().unwrap()),
        sending("TCP, octets counted", "strata", Syslog::builder(tcp_daemon()).build_direct().unwrap()),
        sending("TCP, JSON lines", "strata", Socket::builder(tcp_daemon()).build_direct().unwrap()),
    ];
    #[cfg(unix)]
    cases.push(sending("unix datagram", "strata", Syslog::builder(unix_daemon()).build_direct().unwrap()));

    for case in &mut cases {
        (case.run)(count);
    }
    for _ in 0..rounds {
        for case in &mut cases {
            let before = alloc::allocations();
            let start = clock::thread_time();
            (case.run)(count);
            case.nanos.push((clock::thread_time() - start).as_nanos() as f64 / count as f64);
            case.allocations = (alloc::allocations() - before) as f64 / count as f64;
        }
    }
    println!("{}\n", clock::here_and_now());
    println!("| | by | ns | × JSON | allocations | bar |\n|---|---|--:|--:|--:|---|");
    let median = |nanos: &[f64]| {
        let mut sorted = nanos.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let json = median(&cases[0].nanos);
    for case in &cases {
        let nanos = median(&case.nanos);
        let bar = match case.who {
            "strata, 5424" => {
                let met = nanos <= 1.3 * json && case.allocations == 0.0;
                format!("≤ 1.30 ×, 0 allocations: {}", if met { "met" } else { "**not met**" })
            }
            _ => String::new(),
        };
        println!("| {} | {} | {nanos:.0} | {:.2} | {} | {bar} |", case.what, case.who, nanos / json, case.allocations);
    }
    #[cfg(unix)]
    if let Some(path) = std::env::temp_dir().join(format!("strata-bench-wires-{}", std::process::id())).to_str() {
        std::fs::remove_file(path).unwrap();
    }
}
