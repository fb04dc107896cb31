//! The time this thread has used a processor, and what machine that was.

use std::{process::Command, time::Duration};

/// Time of other processes on the same core is not in it.
#[cfg(unix)]
pub(crate) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Where a thread's own time cannot be asked for safely, the time on the wall has to do.
#[cfg(not(unix))]
pub(crate) fn thread_time() -> Duration {
    use std::{sync::LazyLock, time::Instant};
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// `2026-11-20, AMD EPYC 9B14, 2 cores, linux x86_64, rustc 1.95.0`
pub(crate) fn here_and_now() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let rustc = String::from_utf8_lossy(&rustc);
    let version = rustc.split(' ').nth(1).unwrap_or("of unknown version");
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let date = jiff::Timestamp::now().strftime("%F").to_string();
    format!("{date}, {}, {cores} cores, {os} {arch}, rustc {version}", cpu.unwrap_or("unknown processor").trim())
}
