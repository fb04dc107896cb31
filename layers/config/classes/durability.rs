//! What files have in common of ours: when bytes are on the disk, and under which permissions.

use super::Making;
use crate::sink::Durability;

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

/// Permissions of a file that is made, as a number (in YAML `0o640`).
pub(super) fn permissions(making: &Making<'_, '_>) -> Option<u32> {
    let mode = making.ours.count("permissions")?;
    match u32::try_from(mode) {
        Ok(mode) if mode <= 0o7777 => Some(mode),
        _ => making.ours.expected("permissions", making.ours.node("permissions")?, "permissions up to 0o7777"),
    }
}
