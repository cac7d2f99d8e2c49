//! Owns the fate of every field of both formats, Marathon's and original Swan's: what the reader does with it, and what
//! users are told of it. `docs/COMPATIBILITY.md` is made from it.

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Where, as `container.portMappings[].hostPort`.
    pub path: &'static str,
    /// Whose it is.
    pub format: Format,
    /// What becomes of it.
    pub fate: Fate,
    /// What is to be known of it; of one that is refused, why and what would be right.
    pub note: &'static str,
}

/// Whose a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Marathon's.
    Marathon,
    /// Marathon's, from before 1.5: read, never written.
    Legacy,
    /// Original Swan's: read, never written.
    Original,
    /// Swan's own, beside Marathon's.
    Swan,
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does what it says.
    Honoured,
    /// It is kept and shown, but not acted on yet; a warning says so.
    Carried,
    /// It may be there, and is dropped.
    Ignored,
    /// A document with it is refused.
    Refused,
}

/// The keys of apps themselves that have this fate.
pub(super) fn of_apps(fate: Fate) -> impl Iterator<Item = &'static Field> {
    FIELDS.iter().filter(move |field| field.fate == fate && !field.path.contains(['.', '[']))
}

/// Writes one field a line.
macro_rules! fields {
    ($($format:ident $fate:ident $path:literal $note:literal;)*) => {
        &[$(Field { path: $path, format: Format::$format, fate: Fate::$fate, note: $note }),*]
    };
}

