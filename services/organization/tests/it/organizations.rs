//! Organisations.

use crate::harness::House;
use http::Method;
use serde_json::json;
use std::time::Duration;
use stoa_contracts::organization::{CreateBranch, CreateOrganization, GetBranch};
use stoa_kernel::mesh::Calls;
use stoa_kernel::{CallError, SystemScope};
use stoa_policy::DataScope;
use stoa_types::{BranchId, OrganizationId};

// covers: CRM-01, DB-07, AP-02, AP-03
#[tokio::test]
async fn an_organisation_from_creation_to_restoration() {
    let house = House::start(stoa_organization::service, Calls::new()).await;
    let tenant = house.tenant(&[("reader", "organizations:read", DataScope::All)]);
    let ada = house.user(tenant, "all", &[]);
    let key = [("idempotency-key", "one")];
    let body = json!({ "name": " Acme " });
    let created = ada
        .send(Method::POST, "/api/organizations", &key, Some(body.clone()))
        .await
        .expect(201);
    let replay = ada
        .send(Method::POST, "/api/organizations", &key, Some(body))
        .await
        .expect(201);
    assert_eq!(
        (created.body["name"].as_str(), &created.body),
        (Some("Acme"), &replay.body)
    );
    assert_eq!(created.body["createdBy"], json!(ada.id.to_string()));
    ada.post("/api/organizations", json!({ "name": "ÁCME" }))
        .await
        .problem(409, "organizations.name_taken");
    ada.post("/api/organizations", json!({ "name": "A" }))
        .await
        .problem(422, "request.invalid");

    let path = created.header("location").to_owned();
    ada.send(Method::GET, &path, &[("if-none-match", "\"1\"")], None)
        .await
        .expect(304);
    let input = Some(json!({ "name": "Acme", "status": "suspended" }));
    ada.send(Method::PUT, &path, &[], input.clone())
        .await
        .problem(428, "request.version_required");
    let updated = ada
        .change(Method::PUT, &path, "\"1\"", input.clone())
        .await
        .expect(200);
    assert_eq!(
        (updated.header("etag"), &updated.body["status"]),
        ("\"2\"", &json!("suspended"))
    );
    ada.change(Method::PUT, &path, "\"1\"", input)
        .await
        .problem(412, "request.stale");

    let branches = format!("{path}/branches");
    let branch = ada.post(&branches, json!({ "name": "Berlin" })).await.expect(201);
    ada.change(Method::DELETE, &path, "*", None)
        .await
        .problem(409, "organizations.has_branches");
    ada.change(Method::DELETE, branch.header("location"), "*", None)
        .await
        .expect(204);
    ada.change(Method::DELETE, &path, "\"2\"", None).await.expect(204);
    ada.get(&path).await.problem(404, "request.not_found");
    ada.post(&branches, json!({ "name": "Berlin" }))
        .await
        .problem(409, "organizations.archived");
    assert_eq!(
        ada.get("/api/organizations?archived=true").await.each("name"),
        ["Acme"]
    );
    ada.post("/api/organizations", json!({ "name": "acme" }))
        .await
        .expect(201);
    let restore = format!("{path}/restore");
    ada.post(&restore, json!(null))
        .await
        .problem(409, "organizations.name_taken");

    let reader = house.user(tenant, "reader", &[]);
    assert_eq!(reader.get("/api/organizations").await.each("name"), ["acme"]);
    reader
        .post("/api/organizations", json!({ "name": "Beta" }))
        .await
        .problem(403, "auth.forbidden");
    let scoped = house.user(tenant, "branch", &[BranchId::new()]);
    assert!(
        scoped.get("/api/organizations").await.each("name").is_empty(),
        "no row is in a branch"
    );
    scoped
        .post("/api/organizations", json!({ "name": "Beta" }))
        .await
        .problem(403, "auth.forbidden");
    let stranger = house.user(house.tenant(&[]), "all", &[]);
    stranger
        .post(&restore, json!(null))
        .await
        .problem(404, "request.not_found");
    assert!(stranger.get("/api/organizations").await.each("name").is_empty());
}

// covers: AP-03
#[tokio::test]
async fn organisations_come_in_pages_of_every_order() {
    let house = House::start(stoa_organization::service, Calls::new()).await;
    let ada = house.user(house.tenant(&[]), "all", &[]);
    for name in ["Écho", "delta", "Alpha", "Charlie", "bravo"] {
        ada.post("/api/organizations", json!({ "name": name }))
            .await
            .expect(201);
    }
    let all = ada.get("/api/organizations").await;
    assert_eq!(all.each("name"), ["Alpha", "bravo", "Charlie", "delta", "Écho"]);
    for sort in [
        "name",
        "-name",
        "createdAt",
        "-createdAt",
        "updatedAt",
        "-updatedAt",
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = ada
                .get(&format!("/api/organizations?limit=2&sort={sort}{cursor}"))
                .await
                .expect(200);
            seen.extend(page.each("id").into_iter().map(str::to_owned));
            let Some(next) = page.body["nextCursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(
            seen,
            ada.get(&format!("/api/organizations?sort={sort}"))
                .await
                .each("id"),
            "{sort}"
        );
    }
}

// covers: CRM-01, CRM-02
#[tokio::test]
async fn calls_create_once() {
    let house = House::start(stoa_organization::service, Calls::new()).await;
    let tenant = house.tenant(&[]);
    let mut scope = SystemScope::named("platform.test").scope(tenant, Duration::from_secs(10));
    let (organization, root, child) = (OrganizationId::new(), BranchId::new(), BranchId::new());
    for _ in 0..2 {
        let create = CreateOrganization {
            id: organization,
            name: "Acme".to_owned(),
        };
        house.mesh.call(&mut scope, create).await.unwrap();
        for (id, parent, name) in [(root, None, "Root"), (child, Some(root), "Child")] {
            let create = CreateBranch {
                id,
                organization,
                parent,
                name: name.to_owned(),
            };
            house.mesh.call(&mut scope, create).await.unwrap();
        }
    }
    let branch = house
        .mesh
        .call(&mut scope, GetBranch { id: child })
        .await
        .unwrap();
    assert_eq!(
        (branch.parent, branch.path, branch.version),
        (Some(root), vec![root, child], 1)
    );
    let missing = house
        .mesh
        .call(&mut scope, GetBranch { id: BranchId::new() })
        .await;
    assert!(matches!(missing, Err(CallError::Refused(p)) if p.status == 404));
    let mut other = SystemScope::named("platform.test").scope(house.tenant(&[]), Duration::from_secs(10));
    let foreign = house.mesh.call(&mut other, GetBranch { id: child }).await;
    assert!(
        matches!(foreign, Err(CallError::Refused(p)) if p.status == 404),
        "another tenant's"
    );
    let events: i64 = house
        .admin
        .query_one("select count(*) from log.event", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(events, 3);
}
