//! Who may do what, changed at run time: every process follows, nobody locks the tenant out, nobody looks into another.

use crate::api::{Answer, Api, send};
use crate::conventions::assert_invalid;
use crate::journey::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::journeys;

/// Creates a record of the policy and returns its id.
async fn create(admin: &Api, path: &str, body: &Value) -> String {
    let made = admin.post(path, body).await;
    assert_eq!(made.status, 201, "{path} {body}: {made:?}");
    assert!(made.body["revision"].is_i64(), "{made:?}");
    made.body["id"].as_str().expect("an id").to_owned()
}

async fn role(admin: &Api, name: &str, parents: &[&str], grants: &[Value]) -> String {
    let id = create(
        admin,
        "/api/iam/roles",
        &json!({ "name": name, "parents": parents }),
    )
    .await;
    for grant in grants {
        create(admin, &format!("/api/iam/roles/{id}/grants"), grant).await;
    }
    id
}

async fn assign(admin: &Api, user: &str, role: &str) -> String {
    create(
        admin,
        "/api/iam/assignments",
        &json!({ "userId": user, "roleId": role }),
    )
    .await
}

/// The tenant's role of a name.
async fn role_named(admin: &Api, name: &str) -> String {
    let roles = admin.get("/api/iam/roles?limit=100").await;
    let found = roles
        .items()
        .iter()
        .find(|r| r["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {roles:?}"));
    found["id"].as_str().unwrap().to_owned()
}

fn user_of(api: &Api) -> String {
    api.tokens.claims().unwrap()["sub"].as_str().unwrap().to_owned()
}

