//! Custom fields: their definitions, their values, and lists by them.

use crate::harness::{Answer, User};
use crate::support::{create, house};
use http::Method;
use serde_json::{Value, json};
use stoa_policy::DataScope;
use stoa_types::BranchId;

async fn define(user: User<'_>, definition: Value) -> Answer {
    user.post("/api/customers/fields", definition).await.expect(201)
}

async fn names(user: User<'_>, filter: &str) -> Vec<String> {
    let path = format!("/api/customers?filter={filter}");
    let page = user.get(&path).await.expect(200);
    page.each("name").into_iter().map(str::to_owned).collect()
}

// covers: CRM-08
#[tokio::test]
async fn a_field_from_its_definition_to_its_restoration() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let ann = house.user(tenant, "all", &[BranchId::new()]);
    let input = json!({ "key": "size", "label": "Size", "type": "select", "options": ["small", "large"] });
    let created = define(ann, input.clone()).await;
    let path = created.header("location").to_owned();
    assert_eq!(ann.get(&path).await.expect(200).body, created.body);
    ann.post("/api/customers/fields", input.clone())
        .await
        .problem(409, "customers.field_key_taken");
    assert_eq!(ann.get("/api/customers/fields").await.each("key"), ["size"]);

    let acme = create(ann, "Acme", json!({ "custom": { "size": "small" } })).await;
    let record = acme.header("location").to_owned();
    let renamed = json!({ "key": "size", "label": "Company size", "type": "select", "options": ["large"] });
    ann.send(Method::PUT, &path, &[], Some(renamed.clone()))
        .await
        .problem(428, "request.version_required");
    let updated = ann
        .change(Method::PUT, &path, "\"1\"", Some(renamed.clone()))
        .await
        .expect(200);
    assert_eq!(
        (&updated.body["label"], updated.header("etag")),
        (&json!("Company size"), "\"2\"")
    );
    let again = ann
        .change(Method::PUT, &path, "\"2\"", Some(renamed))
        .await
        .expect(200);
    assert_eq!(again.header("etag"), "\"2\"", "nothing changed");
    let other_type = json!({ "key": "size", "label": "Size", "type": "text" });
    let refused = ann
        .change(Method::PUT, &path, "*", Some(other_type))
        .await
        .expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/type");
    let patch = json!({ "sector": "retail" });
    let kept = ann
        .change(Method::PATCH, &record, "*", Some(patch))
        .await
        .expect(200);
    assert_eq!(
        kept.body["custom"],
        json!({ "size": "small" }),
        "an option that was removed"
    );

    ann.change(Method::DELETE, &path, "\"2\"", None).await.expect(204);
    ann.change(Method::DELETE, &path, "*", None)
        .await
        .problem(404, "request.not_found");
    ann.change(Method::PUT, &path, "*", Some(input.clone()))
        .await
        .problem(409, "customers.field_archived");
    ann.post("/api/customers/fields", input)
        .await
        .problem(409, "customers.field_key_taken");
    assert_eq!(ann.get("/api/customers/fields").await.each("key"), [""; 0]);
    assert_eq!(
        ann.get("/api/customers/fields?archived=true").await.each("key"),
        ["size"]
    );
    let refused = ann
        .post(
            "/api/customers",
            json!({ "name": "Beta", "custom": { "size": "large" } }),
        )
        .await
        .expect(422);
    assert_eq!(refused.body["errors"][0]["rule"], "archived");
    let put = json!({ "name": "Acme", "custom": {} });
    let kept = ann.change(Method::PUT, &record, "*", Some(put)).await.expect(200);
    assert_eq!(
        kept.body["custom"],
        json!({ "size": "small" }),
        "archived fields keep their values"
    );
    assert_eq!(
        names(ann, "custom.size:eq:small").await,
        ["Acme"],
        "and customers are found by them"
    );

    let restored = ann
        .post(&format!("{path}/restore"), json!(null))
        .await
        .expect(200);
    assert_eq!(restored.header("etag"), "\"4\"");
    ann.post(&format!("{path}/restore"), json!(null))
        .await
        .problem(409, "customers.field_not_archived");
}

