//! Owns the requests that only look: what they ask for is copied out of the machine, and written as JSON with an ETag.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use swan_core::scheduler::view::Page;

use crate::calls::{Paging, Parameters, Target};
use crate::problem::Problem;
use crate::reading::Reading;
use crate::reply;
use crate::service::Api;

/// A request that only looks.
pub(crate) struct Look {
    pub(crate) target: Target,
    pub(crate) parameters: Parameters,
    headers: HeaderMap,
    api: Api,
}

impl FromRequestParts<Api> for Look {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let target = Target::from_request_parts(parts, api).await?;
        let parameters = Parameters::from_request_parts(parts, api).await?;
        Ok(Self { target, parameters, headers: parts.headers.clone(), api: api.clone() })
    }
}

impl Look {
    /// Which part of a listing is asked for; refuses all parameters but these.
    pub(crate) fn paging(&self, known: &[&str]) -> Result<Paging, Problem> {
        self.parameters.only(known)?;
        Paging::of(&self.parameters)
    }

    /// Answers with what `read` finds, in the form that `write` gives it. It takes no parameters.
    pub(crate) async fn show<T: Send + 'static, D: Serialize>(
        self,
        read: impl FnOnce(&dyn Reading, &Target) -> Result<T, Problem> + Send + 'static,
        write: impl FnOnce(T) -> D,
    ) -> Result<Response, Problem> {
        self.show_revised(read, |found| (None, write(found))).await
    }

    /// As [`Self::show`]; `write` also gives the revision, with which the ETag begins.
    pub(crate) async fn show_revised<T: Send + 'static, D: Serialize>(
        self,
        read: impl FnOnce(&dyn Reading, &Target) -> Result<T, Problem> + Send + 'static,
        write: impl FnOnce(T) -> (Option<u64>, D),
    ) -> Result<Response, Problem> {
        let Self { target, parameters, headers, api } = self;
        parameters.only(&[])?;
        api.show(
            move |reading| read(reading, &target),
            |found| {
                let (revision, document) = write(found?);
                Ok(reply::tagged(&headers, revision, &document))
            },
        )
        .await
    }

    /// Answers with a page of what `read` lists, each item as a `D`. `path` leads to the listing.
    pub(crate) async fn page<T: Send + 'static, D: From<T> + Serialize>(
        self,
        path: &str,
        paging: Paging,
        read: impl Fn(&dyn Reading, Option<&str>, usize) -> Result<Page<T>, Problem> + Send + Clone + 'static,
    ) -> Result<Response, Problem> {
        let limit = paging.limit;
        let write = |page: Page<T>| {
            let items: Vec<D> = each(page.items);
            reply::page(&self.headers, path, limit, &items, page.next.as_deref())
        };
        self.api.show_page(paging, read, write).await
    }
}

/// Every one of `items` in its form as a document.
pub(crate) fn each<T, D: From<T>>(items: Vec<T>) -> Vec<D> {
    items.into_iter().map(D::from).collect()
}
