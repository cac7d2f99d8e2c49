//! Owns what readers see of the past of an app: its rollouts, and the failures of its slots.

use alloc::vec::Vec;

use super::reading::View;
use super::view::{FailureView, Page, RolloutView};
use crate::id::DottedId;

impl View<'_> {
    /// The rollouts of an app that are remembered, newest first; the first may be under way.
    pub fn rollouts(&self, id: &DottedId) -> Option<Vec<RolloutView>> {
        self.app(id).map(|_| Vec::new())
    }

    /// The failures that are remembered, by slot, newest first within one: of `slot` only, or of all slots after
    /// `after_slot`; pages end between slots.
    pub fn failures(
        &self,
        id: &DottedId,
        _slot: Option<u32>,
        _after_slot: Option<u32>,
        _limit: usize,
    ) -> Option<Page<FailureView>> {
        self.app(id).map(|_| Page { items: Vec::new(), next: None })
    }
}
