//! Segments, and searches by conditions.

use crate::harness::User;
use crate::support::{create, house};
use http::Method;
use serde_json::{Value, json};
use stoa_policy::DataScope;
use stoa_types::BranchId;

async fn found(user: User<'_>, condition: Value) -> Vec<String> {
    let page = user
        .post("/api/customers/search", json!({ "where": condition }))
        .await
        .expect(200);
    page.each("name").into_iter().map(str::to_owned).collect()
}

fn leaf(field: &str, op: &str, value: impl Into<Value>) -> Value {
    json!({ "field": field, "op": op, "value": value.into() })
}

async fn some_customers(user: User<'_>) {
    create(
        user,
        "Acme",
        json!({ "status": "active", "revenueMinor": 100, "tags": ["vip"] }),
    )
    .await;
    create(user, "Beta", json!({ "status": "active", "revenueMinor": 5 })).await;
    create(
        user,
        "Gamma",
        json!({ "status": "lead", "revenueMinor": 100, "sector": "retail" }),
    )
    .await;
    create(
        user,
        "Delta",
        json!({ "status": "lost", "revenueMinor": 1, "tags": ["vip"] }),
    )
    .await;
}

// covers: CRM-08
#[tokio::test]
async fn conditions_join_clauses_by_all_and_any() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    some_customers(ann).await;
    let rich = leaf("revenueMinor", "ge", 100);
    let active = leaf("status", "eq", "active");
    assert_eq!(found(ann, rich.clone()).await, ["Acme", "Gamma"]);
    assert_eq!(found(ann, json!({ "all": [rich, active] })).await, ["Acme"]);
    assert_eq!(
        found(ann, json!({ "any": [rich, active] })).await,
        ["Acme", "Beta", "Gamma"]
    );
    let vips = json!({ "all": [leaf("tag", "has", "VIP"), leaf("status", "ne", "lost")] });
    assert_eq!(
        found(
            ann,
            json!({ "any": [vips, leaf("sector", "in", json!(["retail", "food"]))] })
        )
        .await,
        ["Acme", "Gamma"]
    );
    let page = json!({ "sort": "-revenueMinor", "limit": 2, "fields": ["name"], "dataScope": "own" });
    let first = ann.post("/api/customers/search", page.clone()).await.expect(200);
    assert_eq!(
        first.body["items"][0].as_object().unwrap().len(),
        2,
        "id and name"
    );
    let mut next = page;
    next["cursor"] = first.body["nextCursor"].clone();
    let second = ann.post("/api/customers/search", next).await.expect(200);
    assert_eq!(second.each("name"), ["Beta", "Delta"]);
}

// covers: CRM-08
#[tokio::test]
async fn what_is_no_condition_is_pointed_at() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let refused = async |condition: Value| {
        let answer = ann
            .post("/api/customers/search", json!({ "where": condition }))
            .await
            .expect(422);
        let error = &answer.body["errors"][0];
        format!(
            "{} {}",
            error["pointer"].as_str().unwrap(),
            error["rule"].as_str().unwrap()
        )
    };
    let good = leaf("status", "eq", "lead");
    assert_eq!(refused(json!([])).await, "/where format");
    assert_eq!(refused(json!({ "all": [] })).await, "/where/all length");
    assert_eq!(
        refused(json!({ "all": [good], "any": [good] })).await,
        "/where format"
    );
    assert_eq!(
        refused(json!({ "any": [good, leaf("colour", "eq", "red")] })).await,
        "/where/any/1 unknown"
    );
    assert_eq!(refused(leaf("revenueMinor", "ge", "much")).await, "/where type");
    assert_eq!(
        refused(leaf("status", "eq", json!(["lead"]))).await,
        "/where type"
    );
    assert_eq!(
        refused(json!({ "field": "status", "op": "eq" })).await,
        "/where type"
    );
    assert_eq!(
        refused(json!({ "field": "status", "op": "eq", "value": "lead", "not": true })).await,
        "/where/not unknown"
    );
    assert_eq!(refused(leaf("custom.none", "eq", 1)).await, "/where unknown");
    assert_eq!(refused(leaf("name", "eq", "a\u{0}b")).await, "/where type");
    assert_eq!(
        refused(json!({ "all": vec![good.clone(); 21] })).await,
        "/where length"
    );
    let mut deep = good;
    for _ in 0..4 {
        deep = json!({ "all": [deep] });
    }
    assert_eq!(refused(deep).await, "/where/all/0/all/0/all/0/all/0 depth");
}