/// Polls until the answer has this status.
async fn until(status: u16, mut ask: impl AsyncFnMut() -> Answer) -> Answer {
    let last = std::cell::RefCell::new(None);
    let give_up = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while tokio::time::Instant::now() < give_up {
        let answer = ask().await;
        assert!(answer.status < 500, "{answer:?}");
        if answer.status == status {
            return answer;
        }
        last.replace(Some(answer));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{status} did not come: {:?}", last.borrow());
}

async fn total(api: &Api) -> i64 {
    api.get("/api/customers/stats").await.body["total"]
        .as_i64()
        .unwrap_or(-1)
}

journeys! {
    // covers: AZ-01, AZ-02, AZ-08
    async fn a_change_of_roles_reaches_every_process(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let user = user_of(&alice);
        alice.get("/api/admin/routes").await.assert_problem(403, "auth.forbidden");
        assert_eq!(total(&alice).await, 43);

        // The heir has what its parent's parent has: the gateway lets the request in, and each service shows the rows.
        let everything = [json!({ "permission": "customers:read", "scope": "all" }), json!({ "permission": "routes:read", "scope": "all" })];
        let base = role(&admin, "reader", &[], &everything).await;
        let middle = role(&admin, "middle", &[&base], &[]).await;
        let heir = role(&admin, "heir", &[&middle], &[]).await;
        let held = assign(&admin, &user, &heir).await;
        until(200, async || alice.get("/api/admin/routes").await).await;
        eventually(async || (total(&alice).await == 85).then_some(())).await;
        alice.post("/api/admin/routes", &json!({})).await.assert_problem(403, "auth.forbidden");

        // A denial wins, wherever it is inherited from; taking it back gives the rows back.
        let denial = create(&admin, &format!("/api/iam/roles/{middle}/grants"), &json!({ "permission": "customers:*", "effect": "deny", "scope": "all" })).await;
        until(403, async || alice.get("/api/customers").await).await;
        assert_eq!(admin.delete(&format!("/api/iam/roles/{middle}/grants/{denial}")).await.status, 200);
        until(200, async || alice.get("/api/customers").await).await;
        let own = create(&admin, &format!("/api/iam/roles/{heir}/grants"), &json!({ "permission": "customers:read", "effect": "deny", "scope": "own" })).await;
        eventually(async || (total(&alice).await == 42).then_some(())).await;
        assert_eq!(admin.delete(&format!("/api/iam/roles/{heir}/grants/{own}")).await.status, 200);

        // Inheritance ends with the parent.
        let path = format!("/api/iam/roles/{heir}");
        let etag = admin.get(&path).await.body["version"].to_string();
        let circle = admin.change(Method::PUT, &format!("/api/iam/roles/{base}"), "*", &json!({ "name": "reader", "parents": [heir] })).await;
        assert_invalid(&circle, "/parents", "policy");
        admin.change(Method::PUT, &path, "\"77\"", &json!({ "name": "heir" })).await.assert_problem(412, "request.stale");
        assert_eq!(admin.change(Method::PUT, &path, &format!("\"{etag}\""), &json!({ "name": "heir" })).await.status, 200);
        until(403, async || alice.get("/api/admin/routes").await).await;
        eventually(async || (total(&alice).await == 43).then_some(())).await;
        admin.delete(&path).await.assert_problem(409, "iam.role_in_use");
        assert_eq!(admin.delete(&format!("/api/iam/assignments/{held}")).await.status, 200);
        assert_eq!(admin.delete(&path).await.status, 200);
    }

    // covers: AZ-01
    async fn a_grant_for_a_while(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let user = user_of(&alice);
        let reader = role(&admin, "auditor", &[], &[json!({ "permission": "iam:read", "scope": "all" })]).await;
        let client = platform.database().connect_as_superuser().await.unwrap();
        let row = client.query_one(
            "select to_char(now() at time zone 'utc' - interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                    to_char(now() at time zone 'utc' + interval '4 s', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                    to_char(now() at time zone 'utc' + interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')", &[]).await.unwrap();
        let (yesterday, soon, tomorrow): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let give = async |from: &str, until: &str| {
            admin.post("/api/iam/assignments", &json!({ "userId": user, "roleId": reader, "validFrom": from, "validUntil": until })).await
        };
        assert_invalid(&give(&soon, &yesterday).await, "/validUntil", "range");

        let future = give(&tomorrow, "2999-01-01T00:00:00Z").await;
        assert_eq!(future.status, 201, "{future:?}");
        let question = json!({ "userId": user, "tenantId": alice.tokens.claims().unwrap()["tenantId"], "resource": "iam", "action": "read",
            "minRevision": future.body["revision"] });
        assert_eq!(admin.post("/api/iam/permissions/check", &question).await.body["allowed"], false, "not yet");
        let taken = admin.delete(&format!("/api/iam/assignments/{}", future.body["id"].as_str().unwrap())).await;
        assert_eq!(taken.status, 200);

        assert_eq!(give(&yesterday, &soon).await.status, 201);
        until(200, async || alice.get("/api/iam/roles").await).await;
        // Nothing is written when the time is over: every process ends it by its own clock.
        until(403, async || alice.get("/api/iam/roles").await).await;
    }

    // covers: AZ-02, AZ-08, GW-03, GW-04
    async fn an_endpoint_rule_tightens_and_loosens(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let manager = Api::sign_in(platform, "manager@acme.test").await;
        let foreign = Api::sign_in(platform, "admin@globex.test").await;
        let rules = "/api/iam/endpoint-rules";
        let rule = json!({ "pattern": "/api/customers/stats", "methods": ["get"], "requirement": { "permission": "reports:read" } });
        let made = admin.post(rules, &rule).await;
        assert_eq!((made.status, &made.body["methods"]), (201, &json!(["GET"])), "{made:?}");
        let refused = until(403, async || alice.get("/api/customers/stats").await).await;
        assert!(refused.body["detail"].as_str().unwrap().contains("reports:read"), "{refused:?}");
        assert_eq!(alice.get("/api/customers").await.status, 200, "only that endpoint");
        assert_eq!(foreign.get("/api/customers/stats").await.status, 200, "only that tenant");
        let effective = admin.get(&format!("{rules}/effective?limit=100")).await;
        let shown: Vec<_> = effective.items().iter().filter(|r| r["pattern"] == "/api/customers/stats").collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(shown.iter().any(|r| r["layer"] == "tenant") && shown.iter().any(|r| r["overridden"] == true), "{shown:?}");
        assert_invalid(&admin.post(rules, &rule).await, "/pattern", "policy");

        // To any signed-in caller; the service still decides the permission of the rows.
        let path = format!("{rules}/{}", made.body["id"].as_str().unwrap());
        let loose = json!({ "pattern": "/api/customers/stats", "methods": ["GET"], "requirement": "authenticated" });
        assert_eq!(admin.change(Method::PUT, &path, made.header("etag"), &loose).await.status, 200);
        until(200, async || alice.get("/api/customers/stats").await).await;
        let routes = json!({ "pattern": "/api/admin/routes", "methods": ["GET"], "requirement": "public" });
        create(&admin, rules, &routes).await;
        let check = |api: &Api| json!({ "userId": user_of(api), "tenantId": api.tokens.claims().unwrap()["tenantId"], "resource": "/api/admin/routes", "action": "GET" });
        eventually(async || (admin.post("/api/iam/permissions/check", &check(&manager)).await.body["reason"] == "public").then_some(())).await;
        manager.get("/api/admin/routes").await.assert_problem(403, "auth.forbidden");
        send(platform.http.get(platform.at("/api/admin/routes"))).await.assert_problem(401, "auth.unauthenticated");

        assert_eq!(admin.delete(&path).await.status, 200);
        assert_eq!(admin.get(&path).await.status, 404);
        for pattern in ["/api/iam/**", "/api/iam/roles", "/access/v1/evaluation"] {
            let own = json!({ "pattern": pattern, "requirement": { "permission": "x:y" } });
            admin.post(rules, &own).await.assert_problem(409, "iam.rule_protected");
        }
        assert_invalid(&admin.post(rules, &json!({ "pattern": "x", "requirement": "public" })).await, "/pattern", "policy");
    }

    // covers: AZ-05, AZ-09
    async fn questions_to_the_policy(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let claims = alice.tokens.claims().unwrap();
        let (user, tenant) = (claims["sub"].clone(), claims["tenantId"].clone());
        let ask = async |resource: &str, action: &str, attributes: Value| {
            let mut body = json!({ "userId": user, "tenantId": tenant, "resource": resource, "action": action });
            if !attributes.is_null() {
                body["attributes"] = attributes;
            }
            let answer = admin.post("/api/iam/permissions/check", &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.body
        };
        for (resource, action, attributes, allowed, reason) in [
            ("customers", "read", Value::Null, true, "possible"),
            ("customers", "read", json!({ "ownerId": user }), true, "granted"),
            ("customers", "read", json!({ "ownerId": user_of(&bob) }), false, "outOfScope"),
            ("customers", "read", json!({}), false, "outOfScope"),
            ("customers", "destroy", Value::Null, false, "noGrant"),
            ("organizations", "read", Value::Null, true, "granted"),
            ("/api/customers", "GET", Value::Null, true, "possible"),
            ("/api/customers", "get", Value::Null, true, "possible"),
            ("/api/iam/roles", "POST", Value::Null, false, "noGrant"),
            ("/docs", "GET", Value::Null, true, "public"),
            ("/oauth2/userinfo", "GET", Value::Null, true, "authenticated"),
            ("/nowhere", "GET", Value::Null, false, "noRule"),
        ] {
            let answer = ask(resource, action, attributes).await;
            assert_eq!((&answer["allowed"], &answer["reason"]), (&json!(allowed), &json!(reason)), "{action} {resource}: {answer}");
        }
        let bare = json!({ "userId": user, "tenantId": uuid::Uuid::new_v4(), "resource": "customers", "action": "read" });
        admin.post("/api/iam/permissions/check", &bare).await.assert_problem(404, "request.not_found");
        let unknown = json!({ "userId": uuid::Uuid::new_v4(), "tenantId": tenant, "resource": "customers", "action": "read" });
        assert_eq!(admin.post("/api/iam/permissions/check", &unknown).await.body["allowed"], false);

        let permissions = admin.get(&format!("/api/iam/permissions/user/{}", user_of(&alice))).await;
        assert_eq!(permissions.body["roles"], json!(["representative"]));
        let held: Vec<&str> = permissions.body["permissions"].as_array().unwrap().iter().filter_map(|p| p["permission"].as_str()).collect();
        assert!(held.contains(&"customers:read") && !held.contains(&"iam:write"), "{held:?}");

        // Who may not know why gets no explanation; who may, learns what was nearly enough.
        let refused = alice.get("/api/iam/roles").await;
        refused.assert_problem(403, "auth.forbidden");
        assert!(refused.body.get("explanation").is_none(), "{refused:?}");
        role(&admin, "librarian", &[], &[json!({ "permission": "iam:read", "scope": "all" })]).await;
        let explainer = role(&admin, "explainer", &[], &[json!({ "permission": "iam:explain", "scope": "all" })]).await;
        assign(&admin, &user_of(&alice), &explainer).await;
        let explained = eventually(async || {
            let answer = alice.get("/api/iam/roles").await;
            (!answer.body["explanation"].is_null()).then_some(answer)
        })
        .await;
        explained.assert_problem(403, "auth.forbidden");
        let near = explained.body["explanation"]["nearMisses"].as_array().expect("near misses");
        assert!(near.iter().any(|miss| miss.to_string().contains("librarian")), "{explained:?}");

        let validate = async |api: &Api, token: &str| api.post("/api/iam/auth/token/validate", &json!({ "token": token })).await.body;
        let good = validate(&admin, &alice.tokens.access).await;
        assert_eq!((&good["active"], &good["userId"], &good["tenantId"]), (&json!(true), &user, &tenant));
        let foreign = Api::sign_in(platform, "admin@globex.test").await;
        for (api, token) in [(&admin, "x.y.z".to_owned()), (&admin, format!("{}x", alice.tokens.access)), (&foreign, alice.tokens.access.clone())] {
            let bad = validate(api, &token).await;
            assert_eq!((&bad["active"], bad["reason"].is_string(), bad.get("userId")), (&json!(false), true, None), "{bad}");
        }
    }

    // covers: AZ-05
    async fn authzen(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let configuration = send(platform.http.get(platform.at("/.well-known/authzen-configuration"))).await;
        assert_eq!(configuration.body["access_evaluation_endpoint"], platform.at("/access/v1/evaluation"));
        let subject = json!({ "type": "user", "id": user_of(&alice) });
        let (one, several) = ("/access/v1/evaluation", "/access/v1/evaluations");
        let customer = |owner: &str| json!({ "type": "customers", "id": "1", "properties": { "ownerId": owner } });
        for (action, resource, decision) in [
            ("read", customer(&user_of(&alice)), true),
            ("read", customer(&user_of(&admin)), false),
            ("read", json!({ "type": "customers", "id": "1" }), false),
            ("GET", json!({ "type": "endpoint", "id": "/api/customers" }), true),
            ("DELETE", json!({ "type": "endpoint", "id": "/api/iam/roles/1" }), false),
        ] {
            let answer = admin.post(one, &json!({ "subject": subject, "action": { "name": action }, "resource": resource })).await;
            assert_eq!((answer.status, &answer.body["decision"]), (200, &json!(decision)), "{action} {resource}: {answer:?}");
        }
        for body in [json!({}), json!({ "subject": subject }), json!({ "subject": 7 })] {
            assert_eq!(admin.post(one, &body).await.status, 400, "{body}");
        }
        let questions = [customer(&user_of(&alice)), customer(&user_of(&admin)), customer(&user_of(&alice))].map(|resource| json!({ "resource": resource }));
        let ask = async |semantic: &str| {
            let body = json!({ "subject": subject, "action": { "name": "read" }, "evaluations": questions,
                "options": { "evaluations_semantic": semantic } });
            let answer = admin.post(several, &body).await;
            let all = answer.body["evaluations"].as_array().unwrap_or_else(|| panic!("{answer:?}")).clone();
            all.iter().map(|e| e["decision"].as_bool().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(ask("execute_all").await, [true, false, true]);
        assert_eq!(ask("deny_on_first_deny").await, [true, false]);
        assert_eq!(ask("permit_on_first_permit").await, [true]);
    }

    // covers: AZ-02, TN-02
    async fn administration_is_safe_and_audited(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let foreign = Api::sign_in(platform, "admin@globex.test").await;
        let mine = admin.get(&format!("/api/iam/assignments?user={}", user_of(&admin))).await;
        let [last] = mine.items() else { panic!("{mine:?}") };
        let last = format!("/api/iam/assignments/{}", last["id"].as_str().unwrap());
        let administrators = role_named(&admin, "admin").await;
        let grants = admin.get(&format!("/api/iam/roles/{administrators}/grants")).await;
        let grant = format!("/api/iam/roles/{administrators}/grants/{}", grants.items()[0]["id"].as_str().unwrap());
        for path in [&last, &grant] {
            admin.delete(path).await.assert_problem(409, "iam.last_administrator");
        }
        let denial = json!({ "permission": "*", "effect": "deny", "scope": "all" });
        let denied = admin.post(&format!("/api/iam/roles/{administrators}/grants"), &denial).await;
        denied.assert_problem(409, "iam.last_administrator");
        assert_eq!(admin.get("/api/iam/roles").await.status, 200);

        // Each change with before and after, by whom, newest first, and in the tenant that made it.
        let id = role(&admin, "audited", &[], &[]).await;
        let path = format!("/api/iam/roles/{id}");
        assert_eq!(admin.change(Method::PUT, &path, "*", &json!({ "name": "renamed" })).await.status, 200);
        assert_eq!(admin.delete(&path).await.status, 200);
        let changes = admin.get("/api/iam/changes?limit=3").await;
        // What is deleted is kept with its grants.
        let before = |c: &Value| c["before"].get("role").unwrap_or(&c["before"])["name"].clone();
        let seen: Vec<_> = changes.items().iter().map(|c| (c["kind"].as_str().unwrap(), before(c), c["after"]["name"].clone())).collect();
        let (audited, renamed) = (json!("audited"), json!("renamed"));
        assert_eq!(seen, [
            ("role.deleted", renamed.clone(), Value::Null),
            ("role.updated", audited.clone(), renamed),
            ("role.created", Value::Null, audited),
        ]);
        for change in changes.items() {
            assert_eq!((&change["actor"], &change["entityId"]), (&json!(user_of(&admin)), &json!(id)));
            assert!(change["correlationId"].is_string() && change["at"].is_string());
        }
        let revisions: Vec<i64> = changes.items().iter().filter_map(|c| c["revision"].as_i64()).collect();
        assert!(revisions.is_sorted_by(|a, b| a > b), "{revisions:?}");
        assert!(!foreign.get("/api/iam/changes?limit=100").await.body.to_string().contains(&id));

        // The other tenant's administrator neither sees nor touches any of it.
        let representatives = role_named(&admin, "representative").await;
        for path in [last.clone(), grant, format!("/api/iam/roles/{representatives}")] {
            foreign.get(&path).await.assert_problem(404, "request.not_found");
            foreign.delete(&path).await.assert_problem(404, "request.not_found");
        }
        let theirs = json!({ "userId": user_of(&foreign), "roleId": administrators });
        assert_invalid(&foreign.post("/api/iam/assignments", &theirs).await, "/roleId", "unknown");
        let heir = foreign.post("/api/iam/roles", &json!({ "name": "thief", "parents": [administrators] })).await;
        heir.assert_problem(422, "request.invalid");
        let foreign_roles = foreign.get("/api/iam/roles?limit=100").await.body.to_string();
        assert!(!foreign_roles.contains(&representatives));

        // After an invalidation everything is loaded anew, and nothing else happens.
        alice.post("/api/iam/cache/invalidate", &Value::Null).await.assert_problem(403, "auth.forbidden");
        let invalidated = admin.post("/api/iam/cache/invalidate", &Value::Null).await;
        assert!(invalidated.status == 200 && invalidated.body["revision"].is_i64(), "{invalidated:?}");
        assert_eq!((total(&alice).await, total(&admin).await), (43, 85));

        // A second administrator makes the first one dispensable.
        assign(&admin, &user_of(&alice), &administrators).await;
        until(200, async || alice.get("/api/iam/roles").await).await;
        assert_eq!(alice.delete(&last).await.status, 200);
        until(403, async || admin.get("/api/iam/roles").await).await;
    }
}
