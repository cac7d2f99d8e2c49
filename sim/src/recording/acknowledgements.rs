//! Owns the rule of acknowledgements: what bears a uuid is acknowledged once for each delivery, after what it changed is
//! durable; nothing else ever is (R20, R21).

use std::collections::VecDeque;

use swan_core::mesos::{AgentId, TaskId, TaskStatus, Uuid};
use swan_core::record::Seq;

/// What was delivered, and what of it was acknowledged.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements {
    waiting: VecDeque<Delivery>,
    /// Acknowledged as they should be.
    pub(super) done: u64,
    /// Their stream ended before what they changed was durable; the master sends them again.
    pub(super) cut_off: u64,
}

/// One update with a uuid.
#[derive(Debug)]
struct Delivery {
    line: usize,
    stream: u64,
    at: u64,
    task: TaskId,
    agent: Option<AgentId>,
    uuid: Uuid,
    /// The batch that holds what it changed.
    as_of: Seq,
}

impl Acknowledgements {
    /// An update was delivered, by its recorded name; what it changed is in the batch `as_of`.
    pub(super) fn deliver(&mut self, (line, stream, at): (usize, u64, u64), status: &TaskStatus, as_of: Seq) {
        let Some(uuid) = status.uuid.clone() else { return };
        let (task, agent) = (status.task_id.clone(), status.agent_id.clone());
        self.waiting.push_back(Delivery { line, stream, at, task, agent, uuid, as_of });
    }

    /// An acknowledgement leaves while everything up to `durable` is durable; an error says, with the line of the update,
    /// which rule it breaks.
    pub(super) fn acknowledge(
        &mut self,
        task: &TaskId,
        agent: &AgentId,
        uuid: &Uuid,
        durable: Seq,
    ) -> Result<(), (usize, String)> {
        let is_meant = |delivery: &Delivery| {
            delivery.uuid == *uuid && delivery.task == *task && delivery.agent.as_ref() == Some(agent)
        };
        let Some(place) = self.waiting.iter().position(is_meant) else {
            return Err((0, format!("acknowledges what was not delivered, of {task}")));
        };
        let delivery = self.waiting.remove(place).expect("found just now");
        if delivery.as_of > durable {
            let Seq(missing) = delivery.as_of;
            return Err((
                delivery.line,
                format!("acknowledges an update of {task} before batch {missing} is durable"),
            ));
        }
        self.done += 1;
        Ok(())
    }

    /// A stream has ended: what it delivered within the last `patience` ms could not be acknowledged any more.
    pub(super) fn end_stream(&mut self, stream: u64, now: u64, patience: u64) {
        let before = self.waiting.len();
        self.waiting.retain(|delivery| delivery.stream != stream || now - delivery.at > patience);
        self.cut_off += (before - self.waiting.len()) as u64;
    }

    /// What was never acknowledged: line and task of each.
    pub(super) fn missing(&self) -> impl Iterator<Item = (usize, &TaskId)> {
        self.waiting.iter().map(|delivery| (delivery.line, &delivery.task))
    }
}

#[cfg(test)]
mod tests {
    use swan_core::mesos::{Reason, TaskState};

    use super::*;

    fn status(uuid: u8) -> TaskStatus {
        let status = TaskStatus::from_master("task".into(), TaskState::Running, Reason::Reconciliation);
        TaskStatus { uuid: Some(Uuid([uuid].as_slice().into())), agent_id: Some("S1".into()), ..status }
    }

    fn told(acks: &mut Acknowledgements, uuid: u8, durable: u64) -> Result<(), (usize, String)> {
        let uuid = Uuid([uuid].as_slice().into());
        acks.acknowledge(&"task".into(), &"S1".into(), &uuid, Seq(durable))
    }

    #[test]
    fn only_what_was_delivered_is_acknowledged_once_and_when_durable() {
        let mut acks = Acknowledgements::default();
        assert!(told(&mut acks, 1, 9).is_err(), "never delivered");
        acks.deliver((7, 1, 0), &status(1), Seq(3));
        let (line, why) = told(&mut acks, 1, 2).expect_err("batch 3 is not durable");
        assert_eq!((line, why.contains("batch 3")), (7, true), "{why}");
        acks.deliver((8, 1, 0), &status(1), Seq(3));
        assert_eq!(told(&mut acks, 1, 3), Ok(()));
        assert!(told(&mut acks, 1, 3).is_err(), "twice for one delivery");
        acks.deliver((9, 1, 100), &status(2), Seq(3));
        acks.end_stream(1, 200, 50);
        assert_eq!(acks.missing().map(|(line, _)| line).collect::<Vec<_>>(), [9], "there was time enough");
        acks.end_stream(1, 120, 50);
        assert_eq!((acks.missing().count(), acks.cut_off), (0, 1));
    }
}
