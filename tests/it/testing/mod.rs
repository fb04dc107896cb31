//! What a user's tests can do with logs.

mod assertions;
mod conformance;
mod forwarding;
mod misuse;
mod parallel;
mod peers;
mod probe;
mod reports;
mod taken;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing_strata::testing::Capture;

fn messages(logs: &Capture) -> Vec<String> {
    logs.records().iter().map(|record| record.message().to_owned()).collect()
}

/// What a failing assertion says.
fn failure(assert: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assert)).expect_err("it did not fail");
    panic.downcast_ref::<String>().unwrap().clone()
}
