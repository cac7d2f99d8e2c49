//! Owns what an HTTP answer of a master means.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use serde::{Deserialize, Serialize};

use super::MasterAddress;

/// Bytes of another's words that are repeated to people.
const EXCERPT_BYTES_MAX: usize = 300;

/// What matters of an HTTP answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// `Mesos-Stream-Id`.
    pub stream_id: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// The beginning of the body, if the answer is no stream.
    pub body: String,
}

/// What an answer to SUBSCRIBE means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Stream(String),
    Redirect(MasterAddress),
    /// Why, to be read after the master's address.
    Refused(Fault),
}

/// Why a subscription ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) why: String,
    /// Only people can mend it: trying often helps nobody.
    pub(super) lasting: bool,
}

impl Fault {
    pub(super) const fn passing(why: String) -> Self {
        Self { why, lasting: false }
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if self.body.trim().is_empty() { Ok(()) } else { write!(f, ", {}", excerpt(&self.body)) }
    }
}

impl Response {
    /// A bare answer.
    pub fn of_status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(super) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// A call was refused in a way that means that the subscription is gone or was never good.
    pub(super) fn denies_subscription(&self) -> bool {
        match self.status {
            300..=399 | 401 | 403 | 503 => true,
            400 => self.body.contains("stream ID"),
            _ => false,
        }
    }

    /// What it means as the answer to SUBSCRIBE (R4).
    pub(super) fn verdict(&self) -> Verdict {
        let lasting = |why| Verdict::Refused(Fault { why, lasting: true });
        let passing = |why| Verdict::Refused(Fault { why, lasting: false });
        match self.status {
            200 => match &self.stream_id {
                Some(id) if !id.is_empty() => Verdict::Stream(id.clone()),
                _ => passing("gave no Mesos-Stream-Id: is it a Mesos master?".to_string()),
            },
            301 | 302 | 307 | 308 => match self.location.as_deref().and_then(redirect_target) {
                Some(target) => Verdict::Redirect(target),
                None => passing(format!("redirects, but its Location is no address of a master: {self}")),
            },
            401 => lasting(format!("does not know this principal and secret; check both ({self})")),
            403 => lasting(format!(
                "does not let this principal register such a framework; check its ACLs ({self})"
            )),
            400 | 404 | 405 | 406 | 415 => {
                lasting(format!("does not take our SUBSCRIBE; is it a Mesos master of 1.x? ({self})"))
            }
            503 => passing(format!("has no leader or is recovering ({self})")),
            _ => passing(format!("answered SUBSCRIBE oddly ({self})")),
        }
    }
}

/// The host and port of a `Location`: an absolute URL, or one without a scheme as masters write it.
fn redirect_target(location: &str) -> Option<MasterAddress> {
    let (rest, default_port) = if let Some(rest) = location.strip_prefix("https://") {
        (rest, Some(443))
    } else if let Some(rest) = location.strip_prefix("http://") {
        (rest, Some(80))
    } else {
        (location.strip_prefix("//")?, None)
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']')?;
            (host, after.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
        None => default_port?,
    };
    (!host.is_empty() && !host.contains('@')).then(|| MasterAddress { host: host.to_string(), port })
}

/// The beginning of another's words on one line, for people.
pub fn excerpt(text: &str) -> String {
    let mut end = text.len().min(EXCERPT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut shown: String =
        text[..end].trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if end < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn r4_locations_name_a_host_and_a_port_or_nothing() {
        let of = |text| redirect_target(text).map(|target| target.to_string());
        for (location, target) in [
            ("//m2.test:5050/master/api/v1/scheduler", Some("m2.test:5050")),
            ("http://10.0.0.2:5050/api/v1/scheduler", Some("10.0.0.2:5050")),
            ("https://m2.test/api", Some("m2.test:443")),
            ("//[::1]:5050/x", Some("[::1]:5050")),
            ("//m2.test/x", None),
            ("/api/v1/scheduler", None),
            ("//user@m2.test:5050/", None),
            ("//m2.test:+5050/", None),
            ("//m2.test:99999/", None),
            ("//:5050/", None),
            ("gopher://m2.test:5050", None),
            ("", None),
        ] {
            assert_eq!(of(location).as_deref(), target, "{location}");
        }
    }

    proptest! {
        #[test]
        fn any_location_is_read_or_refused(location in "(https?:)?//?[^ ]{0,20}(:[0-9+]{0,7})?(/.*)?", text in ".{0,500}") {
            let _ = redirect_target(&location);
            prop_assert!(excerpt(&text).len() <= EXCERPT_BYTES_MAX + 3);
        }
    }
}
