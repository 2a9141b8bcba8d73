use super::*;
use crate::level::LevelGate;
use std::sync::Mutex;
use tracing_subscriber::layer::SubscriberExt;

/// What a test's log wrote.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// 2026-01-31T23:59:59.007Z
fn fixed_clock() -> Duration {
    Duration::from_millis(1_769_903_999_007)
}

/// Runs `body` under a log of this style and filter; gives the lines.
fn logged_with(style: Style, filter: &str, body: impl FnOnce(&LevelGate)) -> Vec<String> {
    let sink = Sink::default();
    let lines = Arc::new(LineQueue::start(Box::new(sink.clone())).unwrap());
    let mut layer = LogLayer::new(style, "gate\"way", "pod-1", Arc::clone(&lines));
    layer.clock = fixed_clock;
    let gate = LevelGate::new(filter).unwrap();
    let subscriber = tracing_subscriber::registry().with(gate.clone()).with(layer);
    tracing::subscriber::with_default(subscriber, || body(&gate));
    assert!(lines.flush(Duration::from_secs(10)));
    let bytes = sink.0.lock().unwrap().clone();
    String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn logged(style: Style, body: impl FnOnce()) -> Vec<String> {
    logged_with(style, "info", |_| body())
}

// covers: OB-04
#[test]
fn golden_json_line() {
    let lines = logged(Style::Json, || {
        let request = tracing::info_span!(
            "request",
            trace_id = "0af7651916cd43dd8448eb211c80319c",
            span_id = "b7ad6b7169203331",
            tenant_id = tracing::field::Empty,
            user_id = tracing::field::Empty,
        );
        let _in_request = request.enter();
        request.record("tenant_id", "t-1");
        request.record("user_id", tracing::field::display("u-1"));
        let inner = tracing::info_span!("inner", spanId = "00f067aa0ba902b7", route = "/x");
        let _in_inner = inner.enter();
        tracing::info!(
            target: "stoa::golden",
            status = 200,
            duration_ms = 1.5,
            ok = true,
            path = "/a\"b\n",
            password = "hunter2",
            api_token = 42,
            Authorization = "Bearer x",
            level = "mine",
            share = f64::NAN,
            "request {}",
            "done",
        );
    });
    let golden = concat!(
        r#"{"timestamp":"2026-01-31T23:59:59.007Z","level":"INFO","service":"gate\"way","instance":"pod-1","#,
        r#""traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"00f067aa0ba902b7","userId":"u-1","#,
        r#""tenantId":"t-1","message":"request done","duration_ms":1.5,"target":"stoa::golden","status":200,"#,
        r#""ok":true,"path":"/a\"b\n","password":"[redacted]","api_token":"[redacted]","#,
        r#""Authorization":"[redacted]","field.level":"mine","share":"NaN"}"#,
    );
    assert_eq!(lines, [golden]);
    let _: serde_json::Value = serde_json::from_str(golden).unwrap();
}

// covers: OB-04
#[test]
fn the_events_own_ids_win_and_absent_ones_are_left_out() {
    let lines = logged(Style::Json, || {
        let _span = tracing::info_span!("request", tenant_id = "outer").entered();
        tracing::warn!(tenantId = "own", userId = 7, "x");
    });
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&line["tenantId"], &line["userId"]), (&"own".into(), &"7".into()));
    assert!(line.get("traceId").is_none() && line.get("duration_ms").is_none());
}

// covers: OB-04
#[test]
fn the_filter_changes_at_run_time_and_spans_survive_it() {
    let say = || {
        tracing::debug!("detail");
        tracing::info!("plain");
        tracing::error!("bad");
    };
    let lines = logged_with(Style::Json, "warn", |gate| {
        let _span = tracing::info_span!("request", tenant_id = "t-1").entered();
        say();
        gate.set("info,stoa_telemetry=debug").unwrap();
        say();
        assert!(gate.set("nonsense").is_err());
        gate.set("off").unwrap();
        say();
    });
    let lines: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let messages: Vec<_> = lines
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(messages, ["bad", "detail", "plain", "bad"]);
    assert!(lines.iter().all(|line| line["tenantId"] == "t-1"));
}

#[test]
fn text_lines() {
    let lines = logged(Style::Text { colour: false }, || {
        tracing::info!(
            trace_id = "abc",
            port = 80,
            cookie = "c",
            note = "two words\x1b[2J",
            "listening"
        );
    });
    assert_eq!(
        lines,
        ["23:59:59.007 INFO  listening port=80 cookie=[redacted] note=two words\\u{1b}[2J traceId=abc"]
    );
    let lines = logged(Style::Text { colour: true }, || tracing::error!(a = 1, "bad"));
    assert_eq!(lines, ["23:59:59.007 \x1b[31mERROR\x1b[0m bad \x1b[2ma=\x1b[0m1"]);
}

/// A value that logs while it is being logged.
struct Chatty;

impl std::fmt::Debug for Chatty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        tracing::info!("inner");
        f.write_str("chatty")
    }
}

#[test]
fn a_value_may_log() {
    let lines = logged(Style::Text { colour: false }, || {
        let span = tracing::info_span!("s", user_id = tracing::field::Empty).entered();
        span.record("user_id", tracing::field::debug(Chatty));
        tracing::info!(value = ?Chatty, "outer");
    });
    // Whether `tracing` passes the inner events on is its affair; the outer line must be whole.
    assert!(lines.last().unwrap().contains("outer value=chatty"), "{lines:?}");
}
