//! Unpacking gzip (RFC 1952), with bounds on what a small file may become.

use super::BadFile;
use flate2::write::MultiGzDecoder;
use std::io::Write;

/// The first two bytes of every gzip file (RFC 1952, section 2.3.1).
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Text hardly ever packs better than this; deflate's own limit is 1,032.
const MAX_RATIO: u64 = 250;
/// The ratio is judged from here on: a short file may be all the same line.
const RATIO_FROM: u64 = 8 << 20;

/// Unpacks what arrives in pieces; what is not packed passes through.
pub(crate) struct Inflate {
    state: State,
    /// The most bytes that may come out.
    limit: u64,
    taken: u64,
    given: u64,
}

enum State {
    /// Too few bytes to tell.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Inflate {
    /// Lets at most `limit` bytes out.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            state: State::Unknown(Vec::new()),
            limit,
            taken: 0,
            given: 0,
        }
    }

    /// Adds what `bytes` unpack to. Keep pieces small (4 KiB): each may become a thousand times its size.
    ///
    /// # Errors
    /// When the data is not gzip in spite of its beginning, or passes a bound.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BadFile> {
        if let State::Unknown(first) = &mut self.state {
            first.extend_from_slice(bytes);
            if first.len() < MAGIC.len() {
                return Ok(());
            }
            let first = std::mem::take(first);
            self.state = if first.starts_with(&MAGIC) {
                State::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
            } else {
                State::Plain
            };
            return self.decode(&first, out);
        }
        self.decode(bytes, out)
    }

    /// The end of the data.
    ///
    /// # Errors
    /// When packed data breaks off.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), BadFile> {
        match &mut self.state {
            State::Unknown(first) => {
                out.append(first);
                Ok(())
            }
            State::Plain => Ok(()),
            State::Gzip(decoder) => {
                decoder.try_finish().map_err(|e| broken(&e))?;
                let rest = std::mem::take(decoder.get_mut());
                self.give(&rest, out)
            }
        }
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BadFile> {
        self.taken += bytes.len() as u64;
        let unpacked = match &mut self.state {
            State::Gzip(decoder) => {
                decoder.write_all(bytes).map_err(|e| broken(&e))?;
                std::mem::take(decoder.get_mut())
            }
            State::Plain | State::Unknown(_) => return self.give(bytes, out),
        };
        self.give(&unpacked, out)
    }

    fn give(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BadFile> {
        self.given += bytes.len() as u64;
        if self.given > self.limit {
            let detail = format!("the file unpacks to more than {} MiB; split it", self.limit >> 20);
            return Err(BadFile::new("too_large", detail));
        }
        if self.given > RATIO_FROM && self.given / self.taken.max(1) > MAX_RATIO {
            let detail =
                format!("the file unpacks to more than {MAX_RATIO} times its size; send it unpacked");
            return Err(BadFile::new("ratio", detail));
        }
        out.extend_from_slice(bytes);
        Ok(())
    }
}

fn broken(error: &std::io::Error) -> BadFile {
    BadFile::new(
        "gzip",
        format!("the file begins as gzip and cannot be unpacked: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(bytes: &[u8], piece: usize, limit: u64) -> Result<Vec<u8>, BadFile> {
        let (mut inflate, mut out) = (Inflate::new(limit), Vec::new());
        for piece in bytes.chunks(piece) {
            inflate.push(piece, &mut out)?;
        }
        inflate.finish(&mut out)?;
        Ok(out)
    }

    // covers: CRM-09
    #[test]
    fn packed_and_plain_data_come_out_the_same_in_any_pieces() {
        let text = b"name,email\nAcme,a@b.example\n".repeat(50);
        for piece in [1, 2, 7, 4096] {
            assert_eq!(unpack(&text, piece, 1 << 20).unwrap(), text);
            assert_eq!(unpack(&packed(&text), piece, 1 << 20).unwrap(), text);
        }
        assert_eq!(unpack(b"", 1, 10).unwrap(), b"");
        assert_eq!(unpack(b"x", 1, 10).unwrap(), b"x");
        let two = [packed(b"a"), packed(b"b")].concat();
        assert_eq!(unpack(&two, 3, 10).unwrap(), b"ab", "members follow each other");
    }

    // covers: CRM-09
    #[test]
    fn a_bomb_is_stopped_while_it_unpacks() {
        let bomb = packed(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 80_000);
        assert_eq!(unpack(&bomb, 4096, 1 << 30).unwrap_err().rule, "ratio");
        assert_eq!(unpack(&bomb, 4096, 1 << 20).unwrap_err().rule, "too_large");
        assert_eq!(unpack(b"0123456789x", 4, 10).unwrap_err().rule, "too_large");
    }

    #[test]
    fn what_breaks_off_is_refused() {
        let whole = packed(&b"name\nAcme\n".repeat(100));
        let (half, _) = whole.split_at(whole.len() / 2);
        assert_eq!(unpack(half, 8, 1 << 20).unwrap_err().rule, "gzip");
        assert_eq!(unpack(&[0x1f, 0x8b, 9, 9, 9], 8, 10).unwrap_err().rule, "gzip");
    }
}
