//! Owns addresses of ensembles: `zk://host:port,…/path`, as Mesos writes them.

use std::fmt;
use std::str::FromStr;

/// Servers of an ensemble, and a node below which everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    servers: String,
    root: String,
}

/// What is wrong with an address, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(&'static str);

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; it must be like 'zk://h1:2181,h2:2181,h3:2181/swan'", self.0)
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// `h1:2181,h2:2181`.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// An absolute path without a slash at its end.
    pub fn root(&self) -> &str {
        &self.root
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zk://{}{}", self.servers, self.root)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("zk://").ok_or(AddressError("it does not begin with 'zk://'"))?;
        let (servers, path) = rest.split_once('/').ok_or(AddressError("it names no path"))?;
        if servers.contains('@') {
            return Err(AddressError("a password does not belong here, but into --zk-auth-file"));
        }
        if !servers.split(',').all(is_server) {
            return Err(AddressError("a server is not HOST:PORT"));
        }
        let path = path.trim_end_matches('/');
        let sound = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.chars().all(|c| c.is_ascii_graphic())
        };
        if !path.split('/').all(sound) || path == "zookeeper" {
            return Err(AddressError("its path cannot be one of ours"));
        }
        Ok(Self { servers: servers.to_owned(), root: format!("/{path}") })
    }
}

fn is_server(text: &str) -> bool {
    let port = |(host, port): (&str, &str)| (!host.is_empty() && host.is_ascii(), port.parse::<u16>());
    matches!(text.rsplit_once(':').map(port), Some((true, Ok(1..))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_a_path_are_needed() {
        let address: Address = "zk://a:2181,[::1]:2182/swan/one/".parse().expect("good");
        assert_eq!((address.servers(), address.root()), ("a:2181,[::1]:2182", "/swan/one"));
        assert_eq!(address.to_string(), "zk://a:2181,[::1]:2182/swan/one");
        for bad in [
            "a:2181/swan",
            "zk://a:2181",
            "zk://a:2181/",
            "zk:///swan",
            "zk://a/swan",
            "zk://a:0/swan",
            "zk://a:2181,/swan",
            "zk://u:p@a:2181/swan",
            "zk://a:2181/swan//x",
            "zk://a:2181/../x",
            "zk://a:2181/zookeeper",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
