//! Administration that cannot lock itself out, leaves a trail, and ends at the tenant's border.

use super::{assign, role, total, until, user_of};
use crate::api::Api;
use crate::conventions::assert_invalid;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::journeys;

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

journeys! {
    // covers: AZ-02, TN-02
    async fn administration_is_safe_and_audited(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let foreign = Api::sign_in(platform, "admin@globex.test").await;
        let mine = admin
            .get(&format!("/api/iam/assignments?user={}", user_of(&admin)))
            .await;
        let [last] = mine.items() else { panic!("{mine:?}") };
        let last = format!("/api/iam/assignments/{}", last["id"].as_str().unwrap());
        let administrators = role_named(&admin, "admin").await;
        let grants = admin
            .get(&format!("/api/iam/roles/{administrators}/grants"))
            .await;
        let grant = format!(
            "/api/iam/roles/{administrators}/grants/{}",
            grants.items()[0]["id"].as_str().unwrap()
        );
        for path in [&last, &grant] {
            admin
                .delete(path)
                .await
                .assert_problem(409, "iam.last_administrator");
        }
        let denial = json!({ "permission": "*", "effect": "deny", "scope": "all" });
        let denied = admin
            .post(&format!("/api/iam/roles/{administrators}/grants"), &denial)
            .await;
        denied.assert_problem(409, "iam.last_administrator");
        assert_eq!(admin.get("/api/iam/roles").await.status, 200);

        // Each change with before and after, by whom, newest first, and in the tenant that made it.
        let id = role(&admin, "audited", &[], &[]).await;
        let path = format!("/api/iam/roles/{id}");
        assert_eq!(
            admin
                .change(Method::PUT, &path, "*", &json!({ "name": "renamed" }))
                .await
                .status,
            200
        );
        assert_eq!(admin.delete(&path).await.status, 200);
        let changes = admin.get("/api/iam/changes?limit=3").await;
        // What is deleted is kept with its grants.
        let before = |c: &Value| c["before"].get("role").unwrap_or(&c["before"])["name"].clone();
        let seen: Vec<_> = changes
            .items()
            .iter()
            .map(|c| (c["kind"].as_str().unwrap(), before(c), c["after"]["name"].clone()))
            .collect();
        let (audited, renamed) = (json!("audited"), json!("renamed"));
        assert_eq!(
            seen,
            [
                ("role.deleted", renamed.clone(), Value::Null),
                ("role.updated", audited.clone(), renamed),
                ("role.created", Value::Null, audited),
            ]
        );
        for change in changes.items() {
            assert_eq!(
                (&change["actor"], &change["entityId"]),
                (&json!(user_of(&admin)), &json!(id))
            );
            assert!(change["correlationId"].is_string() && change["at"].is_string());
        }
        let revisions: Vec<i64> = changes
            .items()
            .iter()
            .filter_map(|c| c["revision"].as_i64())
            .collect();
        assert!(revisions.is_sorted_by(|a, b| a > b), "{revisions:?}");
        assert!(
            !foreign
                .get("/api/iam/changes?limit=100")
                .await
                .body
                .to_string()
                .contains(&id)
        );

        // The other tenant's administrator neither sees nor touches any of it.
        let representatives = role_named(&admin, "representative").await;
        for path in [last.clone(), grant, format!("/api/iam/roles/{representatives}")] {
            foreign.get(&path).await.assert_problem(404, "request.not_found");
            foreign
                .delete(&path)
                .await
                .assert_problem(404, "request.not_found");
        }
        let theirs = json!({ "userId": user_of(&foreign), "roleId": administrators });
        assert_invalid(
            &foreign.post("/api/iam/assignments", &theirs).await,
            "/roleId",
            "unknown",
        );
        let heir = foreign
            .post(
                "/api/iam/roles",
                &json!({ "name": "thief", "parents": [administrators] }),
            )
            .await;
        heir.assert_problem(422, "request.invalid");
        let foreign_roles = foreign.get("/api/iam/roles?limit=100").await.body.to_string();
        assert!(!foreign_roles.contains(&representatives));

        // After an invalidation everything is loaded anew, and nothing else happens.
        alice
            .post("/api/iam/cache/invalidate", &Value::Null)
            .await
            .assert_problem(403, "auth.forbidden");
        let invalidated = admin.post("/api/iam/cache/invalidate", &Value::Null).await;
        assert!(
            invalidated.status == 200 && invalidated.body["revision"].is_i64(),
            "{invalidated:?}"
        );
        assert_eq!((total(&alice).await, total(&admin).await), (43, 85));

        // A second administrator makes the first one dispensable.
        assign(&admin, &user_of(&alice), &administrators).await;
        until(200, async || alice.get("/api/iam/roles").await).await;
        assert_eq!(alice.delete(&last).await.status, 200);
        until(403, async || admin.get("/api/iam/roles").await).await;
    }
}
