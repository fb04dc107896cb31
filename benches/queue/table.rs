//! Runs the children in turns and shows what they tell, in Markdown.

use std::process::Command;

use crate::{Failure, clock::here_and_now, peers::Peer};

/// A table of its own.
struct Case {
    /// On the command line of the children.
    names: &'static [&'static str],
    /// What `--only` takes.
    only: &'static str,
    events: u64,
    title: &'static str,
    columns: &'static [&'static str],
    /// Whom it can be done to.
    peers: &'static [Peer],
}

const CASES: &[Case] = &[
    Case {
        names: &["caller-W1", "caller-W2"],
        only: "caller",
        events: 80_000,
        title: "caller: processor time for an event",
        columns: &["W1, ns", "allocations", "W2, ns", "allocations"],
        peers: Peer::ALL,
    },
    Case {
        names: &["latency"],
        only: "latency",
        events: 100_000,
        title: "latency: W1 on the caller's wall clock (with 20–30 ns of asking it)",
        columns: &["p50, ns", "p99", "p99.9", "mean"],
        peers: Peer::QUEUES,
    },
    Case {
        names: &["end"],
        only: "end",
        events: 300_000,
        title: "end: one caller, until all is in the file",
        columns: &["wall, ns", "until the caller was done", "caller's processor"],
        peers: Peer::QUEUES,
    },
    Case {
        names: &["two"],
        only: "two",
        events: 150_000,
        title: "two: two callers, until all is in the file",
        columns: &["wall, ns", "until the callers were done", "callers' processor"],
        peers: Peer::QUEUES,
    },
    Case {
        names: &["beside"],
        only: "beside",
        events: 400_000,
        title: "beside: bursts of one caller and of two at once, the listener held up meanwhile",
        columns: &["one: wall, ns", "two: wall, ns", "throughput of two, ×"],
        peers: &[Peer::Strata],
    },
];

pub(crate) fn parent(args: &[String]) -> Result<(), Failure> {
    let (mut only, mut rounds, mut divisor) = (Vec::new(), 5, 1);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // What `cargo bench` adds by itself.
            "--bench" => {}
            "--quick" => (rounds, divisor) = (1, 10),
            "--only" => only.push(args.next().ok_or("--only: expected the name of a case")?.clone()),
            "--rounds" => rounds = args.next().ok_or("--rounds: expected a number")?.parse::<usize>()?.max(1),
            other => return Err(format!("unknown argument {other:?}: see the head of benches/queue.rs").into()),
        }
    }
    let cases: Vec<_> =
        CASES.iter().filter(|case| only.is_empty() || only.iter().any(|only| only == case.only)).collect();
    if cases.is_empty() {
        return Err("--only: expected caller, latency, end, two or beside".into());
    }
    println!("{}, {rounds} rounds", here_and_now());
    for case in cases {
        show(case, &measure(case, rounds, divisor)?);
    }
    Ok(())
}

/// For each peer the numbers of all the case's names.
fn measure(case: &Case, rounds: usize, divisor: u64) -> Result<Vec<(Peer, Vec<f64>)>, Failure> {
    let mut told: Vec<(Peer, Vec<Vec<f64>>)> = case.peers.iter().map(|peer| (*peer, Vec::new())).collect();
    for _ in 0..rounds {
        for (peer, told) in &mut told {
            let mut numbers = Vec::new();
            for name in case.names {
                match *name {
                    "caller-W2" if !peer.has_spans() => numbers.extend([f64::NAN; 2]),
                    name => numbers.extend(child(name, *peer, case.events / divisor)?),
                }
            }
            told.push(numbers);
        }
    }
    Ok(told.into_iter().map(|(peer, told)| (peer, medians(&told))).collect())
}

fn child(name: &str, peer: Peer, events: u64) -> Result<Vec<f64>, Failure> {
    let output =
        Command::new(std::env::current_exe()?).args(["--child", name, peer.name(), &events.to_string()]).output()?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name} with {}: {}: {told}", peer.name(), output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

fn medians(rounds: &[Vec<f64>]) -> Vec<f64> {
    let columns = rounds.first().map_or(0, Vec::len);
    (0..columns)
        .map(|column| {
            let mut numbers: Vec<_> = rounds.iter().map(|round| round[column]).collect();
            numbers.sort_unstable_by(f64::total_cmp);
            numbers[numbers.len() / 2]
        })
        .collect()
}

fn show(case: &Case, rows: &[(Peer, Vec<f64>)]) {
    println!("\n{}\n", case.title);
    println!("| logger | {} | × tracing-appender |", case.columns.join(" | "));
    println!("|---|{}--:|", "--:|".repeat(case.columns.len()));
    let base = rows.iter().find(|(peer, _)| *peer == Peer::Appender).map(|(_, numbers)| numbers[0]);
    for (peer, numbers) in rows {
        let cells: Vec<_> = numbers.iter().map(|number| short(*number)).collect();
        let ratio = base.map_or_else(String::new, |base| format!("{:.2}", numbers[0] / base));
        println!("| {} | {} | {ratio} |", peer.title(), cells.join(" | "));
    }
}

fn short(number: f64) -> String {
    match number {
        number if number.is_nan() => String::new(),
        number if number.fract() == 0.0 || number >= 10.0 => format!("{number:.0}"),
        number => format!("{number:.3}"),
    }
}
