//! Merging customers, and undoing it.

use crate::harness::{Answer, User, until};
use crate::support::{create, house};
use http::Method;
use serde_json::{Value, json};
use stoa_policy::DataScope;
use stoa_types::BranchId;

fn path(of: &Answer) -> String {
    format!("/api/customers/{}", of.id())
}

/// Merges two customers whose versions are those in `into` and `from`.
async fn merge(user: User<'_>, into: &Answer, from: &Answer, fields: Value) -> Answer {
    let body = json!({ "from": from.id(), "fromVersion": from.body["version"], "fields": fields });
    let merge = format!("{}/merge", path(into));
    user.change(
        Method::POST,
        &merge,
        &into.body["version"].as_i64().map(|v| format!("\"{v}\"")).unwrap(),
        Some(body),
    )
    .await
}

fn undo(merged: &Answer) -> String {
    format!(
        "/api/customers/merges/{}/undo",
        merged.body["merge"]["id"].as_str().unwrap()
    )
}

// covers: CRM-10
#[tokio::test]
async fn a_merge_and_its_undoing() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let acme = create(ann, "Acme", json!({ "sector": "retail", "tags": ["vip"] })).await;
    let other = json!({ "email": "a@acme.example", "phone": "+4930", "sector": "food", "tags": ["cold"], "externalKey": "k" });
    let double = create(ann, "ACME Inc", other).await;
    let merged = merge(ann, &acme, &double, json!({ "name": "from", "sector": "into" }))
        .await
        .expect(200);
    let survivor = &merged.body["customer"];
    assert_eq!(
        (
            &survivor["name"],
            &survivor["sector"],
            &survivor["email"],
            &survivor["phone"]
        ),
        (
            &json!("ACME Inc"),
            &json!("retail"),
            &json!("a@acme.example"),
            &json!("+4930")
        )
    );
    assert_eq!(survivor["tags"], json!(["cold", "vip"]));
    assert_eq!(merged.header("etag"), "\"2\"");
    assert_eq!(
        (&merged.body["merge"]["taken"], &merged.body["merge"]["tagsAdded"]),
        (
            &json!(["email", "externalKey", "name", "phone"]),
            &json!(["cold"])
        )
    );

    ann.get(&path(&double)).await.problem(404, "request.not_found");
    let archived = ann.get("/api/customers?archived=true").await;
    assert_eq!(archived.body["items"][0]["mergedInto"], json!(acme.id()));
    ann.post(&format!("{}/restore", path(&double)), json!(null))
        .await
        .problem(409, "customers.merged");
    let merges = format!("{}/merges", path(&acme));
    assert_eq!(
        ann.get(&merges).await.body["items"][0]["from"],
        json!(double.id())
    );
    assert_eq!(
        ann.get("/api/customers?filter=tag:has:cold").await.each("name"),
        ["ACME Inc"]
    );

    // Later edits: the phone number stays, the rest goes back.
    ann.change(
        Method::PATCH,
        &path(&acme),
        "*",
        Some(json!({ "phone": "+4931" })),
    )
    .await
    .expect(200);
    let back = ann.post(&undo(&merged), json!(null)).await.expect(200);
    assert_eq!(back.body["kept"], json!(["phone"]));
    let survivor = &back.body["customer"];
    assert_eq!(
        (
            &survivor["name"],
            &survivor["email"],
            &survivor["phone"],
            &survivor["tags"]
        ),
        (&json!("Acme"), &json!(null), &json!("+4931"), &json!(["vip"]))
    );
    let restored = ann.get(&path(&double)).await.expect(200);
    assert_eq!(back.body["restored"], restored.body);
    assert_eq!(
        (
            &restored.body["email"],
            &restored.body["phone"],
            &restored.body["externalKey"]
        ),
        (&json!("a@acme.example"), &json!("+4930"), &json!("k"))
    );
    assert_eq!(restored.body.get("mergedInto"), None);
    ann.post(&undo(&merged), json!(null))
        .await
        .problem(409, "customers.merge_undone");
    assert!(ann.get(&merges).await.body["items"][0]["undoneAt"].is_string());

    // What was undone can be done again.
    let acme = ann.get(&path(&acme)).await;
    merge(ann, &acme, &restored, json!({})).await.expect(200);
}

