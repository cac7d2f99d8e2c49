//! Owns the arithmetic of resources: sums, differences, containment, and their text in error messages.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use swan_core::mesos::{Resource, ResourceValue};

/// A sum of resources: entries of one kind are merged, empty ones left out, order of first mention kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pool(Vec<Resource>);

impl Pool {
    pub(crate) fn of(resources: &[Resource]) -> Self {
        let mut pool = Self::default();
        pool.add(resources);
        pool
    }

    pub(crate) fn resources(&self) -> &[Resource] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, resources: &[Resource]) {
        for resource in resources {
            match self.0.iter_mut().find(|mine| same_kind(mine, resource)) {
                Some(mine) => mine.value = sum(&mine.value, &resource.value),
                None => {
                    let mut resource = resource.clone();
                    resource.value = normal(resource.value);
                    self.0.push(resource);
                }
            }
        }
        self.0.retain(|resource| !is_nothing(&resource.value));
    }

    /// Adds what was taken before: mostly all that there was.
    pub(crate) fn put_back(&mut self, taken: Self) {
        if self.0.is_empty() {
            *self = taken;
        } else {
            self.add(taken.resources());
        }
    }

    /// Takes away what is there; what is not is ignored.
    pub(crate) fn subtract(&mut self, resources: &[Resource]) {
        for resource in resources {
            if let Some(mine) = self.0.iter_mut().find(|mine| same_kind(mine, resource)) {
                mine.value = difference(&mine.value, &resource.value);
            }
        }
        self.0.retain(|resource| !is_nothing(&resource.value));
    }

    pub(crate) fn contains(&self, wanted: &Self) -> bool {
        wanted.0.iter().all(|resource| {
            self.0.iter().any(|mine| same_kind(mine, resource) && covers(&mine.value, &resource.value))
        })
    }

    pub(crate) fn into_resources(self) -> Vec<Resource> {
        self.0
    }

    /// The same, allocated to `role`, or to nobody.
    #[must_use]
    pub(crate) fn allocated(mut self, role: Option<&Arc<str>>) -> Self {
        for resource in &mut self.0 {
            resource.allocation_role = role.cloned();
        }
        self
    }

    /// What may be offered to `role`: ranges first, then what is reserved for it, then what is not reserved.
    pub(crate) fn offerable(&self, role: &str) -> Self {
        Self(self.0.iter().filter(|resource| reserved_for(resource, role)).cloned().collect())
            .in_offers_order()
    }

    /// The same, taken away.
    pub(crate) fn take_offerable(&mut self, role: &str) -> Self {
        if self.0.iter().all(|resource| reserved_for(resource, role)) {
            return std::mem::take(self).in_offers_order();
        }
        Self(self.0.extract_if(.., |resource| reserved_for(resource, role)).collect()).in_offers_order()
    }

    fn in_offers_order(mut self) -> Self {
        self.0.sort_by_key(|resource| match resource.value {
            ResourceValue::Ranges(_) => 0,
            _ if !resource.reservations.is_empty() => 1,
            _ => 2,
        });
        self
    }

    /// Whether what may be offered to `role` is enough for an offer.
    pub(crate) fn is_offerable(&self, role: &str) -> bool {
        enough(|name| sum_of(self.0.iter().filter(|resource| reserved_for(resource, role)), name))
    }

    /// So much of every scalar, and so many of the first ports.
    pub(crate) fn part(&self, percent: u32) -> Self {
        let mut part = self.clone();
        for resource in &mut part.0 {
            resource.value = portion(&resource.value, percent);
        }
        part.0.retain(|resource| !is_nothing(&resource.value));
        part
    }

    /// What there is of cpus above so many thousandths.
    pub(crate) fn cpus_above(&self, milli: i64) -> Self {
        let mut left = milli;
        let cpus = self.0.iter().filter(|it| it.has_name("cpus"));
        let above = cpus.filter_map(|it| {
            let ResourceValue::Scalar(here) = it.value else { return None };
            // Of what others took while its agent was away there may be less than none.
            let here = here.max(0);
            let above = (here - left).clamp(0, here);
            left = (left - here).max(0);
            (above > 0).then(|| Resource { value: ResourceValue::Scalar(above), ..it.clone() })
        });
        Self(above.collect())
    }

    /// No more than so many cpus, and nothing else.
    pub(crate) fn cpus(&self, milli: i64) -> Self {
        let first = self.0.iter().find(|it| it.has_name("cpus")).cloned();
        Self(first.map(|it| Resource { value: ResourceValue::Scalar(milli), ..it }).into_iter().collect())
    }

    /// Thousandths of a scalar, over all reservations.
    pub(crate) fn scalar(&self, name: &str) -> i64 {
        sum_of(self.0.iter(), name)
    }

    /// Enough for an offer.
    pub(crate) fn is_allocatable(&self) -> bool {
        enough(|name| self.scalar(name))
    }
}

