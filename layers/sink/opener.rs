//! Opening a file, and what to do with an open one.

use std::io;

use super::registry::FileId;

/// Opens a file. Tests script it.
pub(super) trait FileOpener: Send + Sync + 'static {
    type File: RawFile;

    /// Opens the path, also again.
    fn open(&self) -> io::Result<OpenedFile<Self::File>>;

    /// Whether it is time to check the path.
    #[inline]
    fn is_check_due(&self) -> bool {
        false
    }

    /// Whether the path leads to another file than this one, or nowhere.
    fn path_changed(&self, file: Option<FileId>) -> bool {
        let _ = file;
        false
    }

    /// Whether the file has no name any more, so that what is written to it is lost.
    fn is_unlinked(&self, file: &Self::File) -> bool {
        let _ = file;
        false
    }

    /// Called before the file is closed or replaced.
    fn release(&self, file: &Self::File) {
        let _ = file;
    }

    /// Records a failure that cost no record.
    fn defer_error(&self, action: &'static str, error: io::Error) {
        let _ = (action, error);
    }
}

/// One attempt to write, as write(2): the system appends what it accepts.
pub(super) trait RawFile: Send + Sync + 'static {
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
}

/// A file that was just opened.
#[derive(Debug)]
pub(super) struct OpenedFile<F> {
    pub(super) file: F,
    /// Concurrent writes may mix (pipes, terminals): writers need a lock.
    pub(super) needs_lock: bool,
    /// Its last line has no line break.
    pub(super) ends_mid_line: bool,
    pub(super) id: Option<FileId>,
}

/// What to do with the open file.
#[derive(Debug)]
pub(super) enum Swap<F> {
    Keep,
    /// The next record opens the path.
    Close,
    Open(OpenedFile<F>),
}
