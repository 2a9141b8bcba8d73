//! The six data scopes: each shows its rows, narrowing never widens, and a change of teams, branches or roles counts at
//! once.

use crate::access::{assign, role, user_of};
use crate::api::{Answer, Api};
use crate::journey::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use stoa_e2e::journeys;
use stoa_testkit::platform::Platform;

const SCOPES: [&str; 6] = ["own", "team", "branch", "branchAndBelow", "organization", "all"];

/// The people and places, of which the subject is Alice in Sales East.
struct Places {
    alice: String,
    team_mate: String,
    east: String,
    /// Below East.
    shop: String,
    /// Beside East, in the same organization.
    west: String,
}

impl Places {
    /// Whether a customer is in a scope of Alice's.
    fn holds(&self, scope: &str, customer: &Value) -> bool {
        let is = |field: &str, ids: &[&String]| ids.iter().any(|id| customer[field] == json!(id));
        match scope {
            "own" => is("ownerId", &[&self.alice]),
            "team" => is("ownerId", &[&self.alice, &self.team_mate]),
            "branch" => is("branchId", &[&self.east]),
            "branchAndBelow" => is("branchId", &[&self.east, &self.shop]),
            "organization" => is("branchId", &[&self.east, &self.shop, &self.west]),
            _ => true,
        }
    }
}

async fn made(api: &Api, path: &str, body: &Value) -> String {
    let made = api.post(path, body).await;
    assert_eq!(made.status, 201, "{path} {body}: {made:?}");
    made.body["id"].as_str().expect("an id").to_owned()
}

async fn own_assignments(admin: &Api, user: &str) -> Vec<String> {
    let held = admin.get(&format!("/api/iam/assignments?user={user}")).await;
    let ids = held
        .items()
        .iter()
        .map(|held| held["id"].as_str().expect("an id"));
    ids.map(str::to_owned).collect()
}

async fn withdraw(admin: &Api, assignment: &str) -> Answer {
    let taken = admin.delete(&format!("/api/iam/assignments/{assignment}")).await;
    assert_eq!(taken.status, 200, "{taken:?}");
    taken
}

/// The ids of the customers that somebody sees; none while the list is refused.
async fn seen(api: &Api, query: &str) -> BTreeSet<String> {
    let page = api.get(&format!("/api/customers?limit=100{query}")).await;
    assert!([200, 403].contains(&page.status), "{page:?}");
    let items = page.body["items"].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .filter_map(|c| c["id"].as_str().map(str::to_owned))
        .collect()
}

