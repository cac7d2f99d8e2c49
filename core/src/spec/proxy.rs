//! Owns the structure of `proxy`, original Swan's way to say how an app is served, in its flat form and as a list.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::json::Value;
use super::read::{At, Fields, Findings};

/// One of the app's ports, as it is served by gateways.
struct Served {
    alias: Option<String>,
    listen: Option<u16>,
    sticky: bool,
}

/// Reads `proxy` and gives its one form; the n-th element serves the n-th of the app's ports.
pub(super) fn read(at: &At<'_>, findings: &mut Findings, ports: usize) -> Option<Value> {
    let mut fields = at.own_object(findings)?;
    let enabled = fields.flag(findings, "enabled", true);
    let list = fields.get("proxies");
    let flat = ["alias", "listen", "sticky"].into_iter().any(|key| fields.get(key).is_some());
    let served: Vec<Served> = match &list {
        Some(list) => {
            if flat {
                let must = "must be left out, or alias, listen and sticky be given in it";
                findings.problem(&list.path, must);
            }
            let elements = list.list(findings);
            elements.filter_map(|at| read_element(&at, findings)).collect()
        }
        None if flat => Vec::from([read_served(&mut fields, findings)]),
        None => Vec::new(),
    };
    fields.finish(findings);
    if served.len() > ports {
        let message = format!("serves {} ports, but the app has {ports}; must serve no more", served.len());
        findings.problem(&at.path, message);
    }
    refuse_repetitions(at, findings, &served);
    Some(Value::object([
        ("enabled", Some(enabled.into())),
        ("proxies", Some(Value::List(served.iter().map(written).collect()))),
    ]))
}

fn read_element(at: &At<'_>, findings: &mut Findings) -> Option<Served> {
    let mut fields = at.own_object(findings)?;
    let served = read_served(&mut fields, findings);
    fields.finish(findings);
    Some(served)
}

fn read_served(fields: &mut Fields<'_>, findings: &mut Findings) -> Served {
    let alias = fields.get("alias").filter(|at| !at.value.is_empty());
    let listen = fields.get("listen").filter(|at| !at.value.is_empty());
    Served {
        alias: alias.and_then(|at| read_alias(&at, findings)),
        listen: listen.and_then(|at| read_listen(&at, findings)).filter(|port| *port != 0),
        sticky: fields.flag(findings, "sticky", false),
    }
}

fn read_alias(at: &At<'_>, findings: &mut Findings) -> Option<String> {
    let alias = at.text(findings)?;
    let of_label = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    let labels = alias.strip_prefix("*.").unwrap_or(alias).split('.');
    if alias.len() > 253
        || !labels.into_iter().all(|label| (1..=63).contains(&label.len()) && label.bytes().all(of_label))
    {
        at.refuse(findings, "must be a host name, as www.example.com");
        return None;
    }
    Some(alias.to_ascii_lowercase())
}

/// A port as a number, or as text in the manner of original Swan.
fn read_listen(at: &At<'_>, findings: &mut Findings) -> Option<u16> {
    let Value::Text(text) = at.value else { return at.port(findings) };
    let port = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    if port.is_none() {
        at.refuse(findings, "must be a port from 0 to 65535");
    }
    port
}

fn refuse_repetitions(at: &At<'_>, findings: &mut Findings, served: &[Served]) {
    let (mut aliases, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for one in served {
        if let Some(alias) = &one.alias
            && !aliases.insert(alias)
        {
            findings.problem(&at.path, format!("has the alias {alias} twice; each must be given once"));
        }
        if let Some(port) = one.listen
            && !ports.insert(port)
        {
            findings.problem(&at.path, format!("listens at {port} twice; each port must be given once"));
        }
    }
}

fn written(served: &Served) -> Value {
    Value::object([
        ("alias", served.alias.as_deref().map(Value::from)),
        ("listen", served.listen.map(|port| u64::from(port).into())),
        ("sticky", Some(served.sticky.into())),
    ])
}
