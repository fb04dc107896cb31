//! Files of entries, in order: written at the end of the last one, read at the beginning of the first one.
//!
//! A segment begins with a header: a mark, the version, and how far its entries are sent, with a checksum. An entry is a
//! checksum, its length, a byte of flags, and what is in it.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::MutexGuard,
};

use crate::{
    Error,
    fork::ForkMutex,
    sink::{try_lock, unlock},
};

const MARK: &[u8; 7] = b"strata\0";
/// Changes with the layout of segments, and of what is in the entries.
const VERSION: u8 = 1;
const HEADER: u64 = 20;
const ENTRY_HEAD: usize = 9;
/// A flag: the batch of before ends here, so that one that is sent again is the same.
const BEGINS_BATCH: u8 = 1;
/// The text about damaged entries.
const DAMAGED: &str = "entries are not as they were written";
/// How many damaged entries in a row are passed over: a length that is wrong leads nowhere.
const MAX_DAMAGED: usize = 8;
/// A sent segment is removed as a whole.
const SEGMENT_BYTES: u64 = 16 << 20;

/// Where a spool is, and how it writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpoolOptions {
    pub(crate) directory: PathBuf,
    pub(crate) max_bytes: u64,
    /// Each batch is on the disk itself before it counts as written.
    pub(crate) syncs: bool,
    /// A handler of this process that has it will end soon.
    pub(crate) takes_over: bool,
}

impl SpoolOptions {
    /// Whether to wait until another handler of this process has released it.
    pub(super) fn will_be_free(&self) -> bool {
        self.takes_over && self.directory.canonicalize().is_ok_and(|directory| held().contains(&directory))
    }
}

/// The spools of this process.
static HELD: ForkMutex<Vec<PathBuf>> = ForkMutex::for_static(Vec::new());

/// In the child of a fork: none.
fn held() -> MutexGuard<'static, Vec<PathBuf>> {
    HELD.lock(Vec::clear, Vec::new)
}

/// Keeps others out of a directory, until it is released or the process ends.
pub(super) struct SpoolLock {
    file: File,
    directory: PathBuf,
}

impl Drop for SpoolLock {
    fn drop(&mut self) {
        held().retain(|directory| *directory != self.directory);
    }
}

impl SpoolLock {
    pub(super) fn release(self) {
        // Not only closed: a process that was just forked from this one may have the file, too.
        unlock(&self.file).unwrap_or_default();
    }
}

/// How far entries go: up to a place in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    segment: u64,
    at: u64,
}

/// What could not be read, and is set aside.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) entries: usize,
    pub(super) error: Error,
}

pub(super) struct Segments {
    options: SpoolOptions,
    segment_bytes: u64,
    /// Number and size, oldest first.
    all: VecDeque<(u64, u64)>,
    next: u64,
    /// The first one of this process.
    first_own: u64,
    /// The last of all, if it is of this process and not full.
    writer: Option<File>,
    is_synced: bool,
    /// The first of all.
    reader: Option<Reader>,
    /// The first of all could not be opened, for no reason of its own.
    is_unreadable: bool,
}

struct Reader {
    file: BufReader<File>,
    /// Of the header.
    header: File,
    at: u64,
    /// Of the next entry, if it was read already.
    head: Option<[u8; ENTRY_HEAD]>,
    /// Entries that were not as they were written.
    damaged: usize,
    /// How many of them were told.
    told: usize,
    /// Why the segment is not removed.
    why: Option<String>,
}

/// Why a segment could not be opened.
enum Unopened {
    /// By what is in it.
    Damaged(String),
    Failed(io::Error),
}

enum Entry {
    Sound(Vec<u8>),
    Damaged,
    OfNextBatch,
}

/// Appends an entry, with what `write` appends in it.
pub(super) fn put_entry(out: &mut Vec<u8>, begins_batch: bool, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; ENTRY_HEAD]);
    out[start + 8] = if begins_batch { BEGINS_BATCH } else { 0 };
    write(out);
    // Records are smaller: their texts have 32-bit lengths, too.
    let length = (out.len() - start - ENTRY_HEAD) as u32;
    out[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    let sum = checksum([&out[start + 4..]]);
    out[start..start + 4].copy_from_slice(&sum.to_le_bytes());
}