// covers: CRM-10
#[tokio::test]
async fn what_cannot_be_merged() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let (acme, double) = (
        create(ann, "Acme", json!({})).await,
        create(ann, "Double", json!({})).await,
    );
    let itself = merge(ann, &acme, &acme, json!({})).await.expect(422);
    assert_eq!(itself.body["errors"][0]["pointer"], "/from");
    let unknown = merge(ann, &acme, &double, json!({ "colour": "from" }))
        .await
        .expect(422);
    assert_eq!(unknown.body["errors"][0]["pointer"], "/fields/colour");
    merge(ann, &acme, &double, json!({ "name": "both" }))
        .await
        .expect(422);
    let target = format!("{}/merge", path(&acme));
    let body = |version: i64| json!({ "from": double.id(), "fromVersion": version });
    ann.post(&target, body(1))
        .await
        .problem(428, "request.version_required");
    ann.change(Method::POST, &target, "\"9\"", Some(body(1)))
        .await
        .problem(412, "request.stale");
    let stale = ann.change(Method::POST, &target, "\"1\"", Some(body(9))).await;
    stale.problem(412, "request.stale");
    assert_eq!(stale.body["errors"][0]["pointer"], "/fromVersion");
    let detail = stale.body["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("/fromVersion names an old version"),
        "{detail}"
    );
    let nobody = json!({ "from": uuid::Uuid::nil(), "fromVersion": 1 });
    ann.change(Method::POST, &target, "*", Some(nobody))
        .await
        .problem(404, "request.not_found");
    ann.change(Method::DELETE, &path(&double), "*", None)
        .await
        .expect(204);
    ann.change(Method::POST, &target, "*", Some(body(2)))
        .await
        .problem(409, "customers.archived");

    let (home, closed) = (BranchId::new(), BranchId::new());
    let here = create(ann, "Here", json!({ "branchId": home })).await;
    let there = create(ann, "There", json!({ "branchId": closed })).await;
    house
        .admin
        .execute(
            "update customer.branch set archived = true where id = $1",
            &[&closed.uuid()],
        )
        .await
        .unwrap();
    let refused = merge(ann, &here, &there, json!({ "branchId": "from" }))
        .await
        .expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/branchId");

    let tags = |from: usize| json!({ "tags": (from..from + 15).map(|n| n.to_string()).collect::<Vec<_>>() });
    let (one, two) = (
        create(ann, "One", tags(0)).await,
        create(ann, "Two", tags(15)).await,
    );
    let refused = merge(ann, &one, &two, json!({})).await.expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/tags");
}

// covers: CRM-10
#[tokio::test]
async fn merges_of_merges_are_undone_from_the_last() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let a = create(ann, "A corp", json!({})).await;
    let b = create(ann, "B corp", json!({ "phone": "+4930" })).await;
    let c = create(ann, "C corp", json!({})).await;
    let first = merge(ann, &a, &b, json!({})).await.expect(200);
    let a_now = ann.get(&path(&a)).await;
    let second = merge(ann, &c, &a_now, json!({})).await.expect(200);
    assert_eq!(second.body["customer"]["phone"], "+4930", "handed on");

    // The survivor's timeline holds what happened to all three.
    let timeline = format!("{}/activities?sort=at", path(&c));
    until("the timeline follows", async || {
        let kinds = ann.get(&timeline).await;
        ["created", "merged"].map(|kind| kinds.each("kind").iter().filter(|k| **k == kind).count()) == [3, 2]
    })
    .await;

    let refused = ann.post(&undo(&first), json!(null)).await;
    refused.problem(409, "customers.merge_order");
    assert!(
        refused.body["detail"]
            .as_str()
            .unwrap()
            .contains(&c.id().to_string())
    );
    let back = ann.post(&undo(&second), json!(null)).await.expect(200);
    assert_eq!(back.body["customer"]["phone"], json!(null));
    let back = ann.post(&undo(&first), json!(null)).await.expect(200);
    assert_eq!(
        (&back.body["customer"]["phone"], &back.body["restored"]["phone"]),
        (&json!(null), &json!("+4930"))
    );
    assert_eq!(
        ann.get("/api/customers").await.each("name"),
        ["A corp", "B corp", "C corp"]
    );
}

// covers: CRM-10
#[tokio::test]
async fn of_two_merges_the_first_can_be_undone_first() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let a = create(ann, "A corp", json!({})).await;
    let b = create(ann, "B corp", json!({ "email": "b@x.example" })).await;
    let c = create(ann, "C corp", json!({ "email": "c@x.example" })).await;
    let first = merge(ann, &a, &b, json!({})).await.expect(200);
    let a_now = ann.get(&path(&a)).await;
    let second = merge(ann, &a_now, &c, json!({ "email": "from" }))
        .await
        .expect(200);
    let back = ann.post(&undo(&first), json!(null)).await.expect(200);
    assert_eq!(back.body["kept"], json!(["email"]));
    let back = ann.post(&undo(&second), json!(null)).await.expect(200);
    assert_eq!(
        (&back.body["kept"], &back.body["customer"]["email"]),
        (&json!([]), &json!(null))
    );
    assert_eq!(ann.get(&path(&b)).await.body["email"], "b@x.example");
}

