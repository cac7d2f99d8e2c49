//! Owns the table of routes: what is served, and what the OpenAPI document describes, both come from it.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::{MethodRouter, delete, get, post, put};
use utoipa::OpenApi;

use crate::described::EveryRoute;
use crate::service::Api;
use crate::{apps, changes, events, history, metrics, operations, placement, rollouts, tasks};

/// One route with one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// In lower case.
    pub method: &'static str,
    /// Names in braces stand for any segment.
    pub path: &'static str,
    /// Needs no token.
    pub open: bool,
}

macro_rules! routes {
    ($($method:ident $path:literal $module:ident::$handler:ident $access:ident $($leader:ident)?;)*) => {
        /// Every route, one line for each method.
        pub const ROUTES: &[Route] = &[
            $(Route { method: stringify!($method), path: $path, open: routes!(@ $access) },)*
        ];

        /// Those which only look, but at what only the leader knows.
        const KNOWN_TO_LEADER: &[&str] = &[$($(routes!(@ $leader $path),)?)*];

        fn served() -> Router<Api> {
            let mut router = Router::new();
            $({
                let method: MethodRouter<Api> = $method($module::$handler);
                router = router.route($path, method);
            })*
            router
        }

        #[derive(OpenApi)]
        #[openapi(
            paths($($module::$handler),*),
            components(schemas(crate::dto::GapDto, crate::problem::ProblemDto)),
            modifiers(&EveryRoute),
            info(title = "Swan", description = "An application scheduler for Apache Mesos"),
        )]
        struct Document;
    };
    (@ leader $path:literal) => { $path };
    (@ open) => { true };
    (@ token) => { false };
}

routes! {
    get    "/ping"                                operations::ping           open;
    get    "/version"                             operations::version        token;
    get    "/metrics"                             metrics::metrics           open;
    get    "/openapi.json"                        operations::open_api       token;
    get    "/v1/ping"                             operations::v1_ping        open;
    get    "/v1/version"                          operations::v1_version     token;
    get    "/v1/leader"                           operations::leader         token;
    delete "/v1/leader"                           operations::abdicate       token;
    get    "/v1/framework"                        operations::framework      token leader;
    post   "/v1/framework"                       operations::decide_framework token;
    get    "/v1/quarantine"                       operations::quarantine     token;
    delete "/v1/quarantine/{task}"                operations::end_quarantined token;
    get    "/v1/events"                           events::follow             token leader;
    get    "/v1/agents"                           placement::agents          token leader;
    get    "/v1/agents/{agent}"                   placement::agent           token leader;
    post   "/v1/brake/override"                   operations::override_brake token;
    post   "/v1/purge"                            operations::purge          token;
    get    "/v1/apps"                             apps::list                 token;
    post   "/v1/apps"                             changes::create            token;
    get    "/v1/apps/{app}"                       apps::show                 token;
    put    "/v1/apps/{app}"                       changes::update            token;
    delete "/v1/apps/{app}"                       changes::delete            token;
    post   "/v1/apps/{app}/scale"                 changes::scale             token;
    post   "/v1/apps/{app}/rollback"              changes::rollback          token;
    post   "/v1/apps/{app}/restart"               changes::restart           token;
    post   "/v1/apps/{app}/stop"                  changes::stop              token;
    post   "/v1/apps/{app}/start"                 changes::start             token;
    post   "/v1/apps/{app}/reset"                 changes::reset             token;
    post   "/v1/apps/{app}/release"               changes::release           token;
    get    "/v1/apps/{app}/rollouts"              rollouts::list             token;
    get    "/v1/apps/{app}/rollout"               rollouts::show             token;
    post   "/v1/apps/{app}/rollout/pause"         rollouts::pause            token;
    post   "/v1/apps/{app}/rollout/resume"        rollouts::resume           token;
    post   "/v1/apps/{app}/rollout/cancel"        rollouts::cancel           token;
    get    "/v1/apps/{app}/explain"               placement::explain         token leader;
    get    "/v1/apps/{app}/failures"              history::failures          token;
    get    "/v1/apps/{app}/versions"              apps::versions             token;
    post   "/v1/apps/{app}/versions"              changes::add_version       token;
    get    "/v1/apps/{app}/versions/{version}"    apps::version              token;
    get    "/v1/apps/{app}/tasks"                 tasks::list                token;
    delete "/v1/apps/{app}/tasks"                 tasks::kill_all            token;
    get    "/v1/apps/{app}/tasks/{task}"          tasks::show                token;
    delete "/v1/apps/{app}/tasks/{task}"          tasks::kill                token;
    get    "/v1/apps/{app}/tasks/{task}/history"  history::of_task           token;
}

/// The OpenAPI document.
pub fn open_api() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Whether a path needs no token.
pub(crate) fn is_open(path: &str) -> bool {
    ROUTES.iter().any(|route| route.open && route.path == path)
}

/// Whether only the leader can answer: changes, and what no manager knows that follows.
pub(crate) fn needs_leader(request: &Request<Body>) -> bool {
    let fits = |route: &&str| {
        let mut parts = request.uri().path().split('/');
        let same = route
            .split('/')
            .all(|part| parts.next().is_some_and(|given| part.starts_with('{') || part == given));
        same && parts.next().is_none()
    };
    !request.method().is_safe() || KNOWN_TO_LEADER.iter().any(fits)
}

pub(crate) fn router(api: Api) -> Router {
    served().fallback(operations::no_route).method_not_allowed_fallback(operations::no_method).with_state(api)
}
