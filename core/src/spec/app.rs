//! Owns the walk through an app's document in Marathon's form.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::carried::{self, Surroundings};
use super::container;
use super::network::{self, Network, Networking};
use super::policy::read::Policies;
use super::read::{At, Fields, Findings, Path};
use super::resources::{self, Resources};
use super::{AppSpec, Command, addresses, constraints, health, labels, original};
use crate::id::AppPath;
use crate::limits;

/// A label with which Marathon's users say that no two tasks of an app may run at once.
const SINGLE_INSTANCE: &str = "MARATHON_SINGLE_INSTANCE_APP";

/// Reads a whole document, in whichever form it is; `None` only if a problem was noted. Relative ids are meant from
/// `group`.
pub(super) fn read(at: &At<'_>, findings: &mut Findings, group: &str) -> Option<AppSpec> {
    let mut app = at.object(findings)?;
    if original::is_one(&mut app) {
        return original::read(app, findings);
    }
    let path = read_path(&mut app, findings, group);
    let command = read_command(&mut app, findings);
    let container = container::read(&mut app, findings);
    let Networking { network, ports, require_ports } = network::read(&mut app, findings, container.network);
    let health = app.get("healthChecks").and_then(|at| health::read(&at, findings, &ports));
    let labels = app.get("labels").map(|at| labels::read(&at, findings)).unwrap_or_default();
    let env = app.get("env").map(|at| labels::read_env(&at, findings)).unwrap_or_default();
    let single = labels.get(SINGLE_INSTANCE).is_some_and(|value| value == "true");
    let instances = read_instances(&mut app, findings, single);
    let Resources { cpus, mem, disk, gpus, limits } = resources::read(&mut app, findings);
    let (role, accepted_roles) = read_roles(&mut app, findings);
    let rules = app.get("constraints").map(|at| constraints::read(&at, findings)).unwrap_or_default();
    let policies = Policies::marathons().read(&mut app, findings, single);
    let user = app.get("user").and_then(|at| at.word(findings)).map(String::from);
    let fetch = container::read_fetch(&mut app, findings);
    let ips = read_ips(&mut app, findings, &network);
    let around = Surroundings { path: path.as_ref(), ports: &ports, env_secrets: &env.secret };
    let carried = carried::read(&mut app, findings, &around);
    app.finish(findings);
    Some(AppSpec {
        path: path?,
        command,
        user,
        image: container.image,
        force_pull_image: container.force_pull_image,
        privileged: container.privileged,
        parameters: container.parameters,
        volumes: container.volumes,
        fetch,
        cpus,
        mem,
        disk,
        gpus,
        limits,
        instances,
        env: env.plain,
        env_secrets: env.secret,
        labels,
        network,
        ips,
        ports,
        require_ports,
        health,
        kill_grace: policies.kill_grace,
        backoff: policies.backoff,
        rules,
        strategy: policies.strategy,
        upgrade: policies.upgrade,
        update: policies.update,
        failover: policies.failover,
        unreachable: policies.unreachable,
        kill_selection: policies.kill_selection,
        role,
        accepted_roles,
        carried,
    })
}

/// Reads `id`, absolute or from `group`.
fn read_path(app: &mut Fields<'_>, findings: &mut Findings, group: &str) -> Option<AppPath> {
    let Some(at) = app.get("id") else {
        let message = "is missing; must be the app's path, as \"/shop/web\", or in original Swan's form name and runAs be given";
        findings.problem(&Path::Key(app.path(), "id"), message);
        return None;
    };
    let text = at.text(findings)?;
    let too_long = format!("must have at most {} bytes", limits::DOTTED_ID_BYTES_MAX);
    if text.len() > limits::ID_BYTES_MAX {
        at.refuse(findings, too_long);
        return None;
    }
    let absolute = if text.starts_with('/') { text.into() } else { format!("{group}/{text}") };
    let path = match AppPath::parse(&absolute) {
        Ok(path) => path,
        Err(must) => {
            at.refuse(findings, must);
            return None;
        }
    };
    if path.dotted().as_str().len() > limits::DOTTED_ID_BYTES_MAX {
        at.refuse(findings, too_long);
        return None;
    }
    if path.as_str().strip_prefix(group).is_none_or(|rest| !rest.starts_with('/')) {
        at.refuse(findings, format_args!("must be below {group}, the group that it is in"));
        return None;
    }
    Some(path)
}

/// Reads `cmd` and `args`.
fn read_command(app: &mut Fields<'_>, findings: &mut Findings) -> Command {
    let line = app.get("cmd").and_then(|at| {
        let line = at.text(findings)?;
        if line.is_empty() {
            at.refuse(findings, "must not be empty; to run the image's own command leave it out");
        }
        Some(String::from(line))
    });
    let Some(at) = app.get("args") else { return line.map_or(Command::Image, Command::Shell) };
    let args: Vec<String> = at.list(findings).filter_map(|at| at.text(findings).map(String::from)).collect();
    match (line, args.is_empty()) {
        (line, true) => line.map_or(Command::Image, Command::Shell),
        (None, false) => Command::Args(args),
        (Some(_), false) => {
            at.refuse(findings, "must be left out, since cmd is given: one of the two");
            Command::Image
        }
    }
}

fn read_instances(app: &mut Fields<'_>, findings: &mut Findings, single: bool) -> u32 {
    let Some(at) = app.get("instances") else { return 1 };
    let count = at.count(findings, 0..=limits::INSTANCES_MAX).unwrap_or(1);
    if single && count > 1 {
        // Only a warning: a scale that asks nobody must not make a stored definition unreadable.
        let message =
            format!("is {count}; the label {SINGLE_INSTANCE} says 0 or 1, which is not enforced yet");
        findings.warn(&at.path, message);
    }
    count
}

/// Reads `ips`, in whichever form the document is.
pub(super) fn read_ips(app: &mut Fields<'_>, findings: &mut Findings, network: &Network) -> Vec<String> {
    app.get("ips").map(|at| addresses::read(&at, findings, network)).unwrap_or_default()
}

/// Reads `role` and `acceptedResourceRoles`.
pub(super) fn read_roles(app: &mut Fields<'_>, findings: &mut Findings) -> (Option<String>, Vec<String>) {
    let role = app.get("role").and_then(|at| read_role(&at, findings));
    let Some(at) = app.get("acceptedResourceRoles") else { return (role, Vec::new()) };
    let mut accepted = Vec::new();
    let mut count = 0;
    for element in at.list(findings) {
        count += 1;
        let Some(name) = read_role(&element, findings) else { continue };
        if let Some(role) = &role
            && name != "*"
            && name != *role
        {
            element.refuse(findings, format_args!("must be \"*\" or the app's role, \"{role}\""));
        }
        accepted.push(name);
    }
    if count == 0 {
        at.refuse(findings, "must name at least one role, as [\"*\"], or be left out");
    }
    accepted.sort_unstable();
    accepted.dedup();
    (role, accepted)
}

fn read_role(at: &At<'_>, findings: &mut Findings) -> Option<String> {
    let role = at.word(findings)?;
    if role.starts_with('-')
        || role == "."
        || role == ".."
        || role.contains(|c: char| c == '/' || c.is_whitespace())
    {
        at.refuse(findings, "must have no spaces and no '/', not begin with '-', and not be '.' or '..'");
        return None;
    }
    Some(role.into())
}
