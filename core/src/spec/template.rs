//! Owns what all tasks of one version of an app share, as Mesos gets it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{AppSpec, Command, Health, Limit, Network, PortRef, Probe, Scheme};
use crate::id::{DottedId, TaskId};
use crate::mesos::{
    AgentId, CommandInfo, ContainerInfo, ContainerType, DiscoveryInfo, DockerInfo, DockerNetwork,
    HealthCheck, HealthProbe, NetworkInfo, TaskInfo, UriInfo, Volume,
};
use crate::number::Number;
use crate::scheduler::launch::LaunchTemplate;

/// Marathon shows no label to a task whose key or value is longer.
const LABEL_KEY_IN_ENV_MAX: usize = 493;
const LABEL_VALUE_IN_ENV_MAX: usize = 512;

impl AppSpec {
    /// The template for tasks of `version` of the app `app`.
    pub fn template(&self, app: &DottedId, version: &str) -> LaunchTemplate {
        let health_port = match self.health.as_ref().and_then(|health| health.probe.port()) {
            Some(PortRef::Index(index)) => usize::try_from(index).ok(),
            Some(PortRef::Number(_)) | None => None,
        };
        LaunchTemplate {
            app: app.to_string(),
            version: version.into(),
            task: self.task(app, version),
            network: self.network.clone(),
            ips: self.ips.clone(),
            ports: self.ports.clone(),
            health_port,
        }
    }

    fn task(&self, app: &DottedId, version: &str) -> TaskInfo {
        let labels = self.labels.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
        TaskInfo {
            name: app.to_string(),
            task_id: TaskId::new(""),
            agent_id: AgentId::new(""),
            resources: Vec::new(),
            command: Some(self.command_info(app, version)),
            container: Some(self.container_info()),
            health_check: self.health.as_ref().map(Health::check),
            check: None,
            kill_grace: self.kill_grace,
            labels: labels.collect(),
            discovery: Some(DiscoveryInfo { name: Some(app.to_string()), ..DiscoveryInfo::default() }),
            max_completion_time: None,
            limits: self.limits(),
            data: None,
            executor: None,
        }
    }

    fn limits(&self) -> Vec<(String, i64)> {
        let limit = |(name, limit): (&str, Option<Limit>)| {
            let milli = match limit? {
                Limit::Thousandths(milli) => i64::try_from(milli).unwrap_or(i64::MAX),
                Limit::Unlimited => i64::MAX,
            };
            Some((name.to_string(), milli))
        };
        [("cpus", self.limits.cpus), ("mem", self.limits.mem)].into_iter().filter_map(limit).collect()
    }

    fn command_info(&self, app: &DottedId, version: &str) -> CommandInfo {
        let (shell, value, arguments) = match &self.command {
            Command::Image => (false, None, Vec::new()),
            Command::Shell(line) => (true, Some(line.clone()), Vec::new()),
            Command::Args(args) => (false, None, args.clone()),
        };
        let uris = self.fetch.iter().map(|fetch| UriInfo {
            value: fetch.uri.clone(),
            executable: Some(fetch.executable),
            extract: Some(fetch.extract),
            cache: Some(fetch.cache),
            output_file: fetch.dest_path.clone(),
        });
        CommandInfo {
            shell: Some(shell),
            value,
            arguments,
            environment: self.environment(app, version).into_iter().collect(),
            uris: uris.collect(),
            user: self.user.clone(),
        }
    }

    /// What every task is told about its app, in original Swan's words and in Marathon's; the user's own variables win.
    fn environment(&self, app: &DottedId, version: &str) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        let mut set = |name: &str, value: String| env.insert(name.to_string(), value);
        set("SWAN_APP_ID", app.to_string());
        set("SWAN_APP_VERSION", version.into());
        set("MARATHON_APP_ID", self.path.to_string());
        set("MARATHON_APP_VERSION", version.into());
        set("MARATHON_APP_DOCKER_IMAGE", self.image.clone());
        set("MARATHON_APP_RESOURCE_CPUS", with_point(self.cpus));
        set("MARATHON_APP_RESOURCE_MEM", with_point(self.mem));
        set("MARATHON_APP_RESOURCE_DISK", with_point(self.disk));
        set("MARATHON_APP_RESOURCE_GPUS", self.gpus.to_string());
        let mut names = Vec::new();
        for (key, value) in &self.labels {
            if key.len() < LABEL_KEY_IN_ENV_MAX && value.len() < LABEL_VALUE_IN_ENV_MAX {
                let name = variable_name(key);
                set(&format!("MARATHON_APP_LABEL_{name}"), value.clone());
                names.push(name);
            }
        }
        set("MARATHON_APP_LABELS", names.join(" "));
        env.extend(self.env.iter().map(|(name, value)| (name.clone(), value.clone())));
        env
    }

    fn container_info(&self) -> ContainerInfo {
        let (network, joined) = match &self.network {
            Network::Bridge => (DockerNetwork::Bridge, None),
            Network::Host => (DockerNetwork::Host, None),
            Network::User(name) => {
                let name = Some(name.clone());
                (DockerNetwork::User, Some(NetworkInfo { name, ..NetworkInfo::default() }))
            }
        };
        let volumes = self.volumes.iter().map(|volume| Volume {
            container_path: volume.container_path.clone(),
            host_path: Some(volume.host_path.clone()),
            read_only: volume.read_only,
        });
        ContainerInfo {
            kind: ContainerType::Docker,
            docker: Some(DockerInfo {
                image: self.image.clone(),
                network: Some(network),
                port_mappings: Vec::new(),
                privileged: Some(self.privileged),
                parameters: self.parameters.clone(),
                force_pull_image: Some(self.force_pull_image),
            }),
            volumes: volumes.collect(),
            network_infos: joined.into_iter().collect(),
            hostname: None,
        }
    }
}

