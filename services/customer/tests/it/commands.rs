//! Create, update, archive, restore, and the lifecycle.

use crate::harness::House;
use crate::support::{ARCHIVED_BRANCH, NO_BRANCH, branches, create, house};
use http::Method;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use stoa_contracts::customer::{CustomerStatus, ImportCustomers, NewCustomer};
use stoa_kernel::SystemScope;
use stoa_policy::DataScope;
use stoa_types::{BranchId, CustomerId, UserId};

// covers: CRM-04, DB-07, AP-03
#[tokio::test]
async fn a_customer_from_creation_to_restoration() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let branch = BranchId::new();
    let ann = house.user(tenant, "own", &[branch]);

    let body = json!({ "name": " Acme ", "email": "Office@Acme.example", "revenueMinor": 7 });
    let created = ann.post("/api/customers", body).await.expect(201);
    assert_eq!(created.body["email"], "office@acme.example");
    assert_eq!(created.body["ownerId"], json!(ann.id), "the caller, unless given");
    assert_eq!(
        created.body["branchId"],
        json!(branch),
        "the caller's, unless given"
    );
    assert_eq!(
        (created.body["status"].as_str(), created.body["version"].as_i64()),
        (Some("lead"), Some(1))
    );
    assert_eq!(created.body["createdBy"], json!(ann.id.to_string()));
    let path = created.header("location").to_owned();
    assert_eq!(path, format!("/api/customers/{}", created.id()));
    assert_eq!(created.header("etag"), "\"1\"");

    let read = ann.get(&path).await.expect(200);
    assert_eq!(read.body, created.body);
    let same = ann
        .send(Method::GET, &path, &[("if-none-match", "\"1\"")], None)
        .await
        .expect(304);
    assert_eq!((same.header("etag"), same.body.is_null()), ("\"1\"", true));

    let input = json!({ "name": "Acme Holding", "phone": "+4930" });
    ann.send(Method::PUT, &path, &[], Some(input.clone()))
        .await
        .problem(428, "request.version_required");
    let updated = ann
        .change(Method::PUT, &path, "\"1\"", Some(input.clone()))
        .await
        .expect(200);
    assert_eq!(
        (updated.header("etag"), &updated.body["email"]),
        ("\"2\"", &json!(null)),
        "PUT replaces"
    );
    assert_eq!(updated.body["createdAt"], created.body["createdAt"]);
    ann.change(Method::PUT, &path, "\"1\"", Some(input.clone()))
        .await
        .problem(412, "request.stale");
    let again = ann
        .change(Method::PUT, &path, "\"2\"", Some(input))
        .await
        .expect(200);
    assert_eq!(again.header("etag"), "\"2\"", "nothing changed");

    let patch = json!({ "sector": "retail", "phone": null });
    let patched = ann
        .change(Method::PATCH, &path, "\"2\"", Some(patch))
        .await
        .expect(200);
    assert_eq!(
        (&patched.body["sector"], &patched.body["phone"]),
        (&json!("retail"), &json!(null))
    );
    assert_eq!(patched.body["name"], "Acme Holding");
    let unknown = ann
        .change(Method::PATCH, &path, "\"3\"", Some(json!({ "colour": "red" })))
        .await
        .expect(422);
    assert_eq!(
        (
            &unknown.body["errors"][0]["pointer"],
            &unknown.body["errors"][0]["rule"]
        ),
        (&json!("/colour"), &json!("unknown"))
    );

    ann.change(Method::DELETE, &path, "\"2\"", None)
        .await
        .problem(412, "request.stale");
    ann.change(Method::DELETE, &path, "\"3\"", None).await.expect(204);
    ann.get(&path).await.problem(404, "request.not_found");
    ann.change(Method::DELETE, &path, "*", None)
        .await
        .problem(404, "request.not_found");
    ann.change(Method::PUT, &path, "*", Some(json!({ "name": "Acme" })))
        .await
        .problem(409, "customers.archived");
    assert_eq!(
        ann.get("/api/customers?archived=true").await.each("name"),
        ["Acme Holding"]
    );
    let restored = ann
        .post(&format!("{path}/restore"), json!(null))
        .await
        .expect(200);
    assert_eq!(
        (restored.header("etag"), restored.body.get("archivedAt")),
        ("\"5\"", None)
    );
    ann.post(&format!("{path}/restore"), json!(null))
        .await
        .problem(409, "customers.not_archived");
    ann.get(&path).await.expect(200);
}