fn checksum<const N: usize>(parts: [&[u8]; N]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

fn header(sent: u64) -> [u8; HEADER as usize] {
    let mut header = [0; HEADER as usize];
    header[..7].copy_from_slice(MARK);
    header[7] = VERSION;
    header[8..16].copy_from_slice(&sent.to_le_bytes());
    header[16..].copy_from_slice(&checksum([&sent.to_le_bytes()]).to_le_bytes());
    header
}

impl Segments {
    /// With the lock that keeps others out. Reads names only.
    pub(super) fn open(output: &str, options: &SpoolOptions) -> Result<(Self, SpoolLock), Error> {
        let dir = &options.directory;
        let failed = |path: &Path, doing: &str, error| {
            Error::with_cause(format_args!("{output}: spool"), Error::io_at(path, doing, error))
        };
        fs::create_dir_all(dir).map_err(|error| failed(dir, "create", error))?;
        let path = dir.join("lock");
        let lock = OpenOptions::new().create(true).append(true).open(&path);
        let lock = lock.map_err(|error| failed(&path, "open", error))?;
        if !try_lock(&lock).map_err(|error| failed(&path, "lock", error))? {
            return Err(Error::config(format_args!(
                "{output}: spool: cannot use {}: another handler, perhaps of another process, holds the lock on {}",
                dir.display(),
                path.display()
            )));
        }
        let mut all = Vec::new();
        let mut next = 1;
        for entry in fs::read_dir(dir).map_err(|error| failed(dir, "read", error))? {
            let entry = entry.map_err(|error| failed(dir, "read", error))?;
            let path = PathBuf::from(entry.file_name());
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            let Some(number) = number.filter(|number| *number < u64::MAX / 2) else { continue };
            next = next.max(number + 1);
            if path == Path::new(&name(number)) {
                match entry.metadata().map_err(|error| failed(dir, "read", error))?.len() {
                    // Its process ended before it wrote anything.
                    0 => fs::remove_file(dir.join(path)).unwrap_or_default(),
                    bytes => all.push((number, bytes)),
                }
            }
        }
        all.sort_unstable();
        let segments = Self {
            segment_bytes: (options.max_bytes / 16).min(SEGMENT_BYTES),
            options: options.clone(),
            all: all.into(),
            next,
            first_own: next,
            writer: None,
            is_synced: true,
            reader: None,
            is_unreadable: false,
        };
        let lock = SpoolLock { file: lock, directory: dir.canonicalize().unwrap_or_else(|_| dir.clone()) };
        held().push(lock.directory.clone());
        Ok((segments, lock))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether an earlier process wrote it.
    pub(super) fn is_earlier(&self, place: Place) -> bool {
        place.segment < self.first_own
    }

    pub(super) fn is_full(&self) -> Error {
        let SpoolOptions { directory, max_bytes, .. } = &self.options;
        Error::new(format_args!(
            "spool: {} has no room: {max_bytes} bytes; records stay in memory",
            directory.display()
        ))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.options.directory.join(name(number))
    }

    // --- writing

    /// Appends entries, all or none. `None` if there is no room.
    pub(super) fn append(&mut self, entries: &[u8]) -> Result<Option<Place>, Error> {
        let held: u64 = self.all.iter().map(|(_, bytes)| bytes).sum();
        if held + HEADER + entries.len() as u64 > self.options.max_bytes {
            return Ok(None);
        }
        if self.all.back().is_some_and(|(_, bytes)| *bytes >= self.segment_bytes) {
            self.sync()?;
            self.writer = None;
        }
        let number = if self.writer.is_some() { self.next - 1 } else { self.next };
        let end = self.all.back().filter(|(last, _)| *last == number).map(|(_, bytes)| *bytes);
        let written = self.write(number, entries).map_err(|error| Error::io_at(&self.path(number), "write", error));
        let appended = written.and_then(|()| {
            self.is_synced = false;
            if self.options.syncs { self.sync() } else { Ok(()) }
        });
        if let Err(error) = appended {
            self.cut_off(number, end);
            return Err(error);
        }
        Ok(self.all.back().map(|(segment, at)| Place { segment: *segment, at: *at }))
    }

    fn write(&mut self, number: u64, entries: &[u8]) -> io::Result<()> {
        if let (Some(writer), Some((last, bytes))) = (&mut self.writer, self.all.back_mut()) {
            if *last == number {
                writer.write_all(entries)?;
                *bytes += entries.len() as u64;
                return Ok(());
            }
        }
        let mut file = OpenOptions::new().create_new(true).append(true).open(self.path(number))?;
        self.next = number + 1;
        let begun = file.write_all(&[&header(HEADER)[..], entries].concat());
        if begun.is_err() {
            // An empty segment that is left is removed at the next start.
            fs::remove_file(self.path(number)).unwrap_or_default();
            return begun;
        }
        self.all.push_back((number, HEADER + entries.len() as u64));
        self.writer = Some(file);
        Ok(())
    }

    /// What was appended is on the disk itself.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        if let (Some(writer), false) = (&self.writer, self.is_synced) {
            writer.sync_data().map_err(|error| Error::io_at(&self.path(self.next - 1), "sync", error))?;
            sync_names(&self.options.directory);
        }
        self.is_synced = true;
        Ok(())
    }

    /// What was appended behind `end`, perhaps in part, is not stored: else no more could be written behind it.
    fn cut_off(&mut self, number: u64, end: Option<u64>) {
        if self.all.back().is_none_or(|(last, _)| *last != number) {
            return;
        }
        self.all.pop_back();
        if let Some(end) = end {
            self.all.push_back((number, end));
            if self.writer.as_ref().is_some_and(|writer| writer.set_len(end).is_ok()) {
                return;
            }
        } else {
            fs::remove_file(self.path(number)).unwrap_or_default();
        }
        self.writer = None;
    }

    // --- reading

    /// The next entries, up to the end of their batch, or so many or so many bytes. Those that were read before and not sent
    /// are not read again. Where there are none, the segment is at its end, and gone: ask again.
    pub(super) fn read(&mut self, max: usize, max_bytes: usize, damage: &mut Vec<Damage>) -> (Vec<Vec<u8>>, Place) {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let Some(&(segment, size)) = self.all.front() else { return (entries, Place { segment: 0, at: 0 }) };
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => match Reader::open(&self.path(segment)) {
                Ok(reader) => reader,
                Err(Unopened::Damaged(why)) => {
                    self.remove(damage, 0, Some(why));
                    return (entries, Place { segment, at: size });
                }
                Err(Unopened::Failed(error)) => {
                    // Too many open files, perhaps: it is told once, and tried again.
                    if !std::mem::replace(&mut self.is_unreadable, true) {
                        damage.push(Damage { entries: 0, error: Error::io_at(&self.path(segment), "open", error) });
                    }
                    return (entries, Place { segment, at: HEADER });
                }
            },
        };
        self.is_unreadable = false;
        while entries.len() < max && bytes < max_bytes && reader.at < size {
            match reader.next(size, !entries.is_empty()) {
                Ok(Some(entry)) => {
                    bytes += entry.len();
                    entries.push(entry);
                }
                Ok(None) => break,
                Err(()) => reader.at = size,
            }
        }
        let place = Place { segment, at: reader.at };
        self.reader = Some(reader);
        self.tell(damage);
        if entries.is_empty() {
            self.sent(place, damage);
        }
        (entries, place)
    }

    /// So many of the entries that were read say nothing.
    pub(super) fn note_meaningless(&mut self, count: usize, damage: &mut Vec<Damage>) {
        if let Some(reader) = &mut self.reader {
            reader.damaged += count;
        }
        self.tell(damage);
    }

    /// Tells of damage before the segment is known to be sent beyond it.
    fn tell(&mut self, damage: &mut Vec<Damage>) {
        let path = self.all.front().map(|(segment, _)| self.path(*segment)).unwrap_or_default();
        let Some(reader) = &mut self.reader else { return };
        let entries = reader.damaged - std::mem::replace(&mut reader.told, reader.damaged);
        if entries > 0 {
            let why = reader.why.as_deref().unwrap_or(DAMAGED);
            let error = Error::new(format_args!("spool: {}: {why}; {entries} lost", path.display()));
            damage.push(Damage { entries, error });
        }
    }

    pub(super) fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }

    /// Everything up to a place is sent.
    pub(super) fn sent(&mut self, place: Place, damage: &mut Vec<Damage>) {
        let Some(&(segment, size)) = self.all.front().filter(|(front, _)| *front == place.segment) else { return };
        if place.at >= size {
            self.tell(damage);
            let (damaged, why) = self.reader.take().map_or((0, None), |reader| (reader.damaged, reader.why));
            return self.remove(damage, damaged, why);
        }
        let path = self.path(segment);
        let mut noted = || {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none => none.insert(Reader::open(&path).map_err(|error| match error {
                    Unopened::Damaged(why) => io::Error::other(why),
                    Unopened::Failed(error) => error,
                })?),
            };
            if reader.at != place.at {
                reader.file.seek(SeekFrom::Start(place.at))?;
                (reader.at, reader.head) = (place.at, None);
            }
            reader.header.seek(SeekFrom::Start(0))?;
            reader.header.write_all(&header(place.at))
        };
        // Without the note, the next process sends the segment from its beginning.
        if let Err(error) = noted() {
            damage.push(Damage { entries: 0, error: Error::io_at(&path, "write", error) });
        }
    }

    /// Takes the first segment away: sets it aside where something in it was not read.
    fn remove(&mut self, damage: &mut Vec<Damage>, damaged: usize, why: Option<String>) {
        let Some((segment, _)) = self.all.pop_front() else { return };
        if self.all.is_empty() {
            self.writer = None;
        }
        let path = self.path(segment);
        let why = why.or_else(|| (damaged > 0).then(|| DAMAGED.to_owned()));
        let Some(why) = why else {
            if let Err(error) = fs::remove_file(&path) {
                damage.push(Damage { entries: 0, error: Error::io_at(&path, "remove", error) });
            }
            return;
        };
        let aside = path.with_extension("corrupt");
        let error = match fs::rename(&path, &aside) {
            Ok(()) => Error::new(format_args!("spool: {}: {why}; it is now {}", path.display(), aside.display())),
            Err(error) => Error::io_at(&path, "rename", error),
        };
        damage.push(Damage { entries: 0, error });
    }
}

