//! The processes, their databases and their memory.

use super::{Dashboard, panel};

pub(super) const SYSTEM: Dashboard = Dashboard {
    name: "system",
    title: "System",
    about: "Is it up, is it well, what is scarce",
    panels: &[
        panel(
            "Requests",
            "reqps",
            "At the gateway, by kind of answer",
            &[(
                "{{status_class}}",
                r#"sum by (status_class) (rate(stoa_http_requests_total{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Failed requests",
            "percentunit",
            "Goal: below 0.1 %",
            &[(
                "5xx",
                r#"sum(rate(stoa_http_requests_total{status_class="5xx",instance=~"$instance"}[$__rate_interval])) / sum(rate(stoa_http_requests_total{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Duration",
            "s",
            "From the first byte in to the last byte out",
            &[
                (
                    "p50",
                    r#"histogram_quantile(0.5, sum by (le) (rate(stoa_http_request_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#,
                ),
                (
                    "p99",
                    r#"histogram_quantile(0.99, sum by (le) (rate(stoa_http_request_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#,
                ),
            ],
        ),
        panel(
            "CPU",
            "percentunit",
            "Share of the cores that a process may use",
            &[(
                "{{instance}}",
                r#"rate(process_cpu_seconds_total{job="stoa",instance=~"$instance"}[$__rate_interval]) / process_cpu_cores{job="stoa",instance=~"$instance"}"#,
            )],
        ),
        panel(
            "Memory",
            "bytes",
            "Resident, and the limit",
            &[
                (
                    "{{instance}}",
                    r#"process_resident_memory_bytes{job="stoa",instance=~"$instance"}"#,
                ),
                (
                    "{{instance}} limit",
                    r#"process_memory_limit_bytes{job="stoa",instance=~"$instance"}"#,
                ),
            ],
        ),
        panel(
            "Files and threads",
            "short",
            "Each connection is a file",
            &[
                (
                    "{{instance}} files",
                    r#"process_open_fds{job="stoa",instance=~"$instance"}"#,
                ),
                (
                    "{{instance}} threads",
                    r#"process_threads{job="stoa",instance=~"$instance"}"#,
                ),
            ],
        ),
        panel(
            "Versions",
            "short",
            "What runs",
            &[(
                "{{version}} {{service}} ({{profile}})",
                r#"count by (version, service, profile) (stoa_build_info{instance=~"$instance"})"#,
            )],
        ),
        panel(
            "Lost log lines",
            "short",
            "Standard output was too slow",
            &[(
                "{{instance}}",
                r#"rate(stoa_log_dropped_total{instance=~"$instance"}[$__rate_interval])"#,
            )],
        ),
        panel(
            "Age of the policies",
            "s",
            "Past 60 s every decision is a refusal",
            &[(
                "{{instance}}",
                r#"stoa_decisions_staleness_seconds{instance=~"$instance"}"#,
            )],
        ),
    ],
};

pub(super) const DATABASE: Dashboard = Dashboard {
    name: "database",
    title: "Database",
    about: "Pools and transactions, by role",
    panels: &[
        panel(
            "Connections in use",
            "short",
            "By role",
            &[(
                "{{role}}",
                r#"sum by (role) (stoa_db_pool_connections{state="used",instance=~"$instance"})"#,
            )],
        ),
        panel(
            "Use of the pools",
            "percentunit",
            "Warning above 80 %",
            &[(
                "{{role}}",
                r#"max by (role) (stoa_db_pool_connections{state="used",instance=~"$instance"}) / max by (role) (stoa_db_pool_connections{state="max",instance=~"$instance"})"#,
            )],
        ),
        panel(
            "Open connections",
            "short",
            "All pools together",
            &[(
                "open",
                r#"sum(stoa_db_pool_connections{state=~"used|idle",instance=~"$instance"})"#,
            )],
        ),
        panel(
            "Transactions",
            "ops",
            "By role",
            &[(
                "{{role}}",
                r#"sum by (role) (rate(stoa_db_transaction_seconds_count{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "p50 of transactions",
            "s",
            "From the first statement to the end, waiting for a connection included",
            &[(
                "{{role}}",
                r#"histogram_quantile(0.5, sum by (le, role) (rate(stoa_db_transaction_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#,
            )],
        ),
        panel(
            "p99 of transactions",
            "s",
            "Warning above 100 ms",
            &[(
                "{{role}}",
                r#"histogram_quantile(0.99, sum by (le, role) (rate(stoa_db_transaction_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#,
            )],
        ),
    ],
};

pub(super) const CACHE: Dashboard = Dashboard {
    name: "cache",
    title: "Caches",
    about: "What is answered from memory",
    panels: &[
        panel(
            "Hit rate",
            "percentunit",
            "Warning below 90 %",
            &[(
                "{{cache}}",
                r#"sum by (cache) (rate(stoa_cache_requests_total{outcome="hit",instance=~"$instance"}[$__rate_interval])) / sum by (cache) (rate(stoa_cache_requests_total{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Look-ups",
            "ops",
            "By cache",
            &[(
                "{{cache}}",
                r#"sum by (cache) (rate(stoa_cache_requests_total{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Misses",
            "ops",
            "Each asks another service or verifies a signature",
            &[(
                "{{cache}}",
                r#"sum by (cache) (rate(stoa_cache_requests_total{outcome="miss",instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
    ],
};
