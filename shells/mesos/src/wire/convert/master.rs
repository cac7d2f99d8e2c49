//! Owns the conversion of what a master tells operators of its frameworks.

use swan_core::mesos as core;

use super::info::{framework_id, labels, to_framework_info};
use super::resource::{resources, to_resources};
use crate::wire::error::{At, WireError, each, need};
use crate::wire::v1;
use crate::wire::v1::master::response::get_frameworks::Framework;
use crate::wire::v1::master::response::{GetFrameworks, Type};
use crate::wire::v1::master::{Call, Response, call};

/// The question for all frameworks.
pub fn frameworks_call() -> Call {
    Call { r#type: Some(call::Type::GetFrameworks.into()) }
}

/// The frameworks that a master lists, without those that are completed.
pub fn frameworks_from_wire(response: Response) -> Result<Vec<core::ListedFramework>, WireError> {
    let list = need(response.get_frameworks, "get_frameworks")?.frameworks;
    each("frameworks", list, listed).at("get_frameworks")
}

fn listed(framework: Framework) -> Result<core::ListedFramework, WireError> {
    let info = need(framework.framework_info, "framework_info")?;
    let read = |info: v1::FrameworkInfo| {
        Ok(core::ListedFramework {
            id: framework_id(info.id, "id")?,
            name: need(info.name, "name")?,
            labels: labels(info.labels)?,
            connected: framework.connected.unwrap_or(false),
            recovered: framework.recovered.unwrap_or(false),
            allocated: framework.allocated_resources.into_iter().map(allocated).collect(),
        })
    };
    read(info).at("framework_info")
}

/// A resource that cannot be read, of whatever framework, is one all the same, of an unknown amount.
fn allocated(resource: v1::Resource) -> core::Resource {
    let name = resource.name.clone().unwrap_or_default();
    let read = resources(vec![resource]).ok().and_then(|mut read| read.pop());
    read.unwrap_or_else(|| core::Resource::scalar(&name, 0))
}

/// The answer of a master that has these frameworks, each with what it says of itself.
pub fn frameworks_to_wire<'a>(
    frameworks: impl IntoIterator<Item = (&'a core::FrameworkInfo, core::ListedFramework)>,
) -> Result<Response, WireError> {
    let framework = |(info, listed): (&core::FrameworkInfo, core::ListedFramework)| {
        let info = core::FrameworkInfo { id: Some(listed.id), ..info.clone() };
        Ok(Framework {
            framework_info: Some(to_framework_info(&info)),
            active: Some(listed.connected),
            connected: Some(listed.connected),
            recovered: Some(listed.recovered),
            allocated_resources: to_resources(&listed.allocated)?,
        })
    };
    let frameworks = each("frameworks", frameworks, framework)?;
    Ok(Response {
        r#type: Some(Type::GetFrameworks.into()),
        get_frameworks: Some(GetFrameworks { frameworks }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> (core::FrameworkInfo, core::ListedFramework) {
        let label = ("swan.journal".to_owned(), Some("file:/a".to_owned()));
        let info = core::FrameworkInfo { name: "swan".into(), labels: vec![label], ..<_>::default() };
        let listed = core::ListedFramework {
            id: "F".into(),
            name: info.name.clone(),
            labels: info.labels.clone(),
            connected: true,
            recovered: false,
            allocated: vec![core::Resource::scalar("cpus", 1500).allocated_to("apps")],
        };
        (info, listed)
    }

    #[test]
    fn a_list_reads_back() {
        let (info, listed) = one();
        let wire = frameworks_to_wire([(&info, listed.clone())]).expect("it has a form");
        assert_eq!(frameworks_from_wire(wire), Ok(vec![listed]));
    }

    #[test]
    fn what_is_allocated_counts_even_if_it_is_not_understood() {
        let (info, listed) = one();
        let mut wire = frameworks_to_wire([(&info, listed)]).expect("it has a form");
        let list = wire.get_frameworks.as_mut().expect("it is there");
        let odd = v1::Resource { name: Some("cpus".into()), ..v1::Resource::default() };
        list.frameworks[0].allocated_resources = vec![odd];
        let read = frameworks_from_wire(wire).expect("all else can be read");
        assert_eq!(read[0].allocated, [core::Resource::scalar("cpus", 0)]);
        let error = frameworks_from_wire(Response::default()).expect_err("no list");
        assert_eq!(error.to_string(), "get_frameworks: is missing");
    }
}
