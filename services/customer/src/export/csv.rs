//! CSV (RFC 4180) that spreadsheets open without running anything.

use crate::import::formula;

/// The media type, with what RFC 4180, section 3, asks for.
pub(crate) const MEDIA: &str = "text/csv; charset=utf-8; header=present";
/// What makes some spreadsheets read UTF-8 as such.
const BOM: &str = "\u{feff}";

/// Rows in the making.
#[derive(Debug, Default)]
pub(crate) struct Csv {
    text: String,
    /// Whether the row has a cell.
    begun: bool,
}

impl Csv {
    /// The beginning of a file.
    pub(crate) fn new(bom: bool) -> Self {
        Self {
            text: if bom { BOM.to_owned() } else { String::new() },
            begun: false,
        }
    }

    /// Adds a text of users: formulas are made harmless.
    pub(crate) fn text(&mut self, text: &str) {
        self.plain(&formula::escape(text));
    }

    /// Adds a text of our own, such as a number or an id.
    pub(crate) fn plain(&mut self, text: &str) {
        if self.begun {
            self.text.push(',');
        }
        // A row of one empty cell would be a blank line, which readers skip.
        let lonely = text.is_empty() && !self.begun;
        self.begun = true;
        if !lonely && !text.contains([',', '"', '\n', '\r', ';', '\t', '|']) {
            self.text.push_str(text);
            return;
        }
        self.text.push('"');
        for c in text.chars() {
            if c == '"' {
                self.text.push('"');
            }
            self.text.push(c);
        }
        self.text.push('"');
    }

    /// Ends the row.
    pub(crate) fn end(&mut self) {
        self.text.push_str("\r\n");
        self.begun = false;
    }

    /// What has been written since the last time.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::formula::unescape;
    use crate::import::rows::{Format, Record, Rows};

    // covers: CRM-09
    #[test]
    fn what_is_written_is_read_back_the_same() {
        let texts = [
            "",
            "plain",
            "a,b",
            "say \"hi\"",
            "two\nlines",
            "=1+1",
            "'=1",
            "+49",
            "-x",
            "@a",
            "\ttab",
            " space ",
            "é|;",
        ];
        let lines = [&texts[..], &[""; 13], &texts[..]];
        let mut csv = Csv::new(false);
        for texts in lines {
            texts.iter().for_each(|text| csv.text(text));
            csv.end();
        }
        let file = csv.take();
        let mut rest = file.as_bytes();
        let mut rows = Rows::new(Format::Csv { delimiter: b',' });
        for expected in lines {
            let Some(Record::Cells(cells)) = rows.next(&mut rest, true) else {
                panic!("{file}")
            };
            let read: Vec<_> = cells.iter().map(|cell| unescape(cell)).collect();
            assert_eq!(read, expected);
        }
        assert!(!file.contains(",=") && !file.contains("\n="), "{file}");
        csv.text("");
        csv.end();
        assert_eq!(csv.take(), "\"\"\r\n");
    }
}
