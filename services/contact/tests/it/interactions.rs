//! Interactions: what other services say of them, and what is kept.

use crate::support::{ANN, BOB, contact, house, id_of, note};
use serde_json::json;
use std::sync::atomic::Ordering;
use stoa_kernel::mesh::Calls;
use stoa_testkit::service::House;
use stoa_types::BranchId;

const PUT: http::Method = http::Method::PUT;
const DELETE: http::Method = http::Method::DELETE;

// covers: CRM-05
#[tokio::test]
async fn handles_are_resolved_when_the_text_is_saved() {
    let (house, others) = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let customer = others.customer(&[ann]);
    let says =
        |text: &str| json!({ "kind": "note", "subject": "Note", "body": text, "customerId": customer });
    let created = note(ann, says("@bob @Bobby @ann @nobody and x@bob.test"))
        .await
        .expect(201);
    let mentions = json!([{ "userId": ANN, "handle": "ann" }, { "userId": BOB, "handle": "bob" }]);
    assert_eq!(created.body["mentions"], mentions, "each user once");
    let path = created.header("location");
    assert_eq!(ann.get(path).await.body, created.body);
    note(ann, says("nobody at all")).await.expect(201);
    assert_eq!(
        others.asked_for_users.load(Ordering::SeqCst),
        1,
        "only for a text with handles"
    );

    let changed = ann
        .change(PUT, path, "*", Some(says("@bob stays")))
        .await
        .expect(200);
    assert_eq!(
        changed.body["mentions"],
        json!([{ "userId": BOB, "handle": "bob" }])
    );
    let sql = "select data->'mentions' from log.event where type like '%interaction.updated.v1'";
    let told: serde_json::Value = house.admin.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(told, json!([]), "nobody is told twice");
}

// covers: CRM-05
#[tokio::test]
async fn a_text_with_handles_waits_for_the_user_service() {
    let house = House::start(stoa_contact::service, Calls::new()).await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let fields = json!({ "body": "@bob", "contactIds": [stoa_types::ContactId::new()] });
    let refused = note(ann, fields).await;
    assert!(matches!(refused.status, 503 | 504), "{refused:?}");
    let rows = house
        .admin
        .query("select from contact.interaction", &[])
        .await
        .unwrap();
    assert!(rows.is_empty());
}

// covers: CRM-05
#[tokio::test]
async fn grants_mentions_and_customers_show_an_interaction() {
    let (house, others) = house().await;
    let tenant = house.tenant(&[]);
    let [author, colleague, stranger] = [(); 3].map(|()| house.user(tenant, "own", &[BranchId::new()]));
    let abroad = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let customer = others.customer(&[author, colleague]);
    let created = note(author, json!({ "customerId": customer })).await.expect(201);
    let path = created.header("location");
    author.get(path).await.expect(200);
    colleague.get(path).await.expect(200);
    let fields = Some(json!({ "kind": "note", "subject": "Mine", "customerId": customer }));
    colleague
        .change(PUT, path, "*", fields.clone())
        .await
        .problem(403, "auth.forbidden");
    colleague
        .change(DELETE, path, "*", None)
        .await
        .problem(403, "auth.forbidden");
    for nobody in [stranger, abroad] {
        nobody.get(path).await.problem(404, "request.not_found");
        nobody.change(PUT, path, "*", fields.clone()).await.expect(404);
        nobody
            .change(DELETE, path, "*", None)
            .await
            .problem(404, "request.not_found");
        let list = format!("/api/interactions?customerId={customer}");
        nobody.get(&list).await.problem(404, "request.not_found");
    }
    others.no_customers.store(true, Ordering::SeqCst);
    colleague.get(path).await.problem(404, "request.not_found");
    author.get(path).await.expect(200);
    others.no_customers.store(false, Ordering::SeqCst);

    author.change(DELETE, path, "*", None).await.expect(204);
    for user in [author, colleague] {
        user.get(path).await.problem(404, "request.not_found");
        user.change(DELETE, path, "*", None)
            .await
            .problem(404, "request.not_found");
    }
}

// covers: CRM-05
#[tokio::test]
async fn customers_follow_the_contacts_unless_one_is_named() {
    let (house, others) = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let jane = contact(ann, "Jane").await;
    let link = async |customer| {
        let path = format!("{jane}/customers/{customer}");
        ann.send(PUT, &path, &[], Some(json!({}))).await.expect(200);
    };
    let first = others.customer(&[ann]);
    link(first).await;
    let with_jane = json!({ "kind": "note", "subject": "Note", "contactIds": [id_of(&jane)] });
    let created = note(ann, with_jane.clone()).await.expect(201);
    assert_eq!(created.body["customerIds"], json!([first]));
    let second = others.customer(&[ann]);
    link(second).await;
    let path = created.header("location");
    let mut renamed = with_jane.clone();
    renamed["subject"] = json!("Renamed");
    let changed = ann.change(PUT, path, "*", Some(renamed)).await.expect(200);
    assert_eq!(
        changed.body["customerIds"],
        json!([first]),
        "as when it was logged"
    );
    for _ in 0..19 {
        link(others.customer(&[ann])).await;
    }
    let refused = note(ann, with_jane.clone()).await.expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/customerId");
    let mut named = with_jane;
    named["customerId"] = json!(second);
    assert_eq!(
        note(ann, named.clone()).await.expect(201).body["customerIds"],
        json!([second])
    );

    // An archived contact or customer stays where it is named, and is named no more.
    ann.change(DELETE, &jane, "*", None).await.expect(204);
    others.archive(second);
    let refused = note(ann, named).await.expect(422);
    let rules: Vec<_> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["rule"])
        .collect();
    assert_eq!(rules, ["unknown", "archived"]);
    let mut again = json!({ "kind": "call", "subject": "Call", "contactIds": [id_of(&jane)] });
    ann.change(PUT, path, "*", Some(again.clone())).await.expect(200);
    again["contactIds"] = json!([stoa_types::ContactId::new()]);
    ann.change(PUT, path, "*", Some(again)).await.expect(422);
}