// covers: CRM-08, AZ-04
#[tokio::test]
async fn only_who_configures_the_whole_tenant_defines_fields() {
    let house = house().await;
    let tenant = house.tenant(&[
        ("reader", "customers:read", DataScope::All),
        ("manager", "customers:*", DataScope::Branch),
    ]);
    let branch = [BranchId::new()];
    let admin = house.user(tenant, "all", &branch);
    let input = || json!({ "key": "size", "label": "Size", "type": "text" });
    let path = define(admin, input()).await.header("location").to_owned();
    for user in [
        house.user(tenant, "reader", &branch),
        house.user(tenant, "manager", &branch),
    ] {
        assert_eq!(user.get("/api/customers/fields").await.each("key"), ["size"]);
        user.post("/api/customers/fields", input())
            .await
            .problem(403, "auth.forbidden");
        user.change(Method::PUT, &path, "*", Some(input()))
            .await
            .problem(403, "auth.forbidden");
        user.change(Method::DELETE, &path, "*", None)
            .await
            .problem(403, "auth.forbidden");
        user.post(&format!("{path}/restore"), json!(null))
            .await
            .problem(403, "auth.forbidden");
    }
    let nobody = house.user(tenant, "nothing", &branch);
    nobody
        .get("/api/customers/fields")
        .await
        .problem(403, "auth.forbidden");
    let stranger = house.user(house.tenant(&[]), "all", &branch);
    assert!(stranger.get("/api/customers/fields").await.each("key").is_empty());
    stranger.get(&path).await.problem(404, "request.not_found");
    stranger
        .change(Method::PUT, &path, "*", Some(input()))
        .await
        .problem(404, "request.not_found");
    stranger
        .change(Method::DELETE, &path, "*", None)
        .await
        .problem(404, "request.not_found");
    let refused = stranger
        .post(
            "/api/customers",
            json!({ "name": "Acme", "custom": { "size": "x" } }),
        )
        .await
        .expect(422);
    assert_eq!(
        refused.body["errors"][0]["rule"], "unknown",
        "fields are the tenant's own"
    );
}

// covers: CRM-08
#[tokio::test]
async fn values_are_checked_on_every_write() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    define(
        ann,
        json!({ "key": "seats", "label": "Seats", "type": "number", "min": 1 }),
    )
    .await;
    define(
        ann,
        json!({ "key": "note", "label": "Note", "type": "text", "maxLength": 5 }),
    )
    .await;
    let wrong = json!({ "seats": 0, "note": "too long", "colour": "red" });
    let refused = ann
        .post("/api/customers", json!({ "name": "Acme", "custom": wrong }))
        .await
        .expect(422);
    let found: Vec<_> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["pointer"].as_str().unwrap(), e["rule"].as_str().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("/custom/colour", "unknown"),
            ("/custom/note", "length"),
            ("/custom/seats", "range")
        ]
    );
    let acme = create(ann, "Acme", json!({ "custom": { "seats": 5, "note": " ok " } })).await;
    assert_eq!(acme.body["custom"], json!({ "seats": 5, "note": "ok" }));
    let path = acme.header("location").to_owned();
    let patch = json!({ "custom": { "note": null, "seats": 6 } });
    let patched = ann
        .change(Method::PATCH, &path, "*", Some(patch))
        .await
        .expect(200);
    assert_eq!(patched.body["custom"], json!({ "seats": 6 }));
    let refused = ann
        .change(
            Method::PATCH,
            &path,
            "*",
            Some(json!({ "custom": { "seats": "six" } })),
        )
        .await
        .expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/custom/seats");

    // Required later: what is there stays readable, and the next update must bring it.
    define(
        ann,
        json!({ "key": "region", "label": "Region", "type": "text", "required": true }),
    )
    .await;
    ann.get(&path).await.expect(200);
    ann.post(&format!("{path}/tags"), json!({ "add": ["vip"] }))
        .await
        .expect(200);
    let refused = ann
        .change(Method::PATCH, &path, "*", Some(json!({ "sector": "retail" })))
        .await
        .expect(422);
    assert_eq!(
        (
            &refused.body["errors"][0]["pointer"],
            &refused.body["errors"][0]["rule"]
        ),
        (&json!("/custom/region"), &json!("required"))
    );
    let patch = json!({ "sector": "retail", "custom": { "region": "north" } });
    ann.change(Method::PATCH, &path, "*", Some(patch))
        .await
        .expect(200);
    let event = house
        .admin
        .query_one(
            "select data->'changed' from log.event order by seq desc limit 1",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        event.get::<_, Value>(0),
        json!(["sector", "custom.region"]),
        "names, not values"
    );
    let sparse = ann.get("/api/customers?fields=custom").await.expect(200);
    assert_eq!(
        sparse.body["items"][0]["custom"],
        json!({ "seats": 6, "region": "north" })
    );
}