// covers: CRM-04
#[tokio::test]
async fn the_status_moves_along_the_lifecycle() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let path = create(ann, "Acme", json!({})).await.header("location").to_owned();
    let status = format!("{path}/status");
    let change = |to: &'static str, etag: &'static str| {
        let status = status.clone();
        async move {
            ann.change(Method::POST, &status, etag, Some(json!({ "status": to })))
                .await
        }
    };
    ann.post(&status, json!({ "status": "active" }))
        .await
        .problem(428, "request.version_required");
    let refused = change("inactive", "\"1\"").await;
    refused.problem(409, "customers.status_move");
    assert!(
        refused.body["detail"]
            .as_str()
            .unwrap()
            .contains("active or lost"),
        "{refused:?}"
    );
    change("gone", "\"1\"").await.expect(422);
    change("active", "\"1\"").await.expect(200);
    change("inactive", "\"1\"").await.problem(412, "request.stale");
    change("inactive", "\"2\"").await.expect(200);
    change("lost", "\"3\"").await.expect(200);
    assert_eq!(change("lead", "\"4\"").await.expect(200).body["status"], "lead");
    let sneaked = json!({ "name": "Acme", "status": "active" });
    let refused = ann
        .change(Method::PUT, &path, "*", Some(sneaked))
        .await
        .expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/status");
}

// covers: CRM-04, DB-07
#[tokio::test]
async fn an_email_address_is_unique_among_live_customers_of_a_tenant() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let branch = [BranchId::new()];
    let ann = house.user(tenant, "all", &branch);
    let email = json!({ "email": "a@b.example" });
    let first = create(ann, "First", email.clone()).await;
    let taken = ann
        .post(
            "/api/customers",
            json!({ "name": "Second", "email": "A@B.example" }),
        )
        .await;
    taken.problem(409, "customers.email_taken");
    let other = house.user(house.tenant(&[]), "all", &branch);
    create(other, "Elsewhere", email.clone()).await;
    create(ann, "No address", json!({})).await;
    create(ann, "No address either", json!({})).await;

    let path = first.header("location").to_owned();
    ann.change(Method::DELETE, &path, "*", None).await.expect(204);
    create(ann, "Second", email).await;
    ann.post(&format!("{path}/restore"), json!(null))
        .await
        .problem(409, "customers.email_taken");
}

// covers: AP-02
#[tokio::test]
async fn a_repeated_command_happens_once() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let branch = [BranchId::new()];
    let ann = house.user(tenant, "all", &branch);
    let key = [("idempotency-key", "k-1")];
    let body = json!({ "name": "Acme" });
    let first = ann
        .send(Method::POST, "/api/customers", &key, Some(body.clone()))
        .await
        .expect(201);
    let replay = ann
        .send(Method::POST, "/api/customers", &key, Some(body.clone()))
        .await
        .expect(201);
    assert_eq!(
        (&first.body, first.header("location")),
        (&replay.body, replay.header("location"))
    );
    assert_eq!(replay.header("idempotency-replayed"), "true");
    let other = ann
        .send(
            Method::POST,
            "/api/customers",
            &key,
            Some(json!({ "name": "Other" })),
        )
        .await;
    other.problem(422, "idempotency.other_body");
    let bob = house.user(tenant, "all", &branch);
    let his = bob
        .send(Method::POST, "/api/customers", &key, Some(body))
        .await
        .expect(201);
    assert_ne!(his.id(), first.id(), "a key is its user's own");

    let path = first.header("location").to_owned();
    let headers = [("idempotency-key", "k-2"), ("if-match", "\"1\"")];
    let body = json!({ "name": "Acme Two" });
    let updated = ann
        .send(Method::PUT, &path, &headers, Some(body.clone()))
        .await
        .expect(200);
    let replay = ann
        .send(Method::PUT, &path, &headers, Some(body))
        .await
        .expect(200);
    assert_eq!(
        (&updated.body, updated.header("etag")),
        (&replay.body, "\"2\""),
        "not 412"
    );
    let events: i64 = house
        .admin
        .query_one("select count(*) from log.event", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(events, 3);
}