// covers: CRM-10
#[tokio::test]
async fn an_address_that_is_taken_by_now_stops_the_undoing() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let a = create(ann, "A corp", json!({ "email": "a@x.example" })).await;
    let b = create(ann, "B corp", json!({ "email": "b@x.example" })).await;
    let merged = merge(ann, &a, &b, json!({})).await.expect(200);
    let taker = create(ann, "Taker", json!({ "email": "b@x.example" })).await;
    ann.post(&undo(&merged), json!(null))
        .await
        .problem(409, "customers.email_taken");
    assert_eq!(
        ann.get("/api/customers").await.each("name"),
        ["A corp", "Taker"],
        "nothing has changed"
    );
    ann.change(Method::DELETE, &path(&taker), "*", None)
        .await
        .expect(204);
    ann.post(&undo(&merged), json!(null)).await.expect(200);
}

// covers: CRM-10, AZ-04
#[tokio::test]
async fn merging_needs_rights_on_both() {
    let house = house().await;
    let tenant = house.tenant(&[
        ("editor", "customers:read", DataScope::All),
        ("editor", "customers:update", DataScope::All),
        ("reader", "customers:read", DataScope::All),
    ]);
    let branch = [BranchId::new()];
    let (ann, bob) = (
        house.user(tenant, "own", &branch),
        house.user(tenant, "own", &branch),
    );
    let (a, b) = (
        create(ann, "A corp", json!({})).await,
        create(bob, "B corp", json!({})).await,
    );
    let a2 = create(ann, "A corp", json!({})).await;
    merge(ann, &a, &b, json!({}))
        .await
        .problem(404, "request.not_found");
    merge(bob, &a, &b, json!({}))
        .await
        .problem(404, "request.not_found");
    let stranger = house.user(house.tenant(&[]), "all", &branch);
    merge(stranger, &a, &a2, json!({}))
        .await
        .problem(404, "request.not_found");
    let editor = house.user(tenant, "editor", &branch);
    merge(editor, &a, &b, json!({}))
        .await
        .problem(403, "auth.forbidden");
    merge(house.user(tenant, "reader", &branch), &a, &b, json!({}))
        .await
        .problem(403, "auth.forbidden");

    let merged = merge(ann, &a, &a2, json!({})).await.expect(200);
    for (user, status, code) in [
        (bob, 404, "request.not_found"),
        (stranger, 404, "request.not_found"),
        (editor, 403, "auth.forbidden"),
    ] {
        user.post(&undo(&merged), json!(null)).await.problem(status, code);
    }
    for user in [bob, stranger] {
        user.get(&format!("{}/merges", path(&a)))
            .await
            .problem(404, "request.not_found");
    }
    ann.post(&undo(&merged), json!(null)).await.expect(200);
}

// covers: CRM-10
#[tokio::test]
async fn two_merges_at_once_do_not_wait_for_each_other_in_a_circle() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    for round in 0..5 {
        let a = create(ann, &format!("A {round}"), json!({})).await;
        let b = create(ann, &format!("B {round}"), json!({})).await;
        let (one, two) = futures::join!(merge(ann, &a, &b, json!({})), merge(ann, &b, &a, json!({})));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{one:?} {two:?}");
    }
}

// covers: AP-02, CRM-10
#[tokio::test]
async fn a_repeated_merge_happens_once() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let (a, b) = (
        create(ann, "A corp", json!({})).await,
        create(ann, "B corp", json!({})).await,
    );
    let send = async || {
        let body = json!({ "from": b.id(), "fromVersion": 1 });
        let headers = [("idempotency-key", "m-1"), ("if-match", "\"1\"")];
        ann.send(Method::POST, &format!("{}/merge", path(&a)), &headers, Some(body))
            .await
            .expect(200)
    };
    let (first, again) = (send().await, send().await);
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("idempotency-replayed"), "true");
}

// covers: CRM-08, CRM-10
#[tokio::test]
async fn custom_values_go_with_a_merge_and_back() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let field = json!({ "key": "seats", "label": "Seats", "type": "number" });
    ann.post("/api/customers/fields", field).await.expect(201);
    let a = create(ann, "A corp", json!({})).await;
    let b = create(ann, "B corp", json!({ "custom": { "seats": 7 } })).await;
    let found = async || {
        let page = ann
            .get("/api/customers?filter=custom.seats:eq:7")
            .await
            .expect(200);
        page.each("name")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let merged = merge(ann, &a, &b, json!({})).await.expect(200);
    assert_eq!(merged.body["merge"]["taken"], json!(["custom.seats"]));
    assert_eq!(found().await, ["A corp"]);
    ann.post(&undo(&merged), json!(null)).await.expect(200);
    assert_eq!(found().await, ["B corp"]);
}
