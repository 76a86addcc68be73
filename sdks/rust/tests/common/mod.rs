//! Two devices that know each other as `anna` and `bob`, with real daemons in direct mode.
//!
//! The command is that of the environment's `P4_COMMAND`, `p4` without it; it may be several words.

#![allow(dead_code, unreachable_pub, reason = "each test program uses another part")]

use std::future::Future;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use p4_client::{Client, InviteKind, Options};
use tempfile::TempDir;

/// Long enough for a busy machine; nothing waits that long when it works.
pub const LONG: Duration = Duration::from_secs(60);

pub struct Device {
    home: PathBuf,
    port: u16,
}

impl Device {
    fn new(home: PathBuf, port: u16) -> Self {
        std::fs::create_dir(&home).unwrap();
        Self { home, port }
    }

    pub fn state(&self) -> PathBuf {
        self.home.join(".p4")
    }

    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("P4_")) {
            command.env_remove(name);
        }
        command.env("HOME", &self.home).env("P4_ALLOW_LOOPBACK", "1").current_dir(&self.home);
        command
    }

    /// Runs a `p4` command; gives what it prints.
    pub fn p4(&self, arguments: &[&str]) -> String {
        let words = std::env::var("P4_COMMAND").unwrap_or_else(|_| "p4".into());
        let mut words = words.split_whitespace();
        let mut command = self.command(words.next().unwrap());
        let output =
            command.args(words).args(arguments).stdin(Stdio::null()).output().expect("P4_COMMAND runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "p4 {arguments:?}: {out}{err}");
        out.into_owned()
    }

    pub fn up(&self) {
        let port = self.port.to_string();
        let options = ["up", "--detach", "--json", "--mode", "direct", "--signal-port", &port];
        let alone = ["--stun-server", "", "--no-lan", "--no-direct-signaling"];
        self.p4(&[&options[..], &alone[..]].concat());
    }

    pub fn endpoint(&self) -> Option<serde_json::Value> {
        let text = std::fs::read(self.state().join("daemon").join("endpoint.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// kill -9 of the daemon, and waits until it is gone.
    pub fn kill(&self) {
        let Some(endpoint) = self.endpoint() else { return };
        let pid = endpoint["pid"].to_string();
        let kill = |signal: &str| {
            Command::new("kill").args([signal, &pid]).stderr(Stdio::null()).status().unwrap().success()
        };
        kill("-9");
        // A zombie does not answer any more, whoever is to bury it.
        let lives = || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            kill("-0") && !status.is_ok_and(|status| status.contains(") Z "))
        };
        while lives() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub async fn client(&self) -> Client {
        let options = Options::default().state_dir(self.state()).restart_patience(LONG);
        options.connect().await.unwrap()
    }
}

pub struct Pair {
    pub anna: Device,
    pub bob: Device,
    _directory: TempDir,
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.anna.kill();
        self.bob.kill();
    }
}

/// Their daemons run, and they do not know each other.
pub fn strangers() -> Pair {
    let directory = TempDir::new().unwrap();
    // Both are open at a time, so they are different.
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let [first, second] = listeners.map(|listener| listener.local_addr().unwrap().port());
    let device = |name: &str, port| Device::new(directory.path().join(name), port);
    let (anna, bob) = (device("anna", first), device("bob", second));
    anna.up();
    bob.up();
    Pair { anna, bob, _directory: directory }
}

/// Paired through the client, each granting the other a service.
pub async fn pair(service: &str) -> (Pair, Client, Client) {
    let devices = strangers();
    let (anna, bob) = (devices.anna.client().await, devices.bob.client().await);
    let invite = anna.pairing().invite_with(InviteKind::Link, LONG, "bob").await.unwrap();
    anna.pairing().findable(&invite.id).await.unwrap();
    bob.pairing().add(&invite.text, "anna").await.unwrap();
    within(anna.pairing().paired(&invite.id)).await.unwrap();
    anna.contact("bob").unwrap().grant(&[service]).await.unwrap();
    bob.contact("anna").unwrap().grant(&[service]).await.unwrap();
    (devices, anna, bob)
}

/// Waits, but not for ever.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it comes in time")
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
