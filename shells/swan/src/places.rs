//! Owns where a manager's parts are, as the command line says it: its journal, the masters of Mesos, ZooKeeper.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use swan_store::{Address, AddressError, Credentials, TlsFiles};

use crate::failure::Failure;

/// How ZooKeeper is spoken to.
#[derive(Clone, Debug, Args)]
pub(crate) struct ZooKeeperArgs {
    /// How long a manager may be silent before ZooKeeper lets another lead.
    #[arg(long, env = "SWAN_ZK_SESSION_TIMEOUT", default_value = "6", value_name = "SECONDS",
        value_parser = clap::value_parser!(u16).range(1..=60))]
    pub(crate) zk_session_timeout: u16,

    /// A file with a line 'user:password' for ZooKeeper's digest scheme; what Swan keeps there is then open to nobody
    /// else.
    #[arg(long, env = "SWAN_ZK_AUTH_FILE", value_name = "FILE")]
    pub(crate) zk_auth_file: Option<PathBuf>,

    /// Speak TLS to ZooKeeper, and trust what this PEM file says.
    #[arg(long, env = "SWAN_ZK_TLS_CA", value_name = "FILE")]
    pub(crate) zk_tls_ca: Option<PathBuf>,

    /// Our certificate for ZooKeeper, in PEM.
    #[arg(long, env = "SWAN_ZK_TLS_CERT", value_name = "FILE", requires_all = ["zk_tls_ca", "zk_tls_key"])]
    pub(crate) zk_tls_cert: Option<PathBuf>,

    /// Its key, in PEM.
    #[arg(long, env = "SWAN_ZK_TLS_KEY", value_name = "FILE", requires = "zk_tls_cert")]
    pub(crate) zk_tls_key: Option<PathBuf>,
}

impl ZooKeeperArgs {
    /// How to reach `address`.
    pub(crate) fn options(&self, address: &Address) -> Result<swan_store::Options, Failure> {
        let credentials = self.zk_auth_file.as_ref().map(|file| {
            let fail = |error: &dyn fmt::Display| {
                Failure::usage(format!("--zk-auth-file {}: {error}", file.display()))
            };
            let text = std::fs::read_to_string(file).map_err(|error| fail(&error))?;
            Credentials::parse(text.strip_suffix('\n').unwrap_or(&text)).map_err(|error| fail(&error))
        });
        let identity = self.zk_tls_cert.clone().zip(self.zk_tls_key.clone());
        Ok(swan_store::Options {
            address: address.clone(),
            session_timeout: Duration::from_secs(self.zk_session_timeout.into()),
            credentials: credentials.transpose()?,
            tls: self.zk_tls_ca.clone().map(|ca| TlsFiles { ca, identity }),
        })
    }
}

/// Where a manager keeps its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Journal {
    /// In files of this directory.
    File(PathBuf),
    /// In ZooKeeper.
    ZooKeeper(Address),
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(directory) => write!(f, "file:{}", directory.display()),
            Self::ZooKeeper(address) => address.fmt(f),
        }
    }
}

/// Reads where a journal is.
pub(crate) fn journal(text: &str) -> Result<Journal, String> {
    match text.strip_prefix("file:") {
        Some(directory) if !directory.is_empty() => Ok(Journal::File(directory.into())),
        None if text.starts_with("zk:") => {
            text.parse().map(Journal::ZooKeeper).map_err(|error: AddressError| error.to_string())
        }
        _ => Err("must be 'file:DIR' or 'zk://HOST:PORT,…/PATH'".to_owned()),
    }
}

/// Where the masters of Mesos are known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mesos {
    /// Their URLs.
    Masters(Vec<String>),
    /// They tell ZooKeeper.
    ZooKeeper(Address),
}

/// Reads where the masters are.
pub(crate) fn mesos(text: &str) -> Result<Mesos, String> {
    if text.starts_with("zk:") {
        return text.parse().map(Mesos::ZooKeeper).map_err(|error: AddressError| error.to_string());
    }
    text.split(',').map(master).collect::<Result<_, _>>().map(Mesos::Masters)
}

fn master(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let address =
        rest.map(|rest| rest.trim_end_matches('/')).filter(|address| !address.contains(['/', '@', '?', '#']));
    let parts = address.and_then(|address| address.rsplit_once(':'));
    match parts {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err("must be 'http://HOST:PORT' or 'https://HOST:PORT'".to_owned()),
    }
}
