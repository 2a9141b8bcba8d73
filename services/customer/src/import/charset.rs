//! Bytes to text: the encoding as stated, or as the file shows it.

use super::BadFile;
use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How many bytes are looked at before the encoding is settled.
const SNIFFED: usize = 512;
const UTF_8_BOM: &[u8] = &[0xef, 0xbb, 0xbf];

/// Turns what arrives in pieces into UTF-8.
///
/// Without a statement: a byte order mark decides; else zeros at every other place are UTF-16; else it is UTF-8 until a
/// byte proves otherwise, and then Windows-1252 if everything before was ASCII, which reads the same in both.
pub(crate) struct Charset {
    state: State,
    encoding: &'static Encoding,
}

enum State {
    Sniffing(Vec<u8>),
    /// The bytes of a character that has not ended, and whether there were characters beyond ASCII.
    Utf8 {
        tail: Vec<u8>,
        beyond_ascii: bool,
    },
    Other(Box<Decoder>),
}

impl Charset {
    /// Finds the encoding by itself unless it is stated.
    pub(crate) fn new(stated: Option<&'static Encoding>) -> Self {
        let state = match stated {
            None => State::Sniffing(Vec::new()),
            Some(encoding) => State::Other(Box::new(encoding.new_decoder_with_bom_removal())),
        };
        Self {
            state,
            encoding: stated.unwrap_or(UTF_8),
        }
    }

    /// The encoding of that name (the labels of the Encoding Standard), such as `utf-8` or `windows-1252`.
    pub(crate) fn named(label: &str) -> Option<&'static Encoding> {
        Encoding::for_label_no_replacement(label.as_bytes())
    }

    /// What the encoding is called; settled once the file has been read.
    pub(crate) fn name(&self) -> &'static str {
        self.encoding.name()
    }

    /// Adds the text of `bytes`.
    ///
    /// # Errors
    /// When the bytes are not text in the encoding, or hold NUL.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut String) -> Result<(), BadFile> {
        if let State::Sniffing(first) = &mut self.state {
            first.extend_from_slice(bytes);
            if first.len() < SNIFFED {
                return Ok(());
            }
            let first = std::mem::take(first);
            return self.settle(&first, out);
        }
        self.decode(bytes, out, false)
    }

    /// The end of the file.
    ///
    /// # Errors
    /// When it ends within a character.
    pub(crate) fn finish(&mut self, out: &mut String) -> Result<(), BadFile> {
        if let State::Sniffing(first) = &mut self.state {
            let first = std::mem::take(first);
            self.settle(&first, out)?;
        }
        self.decode(&[], out, true)
    }

    fn settle(&mut self, first: &[u8], out: &mut String) -> Result<(), BadFile> {
        let found = match Encoding::for_bom(first) {
            Some((encoding, _)) => encoding,
            None => without_bom(first),
        };
        self.encoding = found;
        let unmarked = first.strip_prefix(UTF_8_BOM);
        self.state = if found == UTF_8 {
            State::Utf8 {
                tail: Vec::new(),
                beyond_ascii: unmarked.is_some(),
            }
        } else {
            State::Other(Box::new(found.new_decoder_with_bom_removal()))
        };
        self.decode(unmarked.unwrap_or(first), out, false)
    }

    fn decode(&mut self, bytes: &[u8], out: &mut String, last: bool) -> Result<(), BadFile> {
        let before = out.len();
        let latin = match &mut self.state {
            State::Utf8 { tail, beyond_ascii } => {
                tail.extend_from_slice(bytes);
                utf8(tail, beyond_ascii, out, last)?
            }
            State::Other(decoder) => {
                other(decoder, bytes, out, last)?;
                None
            }
            State::Sniffing(_) => None,
        };
        if let Some(rest) = latin {
            self.encoding = WINDOWS_1252;
            let mut decoder = WINDOWS_1252.new_decoder_without_bom_handling();
            other(&mut decoder, &rest, out, last)?;
            self.state = State::Other(Box::new(decoder));
        }
        let added = out.as_bytes().get(before..).unwrap_or_default();
        if added.contains(&0) {
            let detail = "the file holds the character NUL: it is no text, or its encoding must be stated";
            return Err(BadFile::new("nul", detail));
        }
        Ok(())
    }
}

/// Moves the whole characters of `tail` to `out`. Returns the bytes from which on the file is Windows-1252, if it is.
fn utf8(
    tail: &mut Vec<u8>,
    beyond_ascii: &mut bool,
    out: &mut String,
    last: bool,
) -> Result<Option<Vec<u8>>, BadFile> {
    let (valid, broken) = match std::str::from_utf8(tail) {
        Ok(text) => (text.len(), false),
        Err(error) => (error.valid_up_to(), error.error_len().is_some() || last),
    };
    let rest = tail.split_off(valid);
    if let Ok(text) = std::str::from_utf8(tail) {
        *beyond_ascii |= !text.is_ascii();
        out.push_str(text);
    }
    *tail = rest;
    if !broken {
        return Ok(None);
    }
    if *beyond_ascii {
        let detail = "the file begins as UTF-8 and goes on with bytes that are not; state its encoding, such as \
                      ?encoding=windows-1252";
        return Err(BadFile::new("encoding", detail));
    }
    Ok(Some(std::mem::take(tail)))
}

