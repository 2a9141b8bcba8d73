//! Imports: files are sent, started, and worked through as operations.

use crate::harness::{Answer, House, User};
use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use std::time::Duration;
use stoa_contracts::organization::{FindBranches, FoundBranches};
use stoa_contracts::user::{FindUsers, FoundUsers};
use stoa_policy::DataScope;
use stoa_types::{BranchId, UserId};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// The branch that files call `Hà Nội`.
pub(crate) const HANOI: BranchId = BranchId(Uuid::from_u128(84));
/// The user whose address is `ann@acme.example`.
pub(crate) const ANN: UserId = UserId(Uuid::from_u128(65));

/// A service that knows one branch and one user by name, and all by id.
pub(crate) async fn house() -> House {
    let calls = crate::support::branches(Default::default())
        .on(|_, call: FindUsers| async move {
            let find = |key: String| match key.as_str() {
                "ann@acme.example" => Some(ANN),
                id => id.parse().ok(),
            };
            let users = call.keys.into_iter().map(find).collect();
            Ok(FoundUsers { users })
        })
        .on(|_, call: FindBranches| async move {
            let find = |key: String| match key.as_str() {
                "Hà Nội" => Some(HANOI),
                id => id.parse().ok(),
            };
            let branches = call.keys.into_iter().map(find).collect();
            Ok(FoundBranches { branches })
        });
    House::start(stoa_customer::service, calls).await
}

/// Sends a file.
pub(crate) async fn upload(user: User<'_>, file: impl Into<Body>) -> Answer {
    upload_as(
        user,
        "/api/customers/imports",
        &[("content-type", "text/csv")],
        file,
    )
    .await
}

pub(crate) async fn upload_as(
    user: User<'_>,
    path: &str,
    headers: &[(&str, &str)],
    file: impl Into<Body>,
) -> Answer {
    let mut request = Request::builder().method(Method::POST).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    user.exchange(request.body(file.into()).unwrap()).await
}

/// Starts the import of a file that was sent; returns where its operation is.
pub(crate) async fn start(user: User<'_>, upload: &Answer, how: Value) -> String {
    let path = format!("/api/customers/imports/{}/start", upload.id());
    user.post(&path, how)
        .await
        .expect(202)
        .header("location")
        .to_owned()
}

