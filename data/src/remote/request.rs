//! Requests over http(s): one client with time limits and bounded redirects, and its errors in plain words.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Error};

/// The longest time to look up the machine and to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest silence, before the answer and within it.
const SILENCE: Duration = Duration::from_secs(20);
/// Redirects that are followed.
const REDIRECTS: u32 = 5;

/// What a server sends back.
pub(super) type Answer = Response<Body>;

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// In plain words.
    pub reason: String,
    /// It may work the next time.
    pub transient: bool,
    /// What the server answered, if it did.
    pub status: Option<u16>,
}

impl Failure {
    /// One that stays.
    pub(super) fn lasting(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), transient: false, status: None }
    }

    /// One that may pass.
    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), transient: true, status: None }
    }

    /// The answer's status, where it is neither the whole file nor a part of it.
    pub(super) fn of_status(status: u16) -> Self {
        let reason = match status {
            401 => "the server wants a user name and password (401)".to_owned(),
            403 => "the server forbids it (403)".to_owned(),
            404 | 410 => format!("the server has nothing under that address ({status})"),
            429 => "the server wants fewer requests (429)".to_owned(),
            500.. => format!("the server failed ({status})"),
            _ => format!("the server answers with status {status}"),
        };
        Self { reason, transient: status == 429 || status >= 500, status: Some(status) }
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::Io(io) => Self::of_io(io),
            Error::Timeout(_) => Self::passing("no answer in time"),
            Error::HostNotFound => Self::lasting("no such machine"),
            Error::ConnectionFailed => Self::passing("the connection failed"),
            Error::TooManyRedirects => Self::lasting(format!("the server redirects more than {REDIRECTS} times")),
            Error::BadUri(problem) => Self::lasting(format!("not an address: {problem}")),
            Error::Http(problem) => Self::lasting(format!("not an address: {problem}")),
            Error::Tls(problem) => Self::lasting(format!("the encryption failed: {problem}")),
            Error::Rustls(problem) => Self::lasting(format!("the encryption failed: {problem}")),
            error => Self::passing(error.to_string()),
        }
    }

    /// What went wrong on the connection.
    pub(super) fn of_io(error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::passing("the connection was refused: nobody listens there"),
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::passing("no answer in time"),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                Self::passing("the connection was cut")
            }
            _ => Self::passing(error.to_string()),
        }
    }
}

/// Asks for the bytes `range` of the file at `url`. An answer of any status is one.
///
/// # Errors
/// A connection that fails.
pub(super) fn get(url: &str, range: &Range<u64>) -> Result<Answer, Failure> {
    let last = range.end.saturating_sub(1);
    let mut request = agent().get(url).header("Range", format!("bytes={}-{last}", range.start));
    if let Some(login) = login_in(url) {
        request = request.header("Authorization", format!("Basic {}", STANDARD.encode(login)));
    }
    request.call().map_err(|error| Failure::of(&error))
}

/// A header of an answer, if it is plain text.
pub(super) fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// One for the whole program: it keeps connections open.
fn agent() -> &'static Agent {
    static AGENT: OnceLock<Agent> = OnceLock::new();
    AGENT.get_or_init(|| {
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("deltasteer/", env!("CARGO_PKG_VERSION")))
            // A packed answer would have another length than the file.
            .accept_encoding("identity")
            .http_status_as_error(false)
            .max_redirects(REDIRECTS)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .build()
            .new_agent()
    })
}

/// `USER:PASSWORD` of `http://USER:PASSWORD@machine/...`.
fn login_in(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let machine = rest.split(['/', '?', '#']).next()?;
    machine.rsplit_once('@').map(|(login, _)| login)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_stands_before_the_machine() {
        assert_eq!(login_in("http://me:word@cam:80/a.mp4"), Some("me:word"));
        assert_eq!(login_in("http://cam/a@b.mp4"), None);
        assert_eq!(login_in("cam"), None);
    }
}
