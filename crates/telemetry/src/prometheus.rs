//! The Prometheus recorder behind the `metrics` macros.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use metrics::{Counter, counter, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::Error;
use crate::line_queue::LineQueue;
use crate::process::ProcessGauges;

/// Upper bounds of histograms named `*_seconds`. They hold the thresholds of the alert rules exactly:
/// 50, 100, 200 and 500 ms.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Histogram samples wait in memory until they are sorted into buckets; this often.
const UPKEEP: Duration = Duration::from_secs(5);

pub(crate) struct Prometheus {
    handle: PrometheusHandle,
    process: ProcessGauges,
    log_dropped: Counter,
    lines: Arc<LineQueue>,
    /// Dropped with this value, which ends the upkeep thread.
    _upkeep: mpsc::Sender<()>,
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prometheus").finish_non_exhaustive()
    }
}

impl Prometheus {
    /// Installs the recorder for the whole process.
    pub(crate) fn install(service: &str, lines: Arc<LineQueue>) -> Result<Self, Error> {
        let (this, recorder) = Self::build(service, lines)?;
        metrics::set_global_recorder(recorder).map_err(|_| Error::AlreadyStarted("metrics recorder"))?;
        Ok(this)
    }

    fn build(service: &str, lines: Arc<LineQueue>) -> Result<(Self, PrometheusRecorder), Error> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
            .map_err(|error| Error::Metrics(error.to_string()))?
            .build_recorder();
        let handle = recorder.handle();
        let (process, log_dropped) = metrics::with_local_recorder(&recorder, || register(service));
        let upkeep = start_upkeep(handle.clone())?;
        Ok((
            Self {
                handle,
                process,
                log_dropped,
                lines,
                _upkeep: upkeep,
            },
            recorder,
        ))
    }

    pub(crate) fn render(&self) -> String {
        self.process.update();
        self.log_dropped.absolute(self.lines.dropped());
        self.handle.render()
    }
}

fn register(service: &str) -> (ProcessGauges, Counter) {
    metrics::describe_counter!(
        "stoa_log_dropped_total",
        "Log lines lost because standard output was too slow"
    );
    metrics::describe_gauge!("stoa_build_info", "Always 1; the labels say what is running");
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let service = service.to_owned();
    gauge!("stoa_build_info", "version" => env!("CARGO_PKG_VERSION"), "service" => service, "profile" => profile)
        .set(1.0);
    (ProcessGauges::register(), counter!("stoa_log_dropped_total"))
}

fn start_upkeep(handle: PrometheusHandle) -> Result<mpsc::Sender<()>, Error> {
    let name = "stoa-metrics";
    let (alive, ended) = mpsc::channel::<()>();
    std::thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            while ended.recv_timeout(UPKEEP) == Err(mpsc::RecvTimeoutError::Timeout) {
                handle.run_upkeep();
            }
        })
        .map_err(|source| Error::Thread { name, source })?;
    Ok(alive)
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: OB-02
    #[test]
    fn renders_buckets_process_and_build() {
        let lines = Arc::new(LineQueue::start(Box::new(std::io::sink())).unwrap());
        let (prometheus, recorder) = Prometheus::build("gateway", lines).unwrap();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("stoa_request_seconds", "route" => "/a").record(0.15);
            metrics::counter!("stoa_requests_total").increment(3);
        });
        let text = prometheus.render();
        for line in [
            "# TYPE stoa_request_seconds histogram",
            "stoa_request_seconds_bucket{route=\"/a\",le=\"0.1\"} 0",
            "stoa_request_seconds_bucket{route=\"/a\",le=\"0.2\"} 1",
            "stoa_request_seconds_bucket{route=\"/a\",le=\"+Inf\"} 1",
            "stoa_requests_total 3",
            "stoa_log_dropped_total 0",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is missing in\n{text}"
            );
        }
        assert!(
            text.contains("stoa_build_info{version=\"0.1.0\",service=\"gateway\""),
            "{text}"
        );
        for name in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_threads",
        ] {
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim);
            assert!(value.unwrap().parse::<f64>().unwrap() > 0.0, "{name}");
        }
        assert!(text.contains("\nprocess_cpu_seconds_total "), "{text}");
    }
}
