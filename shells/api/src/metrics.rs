//! Owns `/metrics`: the machine's numbers and the API's own, as Prometheus text.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;
use crate::reading::{Reading, Stat, StatKind};
use crate::service::Api;

/// Answers given, by class of status.
#[derive(Debug, Default)]
pub(crate) struct RequestCounts([AtomicU64; 5]);

impl RequestCounts {
    pub(crate) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.0.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Numbers for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations", security(()),
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let shown = api.clone();
    api.show_standing(
        |reading: &dyn Reading| reading.stats(),
        move |stats| {
            let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            Ok((content_type, write_all(&shown, &stats)).into_response())
        },
    )
    .await
}

fn write_all(api: &Api, stats: &[Stat]) -> String {
    let mut text = String::new();
    for stat in stats {
        write_one(&mut text, stat);
    }
    write_one(
        &mut text,
        &Stat {
            name: "api_event_streams",
            help: "Event streams open now.",
            kind: StatKind::Gauge,
            value: api.streams.count() as u64,
        },
    );
    text.push_str("# HELP swan_api_responses_total Answers given by the API.\n# TYPE swan_api_responses_total counter\n");
    for (class, counter) in (1..).zip(&api.counts.0) {
        let value = counter.load(Ordering::Relaxed);
        put(&mut text, format_args!("swan_api_responses_total{{class=\"{class}xx\"}} {value}\n"));
    }
    text
}

fn write_one(text: &mut String, stat: &Stat) {
    let Stat { name, help, value, .. } = stat;
    let (kind, suffix) = match stat.kind {
        StatKind::Counter => ("counter", "_total"),
        StatKind::Gauge => ("gauge", ""),
    };
    put(text, format_args!("# HELP swan_{name}{suffix} {help}\n# TYPE swan_{name}{suffix} {kind}\n"));
    put(text, format_args!("swan_{name}{suffix} {value}\n"));
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a string takes any text");
}
