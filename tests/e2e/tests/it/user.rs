//! Users and teams: the life of one, who is refused, and what roles do.

use crate::api::{Answer, Api, send};
use crate::conventions::assert_invalid;
use crate::journey::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::journeys;
use stoa_testkit::platform::Platform;
use uuid::Uuid;

journeys! {
    // covers: CRM-03
    async fn the_life_of_one(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let fields = json!({ "name": "Nguyễn Văn Đức", "email": "Duc@acme.example", "timezone": "Asia/Ho_Chi_Minh" });
        let created = admin.post_once("/api/users", "create-the-first", &fields).await;
        assert_eq!(created.status, 201, "{created:?}");
        let again = admin.post_once("/api/users", "create-the-first", &fields).await;
        assert_eq!((again.status, &again.body), (201, &created.body), "a replay creates no second one");
        let (path, etag) = (created.header("location"), created.header("etag"));
        assert_eq!(path, format!("/api/users/{}", id_of(&created)));
        assert_eq!((&created.body["email"], &created.body["handle"]), (&json!("duc@acme.example"), &json!("duc")));

        assert_eq!(admin.get(path).await.body, created.body);
        let unchanged = send(admin.request(Method::GET, path).header("if-none-match", etag)).await;
        assert_eq!(unchanged.status, 304);
        for text in ["nguyen", "V%C4%83n", "duc%40acme", "%40duc"] {
            let found = admin.get(&format!("/api/users?search={text}")).await;
            assert_eq!(found.items().len(), 1, "{text}: {found:?}");
        }

        let fields = json!({ "name": "Đặng Đức", "email": "duc@acme.example", "title": "Agent" });
        let changed = admin.change(Method::PUT, path, etag, &fields).await;
        assert_eq!((changed.status, &changed.body["title"]), (200, &fields["title"]), "{changed:?}");
        admin.change(Method::PUT, path, etag, &fields).await.assert_problem(412, "request.stale");
        let blind = send(admin.request(Method::PUT, path).json(&fields)).await;
        blind.assert_problem(428, "request.version_required");
        let etag = changed.header("etag");
        let same = admin.change(Method::PUT, path, etag, &fields).await;
        assert_eq!((same.status, same.header("etag")), (200, etag), "what says the same changes nothing");
        assert_eq!(admin.get("/api/users?search=dang").await.items().len(), 1);
        assert_eq!(admin.get("/api/users?search=nguyen").await.items().len(), 0);

        let page = admin.get("/api/users?limit=2&fields=name").await;
        assert_eq!(page.items()[0]["name"], json!("Ada Admin"), "sorted by name");
        let cursor = page.body["nextCursor"].as_str().expect("a next page");
        let next = admin.get(&format!("/api/users?limit=2&fields=name&cursor={cursor}")).await;
        assert_eq!(next.items()[0]["name"], json!("Bob Example"), "{next:?}");

        let archived = send(admin.request(Method::DELETE, path).header("if-match", etag)).await;
        assert_eq!(archived.status, 204, "{archived:?}");
        admin.get(path).await.assert_problem(404, "request.not_found");
        assert_eq!(admin.get("/api/users?archived=true").await.items()[0]["name"], "Đặng Đức");
        admin.change(Method::PUT, path, "*", &fields).await.assert_problem(409, "users.archived");
        let restore = format!("{path}/restore");
        let restored = admin.post(&restore, &json!(null)).await;
        assert_eq!((restored.status, &restored.body["version"]), (200, &json!(4)), "{restored:?}");
        assert_eq!(admin.get(path).await.body, restored.body);
        admin.post(&restore, &json!(null)).await.assert_problem(409, "users.not_archived");

        let expected = ["created", "updated", "archived", "restored"];
        let expected = expected.map(|verb| format!("dev.stoa.user.user.{verb}.v1"));
        assert_eq!(events(platform, id_of(&created)).await, expected, "none for a refusal or a replay");
    }

    // covers: CRM-03
    async fn one_address_is_one_users(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let body = json!({ "name": "Eve", "email": "eve@acme.example" });
        let (first, second) = tokio::join!(admin.post("/api/users", &body), admin.post("/api/users", &body));
        let (made, refused) = if first.status == 201 { (first, second) } else { (second, first) };
        assert_eq!(made.status, 201, "{made:?}");
        refused.assert_problem(409, "users.email_taken");

        // Who has an account in another tenant has the address, too.
        let foreign = json!({ "name": "Gus", "email": "admin@globex.test" });
        admin.post("/api/users", &foreign).await.assert_problem(409, "users.email_taken");
        let path = made.header("location");
        admin.change(Method::PUT, path, "*", &foreign).await.assert_problem(409, "users.email_taken");
        let taken = json!({ "name": "Eva", "email": "eva@acme.example", "handle": "alice" });
        admin.post("/api/users", &taken).await.assert_problem(409, "users.handle_taken");
    }

    // covers: CRM-03, AZ-01, TN-01
    async fn the_refused(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let created = admin.post("/api/users", &json!({ "name": "Eve", "email": "eve@acme.example" })).await;
        let path = created.header("location");
        let fields = json!({ "name": "Renamed", "email": "eve@acme.example" });

        let stranger = Api::sign_in(platform, "admin@globex.test").await;
        stranger.get(path).await.assert_problem(404, "request.not_found");
        stranger.change(Method::PUT, path, "*", &fields).await.assert_problem(404, "request.not_found");
        assert_eq!(stranger.get("/api/users").await.items().len(), 1, "themselves");

        let alice = Api::sign_in(platform, "alice@acme.test").await;
        assert_eq!(alice.get(path).await.status, 200, "colleagues see each other");
        alice.post("/api/users", &fields).await.assert_problem(403, "auth.forbidden");
        alice.change(Method::PUT, path, "*", &fields).await.assert_problem(403, "auth.forbidden");
        alice.delete(path).await.assert_problem(403, "auth.forbidden");
        alice.post("/api/teams", &json!({ "name": "Mine" })).await.assert_problem(403, "auth.forbidden");
        let role = json!({ "roleId": Uuid::nil() });
        alice.post(&format!("{path}/roles"), &role).await.assert_problem(403, "auth.forbidden");

        for (pointer, rule, value) in [
            ("/name", "length", json!("")),
            ("/email", "format", json!("nobody")),
            ("/handle", "format", json!("a b")),
            ("/title", "length", json!("x".repeat(101))),
            ("/phone", "format", json!("0123")),
            ("/locale", "type", json!("de")),
            ("/timezone", "unknown", json!("Mars/Olympus")),
            ("/colour", "unknown", json!("red")),
        ] {
            let mut bad = fields.clone();
            bad[pointer.trim_start_matches('/')] = value;
            assert_invalid(&admin.post("/api/users", &bad).await, pointer, rule);
            assert_invalid(&admin.change(Method::PUT, path, "*", &bad).await, pointer, rule);
        }
        assert_invalid(&admin.get("/api/users?sort=colour").await, "sort", "unknown");
    }

    // covers: CRM-03
    async fn oneself(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let me = alice.get("/api/users/me").await;
        assert_eq!((me.status, &me.body["name"]), (200, &json!("Alice Example")), "{me:?}");
        let body = json!({ "name": "Alice Example", "phone": "+8424123", "locale": "vi" });
        let changed = alice.change(Method::PUT, "/api/users/me", me.header("etag"), &body).await;
        assert_eq!((changed.status, &changed.body["locale"]), (200, &json!("vi")), "{changed:?}");
        let other = json!({ "name": "Alice Example", "email": "other@acme.example" });
        assert_invalid(&alice.change(Method::PUT, "/api/users/me", "*", &other).await, "/email", "unknown");
        let held = alice.get("/api/users/me/permissions").await;
        assert_eq!((&held.body["userId"], &held.body["roles"]), (&me.body["id"], &json!(["representative"])));

        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let myself = admin.get("/api/users/me").await;
        let path = format!("/api/users/{}", id_of(&myself));
        admin.delete(&path).await.assert_problem(409, "users.oneself");
    }

    // covers: CRM-03, AZ-01
    async fn a_role_takes_effect_and_ends(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let path = format!("/api/users/{}", id_of(&alice.get("/api/users/me").await));
        let role = role(&admin, "user administrator", &["users:create"]).await;
        let body = json!({ "name": "Eve", "email": "eve@acme.example" });
        alice.post("/api/users", &body).await.assert_problem(403, "auth.forbidden");

        let roles = format!("{path}/roles");
        let given = admin.post_once(&roles, "give", &json!({ "roleId": role })).await;
        assert_eq!((given.status, &given.body["name"]), (201, &json!("user administrator")), "{given:?}");
        let again = admin.post_once(&roles, "give", &json!({ "roleId": role })).await;
        assert_eq!((again.status, &again.body), (201, &given.body));
        eventually(async || (alice.post("/api/users", &body).await.status == 201).then_some(())).await;
        let held = admin.get(&roles).await;
        let names: Vec<_> = held.body["roles"].as_array().unwrap().iter().map(|r| r["name"].clone()).collect();
        assert_eq!(names, ["representative", "user administrator"]);
        let held = admin.get(&format!("{path}/permissions")).await;
        let all = held.body["permissions"].as_array().unwrap();
        assert!(all.iter().any(|p| p["permission"] == "users:create"), "{held:?}");

        let one = format!("{roles}/{role}");
        assert_eq!(admin.delete(&one).await.status, 204);
        admin.delete(&one).await.assert_problem(404, "request.not_found");
        let more = json!({ "name": "Eva", "email": "eva@acme.example" });
        eventually(async || (alice.post("/api/users", &more).await.status == 403).then_some(())).await;
        assert_invalid(&admin.post(&roles, &json!({ "roleId": Uuid::nil() })).await, "/roleId", "unknown");
    }

    // covers: CRM-03, AZ-01
    async fn nobody_gives_more_than_they_hold(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let mine = format!("/api/users/{}/roles", id_of(&alice.get("/api/users/me").await));
        let assigner = role(&admin, "assigner", &["users:assign"]).await;
        let power = role(&admin, "power", &["customers:*", "iam:write"]).await;
        assert_eq!(admin.post(&mine, &json!({ "roleId": assigner })).await.status, 201);
        // Until the assignment has arrived, she lacks the permission; then she lacks what the role would give.
        let wanted = json!({ "roleId": power });
        let refused = eventually(async || {
            let answer = alice.post(&mine, &wanted).await;
            let detail = answer.body["detail"].as_str().unwrap_or_default();
            (!detail.contains("users:assign")).then_some(answer)
        })
        .await;
        refused.assert_problem(403, "iam.exceeds_own_rights");
        let held = admin.get(&mine).await;
        assert_eq!(held.body["roles"].as_array().unwrap().len(), 2, "{held:?}");
    }

    // covers: CRM-03
    async fn a_team(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let east = admin.get("/api/teams").await;
        assert_eq!(east.items()[0]["name"], "Sales East", "of the demo data");
        let path = format!("/api/teams/{}", east.items()[0]["id"].as_str().unwrap());
        let read = admin.get(&path).await;
        let id = east.items()[0]["id"].as_str().unwrap();
        let members = admin.get(&format!("/api/users?teamId={id}")).await;
        let names: Vec<_> = members.items().iter().map(|m| m["name"].clone()).collect();
        assert_eq!(names, ["Alice Example", "Mara Manager"]);

        let eve = admin.post("/api/users", &json!({ "name": "Eve", "email": "eve@acme.example" })).await;
        let member = format!("{path}/members/{}", id_of(&eve));
        let with = admin.post(&member, &json!(null)).await;
        assert_eq!((with.status, &with.body["memberCount"]), (200, &json!(3)), "{with:?}");
        let all = json!({ "memberIds": with.body["memberIds"] });
        let stale = admin.change(Method::PUT, &format!("{path}/members"), read.header("etag"), &all).await;
        stale.assert_problem(412, "request.stale");
        let version = with.header("etag");
        let same = admin.change(Method::PUT, &format!("{path}/members"), version, &all).await;
        assert_eq!((same.status, same.header("etag")), (200, version));

        // Who is archived is in no team.
        assert_eq!(admin.delete(eve.header("location")).await.status, 204);
        let left = admin.get(&path).await;
        assert_eq!((&left.body["memberCount"], &left.body["version"]), (&json!(2), &json!(3)));
        admin.post(&member, &json!(null)).await.assert_problem(404, "request.not_found");
        let told = events(platform, id.parse().unwrap()).await;
        assert_eq!(told, ["dev.stoa.user.team.changed.v1"; 3]);

        let stranger = Api::sign_in(platform, "admin@globex.test").await;
        stranger.get(&path).await.assert_problem(404, "request.not_found");
        stranger.post(&member, &json!(null)).await.assert_problem(404, "request.not_found");
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        assert_eq!(alice.get(&path).await.status, 200);
        alice.change(Method::PUT, &format!("{path}/members"), "*", &all).await.assert_problem(403, "auth.forbidden");
        let taken = admin.post("/api/teams", &json!({ "name": "SALES EAST" })).await;
        taken.assert_problem(409, "teams.name_taken");
    }
}

fn id_of(answer: &Answer) -> Uuid {
    answer.body["id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .unwrap_or_else(|| panic!("no id in {answer:?}"))
}

/// Makes a role with these permissions on every row and returns its id.
async fn role(admin: &Api, name: &str, permissions: &[&str]) -> String {
    let grants: Vec<Value> = permissions
        .iter()
        .map(|permission| json!({ "permission": permission, "effect": "allow", "scope": "all" }))
        .collect();
    crate::access::role(admin, name, &[], &grants).await
}

/// The types of this service's events about one user or team, in order.
async fn events(platform: &Platform, aggregate: Uuid) -> Vec<String> {
    let client = platform
        .database()
        .connect_as_superuser()
        .await
        .expect("the database");
    let sql =
        "select type from log.event where aggregate_id = $1 and type like 'dev.stoa.user.%' order by seq";
    let rows = client.query(sql, &[&aggregate]).await.expect("the events");
    rows.iter().map(|row| row.get(0)).collect()
}
