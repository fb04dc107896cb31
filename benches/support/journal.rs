//! The journal's end: a socket of the bench, where tracing-journald looks for it if that place is free.

use std::{
    fs, io,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
};

pub(crate) const SYSTEM: &str = "/run/systemd/journal/socket";

pub(crate) struct Journal {
    pub(crate) socket: UnixDatagram,
    pub(crate) path: PathBuf,
    /// What was made for the sake of the path.
    made: Vec<PathBuf>,
}

impl Journal {
    pub(crate) fn new() -> io::Result<Self> {
        Self::systems().or_else(|_| {
            let path = std::env::temp_dir().join(format!("strata-bench-journald-{}", std::process::id()));
            let socket = UnixDatagram::bind(&path)?;
            Ok(Self { socket, path, made: Vec::new() })
        })
    }

    /// The only place where tracing-journald looks.
    fn systems() -> io::Result<Self> {
        let mut made = Vec::new();
        for folder in ["/run/systemd", "/run/systemd/journal"] {
            match fs::create_dir(folder) {
                Ok(()) => made.push(folder.into()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { socket: UnixDatagram::bind(SYSTEM)?, path: SYSTEM.into(), made })
    }

    pub(crate) fn is_systems(&self) -> bool {
        self.path == Path::new(SYSTEM)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let remove = |result: io::Result<()>, path: &Path| {
            if let Err(error) = result {
                eprintln!("{}: {error}", path.display());
            }
        };
        remove(fs::remove_file(&self.path), &self.path);
        self.made.iter().rev().for_each(|folder| remove(fs::remove_dir(folder), folder));
    }
}