/// A shop below East, a branch of another organization, a team, and customers that only one scope tells apart.
async fn settle(platform: &Platform, admin: &Api, alice: &str) -> (Places, String) {
    let [manager, bob] = [
        Api::sign_in(platform, "manager@acme.test").await,
        Api::sign_in(platform, "bob@acme.test").await,
    ]
    .map(|api| user_of(&api));
    let customers = admin.get("/api/customers?limit=100").await;
    let branch_of = |owner: &str| {
        let customer = customers.items().iter().find(|c| c["ownerId"] == json!(owner));
        customer.expect("a customer")["branchId"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let (east, west) = (branch_of(alice), branch_of(&bob));
    let organization = admin.get(&format!("/api/branches/{east}")).await.body["organizationId"].clone();
    let acme = format!(
        "/api/organizations/{}/branches",
        organization.as_str().expect("an id")
    );
    let shop = made(admin, &acme, &json!({ "name": "East Shop", "parentId": east })).await;
    let other = made(admin, "/api/organizations", &json!({ "name": "Acme Abroad" })).await;
    let abroad = format!("/api/organizations/{other}/branches");
    let abroad = made(admin, &abroad, &json!({ "name": "Abroad" })).await;
    for (name, owner, branch) in [
        ("Of a mate elsewhere", manager.as_str(), &west),
        ("Of a mate abroad", &manager, &abroad),
        ("Own abroad", alice, &abroad),
        ("Of Bob in East", &bob, &east),
        ("Of Bob in the shop", &bob, &shop),
        ("Of Bob abroad", &bob, &abroad),
    ] {
        let customer = json!({ "name": name, "ownerId": owner, "branchId": branch });
        made(admin, "/api/customers", &customer).await;
    }
    // The demo's team is the only one with Alice in it.
    let teams = admin.get("/api/teams").await;
    let team = teams.items().iter().find(|team| team["name"] == "Sales East");
    let team = team.expect("the demo's team")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let places = Places {
        alice: alice.to_owned(),
        team_mate: manager,
        east,
        shop,
        west,
    };
    (places, team)
}

journeys! {
    // covers: AZ-04
    async fn each_scope_shows_its_rows_and_narrowing_never_widens(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let user = user_of(&alice);
        let (places, team) = settle(platform, &admin, &user).await;
        for assignment in own_assignments(&admin, &user).await {
            withdraw(&admin, &assignment).await;
        }
        let everything = admin.get("/api/customers?limit=100").await;
        assert!(everything.body["nextCursor"].is_null(), "one page holds all customers");
        let expected = |scopes: &[&str]| -> BTreeSet<String> {
            let items = everything.items().iter();
            let within = items.filter(|c| scopes.iter().all(|scope| places.holds(scope, c)));
            within.map(|c| c["id"].as_str().expect("an id").to_owned()).collect()
        };
        let distinct: BTreeSet<_> = SCOPES.iter().map(|scope| expected(&[scope])).collect();
        assert_eq!(distinct.len(), SCOPES.len(), "no two scopes have the same rows");

        for scope in SCOPES {
            let grant = json!({ "permission": "customers:read", "scope": scope });
            let id = role(&admin, &format!("reader of {scope}"), &[], &[grant]).await;
            let held = assign(&admin, &user, &id).await;
            let shown = expected(&[scope]);
            eventually(async || (seen(&alice, "").await == shown).then_some(())).await;
            for narrow in SCOPES {
                let both = expected(&[scope, narrow]);
                let query = format!("&dataScope={narrow}");
                assert_eq!(seen(&alice, &query).await, both, "{scope} narrowed to {narrow}");
                let counted = alice.get(&format!("/api/customers/stats?dataScope={narrow}")).await;
                assert_eq!(counted.body["total"], both.len(), "{scope} narrowed to {narrow}");
            }
            let hidden = everything.items().iter().find(|c| !places.holds(scope, c));
            if let Some(hidden) = hidden {
                let path = format!("/api/customers/{}", hidden["id"].as_str().expect("an id"));
                alice.get(&path).await.assert_problem(404, "request.not_found");
            }
            let token = Api::sign_in(platform, "alice@acme.test").await.tokens;
            assert_eq!(token.claims().unwrap()["dataScope"], scope);
            if scope == "branchAndBelow" {
                a_branch_moves(&admin, &alice, &places).await;
            }
            if scope == "team" {
                a_team_changes(&admin, &alice, &places, &team).await;
            }
            withdraw(&admin, &held).await;
            eventually(async || seen(&alice, "").await.is_empty().then_some(())).await;
        }
        let unknown = admin.get("/api/customers?dataScope=everything").await;
        assert!([400, 422].contains(&unknown.status), "{unknown:?}");
        let foreign = Api::sign_in(platform, "admin@globex.test").await;
        assert!(seen(&foreign, "&dataScope=all").await.is_disjoint(&expected(&["all"])));
    }

    // covers: AZ-02, AZ-08
    async fn a_role_taken_away_while_its_owner_works(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let (user, tenant) = (user_of(&bob), bob.tokens.claims().unwrap()["tenantId"].clone());
        let reads = json!({ "permission": "iam:read", "scope": "all" });
        let reader = role(&admin, "reader of roles", &[], &[reads]).await;
        for round in 0..5 {
            let held = assign(&admin, &user, &reader).await;
            eventually(async || (bob.get("/api/iam/roles").await.status == 200).then_some(())).await;
            let work = async {
                while bob.get("/api/iam/roles").await.status == 200 {}
            };
            let removal = async {
                let taken = withdraw(&admin, &held).await;
                let question = json!({ "userId": user, "tenantId": tenant, "resource": "/api/iam/roles",
                    "action": "GET", "minRevision": taken.body["revision"] });
                let asked = admin.post("/api/iam/permissions/check", &question).await;
                assert_eq!(asked.body["allowed"], false, "round {round}: {asked:?}");
                assert!(asked.body["revision"].as_i64() >= taken.body["revision"].as_i64());
            };
            let both = async { tokio::join!(work, removal) };
            tokio::time::timeout(std::time::Duration::from_secs(20), both)
                .await
                .expect("the work ends with the role");
            for _ in 0..20 {
                bob.get("/api/iam/roles").await.assert_problem(403, "auth.forbidden");
            }
            assert!(!seen(&bob, "").await.is_empty(), "the other roles stay");
        }
    }
}

/// West goes below East, and back.
async fn a_branch_moves(admin: &Api, alice: &Api, places: &Places) {
    let before = seen(alice, "").await;
    let path = format!("/api/branches/{}/move", places.west);
    let parent = admin.get(&format!("/api/branches/{}", places.west)).await.body["parentId"].clone();
    for (below, more) in [(json!(places.east), true), (parent, false)] {
        let moved = admin
            .change(Method::POST, &path, "*", &json!({ "parentId": below }))
            .await;
        assert_eq!(moved.status, 200, "{moved:?}");
        eventually(async || {
            let now = seen(alice, "").await;
            (now.is_superset(&before) && (now.len() > before.len()) == more).then_some(())
        })
        .await;
    }
}

/// The mate leaves the team, and comes back.
async fn a_team_changes(admin: &Api, alice: &Api, places: &Places, team: &str) {
    let before = seen(alice, "").await;
    let path = format!("/api/teams/{team}/members");
    for (members, rows) in [
        (json!([places.alice]), seen(alice, "&dataScope=own").await),
        (json!([places.alice, places.team_mate]), before),
    ] {
        let body = json!({ "memberIds": members });
        let changed = admin.change(Method::PUT, &path, "*", &body).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        eventually(async || (seen(alice, "").await == rows).then_some(())).await;
    }
}
