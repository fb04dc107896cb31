//! One peer, one case, one process.

use std::{
    fs,
    hint::spin_loop,
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Failure,
    alloc::allocations,
    clock::thread_time,
    peers::{Installed, Peer},
    work::Work,
};

/// What all queues hold without making anybody wait.
const BURST: u64 = 4_000;
/// Bursts that are not counted: until one has found the listener as far behind as it ever is.
const WARM_UP: u64 = 20;

/// `CASE PEER EVENTS`; tells numbers, one line.
pub(crate) fn child(args: &[String]) -> Result<(), Failure> {
    let [case, peer, events] = args else { return Err("expected: --child CASE PEER EVENTS".into()) };
    let peer = Peer::by_name(peer).ok_or_else(|| format!("no peer {peer:?}"))?;
    let path = File(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("queue-{}.log", std::process::id())));
    let events: u64 = events.parse()?;
    let numbers = match case.as_str() {
        "caller-W1" => caller(peer, Work::Event, &path.0, events)?,
        "caller-W2" => caller(peer, Work::EventInSpans, &path.0, events)?,
        "latency" => latency(peer, &path.0, events)?,
        "beside" => beside(&path.0, events)?,
        "end" => end(peer, 1, &path.0, events)?,
        "two" => end(peer, 2, &path.0, events)?,
        // For callgrind: the clock of rustix does not run under valgrind.
        "plain" => plain(peer, &path.0, events)?,
        _ => return Err(format!("no case {case:?}").into()),
    };
    let numbers: Vec<_> = numbers.iter().map(f64::to_string).collect();
    println!("{}", numbers.join(" "));
    Ok(())
}

/// Goes away with the process.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Nanoseconds and allocations of the calling thread.
fn caller(peer: Peer, work: Work, path: &Path, events: u64) -> Result<Vec<f64>, Failure> {
    let installed = peer.install(path)?;
    let mut times = Vec::new();
    let mut made = 0;
    {
        let caller = installed.speaker.caller(work);
        let mut burst = |is_counted: bool| {
            let (start, before) = (thread_time(), allocations());
            caller.log(work, BURST);
            let (spent, more) = (thread_time() - start, allocations() - before);
            wait_until_quiet(path);
            (installed.between)();
            if is_counted {
                times.push(spent);
                made += more;
            }
        };
        (0..WARM_UP).for_each(|_| burst(false));
        (0..events.div_ceil(BURST)).for_each(|_| burst(true));
    }
    let bursts = times.len() as u64;
    finish(installed, path, (bursts + WARM_UP) * BURST)?;
    times.sort_unstable();
    let median = times[times.len() / 2].as_nanos() as f64 / BURST as f64;
    Ok(vec![median, made as f64 / (bursts * BURST) as f64])
}

/// 50 %, 99 %, 99.9 % and the mean, in nanoseconds.
fn latency(peer: Peer, path: &Path, events: u64) -> Result<Vec<f64>, Failure> {
    let installed = peer.install(path)?;
    let mut times: Vec<u64> = Vec::with_capacity(events as usize);
    let bursts = events.div_ceil(BURST);
    {
        let caller = installed.speaker.caller(Work::Event);
        caller.log(Work::Event, BURST);
        wait_until_quiet(path);
        for _ in 0..bursts {
            for _ in 0..BURST {
                let start = Instant::now();
                caller.log(Work::Event, 1);
                times.push(start.elapsed().as_nanos() as u64);
            }
            wait_until_quiet(path);
        }
    }
    finish(installed, path, (bursts + 1) * BURST)?;
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize] as f64;
    let mean = times.iter().sum::<u64>() as f64 / times.len() as f64;
    Ok(vec![at(0.5), at(0.99), at(0.999), mean])
}

