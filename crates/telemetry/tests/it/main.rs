//! Telemetry as a process sees it: one start, one collector, one scrape.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may panic, their helpers too"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use stoa_telemetry::{Error, Format, Options, Telemetry, TraceContext, attach_remote_parent, context_of};

fn options(endpoint: Option<String>) -> Options {
    Options {
        service: "gateway".into(),
        instance: "pod-1".into(),
        format: Format::Json,
        filter: "info".into(),
        otlp_endpoint: endpoint,
        sample_ratio: 1.0,
    }
}

/// Answers OTLP exports on a free port; gives each request's head and body.
fn collector() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if sender.send(answer(stream.unwrap())).is_err() {
                break;
            }
        }
    });
    (endpoint, requests)
}

fn answer(mut stream: TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "the request ended early");
        bytes.extend_from_slice(&chunk[..count]);
        let Some(end) = find(&bytes, b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        if bytes.len() - end - 4 < length.parse().unwrap() {
            continue;
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .unwrap();
        return (head, bytes[end + 4..].to_vec());
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

// covers: OB-01, OB-02
// In a runtime, as `stoa serve` is: neither the exporter nor its end may need it, or panic in it.
#[tokio::test]
async fn a_process_exports_its_spans_and_metrics() {
    let (endpoint, requests) = collector();
    let telemetry = Telemetry::start(options(Some(endpoint))).unwrap();

    let caller = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    // Libraries' spans are no part of Stoa's traces.
    tracing::info_span!("library").in_scope(|| ());
    let span = tracing::info_span!(
        target: "stoa::test",
        "decide-endpoint",
        route = "customers.get",
        session_token = "hunter2"
    );
    attach_remote_parent(&span, &caller);
    let own = context_of(&span).unwrap();
    assert_eq!((own.trace_id, own.sampled), (caller.trace_id, true));
    assert_ne!(own.span_id, caller.span_id);
    span.in_scope(|| tracing::info!(password = "hunter2", "inside"));
    drop(span);
    telemetry.set_filter("warn,it=debug").unwrap();
    tracing_log::log::debug!("from the log crate");
    tracing_log::log::info!(target: "elsewhere", "filtered");
    metrics::histogram!("stoa_decision_seconds").record(0.0004);
    telemetry.shutdown();

    let (head, body) = requests.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    for wanted in [
        &b"decide-endpoint"[..],
        b"gateway",
        b"pod-1",
        b"customers.get",
        &caller.trace_id,
        &caller.span_id,
        &own.span_id,
    ] {
        assert!(
            find(&body, wanted).is_some(),
            "{} is missing",
            String::from_utf8_lossy(wanted)
        );
    }
    assert!(find(&body, b"library").is_none(), "a library's span was exported");
    assert!(find(&body, b"hunter2").is_none() && find(&body, b"[redacted]").is_some());

    let text = telemetry.render_metrics();
    assert!(
        text.contains("stoa_decision_seconds_bucket{le=\"0.0005\"} 1"),
        "{text}"
    );
    assert!(matches!(
        Telemetry::start(options(None)),
        Err(Error::AlreadyStarted(_))
    ));
}

#[test]
fn wrong_options_say_what_to_do() {
    let mut wrong = options(None);
    wrong.sample_ratio = 1.5;
    assert!(matches!(Telemetry::start(wrong), Err(Error::SampleRatio(_))));

    let message = Telemetry::start(options(Some("collector:4318".into())))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("`collector:4318`") && message.contains("http://collector:4318"),
        "{message}"
    );
}

// covers: OB-04
#[test]
fn standard_output_gets_one_object_a_line_with_the_exported_trace() {
    // The test above in a process of its own, for its standard output.
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_process_exports_its_spans_and_metrics",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{text}");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .filter_map(|line| line.find("{\"timestamp\"").map(|start| &line[start..]))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let messages: Vec<_> = lines
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(messages, ["inside", "from the log crate"]);
    assert_eq!(lines[0]["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(lines[0]["spanId"].as_str().unwrap().len(), 16);
    assert_eq!(lines[0]["password"], "[redacted]");
    assert_eq!(lines[1]["target"], "it");
    assert!(lines[1].get("traceId").is_none());
}
