//! Owns a link and a client wired together, as a manager wires them.

use std::collections::VecDeque;
use std::time::Duration;

use swan_core::link::{ConnId, Link, LinkInput, MasterAddress};
use swan_core::mesos::{FrameworkInfo, OfferId};
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::input::LinkEvent;
use swan_core::time::{Instant, Millis, Now, Timestamp};
use swan_mesos::client::{Client, Connector, Credential, Secret};
use tokio::sync::mpsc;

pub(crate) struct Rig<C> {
    pub link: Link,
    client: Client<C>,
    inputs: mpsc::Receiver<LinkInput>,
    began: tokio::time::Instant,
    /// The connection of the newest event taken.
    seen: ConnId,
    waiting: VecDeque<(ConnId, LinkEvent)>,
}

impl<C: Connector> Rig<C> {
    pub(crate) fn new(connector: C, masters: Vec<MasterAddress>) -> Self {
        Self::of(FrameworkInfo::default(), connector, masters)
    }

    /// One of a framework that says this of itself.
    pub(crate) fn of(framework: FrameworkInfo, connector: C, masters: Vec<MasterAddress>) -> Self {
        let (sender, inputs) = mpsc::channel(16);
        let credential = Credential { principal: "swan".into(), secret: Secret::new("hunter2") };
        let mut rig = Self {
            link: Link::new(),
            client: Client::new(connector, Some(credential), sender),
            inputs,
            began: tokio::time::Instant::now(),
            seen: ConnId::default(),
            waiting: VecDeque::new(),
        };
        rig.step(LinkInput::Boot { seed: 1, masters });
        rig.call(MesosCall::Subscribe {
            framework_info: Box::new(framework),
            suppressed_roles: vec![],
            anew: false,
        });
        rig
    }

    pub(crate) fn now(&self) -> Instant {
        Instant(u64::try_from(self.began.elapsed().as_millis()).unwrap())
    }

    fn step(&mut self, input: LinkInput) {
        let mut effects = Vec::new();
        self.link.step(Now { mono: self.now(), wall: Timestamp(0) }, input, &mut effects);
        self.waiting.extend(effects.into_iter().filter_map(|effect| self.client.execute(effect)));
    }

    pub(crate) fn call(&mut self, call: MesosCall) {
        self.step(LinkInput::Call { seen: self.seen, call: Box::new(call) });
    }

    pub(crate) fn decline(&mut self, offer: usize) {
        let offers = vec![OfferId::new(format!("O{offer}"))];
        self.call(MesosCall::Decline { offers, refuse: Millis(5_000) });
    }

    /// One thing that happens: an input, or a deadline.
    pub(crate) async fn turn(&mut self) {
        let now = self.now();
        let wait = self
            .link
            .next_deadline()
            .map_or(Duration::from_secs(3600), |due| Duration::from_millis(due.since(now).0 + 1));
        let input = match tokio::time::timeout(wait, self.inputs.recv()).await {
            Ok(input) => input.expect("the client lives as long as the rig"),
            Err(_) => LinkInput::Wake,
        };
        self.step(input);
    }

    /// The next event for the scheduler.
    pub(crate) async fn next(&mut self) -> LinkEvent {
        loop {
            if let Some((conn, event)) = self.waiting.pop_front() {
                self.seen = conn;
                return event;
            }
            self.turn().await;
        }
    }

    pub(crate) async fn connected(&mut self) {
        match self.next().await {
            LinkEvent::Connected(_) => {}
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn disconnected(&mut self) -> String {
        match self.next().await {
            LinkEvent::Disconnected { why } => why,
            other => panic!("{other:?}"),
        }
    }

    /// Goes on until a subscription stands.
    pub(crate) async fn connected_at_last(&mut self) {
        while !matches!(self.next().await, LinkEvent::Connected(_)) {}
    }

    /// Goes on until it is so; events are kept.
    pub(crate) async fn until(&mut self, is_so: impl Fn() -> bool) {
        while !is_so() {
            self.turn().await;
        }
    }
}
