//! Owns the short form of app documents: `/shop/web instances=3 cpus=0.5 ports=1 image=web:2 health`.

use std::fmt::Write as _;

/// The document: JSON as it is, or made of the short form.
pub(crate) fn document(text: &str) -> Vec<u8> {
    if text.starts_with('{') {
        return text.into();
    }
    let mut words = text.split_whitespace();
    let id = words.next().expect("a document begins with the app's path");
    let (mut image, mut ports, mut host, mut more) = ("web:1", Some(0), false, String::new());
    let mut rules = Vec::new();
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let field = match key {
            // `rule=hostname,UNIQUE` is Marathon's form; `expr=` is an expression, `_` for its spaces.
            "rule" => {
                rules.push(format!("[{}]", quoted(value)));
                continue;
            }
            "expr" => {
                rules.push(format!("\"{}\"", value.replace('_', " ")));
                continue;
            }
            "image" => {
                image = value;
                continue;
            }
            "port" => {
                ports = value.parse().ok();
                continue;
            }
            "noports" => {
                ports = None;
                continue;
            }
            "host" => {
                host = true;
                continue;
            }
            _ => field_of(key, value),
        };
        write!(more, ",{field}").expect("a string takes all");
    }
    if !rules.is_empty() {
        write!(more, ",\"constraints\":[{}]", rules.join(",")).expect("a string takes all");
    }
    let docker = format!("\"type\":\"DOCKER\",\"docker\":{{\"image\":\"{image}\"}}");
    let network = match (host, ports) {
        (true, port) => {
            let port = port.unwrap_or(0);
            format!(
                "\"container\":{{{docker}}},\"networks\":[{{\"mode\":\"host\"}}],\"requirePorts\":{},\"portDefinitions\":[{{\"port\":{port}}}]",
                port != 0
            )
        }
        (false, None) => {
            format!(
                "\"container\":{{{docker},\"portMappings\":[]}},\"networks\":[{{\"mode\":\"container/bridge\"}}]"
            )
        }
        (false, Some(port)) => format!(
            "\"container\":{{{docker},\"portMappings\":[{{\"containerPort\":80,\"hostPort\":{port}}}]}},\"networks\":[{{\"mode\":\"container/bridge\"}}]"
        ),
    };
    format!("{{\"id\":\"{id}\",{network}{more}}}").into_bytes()
}

/// One member of the document.
fn field_of(key: &str, value: &str) -> String {
    match key {
        "instances"
        | "cpus"
        | "mem"
        | "disk"
        | "gpus"
        | "backoffSeconds"
        | "backoffFactor"
        | "maxLaunchDelaySeconds" => format!("\"{key}\":{value}"),
        "grace" => format!("\"taskKillGracePeriodSeconds\":{value}"),
        "role" | "killSelection" => format!("\"{key}\":\"{value}\""),
        // `upgrade=0.5,0`: the least that stays healthy and the most on top, as parts of the whole.
        "upgrade" => {
            let (min, over) = value.split_once(',').expect("upgrade needs two numbers");
            format!("\"upgradeStrategy\":{{\"minimumHealthCapacity\":{min},\"maximumOverCapacity\":{over}}}")
        }
        // `update=delay:1,onFailure:rollback` and `failover=retries:2`: Swan's own objects.
        "update" | "failover" => format!("\"{key}\":{{{}}}", members(value)),
        "unreachable" if value == "wait" => "\"unreachableStrategy\":\"disabled\"".into(),
        "unreachable" => format!(
            "\"unreachableStrategy\":{{\"inactiveAfterSeconds\":{value},\"expungeAfterSeconds\":{value}}}"
        ),
        "strategy" => format!("\"placement\":{{\"strategy\":\"{value}\"}}"),
        "weights" => {
            format!("\"placement\":{{\"strategy\":\"weighted\",\"weights\":{{{}}}}}", weights(value))
        }
        "label" => format!("\"labels\":{{\"label\":\"{value}\"}}"),
        "accepted" => format!("\"acceptedResourceRoles\":[{}]", quoted(value)),
        "health" => "\"healthChecks\":[{\"protocol\":\"MESOS_HTTP\",\"path\":\"/\",\"portIndex\":0}]".into(),
        _ => panic!("no such word of the short form: {key}"),
    }
}

/// `a,b` as `"a","b"`.
fn quoted(text: &str) -> String {
    text.split(',').map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(",")
}

/// `cpus:1,tasks:-2`.
fn weights(text: &str) -> String {
    let weight = |pair: &str| {
        let (name, weight) = pair.split_once(':').expect("a name and a weight");
        format!("\"{name}\":{weight}")
    };
    text.split(',').map(weight).collect::<Vec<_>>().join(",")
}

/// `delay:1,onFailure:rollback` as members of an object: numbers as they are, words quoted.
fn members(text: &str) -> String {
    let member = |pair: &str| {
        let (key, value) = pair.split_once(':').expect("a key and a value");
        let plain = value.parse::<f64>().is_ok() || value.starts_with(['[', '{']);
        if plain { format!("\"{key}\":{value}") } else { format!("\"{key}\":\"{value}\"") }
    };
    text.split(',').map(member).collect::<Vec<_>>().join(",")
}
