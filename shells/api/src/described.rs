//! Owns what the OpenAPI document says of many routes alike; each handler's attribute says only what is its own.

use std::collections::BTreeMap;

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Required, Response};
use utoipa::{IntoParams, IntoResponses, Modify, PartialSchema};

/// What every route has: the names in its path, a key if it changes something, and refusals.
pub(crate) struct EveryRoute;

impl Modify for EveryRoute {
    fn modify(&self, document: &mut OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let changes = [&mut item.post, &mut item.put, &mut item.delete].into_iter().flatten();
            let all =
                item.get.iter_mut().map(|look| (look, false)).chain(changes.map(|change| (change, true)));
            for (operation, changes) in all {
                add_parameters(operation, path, changes);
                add_refusals(operation, path);
            }
        }
    }
}

/// A route's own parameters stand between the names in its path and the key.
fn add_parameters(operation: &mut Operation, path: &str, changes: bool) {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let names = names.map(|name| {
        let about = match name {
            "app" => "The dotted id; case does not matter",
            "task" => "The task's id, or its slot's name",
            "version" => "The version's id",
            "agent" => "The agent's id in Mesos",
            _ => panic!("nothing is known of {{{name}}} in {path}"),
        };
        RefOr::T(parameter::<String>(ParameterIn::Path, name, about))
    });
    let key = changes.then(|| {
        let about = "The same key is done once and answered alike";
        RefOr::T(parameter::<String>(ParameterIn::Header, "Idempotency-Key", about))
    });
    let own = operation.parameters.take().unwrap_or_default();
    let all: Vec<_> = names.chain(own).chain(key).collect();
    operation.parameters = Some(all).filter(|all| !all.is_empty());
}

/// Refusals that a route does not name itself; each is a problem document.
fn add_refusals(operation: &mut Operation, path: &str) {
    let responses = &mut operation.responses.responses;
    if path.contains("{app}") {
        responses.entry("404".to_owned()).or_insert_with(|| Response::new("No such app").into());
    }
    responses.entry("default".to_owned()).or_insert_with(|| Response::new("Refused").into());
    for (status, response) in responses {
        let refused = status == "default" || status.starts_with(['4', '5']);
        if let (RefOr::T(response), true) = (response, refused) {
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            response.content.insert("application/problem+json".to_owned(), problem.into());
        }
    }
}

/// What the changes of an app have in common: their conditions, and that they may be only thought of.
pub(crate) struct ChangeOfApp;

impl IntoParams for ChangeOfApp {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            parameter::<bool>(ParameterIn::Query, "force", "Replace a change that is under way"),
            parameter::<bool>(ParameterIn::Query, "dryRun", "Only say what it would do"),
            parameter::<String>(ParameterIn::Header, "If-Match", "The ETag that the caller has seen"),
        ]
    }
}

impl IntoResponses for ChangeOfApp {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut accepted = Response::new("`accepted`: durable and under way");
        accepted.content.insert("application/json".to_owned(), Content::new(Some(String::schema())).into());
        let mut tried = Response::new("What it would do, with `dryRun`");
        let would_be = Content::new(Some(Ref::from_schema_name("DryRun")));
        tried.content.insert("application/json".to_owned(), would_be.into());
        let all = [
            ("202", accepted),
            ("200", tried),
            ("412", Response::new("If-Match names another revision")),
            ("423", Response::new("A change is under way")),
        ];
        all.map(|(status, response)| (status.to_owned(), response.into())).into()
    }
}

fn parameter<T: PartialSchema>(place: ParameterIn, name: &str, about: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(T::schema()))
        .build()
}
