//! Runs the children in turns and collects what they tell.

use std::process::Command;

use super::{
    cases::{CASES, Case},
    child::Cost,
    clock::here_and_now,
    peers::{Failure, Peer},
    table,
};

/// What the command line asks for.
struct Options {
    only: Vec<String>,
    rounds: u64,
    samples: u64,
    /// The events of each case are divided by this.
    divisor: u64,
}

/// What was measured of a peer in a case.
pub(crate) struct Row {
    pub(crate) peer: Peer,
    pub(crate) cost: Cost,
}

pub(crate) fn main(args: &[String]) -> Result<(), Failure> {
    let options = Options::parse(args)?;
    let cases: Vec<&Case> = CASES.iter().filter(|case| options.wants(case)).collect();
    if cases.is_empty() {
        let known: Vec<_> = CASES.iter().map(|case| case.name).collect();
        return Err(format!("--only: expected one of {}", known.join(", ")).into());
    }
    println!("{}, {} rounds of {} samples\n", here_and_now(), options.rounds, options.samples);
    print!("{}", table::HEAD);
    for case in cases {
        print!("{}", table::group(case, &measure(case, &options)?));
    }
    Ok(())
}

/// In turns: a change of the machine's mood hits all peers alike.
fn measure(case: &Case, options: &Options) -> Result<Vec<Row>, Failure> {
    let mut costs: Vec<Vec<Cost>> = case.peers.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for (peer, costs) in case.peers.iter().zip(&mut costs) {
            costs.push(child(case, *peer, options)?);
        }
    }
    Ok(case.peers.iter().zip(costs).map(|(peer, costs)| Row { peer: *peer, cost: median(costs) }).collect())
}

fn child(case: &Case, peer: Peer, options: &Options) -> Result<Cost, Failure> {
    let events = (case.events / options.divisor).to_string();
    let output = Command::new(std::env::current_exe()?)
        .args(["--child", case.name, peer.name(), &events, &options.samples.to_string()])
        .output()?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} with {}: {}: {told}", case.name, peer.name(), output.status).into());
    }
    String::from_utf8(output.stdout)?.parse()
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_unstable_by(|a, b| a.nanos.total_cmp(&b.nanos));
    costs[costs.len() / 2]
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, Failure> {
        let mut options = Self { only: Vec::new(), rounds: 7, samples: 3, divisor: 1 };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                // What `cargo bench` adds by itself.
                "--bench" => {}
                "--quick" => (options.rounds, options.samples, options.divisor) = (1, 1, 5),
                "--only" => options.only.push(args.next().ok_or("--only: expected the name of a case")?.clone()),
                "--rounds" => options.rounds = args.next().ok_or("--rounds: expected a number")?.parse()?,
                other => {
                    return Err(format!("unknown argument {other:?}: see the head of benches/foundation.rs").into());
                }
            }
        }
        options.rounds = options.rounds.max(1);
        Ok(options)
    }

    /// `W1` is W1 alone; `W3` is all that begins so.
    fn wants(&self, case: &Case) -> bool {
        let exact = |only: &String| CASES.iter().any(|known| known.name.eq_ignore_ascii_case(only));
        let matches = |only: &String| {
            if exact(only) {
                case.name.eq_ignore_ascii_case(only)
            } else {
                case.name.to_ascii_lowercase().starts_with(&only.to_ascii_lowercase())
            }
        };
        self.only.is_empty() || self.only.iter().any(matches)
    }
}
