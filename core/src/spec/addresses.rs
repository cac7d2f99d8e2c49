//! Owns `ips`: the addresses that instances have in a network that users made.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use super::network::Network;
use super::read::{At, Findings};
use crate::limits;

/// Reads `ips`, each in its shortest form; instance i gets the i-th.
pub(super) fn read(at: &At<'_>, findings: &mut Findings, network: &Network) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut addresses = Vec::new();
    for element in at.list(findings) {
        let Some(text) = element.text(findings) else { continue };
        let Some(address) = text.parse::<IpAddr>().ok() else {
            element.refuse(findings, "must be an IP address, as \"10.0.0.7\"");
            continue;
        };
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            element.refuse(findings, "must be the address of one container, as \"10.0.0.7\"");
            continue;
        }
        if !seen.insert(address) {
            element.refuse(findings, "must be given once: no two instances can have the same address");
            continue;
        }
        addresses.push(address.to_string());
    }
    if !addresses.is_empty() && !matches!(network, Network::User(_)) {
        let must =
            "must be left out: only in a network that users made do containers have addresses of their own";
        at.refuse(findings, must);
    }
    if addresses.len() > limits::INSTANCES_MAX as usize {
        let (are, max) = (addresses.len(), limits::INSTANCES_MAX);
        findings.problem(&at.path, format!("has {are} addresses; must have at most {max}"));
    }
    addresses
}