/// The operation, once it is over; many rows take their time on a busy machine.
pub(crate) async fn over(user: User<'_>, operation: &str) -> Value {
    let give_up = Instant::now() + Duration::from_secs(120);
    loop {
        let last = user.get(operation).await.expect(200).body;
        if !matches!(last["status"].as_str(), Some("queued" | "running")) {
            return last;
        }
        assert!(Instant::now() < give_up, "it does not end: {last}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Sends a file and imports it; returns the operation.
pub(crate) async fn import(user: User<'_>, file: impl Into<Body>, how: Value) -> (Answer, Value) {
    let upload = upload(user, file).await.expect(201);
    let operation = start(user, &upload, how).await;
    let over = over(user, &operation).await;
    (upload, over)
}

pub(crate) fn counts(operation: &Value) -> [i64; 4] {
    assert_eq!(operation["status"], "succeeded", "{operation}");
    ["created", "updated", "unchanged", "failed"].map(|what| operation["result"][what].as_i64().unwrap())
}

async fn events(house: &House, user: User<'_>) -> Vec<(String, i64)> {
    let sql = "select type, count(*) from log.event where tenant_id = $1 group by type order by type";
    let rows = house.admin.query(sql, &[&user.tenant.uuid()]).await.unwrap();
    let verb = |kind: String| kind.rsplit('.').nth(1).unwrap().to_owned();
    rows.iter().map(|row| (verb(row.get(0)), row.get(1))).collect()
}

const FILE: &str = "Company;E-Mail;Điện thoại;Người phụ trách;Chi nhánh;Mã khách hàng;Tags;Note\n\
    Acme;office@acme.example;+49 30 123456;ann@acme.example;Hà Nội;A-1;vip|eu;x\n\
    Bolt;;;;;B-2;;\n\
    \"Semi; Ltd\";m@x.example;0123;nobody@x.example;;C-3;;\"two\nlines\"\n";

// covers: CRM-09
#[tokio::test]
async fn a_file_is_shown_mapped_and_imported() {
    let house = house().await;
    let home = BranchId::new();
    let user = house.user(house.tenant(&[]), "all", &[home]);
    let sent = upload(user, FILE).await.expect(201);
    assert_eq!(
        sent.header("location"),
        format!("/api/customers/imports/{}", sent.id())
    );
    assert_eq!(
        (&sent.body["encoding"], &sent.body["delimiter"]),
        (&json!("UTF-8"), &json!(";"))
    );
    assert_eq!(
        (&sent.body["rows"], &sent.body["preview"][1][0]),
        (&json!(3), &json!("Bolt"))
    );
    let guess: Vec<_> = sent.body["mapping"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        guess,
        [
            "name",
            "email",
            "phone",
            "owner",
            "branch",
            "externalKey",
            "tags",
            "ignore"
        ]
    );
    let path = format!("/api/customers/imports/{}", sent.id());
    assert_eq!(user.get(&path).await.expect(200).body, sent.body);
    assert_eq!(
        user.get(&format!("{path}/errors")).await.expect(200).body["items"],
        json!([])
    );

    let done = over(user, &start(user, &sent, json!({})).await).await;
    assert_eq!(counts(&done), [2, 0, 0, 1]);
    assert_eq!((&done["done"], &done["total"]), (&json!(3), &json!(3)));
    let list = user.get("/api/customers").await.expect(200);
    assert_eq!(list.each("name"), ["Acme", "Bolt"]);
    let (acme, bolt) = (&list.body["items"][0], &list.body["items"][1]);
    assert_eq!(
        (&acme["ownerId"], &acme["branchId"]),
        (&json!(ANN), &json!(HANOI))
    );
    assert_eq!(
        (&acme["phone"], &acme["tags"]),
        (&json!("+4930123456"), &json!(["eu", "vip"]))
    );
    assert_eq!(
        (&bolt["ownerId"], &bolt["branchId"]),
        (&json!(user.id), &json!(home)),
        "what the row leaves open"
    );
    let tagged = user.get("/api/customers?filter=tag:has:vip").await.expect(200);
    assert_eq!(tagged.each("name"), ["Acme"]);
    assert_eq!(events(&house, user).await, [("created".to_owned(), 2)]);

    let errors = user.get(&format!("{path}/errors")).await.expect(200);
    let error = &errors.body["items"][0];
    assert_eq!((&error["row"], &error["cells"][5]), (&json!(4), &json!("C-3")));
    let faults: Vec<_> = error["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (&f["column"], &f["rule"]))
        .collect();
    assert_eq!(faults, [(&json!("Người phụ trách"), &json!("unknown"))]);
    let csv = user.get(&format!("{path}/errors.csv")).await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv"), "{csv:?}");
    assert!(csv.header("content-disposition").contains("attachment"));
    let text = csv.text.trim_start_matches('\u{feff}');
    assert!(text.starts_with("Company,E-Mail,"), "{text}");
    assert!(
        text.contains("\"Semi; Ltd\",m@x.example,0123,nobody@x.example,,C-3,,\"two\nlines\",4,"),
        "{text}"
    );

    // Corrected, the error file is imported as it is: what was added behind is ignored.
    let corrected = csv
        .text
        .replace("nobody@x.example", "")
        .replace("0123", "+84 24 123");
    let (_, again) = import(user, corrected, json!({})).await;
    assert_eq!(counts(&again), [1, 0, 0, 0]);
    assert_eq!(user.get("/api/customers").await.each("name").len(), 3);
}

// covers: CRM-09
#[tokio::test]
async fn rows_find_their_customers_by_key() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let first = "externalKey,name,email,sector,status\nA,Alpha,a@x.example,retail,\nB,Beta,b@x.example,retail,active\n";
    assert_eq!(counts(&import(user, first, json!({})).await.1), [2, 0, 0, 0]);
    let (_, same) = import(user, first, json!({})).await;
    assert_eq!(counts(&same), [0, 0, 2, 0], "what says the same changes nothing");
    let versions: Vec<i64> = user.get("/api/customers").await.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["version"].as_i64().unwrap())
        .collect();
    assert_eq!(versions, [1, 1]);

    // A key twice in one file: the later row changes what the earlier one made.
    let second = "externalKey,name,sector,status\nA,Alpha,,active\nC,Gamma,,\nC,Gamma two,media,\nB,Beta,retail,lead\n";
    let (upload, done) = import(user, second, json!({})).await;
    assert_eq!(counts(&done), [1, 2, 0, 1]);
    let list = user.get("/api/customers").await;
    let alpha = &list.body["items"][0];
    assert_eq!(
        (&alpha["sector"], &alpha["email"], &alpha["status"]),
        (&json!(null), &json!("a@x.example"), &json!("active"))
    );
    assert_eq!(alpha["version"], 3, "a change of fields and a move of the status");
    assert_eq!(list.each("name"), ["Alpha", "Beta", "Gamma two"]);
    let errors = user
        .get(&format!("/api/customers/imports/{}/errors", upload.id()))
        .await;
    assert_eq!(errors.body["items"][0]["faults"][0]["rule"], "status_move");
    let expected = [("created", 3), ("status_changed", 1), ("updated", 2)];
    assert_eq!(
        events(&house, user).await,
        expected.map(|(verb, n)| (verb.to_owned(), n))
    );

    let (_, done) = import(user, first, json!({ "mode": "create", "key": "email" })).await;
    assert_eq!(counts(&done), [0, 0, 0, 2], "they exist");
    let fresh = "email,name\nnew@x.example,New\nB@x.example,Beta renamed\n";
    let (_, done) = import(user, fresh, json!({ "mode": "update", "key": "email" })).await;
    assert_eq!(counts(&done), [0, 1, 0, 1]);
    let (_, done) = import(
        user,
        "name,email\nThief,b@x.example\n",
        json!({ "mode": "create" }),
    )
    .await;
    assert_eq!(counts(&done), [0, 0, 0, 1], "the address is taken");
}

// covers: CRM-09
#[tokio::test]
async fn addresses_that_move_within_a_file_are_followed() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let rows: String = (0..60)
        .map(|n| format!("K{n},Name {n},m{n}@x.example\n"))
        .collect();
    assert_eq!(
        counts(&import(user, format!("key,name,email\n{rows}"), json!({})).await.1),
        [60, 0, 0, 0]
    );
    // Each takes the address that the one before it gives up: as one statement the index may refuse it.
    let rows: String = (0..60)
        .rev()
        .map(|n| format!("K{n},Name {n},m{}@x.example\n", n + 1))
        .collect();
    let (_, done) = import(user, format!("key,name,email\n{rows}"), json!({})).await;
    assert_eq!(counts(&done), [0, 60, 0, 0]);
    let moved = user.get("/api/customers?filter=externalKey:eq:K7").await;
    assert_eq!(moved.each("email"), ["m8@x.example"]);
}

// covers: CRM-09
#[tokio::test]
async fn a_dry_run_judges_and_writes_nothing() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let (upload, done) = import(user, FILE, json!({ "dryRun": true })).await;
    assert_eq!(counts(&done), [2, 0, 0, 1]);
    assert_eq!(done["result"]["dryRun"], true);
    assert_eq!(user.get("/api/customers").await.body["items"], json!([]));
    let errors = user
        .get(&format!("/api/customers/imports/{}/errors", upload.id()))
        .await;
    assert_eq!(errors.body["items"].as_array().unwrap().len(), 1);
    let done = over(user, &start(user, &upload, json!({})).await).await;
    assert_eq!(counts(&done), [2, 0, 0, 1], "the same file, now in earnest");
}

