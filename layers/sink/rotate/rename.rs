//! Renames and links.

use std::{fs, io, path::Path};

use super::names::exists;

/// Renames; fails if the target exists.
pub(super) fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::{
            fs::{CWD, RenameFlags, renameat_with},
            io::Errno,
        };
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // The file system does not support it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            result => return result.map_err(Into::into),
        }
    }
    if exists(to) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Creates a symbolic link or redirects an existing one. Anything else of this name stays.
pub(super) fn update_symlink(link: &Path, target: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let target = match (link.parent(), target.parent(), target.file_name()) {
            (Some(here), Some(there), Some(name)) if here == there => Path::new(name),
            _ => target,
        };
        match fs::read_link(link) {
            Ok(present) if present == target => return Ok(()),
            Ok(_) => fs::remove_file(link)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there and no link"));
            }
            Err(error) => return Err(error),
        }
        std::os::unix::fs::symlink(target, link)
    }
    #[cfg(not(unix))]
    {
        let _ = (link, target);
        Err(io::ErrorKind::Unsupported.into())
    }
}
