//! Owns dry runs: what a change would do, without doing it.

use super::api::{ApiCall, ApiError};
use super::reading::View;
use super::view::DryRunView;

impl View<'_> {
    /// What `call` would do; `Err` if it would be refused.
    pub fn dry_run(&self, _call: &ApiCall) -> Result<DryRunView, ApiError> {
        Ok(DryRunView::default())
    }
}