// covers: CRM-09, TN-01, AZ-04
#[tokio::test]
async fn each_row_is_decided_and_nobody_else_sees_the_import() {
    let house = house().await;
    let tenant = house.tenant(&[("reader", "customers:read", DataScope::All)]);
    let user = house.user(tenant, "own", &[BranchId::new()]);
    let file = format!(
        "name,owner\nMine,{}\nHers,ann@acme.example\nToo short?,\nX,\n",
        user.id
    );
    let (upload, done) = import(user, file, json!({ "maxErrors": 50 })).await;
    assert_eq!(counts(&done), [2, 0, 0, 2]);
    let path = format!("/api/customers/imports/{}", upload.id());
    let errors = user.get(&format!("{path}/errors?sort=-row")).await;
    let rules: Vec<_> = errors.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["faults"][0]["rule"])
        .collect();
    assert_eq!(rules, ["length", "forbidden"]);

    let reader = house.user(tenant, "reader", &[]);
    upload_as(reader, "/api/customers/imports", &[], "name\nA\n")
        .await
        .problem(403, "auth.forbidden");
    reader.get(&path).await.problem(403, "auth.forbidden");
    let operation = format!("/api/customers/operations/{}", done["id"].as_str().unwrap());
    let stranger = house.user(house.tenant(&[]), "all", &[]);
    let colleague = house.user(tenant, "own", &[]);
    for other in [stranger, colleague] {
        for path in [
            &path,
            &operation,
            &format!("{path}/errors"),
            &format!("{path}/errors.csv"),
        ] {
            other.get(path).await.problem(404, "request.not_found");
        }
        other
            .post(&format!("{path}/start"), json!({}))
            .await
            .problem(404, "request.not_found");
        other
            .post(&format!("{operation}/cancel"), json!(null))
            .await
            .problem(404, "request.not_found");
        assert_eq!(
            other.get("/api/customers/operations").await.expect(200).body["items"],
            json!([])
        );
    }
    // Who imports into all of the tenant looks after all its imports.
    let admin = house.user(tenant, "all", &[]);
    assert_eq!(admin.get(&operation).await.expect(200).body["id"], done["id"]);
    admin
        .post(&format!("{operation}/cancel"), json!(null))
        .await
        .problem(409, "operation.finished");
}
