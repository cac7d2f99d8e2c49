//! Owns the conversion of calls.

use prost::Message as _;
use swan_core::mesos as core;
use swan_core::time::Millis;

use super::info::{
    agent_id, executor_id, framework_id, framework_info, maybe, offer_ids, task_id, to_agent_id,
    to_executor_id, to_framework_id, to_framework_info, to_offer_ids, to_task_id, uuid,
};
use super::number::{duration, seconds, to_duration, to_seconds};
use super::resource::{resources, to_resources};
use super::task::{task_info, to_executor, to_task_info};
use crate::wire::error::{At, WireError, each, need};
use crate::wire::v1;
use crate::wire::v1::offer::{Operation, operation};
use crate::wire::v1::scheduler;
use crate::wire::v1::scheduler::call::{
    Accept, AcceptInverseOffers, Acknowledge, AcknowledgeOperationStatus, Decline, DeclineInverseOffers,
    Kill, Message, Reconcile, ReconcileOperations, Request, Revive, Shutdown, Subscribe, Suppress, Type,
    UpdateFramework, reconcile, reconcile_operations,
};

/// What a framework asks, and its id if it gave one.
pub fn call_from_wire(call: scheduler::Call) -> Result<(Option<core::FrameworkId>, core::Call), WireError> {
    let framework = maybe(call.framework_id.clone(), "framework_id", framework_id)?;
    Ok((framework, read(call)?))
}

fn read(call: scheduler::Call) -> Result<core::Call, WireError> {
    let kind = call.r#type.and_then(|number| Type::try_from(number).ok()).unwrap_or(Type::Unknown);
    Ok(match kind {
        Type::Subscribe => subscribe(need(call.subscribe, "subscribe")?).at("subscribe")?,
        Type::Teardown => core::Call::Teardown,
        Type::Accept => accept(need(call.accept, "accept")?).at("accept")?,
        Type::Decline => decline(need(call.decline, "decline")?).at("decline")?,
        Type::AcceptInverseOffers => {
            let found = need(call.accept_inverse_offers, "accept_inverse_offers")?;
            let answer =
                inverse_respond(found.inverse_offer_ids, found.filters).at("accept_inverse_offers")?;
            core::Call::AcceptInverseOffers(answer)
        }
        Type::DeclineInverseOffers => {
            let found = need(call.decline_inverse_offers, "decline_inverse_offers")?;
            let answer =
                inverse_respond(found.inverse_offer_ids, found.filters).at("decline_inverse_offers")?;
            core::Call::DeclineInverseOffers(answer)
        }
        // Both mean all roles when the message is absent.
        Type::Revive => core::Call::Revive { roles: call.revive.unwrap_or_default().roles },
        Type::Suppress => core::Call::Suppress { roles: call.suppress.unwrap_or_default().roles },
        Type::Kill => kill(need(call.kill, "kill")?).at("kill")?,
        Type::Shutdown => shutdown(need(call.shutdown, "shutdown")?).at("shutdown")?,
        Type::Acknowledge => acknowledge(need(call.acknowledge, "acknowledge")?).at("acknowledge")?,
        Type::Reconcile => {
            let tasks = need(call.reconcile, "reconcile")?.tasks;
            core::Call::Reconcile { tasks: each("tasks", tasks, reconcile_task).at("reconcile")? }
        }
        Type::Message => message(need(call.message, "message")?).at("message")?,
        Type::Request => core::Call::Request,
        Type::UpdateFramework => {
            update_framework(need(call.update_framework, "update_framework")?).at("update_framework")?
        }
        Type::ReconcileOperations => {
            let operations = need(call.reconcile_operations, "reconcile_operations")?.operations;
            let id = |found: reconcile_operations::Operation| {
                need(found.operation_id.and_then(|id| id.value), "operation_id")
            };
            let operation_ids = each("operations", operations, id).at("reconcile_operations")?;
            core::Call::ReconcileOperations { operation_ids }
        }
        Type::AcknowledgeOperationStatus => {
            let found = need(call.acknowledge_operation_status, "acknowledge_operation_status")?;
            acknowledge_operation(found).at("acknowledge_operation_status")?
        }
        Type::Unknown => return Err(WireError::new("type", "must be the type of a scheduler call")),
    })
}

