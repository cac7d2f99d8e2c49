//! Owns the frameworks: subscription, streams, heartbeats, failover, teardown, and the routing of calls.

use std::collections::{BTreeSet, VecDeque};

use swan_core::mesos::{Address, Call, Event, FrameworkId, FrameworkInfo, MasterInfo, Subscribed};
use swan_core::time::{Instant, Millis};

use super::state::{Framework, Index, Stream, Timer};
use super::types::{ClusterOutput, ConnId, RequestNo};
use super::{Cluster, uuid, uuid_text, validation};

/// A status and a text; no status means that the answer is already out.
type Reply = (Option<u16>, String);

fn refused(status: u16, body: impl Into<String>) -> Reply {
    (Some(status), body.into())
}

/// What a master says of itself, by number: AGENT_UPDATE, AGENT_DRAINING, QUOTA_V2.
const MASTER_CAPABILITIES: [i32; 3] = [1, 2, 3];

impl Framework {
    pub(crate) fn new(info: FrameworkInfo) -> Self {
        Self {
            info,
            stream: None,
            recovered: false,
            suppressed: BTreeSet::new(),
            tasks: Index::default(),
            unreachable: VecDeque::new(),
            failover_deadline: None,
        }
    }
}

impl Cluster {
    pub(super) fn subscribe(
        &mut self,
        conn: ConnId,
        stream_id: Option<&str>,
        framework_id: Option<FrameworkId>,
        call: Call,
        out: &mut Vec<ClusterOutput>,
    ) {
        let Call::Subscribe { framework_info: info, suppressed_roles } = call else {
            let body = "Failed to validate scheduler::Call: Expecting 'subscribe' to be present".into();
            out.push(ClusterOutput::Rejected { conn, status: 400, body });
            return;
        };
        let named = |id: &Option<FrameworkId>| id.clone().filter(|id| !id.as_str().is_empty());
        let problem = if named(&info.id) != named(&framework_id) {
            "Failed to validate scheduler::Call: 'framework_id' differs from 'subscribe.framework_info.id'"
        } else if stream_id.is_some() {
            "Subscribe calls should not include the 'Mesos-Stream-Id' header"
        } else {
            ""
        };
        if !problem.is_empty() {
            out.push(ClusterOutput::Rejected { conn, status: 400, body: problem.into() });
            return;
        }
        let id = uuid_text(uuid(&mut self.rng));
        out.push(ClusterOutput::Accepted { conn, stream_id: id.clone() });
        if let Err(message) = self.admit(&info, &suppressed_roles) {
            let event = Box::new(Event::Error { message });
            out.extend([ClusterOutput::Event { conn, event }, ClusterOutput::End { conn }]);
            return;
        }
        self.attach(conn, id, *info, suppressed_roles, out);
    }

    fn admit(&self, info: &FrameworkInfo, suppressed: &[String]) -> Result<(), String> {
        validation::framework(info, suppressed)?;
        let Some(id) = &info.id else { return Ok(()) };
        if self.completed.contains(id) {
            return Err("Framework has been removed".into());
        }
        let Some(known) = self.frameworks.get(id) else { return Ok(()) };
        validation::framework_update(&known.info, &preserving(&known.info, info.clone()))
    }

    /// Binds the stream to its framework, a new one or a known one, and starts it.
    fn attach(
        &mut self,
        conn: ConnId,
        stream_id: String,
        mut info: FrameworkInfo,
        suppressed: Vec<String>,
        out: &mut Vec<ClusterOutput>,
    ) {
        let id =
            info.id.clone().filter(|id| !id.as_str().is_empty()).unwrap_or_else(|| self.new_framework_id());
        info.id = Some(id.clone());
        let was_active = self.drop_stream(&id, out);
        self.void_offers(&id);
        let known = self.frameworks.contains_key(&id);
        let framework = self.frameworks.entry(id.clone()).or_insert_with(|| Framework::new(info.clone()));
        framework.info = preserving(&framework.info, info);
        framework.recovered = false;
        framework.failover_deadline = None;
        framework.suppressed = suppressed.into_iter().collect();
        let next_heartbeat = self.now.mono + self.options.heartbeat;
        framework.stream = Some(Stream { conn, id: stream_id, next_heartbeat });
        if !was_active {
            self.drop_filters(&id, |_| true);
        }
        self.streams.insert(conn, id.clone());
        self.arm(next_heartbeat, Timer::Heartbeat(id.clone()));
        let subscribed = Subscribed {
            framework_id: id.clone(),
            heartbeat_interval: Some(self.options.heartbeat),
            master_info: Some(self.master_info()),
        };
        self.send(&id, Event::Subscribed(Box::new(subscribed)), out);
        self.send(&id, Event::Heartbeat, out);
        if !was_active {
            self.allocate(None, out);
        }
        if known {
            self.resend_updates_of(&id, out);
        }
    }