impl Reader {
    /// At the first entry that is not sent.
    fn open(path: &Path) -> Result<Self, Unopened> {
        let damaged = |why: &str| Err(Unopened::Damaged(why.to_owned()));
        let open = || Ok::<_, io::Error>((File::open(path)?, OpenOptions::new().write(true).open(path)?));
        let (file, for_header) = match open() {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => return damaged("it is gone"),
            Err(error) => return Err(Unopened::Failed(error)),
        };
        let mut file = BufReader::with_capacity(64 << 10, file);
        let mut head = [0; HEADER as usize];
        match file.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return damaged("it ends in its header"),
            Err(error) => return Err(Unopened::Failed(error)),
        }
        if head[..7] != MARK[..] {
            return damaged("it is no segment of a spool");
        }
        if head[7] != VERSION {
            return damaged(&format!("it is of version {}, expected {VERSION}", head[7]));
        }
        let mut at = HEADER;
        let sent = u64::from_le_bytes([head[8], head[9], head[10], head[11], head[12], head[13], head[14], head[15]]);
        // A note that was torn counts for nothing.
        if header(sent) == head && sent > HEADER {
            file.seek(SeekFrom::Start(sent)).map_err(Unopened::Failed)?;
            at = sent;
        }
        Ok(Self { file, header: for_header, at, head: None, damaged: 0, told: 0, why: None })
    }

    /// The next entry, unless another batch begins there. An entry that is damaged is passed over if there is a sound one
    /// behind it, else nothing of the rest can be told: `Err`.
    fn next(&mut self, size: u64, is_within: bool) -> Result<Option<Vec<u8>>, ()> {
        for _ in 0..MAX_DAMAGED {
            if self.at >= size {
                return Err(());
            }
            match self.entry(size, is_within) {
                Ok(Entry::Sound(entry)) => return Ok(Some(entry)),
                Ok(Entry::OfNextBatch) => return Ok(None),
                Ok(Entry::Damaged) => self.damaged += 1,
                Err(error) => {
                    self.damaged += 1;
                    self.why.get_or_insert(match error.kind() {
                        ErrorKind::UnexpectedEof => "its last entry is not whole".to_owned(),
                        _ => error.to_string(),
                    });
                    return Err(());
                }
            }
        }
        self.why.get_or_insert(format!(
            "{MAX_DAMAGED} entries in a row are not as they were written, {} bytes are not read",
            size - self.at
        ));
        Err(())
    }

    fn entry(&mut self, size: u64, is_within: bool) -> io::Result<Entry> {
        let head = match self.head.take() {
            Some(head) => head,
            None => {
                let mut head = [0; ENTRY_HEAD];
                self.file.read_exact(&mut head)?;
                head
            }
        };
        let [a, b, c, d, e, f, g, h, flags] = head;
        if is_within && flags & BEGINS_BATCH != 0 {
            self.head = Some(head);
            return Ok(Entry::OfNextBatch);
        }
        let length = u32::from_le_bytes([e, f, g, h]);
        let whole = ENTRY_HEAD as u64 + u64::from(length);
        // Before memory is taken for it.
        if self.at + whole > size {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut entry = vec![0; length as usize];
        self.file.read_exact(&mut entry)?;
        self.at += whole;
        let is_sound = checksum([&head[4..], &entry]) == u32::from_le_bytes([a, b, c, d]);
        Ok(if is_sound { Entry::Sound(entry) } else { Entry::Damaged })
    }
}

fn name(number: u64) -> String {
    format!("{number:020}.spool")
}

/// So that new files are there after a crash of the machine.
#[cfg(unix)]
fn sync_names(dir: &Path) {
    // Some file systems cannot, and need not.
    File::open(dir).and_then(|dir| dir.sync_all()).unwrap_or_default();
}

#[cfg(not(unix))]
fn sync_names(_: &Path) {}