// covers: CRM-04, CRM-08
#[tokio::test]
async fn a_segment_is_saved_and_listed_by() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let ann = house.user(tenant, "all", &[BranchId::new()]);
    some_customers(ann).await;
    ann.post(
        "/api/customers/fields",
        json!({ "key": "size", "label": "Size", "type": "number" }),
    )
    .await
    .expect(201);
    create(ann, "Huge", json!({ "custom": { "size": 9 } })).await;
    let big = json!({ "any": [leaf("revenueMinor", "ge", 100), leaf("custom.size", "ge", 5)] });
    let input = json!({ "name": "Big", "where": big });
    let created = ann
        .post("/api/customers/segments", input.clone())
        .await
        .expect(201);
    assert_eq!(created.body["where"], big);
    let path = created.header("location").to_owned();
    assert_eq!(ann.get(&path).await.expect(200).body, created.body);
    ann.post(
        "/api/customers/segments",
        json!({ "name": " bíg ", "where": big }),
    )
    .await
    .problem(409, "customers.segment_name_taken");

    let by = format!("segment={}", created.id());
    let list = ann.get(&format!("/api/customers?{by}&fields=name")).await;
    assert_eq!(list.each("name"), ["Acme", "Gamma", "Huge"]);
    let both = ann
        .get(&format!("/api/customers?{by}&filter=status:eq:lead&search=G"))
        .await;
    assert_eq!(both.each("name"), ["Gamma"]);
    let stats = ann.get(&format!("/api/customers/stats?{by}")).await.expect(200);
    assert_eq!(
        (&stats.body["total"], &stats.body["active"]),
        (&json!(3), &json!(1))
    );
    let filtered = ann
        .get("/api/customers/stats?filter=tag:has:vip")
        .await
        .expect(200);
    assert_eq!(filtered.body["total"], 2);

    let mut view = input.clone();
    view["sort"] = json!("-revenueMinor");
    view["fields"] = json!(["name"]);
    let viewed = ann
        .change(Method::PUT, &path, "\"1\"", Some(view.clone()))
        .await
        .expect(200);
    assert_eq!(
        (&viewed.body["sort"], &viewed.body["fields"]),
        (&view["sort"], &view["fields"])
    );
    let list = ann.get(&format!("/api/customers?{by}")).await;
    assert_eq!(
        list.each("name"),
        ["Gamma", "Acme", "Huge"],
        "as the segment says"
    );
    assert_eq!(list.body["items"][0].as_object().unwrap().len(), 2);
    let list = ann
        .get(&format!("/api/customers?{by}&sort=name&fields=status"))
        .await;
    assert_eq!(
        list.each("status"),
        ["active", "lead", "lead"],
        "the list says otherwise"
    );
    for (field, wrong) in [("sort", json!("colour")), ("fields", json!(["colour"]))] {
        let mut input = input.clone();
        input[field] = wrong;
        let refused = ann.change(Method::PUT, &path, "*", Some(input)).await.expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], format!("/{field}"));
    }

    let smaller = json!({ "name": "Big", "where": leaf("custom.size", "ge", 5) });
    ann.send(Method::PUT, &path, &[], Some(smaller.clone()))
        .await
        .problem(428, "request.version_required");
    let updated = ann
        .change(Method::PUT, &path, "\"2\"", Some(smaller.clone()))
        .await
        .expect(200);
    assert_eq!(updated.header("etag"), "\"3\"");
    ann.change(Method::PUT, &path, "\"2\"", Some(smaller))
        .await
        .problem(412, "request.stale");
    assert_eq!(
        ann.get(&format!("/api/customers?{by}")).await.each("name"),
        ["Huge"]
    );
    let wrong = json!({ "name": "Big", "where": leaf("none", "eq", 1) });
    ann.change(Method::PUT, &path, "*", Some(wrong)).await.expect(422);
    ann.change(Method::DELETE, &path, "\"3\"", None).await.expect(204);
    ann.get(&path).await.problem(404, "request.not_found");
    let refused = ann.get(&format!("/api/customers?{by}")).await.expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "segment");
    ann.post("/api/customers/segments", input).await.expect(201);
}

// covers: CRM-04, AZ-04
#[tokio::test]
async fn a_segment_is_everybodys_to_use_and_its_creators_to_change() {
    let house = house().await;
    let tenant = house.tenant(&[("reader", "customers:read", DataScope::All)]);
    let branch = [BranchId::new()];
    let (ann, bob) = (
        house.user(tenant, "own", &branch),
        house.user(tenant, "own", &branch),
    );
    create(ann, "Ann's", json!({})).await;
    create(bob, "Bob's", json!({})).await;
    let input = || json!({ "name": "Leads", "where": leaf("status", "eq", "lead") });
    let created = ann.post("/api/customers/segments", input()).await.expect(201);
    let path = created.header("location").to_owned();
    let list = format!("/api/customers?segment={}", created.id());
    assert_eq!(ann.get(&list).await.each("name"), ["Ann's"]);
    assert_eq!(
        bob.get(&list).await.each("name"),
        ["Bob's"],
        "each within their own scope"
    );
    assert_eq!(bob.get("/api/customers/segments").await.each("name"), ["Leads"]);
    let reader = house.user(tenant, "reader", &branch);
    for other in [bob, reader] {
        other
            .change(Method::PUT, &path, "*", Some(input()))
            .await
            .problem(403, "auth.forbidden");
        other
            .change(Method::DELETE, &path, "*", None)
            .await
            .problem(403, "auth.forbidden");
    }
    let nobody = house.user(tenant, "nothing", &branch);
    nobody
        .post("/api/customers/segments", input())
        .await
        .problem(403, "auth.forbidden");
    nobody
        .post("/api/customers/search", json!({}))
        .await
        .problem(403, "auth.forbidden");
    let stranger = house.user(house.tenant(&[]), "all", &branch);
    stranger.get(&path).await.problem(404, "request.not_found");
    stranger
        .change(Method::PUT, &path, "*", Some(input()))
        .await
        .problem(404, "request.not_found");
    stranger
        .change(Method::DELETE, &path, "*", None)
        .await
        .problem(404, "request.not_found");
    stranger.get(&list).await.expect(422);
    house
        .user(tenant, "all", &branch)
        .change(Method::DELETE, &path, "*", None)
        .await
        .expect(204);
}
