//! Keys that all files share: durability and permissions.

use crate::{
    config::{class::BuildContext, handler_args::SetIfSome as _, node::Data},
    sink::Durability,
};

/// `sync_on`, `sync_every`, `sync_interval`.
pub(super) fn durability(context: &BuildContext<'_, '_>) -> Durability {
    let strata = context.strata;
    let mut durability = Durability::system();
    durability = durability
        .set_if_some(strata.level("sync_on"), Durability::sync_on)
        .set_if_some(strata.count("sync_every"), Durability::sync_every)
        .set_if_some(strata.seconds("sync_interval"), Durability::sync_interval);
    durability
}

/// The permissions of a new file: an octal string, as for `chmod`, or a number (`0640` in YAML, `0o640` in TOML).
pub(super) fn permissions(context: &BuildContext<'_, '_>) -> Option<u32> {
    let strata = context.strata;
    let node = strata.node("permissions")?;
    let mode = match &node.data {
        Data::Str(text) => octal(text),
        // A plain 640 is 0o1200, which is refused below.
        Data::Int(number) => u32::try_from(*number).ok(),
        _ => None,
    };
    if let Some(mode) = mode.filter(|mode| *mode <= 0o777) {
        return Some(mode);
    }
    let message = format!("expected permissions in octal, such as \"0640\" (a number up to 0o777), got {node}");
    let mut problem = strata.wrong("permissions", message);
    problem.suggestion = match node.data {
        Data::Int(number) => Some(format!("0{number}")).filter(|text| octal(text).is_some_and(|mode| mode <= 0o777)),
        _ => None,
    };
    strata.report(problem);
    None
}

/// `640`, `0640` and `0o640` are the same.
fn octal(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let is_octal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    u32::from_str_radix(digits, 8).ok().filter(|_| is_octal)
}
