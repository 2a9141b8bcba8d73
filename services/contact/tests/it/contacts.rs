//! Contacts and their links.

use crate::support::{ARCHIVED_BRANCH, NO_BRANCH, NO_USER, contact, house, id_of};
use futures::future::join_all;
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;
use stoa_contracts::organization::{Branch, BranchArchived};
use stoa_kernel::SystemScope;
use stoa_policy::DataScope;
use stoa_testkit::service::until;
use stoa_types::{BranchId, CustomerId, OrganizationId, UserId};

const PUT: http::Method = http::Method::PUT;

// covers: CRM-05
#[tokio::test]
async fn a_branch_is_asked_for_once_and_must_be_live() {
    let (house, others) = house().await;
    let tenant = house.tenant(&[]);
    let branch = BranchId::new();
    let ann = house.user(tenant, "all", &[branch]);
    let path = contact(ann, "Jane").await;
    contact(ann, "John").await;
    assert_eq!(
        others.asked_for_branches.load(Ordering::SeqCst),
        1,
        "then it is known"
    );
    for (bad, rule) in [(NO_BRANCH, "unknown"), (ARCHIVED_BRANCH, "archived")] {
        let fields = json!({ "name": "Jane", "branchId": bad });
        let created = ann.post("/api/contacts", fields.clone()).await.expect(422);
        let changed = ann.change(PUT, &path, "*", Some(fields)).await.expect(422);
        for answer in [created, changed] {
            assert_eq!(answer.body["errors"][0]["pointer"], "/branchId");
            assert_eq!(answer.body["errors"][0]["rule"], rule);
        }
    }
    let homeless = house.user(tenant, "all", &[]);
    let refused = homeless
        .post("/api/contacts", json!({ "name": "Jane" }))
        .await
        .expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/branchId");

    let event = BranchArchived::from(Branch {
        id: branch,
        organization: OrganizationId::new(),
        parent: None,
        name: "Branch".to_owned(),
        path: vec![branch],
        archived: true,
        version: 2,
    });
    let mut scope = SystemScope::named("test.organization").scope(tenant, Duration::from_secs(5));
    let mut tx = house.pools.app.begin(&mut scope);
    stoa_eventlog::append(&mut tx, &house.clock, &event).unwrap();
    tx.commit().await.unwrap();
    until("the branch is known as archived", async || {
        ann.post("/api/contacts", json!({ "name": "Late" })).await.status == 422
    })
    .await;
}

// covers: CRM-05
#[tokio::test]
async fn an_owner_that_is_named_must_be_a_live_user() {
    let (house, others) = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let path = contact(ann, "Jane").await;
    let of = |owner: UserId| json!({ "name": "Jane", "ownerId": owner });
    let create = async |owner: UserId| {
        let headers = [("idempotency-key", "once")];
        ann.send(http::Method::POST, "/api/contacts", &headers, Some(of(owner)))
            .await
    };
    for refused in [
        create(NO_USER).await,
        ann.change(PUT, &path, "*", Some(of(NO_USER))).await,
    ] {
        refused.problem(422, "request.invalid");
        assert_eq!(refused.body["errors"][0]["pointer"], "/ownerId");
        assert_eq!(refused.body["errors"][0]["rule"], "unknown");
    }
    others.asked_for_users.store(0, Ordering::SeqCst);
    let colleague = UserId::new();
    let first = create(colleague).await.expect(201);
    assert_eq!(create(colleague).await.expect(201).body, first.body);
    for owner in [ann.id, colleague, colleague] {
        ann.change(PUT, &path, "*", Some(of(owner))).await.expect(200);
    }
    ann.post("/api/contacts", of(ann.id)).await.expect(201);
    assert_eq!(
        others.asked_for_users.load(Ordering::SeqCst),
        2,
        "once for each request that names somebody new"
    );
}

// covers: CRM-05
#[tokio::test]
async fn a_customer_has_one_primary_contact_however_many_are_made_it_at_once() {
    let (house, others) = house().await;
    let tenant = house.tenant(&[]);
    let ann = house.user(tenant, "all", &[BranchId::new()]);
    let customer = others.customer(&[ann]);
    let mut contacts = Vec::new();
    for n in 0..8 {
        contacts.push(contact(ann, &format!("Contact {n}")).await);
    }
    for _ in 0..5 {
        let all = contacts.iter().map(|path| {
            let path = format!("{path}/customers/{customer}");
            async move { ann.send(PUT, &path, &[], Some(json!({ "primary": true }))).await }
        });
        for answer in join_all(all).await {
            answer.expect(200);
        }
        let page = ann
            .get(&format!("/api/contacts?customerId={customer}"))
            .await
            .expect(200);
        let items = page.body["items"].as_array().unwrap();
        let primary = items
            .iter()
            .filter(|item| item["link"]["primary"] == true)
            .count();
        assert_eq!((items.len(), primary), (8, 1));
    }
    let rows = house.admin.query("select from contact.link", &[]).await.unwrap();
    assert_eq!(rows.len(), 8);
    let sql = "select from log.event where type like '%contact.linked.v1'";
    assert_eq!(
        house.admin.query(sql, &[]).await.unwrap().len(),
        8,
        "told once each"
    );
}

// covers: CRM-05
#[tokio::test]
async fn a_contact_has_at_most_fifty_customers() {
    let (house, others) = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let links = format!("{}/customers", contact(ann, "Jane").await);
    let link = async |customer: CustomerId| {
        ann.send(PUT, &format!("{links}/{customer}"), &[], Some(json!({})))
            .await
    };
    let first = others.customer(&[ann]);
    link(first).await.expect(200);
    for _ in 1..50 {
        link(others.customer(&[ann])).await.expect(200);
    }
    link(others.customer(&[ann]))
        .await
        .problem(409, "contacts.too_many_customers");
    link(first).await.expect(200);
    assert_eq!(ann.get(&links).await.body["items"].as_array().unwrap().len(), 50);
    let refused = ann.get(&format!("{links}?role=x")).await;
    refused.problem(422, "request.invalid");
    assert_eq!(refused.body["errors"][0]["rule"], "unknown");
}

// covers: CRM-05, AZ-04
#[tokio::test]
async fn seeing_a_customer_and_changing_a_contact_are_both_needed_for_a_link() {
    let (house, others) = house().await;
    let tenant = house.tenant(&[("reader", "contacts:read", DataScope::All)]);
    let branch = BranchId::new();
    let [ann, bob] = [(); 2].map(|()| house.user(tenant, "own", &[branch]));
    let reader = house.user(tenant, "reader", &[branch]);
    let customer = others.customer(&[bob, reader]);
    let path = format!("{}/customers/{customer}", contact(ann, "Jane").await);
    let put = Some(json!({}));
    ann.send(PUT, &path, &[], put.clone())
        .await
        .problem(404, "request.not_found");
    bob.send(PUT, &path, &[], put.clone())
        .await
        .problem(404, "request.not_found");
    reader
        .send(PUT, &path, &[], put.clone())
        .await
        .problem(403, "auth.forbidden");
    others.no_customers.store(true, Ordering::SeqCst);
    ann.send(PUT, &path, &[], put)
        .await
        .problem(404, "request.not_found");
    let list = format!("/api/contacts?customerId={customer}");
    bob.get(&list).await.problem(404, "request.not_found");
    assert!(
        house
            .admin
            .query("select from contact.link", &[])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(id_of(&path), customer.to_string());
}