fn subscribe(call: Subscribe) -> Result<core::Call, WireError> {
    let framework_info = framework_info(call.framework_info)?;
    Ok(core::Call::Subscribe { framework_info, suppressed_roles: call.suppressed_roles })
}

fn update_framework(call: UpdateFramework) -> Result<core::Call, WireError> {
    let framework_info = framework_info(call.framework_info)?;
    Ok(core::Call::UpdateFramework { framework_info, suppressed_roles: call.suppressed_roles })
}

fn accept(call: Accept) -> Result<core::Call, WireError> {
    Ok(core::Call::Accept {
        offer_ids: offer_ids(call.offer_ids, "offer_ids")?,
        operations: each("operations", call.operations, operation)?,
        filters: filters(call.filters)?,
    })
}

fn decline(call: Decline) -> Result<core::Call, WireError> {
    Ok(core::Call::Decline {
        offer_ids: offer_ids(call.offer_ids, "offer_ids")?,
        filters: filters(call.filters)?,
    })
}

fn inverse_respond(
    ids: Vec<v1::OfferId>,
    with: Option<v1::Filters>,
) -> Result<core::InverseRespond, WireError> {
    let inverse_offer_ids = offer_ids(ids, "inverse_offer_ids")?;
    Ok(core::InverseRespond { inverse_offer_ids, filters: filters(with)? })
}

fn filters(filters: Option<v1::Filters>) -> Result<core::Filters, WireError> {
    let found = filters.and_then(|filters| filters.refuse_seconds);
    Ok(core::Filters { refuse: seconds(found, "refuse_seconds").at("filters")? })
}

fn kill(call: Kill) -> Result<core::Call, WireError> {
    let grace = call.kill_policy.and_then(|policy| policy.grace_period);
    Ok(core::Call::Kill {
        task_id: task_id(call.task_id, "task_id")?,
        agent_id: maybe(call.agent_id, "agent_id", agent_id)?,
        grace: duration(grace, "grace_period").at("kill_policy")?,
    })
}

fn shutdown(call: Shutdown) -> Result<core::Call, WireError> {
    let executor_id = executor_id(call.executor_id, "executor_id")?;
    Ok(core::Call::Shutdown { executor_id, agent_id: agent_id(call.agent_id, "agent_id")? })
}

fn acknowledge(call: Acknowledge) -> Result<core::Call, WireError> {
    Ok(core::Call::Acknowledge {
        agent_id: agent_id(call.agent_id, "agent_id")?,
        task_id: task_id(call.task_id, "task_id")?,
        uuid: uuid(need(call.uuid, "uuid")?),
    })
}

fn acknowledge_operation(call: AcknowledgeOperationStatus) -> Result<core::Call, WireError> {
    Ok(core::Call::AcknowledgeOperationStatus {
        agent_id: maybe(call.agent_id, "agent_id", agent_id)?,
        operation_id: need(call.operation_id.and_then(|id| id.value), "operation_id")?,
        uuid: uuid(need(call.uuid, "uuid")?),
    })
}

fn reconcile_task(task: reconcile::Task) -> Result<core::ReconcileTask, WireError> {
    let task_id = task_id(task.task_id, "task_id")?;
    Ok(core::ReconcileTask { task_id, agent_id: maybe(task.agent_id, "agent_id", agent_id)? })
}

fn message(call: Message) -> Result<core::Call, WireError> {
    Ok(core::Call::Message {
        agent_id: agent_id(call.agent_id, "agent_id")?,
        executor_id: executor_id(call.executor_id, "executor_id")?,
        data: need(call.data, "data")?,
    })
}

