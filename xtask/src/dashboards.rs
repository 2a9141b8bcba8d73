//! The Grafana dashboards, written from the tables in `dashboards/panels.rs`: `cargo run -p xtask -- dashboards`.

mod panels;

use anyhow::{Context, bail};
use panels::{Dashboard, Panel};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Columns of Grafana's grid, and how much of it a panel takes.
const COLUMNS: usize = 24;
const WIDTH: usize = 8;
const HEIGHT: usize = 8;

/// Writes them to `deploy/dashboards/`.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    for (file, text) in rendered(root)? {
        std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        println!("wrote {}", file.display());
    }
    Ok(())
}

/// Compares what is checked in with what the tables say.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (file, text) in rendered(root)? {
        if std::fs::read_to_string(&file).ok().as_deref() != Some(&text) {
            let name = file.strip_prefix(root).unwrap_or(&file).display();
            wrong.push(format!(
                "{name} is not what its table says: run `cargo run -p xtask -- dashboards`"
            ));
        }
    }
    Ok(wrong)
}

/// Every query as a recording rule, so that `promtool check rules` judges its syntax.
///
/// # Errors
/// When a dashboard has no query.
pub(crate) fn rules() -> anyhow::Result<String> {
    let mut rules = String::from("groups:\n  - name: dashboards\n    rules:\n");
    let queries: Vec<&str> = panels::DASHBOARDS
        .iter()
        .flat_map(|dashboard| dashboard.panels)
        .flat_map(|panel| panel.queries)
        .map(|(_, query)| *query)
        .collect();
    if queries.is_empty() {
        bail!("there are no queries");
    }
    for (n, query) in queries.into_iter().enumerate() {
        let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
        writeln!(
            rules,
            "      - record: dashboard:query_{n}\n        expr: {query:?}"
        )?;
    }
    Ok(rules)
}

fn rendered(root: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let folder = root.join("deploy/dashboards");
    panels::DASHBOARDS
        .iter()
        .map(|dashboard| {
            let text = serde_json::to_string_pretty(&dashboard_json(dashboard))?;
            Ok((folder.join(format!("{}.json", dashboard.name)), text + "\n"))
        })
        .collect()
}

fn dashboard_json(dashboard: &Dashboard) -> Value {
    let panels: Vec<Value> = dashboard
        .panels
        .iter()
        .enumerate()
        .map(|(n, panel)| panel_json(n, panel))
        .collect();
    json!({
        "uid": format!("stoa-{}", dashboard.name),
        "title": format!("Stoa · {}", dashboard.title),
        "description": dashboard.about,
        "tags": ["stoa"],
        "schemaVersion": 39,
        "editable": false,
        "refresh": "30s",
        "time": { "from": "now-3h", "to": "now" },
        "templating": { "list": [
            { "name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source" },
            { "name": "instance", "type": "query", "label": "Instance", "datasource": source(),
              "query": "label_values(stoa_build_info, instance)", "refresh": 2,
              "includeAll": true, "allValue": ".*", "multi": true },
        ] },
        "links": [{ "type": "dashboards", "tags": ["stoa"], "title": "Stoa", "asDropdown": true }],
        "panels": panels,
    })
}

fn panel_json(n: usize, panel: &Panel) -> Value {
    let per_row = COLUMNS / WIDTH;
    let targets: Vec<Value> = panel
        .queries
        .iter()
        .enumerate()
        .map(|(at, (legend, query))| {
            json!({ "refId": format!("Q{at}"), "datasource": source(), "expr": query, "legendFormat": legend })
        })
        .collect();
    json!({
        "id": n + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": source(),
        "gridPos": { "h": HEIGHT, "w": WIDTH, "x": n % per_row * WIDTH, "y": n / per_row * HEIGHT },
        "fieldConfig": { "defaults": { "unit": panel.unit, "min": 0 }, "overrides": [] },
        "options": { "legend": { "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"] } },
        "targets": targets,
    })
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}
