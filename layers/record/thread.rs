//! The name and id of this thread, looked up once per thread.

use std::cell::OnceCell;
#[cfg(feature = "otlp")]
use std::sync::Arc;

pub(super) struct ThreadInfo {
    pub(super) name: Box<str>,
    pub(super) id: u64,
}

thread_local! {
    static INFO: OnceCell<ThreadInfo> = const { OnceCell::new() };
}

/// Calls `use_it` with this thread's name (empty if it has none) and the operating system's id for it.
#[inline]
pub(super) fn with<R>(use_it: impl FnOnce(&str, u64) -> R) -> R {
    let mut use_it = Some(use_it);
    let known = INFO.try_with(|info| {
        let info = info.get_or_init(look_up);
        use_it.take().map(|use_it| use_it(&info.name, info.id))
    });
    match (known, use_it) {
        (Ok(Some(result)), _) => result,
        // The thread is ending: its storage is gone, and its name with it.
        (_, Some(use_it)) => use_it("", os_id()),
        (_, None) => unreachable!("the closure was taken, so its result is here"),
    }
}

/// From now on the records of this new thread carry the name and id of another one.
pub(crate) fn impersonate_thread(name: &str, id: u64) {
    INFO.try_with(|info| {
        // Has no effect if the thread's own name was used already.
        info.set(ThreadInfo { name: name.into(), id }).unwrap_or_default();
    })
    .unwrap_or_default();
}

/// This thread's id.
pub(crate) fn this_thread_id() -> u64 {
    with(|_, id| id)
}

/// This thread's id, and its name in shared memory.
#[cfg(feature = "otlp")]
pub(super) fn shared() -> (u64, Option<Arc<str>>) {
    thread_local! {
        static NAME: OnceCell<Option<Arc<str>>> = const { OnceCell::new() };
    }
    with(|name, id| {
        let make = || (!name.is_empty()).then(|| Arc::from(name));
        // The thread is ending: no name.
        (id, NAME.try_with(|shared| shared.get_or_init(make).clone()).unwrap_or_default())
    })
}

fn look_up() -> ThreadInfo {
    ThreadInfo { name: std::thread::current().name().unwrap_or_default().into(), id: os_id() }
}

#[cfg(unix)]
fn os_id() -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return rustix::thread::gettid().as_raw_nonzero().get() as u64;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return counted();
}

#[cfg(not(unix))]
fn os_id() -> u64 {
    counted()
}

/// Threads are counted where the system's id is not available without unsafe code.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn counted() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
