//! Random trees.

use std::{
    env,
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, Once, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::play::{Case, play};

const TREES: u64 = 1_500;
/// No tree may take as long.
const WATCH: Duration = Duration::from_secs(60);

/// One test at a time: each flushes everything.
pub(crate) fn in_order() -> MutexGuard<'static, ()> {
    static ORDER: Mutex<()> = Mutex::new(());
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.payload_as_str().is_some_and(|text| text.starts_with("scripted")) {
                before(panic);
            }
        }));
    });
    ORDER.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Played {
    Fine,
    Broken(String),
    Hangs,
}

fn play_watched(case: &Case) -> Played {
    let (done, is_done) = mpsc::channel();
    let copy = case.clone();
    let work = move || {
        let result = std::panic::catch_unwind(|| play(&copy));
        let result = result.unwrap_or_else(|_| Err("it panicked".into()));
        // Nobody waits any more for one that hung.
        done.send(result).unwrap_or_default();
    };
    thread::Builder::new().name("tree".into()).spawn(work).unwrap();
    match is_done.recv_timeout(WATCH) {
        Ok(Ok(())) => Played::Fine,
        Ok(Err(law)) => Played::Broken(law),
        Err(_) => Played::Hangs,
    }
}

/// The smallest that still breaks a law, as far as it is found in a while.
fn shrunk(case: Case, law: String) -> (Case, String) {
    let until = Instant::now() + Duration::from_secs(20);
    let (mut case, mut law) = (case, law);
    'again: loop {
        for smaller in case.smaller() {
            for _ in 0..3 {
                if Instant::now() > until {
                    return (case, law);
                }
                if let Played::Broken(why) = play_watched(&smaller) {
                    (case, law) = (smaller, why);
                    continue 'again;
                }
            }
        }
        return (case, law);
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: expected a number, got {text:?}")))
}

/// Many, by as many processes as there are processors: within one, all have to wait for one another.
fn in_processes(trees: u64) {
    let most = thread::available_parallelism().map_or(2, |count| count.get() as u64);
    let each = trees.div_ceil(most);
    let start = |from: u64| {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "trees::t80_nothing_is_lost_without_a_word_in_any_tree", "--nocapture"])
            .env("STRATA_FROM", from.to_string())
            .env("STRATA_TREES", each.min(trees - from).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..trees).step_by(each as usize).map(start).collect();
    // All are waited for before one is complained of.
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    for output in outputs {
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
    }
}

#[test]
fn t80_nothing_is_lost_without_a_word_in_any_tree() {
    let _order = in_order();
    let trees = number("STRATA_TREES");
    let one = number("STRATA_SEED");
    let from = number("STRATA_FROM");
    if let (None, None, Some(trees)) = (one, from, trees)
        && trees > TREES
    {
        return in_processes(trees);
    }
    let seeds = match one {
        Some(seed) => {
            eprintln!("{:#?}", Case::new(seed));
            // By timing, perhaps.
            vec![seed; trees.unwrap_or(50) as usize]
        }
        None => {
            // `STRATA_FROM` plays others.
            let from = from.unwrap_or_default();
            (from..from + trees.unwrap_or(TREES)).collect()
        }
    };
    let mut broken = Vec::new();
    let most = number("STRATA_BROKEN").unwrap_or(1) as usize;
    for seed in seeds {
        let case = Case::new(seed);
        match play_watched(&case) {
            Played::Fine => {}
            Played::Broken(law) => {
                let text = if most == 1 {
                    let (small, small_law) = shrunk(case.clone(), law.clone());
                    format!("seed {seed}: {law}\nsmaller: {small_law}\n{small:?}")
                } else {
                    format!("seed {seed}: {law}")
                };
                eprintln!("{text}");
                broken.push(text);
            }
            Played::Hangs => panic!("seed {seed}: hangs: {case:?}"),
        }
        if broken.len() >= most {
            break;
        }
    }
    assert!(broken.is_empty(), "laws were broken; play one again with STRATA_SEED=…:\n{}", broken.join("\n"));
}
