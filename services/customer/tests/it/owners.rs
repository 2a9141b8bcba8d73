//! Who may own a customer.

use crate::harness::House;
use crate::support::{NO_USER, branches, create, house};
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use stoa_contracts::user::{FindUsers, FoundUsers};
use stoa_types::{BranchId, UserId};

// covers: CRM-04
#[tokio::test]
async fn an_owner_that_is_named_must_be_a_live_user() {
    let house = house().await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let acme = create(ann, "Acme", json!({})).await;
    let path = acme.header("location");
    let to = |owner: UserId| json!({ "name": "Acme", "ownerId": owner });
    let nobody = || to(NO_USER);
    for refused in [
        ann.post("/api/customers", nobody()).await,
        ann.change(Method::PUT, path, "*", Some(nobody())).await,
        ann.change(Method::PATCH, path, "*", Some(nobody())).await,
    ] {
        refused.problem(422, "request.invalid");
        let error = &refused.body["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["rule"]),
            (&json!("/ownerId"), &json!("unknown"))
        );
    }
    assert_eq!(ann.get("/api/customers").await.each("name"), ["Acme"]);
    assert_eq!(ann.get(path).await.body["version"], 1);
    let colleague = UserId::new();
    for method in [Method::PUT, Method::PATCH] {
        let changed = ann
            .change(method, path, "*", Some(to(colleague)))
            .await
            .expect(200);
        assert_eq!(changed.body["ownerId"], json!(colleague));
    }
}

// covers: CRM-04
#[tokio::test]
async fn the_user_service_is_asked_for_new_owners_only_and_not_for_replays() {
    let (asked, gone) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, left) = (asked.clone(), gone.clone());
    let calls = branches(Arc::default()).on(move |_, call: FindUsers| {
        count.fetch_add(1, Ordering::SeqCst);
        let there = !left.load(Ordering::SeqCst);
        let find = |key: String| key.parse().ok().filter(|_| there);
        let users = call.keys.into_iter().map(find).collect();
        async move { Ok(FoundUsers { users }) }
    });
    let house = House::start(stoa_customer::service, calls).await;
    let ann = house.user(house.tenant(&[]), "all", &[BranchId::new()]);
    let colleague = UserId::new();
    let once = async |key: &str, method: Method, path: &str, body: Value| {
        let headers = [("idempotency-key", key), ("if-match", "*")];
        ann.send(method, path, &headers, Some(body)).await
    };
    let named = || json!({ "name": "Acme", "ownerId": colleague });
    let first = once("a", Method::POST, "/api/customers", named())
        .await
        .expect(201);
    let path = first.header("location");
    let away = || json!({ "ownerId": UserId(uuid::Uuid::from_u128(7)) });
    let moved = once("b", Method::PATCH, path, away()).await.expect(200);
    assert_eq!(asked.load(Ordering::SeqCst), 2);

    // Whom a first answer named may have left since.
    gone.store(true, Ordering::SeqCst);
    let again = once("a", Method::POST, "/api/customers", named())
        .await
        .expect(201);
    assert_eq!(again.body, first.body);
    let again = once("b", Method::PATCH, path, away()).await.expect(200);
    assert_eq!(again.body, moved.body);
    // Neither the owner that it has nor the caller is new.
    let mut same = away();
    same["phone"] = json!("+12");
    once("c", Method::PATCH, path, same).await.expect(200);
    let mine = json!({ "name": "Beta", "ownerId": ann.id });
    once("d", Method::PATCH, path, mine.clone()).await.expect(200);
    once("e", Method::POST, "/api/customers", mine).await.expect(201);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    once("f", Method::PATCH, path, named()).await.expect(422);
}