// covers: AZ-04, CRM-04
#[tokio::test]
async fn outside_the_scope_is_404_and_without_the_permission_403() {
    let house = house().await;
    let tenant = house.tenant(&[
        ("reader", "customers:read", DataScope::All),
        ("reader", "customers:update", DataScope::Own),
        ("reader", "customers:create", DataScope::Own),
    ]);
    let (east, west) = (BranchId::new(), BranchId::new());
    let ann = house.user(tenant, "own", &[east]);
    let path = create(ann, "Acme", json!({})).await.header("location").to_owned();
    let input = || Some(json!({ "name": "Changed" }));

    for stranger in [
        house.user(tenant, "own", &[east]),
        house.user(tenant, "branch", &[west]),
        house.user(house.tenant(&[]), "all", &[east]),
    ] {
        stranger.get(&path).await.problem(404, "request.not_found");
        stranger
            .get(&format!("{path}/activities"))
            .await
            .problem(404, "request.not_found");
        stranger
            .change(Method::PUT, &path, "*", input())
            .await
            .problem(404, "request.not_found");
        stranger
            .change(Method::DELETE, &path, "*", None)
            .await
            .problem(404, "request.not_found");
        assert!(stranger.get("/api/customers").await.each("name").is_empty());
        assert_eq!(stranger.get("/api/customers/stats").await.body["total"], 0);
    }
    house
        .user(tenant, "nothing", &[east])
        .get(&path)
        .await
        .problem(403, "auth.forbidden");
    let reader = house.user(tenant, "reader", &[east]);
    reader.get(&path).await.expect(200);
    reader
        .change(Method::PUT, &path, "*", input())
        .await
        .problem(403, "auth.forbidden");
    reader
        .change(Method::DELETE, &path, "*", None)
        .await
        .problem(403, "auth.forbidden");
    let colleague = house.user(tenant, "branch", &[east, west]);
    colleague
        .change(Method::PUT, &path, "*", input())
        .await
        .expect(200);

    let for_another = json!({ "name": "Gift", "ownerId": colleague.id });
    ann.post("/api/customers", for_another)
        .await
        .problem(403, "auth.forbidden");
    let gift = json!({ "name": "Gift", "ownerId": colleague.id });
    ann.change(Method::PUT, &path, "*", Some(gift))
        .await
        .problem(403, "auth.forbidden");
    let away = json!({ "name": "Away", "branchId": BranchId::new() });
    colleague
        .change(Method::PUT, &path, "*", Some(away))
        .await
        .problem(403, "auth.forbidden");
}

// covers: CRM-04
#[tokio::test]
async fn a_customer_belongs_to_a_live_branch() {
    let asked = Arc::new(AtomicU32::new(0));
    let house = House::start(stoa_customer::service, branches(asked.clone())).await;
    let tenant = house.tenant(&[]);
    let ann = house.user(tenant, "all", &[]);
    let refused = ann
        .post("/api/customers", json!({ "name": "Acme" }))
        .await
        .expect(422);
    assert_eq!(
        (
            &refused.body["errors"][0]["pointer"],
            &refused.body["errors"][0]["rule"]
        ),
        (&json!("/branchId"), &json!("required"))
    );
    for branch in [NO_BRANCH, ARCHIVED_BRANCH] {
        let refused = ann
            .post("/api/customers", json!({ "name": "Acme", "branchId": branch }))
            .await
            .expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], "/branchId");
    }
    asked.store(0, Ordering::SeqCst);
    let branch = BranchId::new();
    let path = create(ann, "Acme", json!({ "branchId": branch }))
        .await
        .header("location")
        .to_owned();
    create(ann, "Beta", json!({ "branchId": branch })).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "known from then on");
    let to = |branch: BranchId| Some(json!({ "branchId": branch }));
    ann.change(Method::PATCH, &path, "*", to(NO_BRANCH))
        .await
        .expect(422);
    ann.change(Method::PATCH, &path, "*", to(BranchId::new()))
        .await
        .expect(200);
}

// covers: CRM-04
#[tokio::test]
async fn an_import_is_idempotent_and_all_or_nothing() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let customer = |name: &str| NewCustomer {
        id: CustomerId::new(),
        name: name.to_owned(),
        email: None,
        phone: None,
        status: CustomerStatus::Active,
        branch_id: BranchId::new(),
        owner_id: UserId::new(),
        sector: None,
        revenue_minor: 0,
        employees: None,
        office_location: None,
    };
    let import = async |customers: Vec<NewCustomer>| {
        let mut scope = SystemScope::named("platform.test").scope(tenant, Duration::from_secs(10));
        house.mesh.call(&mut scope, ImportCustomers { customers }).await
    };
    let mut customers = vec![customer("One"), customer("Two")];
    assert_eq!(import(customers.clone()).await.unwrap().created, 2);
    customers.push(customer("Three"));
    assert_eq!(import(customers.clone()).await.unwrap().created, 1);
    assert!(
        import(vec![customer("Four"), customer("x")])
            .await
            .unwrap_err()
            .to_string()
            .contains("/customers/1/name")
    );
    let ann = house.user(tenant, "all", &[]);
    assert_eq!(
        ann.get("/api/customers").await.each("name"),
        ["One", "Three", "Two"]
    );
    let events: i64 = house
        .admin
        .query_one("select count(*) from log.event", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(events, 3);
}
