//! Owns what users ask for.

use std::fmt;

use serde::{Deserialize, Serialize};
use swan_core::id::DottedId;
use swan_core::mesos::TaskId;
use swan_core::scheduler::View;
use swan_core::scheduler::api::{ApiCall, AppChange, FrameworkWord, Guard, RolloutVerb};

use crate::definition::Definition;

/// One thing to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Ask {
    /// A new app.
    Create { app: String, definition: Definition },
    /// A change of an app; `force` replaces one that is under way.
    Change { app: String, change: Change, force: bool },
    /// Another task in this slot.
    Kill { app: String, slot: u32 },
    /// Another task in every slot.
    KillAll { app: String },
    /// The rollout under way.
    Steer { app: String, verb: RolloutVerb },
    /// An operator takes what is lost for lost.
    OverrideBrake,
    /// An operator says which framework a manager is that has lost its store; none is a new one.
    ChooseFramework { adopt: Option<String> },
    /// An operator ends a task that no record knows.
    EndUnknown { task: String },
}

/// What an app is to become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Change {
    /// Another definition.
    Update(Definition),
    /// The version before.
    Rollback,
    /// Another number of instances.
    Scale(u32),
    /// New tasks of the same definition.
    Restart,
    /// No tasks.
    Stop,
    /// Tasks again.
    Start,
    /// No app any more.
    Delete,
}

impl Ask {
    /// A change that does not replace one under way.
    pub fn change(app: &str, change: Change) -> Self {
        Self::Change { app: app.into(), change, force: false }
    }

    /// The app that it is about; empty if about none.
    pub(crate) fn app(&self) -> &str {
        match self {
            Self::OverrideBrake | Self::ChooseFramework { .. } | Self::EndUnknown { .. } => "",
            Self::Create { app, .. }
            | Self::Change { app, .. }
            | Self::Kill { app, .. }
            | Self::KillAll { app }
            | Self::Steer { app, .. } => app,
        }
    }

    /// The definition that it brings, if it does.
    pub(crate) const fn definition(&self) -> Option<&Definition> {
        match self {
            Self::Create { definition, .. } | Self::Change { change: Change::Update(definition), .. } => {
                Some(definition)
            }
            _ => None,
        }
    }

    /// The call that asks for it. `seen` is the revision that the change is tied to.
    pub(crate) fn call(&self, view: Option<View<'_>>, seen: Option<u64>) -> ApiCall {
        let app = DottedId::from_text(self.app());
        match self {
            Self::Create { app, definition } => ApiCall::CreateApp { document: definition.document(app) },
            Self::Change { change, force, .. } => {
                let change = match change {
                    Change::Update(definition) => {
                        AppChange::Update { document: definition.document(self.app()) }
                    }
                    Change::Rollback => AppChange::Rollback { version: None },
                    Change::Scale(instances) => AppChange::Scale { instances: *instances, ips: None },
                    Change::Restart => AppChange::Restart,
                    Change::Stop => AppChange::Stop,
                    Change::Start => AppChange::Start,
                    Change::Delete => AppChange::Delete,
                };
                ApiCall::ChangeApp { app, change, guard: Guard { if_match: seen, force: *force } }
            }
            Self::Kill { slot, .. } => {
                let page = view.and_then(|view| view.tasks(&app, slot.checked_sub(1), 1));
                let task = page.and_then(|page| page.items.into_iter().next()?.id);
                ApiCall::KillTask { app, task: task.unwrap_or_else(|| TaskId::from("nothing")) }
            }
            Self::KillAll { .. } => ApiCall::KillTasks { app },
            Self::Steer { verb, .. } => ApiCall::SteerRollout { app, verb: *verb },
            Self::OverrideBrake => ApiCall::OverrideBrake,
            Self::ChooseFramework { adopt } => {
                let adopted = adopt.as_deref().map(|id| FrameworkWord::Adopt(id.into()));
                ApiCall::ChooseFramework { word: adopted.unwrap_or(FrameworkWord::New) }
            }
            Self::EndUnknown { task } => ApiCall::KillQuarantined { task: task.as_str().into() },
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(self))
    }
}

fn words(ask: &Ask) -> String {
    let Ask::Change { app, change, force } = ask else {
        return match ask {
            Ask::Create { app, definition } => format!("creates {app}: {}", defined(definition)),
            Ask::Kill { app, slot } => format!("ends the task of {app}/{slot}"),
            Ask::KillAll { app } => format!("ends all tasks of {app}"),
            Ask::Steer { app, verb } => format!("says {verb:?} to the rollout of {app}"),
            _ => format!("asks {ask:?}"),
        };
    };
    let force = if *force { ", by force" } else { "" };
    match change {
        Change::Update(definition) => format!("updates {app}{force}: {}", defined(definition)),
        Change::Rollback => format!("rolls {app} back{force}"),
        Change::Scale(instances) => format!("scales {app} to {instances}{force}"),
        Change::Restart => format!("restarts {app}{force}"),
        Change::Stop => format!("stops {app}{force}"),
        Change::Start => format!("starts {app}{force}"),
        Change::Delete => format!("deletes {app}{force}"),
    }
}

fn defined(definition: &Definition) -> String {
    let Definition { image, instances, checked, trouble: _, policy, rules, strategy } = definition;
    let mut text = format!("{instances} of {image}");
    if *checked {
        text += ", with a health check";
    }
    if let Some(policy) = policy {
        text += &format!(", {policy:?}");
    }
    if !rules.is_empty() {
        text += &format!(", {rules:?}");
    }
    if let Some(strategy) = strategy {
        text += &format!(", strategy {strategy}");
    }
    text
}
