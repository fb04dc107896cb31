//! What files have in common of ours: when bytes are on the disk, and under which permissions.

use super::Making;
use crate::{config::node::Data, sink::Durability};

/// `sync_on`, `sync_every`, `sync_interval`.
pub(super) fn durability(making: &Making<'_, '_>) -> Durability {
    let ours = making.ours;
    let mut durability = Durability::system();
    if let Some(least) = ours.level("sync_on") {
        durability = durability.sync_on(least);
    }
    if let Some(records) = ours.count("sync_every") {
        durability = durability.sync_every(records);
    }
    if let Some(interval) = ours.seconds("sync_interval") {
        durability = durability.sync_interval(interval);
    }
    durability
}

/// Permissions of a file that is made: a text in octal, as `chmod` takes it, or a number (`0640` in YAML, `0o640` in TOML).
pub(super) fn permissions(making: &Making<'_, '_>) -> Option<u32> {
    let ours = making.ours;
    let node = ours.node("permissions")?;
    let mode = match &node.data {
        Data::Str(text) => octal(text),
        // 640 without anything before it is the number 640, which is 0o1200: nobody's permissions.
        Data::Int(number) => u32::try_from(*number).ok(),
        _ => None,
    };
    if let Some(mode) = mode.filter(|mode| *mode <= 0o777) {
        return Some(mode);
    }
    let message = format!("expected permissions in octal, such as \"0640\" (a number up to 0o777), got {node}");
    let mut problem = ours.wrong("permissions", message);
    problem.suggestion = match node.data {
        Data::Int(number) => Some(format!("0{number}")).filter(|text| octal(text).is_some_and(|mode| mode <= 0o777)),
        _ => None,
    };
    ours.note(problem);
    None
}

/// `640`, `0640` and `0o640` are the same.
fn octal(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let is_octal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    u32::from_str_radix(digits, 8).ok().filter(|_| is_octal)
}
