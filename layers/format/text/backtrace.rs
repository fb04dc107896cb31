//! Reads the text of a backtrace, to show what matters of it.

use std::{path::Path, sync::OnceLock};

/// A function of a backtrace, as it was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) symbol: &'a str,
    /// `path:line:column`
    pub(super) location: Option<&'a str>,
}

/// Whose code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    /// The standard library, the system, or an async or threading runtime, by its name.
    Runtime(&'a str),
    /// Another package.
    Dependency,
    /// The application.
    Own,
}

/// Packages that call the application, or are called to log.
const RUNTIMES: [&str; 14] = [
    "actix_rt",
    "async_executor",
    "async_std",
    "futures_core",
    "futures_executor",
    "futures_util",
    "rayon",
    "rayon_core",
    "smol",
    "tokio",
    "tracing",
    "tracing_core",
    "tracing_strata",
    "tracing_subscriber",
];

/// Splits a text where its backtrace begins: `   0: symbol`, as `std::backtrace` and the crate `backtrace` print it. Causes of an
/// error may be numbered in the same way: a backtrace comes after them, has places, or is announced, or is all there is.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let (mut at, mut start) = (0, None);
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("0: ") {
            start = Some(at);
        }
        at += line.len();
    }
    let (before, trace) = text.split_at(start?);
    let has_places = || trace.lines().any(|line| line.trim_start().starts_with("at "));
    let is_announced = before.trim_end().rsplit('\n').next().is_some_and(|line| line.ends_with("ack backtrace:"));
    (before.trim().is_empty() || is_announced || has_places()).then_some((before, trace))
}

pub(super) fn frames(text: &str) -> impl Iterator<Item = Frame<'_>> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    std::iter::from_fn(move || {
        let line = lines.next()?;
        // Functions that were inlined have no number.
        let symbol = match line.split_once(": ") {
            Some((number, symbol)) if number.bytes().all(|byte| byte.is_ascii_digit()) => symbol,
            _ => line,
        };
        let location = lines.next_if(|line| line.starts_with("at ")).map(|line| &line["at ".len()..]);
        Some(Frame { symbol, location })
    })
}

impl<'a> Frame<'a> {
    pub(super) fn origin(self) -> Origin<'a> {
        let package = package(self.symbol);
        let is_std = matches!(package, "std" | "core" | "alloc" | "test" | "proc_macro")
            || self.symbol.starts_with("__rust")
            || matches!(
                self.symbol,
                "main" | "_start" | "_main" | "start" | "clone" | "clone3" | "start_thread" | "rust_begin_unwind"
            )
            || self.symbol.starts_with("__libc_start")
            || self.symbol.starts_with("<unknown>")
            || self.location.is_some_and(|path| path.starts_with("/rustc/"));
        match RUNTIMES.iter().find(|runtime| **runtime == package) {
            _ if is_std => Origin::Runtime("std"),
            Some(runtime) => Origin::Runtime(runtime),
            None if self.location.is_some_and(is_foreign) => Origin::Dependency,
            None => Origin::Own,
        }
    }
}

/// Where cargo keeps what it has downloaded.
const DOWNLOADED: [&str; 2] = ["/registry/src/", "/git/checkouts/"];

fn is_foreign(path: &str) -> bool {
    DOWNLOADED.iter().any(|folder| path.contains(folder))
}

/// The package of a symbol: `shop` of `shop::pay`, of `<shop::Card as core::fmt::Debug>::fmt` and of
/// `<T as shop::Pay>::pay`.
fn package(symbol: &str) -> &str {
    let first = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let Some(of_type) = symbol.strip_prefix('<') else { return &symbol[..first(symbol)] };
    let mut rest = of_type;
    while let Some(inner) =
        ["<", "&", "*", "[", "(", "mut ", "const ", "dyn "].iter().find_map(|prefix| rest.strip_prefix(prefix))
    {
        rest = inner;
    }
    let end = first(rest);
    match rest[end..].starts_with("::") {
        true => &rest[..end],
        // A type parameter or a primitive type: the trait says whose it is.
        false => of_type.split_once(" as ").map_or(&rest[..end], |(_, of_trait)| &of_trait[..first(of_trait)]),
    }
}

/// A path without what is the same for all: the workspace, the folder of downloaded packages, or that of the compiler.
pub(super) fn short_path(path: &str) -> &str {
    static WORKSPACE: OnceLock<Option<String>> = OnceLock::new();
    if !path.starts_with(['/', '.']) && !path.contains(":\\") {
        return path;
    }
    short(path, WORKSPACE.get_or_init(workspace).as_deref())
}

