//! Owns the offers of scripts: what an agent offers, what its operator says of it, and when it will be down.

use std::ops::RangeInclusive;

use swan_core::mesos::{
    Address, AgentFacts, AgentId, Attribute, AttributeValue, DomainInfo, FrameworkId, InverseOffer, Offer,
    OfferId, Reservation, Resource, Unavailability,
};

use crate::commands::{Words, span_of};
use crate::stage::Stage;

/// `offer S1 [id=O7] [role=*] [cpus=4] [mem=4096] [ports=31000-31099] [disk=…] [gpus=…] [cpus(web)=1]`: a role in
/// parentheses is a reservation. Of the agent: `[host=…] [ip=…] [domain=region/zone] [text.rack=r1] [scalar.speed=2.5]
/// [ranges.slots=1-5,7-9] [set.tags=a,b] [down=10m/1h]`: an outage in ten minutes, for an hour, or for ever without one.
pub(crate) fn offer(stage: &mut Stage, words: &Words<'_>) -> Offer {
    stage.offers += 1;
    let role = words.get("role").unwrap_or("*");
    let mut resources = Vec::new();
    for (name, default) in
        [("cpus", "4"), ("mem", "4096"), ("ports", "31000-31099"), ("disk", "0"), ("gpus", "0")]
    {
        let value = words.get(name).unwrap_or(default);
        if value != "0" {
            resources.push(resource(name, value).allocated_to(role));
        }
    }
    for &(key, value) in &words.named {
        if let Some((name, reserved)) = key.strip_suffix(')').and_then(|key| key.split_once('(')) {
            let layer =
                Reservation { role: reserved.into(), dynamic: false, principal: None, labels: vec![] };
            resources
                .push(Resource { reservations: vec![layer], ..resource(name, value).allocated_to(role) });
        }
    }
    let agent = words.first();
    let ip = |ip: &str| Address { hostname: None, ip: Some(ip.into()), port: 5051 };
    let domain = |domain: &str| {
        let (region, zone) = domain.split_once('/').expect("a region and a zone");
        DomainInfo { region: region.into(), zone: zone.into() }
    };
    Offer {
        id: words
            .get("id")
            .map_or_else(|| OfferId::new(format!("O{}", stage.offers)), |id| OfferId::new(id.to_string())),
        framework_id: FrameworkId::from("F1"),
        agent_id: AgentId::from(agent),
        agent: AgentFacts {
            hostname: words.get("host").map_or_else(|| format!("{}.test", agent.to_lowercase()), Into::into),
            address: words.get("ip").map(ip),
            domain: words.get("domain").map(domain),
            attributes: words.named.iter().filter_map(|&(key, value)| attribute(key, value)).collect(),
        }
        .into(),
        resources,
        role: Some(role.into()),
        unavailability: words.get("down").map(|down| outage(stage, down)),
        executor_ids: vec![],
    }
}

/// `inverse S1 down=10m/1h`: the master asks to free an agent.
pub(crate) fn inverse_offer(stage: &mut Stage, words: &Words<'_>) -> InverseOffer {
    stage.offers += 1;
    InverseOffer {
        id: OfferId::new(format!("O{}", stage.offers)),
        framework_id: FrameworkId::from("F1"),
        agent_id: Some(AgentId::from(words.first())),
        unavailability: outage(stage, words.get("down").expect("an inverse offer names an outage")),
        resources: vec![],
    }
}

fn attribute(key: &str, value: &str) -> Option<Attribute> {
    let (kind, name) = key.split_once('.')?;
    let items = || value.split(',').filter(|item| !item.is_empty());
    let value = match kind {
        "text" => AttributeValue::Text(value.into()),
        "scalar" => AttributeValue::Scalar(thousandths(value)),
        "ranges" => AttributeValue::Ranges(ranges(value)),
        "set" => AttributeValue::Set(items().map(Into::into).collect()),
        _ => return None,
    };
    Some(Attribute { name: name.into(), value })
}

fn outage(stage: &Stage, text: &str) -> Unavailability {
    let (begins, lasts) = text.split_once('/').map_or((text, None), |(begins, lasts)| (begins, Some(lasts)));
    let nanos = |millis: u64| i64::try_from(millis).expect("a span") * 1_000_000;
    Unavailability {
        start_ns: nanos(stage.wall().0 + span_of(begins).0),
        duration_ns: lasts.map(|lasts| nanos(span_of(lasts).0)),
    }
}

fn resource(name: &str, value: &str) -> Resource {
    match name {
        "ports" => Resource::ranges(name, ranges(value)),
        _ => Resource::scalar(name, thousandths(value)),
    }
}

fn ranges(text: &str) -> Vec<(u64, u64)> {
    text.split(',').map(range_of).map(|range| (*range.start(), *range.end())).collect()
}

fn range_of(text: &str) -> RangeInclusive<u64> {
    let number = |text: &str| text.parse().expect("a number");
    match text.split_once('-') {
        Some((low, high)) => number(low)..=number(high),
        None => number(text)..=number(text),
    }
}

fn thousandths(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<3}").parse().expect("a number with at most three decimals")
}
