//! Owns the container of an app: the Docker image and its options, directories of the host, and what is fetched.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::network::{ContainerSide, read_legacy};
use super::ports::read_mappings;
use super::read::{At, Fields, Findings, Path};
use crate::limits;

/// A directory of the host in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostVolume {
    /// Where in the container.
    pub container_path: String,
    /// Where on the host; relative to the sandbox if not absolute.
    pub host_path: String,
    /// Not to be written.
    pub read_only: bool,
}

/// Something to fetch into the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// From where.
    pub uri: String,
    /// Unpack it if it is an archive.
    pub extract: bool,
    /// Make it executable.
    pub executable: bool,
    /// Keep it in the agent's cache.
    pub cache: bool,
    /// Its name in the sandbox; `None` means the last part of the URI.
    pub dest_path: Option<String>,
}

/// What `container` says.
#[derive(Default)]
pub(super) struct Container {
    pub(super) image: String,
    pub(super) force_pull_image: bool,
    pub(super) privileged: bool,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) volumes: Vec<HostVolume>,
    pub(super) network: ContainerSide,
}

const IMAGE_NEEDED: &str =
    "Swan runs Docker images only; must be given, as \"container\":{\"docker\":{\"image\":\"nginx:1.27\"}}";
const ARCHIVES: [&str; 8] = [".tar", ".tar.bz2", ".tar.xz", ".gz", ".tgz", ".tbz2", ".txz", ".zip"];

/// Reads `container`.
pub(super) fn read(app: &mut Fields<'_>, findings: &mut Findings) -> Container {
    let mut container = Container::default();
    let Some(at) = app.get("container") else {
        findings.problem(&Path::Key(app.path(), "container"), format!("is missing: {IMAGE_NEEDED}"));
        // What Marathon takes it for.
        container.network.mesos = true;
        return container;
    };
    let Some(mut fields) = at.object(findings) else { return container };
    let kind = fields.get("type");
    let docker_type = kind.as_ref().and_then(|at| at.choice(findings, &[("DOCKER", true), ("MESOS", false)]));
    if let (Some(kind), Some(false)) = (&kind, docker_type) {
        findings.warn(&kind.path, "is MESOS; the image will run under Docker");
        container.network.mesos = true;
    }
    if let Some(at) = fields.get("volumes") {
        container.volumes = at.list(findings).filter_map(|at| read_volume(&at, findings)).collect();
    }
    container.network.mappings = fields.get("portMappings").map(|at| read_mappings(&at, findings));
    for (key, why) in [
        ("appc", "is not supported: Swan runs Docker images only"),
        ("linuxInfo", "is not supported: it belongs to Mesos containers; must be left out"),
    ] {
        fields.refuse(findings, key, why);
    }
    match fields.get("docker") {
        Some(docker) => read_docker(&docker, findings, &mut container),
        None => findings.problem(&Path::Key(fields.path(), "docker"), format!("is missing: {IMAGE_NEEDED}")),
    }
    fields.finish(findings);
    container
}

fn read_docker(at: &At<'_>, findings: &mut Findings, container: &mut Container) {
    let Some(mut fields) = at.object(findings) else { return };
    container.read_image(&mut fields, findings);
    container.network.legacy = fields.get("network").and_then(|at| read_legacy(&at, findings));
    if let Some(at) = fields.get("portMappings") {
        let legacy = read_mappings(&at, findings);
        let canonical = container.network.mappings.take().unwrap_or_default();
        if !legacy.is_empty() && !canonical.is_empty() {
            at.refuse(findings, "must be left out, since container.portMappings is given");
        }
        container.network.legacy_mappings = !legacy.is_empty();
        container.network.mappings = Some(if canonical.is_empty() { legacy } else { canonical });
    }
    fields.refuse(
        findings,
        "pullConfig",
        "is not supported: it belongs to Mesos containers; must be left out",
    );
    fields.refuse(findings, "credential", "must be left out: it has no effect since Marathon 1.5");
    fields.finish(findings);
}

impl Container {
    /// What both forms of a document say of the image.
    pub(super) fn read_image(&mut self, docker: &mut Fields<'_>, findings: &mut Findings) {
        match docker.get("image") {
            Some(image) => self.image = read_image(&image, findings).unwrap_or_default(),
            None => {
                findings.problem(&Path::Key(docker.path(), "image"), format!("is missing: {IMAGE_NEEDED}"));
            }
        }
        self.force_pull_image = docker.flag(findings, "forcePullImage", false);
        self.privileged = docker.flag(findings, "privileged", false);
        if let Some(at) = docker.get("parameters") {
            self.parameters = at.list(findings).filter_map(|at| read_parameter(&at, findings)).collect();
        }
    }
}