fn short<'p>(path: &'p str, workspace: Option<&str>) -> &'p str {
    let separator = ['/', '\\'];
    if let Some(relative) = path.strip_prefix("./").or_else(|| path.strip_prefix(".\\")) {
        return relative;
    }
    if let Some(inside) = workspace.and_then(|folder| path.strip_prefix(folder)?.strip_prefix(separator)) {
        return inside;
    }
    for folder in DOWNLOADED {
        // The folder has one more inside, named for the registry or the repository.
        if let Some((_, inside)) = path.split_once(folder).and_then(|(_, rest)| rest.split_once('/')) {
            return inside;
        }
    }
    path.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/')).map_or(path, |(_, inside)| inside)
}

/// The folder of the nearest `Cargo.lock` above the executable, or above the current folder.
fn workspace() -> Option<String> {
    let near = |place: &Path| {
        let found = place.ancestors().skip(1).find(|folder| folder.join("Cargo.lock").exists())?;
        found.to_str().map(str::to_owned)
    };
    let here = || near(&std::env::current_dir().ok()?.join("x"));
    std::env::current_exe().ok().and_then(|program| near(&program)).or_else(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_std_prints_is_read() {
        let text = "before\n   0: std::panicking::begin\n             at /rustc/abc/library/std/src/p.rs:1:2\n   1: \
                    shop::pay\n             at ./src/pay.rs:4:9\n      shop::inlined\n             at \
                    ./src/main.rs:7:1\n  12: main\n";
        let (before, trace) = split(text).unwrap();
        assert_eq!(before, "before\n");
        let found: Vec<_> = frames(trace).map(|frame| (frame.symbol, frame.location, frame.origin())).collect();
        let expected = [
            ("std::panicking::begin", Some("/rustc/abc/library/std/src/p.rs:1:2"), Origin::Runtime("std")),
            ("shop::pay", Some("./src/pay.rs:4:9"), Origin::Own),
            ("shop::inlined", Some("./src/main.rs:7:1"), Origin::Own),
            ("main", None, Origin::Runtime("std")),
        ];
        assert_eq!(found, expected);
        assert_eq!(split("no frames\nhere"), None);
        let causes = "cannot pay\n\nCaused by:\n    0: no answer\n    1: timed out";
        assert_eq!(split(causes), None);
        let trace = "   0: shop::pay\n   1: main\n";
        let announced = format!("{causes}\n\nStack backtrace:\n{trace}");
        assert_eq!(split(&announced).unwrap().1, trace);
        assert_eq!(split(trace), Some(("", trace)));
    }

    #[test]
    fn a_real_one_is_read() {
        let text = std::backtrace::Backtrace::force_capture().to_string();
        let (_, trace) = split(&text).unwrap();
        assert!(frames(trace).any(|frame| frame.symbol.contains("a_real_one_is_read")), "{text}");
        assert!(frames(trace).any(|frame| frame.origin() == Origin::Runtime("std")), "{text}");
    }

    #[test]
    fn whose_a_symbol_is() {
        for (symbol, name) in [
            ("shop::pay", "shop"),
            ("<shop::Card as core::fmt::Debug>::fmt", "shop"),
            ("<&T as core::fmt::Debug>::fmt", "core"),
            ("<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once", "alloc"),
            ("<&mut dyn shop::Pay as shop::Pay>::pay", "shop"),
            ("<T as shop::Pay>::pay", "shop"),
            ("main", "main"),
            ("<", ""),
            ("", ""),
        ] {
            assert_eq!(package(symbol), name, "{symbol}");
        }
    }

    #[test]
    fn paths_are_those_of_the_workspace() {
        let short = |path| short(path, Some("/work/shop"));
        assert_eq!(short("./src/main.rs:7:1"), "src/main.rs:7:1");
        assert_eq!(short("/work/shop/src/main.rs"), "src/main.rs");
        assert_eq!(short("/work/shopping/src/main.rs"), "/work/shopping/src/main.rs");
        let kept = "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/tokio-1.40.0/src/lib.rs:1:1";
        assert_eq!(short(kept), "tokio-1.40.0/src/lib.rs:1:1");
        assert_eq!(short("/home/me/.cargo/git/checkouts/shop-12ab/77ff/src/lib.rs"), "77ff/src/lib.rs");
        assert_eq!(short("/rustc/59807616e1/library/core/src/ops.rs:250:5"), "library/core/src/ops.rs:250:5");
        assert_eq!(short_path("src/main.rs"), "src/main.rs");
        assert!(workspace().is_some_and(|folder| Path::new(&folder).join("Cargo.lock").exists()));
    }
}
