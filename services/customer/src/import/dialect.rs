//! Which character stands between the cells.

use super::rows::{Format, Record, Rows};

/// In order of preference when two fit as well.
const DELIMITERS: [u8; 4] = *b",;\t|";
/// The rows that are looked at.
const ROWS: usize = 20;

/// The delimiter that gives the sample's rows the same number of cells, the more the better.
pub(crate) fn delimiter(sample: &str) -> u8 {
    let mut best = (b',', (0, 0));
    for delimiter in DELIMITERS {
        let score = score(sample, delimiter);
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}

/// Rows of a hundred that have as many cells as the first, and its cells; nothing when there is one cell only.
fn score(sample: &str, delimiter: u8) -> (usize, usize) {
    let mut rows = Rows::new(Format::Csv { delimiter });
    let mut rest = sample.as_bytes();
    let mut widths = Vec::new();
    while widths.len() < ROWS
        && let Some(Record::Cells(cells)) = rows.next(&mut rest, true)
    {
        widths.push(cells.len());
    }
    match widths.first() {
        Some(first) if *first > 1 => {
            let same = widths.iter().filter(|width| *width == first).count();
            (same * 100 / widths.len(), *first)
        }
        _ => (0, 0),
    }
}

/// Whether the text is one JSON object a line.
pub(crate) fn is_ndjson(sample: &str) -> bool {
    sample.trim_start().starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: CRM-09
    #[test]
    fn the_delimiter_is_guessed() {
        for (sample, expected) in [
            ("name,email\nA,a@x.y\n", b','),
            ("name;revenue\nA;1,5\nB;2,7\n", b';'),
            ("name\temail\nA, B\ta@x.y\n", b'\t'),
            ("name|email|phone\nA|a;b|1\n", b'|'),
            ("\"a;b\",c\n\"d;e;f\",g\n", b','),
            ("name\nA\nB\n", b','),
            ("", b','),
        ] {
            assert_eq!(char::from(delimiter(sample)), char::from(expected), "{sample:?}");
        }
        assert!(is_ndjson("\n {\"name\":\"A\"}"));
        assert!(!is_ndjson("name\n{"));
    }
}
