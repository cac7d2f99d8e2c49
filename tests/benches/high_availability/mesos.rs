//! Owns a stand-in for Mesos: says at once what a master would say to a framework whose tasks all run.

use swan_core::link::{CallAnswer, LinkEffect, LinkInput, Response};
use swan_core::mesos::{
    AgentFacts, AgentId, Event, FrameworkId, Offer, OfferId, Reason, Resource, Subscribed, TaskState,
    TaskStatus,
};
use swan_core::scheduler::effect::MesosCall;

/// What a master has seen of one manager.
pub(crate) struct Mesos {
    offers: u32,
    /// It was asked after tasks.
    pub(crate) reconciled: bool,
    /// A task was launched.
    pub(crate) accepted: bool,
}

impl Mesos {
    /// A master that offers so many agents.
    pub(crate) const fn new(offers: u32) -> Self {
        Self { offers, reconciled: false, accepted: false }
    }

    pub(crate) fn execute(&mut self, effect: LinkEffect, tell: impl Fn(LinkInput)) {
        match effect {
            LinkEffect::Subscribe { conn, .. } => {
                let stream_id = Some("stream".to_owned());
                let response = Response { status: 200, stream_id, location: None, body: String::new() };
                tell(LinkInput::Opened { conn, response });
                let event = |event| tell(LinkInput::Event { conn, event: Box::new(event) });
                event(Event::Subscribed(Box::new(Subscribed {
                    framework_id: FrameworkId::from("F"),
                    heartbeat_interval: None,
                    master_info: None,
                })));
                if self.offers > 0 {
                    event(Event::Offers((0..self.offers).map(offer).collect()));
                }
            }
            LinkEffect::Send { conn, id, call, .. } => {
                let response = Response { status: 202, stream_id: None, location: None, body: String::new() };
                tell(LinkInput::Answered { conn, id, answer: CallAnswer::Response(response) });
                match *call {
                    MesosCall::Accept { launches, .. } => self.accepted |= !launches.is_empty(),
                    MesosCall::Reconcile { tasks } => {
                        self.reconciled = true;
                        for (task, agent) in tasks {
                            let status = TaskStatus {
                                agent_id: agent,
                                ..TaskStatus::from_master(task, TaskState::Running, Reason::Reconciliation)
                            };
                            let event = Box::new(Event::Update(Box::new(status)));
                            tell(LinkInput::Event { conn, event });
                        }
                    }
                    _ => {}
                }
            }
            LinkEffect::Ask { conn, .. } => tell(LinkInput::Listed { conn, frameworks: Vec::new() }),
            LinkEffect::Close { .. } => {}
            LinkEffect::Up { .. } => unreachable!("what is for the scheduler stays in the manager"),
        }
    }
}

fn offer(n: u32) -> Offer {
    Offer {
        id: OfferId::new(format!("offer-{n}")),
        framework_id: FrameworkId::from("F"),
        agent_id: AgentId::new(format!("fresh-{n}")),
        agent: AgentFacts { hostname: format!("fresh{n}.example"), ..AgentFacts::default() }.into(),
        resources: vec![
            Resource::scalar("cpus", 8_000).allocated_to("*"),
            Resource::scalar("mem", 32_000_000).allocated_to("*"),
            Resource::ranges("ports", vec![(31_000, 31_999)]).allocated_to("*"),
        ],
        role: Some("*".into()),
        unavailability: None,
        executor_ids: Vec::new(),
    }
}
