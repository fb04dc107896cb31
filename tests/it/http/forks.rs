//! After a fork, parent and child both send, each over a connection of its own.

use std::{collections::HashSet, env, fs, process};

use fork::{Fork, fork, waitpid};
use tracing_strata::output::Http;

use super::{LONG, emit, named, receiver::Receiver};
use crate::places::{Bare, if_child, in_a_child};

const URL: &str = "STRATA_TEST_URL";

#[test]
fn t15_after_a_fork_both_send_and_nothing_is_doubled() {
    const NAME: &str = "http::forks::t15_after_a_fork_both_send_and_nothing_is_doubled";
    if_child(|report| {
        let http = Http::builder(env::var(URL).unwrap()).format(Bare).schedule_delay(LONG).flush_timeout(LONG);
        let (http, _) = named(http);
        emit(&http, &["before"]);
        http.flush().unwrap();
        emit(&http, &["held"]);
        match fork().unwrap() {
            Fork::Child => {
                emit(&http, &["child"]);
                http.flush().unwrap();
                fs::write(report, http.stats().to_string()).unwrap();
                process::exit(0);
            }
            Fork::Parent(pid) => waitpid(pid).unwrap(),
        };
        emit(&http, &["parent"]);
        http.flush().unwrap();
    });
    let receiver = Receiver::start();
    let url = receiver.url("/");
    let report = in_a_child(
        NAME,
        |command| {
            command.env(URL, url);
        },
        |_| (),
    );
    assert_eq!(receiver.bodies(), ["before\n", "child\n", "held\nparent\n"]);
    let connections: Vec<_> = receiver.requests().iter().map(|got| got.connection).collect();
    assert_eq!((connections[0], connections.iter().collect::<HashSet<_>>().len()), (connections[2], 2));
    // What was held before the fork is the parent's to send.
    assert_eq!(report, "3 accepted: 2 written, 0 filtered, 1 dropped, 0 failed, 0 queued");
}
