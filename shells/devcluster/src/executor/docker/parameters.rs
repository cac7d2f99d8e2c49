//! Owns the parameters of a Docker container: options of `docker run`, by what they mean in the engine's API.

use serde_json::{Value, json};

use super::container::push;

/// How an option's value is written into the configuration.
enum Kind {
    Text,
    Flag,
    Integer,
    /// With a unit: b, k, m, g.
    Bytes,
    /// One more element.
    Item,
    /// `name=value`, one more entry.
    Pair,
}

/// Options that are plain fields: names, place, kind.
const FIELDS: &[(&[&str], &str, Kind)] = &[
    (&["add-host"], "/HostConfig/ExtraHosts", Kind::Item),
    (&["cap-add"], "/HostConfig/CapAdd", Kind::Item),
    (&["cap-drop"], "/HostConfig/CapDrop", Kind::Item),
    (&["cgroup-parent"], "/HostConfig/CgroupParent", Kind::Text),
    (&["cpu-period"], "/HostConfig/CpuPeriod", Kind::Integer),
    (&["cpu-quota"], "/HostConfig/CpuQuota", Kind::Integer),
    (&["cpu-shares", "c"], "/HostConfig/CpuShares", Kind::Integer),
    (&["cpuset-cpus"], "/HostConfig/CpusetCpus", Kind::Text),
    (&["cpuset-mems"], "/HostConfig/CpusetMems", Kind::Text),
    (&["dns"], "/HostConfig/Dns", Kind::Item),
    (&["dns-opt", "dns-option"], "/HostConfig/DnsOptions", Kind::Item),
    (&["dns-search"], "/HostConfig/DnsSearch", Kind::Item),
    (&["domainname"], "/Domainname", Kind::Text),
    (&["env", "e"], "/Env", Kind::Item),
    (&["group-add"], "/HostConfig/GroupAdd", Kind::Item),
    (&["hostname", "h"], "/Hostname", Kind::Text),
    (&["init"], "/HostConfig/Init", Kind::Flag),
    (&["ipc"], "/HostConfig/IpcMode", Kind::Text),
    (&["label", "l"], "/Labels", Kind::Pair),
    (&["link"], "/HostConfig/Links", Kind::Item),
    (&["log-driver"], "/HostConfig/LogConfig/Type", Kind::Text),
    (&["log-opt"], "/HostConfig/LogConfig/Config", Kind::Pair),
    (&["memory", "m"], "/HostConfig/Memory", Kind::Bytes),
    (&["memory-reservation"], "/HostConfig/MemoryReservation", Kind::Bytes),
    (&["memory-swap"], "/HostConfig/MemorySwap", Kind::Bytes),
    (&["memory-swappiness"], "/HostConfig/MemorySwappiness", Kind::Integer),
    (&["network", "net"], "/HostConfig/NetworkMode", Kind::Text),
    (&["oom-kill-disable"], "/HostConfig/OomKillDisable", Kind::Flag),
    (&["oom-score-adj"], "/HostConfig/OomScoreAdj", Kind::Integer),
    (&["pid"], "/HostConfig/PidMode", Kind::Text),
    (&["pids-limit"], "/HostConfig/PidsLimit", Kind::Integer),
    (&["privileged"], "/HostConfig/Privileged", Kind::Flag),
    (&["read-only"], "/HostConfig/ReadonlyRootfs", Kind::Flag),
    (&["runtime"], "/HostConfig/Runtime", Kind::Text),
    (&["security-opt"], "/HostConfig/SecurityOpt", Kind::Item),
    (&["shm-size"], "/HostConfig/ShmSize", Kind::Bytes),
    (&["stop-signal"], "/StopSignal", Kind::Text),
    (&["sysctl"], "/HostConfig/Sysctls", Kind::Pair),
    (&["user", "u"], "/User", Kind::Text),
    (&["userns"], "/HostConfig/UsernsMode", Kind::Text),
    (&["uts"], "/HostConfig/UTSMode", Kind::Text),
    (&["volume", "v"], "/HostConfig/Binds", Kind::Item),
    (&["volumes-from"], "/HostConfig/VolumesFrom", Kind::Item),
    (&["workdir", "w"], "/WorkingDir", Kind::Text),
];

