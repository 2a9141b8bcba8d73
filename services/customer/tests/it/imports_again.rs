//! What rows are found by, what they tell of customers out of sight, and what is kept of those that cannot be read.

use crate::harness::{Answer, User};
use crate::imports::{counts, house, import, over, start, upload, upload_as};
use crate::support::create;
use serde_json::{Value, json};
use stoa_types::BranchId;

async fn errors(user: User<'_>, upload: &Answer) -> Vec<Value> {
    let path = format!("/api/customers/imports/{}/errors", upload.id());
    let errors = user.get(&path).await.expect(200);
    errors.body["items"].as_array().unwrap().clone()
}

async fn errors_csv(user: User<'_>, upload: &Answer) -> String {
    let path = format!("/api/customers/imports/{}/errors.csv", upload.id());
    user.get(&path).await.expect(200).text
}

// covers: CRM-09
#[tokio::test]
async fn an_export_is_imported_again_and_changes_nothing() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    create(
        user,
        "With key",
        json!({ "externalKey": "K-1", "email": "k@x.example" }),
    )
    .await;
    create(
        user,
        "With address",
        json!({ "email": "a@x.example", "tags": ["vip"] }),
    )
    .await;
    create(user, "With neither", json!({ "phone": "+8424123456" })).await;
    for (format, media) in [("csv", "text/csv"), ("ndjson", "application/x-ndjson")] {
        let path = format!("/api/customers/export?format={format}");
        let export = user.get(&path).await.expect(200).text;
        let headers = [("content-type", media)];
        let sent = upload_as(user, "/api/customers/imports", &headers, export).await;
        let sent = sent.expect(201);
        for mode in ["upsert", "update"] {
            let done = over(user, &start(user, &sent, json!({ "mode": mode })).await).await;
            assert_eq!(counts(&done), [0, 0, 3, 0], "{format} {mode}");
        }
    }
    assert_eq!(user.get("/api/customers/stats").await.body["total"], 3);
}

// covers: CRM-09
#[tokio::test]
async fn each_row_has_its_own_key() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let one = create(
        user,
        "One",
        json!({ "externalKey": "K-1", "email": "one@x.example" }),
    )
    .await;
    create(user, "Two", json!({ "email": "two@x.example" })).await;
    let file = format!(
        "id,externalKey,email,name\n{},K-9,moved@x.example,One\n,,TWO@x.example,Two again\n,K-1,new@x.example,Three\n\
         ,,one@x.example,Four\n,K-9,moved@x.example,One again\n,,,Five\n",
        one.id()
    );
    let (sent, done) = import(user, file.clone(), json!({})).await;
    assert_eq!(counts(&done), [3, 3, 0, 0], "{:?}", errors(user, &sent).await);
    let list = user.get("/api/customers").await;
    assert_eq!(
        list.each("name"),
        ["Five", "Four", "One again", "Three", "Two again"]
    );
    let (sent, done) = import(
        user,
        "externalKey,email,name\n,,Nobody\n",
        json!({ "mode": "update" }),
    )
    .await;
    assert_eq!(counts(&done), [0, 0, 0, 1]);
    let fault = &errors(user, &sent).await[0]["faults"][0];
    assert_eq!(
        fault["detail"],
        "one of externalKey, email is required, to find the customer"
    );

    // A key that is given is the only one.
    let (_, done) = import(
        user,
        "externalKey,email,name\n,two@x.example,Two\n",
        json!({ "key": "externalKey" }),
    )
    .await;
    assert_eq!(counts(&done), [0, 0, 0, 1], "a new one, whose address is taken");
}

