//! Owns how explanations and agents stand in a transcript.

use swan_core::id::DottedId;

use crate::stage::Stage;

/// Why slots of an app wait, and why its tasks are where they are.
pub(crate) fn explain(stage: &mut Stage, app: &str) {
    let Some(explained) = stage.machine.view().explain(&DottedId::from_text(app)) else {
        return stage.say("there is no such app");
    };
    for class in explained.waiting {
        let (known, looked) = class.agents;
        let version = stage.names.version(app, &class.version);
        stage.say(format!(
            "  {} of {version} wait, {} pause; role {}, {looked} of {known} agents: {} suit",
            class.slots, class.backing_off, class.role, class.suitable
        ));
        for (what, agents) in class.failing {
            stage.say(format!("    {agents} fail at {what}"));
        }
        if let Some((host, what)) = class.nearest {
            stage.say(format!("    nearest {host} {what}"));
        }
    }
    for task in explained.placed {
        stage.say(format!("  {} on {}: {}", task.slot, task.host, task.why));
    }
    for (slot, why) in explained.given_up {
        stage.say(format!("  {slot} given up: {why}"));
    }
}

/// All agents that are known.
pub(crate) fn agents(stage: &mut Stage) {
    let mut after = None;
    loop {
        let page = stage.machine.view().agents(after.as_deref(), 2);
        for agent in page.items {
            let mut line = format!("  {} {} tasks={}", agent.id, agent.host, agent.tasks);
            for (name, value) in &agent.attributes {
                line.push_str(&format!(" {name}={value}"));
            }
            if let Some((region, zone)) = &agent.domain {
                line.push_str(&format!(" in {region}/{zone}"));
            }
            if let Some((cpus, mem, disk, gpus, ports)) = agent.offered {
                line.push_str(&format!(" free: {cpus} {mem} {disk} {gpus} {ports}"));
            }
            if let Some((begins, ends)) = agent.maintenance {
                let span =
                    ends.map_or_else(|| "for ever".into(), |ends| format!("for {}ms", ends.0 - begins.0));
                line.push_str(&format!(" down at {} {span}", begins.0));
            }
            stage.say(line);
        }
        after = page.next;
        if after.is_none() {
            return;
        }
    }
}
