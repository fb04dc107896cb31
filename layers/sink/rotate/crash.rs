//! Places at which a test lets the process die; nothing outside of tests.

#[cfg(not(test))]
#[inline(always)]
pub(super) fn crash_point(_: &str) {}

/// Dies as by `kill -9` at the place that the environment names.
#[cfg(test)]
pub(super) fn crash_point(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    if std::env::var("STRATA_TEST_CRASH").is_ok_and(|place| place == name) {
        kill_process(getpid(), Signal::KILL).unwrap_or_default();
    }
}
