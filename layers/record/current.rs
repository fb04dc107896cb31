//! The spans that this thread is in.

use std::{cell::RefCell, sync::Arc};

use tracing_core::Metadata;

use super::SpanData;

/// Which subscriber a span belongs to. 0: unknown (a layer that was added later, inside an `Option` or a `Vec`).
pub(crate) type RegistryId = usize;

// --- the last span that this thread made

struct LastCreated {
    registry: RegistryId,
    id: u64,
    data: Arc<SpanData>,
}

thread_local! {
    /// Most spans are entered at once by the thread that made them: this saves a look-up that takes four locks.
    static LAST_CREATED: RefCell<Option<LastCreated>> = const { RefCell::new(None) };
}

#[inline]
pub(crate) fn set_last_created(registry: RegistryId, id: u64, data: Arc<SpanData>) {
    let before = LAST_CREATED.try_with(|last| last.try_borrow_mut().ok()?.replace(LastCreated { registry, id, data }));
    // Dropped here, outside the borrow.
    drop(before);
}

/// Only a hint: other subscribers use the same ids.
#[inline]
pub(crate) fn is_last_created(id: u64) -> bool {
    let is_it = |last: &LastCreated| last.id == id;
    LAST_CREATED
        .try_with(|last| last.try_borrow().is_ok_and(|last| last.as_ref().is_some_and(is_it)))
        .unwrap_or_default()
}

/// Takes the span when it is first entered. Only the thread that made a span can reuse its id, and the new span then
/// replaces the entry. Without a registry an id alone says nothing.
#[inline]
fn take_last_created(registry: RegistryId, id: u64) -> Option<Arc<SpanData>> {
    let is_it = |last: &mut LastCreated| registry != 0 && last.id == id && last.registry == registry;
    let last = LAST_CREATED.try_with(|last| last.try_borrow_mut().ok()?.take_if(is_it)).ok()?;
    last.map(|last| last.data)
}

/// A closed span is never entered again.
#[inline]
pub(super) fn forget_last_created(data: &Arc<SpanData>) {
    let is_it = |last: &mut LastCreated| Arc::ptr_eq(&last.data, data);
    let last = LAST_CREATED.try_with(|last| last.try_borrow_mut().ok()?.take_if(is_it));
    drop(last);
}

// --- the spans that this thread has entered

struct Entered {
    registry: RegistryId,
    id: u64,
    /// Entered again while entered: as in the Registry, this does not make it the current span.
    again: bool,
    data: Arc<SpanData>,
}

thread_local! {
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

/// Called by every layer that sees the span; the same span twice in a row is the same current span.
#[inline]
pub(crate) fn enter(registry: RegistryId, id: u64, data: impl FnOnce() -> Option<Arc<SpanData>>) {
    let entered = |stack: &RefCell<Vec<Entered>>| -> Option<()> {
        let known = {
            let stack = stack.try_borrow().ok()?;
            let is_it = |entry: &&Entered| entry.id == id && entry.registry == registry;
            stack.iter().rev().find(is_it).map(|entry| Arc::clone(&entry.data))
        };
        let again = known.is_some();
        let data = known.or_else(|| take_last_created(registry, id)).or_else(data)?;
        stack.try_borrow_mut().ok()?.push(Entered { registry, id, again, data });
        Some(())
    };
    // `None`: the thread is ending, or the span is unknown to us; then records do not show it.
    ENTERED.try_with(entered).unwrap_or_default().unwrap_or_default();
}

#[inline]
pub(crate) fn exit(registry: RegistryId, id: u64) {
    let left = ENTERED.try_with(|stack| {
        let mut stack = stack.try_borrow_mut().ok()?;
        // A layer may have learnt its registry after it entered.
        let is_it = |entry: &Entered| entry.id == id && (entry.registry == registry || entry.registry == 0);
        if stack.last().is_some_and(is_it) {
            return stack.pop();
        }
        let index = stack.iter().rposition(is_it)?;
        Some(stack.remove(index))
    });
    #[cfg(feature = "otlp")]
    if let Ok(Some(entry)) = &left {
        if !entry.again {
            entry.data.export().leave();
        }
    }
    // Dropped here, outside the borrow.
    drop(left);
}

/// The innermost entry that fits. Also `None` when the thread is ending.
#[inline]
fn find(fits: impl Fn(&Entered) -> bool) -> Option<Arc<SpanData>> {
    let find = |stack: &RefCell<Vec<Entered>>| {
        stack.try_borrow().ok()?.iter().rev().find(|entry| fits(entry)).map(|entry| Arc::clone(&entry.data))
    };
    ENTERED.try_with(find).ok().flatten()
}

/// The current span. If a registry is unknown, `is_current` decides.
#[inline]
pub(crate) fn current(
    registry: RegistryId,
    is_current: impl Fn(u64, Option<&'static Metadata<'static>>) -> bool,
) -> Option<Arc<SpanData>> {
    find(|entry| {
        if entry.again {
            return false;
        }
        if registry != 0 && entry.registry != 0 {
            return entry.registry == registry;
        }
        is_current(entry.id, entry.data.metadata)
    })
}

/// An entered span by id alone: for layers that do not know their registry.
pub(crate) fn entered(id: u64) -> Option<Arc<SpanData>> {
    find(|entry| entry.id == id)
}

/// The current span of each subscriber.
pub(crate) fn innermost() -> Vec<Arc<SpanData>> {
    let innermost = |stack: &RefCell<Vec<Entered>>| {
        let mut found: Vec<(RegistryId, Arc<SpanData>)> = Vec::new();
        for entry in stack.try_borrow().ok()?.iter().rev() {
            if !entry.again && !found.iter().any(|(registry, _)| *registry == entry.registry) {
                found.push((entry.registry, Arc::clone(&entry.data)));
            }
        }
        Some(found)
    };
    let found = ENTERED.try_with(innermost).ok().flatten().unwrap_or_default();
    found.into_iter().map(|(_, data)| data).collect()
}
