//! Owns how a call becomes an HTTP request, and what of an answer is kept.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use prost::Message;
use swan_core::link::{MasterAddress, Response};
use swan_core::mesos::{Call, FrameworkId};

use super::connect::Outbound;
use crate::wire::call_to_wire;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const STREAM_ID: HeaderName = HeaderName::from_static("mesos-stream-id");
/// Of a body that is no stream, so much is read.
const BODY_BYTES_MAX: usize = 4 * 1024;

/// Text that is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// As whom to authenticate; the principal is the one in the framework's description (R17).
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Credential {
    pub principal: String,
    pub secret: Secret,
}

/// Whom to ask, and as whom.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) master: MasterAddress,
    pub(super) credential: Option<Arc<Credential>>,
}

impl Target {
    /// The request that subscribes; an error says which field cannot be sent.
    pub(super) fn subscription(
        &self,
        framework: Option<&FrameworkId>,
        call: &Call,
    ) -> Result<Outbound, String> {
        Ok(self.request(framework, call, None)?.map(|body| Full::new(Bytes::from(body))))
    }

    /// The request that makes any other call, as it goes over the connection.
    pub(super) fn call(
        &self,
        framework: &FrameworkId,
        call: &Call,
        stream_id: &str,
    ) -> Result<Vec<u8>, String> {
        let (head, body) = self.request(Some(framework), call, Some(stream_id))?.into_parts();
        let mut bytes = format!("{} {} HTTP/1.1\r\n", head.method, head.uri).into_bytes();
        for (name, value) in &head.headers {
            bytes.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    fn request(
        &self,
        framework: Option<&FrameworkId>,
        call: &Call,
        stream_id: Option<&str>,
    ) -> Result<Request<Vec<u8>>, String> {
        let bytes = call_to_wire(framework, call).map_err(|why| why.to_string())?.encode_to_vec();
        self.post("/api/v1/scheduler", bytes, stream_id)
    }

    /// The request that posts a message.
    pub(super) fn post(
        &self,
        path: &str,
        message: Vec<u8>,
        stream_id: Option<&str>,
    ) -> Result<Request<Vec<u8>>, String> {
        let mut request = Request::post(path)
            .header(HOST, self.master.to_string())
            .header(USER_AGENT, concat!("swan/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, PROTOBUF)
            .header(ACCEPT, PROTOBUF);
        if let Some(stream_id) = stream_id {
            request = request.header(STREAM_ID, stream_id);
        }
        if let Some(credential) = &self.credential {
            request = request.header(AUTHORIZATION, credential.header());
        }
        request.body(message).map_err(|why| why.to_string())
    }
}

impl Credential {
    fn header(&self) -> HeaderValue {
        let pair = STANDARD.encode(format!("{}:{}", self.principal, self.secret.0));
        let mut value = HeaderValue::try_from(format!("Basic {pair}")).expect("base64 fits into a header");
        value.set_sensitive(true);
        value
    }
}

/// The head of an answer.
pub(super) fn head(status: u16, headers: &HeaderMap) -> Response {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
    Response { status, stream_id: text(STREAM_ID), location: text(LOCATION), body: String::new() }
}

/// The beginning of a body.
pub(super) async fn body_start(mut body: Incoming) -> String {
    let mut start = Vec::new();
    while start.len() < BODY_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Ok(data) = frame.into_data() {
            start.extend_from_slice(&data[..data.len().min(BODY_BYTES_MAX - start.len())]);
        }
    }
    String::from_utf8_lossy(&start).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r17_a_credential_is_sent_and_never_shown() {
        let credential = Credential { principal: "swan".into(), secret: Secret::new("hunter2") };
        assert!(!format!("{credential:?}").contains("hunter2"));
        assert_eq!(credential.header(), "Basic c3dhbjpodW50ZXIy");
        assert!(!format!("{:?}", credential.header()).contains("c3dh"));
    }
}
