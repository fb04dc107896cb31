//! A journal of one's own: a socket, and a reader of the native protocol after its specification.

use std::{
    fs::File,
    io::{IoSliceMut, Read as _, Seek as _},
    mem::MaybeUninit,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::places::Dir;

/// Fields in the order in which they came; a name may stand more than once.
pub(crate) type Entry = Vec<(String, Vec<u8>)>;

pub(crate) struct Journal {
    dir: Dir,
    socket: UnixDatagram,
}

impl Journal {
    pub(crate) fn new() -> Self {
        let dir = Dir::new();
        let socket = bind(&dir.path("socket"));
        Self { dir, socket }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path("socket")
    }

    /// As after `systemctl restart systemd-journald` where the socket is made anew.
    pub(crate) fn restart(&mut self) {
        std::fs::remove_file(self.path()).unwrap();
        // A process that another test is starting may hold a copy of the socket for a moment.
        self.socket.shutdown(std::net::Shutdown::Both).unwrap();
        self.socket = bind(&self.path());
    }

    /// Gone, with its socket.
    pub(crate) fn stop(self) -> Dir {
        std::fs::remove_file(self.path()).unwrap();
        self.dir
    }

    /// The next entry, and whether it came as a file.
    pub(crate) fn read_with_way(&self) -> (Entry, bool) {
        let mut bytes = vec![0; 1 << 20];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let came =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
        let files = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        match files.last() {
            Some(file) => {
                assert_eq!(came.bytes, 0);
                let seals = rustix::fs::fcntl_get_seals(&file).unwrap();
                assert!(seals.contains(rustix::fs::SealFlags::WRITE | rustix::fs::SealFlags::SHRINK), "{seals:?}");
                let mut file = File::from(file);
                file.rewind().unwrap();
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                (parse(&bytes), true)
            }
            None => (parse(&bytes[..came.bytes]), false),
        }
    }

    pub(crate) fn read(&self) -> Entry {
        self.read_with_way().0
    }

    /// Whether nothing more has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let empty = self.socket.recv(&mut [0; 1]).is_err();
        self.socket.set_nonblocking(false).unwrap();
        empty
    }
}

pub(crate) fn bind(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    // So that a test that waits for what never comes ends.
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

/// <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>
pub(crate) fn parse(mut bytes: &[u8]) -> Entry {
    let mut entry = Entry::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == b'\n').expect("a line break");
        let line = &bytes[..end];
        bytes = &bytes[end + 1..];
        match line.iter().position(|byte| *byte == b'=') {
            Some(equals) => entry.push((name(&line[..equals]), line[equals + 1..].to_vec())),
            None => {
                let (length, rest) = bytes.split_first_chunk().expect("a length");
                let length = usize::try_from(u64::from_le_bytes(*length)).unwrap();
                let (value, rest) = rest.split_at(length);
                entry.push((name(line), value.to_vec()));
                bytes = rest.strip_prefix(b"\n").expect("a line break behind the value");
            }
        }
    }
    entry
}

fn name(bytes: &[u8]) -> String {
    let name = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
    assert!(name.chars().all(|c| matches!(c, 'A'..='Z' | '0'..='9' | '_')), "{name}");
    name
}

/// All values of a name, as text.
pub(crate) fn all(entry: &Entry, name: &str) -> Vec<String> {
    let of_name = entry.iter().filter(|(other, _)| other == name);
    of_name.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

/// The only value of a name, as text.
pub(crate) fn one(entry: &Entry, name: &str) -> String {
    let mut values = all(entry, name);
    assert_eq!(values.len(), 1, "{name} of {entry:?}");
    values.remove(0)
}
