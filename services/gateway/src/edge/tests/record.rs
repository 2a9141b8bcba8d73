//! The request record.

use super::*;

/// What the request log said, one entry per event.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<HashMap<String, String>>>>);

struct Fields<'a>(&'a mut HashMap<String, String>);

impl tracing::field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.insert(
            field.name().to_owned(),
            format!("{value:?}").trim_matches('"').to_owned(),
        );
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target() == "stoa::request" {
            let mut fields = HashMap::new();
            event.record(&mut Fields(&mut fields));
            self.0.lock().unwrap().push(fields);
        }
    }
}

impl Log {
    /// The log of this process: a subscriber of one thread would miss what other tests' threads switched off.
    fn install() -> &'static Self {
        use tracing_subscriber::layer::SubscriberExt;
        static LOG: std::sync::LazyLock<Log> = std::sync::LazyLock::new(|| {
            let log = Log::default();
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(log.clone()))
                .unwrap();
            log
        });
        &LOG
    }

    fn take(&self, world: &World) -> Vec<HashMap<String, String>> {
        let mut all = self.0.lock().unwrap();
        all.extract_if(.., |record| record["trace_id"] == world.trace)
            .collect()
    }
}

// covers: GW-23
// covers: OB-04
#[tokio::test]
async fn every_request_has_exactly_one_record_that_says_why() {
    let log = Log::install();
    let world = world(None, false).await;
    let token = world.token();
    let one = |log: &Log| {
        let mut records = log.take(&world);
        assert_eq!(records.len(), 1, "{records:?}");
        records.remove(0)
    };

    let (_, headers, _) = world.get("/api/customers/7?secret=1", Some(&token)).await;
    let record = one(log);
    for (field, expected) in [
        ("method", "GET"),
        ("path", "/api/customers/7"),
        ("status", "200"),
        ("trace_id", headers["x-trace-id"].to_str().unwrap()),
        ("tenant_id", &TENANT.to_string()),
        ("user_id", &Uuid::from_u128(7).to_string()),
        ("route", "customer"),
        ("rule", "/api/customers/{id}"),
        ("decision", "allowed"),
        ("upstream", "customer"),
        ("reason", "ok"),
    ] {
        assert_eq!(record[field], expected, "{field}");
    }
    assert_eq!(record["span_id"].len(), 16, "{record:?}");
    assert!(record["bytes"].parse::<u64>().unwrap() > 0);
    assert!(!format!("{record:?}").contains("secret"), "no query");

    for (target, token, status, decision, reason) in [
        ("/nowhere", Some(&token), "404", "none", "route.none"),
        ("/api/without/rule", Some(&token), "403", "refused", "rule.none"),
        ("/api/me", None, "401", "refused", "token.none"),
        ("/api//x", None, "400", "none", "path.empty_segment"),
        ("/api/slow", None, "504", "public", "timeout"),
        ("/public/panic", None, "500", "public", "panic"),
        ("/api/away", None, "503", "public", "upstream.unknown"),
    ] {
        world.get(target, token.map(String::as_str)).await;
        let record = one(log);
        let found = [&record["status"], &record["decision"], &record["reason"]];
        assert_eq!(found, [status, decision, reason], "{target}");
    }

    let hung_up = world.get("/api/slow", None);
    assert!(
        tokio::time::timeout(Duration::from_millis(20), hung_up)
            .await
            .is_err()
    );
    let record = one(log);
    assert_eq!([&record["status"], &record["reason"]], ["499", "client.closed"]);

    let response = world.send("GET", "/public/stream", &[], "").await;
    assert!(log.take(&world).is_empty(), "not before the body's end");
    open(response).await;
    let record = one(log);
    assert_eq!([&record["bytes"], &record["reason"]], ["6", "ok"]);
    drop(world.send("GET", "/public/stream", &[], "").await);
    assert_eq!(one(log)["reason"], "client.closed");
}
