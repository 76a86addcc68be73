//! Where the daemon of a state directory answers (spec/daemon-api, "Where it listens").

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};

/// How to reach one daemon.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: Address,
    /// Of the `Authorization` header; empty on a unix socket, whose mode is the permission.
    pub(crate) token: String,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Address {
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no unix sockets"))]
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
}

impl Endpoint {
    /// Of the `Host` header.
    pub(crate) fn host(&self) -> &str {
        match &self.address {
            Address::Unix(_) => "localhost",
            Address::Tcp(address) => address,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Unix(path) => write!(out, "{}", path.display()),
            Address::Tcp(address) => write!(out, "http://{address}"), // never the token
        }
    }
}

/// How the endpoint is found; asked again whenever the daemon has gone, for it may be elsewhere then.
pub(crate) enum Finder {
    StateDirectory(PathBuf),
    Fixed(Endpoint),
}

#[derive(Deserialize)]
struct Written {
    unix_path: Option<PathBuf>,
    port: u16,
    owner_token: String,
}

impl Finder {
    /// Of a fixed address, `http://127.0.0.1:PORT`.
    pub(crate) fn url(url: &str, token: &str) -> Result<Self> {
        let address = url.trim_end_matches('/').strip_prefix("http://").filter(|rest| {
            rest.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        });
        let usable = !token.contains(|c: char| c.is_control() || !c.is_ascii());
        let (Some(address), true) = (address, usable) else {
            let text =
                "The daemon's address is http://127.0.0.1:PORT, and a token is plain text. Nothing was done.";
            return Err(Error::new(ErrorKind::Input, "bad-endpoint", text));
        };
        Ok(Self::Fixed(Endpoint { address: Address::Tcp(address.into()), token: token.into() }))
    }

    /// What the daemon has written about itself. It may have been killed since.
    pub(crate) fn find(&self) -> Result<Endpoint> {
        match self {
            Self::Fixed(endpoint) => Ok(endpoint.clone()),
            Self::StateDirectory(directory) => {
                read(directory).ok_or_else(|| Error::no_daemon(directory.display()))
            }
        }
    }
}

fn read(directory: &Path) -> Option<Endpoint> {
    let text = std::fs::read(directory.join("daemon").join("endpoint.json")).ok()?;
    let written: Written = serde_json::from_slice(&text).ok()?;
    #[cfg(unix)]
    if let Some(path) = written.unix_path {
        return Some(Endpoint { address: Address::Unix(path), token: String::new() });
    }
    #[cfg(not(unix))]
    let _ = written.unix_path;
    Some(Endpoint {
        address: Address::Tcp(format!("127.0.0.1:{}", written.port)),
        token: written.owner_token,
    })
}

/// `~/.p4`, where a device keeps its state unless its user says otherwise.
pub(crate) fn default_directory() -> Result<PathBuf> {
    #[allow(deprecated, reason = "it was wrong on Windows only, and before Rust 1.85")]
    let home =
        std::env::home_dir().ok_or_else(|| Error::no_daemon("this user, who has no home directory"))?;
    Ok(home.join(".p4"))
}
