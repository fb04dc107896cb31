//! A pseudo terminal.

use std::fs::{File, OpenOptions};

use rustix::{pty, termios};

/// Our side, and the program's.
pub(crate) fn open(columns: u16) -> (File, File) {
    let ours = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY | pty::OpenptFlags::CLOEXEC).unwrap();
    pty::unlockpt(&ours).unwrap();
    let name = pty::ptsname(&ours, Vec::new()).unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let size = termios::Winsize { ws_row: 25, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    termios::tcsetwinsize(&theirs, size).unwrap();
    (ours.into(), theirs)
}
