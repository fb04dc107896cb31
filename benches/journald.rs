//! What a record to the systemd journal costs its caller: tracing-strata and tracing-journald in one run.
//!
//! ```text
//! cargo bench --bench journald                  # half a minute; the peer needs root and a machine without a journal
//! cargo bench --bench journald -- --quick       # does it run? numbers are rough
//! ```
//!
//! # What is measured
//!
//! | case | an event is |
//! |---|---|
//! | W1 | `info!` with a message and five fields (`u64`, `&str`, `f64`, `bool`, `%Ipv4Addr`), no span |
//! | W2 | the same inside two spans of two fields each |
//!
//! # How
//!
//! The journal is a socket of this bench: as many records are sent as its queue holds, then they are read, which is not
//! measured. Time is what the thread has used the processor. "a bare send" sends the bytes that tracing-strata has made of
//! the event, and no more: what is above it is capture and formatting. Rounds go in turns and the median counts.
//!
//! tracing-journald knows one path only. Where a journal is there already, nothing is sent to it, and the peer is left out.
//!
//! # Last run
//! 2026-11-20, two shared cores under load, rustc 1.95.0: above a bare send of 950 ns, W1 took 784 ns (tracing-journald 1766) and
//! W2 1022 ns (1971); 0 allocations (2 and 3).
#![allow(clippy::print_stdout, clippy::print_stderr)]

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

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("systemd's journal is Linux's");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{error::Error, fs, io, ops::Deref, os::unix::net::UnixDatagram, path::Path, time::Duration};

    use tracing::Dispatch;
    use tracing_strata::{output::Journald, prelude::*};
    use tracing_subscriber::{layer::SubscriberExt as _, registry};

    use crate::{
        alloc::allocations,
        clock::{here_and_now, thread_time},
        journal::{self, SYSTEM},
        work::{Facade, Work},
    };

    pub(crate) fn main() -> Result<(), Box<dyn Error>> {
        let (rounds, turns) = match std::env::args().any(|arg| arg == "--quick") {
            true => (1, 200),
            false => (9, 4_000),
        };
        let journal = Journal::new()?;
        let mut peers = vec![("**tracing-strata** `Journald`", Peer::Dispatch(strata(&journal.path)?))];
        if journal.is_systems() {
            peers
                .push(("tracing-journald", Peer::Dispatch(Dispatch::new(registry().with(tracing_journald::layer()?)))));
        } else {
            println!("{SYSTEM} is there already or cannot be made: without tracing-journald\n");
        }
        println!("{}, {rounds} rounds of {turns} times {} events\n", here_and_now(), journal.room);
        println!("| case | logger | ns | above a bare send | allocations | bytes |\n|---|---|--:|--:|--:|--:|");
        for (name, work) in [("W1", Work::Event), ("W2", Work::EventInSpans)] {
            let socket = UnixDatagram::unbound()?;
            socket.connect(&journal.path)?;
            let bytes = journal.example(&peers[0].1, work)?;
            let bare = Peer::Bare(socket, bytes);
            let mut of_case: Vec<_> = peers.iter().map(|(name, peer)| (*name, peer)).collect();
            of_case.push(("a bare send", &bare));
            let mut costs: Vec<Vec<Cost>> = of_case.iter().map(|_| Vec::new()).collect();
            for _ in 0..rounds {
                for ((_, peer), costs) in of_case.iter().zip(&mut costs) {
                    costs.push(journal.measure(peer, work, turns)?);
                }
            }
            let costs: Vec<Cost> = costs.into_iter().map(median).collect();
            let bare = costs.last().map_or(0.0, |cost| cost.nanos);
            for ((peer, _), Cost { nanos, allocations, bytes }) in of_case.iter().zip(costs) {
                println!("| {name} | {peer} | {nanos:.0} | {:.0} | {allocations} | {bytes:.0} |", nanos - bare);
            }
        }
        Ok(())
    }

    fn strata(path: &Path) -> Result<Dispatch, tracing_strata::Error> {
        Ok(Dispatch::new(registry().with(Journald::builder().socket(path).build_sync()?.into_layer())))
    }

    enum Peer {
        Dispatch(Dispatch),
        Bare(UnixDatagram, Vec<u8>),
    }

    /// For one event.
    #[derive(Clone, Copy)]
    struct Cost {
        nanos: f64,
        allocations: f64,
        bytes: f64,
    }

    fn median(mut costs: Vec<Cost>) -> Cost {
        costs.sort_unstable_by(|a, b| a.nanos.total_cmp(&b.nanos));
        costs[costs.len() / 2]
    }

    /// Its end.
    struct Journal {
        end: journal::Journal,
        /// How many records its queue holds.
        room: u64,
    }

    impl Deref for Journal {
        type Target = journal::Journal;

        fn deref(&self) -> &journal::Journal {
            &self.end
        }
    }

    impl Journal {
        fn new() -> io::Result<Self> {
            let end = journal::Journal::new()?;
            end.socket.set_nonblocking(true)?;
            let length = fs::read_to_string("/proc/sys/net/unix/max_dgram_qlen")?;
            // One may be under way.
            let room = length.trim().parse::<u64>().unwrap_or(10).clamp(2, 100) - 1;
            Ok(Self { end, room })
        }

        /// What one event is.
        fn example(&self, peer: &Peer, work: Work) -> io::Result<Vec<u8>> {
            // tracing-journald has sent an empty one, to see whether somebody is there.
            self.drain();
            peer.run(work, 1)?;
            let mut bytes = vec![0; 1 << 16];
            let length = self.socket.recv(&mut bytes)?;
            bytes.truncate(length);
            Ok(bytes)
        }

        /// Reads all there is: how many records, and how many bytes.
        fn drain(&self) -> (u64, u64) {
            let mut bytes = [0; 1 << 16];
            let (mut count, mut total) = (0, 0);
            while let Ok(length) = self.socket.recv(&mut bytes) {
                count += 1;
                total += length as u64;
            }
            (count, total)
        }

        fn measure(&self, peer: &Peer, work: Work, turns: u64) -> io::Result<Cost> {
            self.drain();
            for _ in 0..100 {
                peer.run(work, self.room)?;
                self.drain();
            }
            let (mut time, mut allocated, mut bytes) = (Duration::ZERO, 0, 0);
            for _ in 0..turns {
                let inside = peer.run(work, self.room)?;
                let (came, total) = self.drain();
                if came != self.room {
                    return Err(io::Error::other(format!("{came} of {} records came", self.room)));
                }
                time += inside.0;
                allocated += inside.1;
                bytes += total;
            }
            let events = (turns * self.room) as f64;
            Ok(Cost {
                nanos: time.as_nanos() as f64 / events,
                allocations: allocated as f64 / events,
                bytes: bytes as f64 / events,
            })
        }
    }

    impl Peer {
        /// Time and allocations of the events alone.
        fn run(&self, work: Work, events: u64) -> io::Result<(Duration, u64)> {
            let measured = |run: &mut dyn FnMut() -> io::Result<()>| {
                let (start, before) = (thread_time(), allocations());
                run()?;
                Ok((thread_time() - start, allocations() - before))
            };
            match self {
                Self::Bare(socket, bytes) => {
                    measured(&mut || (0..events).try_for_each(|_| socket.send(bytes).map(drop)))
                }
                Self::Dispatch(dispatch) => tracing::dispatcher::with_default(dispatch, || {
                    let facade = Facade::Tracing;
                    let inside = facade.enter(work);
                    measured(&mut || {
                        inside.run(work, events);
                        Ok(())
                    })
                }),
            }
        }
    }
}
