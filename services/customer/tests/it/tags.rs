//! Tags.

use crate::harness::User;
use crate::support::{create, house};
use http::Method;
use serde_json::{Value, json};
use stoa_policy::DataScope;
use stoa_types::BranchId;

async fn names(user: User<'_>, query: &str) -> Vec<String> {
    let page = user.get(&format!("/api/customers?{query}")).await.expect(200);
    page.each("name").into_iter().map(str::to_owned).collect()
}

// covers: CRM-04
#[tokio::test]
async fn tags_come_and_go_and_are_found_by() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let acme = create(ann, "Acme", json!({ "tags": [" VIP ", "Key  Account", "vip"] })).await;
    assert_eq!(acme.body["tags"], json!(["key account", "vip"]));
    create(ann, "Beta", json!({ "tags": ["cold"] })).await;
    create(ann, "Gamma", json!({})).await;
    assert_eq!(names(ann, "filter=tag:has:vip").await, ["Acme"]);
    assert_eq!(names(ann, "filter=tag:has:Key%20Account").await, ["Acme"]);
    assert_eq!(names(ann, "filter=tag:lacks:vip").await, ["Beta", "Gamma"]);
    assert_eq!(names(ann, "filter=tag:in:vip|cold").await, ["Acme", "Beta"]);
    assert_eq!(names(ann, "filter=tag:has:vip,tag:has:cold").await, [""; 0]);
    ann.get("/api/customers?filter=tag:eq:vip").await.expect(422);

    let path = format!("/api/customers/{}", acme.id());
    let tags = format!("{path}/tags");
    let change = json!({ "add": ["new"], "remove": ["vip", "never there"] });
    let changed = ann.post(&tags, change.clone()).await.expect(200);
    assert_eq!(
        (&changed.body["tags"], changed.header("etag")),
        (&json!(["key account", "new"]), "\"2\"")
    );
    let same = ann.post(&tags, change).await.expect(200);
    assert_eq!(same.header("etag"), "\"2\"", "nothing changed");
    assert_eq!(names(ann, "filter=tag:has:vip").await, [""; 0]);
    assert_eq!(names(ann, "filter=tag:has:new").await, ["Acme"]);

    let put = json!({ "name": "Acme" });
    let kept = ann.change(Method::PUT, &path, "*", Some(put)).await.expect(200);
    assert_eq!(
        kept.body["tags"],
        json!(["key account", "new"]),
        "left out, so they stay"
    );
    let patch = json!({ "tags": null });
    let emptied = ann
        .change(Method::PATCH, &path, "*", Some(patch))
        .await
        .expect(200);
    assert_eq!(emptied.body["tags"], json!([]));
    assert_eq!(names(ann, "filter=tag:in:key%20account|new").await, [""; 0]);

    let refused = ann.post(&tags, json!({ "add": ["ok", "a,b"] })).await.expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/add/1");
    let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
    let refused = ann
        .post("/api/customers", json!({ "name": "Many", "tags": many }))
        .await
        .expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/tags");
    let twenty: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    ann.post(&tags, json!({ "add": twenty })).await.expect(200);
    let refused = ann.post(&tags, json!({ "add": ["one more"] })).await.expect(422);
    assert_eq!(refused.body["errors"][0]["rule"], "length");
    ann.change(Method::DELETE, &path, "*", None).await.expect(204);
    ann.post(&tags, json!({ "add": ["x"] }))
        .await
        .problem(409, "customers.archived");
}

// covers: CRM-04, AZ-04
#[tokio::test]
async fn tags_are_counted_within_the_callers_scope() {
    let house = house().await;
    let tenant = house.tenant(&[("reader", "customers:read", DataScope::All)]);
    let branch = [BranchId::new()];
    let (ann, bob) = (
        house.user(tenant, "own", &branch),
        house.user(tenant, "own", &branch),
    );
    let annas = create(ann, "Ann's", json!({ "tags": ["vip", "cold"] })).await;
    create(bob, "Bob's", json!({ "tags": ["vip", "secret"] })).await;
    let gone = create(ann, "Gone", json!({ "tags": ["gone"] })).await;
    ann.change(
        Method::DELETE,
        &format!("/api/customers/{}", gone.id()),
        "*",
        None,
    )
    .await
    .expect(204);

    let counts = async |user: User<'_>, query: &str| -> Value {
        user.get(&format!("/api/customers/tags{query}"))
            .await
            .expect(200)
            .body["items"]
            .clone()
    };
    let tag = |tag: &str, customers: u32| json!({ "tag": tag, "customers": customers });
    assert_eq!(counts(ann, "").await, json!([tag("cold", 1), tag("vip", 1)]));
    let reader = house.user(tenant, "reader", &branch);
    let all = json!([tag("cold", 1), tag("secret", 1), tag("vip", 2)]);
    assert_eq!(counts(reader, "").await, all);
    assert_eq!(counts(reader, "?search=V").await, json!([tag("vip", 2)]));
    let stranger = house.user(house.tenant(&[]), "all", &branch);
    assert_eq!(counts(stranger, "").await, json!([]));

    let tags = format!("/api/customers/{}/tags", annas.id());
    for (user, status, code) in [
        (bob, 404, "request.not_found"),
        (stranger, 404, "request.not_found"),
        (reader, 403, "auth.forbidden"),
    ] {
        user.post(&tags, json!({ "add": ["x"] }))
            .await
            .problem(status, code);
    }
}

// covers: CRM-04
#[tokio::test]
async fn two_who_tag_at_once_both_succeed() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let tags = format!(
        "/api/customers/{}/tags",
        create(ann, "Acme", json!({})).await.id()
    );
    let add = async |tag: String| ann.post(&tags, json!({ "add": [tag] })).await.expect(200);
    futures::future::join_all((10..18).map(|n| add(format!("tag {n}")))).await;
    let all: Vec<_> = (10..18).map(|n| format!("tag {n}")).collect();
    assert_eq!(
        ann.get("/api/customers").await.body["items"][0]["tags"],
        json!(all)
    );
    assert_eq!(
        ann.get("/api/customers/tags").await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        8
    );
}