    /// Ends the framework's present stream, if there is one, and says whether there was.
    fn drop_stream(&mut self, id: &FrameworkId, out: &mut Vec<ClusterOutput>) -> bool {
        let Some(framework) = self.frameworks.get_mut(id) else { return false };
        let Some(old) = framework.stream.take() else { return false };
        self.streams.remove(&old.conn);
        let event = Box::new(Event::Error { message: "Framework failed over".into() });
        out.extend([ClusterOutput::Event { conn: old.conn, event }, ClusterOutput::End { conn: old.conn }]);
        true
    }

    /// The next id that nobody has or had: an adopted framework may bear one of this master's.
    fn new_framework_id(&mut self) -> FrameworkId {
        loop {
            let id = FrameworkId::new(format!("{}-{:04}", self.master_id, self.next_framework));
            self.next_framework += 1;
            if !self.frameworks.contains_key(&id) && !self.completed.contains(&id) {
                return id;
            }
        }
    }

    fn master_info(&self) -> MasterInfo {
        let options = &self.options;
        MasterInfo {
            id: self.master_id.clone(),
            hostname: Some(options.hostname.clone()),
            address: Some(Address {
                hostname: Some(options.hostname.clone()),
                ip: Some(options.ip.clone()),
                port: options.port,
            }),
            version: Some("1.12.0".into()),
            domain: options.domain.clone(),
            capabilities: MASTER_CAPABILITIES.to_vec(),
        }
    }

    pub(super) fn heartbeat(&mut self, at: Instant, id: &FrameworkId, out: &mut Vec<ClusterOutput>) {
        let interval = self.options.heartbeat;
        let stream = self.frameworks.get_mut(id).and_then(|framework| framework.stream.as_mut());
        let Some(stream) = stream.filter(|stream| stream.next_heartbeat == at) else { return };
        stream.next_heartbeat = (at + interval).max(self.now.mono + Millis(1));
        let next = stream.next_heartbeat;
        self.arm(next, Timer::Heartbeat(id.clone()));
        self.send(id, Event::Heartbeat, out);
    }

    /// The scheduler's side of a stream is gone: offers are void, tasks go on, the failover clock runs.
    pub(super) fn closed(&mut self, conn: ConnId) {
        let Some(id) = self.streams.remove(&conn) else { return };
        self.void_offers(&id);
        let Some(framework) = self.frameworks.get_mut(&id) else { return };
        framework.stream = None;
        let deadline = self.now.mono + framework.info.failover_timeout.unwrap_or_default();
        framework.failover_deadline = Some(deadline);
        self.arm(deadline, Timer::Failover(id));
    }

    pub(super) fn end_streams(&mut self, message: &str, out: &mut Vec<ClusterOutput>) {
        let conns: Vec<ConnId> = self.streams.keys().copied().collect();
        for conn in conns {
            let event = Box::new(Event::Error { message: message.into() });
            out.extend([ClusterOutput::Event { conn, event }, ClusterOutput::End { conn }]);
            self.closed(conn);
        }
    }

    pub(super) fn failover_due(&mut self, at: Instant, id: &FrameworkId, out: &mut Vec<ClusterOutput>) {
        if self.frameworks.get(id).is_some_and(|framework| framework.failover_deadline == Some(at)) {
            self.remove_framework(id, out);
        }
    }

    /// Ends the framework for good: its tasks are killed, its id is burned.
    pub(super) fn remove_framework(&mut self, id: &FrameworkId, out: &mut Vec<ClusterOutput>) {
        self.void_offers(id);
        let Some(framework) = self.frameworks.remove(id) else { return };
        self.completed.insert(id.clone());
        self.checkpointed.remove(id);
        for known in framework.tasks.into_values().filter(|known| !known.state.is_terminal()) {
            self.give_back(&known.agent, known.resources);
        }
        self.drop_filters(id, |_| true);
        self.forsake_framework(id, out);
        if let Some(stream) = framework.stream {
            self.streams.remove(&stream.conn);
            out.push(ClusterOutput::End { conn: stream.conn });
        }
    }

