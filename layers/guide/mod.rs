//! Pages for people with a task. There is no code here.

#[cfg(feature = "config")]
#[doc = include_str!("coming_from_python.md")]
pub mod coming_from_python {}

#[cfg(all(feature = "config", feature = "testing"))]
#[doc = include_str!("testing_your_logs.md")]
pub mod testing_your_logs {}
