//! Contacts: the life of one, lists, and who is refused.

use crate::api::{Api, send};
use crate::conventions::assert_invalid;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::journeys;
use stoa_testkit::platform::Platform;
use uuid::Uuid;

/// Creates a contact and returns it.
pub async fn create(api: &Api, fields: &Value) -> Value {
    let created = api.post("/api/contacts", fields).await;
    assert_eq!(created.status, 201, "{created:?}");
    created.body
}

/// A customer that the caller sees.
pub async fn customer(api: &Api) -> String {
    let page = api.get("/api/customers?limit=1").await;
    page.items()[0]["id"].as_str().expect("an id").to_owned()
}

/// The types of the events about one aggregate, in order.
pub async fn events(platform: &Platform, aggregate: Uuid) -> Vec<String> {
    let client = platform
        .database()
        .connect_as_superuser()
        .await
        .expect("the database");
    let sql = "select type from log.event where aggregate_id = $1 order by seq";
    let rows = client.query(sql, &[&aggregate]).await.expect("the events");
    rows.iter().map(|row| row.get(0)).collect()
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["name"].as_str()).collect()
}

journeys! {
    // covers: CRM-05
    async fn the_life_of_one(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;

        let jane = json!({ "name": " Jane Doe ", "email": "Jane@Acme.Example", "phone": "+4930123456" });
        let created = alice.post_once("/api/contacts", "create-jane", &jane).await;
        assert_eq!(created.status, 201, "{created:?}");
        assert_eq!((&created.body["name"], &created.body["email"]), (&json!("Jane Doe"), &json!("jane@acme.example")));
        let me = &alice.tokens.claims().unwrap()["sub"];
        assert_eq!(&created.body["ownerId"], me, "the creator is the owner unless somebody is named");
        let again = alice.post_once("/api/contacts", "create-jane", &jane).await;
        assert_eq!((again.status, &again.body), (201, &created.body), "a replay creates no second one");
        let (path, etag) = (created.header("location"), created.header("etag"));
        assert_eq!(path, format!("/api/contacts/{}", created.body["id"].as_str().unwrap()));
        assert_eq!(alice.get(path).await.body, created.body);
        let unchanged = send(alice.request(Method::GET, path).header("if-none-match", etag)).await;
        assert_eq!(unchanged.status, 304);

        let fields = json!({ "name": "Jane Roe", "position": "Head of purchasing" });
        let changed = alice.change(Method::PUT, path, etag, &fields).await;
        assert_eq!((changed.status, &changed.body["position"]), (200, &fields["position"]), "{changed:?}");
        assert_eq!((&changed.body["email"], &changed.body["ownerId"]), (&json!(null), me));
        alice.change(Method::PUT, path, etag, &json!({ "name": "Lost" })).await.assert_problem(412, "request.stale");
        let blind = send(alice.request(Method::PUT, path).json(&fields)).await;
        blind.assert_problem(428, "request.version_required");
        let etag = changed.header("etag");
        let same = alice.change(Method::PUT, path, etag, &fields).await;
        assert_eq!((same.status, same.header("etag")), (200, etag), "what says the same changes nothing");

        let archived = send(alice.request(Method::DELETE, path).header("if-match", etag)).await;
        assert_eq!(archived.status, 204, "{archived:?}");
        alice.get(path).await.assert_problem(404, "request.not_found");
        assert_eq!(names(alice.get("/api/contacts?archived=true").await.items()), ["Jane Roe"]);
        alice.change(Method::PUT, path, "*", &fields).await.assert_problem(409, "contacts.archived");
        let restore = format!("{path}/restore");
        let restored = alice.post(&restore, &json!(null)).await;
        assert_eq!((restored.status, &restored.body["version"]), (200, &json!(4)), "{restored:?}");
        assert_eq!(alice.get(path).await.body, restored.body);
        alice.post(&restore, &json!(null)).await.assert_problem(409, "contacts.not_archived");

        let id = created.body["id"].as_str().unwrap().parse().unwrap();
        let expected = ["created", "updated", "archived", "restored"];
        let expected = expected.map(|verb| format!("dev.stoa.contact.contact.{verb}.v1"));
        assert_eq!(events(platform, id).await, expected, "one event for each change, none for a refusal or a replay");
    }

    // covers: CRM-05, CRM-08
    async fn lists(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        for (name, email) in [("Nguyễn Văn An", "an@x.example"), ("Nguyen Bao", "bao@x.example"), ("Zoe", "ng@x.example")] {
            create(&alice, &json!({ "name": name, "email": email })).await;
        }
        let page = alice.get("/api/contacts?limit=2").await;
        assert_eq!(names(page.items()), ["Nguyen Bao", "Nguyễn Văn An"], "by name, accents aside");
        let cursor = page.body["nextCursor"].as_str().expect("a next page");
        let last = alice.get(&format!("/api/contacts?limit=2&cursor={cursor}")).await;
        assert_eq!((names(last.items()), &last.body["nextCursor"]), (vec!["Zoe"], &json!(null)));
        for (query, expected) in [
            ("search=nguyen%20v", vec!["Nguyễn Văn An"]),
            ("search=NGUY%E1%BB%84N", vec!["Nguyen Bao", "Nguyễn Văn An"]),
            ("search=ng", vec!["Nguyen Bao", "Nguyễn Văn An", "Zoe"]),
            ("search=an@", vec!["Nguyễn Văn An"]),
            ("search=Van", vec![]),
            ("sort=-createdAt", vec!["Zoe", "Nguyen Bao", "Nguyễn Văn An"]),
            ("dataScope=own&limit=1", vec!["Nguyen Bao"]),
        ] {
            assert_eq!(names(alice.get(&format!("/api/contacts?{query}")).await.items()), expected, "{query}");
        }
        let sparse = alice.get("/api/contacts?search=zoe&fields=name,email").await;
        let zoe = sparse.items()[0].as_object().unwrap();
        assert_eq!(zoe.keys().collect::<Vec<_>>(), ["email", "id", "name"]);
        for (query, pointer, rule) in [
            ("sort=colour", "sort", "unknown"),
            ("fields=colour", "fields", "unknown"),
            ("limit=101", "limit", "range"),
        ] {
            assert_invalid(&alice.get(&format!("/api/contacts?{query}")).await, pointer, rule);
        }

        // Bob is in another branch; the manager is above both.
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        assert_eq!(bob.get("/api/contacts").await.items().len(), 0);
        let manager = Api::sign_in(platform, "manager@acme.test").await;
        assert_eq!(manager.get("/api/contacts").await.items().len(), 3);
        assert_eq!(manager.get("/api/contacts?dataScope=own").await.items().len(), 0);
        let me = alice.tokens.claims().unwrap()["sub"].as_str().unwrap().to_owned();
        assert_eq!(manager.get(&format!("/api/contacts?ownerId={me}")).await.items().len(), 3);
    }

    // covers: CRM-05, TN-01
    async fn the_refused(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let jane = create(&alice, &json!({ "name": "Jane" })).await;
        let path = format!("/api/contacts/{}", jane["id"].as_str().unwrap());
        let fields = json!({ "name": "Renamed" });

        let stranger = Api::sign_in(platform, "admin@globex.test").await;
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        for other in [&stranger, &bob] {
            other.get(&path).await.assert_problem(404, "request.not_found");
            other.change(Method::PUT, &path, "*", &fields).await.assert_problem(404, "request.not_found");
            other.delete(&path).await.assert_problem(404, "request.not_found");
            assert_eq!(other.get("/api/contacts").await.items().len(), 0);
        }
        let bobs = bob.tokens.claims().unwrap()["sub"].clone();
        let given = json!({ "name": "Jane", "ownerId": bobs });
        alice.change(Method::PUT, &path, "*", &given).await.assert_problem(403, "auth.forbidden");
        alice.post("/api/contacts", &given).await.assert_problem(403, "auth.forbidden");

        for (bad, pointer, rule) in [
            (json!({}), "/name", "required"),
            (json!({ "name": " " }), "/name", "length"),
            (json!({ "name": "é".repeat(201) }), "/name", "length"),
            (json!({ "name": "J", "email": "nobody" }), "/email", "format"),
            (json!({ "name": "J", "phone": "+0123" }), "/phone", "format"),
            (json!({ "name": "J", "position": "x".repeat(101) }), "/position", "length"),
            (json!({ "name": "J", "colour": "red" }), "/colour", "unknown"),
            (json!({ "name": "J", "ownerId": "x" }), "/ownerId", "type"),
        ] {
            assert_invalid(&alice.post("/api/contacts", &bad).await, pointer, rule);
            assert_invalid(&alice.change(Method::PUT, &path, "*", &bad).await, pointer, rule);
        }
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let nowhere = json!({ "name": "J", "branchId": Uuid::new_v4() });
        assert_invalid(&admin.post("/api/contacts", &nowhere).await, "/branchId", "unknown");
        assert_invalid(&admin.change(Method::PUT, &path, "*", &nowhere).await, "/branchId", "unknown");
    }
}
