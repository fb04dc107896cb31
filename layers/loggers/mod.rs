//! The logger tree.
pub(crate) fn is_below(target: &str, name: &str) -> bool {
    target.starts_with(name)
}
