//! Commands on users.

use crate::support::{create, events, house, team, with_profile};
use http::Method;
use serde_json::json;
use stoa_kernel::mesh::Calls;
use stoa_policy::DataScope;
use stoa_testkit::service::House;

// covers: CRM-03
#[tokio::test]
async fn the_life_of_a_user() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let fields =
        json!({ "title": "Agent", "locale": "vi", "timezone": "asia/ho_chi_minh", "phone": "+8424123" });
    let created = create(admin, "Nguyễn Văn Đức", "Duc@Acme.example", fields).await;
    let path = created.header("location").to_owned();
    assert_eq!(path, format!("/api/users/{}", created.id()));
    assert_eq!(created.body["email"], "duc@acme.example");
    assert_eq!(created.body["handle"], "duc", "made of the address");
    assert_eq!(created.body["timezone"], "Asia/Ho_Chi_Minh");

    let input = json!({ "name": "Đức", "email": "duc@acme.example", "handle": "@Duc.N" });
    let updated = admin
        .change(Method::PUT, &path, "\"1\"", Some(input.clone()))
        .await
        .expect(200);
    assert_eq!(updated.body["title"], json!(null), "PUT replaces");
    assert_eq!(
        (&updated.body["handle"], &updated.body["locale"]),
        (&json!("duc.n"), &json!("vi"))
    );
    admin
        .change(Method::PUT, &path, "\"1\"", Some(input.clone()))
        .await
        .problem(412, "request.stale");
    let again = admin
        .change(Method::PUT, &path, "\"2\"", Some(input.clone()))
        .await
        .expect(200);
    assert_eq!(again.header("etag"), "\"2\"", "nothing changed");
    let mut invited = input.clone();
    invited["invite"] = json!(true);
    let refused = admin
        .change(Method::PUT, &path, "\"2\"", Some(invited))
        .await
        .expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/invite");

    admin
        .change(Method::DELETE, &path, "\"2\"", None)
        .await
        .expect(204);
    admin.get(&path).await.problem(404, "request.not_found");
    admin
        .change(Method::DELETE, &path, "*", None)
        .await
        .problem(404, "request.not_found");
    admin
        .change(Method::PUT, &path, "*", Some(input))
        .await
        .problem(409, "users.archived");
    let restore = format!("{path}/restore");
    let restored = admin.post(&restore, json!(null)).await.expect(200);
    assert_eq!(restored.header("etag"), "\"4\"");
    admin
        .post(&restore, json!(null))
        .await
        .problem(409, "users.not_archived");

    let told = events(&house, created.id()).await;
    let types: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        types,
        [
            "user.created.v1",
            "user.updated.v1",
            "user.archived.v1",
            "user.restored.v1"
        ]
    );
    assert_eq!(told[0].1["invite"], true);
    assert_eq!(told[1].1["changed"], json!(["name", "handle", "title", "phone"]));
    let text = format!("{told:?}");
    assert!(
        !text.contains("Đức") && !text.contains("duc"),
        "no personal data: {text}"
    );
}

// covers: CRM-03
#[tokio::test]
async fn addresses_and_handles_are_unique() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let alice = create(admin, "Alice", "alice@acme.example", json!({ "invite": false })).await;
    assert_eq!(events(&house, alice.id()).await[0].1["invite"], false);

    let post = async |body| admin.post("/api/users", body).await;
    post(json!({ "name": "Al", "email": "ALICE@acme.example" }))
        .await
        .problem(409, "users.email_taken");
    post(json!({ "name": "Al", "email": "al@elsewhere.test" }))
        .await
        .problem(409, "users.email_taken");
    post(json!({ "name": "Al", "email": "al@acme.example", "handle": "alice" }))
        .await
        .problem(409, "users.handle_taken");
    let namesake = create(admin, "Alice", "alice@other.example", json!({})).await;
    assert_eq!(namesake.body["handle"], "alice2");

    let path = namesake.header("location").to_owned();
    let put = async |body| admin.change(Method::PUT, &path, "*", Some(body)).await;
    put(json!({ "name": "Alice", "email": "alice@acme.example" }))
        .await
        .problem(409, "users.email_taken");
    put(json!({ "name": "Alice", "email": "alice@elsewhere.test" }))
        .await
        .problem(409, "users.email_taken");
    put(json!({ "name": "Alice", "email": "alice@other.example", "handle": "alice" }))
        .await
        .problem(409, "users.handle_taken");

    // What an archived user had is free, and then keeps them from coming back.
    let path = alice.header("location").to_owned();
    admin.change(Method::DELETE, &path, "*", None).await.expect(204);
    create(admin, "Alice", "alice@acme.example", json!({})).await;
    admin
        .post(&format!("{path}/restore"), json!(null))
        .await
        .problem(409, "users.email_taken");
    // Another tenant has addresses and handles of its own, as far as this service is concerned.
    let other = house.user(house.tenant(&[]), "all", &[]);
    let theirs = create(other, "Alice", "alice@acme.example", json!({})).await;
    assert_eq!(theirs.body["handle"], "alice");
}