/// Nanoseconds on the wall for an event: of one caller, of two at once until both are done; and how many times as many
/// events two bring about. The listener is held up meanwhile, as if it had a processor of its own.
fn beside(path: &Path, events: u64) -> Result<Vec<f64>, Failure> {
    let gate = Arc::new(Mutex::new(()));
    let installed = Peer::install_behind(path, &gate)?;
    let rounds = (WARM_UP + events.div_ceil(BURST)) as usize;
    let (ready, at_the_line, done) = (Barrier::new(3), AtomicUsize::new(0), Barrier::new(3));
    let speaker = &installed.speaker;
    let times = thread::scope(|scope| {
        let callers: Vec<_> = (0..2)
            .map(|number| {
                let (ready, at_the_line, done) = (&ready, &at_the_line, &done);
                scope.spawn(move || {
                    let caller = speaker.caller(Work::Event);
                    let turn = |round: usize| {
                        ready.wait();
                        at_the_line.fetch_add(1, Ordering::AcqRel);
                        // A thread that is woken late is no part of it.
                        while at_the_line.load(Ordering::Acquire) < 2 * (round + 1) {
                            spin_loop();
                        }
                        let start = Instant::now();
                        // Alone in each second round.
                        if number == 0 || round % 2 == 1 {
                            caller.log(Work::Event, BURST);
                        }
                        let end = Instant::now();
                        done.wait();
                        (start, end)
                    };
                    (0..rounds).map(turn).collect::<Vec<_>>()
                })
            })
            .collect();
        for _ in 0..rounds {
            let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
            ready.wait();
            done.wait();
            drop(closed);
            wait_until_quiet(path);
        }
        callers.into_iter().map(|caller| caller.join().expect("a caller panicked")).collect::<Vec<_>>()
    });
    let bursts = rounds + rounds / 2;
    finish(installed, path, bursts as u64 * BURST)?;
    let each = |callers: usize| {
        let wall = |round: usize| {
            let of = || times.iter().map(|caller| caller[round]);
            let first = of().map(|(start, _)| start).min();
            first.zip(of().map(|(_, end)| end).max()).map_or(Duration::ZERO, |(first, last)| last - first)
        };
        let counted = (WARM_UP as usize..rounds).filter(|round| round % 2 == callers - 1);
        let mut walls: Vec<_> = counted.map(wall).collect();
        walls.sort_unstable();
        walls[walls.len() / 2].as_nanos() as f64 / (BURST * callers as u64) as f64
    };
    let (one, two) = (each(1), each(2));
    Ok(vec![one, two, one / two])
}

/// Nanoseconds on the wall for an event until all are in the file; processor time of the callers for an event.
fn end(peer: Peer, threads: u64, path: &Path, events: u64) -> Result<Vec<f64>, Failure> {
    let installed = peer.install(path)?;
    installed.speaker.caller(Work::Event).log(Work::Event, BURST);
    wait_until_quiet(path);
    let ready = Barrier::new(threads as usize + 1);
    let speaker = &installed.speaker;
    let (start, spent) = thread::scope(|scope| {
        let callers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let caller = speaker.caller(Work::Event);
                    ready.wait();
                    let start = thread_time();
                    caller.log(Work::Event, events);
                    thread_time() - start
                })
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        let spent = callers.into_iter().map(|caller| caller.join().expect("a caller panicked")).sum::<Duration>();
        (start, spent)
    });
    let all = threads * events;
    let produced = start.elapsed();
    // Counting the lines is not part of it.
    installed.finish()?;
    if lines(path)? < all + BURST {
        // It says that it is done before it is.
        wait_until_quiet(path);
    }
    let late = lines(path)?;
    let ended = ended(path, start)?;
    if late != all + BURST {
        return Err(format!("{peer:?}: {late} lines of {}", all + BURST).into());
    }
    let each = |time: Duration| time.as_nanos() as f64 / all as f64;
    Ok(vec![each(ended), each(produced), each(spent)])
}

/// When the file was written to last: also for those that end before they are done.
fn ended(path: &Path, start: Instant) -> Result<Duration, Failure> {
    let since = fs::metadata(path)?.modified()?.elapsed()?;
    Ok(start.elapsed().saturating_sub(since))
}

fn plain(peer: Peer, path: &Path, events: u64) -> Result<Vec<f64>, Failure> {
    let installed = peer.install(path)?;
    installed.speaker.caller(Work::Event).log(Work::Event, events);
    installed.finish()?;
    Ok(Vec::new())
}

fn finish(installed: Installed, path: &Path, lines_wanted: u64) -> Result<(), Failure> {
    installed.finish()?;
    wait_until_quiet(path);
    let found = lines(path)?;
    if found == lines_wanted { Ok(()) } else { Err(format!("{found} lines of {lines_wanted}").into()) }
}

fn lines(path: &Path) -> Result<u64, Failure> {
    Ok(fs::read(path)?.iter().filter(|byte| **byte == b'\n').count() as u64)
}

/// No peer says when it has nothing to do: its file does not grow any more.
fn wait_until_quiet(path: &Path) {
    let len = || fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut before = u64::MAX;
    while before != len() {
        before = len();
        thread::sleep(Duration::from_millis(10));
    }
}
