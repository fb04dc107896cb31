//! After a fork, parent and child both send, each over a connection of its own.

use std::{env, fs, process};

use fork::{Fork, fork, waitpid};
use tracing_strata::{output::FluentForward, sink::net::Address};

use super::{LONG, emit, named, receiver::Receiver};
use crate::places::{if_child, in_a_child};

const PORT: &str = "STRATA_TEST_PORT";

#[test]
fn t15_after_a_fork_both_send_over_a_connection_of_their_own() {
    const NAME: &str = "forward::forks::t15_after_a_fork_both_send_over_a_connection_of_their_own";
    if_child(|report| {
        let address = Address::tcp("127.0.0.1", env::var(PORT).unwrap().parse().unwrap());
        let (fluent, _) = named(FluentForward::builder(address).schedule_delay(LONG).flush_timeout(LONG));
        emit(&fluent, "t", &["before"]);
        fluent.flush().unwrap();
        match fork().unwrap() {
            Fork::Child => {
                emit(&fluent, "t", &["child"]);
                fluent.flush().unwrap();
                process::exit(0);
            }
            Fork::Parent(pid) => waitpid(pid).unwrap(),
        };
        emit(&fluent, "t", &["parent"]);
        fluent.flush().unwrap();
        fs::write(report, fluent.stats().to_string()).unwrap();
    });
    let receiver = Receiver::start();
    let port = receiver.port().to_string();
    let report = in_a_child(
        NAME,
        |command| {
            command.env(PORT, port);
        },
        |_| (),
    );
    let got: Vec<_> = receiver.got().iter().map(|got| (got.messages()[0].clone(), got.connection)).collect();
    let of = |message: &str, connection| (message.to_owned(), connection);
    assert_eq!(got, [of("before", 0), of("child", 1), of("parent", 0)]);
    assert_eq!(report, "2 accepted: 2 written, 0 filtered, 0 dropped, 0 failed, 0 queued");
}