// covers: CRM-03
#[tokio::test]
async fn of_two_with_one_address_at_once_one_is_created() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let body = json!({ "name": "Alice", "email": "alice@acme.example" });
    let posts = (0..4).map(|_| admin.post("/api/users", body.clone()));
    let mut statuses: Vec<u16> = futures::future::join_all(posts)
        .await
        .iter()
        .map(|a| a.status)
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);

    // Who is given a handle gets one, however many come at once.
    let posts = (0..4).map(|n| {
        let email = format!("bob@{n}.example");
        admin.post("/api/users", json!({ "name": "Bob", "email": email }))
    });
    let mut handles: Vec<String> = Vec::new();
    for answer in futures::future::join_all(posts).await {
        handles.push(answer.expect(201).body["handle"].as_str().unwrap().to_owned());
    }
    handles.sort();
    assert_eq!(handles, ["bob", "bob2", "bob3", "bob4"]);
}

// covers: CRM-03
#[tokio::test]
async fn every_bad_field_is_named() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    for (pointer, field, value) in [
        ("/name", "name", json!(" ")),
        ("/name", "name", json!("x".repeat(201))),
        ("/email", "email", json!("")),
        ("/email", "email", json!("nobody")),
        ("/handle", "handle", json!("a b")),
        ("/title", "title", json!("x".repeat(101))),
        ("/phone", "phone", json!("0123")),
        ("/locale", "locale", json!("de")),
        ("/timezone", "timezone", json!("Mars/Olympus")),
        ("/invite", "invite", json!("yes")),
        ("/colour", "colour", json!("red")),
    ] {
        let mut body = json!({ "name": "Alice", "email": "alice@acme.example" });
        body[field] = value;
        let refused = admin.post("/api/users", body).await.expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{refused:?}");
    }
    let refused = admin
        .post("/api/users", json!({ "name": "Alice" }))
        .await
        .expect(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/email");
}

// covers: CRM-03
#[tokio::test]
async fn a_repeated_request_creates_one_user() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let key = [("idempotency-key", "once")];
    let body = json!({ "name": "Alice", "email": "alice@acme.example" });
    let post = async |body| admin.send(Method::POST, "/api/users", &key, Some(body)).await;
    let first = post(body.clone()).await.expect(201);
    let second = post(body).await.expect(201);
    assert_eq!(
        (&first.body, first.header("location")),
        (&second.body, second.header("location"))
    );
    let other = json!({ "name": "Bob", "email": "bob@acme.example" });
    post(other).await.problem(422, "idempotency.other_body");
}

