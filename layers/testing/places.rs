//! Where a thread is: inside which captures, and in which of their spans.

use std::{cell::RefCell, sync::Arc};

use tracing_core::{Metadata, dispatcher::DefaultGuard};

use crate::record::SpanData;

/// A span of a capture that this thread has entered.
#[derive(Clone)]
pub(super) struct Entered {
    pub(super) id: u64,
    pub(super) metadata: &'static Metadata<'static>,
    pub(super) data: Arc<SpanData>,
    /// Entered while entered: this does not make it the current span.
    pub(super) again: bool,
}

struct Place {
    capture: usize,
    span: Option<Entered>,
    /// What the thread's default was before; none where the capture was it already.
    before: Option<DefaultGuard>,
    left: bool,
}

thread_local! {
    static PLACES: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

/// Goes in: `before` is dropped when the thread has left this place and all that it entered later.
pub(super) fn enter(capture: usize, span: Option<Entered>, before: Option<DefaultGuard>) {
    let place = Place { capture, span, before, left: false };
    // A thread that is ending: its default, too, is as before at once.
    PLACES.try_with(|places| places.borrow_mut().push(place)).unwrap_or_default();
}

/// Leaves a span, or the capture itself. Spans may be left in any order, but the defaults of a thread are a stack: a place
/// below others stays until those are left.
pub(super) fn leave(capture: usize, span: Option<u64>) {
    let left = PLACES.try_with(|places| {
        let mut places = places.borrow_mut();
        let is_it = |place: &&mut Place| {
            !place.left && place.capture == capture && place.span.as_ref().map(|entered| entered.id) == span
        };
        if let Some(place) = places.iter_mut().rev().find(is_it) {
            place.left = true;
        }
        let mut left = Vec::new();
        while places.last().is_some_and(|place| place.left) {
            left.extend(places.pop());
        }
        left
    });
    // Outside the borrow, the innermost first: a span that ends here may log.
    for place in left.unwrap_or_default() {
        drop(place.before);
    }
}

/// The current span of a capture.
pub(super) fn current(capture: usize) -> Option<Entered> {
    let find = |places: &RefCell<Vec<Place>>| {
        let places = places.try_borrow().ok()?;
        let of = |place: &Place| place.span.clone().filter(|entered| !entered.again);
        places.iter().rev().filter(|place| place.capture == capture && !place.left).find_map(of)
    };
    PLACES.try_with(find).ok().flatten()
}

/// Whether the thread is in this very span.
pub(super) fn is_in(capture: usize, id: u64) -> bool {
    let is_it = |place: &Place| {
        !place.left && place.capture == capture && place.span.as_ref().is_some_and(|entered| entered.id == id)
    };
    PLACES.try_with(|places| places.try_borrow().is_ok_and(|places| places.iter().any(is_it))).unwrap_or_default()
}
