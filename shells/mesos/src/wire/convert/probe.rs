//! Owns the conversion of health checks and checks.

use swan_core::mesos as core;

use super::number::{seconds, to_seconds};
use super::task::{command, to_command};
use crate::wire::error::{At, WireError, need};
use crate::wire::v1;
use crate::wire::v1::health_check::{HttpCheckInfo, TcpCheckInfo, Type};
use crate::wire::v1::network_info::Protocol;
use crate::wire::v1::{check_info, health_check};

pub(super) fn health_check(check: v1::HealthCheck) -> Result<core::HealthCheck, WireError> {
    let probe = match check.r#type.map(health_check::Type::try_from) {
        Some(Ok(Type::Command)) => {
            core::HealthProbe::Command(command(need(check.command, "command")?).at("command")?)
        }
        Some(Ok(Type::Http)) => http_probe(need(check.http, "http")?)?,
        Some(Ok(Type::Tcp)) => {
            let tcp = need(check.tcp, "tcp")?;
            core::HealthProbe::Tcp { port: need(tcp.port, "port").at("tcp")?, ipv6: is_ipv6(tcp.protocol) }
        }
        Some(Ok(Type::Unknown) | Err(_)) | None => core::HealthProbe::Other(check.r#type),
    };
    Ok(core::HealthCheck {
        probe,
        delay: seconds(check.delay_seconds, "delay_seconds")?,
        interval: seconds(check.interval_seconds, "interval_seconds")?,
        timeout: seconds(check.timeout_seconds, "timeout_seconds")?,
        grace_period: seconds(check.grace_period_seconds, "grace_period_seconds")?,
        consecutive_failures: check.consecutive_failures,
    })
}

fn http_probe(http: HttpCheckInfo) -> Result<core::HealthProbe, WireError> {
    let ipv6 = is_ipv6(http.protocol);
    let port = need(http.port, "port").at("http")?;
    Ok(core::HealthProbe::Http { scheme: http.scheme, port, path: http.path, statuses: http.statuses, ipv6 })
}

fn is_ipv6(protocol: Option<i32>) -> bool {
    protocol == Some(Protocol::IPv6.into())
}

fn to_protocol(ipv6: bool) -> Option<i32> {
    ipv6.then_some(Protocol::IPv6.into())
}

pub(super) fn to_health_check(check: &core::HealthCheck) -> v1::HealthCheck {
    let mut made = v1::HealthCheck {
        delay_seconds: to_seconds(check.delay),
        interval_seconds: to_seconds(check.interval),
        timeout_seconds: to_seconds(check.timeout),
        consecutive_failures: check.consecutive_failures,
        grace_period_seconds: to_seconds(check.grace_period),
        ..Default::default()
    };
    made.r#type = match &check.probe {
        core::HealthProbe::Http { scheme, port, path, statuses, ipv6 } => {
            made.http = Some(HttpCheckInfo {
                protocol: to_protocol(*ipv6),
                scheme: scheme.clone(),
                port: Some(*port),
                path: path.clone(),
                statuses: statuses.clone(),
            });
            Some(Type::Http.into())
        }
        core::HealthProbe::Tcp { port, ipv6 } => {
            made.tcp = Some(TcpCheckInfo { protocol: to_protocol(*ipv6), port: Some(*port) });
            Some(Type::Tcp.into())
        }
        core::HealthProbe::Command(command) => {
            made.command = Some(to_command(command));
            Some(Type::Command.into())
        }
        core::HealthProbe::Other(number) => *number,
    };
    made
}

pub(super) fn check(check: v1::CheckInfo) -> Result<core::Check, WireError> {
    use check_info::Type;
    let probe = match check.r#type.map(Type::try_from) {
        Some(Ok(Type::Command)) => {
            let found = need(check.command.and_then(|found| found.command), "command")?;
            core::HealthProbe::Command(command(found).at("command")?)
        }
        Some(Ok(Type::Http)) => {
            let http = need(check.http, "http")?;
            let port = need(http.port, "port").at("http")?;
            core::HealthProbe::Http { scheme: None, port, path: http.path, statuses: Vec::new(), ipv6: false }
        }
        Some(Ok(Type::Tcp)) => {
            let port = need(need(check.tcp, "tcp")?.port, "port").at("tcp")?;
            core::HealthProbe::Tcp { port, ipv6: false }
        }
        Some(Ok(Type::Unknown) | Err(_)) | None => core::HealthProbe::Other(check.r#type),
    };
    Ok(core::Check {
        probe,
        delay: seconds(check.delay_seconds, "delay_seconds")?,
        interval: seconds(check.interval_seconds, "interval_seconds")?,
        timeout: seconds(check.timeout_seconds, "timeout_seconds")?,
    })
}

pub(super) fn to_check(check: &core::Check) -> v1::CheckInfo {
    use check_info::{Command, Http, Tcp, Type};
    let mut made = v1::CheckInfo {
        delay_seconds: to_seconds(check.delay),
        interval_seconds: to_seconds(check.interval),
        timeout_seconds: to_seconds(check.timeout),
        ..Default::default()
    };
    made.r#type = match &check.probe {
        core::HealthProbe::Http { port, path, .. } => {
            made.http = Some(Http { port: Some(*port), path: path.clone() });
            Some(Type::Http.into())
        }
        core::HealthProbe::Tcp { port, .. } => {
            made.tcp = Some(Tcp { port: Some(*port) });
            Some(Type::Tcp.into())
        }
        core::HealthProbe::Command(command) => {
            made.command = Some(Command { command: Some(to_command(command)) });
            Some(Type::Command.into())
        }
        core::HealthProbe::Other(number) => *number,
    };
    made
}