// covers: CRM-03, AZ-04
#[tokio::test]
async fn whoever_lacks_the_right_is_refused() {
    let house = house().await;
    let tenant = house.tenant(&[("reader", "users:read", DataScope::All)]);
    let admin = house.user(tenant, "all", &[]);
    let path = create(admin, "Alice", "alice@acme.example", json!({}))
        .await
        .header("location")
        .to_owned();
    let body = json!({ "name": "Eve", "email": "eve@acme.example" });

    let stranger = house.user(house.tenant(&[]), "all", &[]);
    stranger.get(&path).await.problem(404, "request.not_found");
    stranger
        .change(Method::PUT, &path, "*", Some(body.clone()))
        .await
        .problem(404, "request.not_found");
    stranger
        .change(Method::DELETE, &path, "*", None)
        .await
        .problem(404, "request.not_found");
    stranger
        .post(&format!("{path}/restore"), json!(null))
        .await
        .problem(404, "request.not_found");
    assert!(stranger.get("/api/users").await.each("id").is_empty());

    let reader = house.user(tenant, "reader", &[]);
    reader.get(&path).await.expect(200);
    reader
        .post("/api/users", body.clone())
        .await
        .problem(403, "auth.forbidden");
    reader
        .change(Method::PUT, &path, "*", Some(body.clone()))
        .await
        .problem(403, "auth.forbidden");
    reader
        .change(Method::DELETE, &path, "*", None)
        .await
        .problem(403, "auth.forbidden");

    // With the scope `own`, a user is all that they see and change.
    let own = house.user(tenant, "own", &[]);
    with_profile(&house, own, "Own", "own@acme.example").await;
    assert_eq!(own.get("/api/users").await.each("name"), ["Own"]);
    own.get(&path).await.problem(404, "request.not_found");
    own.change(Method::PUT, &path, "*", Some(body.clone()))
        .await
        .problem(404, "request.not_found");
    own.post("/api/users", body.clone())
        .await
        .problem(403, "auth.forbidden");
    let myself = format!("/api/users/{}", own.id);
    own.change(Method::PUT, &myself, "*", Some(body))
        .await
        .expect(200);
    own.change(Method::DELETE, &myself, "*", None)
        .await
        .problem(409, "users.oneself");
}

// covers: CRM-03
#[tokio::test]
async fn without_the_identity_service_only_what_needs_it_waits() {
    let house = House::start(stoa_user::service, Calls::new()).await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    with_profile(&house, admin, "Admin", "admin@acme.example").await;
    let body = json!({ "name": "Alice", "email": "alice@acme.example" });
    admin
        .post("/api/users", body.clone())
        .await
        .problem(503, "service.unavailable");
    let path = format!("/api/users/{}", admin.id);
    admin
        .change(Method::PUT, &path, "*", Some(body))
        .await
        .problem(503, "service.unavailable");
    let body = json!({ "name": "Renamed", "email": "admin@acme.example" });
    admin
        .change(Method::PUT, &path, "*", Some(body))
        .await
        .expect(200);
    assert_eq!(admin.get("/api/users").await.each("name"), ["Renamed"]);
}

// covers: CRM-03
#[tokio::test]
async fn who_is_archived_leaves_their_teams() {
    let house = house().await;
    let admin = house.user(house.tenant(&[]), "all", &[]);
    let alice = create(admin, "Alice", "alice@acme.example", json!({})).await;
    let bob = create(admin, "Bob", "bob@acme.example", json!({})).await;
    let (east, west) = (team(admin, "East").await, team(admin, "West").await);
    let closed = team(admin, "Closed").await;
    for path in [&east, &west, &closed] {
        let body = json!({ "memberIds": [alice.id(), bob.id()] });
        admin
            .change(Method::PUT, &format!("{path}/members"), "*", Some(body))
            .await
            .expect(200);
    }
    admin.change(Method::DELETE, &closed, "*", None).await.expect(204);
    admin
        .change(Method::DELETE, alice.header("location"), "*", None)
        .await
        .expect(204);

    for path in [&east, &west] {
        let left = admin.get(path).await.expect(200);
        assert_eq!(left.body["memberIds"], json!([bob.id()]));
        let (_, told) = events(&house, left.id()).await.pop().unwrap();
        assert_eq!(
            told,
            json!({ "teamId": left.id(), "members": [bob.id()], "archived": false, "version": 3 })
        );
    }
    admin
        .post(&format!("{}/restore", alice.header("location")), json!(null))
        .await
        .expect(200);
    let reopened = admin
        .post(&format!("{closed}/restore"), json!(null))
        .await
        .expect(200);
    assert_eq!(
        reopened.body["memberIds"],
        json!([bob.id()]),
        "she left the archived team too"
    );
    assert_eq!(admin.get(&east).await.body["memberCount"], 1);
}
