//! Lists: parameters, pages, search and data scope.

use super::assert_invalid;
use crate::api::{Api, send};
use serde_json::json;
use std::collections::BTreeSet;
use stoa_e2e::journeys;

const SORTS: [&str; 5] = ["name", "createdAt", "updatedAt", "revenueMinor", "status"];

journeys! {
    // covers: AP-03, CRM-04
    async fn list_parameters(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        for (query, pointer, rule) in [
            ("limit=0", "limit", "range"),
            ("limit=101", "limit", "range"),
            ("limit=-1", "limit", "type"),
            ("limit=x", "limit", "type"),
            ("cursor=x", "cursor", "format"),
            ("cursor=eyJzIjoi", "cursor", "format"),
            ("sort=email", "sort", "unknown"),
            ("sort=--name", "sort", "unknown"),
            ("sort=", "sort", "unknown"),
            ("fields=colour", "fields", "unknown"),
            ("fields=", "fields", "unknown"),
            ("status=happy", "status", "type"),
            ("dataScope=everything", "dataScope", "type"),
            ("archived=maybe", "archived", "type"),
            ("colour=red", "colour", "unknown"),
        ] {
            assert_invalid(
                &admin.get(&format!("/api/customers?{query}")).await,
                pointer,
                rule,
            );
        }
        for filter in [
            "name",
            "colour:eq:red",
            "name:like:x",
            "revenueMinor:ge:much",
            "status:lt:lead",
            "branchId:eq:x",
        ] {
            let answer = admin.get(&format!("/api/customers?filter={filter}")).await;
            answer.assert_problem(422, "request.invalid");
            assert_eq!(answer.body["errors"][0]["pointer"], "filter/0", "{answer:?}");
        }
        for path in [
            "/api/organizations",
            "/api/iam/roles",
            "/api/iam/changes",
            "/api/admin/routes",
        ] {
            assert_invalid(&admin.get(&format!("{path}?limit=0")).await, "limit", "range");
            assert_invalid(
                &admin.get(&format!("{path}?sort=colour")).await,
                "sort",
                "unknown",
            );
            assert_invalid(&admin.get(&format!("{path}?cursor=x")).await, "cursor", "format");
        }
        let first = admin.get("/api/customers?limit=2").await;
        let cursor = first.body["nextCursor"].as_str().expect("more pages");
        for other in ["-name", "createdAt"] {
            let mixed = admin
                .get(&format!("/api/customers?sort={other}&cursor={cursor}"))
                .await;
            assert_invalid(&mixed, "cursor", "format");
        }

        let sparse = admin.get("/api/customers?fields=name,status&limit=3").await;
        for item in sparse.items() {
            let fields: BTreeSet<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields, BTreeSet::from(["id", "name", "status"]));
        }
        let filter = "filter=employees:ge:1000,sector:in:retail|medical&limit=100";
        let filtered = admin.get(&format!("/api/customers?{filter}")).await;
        let all = admin.get("/api/customers?limit=100").await;
        let expected = all.items().iter().filter(|c| {
            c["employees"].as_i64() >= Some(1000)
                && matches!(c["sector"].as_str(), Some("retail" | "medical"))
        });
        assert!(!filtered.items().is_empty());
        assert_eq!(
            filtered.items().iter().collect::<Vec<_>>(),
            expected.collect::<Vec<_>>()
        );
    }

    // covers: AP-03, CRM-04
    async fn pages_while_others_insert(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let mut inserted = 0;
        for sort in SORTS
            .iter()
            .flat_map(|sort| [(*sort).to_owned(), format!("-{sort}")])
        {
            let mut expected = Vec::new();
            pages(&admin, &sort, 100, async |ids| expected.extend(ids)).await;
            assert_eq!(expected.len(), 85 + inserted, "{sort}");
            let mut seen: Vec<String> = Vec::new();
            pages(&admin, &sort, 20, async |ids| {
                seen.extend(ids);
                // Before, between and behind what was read already.
                let name = format!("{} {inserted}", ["Aa", "Mm", "Zz"][inserted % 3]);
                let status = ["lead", "active", "lost"][inserted % 3];
                let body = json!({ "name": name, "status": status, "revenueMinor": inserted * 100_000_000 });
                assert_eq!(alice.post("/api/customers", &body).await.status, 201);
                inserted += 1;
            })
            .await;
            let unique: BTreeSet<&String> = seen.iter().collect();
            assert_eq!(unique.len(), seen.len(), "{sort} shows a customer twice");
            let known: BTreeSet<&String> = expected.iter().collect();
            let of_before: Vec<&String> = seen.iter().filter(|id| known.contains(id)).collect();
            assert_eq!(
                of_before,
                expected.iter().collect::<Vec<_>>(),
                "{sort} leaves a gap or changes the order"
            );
        }
    }

    // covers: CRM-04, AZ-04
    async fn search_and_data_scope(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        for (name, email) in [
            ("Nguyễn Đức Ltd", "duc@vn.test"),
            ("NGUYEN van Anh", "van@vn.test"),
            ("Ångström AB", "office@se.test"),
        ] {
            let made = alice
                .post("/api/customers", &json!({ "name": name, "email": email }))
                .await;
            assert_eq!(made.status, 201, "{made:?}");
        }
        let search = async |text: &str| -> Vec<String> {
            let found = send(
                alice
                    .request(reqwest::Method::GET, "/api/customers")
                    .query(&[("search", text)]),
            )
            .await;
            assert_eq!(found.status, 200, "{found:?}");
            found
                .items()
                .iter()
                .map(|c| c["name"].as_str().unwrap().to_owned())
                .collect()
        };
        for text in ["nguyen", "NGUYỄN", "  Nguyê", "nguyen "] {
            assert_eq!(search(text).await, ["Nguyễn Đức Ltd", "NGUYEN van Anh"], "{text}");
        }
        assert_eq!(search("nguyen d").await, ["Nguyễn Đức Ltd"]);
        assert_eq!(search("angstrom").await, ["Ångström AB"]);
        assert_eq!(
            search("OFFICE@SE").await,
            ["Ångström AB"],
            "the e-mail address too"
        );
        for nothing in ["guyen", "%", "_", "nguyen%", "\\", "'"] {
            assert_eq!(search(nothing).await, [""; 0], "{nothing}");
        }

        let count = async |api: &Api, scope: &str| {
            api.get(&format!("/api/customers/stats?dataScope={scope}"))
                .await
                .body["total"]
                .as_i64()
                .unwrap()
        };
        let manager = Api::sign_in(platform, "manager@acme.test").await;
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        for (api, own, branch, all) in [(&alice, 46, 46, 46), (&manager, 0, 88, 88), (&admin, 0, 0, 88)] {
            let counts = (
                count(api, "own").await,
                count(api, "branchAndBelow").await,
                count(api, "all").await,
            );
            assert_eq!(counts, (own, branch, all), "narrows and never widens");
            for (scope, total) in [("own", own), ("branchAndBelow", branch), ("all", all)] {
                let list = api
                    .get(&format!("/api/customers?limit=100&dataScope={scope}"))
                    .await;
                assert_eq!(i64::try_from(list.items().len()), Ok(total), "{scope}");
            }
        }
        let me = alice.tokens.claims().unwrap()["sub"].clone();
        assert!(
            alice
                .get("/api/customers?limit=100&dataScope=all")
                .await
                .items()
                .iter()
                .all(|c| c["ownerId"] == me)
        );
    }
}

/// Reads a list page by page; `each` gets the ids of a page.
async fn pages(api: &Api, sort: &str, limit: usize, mut each: impl AsyncFnMut(Vec<String>)) {
    let mut cursor = String::new();
    loop {
        let page = api
            .get(&format!("/api/customers?sort={sort}&limit={limit}{cursor}"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.items().len() <= limit);
        each(
            page.items()
                .iter()
                .map(|c| c["id"].as_str().expect("an id").to_owned())
                .collect(),
        )
        .await;
        match page.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return,
        }
    }
}
