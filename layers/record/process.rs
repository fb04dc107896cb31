//! What all records of this process share: when logging started, and the name of the process.

use std::{sync::OnceLock, time::SystemTime};

static START: OnceLock<SystemTime> = OnceLock::new();

static PROCESS_NAME: OnceLock<String> = OnceLock::new();

/// When logging started, for [`Record::uptime`](super::Record::uptime).
pub(crate) fn start() -> SystemTime {
    *START.get_or_init(SystemTime::now)
}

pub(super) fn process_name() -> &'static str {
    PROCESS_NAME.get_or_init(executable_name)
}

fn executable_name() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name of this process so far: [`set_process_name`] may still change it.
pub(crate) fn process_name_by_now() -> String {
    PROCESS_NAME.get().cloned().unwrap_or_else(executable_name)
}

/// Names this process for [`Record::process_name`](super::Record::process_name). Call it before the first record asks:
/// later it returns false and changes nothing.
///
/// Python: `multiprocessing.current_process().name`.
pub fn set_process_name(name: &str) -> bool {
    PROCESS_NAME.set(name.to_owned()).is_ok()
}

/// Sets when logging started, for [`Record::uptime`](super::Record::uptime): the start of the program rather than the
/// first use, or the time of a [`ManualClock`](crate::clock::ManualClock). Once the start is set or was asked for, it
/// returns false and changes nothing.
pub fn set_start(time: SystemTime) -> bool {
    START.set(time).is_ok()
}
