//! Owns what an image's name means, and what the engine says while it pulls one.

use serde_json::Value;

/// The name without its tag, and the tag: `latest` by default, none for a digest.
pub(super) fn name_and_tag(image: &str) -> (&str, &str) {
    if image.contains('@') {
        return (image, "");
    }
    let last = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[last..].rfind(':') {
        Some(colon) => (&image[..last + colon], &image[last + colon + 1..]),
        None => (image, "latest"),
    }
}

/// The error in a pull's progress, a JSON object a line; the status was sent before it was known.
pub(super) fn failure(progress: &[u8]) -> Option<String> {
    let mut lines = serde_json::Deserializer::from_slice(progress).into_iter::<Value>().map_while(Result::ok);
    lines.find_map(|line| line["error"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_registries_are_no_tags() {
        for (image, name, tag) in [
            ("web", "web", "latest"),
            ("web:1.0", "web", "1.0"),
            ("team/web:1", "team/web", "1"),
            ("127.0.0.1:5000/web", "127.0.0.1:5000/web", "latest"),
            ("127.0.0.1:5000/web:2", "127.0.0.1:5000/web", "2"),
            ("web@sha256:ab", "web@sha256:ab", ""),
        ] {
            assert_eq!(name_and_tag(image), (name, tag), "{image}");
        }
    }

    #[test]
    fn a_pull_that_fails_late_is_a_failure() {
        let progress = b"{\"status\":\"Pulling\"}\r\n{\"errorDetail\":{},\"error\":\"manifest unknown\"}\r\n";
        assert_eq!(failure(progress).as_deref(), Some("manifest unknown"));
        assert_eq!(failure(b"{\"status\":\"Done\"}\r\n"), None);
    }
}
