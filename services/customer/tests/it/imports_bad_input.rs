//! Files that are not what they should be.

use crate::imports::{house, import, over, start, upload, upload_as};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;
use stoa_types::BranchId;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

// covers: CRM-09
#[tokio::test]
async fn files_that_cannot_be_read_say_why_and_leave_nothing() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let bomb = packed(&vec![b' '; 64 << 20]);
    let zeros = packed(&vec![0; 64 << 20]);
    for (file, rule) in [
        (Vec::new(), "empty"),
        (b"name,email\n".to_vec(), "no_rows"),
        (b"name\nA\0B\n".to_vec(), "nul"),
        (b"name,\x07\nA,1\n".to_vec(), "header"),
        (format!("name,{}\nA,1\n", "x".repeat(201)).into_bytes(), "header"),
        (bomb, "ratio"),
        (zeros, "nul"),
        ("näme\nA\n".bytes().chain([0xff, b'\n']).collect(), "encoding"),
        (packed(b"name\nAcme\n")[..20].to_vec(), "gzip"),
    ] {
        let refused = upload(user, file).await;
        refused.problem(422, "request.invalid");
        assert_eq!(refused.body["errors"][0]["rule"], rule, "{refused:?}");
    }
    for (path, headers, status) in [
        (
            "/api/customers/imports?encoding=klingon",
            [("content-type", "text/csv")],
            422,
        ),
        (
            "/api/customers/imports?delimiter=x",
            [("content-type", "text/csv")],
            422,
        ),
        ("/api/customers/imports", [("content-type", "image/png")], 415),
        ("/api/customers/imports", [("content-encoding", "br")], 415),
    ] {
        assert_eq!(
            upload_as(user, path, &headers, "name\nA\n").await.status,
            status,
            "{path} {headers:?}"
        );
    }
    for table in ["upload", "upload_chunk"] {
        let sql = format!("select count(*) from customer.{table}");
        let left: i64 = house.admin.query_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(left, 0, "{table}");
    }
}

// covers: CRM-09
#[tokio::test]
async fn encodings_packing_and_formats_are_understood() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let utf16: Vec<u8> = "\u{feff}name\tcity\nMüller\tHà Nội\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let latin: Vec<u8> = "name;location\nMüller;Köln\n".chars().map(|c| c as u8).collect();
    let wide: Vec<String> = (0..99).map(|n| format!("c{n}")).collect();
    let wide = format!(
        "name,{}\n\"Wide, \"\"Ltd\"\"\",{}\n",
        wide.join(","),
        ",".repeat(98)
    );
    for (file, encoding, name) in [
        ("\u{feff}name\nBom\n".as_bytes().to_vec(), "UTF-8", "Bom"),
        (utf16, "UTF-16LE", "Müller"),
        (latin, "windows-1252", "Müller"),
        (packed("name\nPacked ü\n".as_bytes()), "UTF-8", "Packed ü"),
        (wide.into_bytes(), "UTF-8", "Wide, \"Ltd\""),
    ] {
        let sent = upload(user, file).await.expect(201);
        assert_eq!(
            (&sent.body["encoding"], &sent.body["preview"][0][0]),
            (&json!(encoding), &json!(name))
        );
    }
    let stated = [("content-type", "text/csv; charset=windows-1258")];
    let vietnamese = upload_as(
        user,
        "/api/customers/imports",
        &stated,
        vec![b'n', b'\n', 0xd0, b'a', b'\n'],
    )
    .await;
    assert_eq!(vietnamese.expect(201).body["preview"][0][0], "Đa");

    let lines = "{\"name\":\"One\",\"tags\":[\"a\",\"b\"]}\n{\"name\":\"Two\",\"employees\":7}\nnot json\n";
    let sent = upload_as(
        user,
        "/api/customers/imports",
        &[("content-type", "application/x-ndjson")],
        lines,
    )
    .await;
    assert_eq!(sent.clone().expect(201).body["format"], "ndjson");
    let done = over(user, &start(user, &sent, json!({})).await).await;
    assert_eq!(
        (&done["result"]["created"], &done["result"]["failed"]),
        (&json!(2), &json!(1)),
        "{done}"
    );
    let list = user.get("/api/customers").await;
    assert_eq!(list.each("name"), ["One", "Two"]);
    assert_eq!(
        (
            &list.body["items"][0]["tags"],
            &list.body["items"][1]["employees"]
        ),
        (&json!(["a", "b"]), &json!(7))
    );
}

// covers: CRM-09
#[tokio::test]
async fn bad_rows_are_told_and_good_ones_imported() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let file = "name,email,employees,status\nGood,g@x.example,1,\nBad mail,@,1,\nRagged,r@x.example\nX,,many,gone\n\
                Twice,g@x.example,,\n";
    let (upload, done) = import(user, file, json!({ "mode": "create" })).await;
    assert_eq!(
        (&done["result"]["created"], &done["result"]["failed"]),
        (&json!(1), &json!(4)),
        "{done}"
    );
    let errors = user
        .get(&format!("/api/customers/imports/{}/errors", upload.id()))
        .await;
    let told: Vec<(i64, Vec<&str>)> = errors.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            let rules = e["faults"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| f["rule"].as_str().unwrap());
            (e["row"].as_i64().unwrap(), rules.collect())
        })
        .collect();
    assert_eq!(
        told,
        [
            (3, vec!["format"]),
            (4, vec!["columns"]),
            (5, vec!["type", "unknown"]),
            (6, vec!["unique"])
        ]
    );
}