fn operation(found: Operation) -> Result<core::Operation, WireError> {
    let number = need(found.r#type, "type")?;
    let id = found.id.and_then(|id| id.value);
    Ok(match operation::Type::try_from(number) {
        Ok(operation::Type::Launch) => {
            let tasks = need(found.launch, "launch")?.task_infos;
            core::Operation::Launch(each("task_infos", tasks, task_info).at("launch")?)
        }
        Ok(operation::Type::LaunchGroup) => {
            launch_group(need(found.launch_group, "launch_group")?).at("launch_group")?
        }
        Ok(operation::Type::Reserve) => {
            let resources = resources(need(found.reserve, "reserve")?.resources).at("reserve")?;
            core::Operation::Reserve { id, resources }
        }
        Ok(operation::Type::Unreserve) => {
            let resources = resources(need(found.unreserve, "unreserve")?.resources).at("unreserve")?;
            core::Operation::Unreserve { id, resources }
        }
        Ok(_) | Err(_) => core::Operation::Other { id, number },
    })
}

fn launch_group(group: operation::LaunchGroup) -> Result<core::Operation, WireError> {
    let tasks = need(group.task_group, "task_group")?.tasks;
    Ok(core::Operation::LaunchGroup {
        executor: need(group.executor, "executor")?.encode_to_vec(),
        tasks: each("tasks", tasks, task_info).at("task_group")?,
    })
}

/// The call as a framework sends it; fails only on opaque bytes that are not what they should be.
pub fn call_to_wire(
    framework: Option<&core::FrameworkId>,
    call: &core::Call,
) -> Result<scheduler::Call, WireError> {
    let mut made =
        scheduler::Call { framework_id: framework.and_then(to_framework_id), ..Default::default() };
    let kind = write(call, &mut made)?;
    made.r#type = Some(kind.into());
    Ok(made)
}

fn write(call: &core::Call, made: &mut scheduler::Call) -> Result<Type, WireError> {
    Ok(match call {
        core::Call::Subscribe { framework_info, suppressed_roles } => {
            let (framework_info, suppressed_roles) =
                (Some(to_framework_info(framework_info)), suppressed_roles.clone());
            put(&mut made.subscribe, Subscribe { framework_info, suppressed_roles }, Type::Subscribe)
        }
        core::Call::UpdateFramework { framework_info, suppressed_roles } => {
            let (framework_info, suppressed_roles) =
                (Some(to_framework_info(framework_info)), suppressed_roles.clone());
            put(
                &mut made.update_framework,
                UpdateFramework { framework_info, suppressed_roles },
                Type::UpdateFramework,
            )
        }
        core::Call::Teardown => Type::Teardown,
        core::Call::Accept { offer_ids, operations, filters } => {
            let operations = each("operations", operations, to_operation).at("accept")?;
            let (offer_ids, filters) = (to_offer_ids(offer_ids), to_filters(*filters));
            put(&mut made.accept, Accept { offer_ids, operations, filters }, Type::Accept)
        }
        core::Call::Decline { offer_ids, filters } => {
            let (offer_ids, filters) = (to_offer_ids(offer_ids), to_filters(*filters));
            put(&mut made.decline, Decline { offer_ids, filters }, Type::Decline)
        }
        core::Call::AcceptInverseOffers(core::InverseRespond { inverse_offer_ids, filters }) => {
            let (inverse_offer_ids, filters) = (to_offer_ids(inverse_offer_ids), to_filters(*filters));
            let answer = AcceptInverseOffers { inverse_offer_ids, filters };
            put(&mut made.accept_inverse_offers, answer, Type::AcceptInverseOffers)
        }
        core::Call::DeclineInverseOffers(core::InverseRespond { inverse_offer_ids, filters }) => {
            let (inverse_offer_ids, filters) = (to_offer_ids(inverse_offer_ids), to_filters(*filters));
            let answer = DeclineInverseOffers { inverse_offer_ids, filters };
            put(&mut made.decline_inverse_offers, answer, Type::DeclineInverseOffers)
        }
        core::Call::Revive { roles } => put(&mut made.revive, Revive { roles: roles.clone() }, Type::Revive),
        core::Call::Suppress { roles } => {
            put(&mut made.suppress, Suppress { roles: roles.clone() }, Type::Suppress)
        }
        core::Call::Request => put(&mut made.request, Request {}, Type::Request),
        core::Call::Kill { task_id, agent_id, grace } => {
            put(&mut made.kill, to_kill(task_id, agent_id.as_ref(), *grace), Type::Kill)
        }
        core::Call::Shutdown { executor_id, agent_id } => {
            let (executor_id, agent_id) = (to_executor_id(executor_id), to_agent_id(agent_id));
            put(&mut made.shutdown, Shutdown { executor_id, agent_id }, Type::Shutdown)
        }
        core::Call::Acknowledge { agent_id, task_id, uuid } => {
            let (agent_id, task_id, uuid) =
                (to_agent_id(agent_id), to_task_id(task_id), Some(uuid.0.to_vec()));
            put(&mut made.acknowledge, Acknowledge { agent_id, task_id, uuid }, Type::Acknowledge)
        }
        core::Call::Reconcile { tasks } => {
            let tasks = tasks.iter().map(to_reconcile_task).collect();
            put(&mut made.reconcile, Reconcile { tasks }, Type::Reconcile)
        }
        core::Call::Message { agent_id, executor_id, data } => {
            put(&mut made.message, to_message(agent_id, executor_id, data), Type::Message)
        }
        core::Call::ReconcileOperations { operation_ids } => {
            let operations = operation_ids.iter().map(|id| to_reconcile_operation(id)).collect();
            put(&mut made.reconcile_operations, ReconcileOperations { operations }, Type::ReconcileOperations)
        }
        core::Call::AcknowledgeOperationStatus { agent_id, operation_id, uuid } => {
            let found = to_acknowledge_operation(agent_id.as_ref(), operation_id, uuid);
            put(&mut made.acknowledge_operation_status, found, Type::AcknowledgeOperationStatus)
        }
    })
}

/// Puts a call's message where its type says.
fn put<M>(place: &mut Option<M>, message: M, kind: Type) -> Type {
    *place = Some(message);
    kind
}

fn to_kill(task: &core::TaskId, agent: Option<&core::AgentId>, grace: Option<Millis>) -> Kill {
    Kill {
        task_id: to_task_id(task),
        agent_id: agent.and_then(to_agent_id),
        kill_policy: grace.map(|grace| v1::KillPolicy { grace_period: Some(to_duration(grace)) }),
    }
}

fn to_reconcile_task(task: &core::ReconcileTask) -> reconcile::Task {
    reconcile::Task {
        task_id: to_task_id(&task.task_id),
        agent_id: task.agent_id.as_ref().and_then(to_agent_id),
    }
}

fn to_message(agent: &core::AgentId, executor: &core::ExecutorId, data: &[u8]) -> Message {
    Message { agent_id: to_agent_id(agent), executor_id: to_executor_id(executor), data: Some(data.to_vec()) }
}

fn to_reconcile_operation(id: &str) -> reconcile_operations::Operation {
    reconcile_operations::Operation { operation_id: to_operation_id(id) }
}

fn to_acknowledge_operation(
    agent: Option<&core::AgentId>,
    operation: &str,
    uuid: &core::Uuid,
) -> AcknowledgeOperationStatus {
    AcknowledgeOperationStatus {
        agent_id: agent.and_then(to_agent_id),
        uuid: Some(uuid.0.to_vec()),
        operation_id: to_operation_id(operation),
    }
}

fn to_operation_id(id: &str) -> Option<v1::OperationId> {
    Some(v1::OperationId { value: Some(id.to_owned()) })
}

fn to_filters(filters: core::Filters) -> Option<v1::Filters> {
    filters.refuse.is_some().then(|| v1::Filters { refuse_seconds: to_seconds(filters.refuse) })
}

fn to_operation(found: &core::Operation) -> Result<Operation, WireError> {
    let mut made = Operation::default();
    let (id, number) = match found {
        core::Operation::Launch(tasks) => {
            let task_infos = each("task_infos", tasks, to_task_info).at("launch")?;
            made.launch = Some(operation::Launch { task_infos });
            (None, operation::Type::Launch.into())
        }
        core::Operation::LaunchGroup { executor, tasks } => {
            let tasks = each("tasks", tasks, to_task_info).at("launch_group")?;
            made.launch_group = Some(operation::LaunchGroup {
                executor: Some(to_executor(executor).at("launch_group")?),
                task_group: Some(v1::TaskGroupInfo { tasks }),
            });
            (None, operation::Type::LaunchGroup.into())
        }
        core::Operation::Reserve { id, resources } => {
            made.reserve = Some(operation::Reserve { resources: to_resources(resources).at("reserve")? });
            (id.as_ref(), operation::Type::Reserve.into())
        }
        core::Operation::Unreserve { id, resources } => {
            made.unreserve =
                Some(operation::Unreserve { resources: to_resources(resources).at("unreserve")? });
            (id.as_ref(), operation::Type::Unreserve.into())
        }
        core::Operation::Other { id, number } => (id.as_ref(), *number),
    };
    made.id = id.and_then(|id| to_operation_id(id));
    made.r#type = Some(number);
    Ok(made)
}
