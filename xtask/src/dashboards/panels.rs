//! What the dashboards show. Queries use only metrics that the binary exports; an end-to-end test scrapes it to see.

mod machine;
mod traffic;

/// One dashboard.
pub(super) struct Dashboard {
    /// The file's name.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) panels: &'static [Panel],
}

/// One chart.
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    /// As Grafana names units: `reqps`, `s`, `percentunit`, `bytes`, `short`.
    pub(super) unit: &'static str,
    /// Legend and PromQL.
    pub(super) queries: &'static [(&'static str, &'static str)],
}

const fn panel(
    title: &'static str,
    unit: &'static str,
    about: &'static str,
    queries: &'static [(&'static str, &'static str)],
) -> Panel {
    Panel {
        title,
        about,
        unit,
        queries,
    }
}

pub(super) const DASHBOARDS: &[Dashboard] = &[
    machine::SYSTEM,
    traffic::GATEWAY,
    traffic::SERVICES,
    machine::DATABASE,
    machine::CACHE,
    traffic::BUSINESS,
];