// covers: CRM-09, AZ-04
#[tokio::test]
async fn customers_out_of_sight_are_not_told_of() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let other = house.user(tenant, "all", &[BranchId::new()]);
    let hidden = create(
        other,
        "Hidden",
        json!({ "externalKey": "H-1", "email": "h@x.example" }),
    )
    .await;
    let user = house.user(tenant, "own", &[BranchId::new()]);
    let file = format!(
        "id,externalKey,email,name\n{},,,Unseen\n{},,,Unknown\n,H-1,,By key\n,,h@x.example,By address\n",
        hidden.id(),
        uuid::Uuid::from_u128(9)
    );
    let nobody = "there is no such customer, or you may not see it";
    let taken = "this key is taken";
    for (mode, told) in [
        ("upsert", [nobody, nobody, taken, taken]),
        ("update", [nobody; 4]),
    ] {
        let (sent, done) = import(user, file.clone(), json!({ "mode": mode })).await;
        assert_eq!(counts(&done), [0, 0, 0, 4], "{mode}");
        let errors = errors(user, &sent).await;
        let details: Vec<_> = errors.iter().map(|e| &e["faults"][0]["detail"]).collect();
        assert_eq!(details, told, "{mode}");
        assert_eq!(
            errors[0]["faults"], errors[1]["faults"],
            "unseen and unknown look the same"
        );
    }
}

// covers: CRM-09
#[tokio::test]
async fn an_import_without_a_branch_is_refused_at_its_start() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[]);
    let sent = upload(user, "externalKey,name\nK-1,Acme\n").await.expect(201);
    let path = format!("/api/customers/imports/{}/start", sent.id());
    for mode in ["upsert", "create"] {
        let refused = user.post(&path, json!({ "mode": mode })).await;
        refused.problem(422, "request.invalid");
        let error = &refused.body["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["rule"]),
            (&json!("/defaults/branchId"), &json!("required"))
        );
        assert!(error["detail"].as_str().unwrap().contains("--branch"), "{error}");
    }
    let how = json!({ "defaults": { "branchId": BranchId::new() } });
    let done = over(user, &start(user, &sent, how).await).await;
    assert_eq!(counts(&done), [1, 0, 0, 0]);
    let done = over(user, &start(user, &sent, json!({ "mode": "update" })).await).await;
    assert_eq!(counts(&done), [0, 0, 1, 0]);
    let (_, done) = import(user, "name,branch\nBolt,Hà Nội\n", json!({})).await;
    assert_eq!(counts(&done), [1, 0, 0, 0]);
}

// covers: CRM-09
#[tokio::test]
async fn what_cannot_be_read_is_kept_with_its_error() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let headers = [("content-type", "application/x-ndjson")];
    let lines = "{\"name\":\"One\"}\n{\"name\":\"Two\", \"email\n{\"name\":\"Three\"}\n";
    let sent = upload_as(user, "/api/customers/imports", &headers, lines).await;
    let done = over(user, &start(user, &sent, json!({})).await).await;
    assert_eq!(counts(&done), [2, 0, 0, 1]);
    assert_eq!(errors(user, &sent).await[0]["row"], 2, "a row is a line");
    let csv = errors_csv(user, &sent).await;
    assert!(
        csv.contains(",\"{\"\"name\"\":\"\"Two\"\", \"\"email\"\r\n"),
        "{csv}"
    );

    let file = "name,email\nGood,g@x.example\nWide,w@x.example,more,cells\nShort\n";
    let (sent, done) = import(user, file, json!({})).await;
    assert_eq!(counts(&done), [1, 0, 0, 2]);
    let csv = errors_csv(user, &sent).await;
    assert!(
        csv.contains("Wide,w@x.example,3,") && csv.contains(",\"more,cells\"\r\n"),
        "{csv}"
    );
    assert!(csv.contains("the row has 1 cell, the header 2"), "{csv}");

    // As long as a row may be, and longer.
    for length in [10, 1_200_000] {
        let long = "x".repeat(length);
        let file = format!("name,email\nOK,\n\"never closed,{long}\nAfter Long,al@x.test\n");
        let (sent, done) = import(user, file, json!({ "mode": "create" })).await;
        assert_eq!(counts(&done), [1, 0, 0, 1]);
        let error = &errors(user, &sent).await[0];
        let detail = error["faults"][0]["detail"].as_str().unwrap();
        assert_eq!(error["row"], 3);
        assert!(
            detail.contains("the quote that begins in this row is not closed"),
            "{detail}"
        );
        let csv = errors_csv(user, &sent).await;
        assert!(csv.contains(",\"\"\"never closed,xxxxxxxxxx"), "{csv}");
        assert!(csv.len() < 1_000, "{} bytes", csv.len());
    }
}
