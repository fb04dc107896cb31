//! Where a record ends in a stream.

use std::io;

/// Where a record ends in a stream. A record cannot become two: a terminator inside a record is replaced by a space; after a
/// length prefix, every byte is sent as it is. [`Format::framing`](crate::Format::framing) says which framing a format wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Framing {
    /// `\n` after each record: JSON lines, syslog's "non-transparent framing" (RFC 6587, 3.4.2).
    #[default]
    Lines,
    /// A NUL byte after each record: GELF over TCP, syslog over unix streams.
    Nul,
    /// The length in four bytes, big-endian, before each record.
    Length,
    /// The length in decimal digits and a space before each record: syslog's "octet counting" (RFC 6587, 3.4.1; RFC 5425).
    OctetCounting,
    /// Nothing: for records whose format marks their end.
    None,
}

impl Framing {
    /// Appends the framed record.
    pub(crate) fn append_frame(self, record: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::None => out.extend_from_slice(record),
            Self::Lines => append_terminated(record, b'\n', out),
            Self::Nul => append_terminated(record, 0, out),
            Self::Length => {
                let length = u32::try_from(record.len())
                    .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a record of more than 4 GiB"))?;
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(record);
            }
            Self::OctetCounting => {
                out.extend_from_slice(itoa::Buffer::new().format(record.len()).as_bytes());
                out.push(b' ');
                out.extend_from_slice(record);
            }
        }
        Ok(())
    }
}

fn append_terminated(record: &[u8], terminator: u8, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(record);
    if let Some(first) = record.iter().position(|byte| *byte == terminator) {
        out[start + first..].iter_mut().filter(|byte| **byte == terminator).for_each(|byte| *byte = b' ');
    }
    out.push(terminator);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn t56_a_record_cannot_become_two() {
        let append_frame = |framing: Framing, record: &[u8]| {
            let mut out = b"|".to_vec();
            framing.append_frame(record, &mut out).unwrap();
            out
        };
        assert_eq!(append_frame(Framing::Lines, b"a\nb\0\n"), b"|a b\0 \n");
        assert_eq!(append_frame(Framing::Nul, b"a\nb\0\n"), b"|a\nb \n\0");
        assert_eq!(append_frame(Framing::Length, b"a\n"), b"|\0\0\0\x02a\n");
        assert_eq!(append_frame(Framing::OctetCounting, "é\n5 <1>".as_bytes()), "|8 é\n5 <1>".as_bytes());
        assert_eq!(append_frame(Framing::None, b"\0"), b"|\0");
        assert_eq!(append_frame(Framing::Lines, b""), b"|\n");
    }
}