/// Puts one parameter into the configuration. What the engine would not understand as meant is refused.
pub(super) fn apply(config: &mut Value, key: &str, value: &str) -> Result<(), String> {
    let problem = |what: &str| format!("docker parameter '{key}': {what}");
    match key {
        "tmpfs" => {
            let (path, options) = value.split_once(':').unwrap_or((value, ""));
            config["HostConfig"]["Tmpfs"][path] = json!(options);
            return Ok(());
        }
        "entrypoint" => {
            config["Entrypoint"] = json!([value]);
            return Ok(());
        }
        "ulimit" => {
            let limit = ulimit(value).ok_or_else(|| problem("must be like nofile=1024:2048"))?;
            push(&mut config["HostConfig"]["Ulimits"], limit);
            return Ok(());
        }
        "device" => {
            push(&mut config["HostConfig"]["Devices"], device(value));
            return Ok(());
        }
        "ip" | "ip6" => {
            // An address is had in a network, which is the one that is joined.
            let network = config["HostConfig"]["NetworkMode"].as_str().unwrap_or("default").to_owned();
            let version = if key == "ip" { "IPv4Address" } else { "IPv6Address" };
            config["NetworkingConfig"]["EndpointsConfig"][network]["IPAMConfig"][version] = json!(value);
            return Ok(());
        }
        _ => {}
    }
    let Some((_, place, kind)) = FIELDS.iter().find(|(names, ..)| names.contains(&key)) else {
        return Err(problem("is not supported by this cluster; remove it"));
    };
    if key == "label" && value.starts_with("swan.") {
        return Err(problem("labels that begin with 'swan.' are the cluster's own"));
    }
    let field = field(config, place);
    match kind {
        Kind::Text => *field = json!(value),
        Kind::Flag => *field = json!(flag(value).ok_or_else(|| problem("must be true or false"))?),
        Kind::Integer => {
            *field = json!(value.parse::<i64>().map_err(|_| problem("must be a whole number"))?);
        }
        Kind::Bytes => *field = json!(size(value).ok_or_else(|| problem("must be a size such as 64m"))?),
        Kind::Item => push(field, value),
        Kind::Pair => {
            let (name, text) = value.split_once('=').unwrap_or((value, ""));
            field[name] = json!(text);
        }
    }
    Ok(())
}

/// The place of a path such as `/HostConfig/Dns`, made if need be.
fn field<'a>(config: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('/').skip(1).fold(config, |value, name| &mut value[name])
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "" | "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn size(value: &str) -> Option<i64> {
    let lower = value.to_ascii_lowercase();
    let number = lower.trim_end_matches('b');
    let (digits, unit) = match number.strip_suffix(['k', 'm', 'g']) {
        Some(digits) => (digits, number.chars().last()),
        None => (number, None),
    };
    let factor = match unit {
        Some('k') => 1 << 10,
        Some('m') => 1 << 20,
        Some('g') => 1 << 30,
        _ => 1,
    };
    digits.parse::<i64>().ok()?.checked_mul(factor)
}

fn ulimit(value: &str) -> Option<Value> {
    let (name, limits) = value.split_once('=')?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    Some(json!({ "Name": name, "Soft": soft.parse::<i64>().ok()?, "Hard": hard.parse::<i64>().ok()? }))
}

fn device(value: &str) -> Value {
    let mut parts = value.splitn(3, ':');
    let host = parts.next().unwrap_or_default();
    let inside = parts.next().unwrap_or(host);
    json!({ "PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": parts.next().unwrap_or("rwm") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_find_their_fields() {
        let mut config = json!({ "Env": ["A=1"], "HostConfig": { "NetworkMode": "dcos" } });
        for (key, value) in [
            ("env", "B=2"),
            ("label", "team=shop"),
            ("log-opt", "max-size=1m"),
            ("shm-size", "64m"),
            ("init", "true"),
            ("ulimit", "nofile=10:20"),
            ("tmpfs", "/run:size=1m"),
            ("device", "/dev/null"),
            ("ip", "10.0.0.7"),
        ] {
            apply(&mut config, key, value).expect(key);
        }
        assert_eq!(
            config,
            json!({
                "Env": ["A=1", "B=2"],
                "Labels": { "team": "shop" },
                "NetworkingConfig": { "EndpointsConfig": { "dcos": { "IPAMConfig": { "IPv4Address": "10.0.0.7" } } } },
                "HostConfig": {
                    "NetworkMode": "dcos",
                    "LogConfig": { "Config": { "max-size": "1m" } },
                    "ShmSize": 67_108_864,
                    "Init": true,
                    "Ulimits": [{ "Name": "nofile", "Soft": 10, "Hard": 20 }],
                    "Tmpfs": { "/run": "size=1m" },
                    "Devices": [{ "PathOnHost": "/dev/null", "PathInContainer": "/dev/null", "CgroupPermissions": "rwm" }],
                },
            })
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let refused = [
            ("restart", "always"),
            ("name", "x"),
            ("init", "maybe"),
            ("pids-limit", "many"),
            ("shm-size", "1x"),
            ("ulimit", "nofile"),
            ("label", "swan.devcluster=y"),
        ];
        for (key, value) in refused {
            let error = apply(&mut json!({}), key, value).expect_err(key);
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn every_name_is_there_once() {
        let mut names: Vec<&str> = FIELDS.iter().flat_map(|(names, ..)| names.iter().copied()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
