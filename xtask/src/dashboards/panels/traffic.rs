//! What is asked of them.

use super::{Dashboard, panel};

pub(super) const GATEWAY: Dashboard = Dashboard {
    name: "gateway",
    title: "Gateway",
    about: "Rate, errors and duration of each route; authorisation",
    panels: &[
        panel(
            "Requests by route",
            "reqps",
            "The twenty busiest",
            &[(
                "{{route}}",
                r#"topk(20, sum by (route) (rate(stoa_http_requests_total{instance=~"$instance"}[$__rate_interval])))"#,
            )],
        ),
        panel(
            "Failures by route",
            "reqps",
            "5xx",
            &[(
                "{{route}}",
                r#"topk(20, sum by (route) (rate(stoa_http_requests_total{status_class="5xx",instance=~"$instance"}[$__rate_interval])))"#,
            )],
        ),
        panel(
            "Refusals by route",
            "reqps",
            "4xx: bad input, no right, not there",
            &[(
                "{{route}}",
                r#"topk(20, sum by (route) (rate(stoa_http_requests_total{status_class="4xx",instance=~"$instance"}[$__rate_interval])))"#,
            )],
        ),
        panel(
            "p95 by route",
            "s",
            "The ten slowest",
            &[(
                "{{route}}",
                r#"topk(10, histogram_quantile(0.95, sum by (le, route) (rate(stoa_http_request_seconds_bucket{instance=~"$instance"}[$__rate_interval]))))"#,
            )],
        ),
        panel(
            "Authorisation",
            "s",
            "Verify the token, find the route, decide",
            &[
                (
                    "p50",
                    r#"histogram_quantile(0.5, sum by (le) (rate(stoa_authorization_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#,
                ),
                (
                    "p99",
                    r#"histogram_quantile(0.99, sum by (le) (rate(stoa_authorization_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#,
                ),
            ],
        ),
        panel(
            "Decisions",
            "ops",
            "In every process, endpoints and rows",
            &[(
                "{{outcome}}",
                r#"sum by (outcome) (rate(stoa_decisions_total{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
    ],
};

pub(super) const SERVICES: Dashboard = Dashboard {
    name: "services",
    title: "Services",
    about: "Rate, errors and duration of each service; calls between them; events and jobs",
    panels: &[
        panel(
            "Requests",
            "reqps",
            "That reached the service",
            &[(
                "{{service}}",
                r#"sum by (service) (rate(stoa_requests_total{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Failures",
            "reqps",
            "5xx, and answers that nobody waited for",
            &[(
                "{{service}}",
                r#"sum by (service) (rate(stoa_requests_total{outcome="failed",instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "p95",
            "s",
            "Until the answer's head",
            &[(
                "{{service}}",
                r#"histogram_quantile(0.95, sum by (le, service) (rate(stoa_request_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#,
            )],
        ),
        panel(
            "Calls between services",
            "ops",
            "By outcome",
            &[(
                "{{call}} {{outcome}}",
                r#"topk(20, sum by (call, outcome) (rate(stoa_mesh_calls_total{instance=~"$instance"}[$__rate_interval])))"#,
            )],
        ),
        panel(
            "p95 of calls",
            "s",
            "The ten slowest",
            &[(
                "{{call}}",
                r#"topk(10, histogram_quantile(0.95, sum by (le, call) (rate(stoa_mesh_call_seconds_bucket{instance=~"$instance"}[$__rate_interval]))))"#,
            )],
        ),
        panel(
            "Restarted tasks",
            "short",
            "In a quarter of an hour",
            &[(
                "{{task}}",
                r#"sum by (task) (increase(stoa_task_restarts_total{instance=~"$instance"}[15m]))"#,
            )],
        ),
        panel(
            "Events written",
            "ops",
            "By topic",
            &[(
                "{{topic}}",
                r#"sum by (topic) (rate(stoa_events_appended_total{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Consumer lag",
            "short",
            "Events not looked at yet",
            &[(
                "{{consumer}}",
                r#"max by (consumer) (stoa_consumer_lag_events{instance=~"$instance"})"#,
            )],
        ),
        panel(
            "Parked and dead events",
            "short",
            "What a handler could not handle",
            &[
                (
                    "{{consumer}} parked",
                    r#"max by (consumer) (stoa_consumer_parked_events{instance=~"$instance"}) > 0"#,
                ),
                (
                    "{{consumer}} dead",
                    r#"max by (consumer) (stoa_consumer_dead_letters{instance=~"$instance"}) > 0"#,
                ),
            ],
        ),
        panel(
            "Jobs",
            "ops",
            "Finished, by outcome",
            &[(
                "{{kind}} {{outcome}}",
                r#"sum by (kind, outcome) (rate(stoa_jobs_total{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Waiting jobs",
            "short",
            "Due and not begun",
            &[(
                "{{service}}",
                r#"max by (service) (stoa_jobs_waiting{instance=~"$instance"})"#,
            )],
        ),
        panel(
            "Oldest waiting job",
            "s",
            "",
            &[(
                "{{service}}",
                r#"max by (service) (stoa_jobs_oldest_waiting_seconds{instance=~"$instance"})"#,
            )],
        ),
    ],
};

pub(super) const BUSINESS: Dashboard = Dashboard {
    name: "business",
    title: "Business",
    about: "What people do with it",
    panels: &[
        panel(
            "Sign-ins",
            "ops",
            "By outcome",
            &[(
                "{{outcome}}",
                r#"sum by (outcome) (rate(stoa_identity_sign_ins_total{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Tokens issued",
            "ops",
            "Access tokens",
            &[(
                "issued",
                r#"sum(rate(stoa_identity_tokens_issued_total{instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Changes",
            "ops",
            "Events of each kind",
            &[(
                "{{type}}",
                r#"topk(20, sum by (type) (rate(stoa_events_appended_total{instance=~"$instance"}[$__rate_interval])))"#,
            )],
        ),
        panel(
            "Customers",
            "ops",
            "Created, changed, merged",
            &[(
                "{{type}}",
                r#"sum by (type) (rate(stoa_events_appended_total{topic="domain.customer.events",instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "People",
            "ops",
            "Users and teams",
            &[(
                "{{type}}",
                r#"sum by (type) (rate(stoa_events_appended_total{topic="domain.user.events",instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
        panel(
            "Contacts and interactions",
            "ops",
            "",
            &[(
                "{{type}}",
                r#"sum by (type) (rate(stoa_events_appended_total{topic="domain.contact.events",instance=~"$instance"}[$__rate_interval]))"#,
            )],
        ),
    ],
};
