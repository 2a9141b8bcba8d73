//! One change is one trace: from the edge through the service and its SQL to the event and whoever handles it.

use crate::api::{Answer, Api, send};
use crate::collector::{Collector, Span};
use crate::journey::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::start_with;
use stoa_testkit::platform::{Platform, Topology};

/// The trace that the caller is in: its id is digits 3 to 35, the caller's span digits 36 to 52.
const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// covers: OB-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_change_is_one_trace_in_one_process() {
    one_change_is_one_trace(Topology::OneProcess).await;
}

// covers: OB-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_change_is_one_trace_split() {
    one_change_is_one_trace(Topology::Split).await;
}

// covers: OB-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_takes_its_trace_to_the_services_that_handle_it() {
    let (platform, collector) = traced(Topology::Split).await;
    let admin = Api::sign_in(&platform, "admin@acme.test").await;
    let organization = admin.get("/api/organizations?limit=1").await.items()[0]["id"].clone();
    let path = format!("/api/organizations/{}/branches", organization.as_str().unwrap());
    let created = post(&admin, &path, &json!({ "name": "Traced" })).await;
    assert_eq!(created.status, 201, "{created:?}");
    let handled = ["customer.branches", "access.branches"];
    let trace = whole_trace(&collector, &handled).await;

    let request = only(&trace, "request");
    let append = only(&trace, "event.append");
    assert_eq!(
        (request.service.as_str(), append.service.as_str()),
        ("gateway", "organization")
    );
    for consumer in handled {
        let consume = handling(&trace, consumer);
        assert_eq!(consume.parent, append.id, "{consumer}");
        assert_ne!(consume.service, append.service, "another process handles it");
        assert!(below(&trace, consume, request), "{consumer}");
    }
    // This one asks the database before it changes anything.
    let consume = handling(&trace, "access.branches");
    let asks = |span: &&Span| span.name.starts_with("db.") && below(&trace, span, consume);
    assert!(trace.iter().any(|span| asks(&span)), "{trace:#?}");
}

async fn one_change_is_one_trace(topology: Topology) {
    let (platform, collector) = traced(topology).await;
    let alice = Api::sign_in(&platform, "alice@acme.test").await;
    let body = json!({ "name": "Traced", "email": "t@traced.test" });
    let created = post(&alice, "/api/customers", &body).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(
        created.header("x-trace-id"),
        &CALLER[3..35],
        "the caller's trace goes on"
    );
    let trace = whole_trace(&collector, &["customer.activities"]).await;

    let request = only(&trace, "request");
    assert_eq!(request.parent, &CALLER[36..52]);
    assert_eq!(request.attribute("http.response.status_code"), "201");
    assert_eq!(request.attribute("http.route"), "/api/customers");
    let handler = handler(&trace, topology, request);
    assert!(below(&trace, handler, request));
    for name in ["edge.authenticate", "edge.decide"] {
        assert!(below(&trace, only(&trace, name), request), "{name}");
    }
    let append = only(&trace, "event.append");
    // What is read under locks, then the change with its event and the commit.
    for name in ["db.flush", "db.commit"] {
        let sql = |span: &&Span| span.name == name && below(&trace, span, handler);
        let sql = trace
            .iter()
            .find(sql)
            .unwrap_or_else(|| panic!("no {name}: {trace:#?}"));
        assert_eq!(sql.service, handler.service, "{name}");
        assert_eq!(sql.attribute("db.namespace"), "stoa_customer_app", "{name}");
    }
    assert!(below(&trace, append, handler), "{append:?}");
    assert_eq!(
        handling(&trace, "customer.activities").parent,
        append.id,
        "the consumer continues where the event was made"
    );
    assert!(
        trace.iter().all(|s| !format!("{s:?}").contains("traced.test")),
        "no personal data in spans"
    );

    // Without a caller's trace the request begins one, which the answer names.
    let fresh = alice
        .get("/api/customers?limit=1")
        .await
        .header("x-trace-id")
        .to_owned();
    let spans = eventually(|| async {
        let spans = collector.trace(&fresh);
        let read = spans.iter().any(|s| s.name == "db.read");
        (read && spans.iter().any(|s| s.name == "request")).then_some(spans)
    })
    .await;
    assert_eq!(only(&spans, "request").parent, "");
    // What the demo data wrote had no request above it.
    assert_eq!(
        collector.roots_other_than(&["request", "consume"]),
        [""; 0],
        "pollers export no traces of their own"
    );
}

/// A platform that exports its traces.
async fn traced(topology: Topology) -> (Platform, Collector) {
    let collector = Collector::start();
    let config = format!("[telemetry]\notlp_endpoint = \"{}\"\n", collector.endpoint);
    (start_with(topology, &config).await.unwrap(), collector)
}

async fn post(api: &Api, path: &str, body: &Value) -> Answer {
    let request = api.request(Method::POST, path).header("traceparent", CALLER);
    send(request.json(body)).await
}

/// The caller's trace, once the consumers have handled the event and no span's parent is missing: processes export in
/// batches, each by itself.
async fn whole_trace(collector: &Collector, consumers: &[&str]) -> Vec<Span> {
    eventually(|| async {
        let spans = collector.trace(&CALLER[3..35]);
        let consumed = |name: &&str| spans.iter().any(|s| s.attribute("consumer") == *name);
        let linked =
            |span: &Span| span.parent == CALLER[36..52] || spans.iter().any(|other| other.id == span.parent);
        let whole = consumers.iter().all(consumed) && spans.iter().all(linked);
        (whole && spans.iter().any(|s| s.name == "request")).then_some(spans)
    })
    .await
}

/// The span in which the customer service handles the request.
fn handler<'a>(trace: &'a [Span], topology: Topology, request: &Span) -> &'a Span {
    if topology == Topology::OneProcess {
        return only(trace, "serve");
    }
    let served = trace
        .iter()
        .find(|s| s.name == "mesh.serve" && s.attribute("name") == "customer")
        .unwrap();
    let forward = only(trace, "mesh.forward");
    assert_eq!((&served.parent, &forward.parent), (&forward.id, &request.id));
    assert_eq!(
        (served.service.as_str(), request.service.as_str()),
        ("customer", "gateway")
    );
    served
}

fn handling<'a>(trace: &'a [Span], consumer: &str) -> &'a Span {
    trace
        .iter()
        .find(|span| span.attribute("consumer") == consumer)
        .unwrap_or_else(|| panic!("{consumer} handled nothing in {trace:#?}"))
}

fn only<'a>(trace: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = trace.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name} in {trace:#?}");
    found[0]
}

fn below(trace: &[Span], span: &Span, ancestor: &Span) -> bool {
    let mut at = span;
    while let Some(parent) = trace.iter().find(|s| s.id == at.parent) {
        if parent.id == ancestor.id {
            return true;
        }
        at = parent;
    }
    false
}