impl Health {
    /// Mesos's check; the port is 0 if it is one of the app's.
    fn check(&self) -> HealthCheck {
        let number = match self.probe.port() {
            Some(PortRef::Number(number)) => u32::from(number),
            Some(PortRef::Index(_)) | None => 0,
        };
        let probe = match &self.probe {
            Probe::Http { scheme, path, .. } => HealthProbe::Http {
                scheme: Some(if *scheme == Scheme::Https { "https" } else { "http" }.into()),
                port: number,
                path: Some(path.clone()),
                statuses: Vec::new(),
                ipv6: self.ipv6,
            },
            Probe::Tcp { .. } => HealthProbe::Tcp { port: number, ipv6: self.ipv6 },
            Probe::Command(line) => {
                let line = Some(line.clone());
                HealthProbe::Command(CommandInfo { shell: Some(true), value: line, ..CommandInfo::default() })
            }
        };
        HealthCheck {
            probe,
            delay: Some(self.delay),
            interval: Some(self.interval),
            timeout: Some(self.timeout),
            grace_period: Some(self.grace),
            // Mesos knows no "never": 0 would end the task at the first failure.
            consecutive_failures: Some(match self.max_consecutive_failures {
                0 => u32::MAX,
                max => max,
            }),
        }
    }
}

/// Marathon writes these as doubles: `128.0`.
fn with_point(thousandths: u64) -> String {
    let text = Number::from_thousandths(thousandths).to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// Upper case, and one `_` for each run of what no variable's name may hold.
fn variable_name(key: &str) -> String {
    let mut name = String::new();
    let mut in_run = false;
    for c in key.chars() {
        let fits = c.is_ascii_alphanumeric() || c == '_';
        if fits || !in_run {
            name.push(if fits { c.to_ascii_uppercase() } else { '_' });
        }
        in_run = !fits;
    }
    name
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn template(document: &str) -> LaunchTemplate {
        let spec = AppSpec::parse(document.as_bytes()).expect("a good document").spec;
        spec.template(&spec.path.dotted(), "v1")
    }

    fn variable<'a>(template: &'a LaunchTemplate, name: &str) -> Option<&'a str> {
        let env = &template.task.command.as_ref().expect("a command").environment;
        env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn tasks_are_told_of_their_app_and_the_user_has_the_last_word() {
        let template = template(
            r#"{"id":"/shop/web","cpus":0.5,"mem":32,"container":{"docker":{"image":"nginx"}},
                "labels":{"a..b_-c":"1"},"env":{"MARATHON_APP_ID":"mine","A":"b"}}"#,
        );
        assert_eq!(template.task.name, "web.shop");
        assert_eq!(template.task.discovery.as_ref().and_then(|d| d.name.as_deref()), Some("web.shop"));
        for (name, value) in [
            ("SWAN_APP_ID", "web.shop"),
            ("MARATHON_APP_ID", "mine"),
            ("MARATHON_APP_VERSION", "v1"),
            ("MARATHON_APP_RESOURCE_CPUS", "0.5"),
            ("MARATHON_APP_RESOURCE_MEM", "32.0"),
            ("MARATHON_APP_LABELS", "A_B__C"),
            ("MARATHON_APP_LABEL_A_B__C", "1"),
            ("A", "b"),
        ] {
            assert_eq!(variable(&template, name), Some(value), "{name}");
        }
    }

    #[test]
    fn the_three_kinds_of_command_differ_as_mesos_wants_them() {
        let command = |more: &str| {
            let document = format!(r#"{{"id":"/a","container":{{"docker":{{"image":"nginx"}}}}{more}}}"#);
            let command = template(&document).task.command.expect("a command");
            (command.shell, command.value, command.arguments)
        };
        assert_eq!(command(""), (Some(false), None, vec![]));
        assert_eq!(command(r#","cmd":"sleep 1""#), (Some(true), Some("sleep 1".into()), vec![]));
        assert_eq!(command(r#","args":["-g","x y"]"#), (Some(false), None, vec!["-g".into(), "x y".into()]));
    }

    #[test]
    fn a_health_check_names_its_port_or_its_place_among_the_ports() {
        let of = |check: &str| {
            let document = format!(
                r#"{{"id":"/a","container":{{"docker":{{"image":"nginx"}}}},"portDefinitions":[{{}},{{}}],"healthChecks":[{check}]}}"#
            );
            let template = template(&document);
            (template.health_port, template.task.health_check.expect("a check"))
        };
        let (port, check) = of(r#"{"portIndex":1,"path":"/up","maxConsecutiveFailures":0}"#);
        assert_eq!((port, check.consecutive_failures), (Some(1), Some(u32::MAX)));
        let (port, check) = of(r#"{"protocol":"tcp","port":80}"#);
        assert_eq!((port, check.probe), (None, HealthProbe::Tcp { port: 80, ipv6: false }));
        let (port, check) = of(r#"{"protocol":"COMMAND","command":{"value":"true"},"path":""}"#);
        assert_eq!((port, check.delay), (None, Some(crate::time::Millis(15_000))));
    }
}