/// 0.01 cpus or 32 MiB.
fn enough(scalar: impl Fn(&str) -> i64) -> bool {
    scalar("cpus") >= 10 || scalar("mem") >= 32_000
}

fn sum_of<'a>(resources: impl Iterator<Item = &'a Resource>, name: &str) -> i64 {
    let of = |resource: &Resource| match resource.value {
        ResourceValue::Scalar(milli) if resource.has_name(name) => milli,
        _ => 0,
    };
    resources.map(of).sum()
}

fn reserved_for(resource: &Resource, role: &str) -> bool {
    let inner = resource.reservations.last();
    inner.is_none_or(|reservation| {
        role == reservation.role
            || role.strip_prefix(reservation.role.as_str()).is_some_and(|rest| rest.starts_with('/'))
    })
}

fn same_kind(a: &Resource, b: &Resource) -> bool {
    a.name == b.name
        && a.allocation_role == b.allocation_role
        && a.reservations == b.reservations
        && a.revocable == b.revocable
        && a.disk == b.disk
        && core::mem::discriminant(&a.value) == core::mem::discriminant(&b.value)
}

fn is_nothing(value: &ResourceValue) -> bool {
    match value {
        ResourceValue::Scalar(milli) => *milli == 0,
        ResourceValue::Ranges(ranges) => ranges.is_empty(),
        ResourceValue::Set(items) => items.is_empty(),
    }
}

fn portion(value: &ResourceValue, percent: u32) -> ResourceValue {
    match value {
        ResourceValue::Scalar(milli) => ResourceValue::Scalar(milli * i64::from(percent) / 100),
        ResourceValue::Set(items) => ResourceValue::Set(items.clone()),
        ResourceValue::Ranges(ranges) => {
            let all: u64 = ranges.iter().map(|(begin, end)| end - begin + 1).sum();
            let mut left = all * u64::from(percent) / 100;
            let mut taken = Vec::new();
            for &(begin, end) in ranges {
                let here = left.min(end - begin + 1);
                if here > 0 {
                    taken.push((begin, begin + here - 1));
                    left -= here;
                }
            }
            ResourceValue::Ranges(taken)
        }
    }
}

fn normal(value: ResourceValue) -> ResourceValue {
    match value {
        ResourceValue::Ranges(ranges) => ResourceValue::Ranges(merged(ranges)),
        other => other,
    }
}

fn merged(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.retain(|(begin, end)| begin <= end);
    ranges.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for (begin, end) in ranges {
        match out.last_mut() {
            Some(last) if begin <= last.1.saturating_add(1) => last.1 = last.1.max(end),
            _ => out.push((begin, end)),
        }
    }
    out
}

fn sum(a: &ResourceValue, b: &ResourceValue) -> ResourceValue {
    match (a, b) {
        (ResourceValue::Scalar(a), ResourceValue::Scalar(b)) => ResourceValue::Scalar(a.saturating_add(*b)),
        (ResourceValue::Ranges(a), ResourceValue::Ranges(b)) => {
            ResourceValue::Ranges(merged(a.iter().chain(b).copied().collect()))
        }
        (ResourceValue::Set(a), ResourceValue::Set(b)) => {
            let mut items = a.clone();
            items.extend(b.iter().filter(|item| !a.contains(item)).cloned());
            ResourceValue::Set(items)
        }
        _ => a.clone(),
    }
}

fn difference(a: &ResourceValue, b: &ResourceValue) -> ResourceValue {
    match (a, b) {
        (ResourceValue::Scalar(a), ResourceValue::Scalar(b)) => ResourceValue::Scalar(a.saturating_sub(*b)),
        (ResourceValue::Ranges(a), ResourceValue::Ranges(b)) => {
            let mut left = a.clone();
            for &(begin, end) in b {
                left = left.iter().flat_map(|&range| cut(range, begin, end)).flatten().collect();
            }
            ResourceValue::Ranges(left)
        }
        (ResourceValue::Set(a), ResourceValue::Set(b)) => {
            ResourceValue::Set(a.iter().filter(|item| !b.contains(item)).cloned().collect())
        }
        _ => a.clone(),
    }
}

