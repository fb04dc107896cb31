//! After a fork, parent and child both export, and nothing arrives twice.

use std::{env, fs, process, time::Duration};

use fork::{Fork, fork, waitpid};
use tracing::{info, info_span};
use tracing_strata::otlp::Otlp;
use tracing_subscriber::prelude::*;

use super::receiver::{LONG, Receiver, body};
use crate::places::{if_child, in_a_child};

const URL: &str = "STRATA_TEST_URL";

#[test]
fn t15_after_a_fork_both_export_and_nothing_is_doubled() {
    const NAME: &str = "otlp::forks::t15_after_a_fork_both_export_and_nothing_is_doubled";
    if_child(|report| {
        let otlp = Otlp::builder().endpoint(env::var(URL).unwrap()).schedule_delay(Duration::from_secs(3_600));
        let (layer, guard) = otlp.build_with_guard().unwrap();
        tracing_subscriber::registry().with(layer).init();
        info_span!("before").in_scope(|| info!("before"));
        guard.flush(LONG).unwrap();
        info_span!("held").in_scope(|| info!("held"));
        match fork().unwrap() {
            Fork::Child => {
                info_span!("child").in_scope(|| ());
                info!("child");
                guard.flush(LONG).unwrap();
                fs::write(report, format!("{}\n{}\n", guard.logs(), guard.spans())).unwrap();
                guard.shutdown(LONG).unwrap();
                process::exit(0);
            }
            Fork::Parent(pid) => waitpid(pid).unwrap(),
        };
        match fork().unwrap() {
            Fork::Child => {
                // Nothing of its own: there is nobody to wait for.
                guard.flush(LONG).unwrap();
                guard.shutdown(LONG).unwrap();
                fs::write(report, fs::read_to_string(report).unwrap() + "idle").unwrap();
                process::exit(0);
            }
            Fork::Parent(pid) => waitpid(pid).unwrap(),
        };
        info_span!("parent").in_scope(|| info!("parent"));
        guard.shutdown(LONG).unwrap();
    });
    let receiver = Receiver::start();
    let report = in_a_child(
        NAME,
        |command| {
            command.env(URL, receiver.url());
        },
        |_| (),
    );
    let mut logs: Vec<_> = receiver.take_logs().iter().map(|(_, record)| body(record).to_owned()).collect();
    let mut spans: Vec<_> = receiver.take_spans().into_iter().map(|(_, span)| span.name).collect();
    logs.sort();
    spans.sort();
    let each_once = ["before", "child", "held", "parent"];
    assert_eq!(logs, each_once);
    assert_eq!(spans, each_once);
    // The child's own account: what was held before the fork is the parent's to send.
    let account = "3 accepted: 2 written, 0 filtered, 1 dropped, 0 failed, 0 queued";
    assert_eq!(report, format!("{account}\n{account}\nidle"));
}
