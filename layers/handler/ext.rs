//! The wrappers of handlers, as methods.

use super::{Fallback, Handler, HandlerLayer, NamedHandler, Transformed, WithFilter, WithLevel};
use crate::{
    Severity,
    filter::{Filter, Transform},
};

/// Wraps handlers. Every [`Handler`] has these methods; the [`prelude`](crate::prelude) brings them into scope.
pub trait HandlerExt: Handler + Sized {
    /// Refuses records below a severity. This level is independent of the levels of loggers.
    fn min_level(self, min_level: impl Into<Severity>) -> WithLevel<Self> {
        WithLevel::new(self, min_level.into())
    }

    /// Refuses records that the filter does not pass.
    fn filter<F: Filter>(self, filter: F) -> WithFilter<Self, F> {
        WithFilter::new(self, filter)
    }

    /// Changes a copy of each record before this handler gets it; other handlers see the original.
    fn transform<R: Transform>(self, transform: R) -> Transformed<Self, R> {
        Transformed::new(self, transform)
    }

    /// Sends records that this handler drops or fails to handle to another one. See [`Fallback`].
    fn fallback<F: Handler>(self, fallback: F) -> Fallback<Self> {
        Fallback::new(self, fallback)
    }

    /// Erases the type, for collections of handlers.
    fn boxed(self) -> Box<dyn Handler> {
        Box::new(self)
    }

    /// Makes it a `tracing_subscriber` layer.
    fn into_layer(self) -> HandlerLayer<Self> {
        HandlerLayer::new(self)
    }

    /// Makes it clonable, with a name and a level that can change at run time.
    fn named(self, name: impl Into<String>) -> NamedHandler {
        NamedHandler::new(name, self)
    }
}

impl<H: Handler> HandlerExt for H {}
