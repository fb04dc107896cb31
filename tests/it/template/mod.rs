//! `format::Template`: judged by CPython, then what is ours.

mod cpython;
mod own;
mod parser;
