//! What contacts and interactions do when customers are merged.

use crate::support::{contact, house, id_of, note};
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

/// Tells that `from` was merged into `into`, and returns the merge.
async fn merge(house: &House, tenant: TenantId, from: CustomerId, into: CustomerId) -> MergeId {
    let merge_id = MergeId::new();
    let event = CustomerMerged {
        customer_id: into,
        from,
        merge_id,
        changed: Vec::new(),
        version: 2,
    };
    tell(house, tenant, event).await;
    merge_id
}

/// Tells that this merge was undone.
async fn undo(house: &House, tenant: TenantId, merge_id: MergeId, from: CustomerId, into: CustomerId) {
    let event = CustomerUnmerged {
        customer_id: into,
        from,
        merge_id,
        version: 3,
    };
    tell(house, tenant, event).await;
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

    let merge_id = merge(&house, tenant, from, into).await;
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

    undo(&house, tenant, merge_id, from, into).await;
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

// covers: CRM-05, CRM-10
#[tokio::test]
async fn what_two_merges_have_brought_stays_until_both_are_undone() {
    let (house, others) = house().await;
    let tenant = house.tenant(&[]);
    let ann = house.user(tenant, "own", &[BranchId::new()]);
    let [into, first, second] = [(); 3].map(|()| others.customer(&[ann]));
    let kim = contact(ann, "Kim").await;
    let kim_id = id_of(&kim);
    link(ann, &kim, first, json!({})).await;
    link(ann, &kim, second, json!({})).await;
    // Without a named customer it is on the timelines of both.
    note(ann, json!({ "contactIds": [kim_id] })).await.expect(201);

    let m1 = merge(&house, tenant, first, into).await;
    let m2 = merge(&house, tenant, second, into).await;
    let brought = "select count(*) from contact.party where cardinality(merge_ids) = 2";
    until("both merges have arrived", async || {
        count(&house, brought).await == 1
    })
    .await;
    undo(&house, tenant, m1, first, into).await;
    let left = "select count(*) from contact.party where cardinality(merge_ids) = 1";
    until("one has been undone", async || count(&house, left).await == 1).await;
    assert_eq!(contacts(ann, into).await, ["Kim"]);
    assert_eq!(interactions(ann, into).await, 1);
    undo(&house, tenant, m2, second, into).await;
    until("both have been undone", async || {
        contacts(ann, into).await.is_empty() && interactions(ann, into).await == 0
    })
    .await;
    assert_eq!(
        (interactions(ann, first).await, interactions(ann, second).await),
        (1, 1)
    );
}

// covers: CRM-05, CRM-10
#[tokio::test]
async fn an_interaction_stays_with_the_survivor_that_it_names_itself_meanwhile() {
    let (house, others) = house().await;
    let tenant = house.tenant(&[]);
    let ann = house.user(tenant, "own", &[BranchId::new()]);
    let [into, from] = [(); 2].map(|()| others.customer(&[ann]));
    let logged = note(ann, json!({ "customerId": from })).await.expect(201);
    let other = note(ann, json!({ "customerId": from })).await.expect(201);
    let merge_id = merge(&house, tenant, from, into).await;
    until("the survivor has both", async || {
        interactions(ann, into).await == 2
    })
    .await;
    let fields = json!({ "kind": "note", "subject": "Note", "customerId": into });
    let path = logged.header("location");
    ann.change(PUT, path, "*", Some(fields)).await.expect(200);
    undo(&house, tenant, merge_id, from, into).await;
    until("the other is the merged customer's alone", async || {
        ann.get(other.header("location")).await.body["customerIds"] == json!([from])
    })
    .await;
    assert_eq!(ann.get(path).await.body["customerIds"], json!([into]));
}

/// Lets the test stop who has read an interaction and is about to write it.
const PAUSED_UPDATES: &str = "
    create function contact.pause() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock_shared(7); return new; end $$;
    create trigger pause before update on contact.interaction for each row execute function contact.pause()";

// covers: CRM-05, CRM-10
#[tokio::test]
async fn a_change_of_an_interaction_undoes_no_undoing() {
    let (house, others) = house().await;
    let tenant = house.tenant(&[]);
    let ann = house.user(tenant, "own", &[BranchId::new()]);
    let [into, from] = [(); 2].map(|()| others.customer(&[ann]));
    let brought = "select count(*) from contact.party where merge_ids is not null";
    let waiting = "select count(*) from pg_locks where not granted and pid in (select pid from pg_locks
        where database = (select oid from pg_database where datname = current_database()))";
    house.admin.batch_execute(PAUSED_UPDATES).await.unwrap();
    for change_is_first in [true, false] {
        let logged = note(ann, json!({ "customerId": from })).await.expect(201);
        let path = logged.header("location");
        let merge_id = merge(&house, tenant, from, into).await;
        until("the survivor has it", async || count(&house, brought).await > 0).await;
        let id = id_of(path);
        // The change has read, or it waits to read behind the undoing.
        let lock = match change_is_first {
            true => "begin; select pg_advisory_xact_lock(7)".to_owned(),
            false => format!("begin; select from contact.interaction where id = '{id}' for update"),
        };
        house.admin.batch_execute(&lock).await.unwrap();
        let subject = format!("First: {change_is_first}");
        let fields = json!({ "kind": "note", "subject": subject, "customerId": from });
        let changing = async {
            if !change_is_first {
                until("the undoing waits", async || {
                    count(&house, waiting).await == 1 || count(&house, brought).await == 0
                })
                .await;
            }
            ann.change(PUT, path, "*", Some(fields)).await.expect(200)
        };
        let undoing = async {
            if change_is_first {
                until("the change waits", async || count(&house, waiting).await == 1).await;
            }
            undo(&house, tenant, merge_id, from, into).await;
            until("both wait", async || {
                let gone = count(&house, brought).await == 0;
                count(&house, waiting).await == if gone { 1 } else { 2 }
            })
            .await;
            house.admin.batch_execute("commit").await.unwrap();
        };
        let (changed, ()) = tokio::join!(changing, undoing);
        assert_eq!(changed.body["subject"], json!(subject));
        until("the undoing is done", async || count(&house, brought).await == 0).await;
        assert_eq!(ann.get(path).await.body["customerIds"], json!([from]));
        assert_eq!(interactions(ann, into).await, 0);
    }
}

async fn count(house: &House, sql: &str) -> i64 {
    house.admin.query_one(sql, &[]).await.unwrap().get(0)
}