// covers: CRM-08, AP-03
#[tokio::test]
async fn customers_are_found_by_custom_fields_of_every_type() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    for (key, kind) in [
        ("t", "text"),
        ("b", "boolean"),
        ("d", "date"),
        ("m", "datetime"),
        ("e", "email"),
    ] {
        define(ann, json!({ "key": key, "label": key, "type": kind })).await;
    }
    define(
        ann,
        json!({ "key": "n", "label": "n", "type": "number", "decimals": 2 }),
    )
    .await;
    define(
        ann,
        json!({ "key": "s", "label": "s", "type": "multiselect", "options": ["x", "y", "z"] }),
    )
    .await;
    let one = json!({
        "t": "alpha", "b": true, "d": "2026-01-31", "m": "2026-01-31T08:00:00Z", "e": "A@b.example", "n": 9.5,
        "s": ["x", "y"]
    });
    let two = json!({
        "t": "beta", "b": false, "d": "2026-02-01", "m": "2026-01-31T09:00:00Z", "e": "c@b.example", "n": 10.25,
        "s": ["y", "z"]
    });
    let path = create(ann, "One", json!({ "custom": one }))
        .await
        .header("location")
        .to_owned();
    create(ann, "Two", json!({ "custom": two })).await;
    create(ann, "Three", json!({})).await;
    for (filter, found) in [
        ("custom.t:eq:alpha", &["One"][..]),
        ("custom.t:ne:alpha", &["Two"]),
        ("custom.b:eq:true", &["One"]),
        ("custom.d:lt:2026-02-01", &["One"]),
        ("custom.m:ge:2026-01-31T10:00:00%2B01:00", &["Two"]),
        ("custom.e:eq:a@B.example", &["One"]),
        ("custom.n:gt:9.50", &["Two"]),
        ("custom.n:le:10.25", &["One", "Two"]),
        ("custom.n:in:9.5|1", &["One"]),
        ("custom.s:has:y", &["One", "Two"]),
        ("custom.s:lacks:x", &["Three", "Two"]),
        ("custom.s:in:x|z", &["One", "Two"]),
        ("custom.s:has:y,custom.b:eq:false", &["Two"]),
    ] {
        assert_eq!(names(ann, filter).await, found, "{filter}");
    }
    for (filter, rule) in [
        ("custom.none:eq:1", "unknown"),
        ("custom.n:eq:many", "type"),
        ("custom.n:eq:1.005", "decimals"),
        ("custom.b:lt:true", "unknown"),
        ("custom.s:eq:x", "unknown"),
    ] {
        let refused = ann
            .get(&format!("/api/customers?filter={filter}"))
            .await
            .expect(422);
        assert_eq!(refused.body["errors"][0]["rule"], rule, "{filter}");
    }
    let patch = json!({ "custom": { "t": "gamma", "s": null } });
    ann.change(Method::PATCH, &path, "*", Some(patch))
        .await
        .expect(200);
    assert_eq!(names(ann, "custom.t:eq:alpha").await, [""; 0]);
    assert_eq!(names(ann, "custom.t:eq:gamma").await, ["One"]);
    assert_eq!(names(ann, "custom.s:has:x").await, [""; 0]);
}

// covers: CRM-08
#[tokio::test]
async fn a_tenant_has_at_most_a_hundred_fields() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let field = |n: usize| json!({ "key": format!("f{n}"), "label": "F", "type": "text" });
    let first = define(ann, field(0)).await.header("location").to_owned();
    for n in 1..100 {
        define(ann, field(n)).await;
    }
    ann.post("/api/customers/fields", field(100))
        .await
        .problem(409, "customers.too_many_fields");
    ann.change(Method::DELETE, &first, "*", None).await.expect(204);
    define(ann, field(100)).await;
    ann.post(&format!("{first}/restore"), json!(null))
        .await
        .problem(409, "customers.too_many_fields");
}

// covers: CRM-09
#[tokio::test]
async fn an_external_key_is_unique_among_live_customers() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let acme = create(ann, "Acme", json!({ "externalKey": "A-1" })).await;
    ann.post("/api/customers", json!({ "name": "Beta", "externalKey": "A-1" }))
        .await
        .problem(409, "customers.external_key_taken");
    let path = acme.header("location").to_owned();
    let kept = ann
        .change(Method::PUT, &path, "*", Some(json!({ "name": "Acme Two" })))
        .await
        .expect(200);
    assert_eq!(kept.body["externalKey"], "A-1", "left out, so it stays");
    assert_eq!(names(ann, "externalKey:eq:A-1").await, ["Acme Two"]);
    let emptied = ann
        .change(Method::PATCH, &path, "*", Some(json!({ "externalKey": null })))
        .await
        .expect(200);
    assert_eq!(emptied.body["externalKey"], json!(null));
    create(ann, "Beta", json!({ "externalKey": "A-1" })).await;
}
