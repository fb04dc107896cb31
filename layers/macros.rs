//! `critical!` and `exception!`, beside `tracing`'s own macros.

/// Logs an event of severity CRITICAL, with the syntax of [`tracing::error!`].
///
/// `tracing` has no level for it: the event has `Level::ERROR` and the field `strata.severity = 50`, which the layers of
/// this crate turn into the record's severity. Other layers show an error with that field.
///
/// ```
/// use tracing_strata::critical;
///
/// critical!("no space left");
/// critical!(disk = "/dev/sda1", free = 0, "no space left on {}", "/");
/// critical!(target: "shop::db", parent: None, "gone");
/// ```
#[macro_export]
macro_rules! critical {
    (name: $name:expr, target: $target:expr, parent: $parent:expr, $($rest:tt)+) => {
        $crate::__private::event!(name: $name, target: $target, parent: $parent, $crate::__private::Level::ERROR, strata.severity = 50i64, $($rest)+)
    };
    (name: $name:expr, target: $target:expr, $($rest:tt)+) => {
        $crate::__private::event!(name: $name, target: $target, $crate::__private::Level::ERROR, strata.severity = 50i64, $($rest)+)
    };
    (name: $name:expr, $($rest:tt)+) => {
        $crate::__private::event!(name: $name, $crate::__private::Level::ERROR, strata.severity = 50i64, $($rest)+)
    };
    (target: $target:expr, parent: $parent:expr, $($rest:tt)+) => {
        $crate::__private::event!(target: $target, parent: $parent, $crate::__private::Level::ERROR, strata.severity = 50i64, $($rest)+)
    };
    (target: $target:expr, $($rest:tt)+) => {
        $crate::__private::event!(target: $target, $crate::__private::Level::ERROR, strata.severity = 50i64, $($rest)+)
    };
    (parent: $parent:expr, $($rest:tt)+) => {
        $crate::__private::event!(parent: $parent, $crate::__private::Level::ERROR, strata.severity = 50i64, $($rest)+)
    };
    ($($rest:tt)+) => {
        $crate::__private::event!($crate::__private::Level::ERROR, strata.severity = 50i64, $($rest)+)
    };
}

/// Logs the error of a `Result` at ERROR and returns the `Result`, for `?`. Does nothing for `Ok`.
///
/// The event has the fields `error` (with its causes), `error.type`, and `error.backtrace` of the call if backtraces are on
/// (`RUST_BACKTRACE`, as for [`std::backtrace::Backtrace::capture`]). More fields and a message follow as in
/// [`tracing::error!`], and `target:` may come first; the default message is the error's own. Accepts every
/// `Result<_, E: Error + 'static>`, `Box<dyn Error>` and `anyhow`-like errors.
///
/// Python: `logger.exception(…)`.
///
/// ```
/// use tracing_strata::exception;
///
/// fn port(text: &str) -> Result<u16, std::num::ParseIntError> {
///     let port = exception!(text.parse::<u16>(), text, "not a port")?;
///     Ok(port)
/// }
/// assert!(port("eighty").is_err());
/// ```
#[macro_export]
macro_rules! exception {
    (target: $target:expr, $result:expr $(,)?) => {
        $crate::exception!(@log (target: $target,) $result, error => "{}", error)
    };
    (target: $target:expr, $result:expr, $($rest:tt)+) => {
        $crate::exception!(@log (target: $target,) $result, error => $($rest)+)
    };
    ($result:expr $(,)?) => {
        $crate::exception!(@log () $result, error => "{}", error)
    };
    ($result:expr, $($rest:tt)+) => {
        $crate::exception!(@log () $result, error => $($rest)+)
    };
    (@log ($($prefix:tt)*) $result:expr, $error:ident => $($rest:tt)+) => {
        $crate::__private::inspect($result, |error| {
            #[allow(unused_imports)]
            use $crate::__private::{ViaAsRef as _, ViaAsRefShared as _, ViaError as _};
            let finder = &&&$crate::__private::ErrorRef(error);
            let $error = finder.as_dyn();
            $crate::__private::event!(
                $($prefix)*
                $crate::__private::Level::ERROR,
                error = $error,
                error.type = $crate::__private::type_name_of(error),
                error.backtrace = $crate::__private::backtrace(),
                $($rest)+
            );
        })
    };
}

/// For the macros only.
#[doc(hidden)]
#[allow(missing_docs)]
pub mod __private {
    use std::{
        backtrace::{Backtrace, BacktraceStatus},
        error::Error,
    };

    pub use tracing::{Level, event};

    /// Finds the `dyn Error` in an error of any kind: method resolution takes the outermost reference that has the method.
    pub struct ErrorRef<'a, E: ?Sized>(pub &'a E);

    pub trait ViaError {
        fn as_dyn(&self) -> &(dyn Error + 'static);
    }

    impl<E: Error + 'static> ViaError for ErrorRef<'_, E> {
        fn as_dyn(&self) -> &(dyn Error + 'static) {
            self.0
        }
    }

    pub trait ViaAsRef {
        fn as_dyn(&self) -> &(dyn Error + 'static);
    }

    impl<E: AsRef<dyn Error + 'static> + ?Sized> ViaAsRef for &ErrorRef<'_, E> {
        fn as_dyn(&self) -> &(dyn Error + 'static) {
            self.0.as_ref()
        }
    }

    pub trait ViaAsRefShared {
        fn as_dyn(&self) -> &(dyn Error + 'static);
    }

    impl<E: AsRef<dyn Error + Send + Sync + 'static> + ?Sized> ViaAsRefShared for &&ErrorRef<'_, E> {
        fn as_dyn(&self) -> &(dyn Error + 'static) {
            self.0.as_ref()
        }
    }

    /// A function, so that the closure knows the type of the error.
    pub fn inspect<T, E>(result: Result<T, E>, inspect: impl FnOnce(&E)) -> Result<T, E> {
        if let Err(error) = &result {
            inspect(error);
        }
        result
    }

    /// `None` for boxes of any error: the type inside is unknown.
    pub fn type_name_of<T>(_: &T) -> Option<&'static str> {
        let name = std::any::type_name::<T>();
        (!name.contains("dyn ")).then_some(name)
    }

    pub fn backtrace() -> Option<String> {
        let trace = Backtrace::capture();
        (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string().trim_end().to_owned())
    }
}
