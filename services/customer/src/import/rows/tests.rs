use super::*;

const COMMA: Format = Format::Csv { delimiter: b',' };

/// The rows and where each ended, the same in any pieces.
fn read(format: Format, text: &str) -> (Vec<Record>, Vec<usize>) {
    let mut results = [1, 2, 5, usize::MAX].into_iter().map(|piece| {
        let (mut rows, mut found, mut ends, mut at) = (Rows::new(format), Vec::new(), Vec::new(), 0);
        for piece in text.as_bytes().chunks(piece.min(text.len().max(1))) {
            let mut input = piece;
            while let Some(record) = rows.next(&mut input, false) {
                found.push(record);
                ends.push(at + piece.len() - input.len());
            }
            at += piece.len();
        }
        let mut nothing: &[u8] = &[];
        while let Some(record) = rows.next(&mut nothing, true) {
            found.push(record);
            ends.push(at);
        }
        (found, ends)
    });
    let first = results.next().unwrap();
    for other in results {
        assert_eq!(other.0, first.0, "the pieces make no difference");
    }
    first
}

fn cells(cells: &[&str]) -> Record {
    Record::Cells(cells.iter().map(|c| (*c).to_owned()).collect())
}

// covers: CRM-09
#[test]
fn quotes_newlines_and_blank_lines() {
    let text = "a,b\r\n\"x,1\",\"say \"\"hi\"\"\"\r\n\r\n\"two\nlines\",\nlast,row";
    let (rows, _) = read(COMMA, text);
    let expected = [
        cells(&["a", "b"]),
        cells(&["x,1", "say \"hi\""]),
        cells(&["two\nlines", ""]),
        cells(&["last", "row"]),
    ];
    assert_eq!(rows, expected);
    assert_eq!(read(COMMA, "").0, []);
    let wide = (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert!(matches!(&read(COMMA, &wide).0[..], [Record::Cells(c)] if c.len() == 100));
}

// covers: CRM-09
#[test]
fn reading_goes_on_from_any_rows_end() {
    for (format, text) in [
        (COMMA, "a,b\r\n\"x\n1\",2\r\n\r\n3,4\n5,\"6\"\r\n"),
        (Format::Ndjson, "{\"a\":1}\n\n{\"a\":2}\r\n{\"a\":3}"),
    ] {
        let (rows, ends) = read(format, text);
        for (n, end) in ends.iter().enumerate() {
            let (rest, _) = read(format, text.get(*end..).unwrap());
            assert_eq!(rest, rows[n + 1..], "from {end}");
        }
    }
}

// covers: CRM-09
#[test]
fn faulty_rows_do_not_stop_the_others() {
    let long = "x".repeat(MAX_CELL + 1);
    let wide = ",".repeat(MAX_COLUMNS + 1);
    let text = format!("a\n{long}\n{wide}\nb\n");
    let (rows, _) = read(COMMA, &text);
    assert_eq!((&rows[0], &rows[3]), (&cells(&["a"]), &cells(&["b"])));
    assert!(matches!(&rows[1], Record::Fault(f, _) if f.rule == "length"));
    assert!(matches!(&rows[2], Record::Fault(f, _) if f.rule == "columns"));
    let open = format!("a\n\"{}", "x\n".repeat(MAX_ROW));
    let mut rest = open.as_bytes();
    let mut rows = Rows::new(COMMA);
    assert_eq!(rows.next(&mut rest, true), Some(cells(&["a"])));
    assert!(matches!(rows.next(&mut rest, true), Some(Record::Fault(f, _)) if f.detail.contains("quote")));
}

// covers: CRM-09
#[test]
fn a_quote_that_the_file_does_not_close_is_named() {
    for (text, is_closed) in [
        ("a,b\nx,y\n", true),
        ("a,b\nx,\"y\"", true),
        ("a,b\nx,\"y \"\"z\"\"\"", true),
        ("a,b\nx,y\"", true),
        ("a,b\nx,", true),
        ("a,b\nx,\"", false),
        ("a,b\n\"x,y\nz,1\n", false),
        ("a,b\nx,\"y\"\"", false),
    ] {
        let (rows, _) = read(COMMA, text);
        assert_eq!(rows.len(), 2, "{text}");
        match &rows[1] {
            Record::Cells(cells) => assert!(is_closed, "{text}: {cells:?}"),
            Record::Fault(fault, beginning) => {
                assert!(!is_closed && fault.rule == "quote", "{text}: {fault:?}");
                assert_eq!(*beginning, text.trim_start_matches("a,b\n").trim_end());
            }
            Record::Members(_) => panic!("{text}"),
        }
    }
}

// covers: CRM-09
#[test]
fn names_that_cannot_be_kept_are_refused_without_being_repeated() {
    let long = "k".repeat(MAX_NAME + 1);
    let longest = "k".repeat(MAX_NAME);
    let text = format!(
        "{{\"a\\u0000b\":{{}}}}\n{{\"custom\":{{\"a\\u0007b\":1}}}}\n{{\"{long}\":1}}\n{{\"{longest}\":1}}\n\"{long}\"\n"
    );
    let (rows, _) = read(Format::Ndjson, &text);
    for row in &rows[..3] {
        assert!(
            matches!(row, Record::Fault(f, _) if f.rule == "name" && f.column.is_none() && !f.detail.contains("kkk")),
            "{row:?}"
        );
    }
    assert!(matches!(&rows[3], Record::Members(members) if members[0].0 == longest));
    assert!(matches!(&rows[4], Record::Fault(f, _) if f.detail.chars().count() < 250));
    assert_eq!(shown(&longest), longest);
    assert_eq!(shown(&long), format!("{}…", "k".repeat(MAX_NAME - 1)));
}

// covers: CRM-09
#[test]
fn lines_of_json_are_rows() {
    let text =
        "{\"name\":\"A\",\"tags\":[\"x\",\"y\"],\"custom\":{\"size\":3},\"none\":null}\n[1]\n{\"o\":{}}\n";
    let (rows, _) = read(Format::Ndjson, text);
    let Record::Members(members) = &rows[0] else {
        panic!("{rows:?}")
    };
    let pairs: Vec<_> = members.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert!(
        pairs.contains(&("tags", "x|y")) && pairs.contains(&("custom.size", "3")),
        "{pairs:?}"
    );
    assert!(matches!(&rows[1], Record::Fault(f, text) if f.rule == "json" && text == "[1]"));
    assert!(matches!(&rows[2], Record::Fault(f, _) if f.column.as_deref() == Some("o")));
    let columns = ["name".to_owned(), "absent".to_owned()];
    assert_eq!(aligned(rows[0].clone(), &columns).unwrap(), ["A", ""]);
    let ragged = aligned(cells(&["only"]), &columns).unwrap_err();
    assert_eq!(ragged.detail, "the row has 1 cell, the header 2");
}

// covers: CRM-09
#[test]
fn a_reader_knows_where_it_stopped() {
    let long = "x".repeat(MAX_ROW);
    for (text, place) in [
        ("", Some(Place::Row)),
        ("a,b\n", Some(Place::Row)),
        ("a,b\r", Some(Place::Row)),
        ("a\n\r\n\n", Some(Place::Row)),
        ("a", None),
        ("\"", None),
        ("a,", None),
        (&format!("{long}a"), Some(Place::Open)),
        (&format!("{long}a,"), Some(Place::Cell)),
        (&format!("{long}a,b"), Some(Place::Open)),
        (&format!("\"{long}a,\n"), Some(Place::Quoted)),
        (&format!("\"{long}a\""), Some(Place::Cell)),
        (&format!("\"{long}a\"\""), Some(Place::Quoted)),
        (&format!("\"{long}a\"b"), Some(Place::Open)),
    ] {
        let mut rows = Rows::new(COMMA);
        let mut rest = text.as_bytes();
        while rows.next(&mut rest, false).is_some() {}
        assert_eq!(
            rows.place(),
            place,
            "after {:?}",
            text.get(text.len().saturating_sub(5)..)
        );
    }
}
