//! What contacts and interactions do when customers are merged.

use crate::support::{contact, house, note};
use serde_json::{Value, json};
use std::time::Duration;
use stoa_contracts::customer::{CustomerMerged, CustomerUnmerged};
use stoa_kernel::{Event, SystemScope};
use stoa_testkit::service::{House, User, until};
use stoa_types::{BranchId, CustomerId, MergeId, TenantId};

const PUT: http::Method = http::Method::PUT;

async fn tell<E: Event>(house: &House, tenant: TenantId, event: E) {
    let mut scope = SystemScope::named("test.customer").scope(tenant, Duration::from_secs(5));
    let mut tx = house.pools.app.begin(&mut scope);
    stoa_eventlog::append(&mut tx, &house.clock, &event).unwrap();
    tx.commit().await.unwrap();
}

async fn link(user: User<'_>, contact: &str, customer: CustomerId, body: Value) {
    let path = format!("{contact}/customers/{customer}");
    user.send(PUT, &path, &[], Some(body)).await.expect(200);
}

/// The names of a customer's contacts, with a star behind the primary one's.
async fn contacts(user: User<'_>, customer: CustomerId) -> Vec<String> {
    let page = user
        .get(&format!("/api/contacts?customerId={customer}"))
        .await
        .expect(200);
    let name = |item: &Value| {
        let star = if item["link"]["primary"] == true { "*" } else { "" };
        format!("{}{star}", item["name"].as_str().unwrap())
    };
    page.body["items"].as_array().unwrap().iter().map(name).collect()
}

async fn interactions(user: User<'_>, customer: CustomerId) -> usize {
    let page = user
        .get(&format!("/api/interactions?customerId={customer}"))
        .await;
    page.expect(200).body["items"].as_array().unwrap().len()
}

// covers: CRM-05, CRM-10
#[tokio::test]
async fn the_survivor_gets_contacts_and_interactions_until_the_merge_is_undone() {
    let (house, others) = house().await;
    let tenant = house.tenant(&[]);
    let ann = house.user(tenant, "own", &[BranchId::new()]);
    let [into, from] = [(); 2].map(|()| others.customer(&[ann]));
    let [jane, john, both] = [
        contact(ann, "Jane").await,
        contact(ann, "John").await,
        contact(ann, "Kim").await,
    ];
    link(ann, &jane, from, json!({ "primary": true })).await;
    link(ann, &john, from, json!({})).await;
    link(ann, &both, from, json!({})).await;
    link(ann, &both, into, json!({ "role": "own" })).await;
    let logged = note(ann, json!({ "customerId": from })).await.expect(201);
    let path = logged.header("location");

    let merge_id = MergeId::new();
    let merged = CustomerMerged {
        customer_id: into,
        from,
        merge_id,
        changed: Vec::new(),
        version: 2,
    };
    tell(&house, tenant, merged).await;
    until("the survivor has them", async || {
        contacts(ann, into).await == ["Jane*", "John", "Kim"]
    })
    .await;
    assert_eq!(
        (interactions(ann, into).await, interactions(ann, from).await),
        (1, 1)
    );
    let mut ids = [json!(into), json!(from)];
    ids.sort_by_key(ToString::to_string);
    assert_eq!(ann.get(path).await.body["customerIds"], json!(ids));

    // A change of the interaction keeps both; a link that somebody changes is the survivor's own from now on.
    let fields = json!({ "kind": "note", "subject": "Renamed", "customerId": from });
    let changed = ann.change(PUT, path, "*", Some(fields)).await.expect(200);
    assert_eq!(changed.body["customerIds"], json!(ids));
    link(ann, &john, into, json!({ "role": "kept" })).await;

    let undone = CustomerUnmerged {
        customer_id: into,
        from,
        merge_id,
        version: 3,
    };
    tell(&house, tenant, undone).await;
    until("the survivor has its own again", async || {
        contacts(ann, into).await == ["John", "Kim"]
    })
    .await;
    assert_eq!(
        (interactions(ann, into).await, interactions(ann, from).await),
        (0, 1)
    );
    assert_eq!(contacts(ann, from).await, ["Jane*", "John", "Kim"]);
    assert_eq!(ann.get(path).await.body["customerIds"], json!([from]));
    let primary = house
        .admin
        .query("select from contact.primary_contact", &[])
        .await
        .unwrap();
    assert_eq!(primary.len(), 1, "the merged customer's own");
}
