//! Owns `swan manager`: one manager against a Mesos cluster.

use std::path::Path;

use swan_core::link::MasterAddress;
use swan_mesos::client::{Credential, Secret};

use crate::arguments::ManagerArgs;
use crate::failure::Failure;
use crate::masters::MastersPlan;
use crate::memory::MemoryPlan;
use crate::places::{Journal, Mesos};
use crate::service::{self, Plan};

/// Runs until it is told to stop.
pub(crate) fn run(arguments: ManagerArgs) -> Result<(), Failure> {
    let tokens = arguments.serving.tokens()?;
    let (masters, tls) = match &arguments.mesos {
        Mesos::Masters(urls) => {
            let (masters, tls) = masters(urls)?;
            (MastersPlan::Fixed(masters), tls || arguments.mesos_tls)
        }
        Mesos::ZooKeeper(address) => {
            let options = arguments.zookeeper.options(address)?;
            (MastersPlan::ZooKeeper(Box::new(options)), arguments.mesos_tls)
        }
    };
    let credential = match (arguments.principal, &arguments.secret_file) {
        (Some(principal), Some(file)) => Some(Credential { principal, secret: secret(file)? }),
        _ => None,
    };
    let memory = match &arguments.journal {
        Journal::File(directory) => MemoryPlan::Files(directory.clone()),
        Journal::ZooKeeper(address) => MemoryPlan::ZooKeeper(Box::new(arguments.zookeeper.options(address)?)),
    };
    let runtime = service::runtime()?;
    let plan = Plan {
        memory,
        masters,
        tls,
        credential,
        framework_name: arguments.framework_name,
        roles: arguments.role,
        listener: service::listen("--listen", arguments.serving.listen)?,
        advertise: arguments.advertise,
        tokens,
        authorization: arguments.serving.authorization(),
        allow_purge: arguments.serving.allow_purge,
    };
    service::run(plan, &runtime)
}

/// The masters' addresses, and whether they speak TLS; all or none of them do.
fn masters(urls: &[String]) -> Result<(Vec<MasterAddress>, bool), Failure> {
    let tls = urls.iter().any(|url| url.starts_with("https://"));
    let address = |url: &String| {
        let rest = url.strip_prefix(if tls { "https://" } else { "http://" })?;
        let (host, port) = rest.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(MasterAddress { host, port: port.parse().ok()? })
    };
    let masters: Option<Vec<MasterAddress>> = urls.iter().map(address).collect();
    masters.map(|masters| (masters, tls)).ok_or_else(|| {
        Failure::usage(format!("--mesos {}: all masters must be http, or all https", urls.join(",")))
    })
}

fn secret(file: &Path) -> Result<Secret, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("--secret-file {name} cannot be read: {error}")))?;
    Ok(Secret::new(text.strip_suffix('\n').unwrap_or(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_are_taken_apart_and_schemes_are_not_mixed() {
        let urls = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (masters, tls) = masters(&urls(&["https://a:5050", "https://[::1]:5051"])).expect("good");
        assert!(tls);
        assert_eq!(masters[1], MasterAddress { host: "::1".into(), port: 5051 });
        assert!(super::masters(&urls(&["http://a:5050", "https://b:5050"])).is_err());
    }
}