fn other(decoder: &mut Decoder, bytes: &[u8], out: &mut String, last: bool) -> Result<(), BadFile> {
    let most = decoder
        .max_utf8_buffer_length(bytes.len())
        .unwrap_or(bytes.len() * 3 + 16);
    out.reserve(most);
    let (_, _, malformed) = decoder.decode_to_string(bytes, out, last);
    if malformed {
        let detail = format!(
            "the file is not {}; state its encoding",
            decoder.encoding().name()
        );
        return Err(BadFile::new("encoding", detail));
    }
    Ok(())
}

/// UTF-16 of European text has a zero in every second byte.
fn without_bom(first: &[u8]) -> &'static Encoding {
    let zeros = |from: usize| first.iter().skip(from).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), first.len() / 2);
    if half >= 2 && odd * 4 > half * 3 && even == 0 {
        UTF_16LE
    } else if half >= 2 && even * 4 > half * 3 && odd == 0 {
        UTF_16BE
    } else {
        UTF_8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], stated: Option<&str>) -> Result<(String, &'static str), BadFile> {
        let mut results = [1, 3, 511, 100_000].into_iter().map(|piece| {
            let mut charset = Charset::new(stated.and_then(Charset::named));
            let mut out = String::new();
            for piece in bytes.chunks(piece) {
                charset.push(piece, &mut out)?;
            }
            charset.finish(&mut out)?;
            Ok((out, charset.name()))
        });
        let first = results.next().unwrap();
        for other in results {
            assert_eq!(other, first, "the pieces make no difference");
        }
        first
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        let bytes = text
            .encode_utf16()
            .map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() });
        bytes.flatten().collect()
    }

    // covers: CRM-09
    #[test]
    fn the_encoding_is_found() {
        let text = "name,city\nNguyễn Văn Đức,Hà Nội\n";
        let long = text.repeat(40);
        for text in [text, &long] {
            assert_eq!(read(text.as_bytes(), None).unwrap(), (text.to_owned(), "UTF-8"));
            let bom = [UTF_8_BOM, text.as_bytes()].concat();
            assert_eq!(read(&bom, None).unwrap(), (text.to_owned(), "UTF-8"));
            assert_eq!(read(&bom, Some("utf-8")).unwrap().1, "UTF-8");
            for (big, name) in [(false, "UTF-16LE"), (true, "UTF-16BE")] {
                let bom = [utf16("\u{feff}", big), utf16(text, big)].concat();
                assert_eq!(read(&bom, None).unwrap(), (text.to_owned(), name));
            }
        }
        let german = "name,city\nMüller,Köln\n";
        assert_eq!(
            read(&utf16(german, false), None).unwrap(),
            (german.to_owned(), "UTF-16LE")
        );
        assert_eq!(
            read(&utf16(german, true), None).unwrap(),
            (german.to_owned(), "UTF-16BE")
        );
    }

    // covers: CRM-09
    #[test]
    fn latin_1_is_read_even_when_it_shows_late() {
        let latin = |text: &str| {
            text.chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap())
                .collect::<Vec<u8>>()
        };
        let late = format!("{}Müller,Köln\n", "plain,ascii\n".repeat(200));
        for text in ["Müller,Köln\n", &late, "ends in é"] {
            assert_eq!(
                read(&latin(text), None).unwrap(),
                (text.to_owned(), "windows-1252")
            );
        }
        let euro = [b"price,5 ".as_slice(), &[0x80]].concat();
        assert_eq!(read(&euro, None).unwrap().0, "price,5 €");
        assert_eq!(read(&latin("Ã¼"), Some("iso-8859-1")).unwrap().0, "Ã¼");
    }

    // covers: CRM-09
    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(read(b"a,b\n1,\0\n", None).unwrap_err().rule, "nul");
        let mixed = ["über,".as_bytes(), &[0xfc, b'\n']].concat();
        assert_eq!(read(&mixed, None).unwrap_err().rule, "encoding");
        assert_eq!(read(&[b'a', 0xfc], Some("utf-8")).unwrap_err().rule, "encoding");
        let odd = [utf16("\u{feff}name", false), vec![0x41]].concat();
        assert_eq!(read(&odd, None).unwrap_err().rule, "encoding");
        assert!(Charset::named("klingon").is_none());
    }
}
