//! Bulk updates.

use crate::harness::User;
use crate::imports::{ANN, HANOI, house, import, over};
use crate::support::create;
use serde_json::{Value, json};
use stoa_policy::DataScope;
use stoa_types::{BranchId, CustomerId};

async fn bulk(user: User<'_>, body: Value) -> Value {
    let accepted = user.post("/api/customers/bulk", body).await.expect(202);
    over(user, accepted.header("location")).await
}

fn counts(operation: &Value) -> [i64; 3] {
    assert_eq!(operation["status"], "succeeded", "{operation}");
    ["updated", "unchanged", "failed"].map(|what| operation["result"][what].as_i64().unwrap())
}

// covers: CRM-09
#[tokio::test]
async fn named_customers_are_changed_and_the_others_told() {
    let house = house().await;
    let tenant = house.tenant(&[
        ("editor", "customers:read", DataScope::All),
        ("editor", "customers:update", DataScope::Own),
    ]);
    let admin = house.user(tenant, "all", &[BranchId::new()]);
    let lead = create(admin, "Lead", json!({ "tags": ["cold", "eu"] }))
        .await
        .id();
    let active = create(admin, "Active", json!({ "status": "active" })).await.id();
    let change = json!({ "ownerId": ANN, "branchId": HANOI, "status": "active", "addTags": ["VIP"], "removeTags": ["cold"] });
    let nobody = CustomerId::new();
    let body = json!({ "ids": [lead, active, nobody, lead], "change": change });

    let mut dry = body.clone();
    dry["dryRun"] = json!(true);
    assert_eq!(counts(&bulk(admin, dry).await), [2, 0, 1]);
    assert_eq!(
        admin.get(&format!("/api/customers/{lead}")).await.body["version"],
        1
    );

    let done = bulk(admin, body.clone()).await;
    assert_eq!(counts(&done), [2, 0, 1]);
    assert_eq!((&done["done"], &done["total"]), (&json!(3), &json!(3)));
    let changed = admin
        .get(&format!("/api/customers/{lead}"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        (&changed["ownerId"], &changed["branchId"], &changed["status"]),
        (&json!(ANN), &json!(HANOI), &json!("active"))
    );
    assert_eq!(
        (&changed["tags"], &changed["version"]),
        (&json!(["eu", "vip"]), &json!(3))
    );
    let path = format!(
        "/api/customers/operations/{}/errors",
        done["id"].as_str().unwrap()
    );
    let errors = admin.get(&path).await.expect(200);
    assert_eq!(
        (
            &errors.body["items"][0]["customerId"],
            &errors.body["items"][0]["faults"][0]["rule"]
        ),
        (&json!(nobody), &json!("not_found"))
    );
    assert_eq!(
        counts(&bulk(admin, body).await),
        [0, 2, 1],
        "what is so already stays as it is"
    );

    // Rows that the caller sees and may not change, and moves that there are not, are refused one by one.
    let editor = house.user(tenant, "editor", &[]);
    let own = create(admin, "Own", json!({ "ownerId": editor.id })).await.id();
    let done = bulk(
        editor,
        json!({ "ids": [lead, own], "change": { "addTags": ["x"] } }),
    )
    .await;
    assert_eq!(counts(&done), [1, 0, 1]);
    let done = bulk(
        admin,
        json!({ "ids": [lead, own], "change": { "status": "lead" } }),
    )
    .await;
    assert_eq!(counts(&done), [0, 1, 1]);
    let stranger = house.user(house.tenant(&[]), "all", &[]);
    let done = bulk(
        stranger,
        json!({ "ids": [lead, own], "change": { "addTags": ["x"] } }),
    )
    .await;
    assert_eq!(counts(&done), [0, 0, 2]);
}

// covers: CRM-09
#[tokio::test]
async fn a_condition_names_many() {
    let house = house().await;
    let user = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let rows: String = (0..1_300)
        .map(|n| format!("Customer {n},{}\n", if n % 13 == 0 { "retail" } else { "media" }))
        .collect();
    import(user, format!("name,sector\n{rows}"), json!({ "mode": "create" })).await;
    // The change takes the customers out of the condition while it goes on.
    let leads = json!({ "all": [{ "field": "status", "op": "eq", "value": "lead" }, { "field": "sector", "op": "eq", "value": "media" }] });
    let done = bulk(
        user,
        json!({ "where": leads, "change": { "status": "active", "addTags": ["spring"] } }),
    )
    .await;
    assert_eq!(counts(&done), [1_200, 0, 0]);
    assert_eq!((&done["done"], &done["total"]), (&json!(1_200), &json!(1_200)));
    let stats = user.get("/api/customers/stats").await.body;
    assert_eq!((&stats["lead"], &stats["active"]), (&json!(100), &json!(1_200)));
}

// covers: CRM-09
#[tokio::test]
async fn what_a_bulk_update_says_is_checked() {
    let house = house().await;
    let tenant = house.tenant(&[("reader", "customers:read", DataScope::All)]);
    let user = house.user(tenant, "all", &[BranchId::new()]);
    let tag = json!({ "addTags": ["x"] });
    let id = CustomerId::new();
    for (body, pointer) in [
        (json!({ "change": tag }), "/ids"),
        (json!({ "ids": [], "change": tag }), "/ids"),
        (json!({ "ids": [id], "where": {}, "change": tag }), "/where"),
        (json!({ "ids": [id], "change": {} }), "/change"),
        (
            json!({ "ids": [id], "change": { "addTags": ["a,b"] } }),
            "/change/addTags/0",
        ),
        (
            json!({ "ids": [id], "change": { "custom": { "colour": 1 } } }),
            "/change/custom/colour",
        ),
        (
            json!({ "where": { "field": "colour", "op": "eq", "value": 1 }, "change": tag }),
            "/where",
        ),
    ] {
        let refused = user.post("/api/customers/bulk", body.clone()).await;
        refused.problem(422, "request.invalid");
        let errors = refused.body["errors"].as_array().unwrap();
        assert_eq!(errors[0]["pointer"], pointer, "{body}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(errors.len() > 1 || detail.starts_with(pointer), "{detail}");
    }
    // Each is as large as it may be, or larger: a job's input has at most 256 KiB.
    let ids = |n: usize| (0..n).map(|_| CustomerId::new()).collect::<Vec<_>>();
    let values = |n: usize| (0..n).map(|v| format!("{v:0>500}")).collect::<Vec<_>>();
    let one = |n: usize| json!({ "field": "name", "op": "in", "value": values(n) });
    for (body, pointer) in [
        (json!({ "ids": ids(5_001), "change": tag }), "/ids"),
        (
            json!({ "where": { "any": [one(100), one(100), one(100)] }, "change": tag }),
            "/where",
        ),
        (
            json!({ "ids": [id], "change": { "custom": { "note": "x".repeat(48 << 10) } } }),
            "/change",
        ),
    ] {
        let refused = user.post("/api/customers/bulk", body).await;
        refused.problem(422, "request.invalid");
        let error = &refused.body["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["rule"]),
            (&json!(pointer), &json!("length"))
        );
    }
    let most = json!({ "ids": ids(5_000), "change": tag });
    user.post("/api/customers/bulk", most).await.expect(202);
    let reader = house.user(tenant, "reader", &[]);
    reader
        .post("/api/customers/bulk", json!({ "ids": [id], "change": tag }))
        .await
        .problem(403, "auth.forbidden");
}

// covers: CRM-09
#[tokio::test]
async fn customers_that_nobody_named_are_not_locked() {
    let house = house().await;
    let mut ids = [CustomerId::new(), CustomerId::new()];
    ids.sort_unstable();
    let [nobody, neighbour] = ids;
    let tenant = house.tenant(&[]);
    let insert = "insert into customer.customer (tenant_id, id, name, name_key, status, revenue_minor, branch_id, owner_id,
          version, created_at, created_by, updated_at, updated_by)
        values ($1, $2, 'Neighbour', 'neighbour', 'lead', 0, $3, $3, 1, now(), 'x', now(), 'x')";
    let nil = uuid::Uuid::nil();
    house
        .admin
        .execute(insert, &[&tenant.uuid(), &neighbour.uuid(), &nil])
        .await
        .unwrap();
    // Somebody else holds the customer that comes next after the one that is not there.
    house.admin.batch_execute("begin").await.unwrap();
    let lock = "select 1 from customer.customer where id = $1 for update";
    house.admin.query_one(lock, &[&neighbour.uuid()]).await.unwrap();
    let user = house.user(tenant, "all", &[BranchId::new()]);
    let done = bulk(user, json!({ "ids": [nobody], "change": { "addTags": ["x"] } })).await;
    assert_eq!(counts(&done), [0, 0, 1]);
    house.admin.batch_execute("rollback").await.unwrap();
}