fn read_parameter(at: &At<'_>, findings: &mut Findings) -> Option<(String, String)> {
    let mut fields = at.object(findings)?;
    let key = fields.require(findings, "key").and_then(|at| {
        let key = at.word(findings)?;
        if key.starts_with('-') || key.contains([' ', '=']) {
            at.refuse(
                findings,
                "must be the name of an option of docker run, without dashes, as \"hostname\"",
            );
        }
        Some(key)
    });
    let value = fields.require(findings, "value").and_then(|at| at.secret_text(findings));
    fields.finish(findings);
    Some((key?.into(), value?.into()))
}

fn read_volume(at: &At<'_>, findings: &mut Findings) -> Option<HostVolume> {
    let mut fields = at.object(findings)?;
    for (key, why) in [
        (
            "persistent",
            "persistent volumes are not supported; must be a host volume: hostPath, containerPath, mode",
        ),
        (
            "external",
            "external volumes are not supported; must be a host volume: hostPath, containerPath, mode",
        ),
        ("secret", "secret volumes are not supported; must be a host volume: hostPath, containerPath, mode"),
    ] {
        if let Some(at) = fields.get(key) {
            findings.problem(&at.path, why);
            return None;
        }
    }
    let container_path =
        fields.require(findings, "containerPath").and_then(|at| read_directory(&at, findings));
    let host_path = fields.require(findings, "hostPath").and_then(|at| read_directory(&at, findings));
    let read_only =
        fields.require(findings, "mode").and_then(|at| at.choice(findings, &[("RO", true), ("RW", false)]));
    fields.finish(findings);
    Some(HostVolume { container_path: container_path?, host_path: host_path?, read_only: read_only? })
}

/// A volume in original Swan's form, which is stricter.
pub(super) fn read_original_volume(at: &At<'_>, findings: &mut Findings) -> Option<HostVolume> {
    let mut fields = at.object(findings)?;
    let container_path =
        fields.require(findings, "containerPath").and_then(|at| read_directory(&at, findings));
    let host_path = fields.require(findings, "hostPath").and_then(|at| {
        let path = read_directory(&at, findings)?;
        if !path.starts_with('/') {
            at.refuse(findings, "must be absolute, as /srv/data");
        }
        Some(path)
    });
    let read_only = fields.require(findings, "mode").and_then(|at| match at.value.as_text() {
        Some("RO") => Some(true),
        Some("RW") => Some(false),
        _ => {
            at.refuse(findings, "must be RO or RW, in upper case");
            None
        }
    });
    fields.finish(findings);
    Some(HostVolume { container_path: container_path?, host_path: host_path?, read_only: read_only? })
}

fn read_directory(at: &At<'_>, findings: &mut Findings) -> Option<String> {
    let path = at.word(findings)?;
    if path.contains(':') {
        at.refuse(findings, "must not contain ':', which separates the paths for Docker");
        return None;
    }
    Some(path.into())
}

/// Reads `fetch`, and its legacy form `uris`.
pub(super) fn read_fetch(app: &mut Fields<'_>, findings: &mut Findings) -> Vec<Fetch> {
    let fetch: Vec<Fetch> = app
        .get("fetch")
        .map(|at| at.list(findings).filter_map(|at| read_one_fetch(&at, findings)).collect())
        .unwrap_or_default();
    let Some(at) = app.get("uris") else { return fetch };
    let uris: Vec<Fetch> = at.list(findings).filter_map(|at| read_uri(&at, findings)).map(of_uri).collect();
    if !uris.is_empty() && !fetch.is_empty() {
        at.refuse(findings, "must be left out, since fetch is given");
    }
    if fetch.is_empty() { uris } else { fetch }
}

fn of_uri(uri: String) -> Fetch {
    let extract = ARCHIVES.iter().any(|ending| uri.ends_with(ending));
    Fetch { uri, extract, executable: false, cache: false, dest_path: None }
}

