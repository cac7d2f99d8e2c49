//! Owns the walk through an app's document.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::container;
use super::network::{self, Networking};
use super::read::{At, Fields, Findings, Path};
use super::{
    AppSpec, Backoff, Command, Failover, KillSelection, PlacementStrategy, ResourceLimits, Unreachable,
    Update, Upgrade, carried, health, labels,
};
use crate::constraint::Rules;
use crate::id::AppPath;
use crate::limits;
use crate::time::Millis;

/// Reads a whole document; `None` only if a problem was noted.
pub(super) fn read(at: &At<'_>, findings: &mut Findings) -> Option<AppSpec> {
    let mut app = at.object(findings)?;
    let path = read_path(&mut app, findings);
    let command = read_command(&mut app, findings);
    let container = container::read(&mut app, findings);
    let Networking { network, ports, require_ports } = network::read(&mut app, findings, container.network);
    let health = app.get("healthChecks").and_then(|at| health::read(&at, findings, &ports));
    let labels = app.get("labels").map(|at| labels::read(&at, findings)).unwrap_or_default();
    let env = app.get("env").map(|at| labels::read_env(&at, findings)).unwrap_or_default();
    let instances = app.get("instances");
    let count = instances.as_ref().and_then(|at| at.whole(findings, 0..=u64::from(limits::INSTANCES_MAX)));
    let count = count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1);
    if let Some(instances) = instances
        && count > 1
        && labels.get("MARATHON_SINGLE_INSTANCE_APP").is_some_and(|value| value == "true")
    {
        // Only a warning: a scale that asks nobody must not make a stored definition unreadable.
        let message = format!(
            "is {count}; the label MARATHON_SINGLE_INSTANCE_APP says 0 or 1, which is not enforced yet"
        );
        findings.warn(&instances.path, message);
    }
    let mut resource = |key, low, default: u64| {
        let given =
            app.get(key).and_then(|at| at.thousandths(findings, low..=limits::RESOURCE_THOUSANDTHS_MAX));
        given.unwrap_or(default * 1000)
    };
    let (cpus, mem, disk) = (resource("cpus", 1, 1), resource("mem", 0, 128), resource("disk", 0, 0));
    let (role, accepted_roles) = read_roles(&mut app, findings);
    let spec = AppSpec {
        command,
        user: app.get("user").and_then(|at| at.word(findings)).map(String::from),
        image: container.image,
        force_pull_image: container.force_pull_image,
        privileged: container.privileged,
        parameters: container.parameters,
        volumes: container.volumes,
        fetch: container::read_fetch(&mut app, findings),
        cpus,
        mem,
        disk,
        gpus: 0,
        limits: ResourceLimits::default(),
        instances: count,
        env,
        labels,
        network,
        ips: Vec::new(),
        ports,
        require_ports,
        health,
        kill_grace: read_seconds(&mut app, findings, "taskKillGracePeriodSeconds"),
        backoff: read_backoff(&mut app, findings),
        rules: Rules::default(),
        strategy: PlacementStrategy::default(),
        upgrade: Upgrade::default(),
        update: Update::default(),
        failover: Failover::default(),
        unreachable: Unreachable::default(),
        kill_selection: KillSelection::default(),
        role,
        accepted_roles,
        carried: carried::read(&mut app, findings),
        path: path?,
    };
    app.finish(findings);
    Some(spec)
}

fn read_path(app: &mut Fields<'_>, findings: &mut Findings) -> Option<AppPath> {
    let Some(at) = app.get("id") else {
        let message = if app.get("name").is_some() {
            "is missing; original Swan's form, with name and runAs, is not understood yet: must be Marathon's, with id, as \"/shop/web\""
        } else {
            "is missing; must be the app's path, as \"/shop/web\""
        };
        findings.problem(&Path::Key(app.path(), "id"), message);
        return None;
    };
    let text = at.text(findings)?;
    if text.len() > limits::ID_BYTES_MAX {
        at.refuse(findings, format_args!("must have at most {} bytes", limits::DOTTED_ID_BYTES_MAX));
        return None;
    }
    let path = match AppPath::parse(text) {
        Ok(path) => path,
        Err(must) => {
            at.refuse(findings, must);
            return None;
        }
    };
    if path.dotted().as_str().len() > limits::DOTTED_ID_BYTES_MAX {
        at.refuse(findings, format_args!("must have at most {} bytes", limits::DOTTED_ID_BYTES_MAX));
        return None;
    }
    Some(path)
}

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

fn read_seconds(app: &mut Fields<'_>, findings: &mut Findings, key: &'static str) -> Option<Millis> {
    app.get(key).and_then(|at| at.seconds(findings, 0..=limits::SECONDS_MAX))
}

fn read_backoff(app: &mut Fields<'_>, findings: &mut Findings) -> Backoff {
    let factor = app
        .get("backoffFactor")
        .and_then(|at| at.thousandths(findings, 1000..=limits::BACKOFF_FACTOR_THOUSANDTHS_MAX))
        .and_then(|factor| u32::try_from(factor).ok());
    Backoff {
        initial: read_seconds(app, findings, "backoffSeconds").unwrap_or(Millis::from_secs(1)),
        factor_thousandths: factor.unwrap_or(1150),
        max: read_seconds(app, findings, "maxLaunchDelaySeconds").unwrap_or(Millis::from_secs(300)),
    }
}

/// `role` and `acceptedResourceRoles`.
fn read_roles(app: &mut Fields<'_>, findings: &mut Findings) -> (Option<String>, Vec<String>) {
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
