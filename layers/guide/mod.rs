//! Pages for people who come from elsewhere. There is no code here.

#[cfg(feature = "config")]
#[doc = include_str!("coming_from_python.md")]
pub mod coming_from_python {}