fn read_one_fetch(at: &At<'_>, findings: &mut Findings) -> Option<Fetch> {
    let mut fields = at.object(findings)?;
    let uri = fields.require(findings, "uri").and_then(|at| read_uri(&at, findings));
    let extract = fields.flag(findings, "extract", true);
    let executable = fields.flag(findings, "executable", false);
    let cache = fields.flag(findings, "cache", false);
    let dest_path = fields.get("destPath").and_then(|at| at.word(findings)).map(String::from);
    fields.finish(findings);
    Some(Fetch { uri: uri?, extract, executable, cache, dest_path })
}

/// Never shown: a URI may hold a password.
fn read_uri(at: &At<'_>, findings: &mut Findings) -> Option<String> {
    let uri = at.secret_text(findings)?;
    let max = limits::URI_CHARS_MAX;
    if uri.is_empty() || uri.chars().count() > max || uri.contains(|c: char| c.is_control() || c == ' ') {
        let must = format!("must have 1 to {max} characters, without spaces and control characters");
        at.refuse_unseen(findings, must);
        return None;
    }
    Some(uri.into())
}

fn read_image(at: &At<'_>, findings: &mut Findings) -> Option<String> {
    let image = at.text(findings)?;
    if let Err(must) = check_image(image) {
        // What stands before an '@' may be a password.
        if image.contains('@') {
            at.refuse_unseen(findings, must)
        } else {
            at.refuse(findings, must)
        }
        return None;
    }
    Some(image.into())
}

/// `[registry[:port]/]name[:tag][@digest]`; `Err` says what it must be.
fn check_image(image: &str) -> Result<(), &'static str> {
    if image.is_empty() || image.len() > limits::IMAGE_BYTES_MAX {
        return Err("must have 1 to 512 bytes, as registry.example.com/team/web:1.2");
    }
    let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if let Some(digest) = digest
        && !digest.split_once(':').is_some_and(|(algorithm, sum)| {
            let lengths = if algorithm == "sha256" { 64..=64 } else { 32..=128 };
            !algorithm.is_empty() && lengths.contains(&sum.len()) && sum.bytes().all(hex)
        })
    {
        return Err(
            "must end in a whole digest, as @sha256: and 64 lower case hexadecimal digits, or in none",
        );
    }
    let name_at = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[name_at..].find(':') {
        Some(colon) => (&rest[..name_at + colon], Some(&rest[name_at + colon + 1..])),
        None => (rest, None),
    };
    let of_tag = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if let Some(tag) = tag
        && !((1..=128).contains(&tag.len()) && tag.bytes().all(of_tag) && !tag.starts_with(['.', '-']))
    {
        return Err("must have a tag of letters, digits, '_', '.' and '-' after the ':', or neither");
    }
    let mut path = name;
    if let Some((registry, rest)) = name.split_once('/')
        && (registry.contains(['.', ':']) || registry == "localhost")
    {
        let of_registry = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
        if !registry.bytes().all(of_registry)
            || !registry.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        {
            return Err("must begin with a registry's host name and port, as registry.example.com:5000/web");
        }
        path = rest;
    }
    let of_path = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let odd = |c: char| ['.', '_', '-'].contains(&c);
    if path.split('/').all(|part| {
        !part.is_empty() && part.bytes().all(of_path) && !part.starts_with(odd) && !part.ends_with(odd)
    }) {
        return Ok(());
    }
    Err("must name an image in lower case letters, digits, '.', '_', '-' and '/', as team/web:1.2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_from_what_docker_would_refuse() {
        let sum = "a".repeat(64);
        for good in [
            "nginx",
            "nginx:1.27-alpine",
            "team/web",
            "localhost/web",
            "r.example.com:5000/a/b_c:v1.0",
            "[::1]:5000/web",
        ] {
            assert_eq!(check_image(good), Ok(()), "{good}");
            assert_eq!(check_image(&format!("{good}@sha256:{sum}")), Ok(()), "{good}");
        }
        for bad in [
            "",
            " ",
            "nginx ",
            "-v",
            "--privileged",
            "nginx:",
            "nginx:-x",
            "Nginx",
            "team/Web",
            "a//b",
            "/a",
            "a/",
            "web@",
            "web@sha256:ab",
            "nginx;rm -rf /",
            "{{ image }}",
            "user:secret@registry.example.com/web",
            "é",
            "a\nb",
            "$(id)",
            "http://example.com/web",
        ] {
            assert!(check_image(bad).is_err(), "{bad:?}");
        }
        assert!(check_image(&"a".repeat(4096)).is_err());
    }
}
