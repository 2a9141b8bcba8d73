//! Cells that a spreadsheet would run as a formula.

/// What a formula begins with, also as East Asian keyboards write it, and what spreadsheets skip before it.
const BEGINNINGS: [char; 11] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];

/// Whether the text, after any quotes, begins as a formula does (OWASP, CSV Injection).
fn begins_as_formula(text: &str) -> bool {
    let plain = text.trim_start_matches('\'');
    plain.starts_with(BEGINNINGS)
}

/// The text as it is exported: `'` in front of what begins as a formula. A text that has the quote already gets another,
/// so that [`unescape`] gives back exactly what was there.
pub(crate) fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    if begins_as_formula(text) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// The text as it was before [`escape`].
pub(crate) fn unescape(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(plain) if begins_as_formula(plain) => plain,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: CRM-09
    #[test]
    fn formulas_are_made_harmless_and_come_back() {
        for text in [
            "=1+1",
            "+4930123456",
            "-2",
            "@sum",
            "\tx",
            "\rx",
            "\n=1",
            "＝1+1",
            "＋49",
            "－2",
            "＠sum",
            "'＝1",
            "'=1",
            "''=1",
            "'quoted'",
            "plain",
            "",
            "'",
            "a=b",
        ] {
            let safe = escape(text);
            assert!(!safe.starts_with(BEGINNINGS), "{safe:?}");
            assert_eq!(unescape(&safe), text);
        }
        for (text, safe) in [("=1", "'=1"), ("\n=1", "'\n=1"), ("＝1", "'＝1"), ("＠x", "'＠x")] {
            assert_eq!(escape(text), safe);
        }
        assert_eq!(escape("'quoted'"), "'quoted'");
        assert_eq!(unescape("+4930"), "+4930", "what nobody escaped stays");
    }
}
