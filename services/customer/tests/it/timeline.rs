//! The timeline, built from events.

use crate::harness::{Answer, House, User, until};
use crate::support::{create, house};
use http::Method;
use serde_json::json;
use std::time::Duration;
use stoa_contracts::organization::{Branch, BranchArchived, BranchRenamed};
use stoa_kernel::{Event, SystemScope};
use stoa_types::{BranchId, OrganizationId, TenantId};

async fn timeline(user: User<'_>, path: &str, entries: usize) -> Answer {
    let path = format!("{path}/activities?sort=at");
    until("the timeline follows", async || {
        user.get(&path).await.each("kind").len() >= entries
    })
    .await;
    user.get(&path).await
}

async fn tell<E: Event + From<Branch>>(house: &House, tenant: TenantId, branch: BranchId, version: i64) {
    let event = E::from(Branch {
        id: branch,
        organization: OrganizationId::new(),
        parent: None,
        name: "Renamed".to_owned(),
        path: vec![branch],
        archived: true,
        version,
    });
    let mut scope = SystemScope::named("test.organization").scope(tenant, Duration::from_secs(5));
    let mut tx = house.pools.app.begin(&mut scope);
    stoa_eventlog::append(&mut tx, &house.clock, &event).unwrap();
    tx.commit().await.unwrap();
}

// covers: CRM-04, EV-01, EV-04
#[tokio::test]
async fn what_happens_is_on_the_timeline() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let branch = BranchId::new();
    let ann = house.user(tenant, "all", &[branch]);
    let path = create(ann, "Acme", json!({})).await.header("location").to_owned();
    ann.change(Method::PATCH, &path, "*", Some(json!({ "name": "Acme Two" })))
        .await
        .expect(200);
    let status = format!("{path}/status");
    ann.change(Method::POST, &status, "*", Some(json!({ "status": "active" })))
        .await
        .expect(200);
    let entries = timeline(ann, &path, 3).await;
    assert_eq!(entries.each("kind"), ["created", "updated", "statusChanged"]);
    assert_eq!(
        entries.body["items"][1]["details"],
        json!({ "changed": ["name"] })
    );
    assert_eq!(
        entries.body["items"][2]["details"],
        json!({ "from": "lead", "to": "active" })
    );
    assert_eq!(entries.each("actor"), vec![ann.id.to_string(); 3]);

    tell::<BranchRenamed>(&house, tenant, branch, 2).await;
    tell::<BranchRenamed>(&house, tenant, BranchId::new(), 2).await;
    assert_eq!(timeline(ann, &path, 4).await.each("kind")[3], "branchRenamed");
    let newest = ann.get(&format!("{path}/activities?limit=1")).await;
    assert_eq!(newest.each("kind"), ["branchRenamed"]);
    let cursor = newest.body["nextCursor"].as_str().unwrap();
    let next = ann
        .get(&format!("{path}/activities?limit=1&cursor={cursor}"))
        .await;
    assert_eq!(next.each("kind"), ["statusChanged"]);
}

// covers: EV-01
#[tokio::test]
async fn an_archived_branch_takes_no_customers_once_its_event_is_here() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let branch = BranchId::new();
    let ann = house.user(tenant, "all", &[branch]);
    create(ann, "Acme", json!({})).await;
    tell::<BranchArchived>(&house, tenant, branch, 2).await;
    until("the branch is known as archived", async || {
        ann.post("/api/customers", json!({ "name": "Late" })).await.status == 422
    })
    .await;
}

// covers: EV-16
#[tokio::test]
async fn the_log_holds_no_personal_data() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let secret = json!({ "email": "secret@person.example", "phone": "+4917012345" });
    let path = create(ann, "Secret Person", secret)
        .await
        .header("location")
        .to_owned();
    ann.change(Method::PATCH, &path, "*", Some(json!({ "name": "Secret Name" })))
        .await
        .expect(200);
    let rows = house
        .admin
        .query("select event::text from log.event", &[])
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let text: String = row.get(0);
        assert!(
            !text.contains("Secret") && !text.contains("secret@") && !text.contains("4917"),
            "{text}"
        );
    }
}