    /// Any call but SUBSCRIBE, in the order in which a master checks it.
    pub(super) fn call(
        &mut self,
        stream_id: Option<&str>,
        framework_id: Option<FrameworkId>,
        call: Call,
        request: RequestNo,
        out: &mut Vec<ClusterOutput>,
    ) -> Reply {
        if let Call::Acknowledge { uuid, .. } | Call::AcknowledgeOperationStatus { uuid, .. } = &call
            && uuid.0.len() != 16
        {
            return refused(400, "Failed to validate scheduler::Call: Not a valid UUID");
        }
        let Some(id) = framework_id else {
            return refused(
                400,
                "Failed to validate scheduler::Call: Expecting 'framework_id' to be present",
            );
        };
        let Some(framework) = self.frameworks.get(&id) else {
            return refused(400, "Framework cannot be found");
        };
        let Some(stream) = &framework.stream else {
            return refused(403, "Framework is not subscribed");
        };
        match stream_id {
            None => refused(400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header"),
            Some(given) if given != stream.id => refused(
                400,
                format!(
                    "The stream ID '{given}' included in this request didn't match the stream ID currently \
                     associated with framework ID {id}"
                ),
            ),
            Some(_) => self.accepted_call(&id, call, request, out),
        }
    }

    /// A well-formed call of a subscribed framework: 202 comes before whatever it causes.
    fn accepted_call(
        &mut self,
        id: &FrameworkId,
        call: Call,
        request: RequestNo,
        out: &mut Vec<ClusterOutput>,
    ) -> Reply {
        if let Call::UpdateFramework { framework_info, suppressed_roles } = call {
            return self.update_framework(id, *framework_info, suppressed_roles, out);
        }
        out.push(ClusterOutput::Answer { request, status: 202, body: String::new() });
        match call {
            Call::Teardown => self.remove_framework(id, out),
            Call::Accept { offer_ids, operations, filters } => {
                self.accept(id, &offer_ids, operations, filters, out);
            }
            Call::Decline { offer_ids, filters } => self.decline(id, &offer_ids, filters),
            Call::Revive { roles } => self.revive(id, &roles, out),
            Call::Suppress { roles } => self.suppress(id, &roles),
            Call::Kill { task_id, agent_id, grace } => self.kill(id, task_id, agent_id, grace, out),
            Call::Acknowledge { agent_id, task_id, uuid } => {
                self.acknowledge(id, &agent_id, &task_id, &uuid, out);
            }
            Call::Reconcile { tasks } => self.reconcile(id, &tasks, out),
            Call::AcceptInverseOffers(answer) | Call::DeclineInverseOffers(answer) => {
                self.answer_inverse(id, &answer);
            }
            // Executors of one's own and operations' feedback are not modelled.
            Call::Subscribe { .. }
            | Call::UpdateFramework { .. }
            | Call::Shutdown { .. }
            | Call::Message { .. }
            | Call::Request
            | Call::ReconcileOperations { .. }
            | Call::AcknowledgeOperationStatus { .. } => {}
        }
        (None, String::new())
    }

    fn update_framework(
        &mut self,
        id: &FrameworkId,
        info: FrameworkInfo,
        suppressed: Vec<String>,
        out: &mut Vec<ClusterOutput>,
    ) -> Reply {
        let Some(framework) = self.frameworks.get_mut(id) else {
            return refused(400, "Framework cannot be found");
        };
        if let Err(error) = validation::framework(&info, &suppressed) {
            return refused(400, format!("Supplied FrameworkInfo is not valid: {error}"));
        }
        if let Err(error) = validation::framework_update(&framework.info, &info) {
            return refused(400, format!("FrameworkInfo update is not valid: {error}"));
        }
        framework.info = info;
        framework.suppressed = suppressed.into_iter().collect();
        let roles = validation::roles(&framework.info);
        self.drop_filters(id, |role| !roles.iter().any(|mine| mine == role));
        self.rescind_where(
            |offer| offer.framework == *id && !roles.iter().any(|role| **role == *offer.role),
            out,
        );
        refused(200, "")
    }

    fn suppress(&mut self, id: &FrameworkId, roles: &[String]) {
        let Some(framework) = self.frameworks.get_mut(id) else { return };
        let mine = validation::roles(&framework.info);
        if roles.is_empty() {
            framework.suppressed = mine.into_iter().collect();
        } else if roles.iter().all(|role| mine.contains(role)) {
            framework.suppressed.extend(roles.iter().cloned());
        }
    }

    fn revive(&mut self, id: &FrameworkId, roles: &[String], out: &mut Vec<ClusterOutput>) {
        let Some(framework) = self.frameworks.get_mut(id) else { return };
        let mine = validation::roles(&framework.info);
        if roles.iter().any(|role| !mine.contains(role)) {
            return;
        }
        let meant = if roles.is_empty() { &mine } else { roles };
        framework.suppressed.retain(|role| !meant.contains(role));
        self.drop_filters(id, |role| meant.iter().any(|meant| meant == role));
        self.allocate(None, out);
    }
}

/// `user` and `checkpoint` can never change; a subscription that tries is taken, the fields are not.
fn preserving(old: &FrameworkInfo, mut new: FrameworkInfo) -> FrameworkInfo {
    new.user.clone_from(&old.user);
    new.checkpoint = old.checkpoint;
    new
}