/// What remains of a range, left and right of a cut.
fn cut(range: (u64, u64), begin: u64, end: u64) -> [Option<(u64, u64)>; 2] {
    if end < range.0 || begin > range.1 {
        return [Some(range), None];
    }
    let left = (begin > range.0).then(|| (range.0, begin - 1));
    let right = (end < range.1).then(|| (end + 1, range.1));
    [left, right]
}

fn covers(a: &ResourceValue, b: &ResourceValue) -> bool {
    match (a, b) {
        (ResourceValue::Scalar(a), ResourceValue::Scalar(b)) => a >= b,
        (ResourceValue::Ranges(a), ResourceValue::Ranges(b)) => {
            b.iter().all(|(begin, end)| a.iter().any(|(from, to)| from <= begin && end <= to))
        }
        (ResourceValue::Set(a), ResourceValue::Set(b)) => b.iter().all(|item| a.contains(item)),
        _ => false,
    }
}

impl core::fmt::Display for Pool {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let parts: Vec<String> = self.0.iter().map(text).collect();
        f.write_str(&parts.join("; "))
    }
}

/// A resource as a master's messages show it: `cpus(allocated: apps):0.1`.
pub(crate) fn text(resource: &Resource) -> String {
    let mut text = resource.name.to_string();
    if let Some(role) = &resource.allocation_role {
        text += &format!("(allocated: {role})");
    }
    if !resource.reservations.is_empty() {
        let layer = |layer: &swan_core::mesos::Reservation| {
            let kind = if layer.dynamic { "DYNAMIC" } else { "STATIC" };
            format!("({kind},{})", layer.role)
        };
        let layers: Vec<String> = resource.reservations.iter().map(layer).collect();
        text += &format!("(reservations: [{}])", layers.join(","));
    }
    match &resource.value {
        ResourceValue::Scalar(milli) => text + ":" + &decimal(*milli),
        ResourceValue::Ranges(ranges) => {
            let parts: Vec<String> = ranges.iter().map(|(begin, end)| format!("{begin}-{end}")).collect();
            format!("{text}:[{}]", parts.join(", "))
        }
        ResourceValue::Set(items) => format!("{text}:{{{}}}", items.join(", ")),
    }
}

fn decimal(milli: i64) -> String {
    let sign = if milli < 0 { "-" } else { "" };
    let (whole, rest) = (milli.unsigned_abs() / 1000, milli.unsigned_abs() % 1000);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{rest:03}").trim_end_matches('0').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> Pool {
        Pool::of(&[Resource::scalar("cpus", 4000), Resource::ranges("ports", vec![(31000, 31099)])])
    }

    #[test]
    fn what_is_taken_can_be_given_back() {
        let taken = [Resource::scalar("cpus", 100), Resource::ranges("ports", vec![(31002, 31002)])];
        let mut pool = agent();
        pool.subtract(&taken);
        assert_eq!(pool.to_string(), "cpus:3.9; ports:[31000-31001, 31003-31099]");
        assert!(!pool.contains(&Pool::of(&taken)));
        pool.add(&taken);
        assert_eq!(pool, agent());
    }

    #[test]
    fn what_is_above_a_limit_is_counted_over_all_reservations() {
        let more = Resource { revocable: true, ..Resource::scalar("cpus", 3000) };
        let pool = Pool::of(&[Resource::scalar("cpus", 4000), more]);
        assert_eq!(pool.cpus_above(5000).to_string(), "cpus:2");
        assert_eq!(pool.cpus_above(1000).scalar("cpus"), 6000);
        assert!(pool.cpus_above(7000).is_empty());
    }

    #[test]
    fn all_taken_is_nothing_left() {
        let mut pool = agent();
        pool.subtract(agent().resources());
        assert!(pool.is_empty());
    }

    #[test]
    fn another_role_is_another_kind() {
        let offered = agent().allocated(Some(&"apps".into()));
        assert!(!offered.contains(&Pool::of(&[Resource::scalar("cpus", 100).allocated_to("other")])));
        assert!(offered.contains(&Pool::of(&[Resource::scalar("cpus", 100).allocated_to("apps")])));
    }
}
