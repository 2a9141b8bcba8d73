//! __Resources__: the life of one, and who is refused.

use crate::api::{Api, send};
use reqwest::Method;
use serde_json::json;
use stoa_e2e::journeys;
use stoa_testkit::platform::Platform;
use uuid::Uuid;

journeys! {
    async fn the_life_of_one(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;

        let first = json!({ "name": "First" });
        let created = admin.post_once("/api/__resources__", "create-the-first", &first).await;
        assert_eq!(created.status, 201, "{created:?}");
        let again = admin.post_once("/api/__resources__", "create-the-first", &first).await;
        assert_eq!((again.status, &again.body), (201, &created.body), "a replay creates no second one");
        let (path, etag) = (created.header("location"), created.header("etag"));
        assert_eq!(path, format!("/api/__resources__/{}", created.body["id"].as_str().unwrap()));

        assert_eq!(admin.get(path).await.body, created.body);
        let unchanged = send(admin.request(Method::GET, path).header("if-none-match", etag)).await;
        assert_eq!(unchanged.status, 304);
        let taken = admin.post("/api/__resources__", &json!({ "name": "FIRST" })).await;
        taken.assert_problem(409, "__resources__.name_taken");

        let fields = json!({ "name": "Renamed", "description": "With more to say" });
        let changed = admin.change(Method::PUT, path, etag, &fields).await;
        assert_eq!((changed.status, &changed.body["description"]), (200, &fields["description"]), "{changed:?}");
        admin.change(Method::PUT, path, etag, &json!({ "name": "Lost" })).await.assert_problem(412, "request.stale");
        let blind = send(admin.request(Method::PUT, path).json(&fields)).await;
        blind.assert_problem(428, "request.version_required");
        let etag = changed.header("etag");
        let same = admin.change(Method::PUT, path, etag, &fields).await;
        assert_eq!((same.status, same.header("etag")), (200, etag), "what says the same changes nothing");

        let second = admin.post("/api/__resources__", &json!({ "name": "Second" })).await;
        assert_eq!(second.status, 201, "{second:?}");
        let page = admin.get("/api/__resources__?limit=1").await;
        assert_eq!((page.items().len(), &page.items()[0]["name"]), (1, &json!("Renamed")), "sorted by name");
        let cursor = page.body["nextCursor"].as_str().expect("a next page");
        let last = admin.get(&format!("/api/__resources__?limit=1&cursor={cursor}")).await;
        assert_eq!((&last.items()[0]["name"], &last.body["nextCursor"]), (&json!("Second"), &json!(null)));

        let archived = send(admin.request(Method::DELETE, path).header("if-match", etag)).await;
        assert_eq!(archived.status, 204, "{archived:?}");
        admin.get(path).await.assert_problem(404, "request.not_found");
        assert_eq!(admin.get("/api/__resources__?archived=true").await.items()[0]["name"], "Renamed");
        admin.change(Method::PUT, path, "*", &fields).await.assert_problem(409, "__resources__.archived");

        let restore = format!("{path}/restore");
        let restored = admin.post(&restore, &json!(null)).await;
        assert_eq!((restored.status, &restored.body["version"]), (200, &json!(4)), "{restored:?}");
        assert_eq!(admin.get(path).await.body, restored.body);
        admin.post(&restore, &json!(null)).await.assert_problem(409, "__resources__.not_archived");

        let id = created.body["id"].as_str().unwrap().parse().unwrap();
        let expected = ["created", "updated", "archived", "restored"];
        let expected = expected.map(|verb| format!("dev.stoa.__service__.__resource__.{verb}.v1"));
        assert_eq!(events(platform, id).await, expected, "one event for each change, none for a refusal or a replay");
    }

    async fn the_refused(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let created = admin.post("/api/__resources__", &json!({ "name": "First" })).await;
        let path = created.header("location");
        let fields = json!({ "name": "Renamed" });

        let stranger = Api::sign_in(platform, "admin@globex.test").await;
        stranger.get(path).await.assert_problem(404, "request.not_found");
        stranger.change(Method::PUT, path, "*", &fields).await.assert_problem(404, "request.not_found");
        assert_eq!(stranger.get("/api/__resources__").await.items().len(), 0);

        let alice = Api::sign_in(platform, "alice@acme.test").await;
        alice.get(path).await.assert_problem(403, "auth.forbidden");
        alice.get("/api/__resources__").await.assert_problem(403, "auth.forbidden");
        alice.post("/api/__resources__", &fields).await.assert_problem(403, "auth.forbidden");
        alice.change(Method::PUT, path, "*", &fields).await.assert_problem(403, "auth.forbidden");

        let bad = json!({ "name": "A", "description": "x".repeat(1_001) });
        let refused = admin.post("/api/__resources__", &bad).await;
        refused.assert_problem(422, "request.invalid");
        let errors = refused.body["errors"].as_array().expect("errors");
        let pointers: Vec<_> = errors.iter().map(|e| &e["pointer"]).collect();
        assert_eq!(pointers, ["/name", "/description"]);
        let unknown = admin.post("/api/__resources__", &json!({ "name": "First", "colour": "red" })).await;
        assert_eq!((unknown.status, &unknown.body["errors"][0]["pointer"]), (422, &json!("/colour")));
        admin.get("/api/__resources__?sort=colour").await.assert_problem(422, "request.invalid");
    }
}

/// The types of the events about one aggregate, in order.
async fn events(platform: &Platform, aggregate: Uuid) -> Vec<String> {
    let client = platform.database().connect_as_superuser().await.expect("the database");
    let sql = "select type from log.event where aggregate_id = $1 order by seq";
    let rows = client.query(sql, &[&aggregate]).await.expect("the events");
    rows.iter().map(|row| row.get(0)).collect()
}