/// All fields that are known.
pub const FIELDS: &[Field] = fields! {
    Marathon Honoured "id" "Absolute, or relative to the root or the group that it is in. The last segment is not `restart`, `tasks` or `versions`.";
    Marathon Honoured "cmd" "Run by `/bin/sh -c`. Neither it nor `args`: the image's own command.";
    Marathon Honoured "args" "Arguments of the image's entry point; not beside `cmd`.";
    Marathon Honoured "user" "";
    Marathon Honoured "instances" "0 to 50000, 1 by default.";
    Marathon Honoured "cpus" "In thousandths; 1 by default.";
    Marathon Honoured "mem" "MiB; 128 by default.";
    Marathon Honoured "disk" "MiB; 0 by default.";
    Marathon Honoured "gpus" "Also for Docker images, where the agents' Docker can give them.";
    Marathon Honoured "resourceLimits.cpus" "A number that is not less than `cpus`, or `\"unlimited\"`.";
    Marathon Honoured "resourceLimits.mem" "A number that is not less than `mem`, or `\"unlimited\"`.";
    Marathon Honoured "env" "Texts. No value is ever logged or shown in an error.";
    Marathon Carried "env.*.secret" "The variable is shown; tasks do not get it.";
    Marathon Honoured "labels" "With `MARATHON_SINGLE_INSTANCE_APP`: `\"true\"`, both capacities of `upgradeStrategy` are 0, and more than one instance is warned of.";
    Marathon Honoured "role" "A role of the manager.";
    Marathon Honoured "acceptedResourceRoles" "`*` and the app's role.";
    Marathon Honoured "constraints" "Texts in [Swan's language](CONSTRAINTS.md), and objects of original Swan, may stand beside Marathon's lists. Regexes have no look-around and no back-references.";
    Marathon Honoured "container.type" "`DOCKER` or `MESOS`; images run under Docker in any case, of which `MESOS` warns.";
    Marathon Honoured "container.docker.image" "Needed: Swan runs Docker images only.";
    Marathon Honoured "container.docker.forcePullImage" "";
    Marathon Honoured "container.docker.privileged" "";
    Marathon Honoured "container.docker.parameters[].key" "An option of `docker run`, without dashes.";
    Marathon Honoured "container.docker.parameters[].value" "";
    Marathon Refused "container.docker.pullConfig" "is not supported: it belongs to Mesos containers; must be left out";
    Marathon Refused "container.docker.credential" "must be left out: it has no effect since Marathon 1.5";
    Marathon Honoured "container.volumes[].containerPath" "";
    Marathon Honoured "container.volumes[].hostPath" "Relative ones are meant from the sandbox.";
    Marathon Honoured "container.volumes[].mode" "";
    Marathon Refused "container.volumes[].persistent" "persistent volumes are not supported; must be a host volume: hostPath, containerPath, mode";
    Marathon Refused "container.volumes[].external" "external volumes are not supported; must be a host volume: hostPath, containerPath, mode";
    Marathon Refused "container.volumes[].secret" "secret volumes are not supported; must be a host volume: hostPath, containerPath, mode";
    Marathon Refused "container.linuxInfo" "is not supported: it belongs to Mesos containers; must be left out";
    Marathon Refused "container.appc" "is not supported: Swan runs Docker images only";
    Marathon Honoured "container.portMappings[].containerPort" "0 means the number of the host port.";
    Marathon Honoured "container.portMappings[].hostPort" "0 means any. Without one, a port in a container network is not mapped; on a bridge it gets any.";
    Marathon Honoured "container.portMappings[].servicePort" "Kept as given; none is made up.";
    Marathon Honoured "container.portMappings[].protocol" "";
    Marathon Honoured "container.portMappings[].name" "";
    Marathon Honoured "container.portMappings[].labels" "";
    Marathon Ignored "container.portMappings[].networkNames" "Only the app's one network can be named.";
    Marathon Honoured "networks[].mode" "`host`, `container/bridge`, or `container` with a name; one network, as a Docker container joins one.";
    Marathon Honoured "networks[].name" "A network that Docker knows on every agent.";
    Marathon Ignored "networks[].labels" "With a warning: they are for Mesos's own containers.";
    Marathon Honoured "portDefinitions[].port" "The service port; with `requirePorts` the host port too.";
    Marathon Honoured "portDefinitions[].protocol" "";
    Marathon Honoured "portDefinitions[].name" "";
    Marathon Honoured "portDefinitions[].labels" "";
    Marathon Honoured "requirePorts" "On the host network.";
    Marathon Honoured "healthChecks[].protocol" "Every check is run by Mesos, beside the task. One check: the error says which of several to keep.";
    Marathon Honoured "healthChecks[].path" "";
    Marathon Honoured "healthChecks[].port" "";
    Marathon Honoured "healthChecks[].portIndex" "0 by default.";
    Marathon Honoured "healthChecks[].command.value" "";
    Marathon Honoured "healthChecks[].ipProtocol" "";
    Marathon Honoured "healthChecks[].gracePeriodSeconds" "";
    Marathon Honoured "healthChecks[].intervalSeconds" "";
    Marathon Honoured "healthChecks[].timeoutSeconds" "";
    Marathon Honoured "healthChecks[].delaySeconds" "0 by default, but 15 for `MESOS_…` and `COMMAND`.";
    Marathon Honoured "healthChecks[].maxConsecutiveFailures" "0 means that no task is ended.";
    Marathon Ignored "healthChecks[].ignoreHttp1xx" "As in Marathon.";
    Marathon Refused "check" "is not supported; must be left out, and healthChecks used instead";
    Marathon Carried "readinessChecks" "A task counts as ready when it is healthy.";
    Marathon Honoured "fetch[].uri" "";
    Marathon Honoured "fetch[].extract" "";
    Marathon Honoured "fetch[].executable" "";
    Marathon Honoured "fetch[].cache" "";
    Marathon Honoured "fetch[].destPath" "";
    Marathon Honoured "upgradeStrategy.minimumHealthCapacity" "1 by default, also if the other one is given.";
    Marathon Honoured "upgradeStrategy.maximumOverCapacity" "1 by default, also if the other one is given.";
    Marathon Honoured "unreachableStrategy" "`\"disabled\"`, or an object.";
    Marathon Honoured "unreachableStrategy.inactiveAfterSeconds" "0 by default.";
    Marathon Honoured "unreachableStrategy.expungeAfterSeconds" "Kept and shown. A task that returns after it was replaced is ended in any case.";
    Marathon Honoured "killSelection" "";
    Marathon Honoured "taskKillGracePeriodSeconds" "";
    Marathon Honoured "backoffSeconds" "";
    Marathon Honoured "backoffFactor" "";
    Marathon Honoured "maxLaunchDelaySeconds" "";
    Marathon Carried "dependencies" "Apps are started in any order.";
    Marathon Carried "executorResources" "";
    Marathon Carried "secrets" "Names and sources, never a value.";
    Marathon Carried "tty" "";
    Marathon Ignored "executor" "Empty or `//cmd`; any other is refused, since tasks run by Mesos's own executors.";
    Marathon Refused "residency" "is not supported, as persistent volumes are not; must be left out";
    Marathon Refused "linuxInfo" "is not supported: it belongs to Mesos containers; must be left out";
    Marathon Refused "legacySharedCgroups" "is not supported: it belongs to Mesos containers; must be left out";
    Marathon Refused "containers" "makes this a pod, which is not supported; must be an app with one container";
    Marathon Refused "apps" "makes this a group; must be given one by one, each as a document of its own";
    Marathon Refused "groups" "makes this a group; must be replaced by its apps, each as a document of its own";
    Marathon Ignored "version" "Shown by Marathon; versions are Swan's own.";
    Marathon Ignored "versionInfo" "Shown by Marathon.";
    Marathon Ignored "deployments" "Shown by Marathon.";
    Marathon Ignored "tasks" "Shown by Marathon.";
    Marathon Ignored "tasksStaged" "Shown by Marathon.";
    Marathon Ignored "tasksRunning" "Shown by Marathon.";
    Marathon Ignored "tasksHealthy" "Shown by Marathon.";
    Marathon Ignored "tasksUnhealthy" "Shown by Marathon.";
    Marathon Ignored "tasksStats" "Shown by Marathon.";
    Marathon Ignored "taskStats" "Shown by Marathon.";
    Marathon Ignored "lastTaskFailure" "Shown by Marathon.";
    Marathon Ignored "readinessCheckResults" "Shown by Marathon.";
    Marathon Ignored "storeUrls" "Shown by old Marathons.";
    Marathon Ignored "uiUrl" "Shown by Marathon.";

    Legacy Honoured "uris" "Becomes `fetch`; archives are unpacked, by their names.";
    Legacy Honoured "ports" "Becomes `portDefinitions`, or `portMappings` on a bridge without any.";
    Legacy Honoured "container.docker.network" "Becomes `networks`. `NONE` is refused.";
    Legacy Honoured "container.docker.portMappings[].containerPort" "Becomes `container.portMappings`.";
    Legacy Honoured "ipAddress.networkName" "Becomes `networks`; `mesos-bridge` becomes the bridge.";
    Legacy Ignored "ipAddress.labels" "With a warning: they are for Mesos's own containers.";
    Legacy Honoured "ipAddress.discovery.ports[].number" "Under `type` `MESOS` it becomes `container.portMappings`, else it is refused as Marathon does.";
    Legacy Refused "ipAddress.groups" "are not supported; must be left out";

    Original Honoured "name" "The last segment of the path, in lower case: `/<cluster>/<runAs>/<compose>/<name>`.";
    Original Honoured "runAs" "See `name`.";
    Original Honoured "cluster" "See `name`; `unnamed` if it is missing or empty.";
    Original Honoured "compose" "See `name`; `default` if it is missing or empty.";
    Original Honoured "cmd" "Empty means the image's own.";
    Original Honoured "cpus" "0 counts as 0.001, the least that can be claimed.";
    Original Honoured "instances" "At least 1.";
    Original Ignored "container.type" "`docker`; any other is refused.";
    Original Honoured "container.docker.network" "`host`, `bridge`, or the name of a network that users made. `none` is refused.";
    Original Honoured "container.docker.portMappings[].name" "Needed, and unique.";
    Original Honoured "container.docker.portMappings[].protocol" "";
    Original Honoured "container.docker.portMappings[].containerPort" "On a bridge and in networks that users made.";
    Original Honoured "container.docker.portMappings[].hostPort" "On the host network, where it is required. On a bridge tasks get any port.";
    Original Honoured "container.volumes[].hostPath" "Absolute.";
    Original Honoured "container.volumes[].mode" "`RO` or `RW`, in upper case.";
    Original Honoured "healthCheck.protocol" "`http`, `tcp` or `cmd`; becomes the one element of `healthChecks`. HTTP is well with any status from 200 to 399.";
    Original Honoured "healthCheck.cmd" "Not in networks that users made.";
    Original Honoured "healthCheck.portName" "One of the ports' names.";
    Original Honoured "healthCheck.path" "";
    Original Honoured "healthCheck.gracePeriodSeconds" "";
    Original Honoured "healthCheck.intervalSeconds" "Needed; at least 1.";
    Original Honoured "healthCheck.timeoutSeconds" "";
    Original Honoured "healthCheck.delaySeconds" "";
    Original Honoured "healthCheck.consecutiveFailures" "3 by default; 0 counts as 1.";
    Original Honoured "kill.duration" "Seconds. Becomes `taskKillGracePeriodSeconds`.";
    Original Honoured "restart.retries" "Becomes `failover`, with `onExhausted` `stop`; 3 by default.";
    Original Honoured "update.delay" "Seconds; 1 if there is no `update`.";
    Original Honoured "update.onFailure" "`rollback` does roll back.";
    Original Honoured "constraints[].attribute" "";
    Original Honoured "constraints[].operator" "`==`, `!=` or `~=`.";
    Original Honoured "constraints[].value" "";
    Original Honoured "uris" "Becomes `fetch`, also without `cmd`.";
    Original Carried "proxy" "Flat, or with `proxies`; `listen` is a number or text.";

    Swan Honoured "failover.retries" "Errors of one slot within the window that are answered with a new task; any number by default.";
    Swan Honoured "failover.windowSeconds" "600 by default.";
    Swan Honoured "failover.historyLength" "Failures kept of each slot; 5 by default, 50 at most.";
    Swan Honoured "failover.onExhausted" "`keepTrying`, `stop` or `rollback`.";
    Swan Honoured "failover.errors" "What counts as an error of the app: `states`, `reasons`, `exitCodes` such as `[1,\"3-10\"]`; an end must be in every list that is given.";
    Swan Honoured "failover.ignore" "What never counts, in the same form.";
    Swan Honoured "update.parallel" "Places that change at the same time, at most.";
    Swan Honoured "update.delay" "Seconds, to the millisecond: the pause before the next is begun.";
    Swan Honoured "update.minHealthySeconds" "A task counts as ready once it has been healthy for so long.";
    Swan Honoured "update.progressDeadlineSeconds" "600 by default.";
    Swan Honoured "update.maxFailures" "By default 3, or a tenth of the instances if that is more.";
    Swan Honoured "update.onFailure" "`stop`, `continue` or `rollback`.";
    Swan Honoured "placement.strategy" "`spread`, `binpack`, `random` or `weighted`.";
    Swan Honoured "placement.weights" "For `weighted`: `cpus`, `mem`, `disk`, `gpus`, `tasks`, each from -1000 to 1000.";
    Swan Honoured "ips" "Addresses of the first instances, in a network that users made.";
    Swan Honoured "kill.duration" "The same as `taskKillGracePeriodSeconds`.";
    Swan Honoured "restart.retries" "The same as `failover` with these `retries` and `onExhausted` `stop`.";
    Swan Carried "proxy" "How the app is served.";
    Swan Carried "canary" "`instances`, `value`, `delay`, `onFailure`.";
    Swan Carried "autoscale" "`minInstances`, `maxInstances`, `metric` (`cpu`, `mem` or `requests`), `target`, `cooldownSeconds`.";
    Swan Refused "healthCheck" "is original Swan's; must be one element of healthChecks, or the document have name and runAs instead of id";
    Swan Refused "name" "must be left out, since id is given";
    Swan Refused "runAs" "must be left out, since id is given";
    Swan Refused "cluster" "must be left out, since id is given";
    Swan Refused "compose" "must be left out, since id is given";
};