// covers: CRM-09
#[tokio::test]
async fn what_a_start_says_is_checked() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let sent = upload(user, "firm,size\nAcme,3\n").await.expect(201);
    let path = format!("/api/customers/imports/{}/start", sent.id());
    let map = |column: &str, field: &str| json!([{ "column": column, "field": field }]);
    for (body, pointer) in [
        (json!({}), "/mapping"),
        (json!({ "mode": "update" }), "/key"),
        (json!({ "mapping": map("nothing", "name") }), "/mapping/0/column"),
        (json!({ "mapping": map("firm", "colour") }), "/mapping/0/field"),
        (
            json!({ "mapping": map("firm", "name"), "key": "email" }),
            "/mapping",
        ),
        (json!({ "mapping": map("firm", "name"), "sort": 1 }), "/sort"),
    ] {
        let refused = user.post(&path, body.clone()).await;
        refused.problem(422, "request.invalid");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}");
    }
    user.post(
        &format!("/api/customers/imports/{}/start", uuid::Uuid::nil()),
        json!({}),
    )
    .await
    .problem(404, "request.not_found");
}

// covers: CRM-09, AP-03
#[tokio::test]
async fn a_repeated_upload_is_one_upload() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let headers = [("content-type", "text/csv"), ("idempotency-key", "the-first")];
    let path = "/api/customers/imports";
    let first = upload_as(user, path, &headers, "name\nAcme\n").await.expect(201);
    let again = upload_as(user, path, &headers, "name\nAcme\n").await.expect(201);
    assert_eq!(first.body, again.body);
    upload_as(user, path, &headers, "name\nOther\n")
        .await
        .problem(422, "idempotency.other_body");
    let kept: i64 = house
        .admin
        .query_one("select count(*) from customer.upload_chunk", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(kept, 1);
    let start = format!("{path}/{}/start", first.id());
    let once = user
        .send(
            http::Method::POST,
            &start,
            &[("idempotency-key", "go")],
            Some(json!({})),
        )
        .await;
    let twice = user
        .send(
            http::Method::POST,
            &start,
            &[("idempotency-key", "go")],
            Some(json!({})),
        )
        .await;
    assert_eq!((once.status, &once.body["id"]), (202, &twice.body["id"]));
    assert_ne!(once.body["id"], Value::Null);
}

// covers: CRM-09
#[tokio::test]
async fn a_stray_quote_in_a_large_file_is_one_error() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let lines = "Customer, with a comma\n".repeat((30 << 20) / 23);
    let (upload, done) = import(user, format!("name,note\nGood,\nStray,\"{lines}"), json!({})).await;
    assert_eq!(
        (
            &done["result"]["created"],
            &done["result"]["failed"],
            &done["done"]
        ),
        (&json!(1), &json!(1), &json!(2)),
        "{done}"
    );
    let errors = user
        .get(&format!("/api/customers/imports/{}/errors", upload.id()))
        .await;
    let error = &errors.body["items"][0];
    assert_eq!(error["row"], 3);
    let detail = error["faults"][0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("the quote that begins in this row is not closed"),
        "{detail}"
    );
    let path = format!("/api/customers/imports/{}/errors.csv", upload.id());
    let csv = user.get(&path).await.expect(200);
    assert!(
        csv.text.contains("Stray,\"\"Customer, with a comma"),
        "{}",
        csv.text
    );
}

// covers: CRM-09
#[tokio::test]
async fn what_is_shown_of_cells_is_short_and_the_error_file_has_them_whole() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let (long, short) = ("ü".repeat(9_000), "ü".repeat(200));
    let cut = format!("{}…", "ü".repeat(199));
    let file = format!("name,employees,note\nBad,{long},{short}\n");
    let (upload, done) = import(
        user,
        file,
        json!({ "mapping": [
        { "column": "name", "field": "name" }, { "column": "employees", "field": "employees" }
    ] }),
    )
    .await;
    assert_eq!(done["result"]["failed"], 1, "{done}");
    assert_eq!(upload.body["preview"][0], json!(["Bad", cut, short]));
    let path = format!("/api/customers/imports/{}", upload.id());
    let operation = format!("/api/customers/operations/{}", done["id"].as_str().unwrap());
    for path in [format!("{path}/errors"), format!("{operation}/errors")] {
        let errors = user.get(&path).await.expect(200);
        let error = &errors.body["items"][0];
        assert_eq!(error["cells"], json!(["Bad", cut, short]));
        let detail = error["faults"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(&cut) && detail.chars().count() < 300, "{detail}");
    }
    let csv = user.get(&format!("{path}/errors.csv")).await.expect(200);
    assert!(
        csv.text.contains(&format!("Bad,{long},{short},2,")),
        "{}",
        csv.text
    );
}

// covers: CRM-09
#[tokio::test]
async fn names_that_cannot_be_kept_are_told() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let lines = "{\"name\":\"One\"}\n{\"name\":\"Two\",\"a\\u0000b\":{\"c\":1}}\n{\"name\":\"Three\"}\n";
    let (upload, done) = import(user, lines, json!({})).await;
    assert_eq!(
        (&done["result"]["created"], &done["result"]["failed"]),
        (&json!(2), &json!(1)),
        "{done}"
    );
    let errors = user
        .get(&format!("/api/customers/imports/{}/errors", upload.id()))
        .await;
    let fault = &errors.body["items"][0]["faults"][0];
    assert_eq!((&fault["rule"], &fault["column"]), (&json!("name"), &Value::Null));
}
