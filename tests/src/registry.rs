//! A real OCI registry (Debian's `docker-registry`) on loopback, in a folder of its own.

use crate::until;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Who may use a registry that lets not everybody in, as `docker login` keeps it: `ada:open sesame` in base64.
pub const LOGIN: &str = "YWRhOm9wZW4gc2VzYW1l";
/// `ada:guess`.
pub const WRONG_LOGIN: &str = "YWRhOmd1ZXNz";
/// The same as `docker-registry` wants it: bcrypt of the password.
const HTPASSWD: &str = "ada:$2b$04$Y8pfRRLr4X8w1nKGplJftuvs8APFgrb199pigKgNDZowmzqeWX3se\n";

/// A running registry. It ends when this is dropped.
pub struct OciRegistry {
    folder: TempDir,
    process: Child,
    /// Its host and port.
    pub host: String,
}

impl OciRegistry {
    /// Starts one; `guarded` lets nobody in but [`LOGIN`].
    pub async fn start(guarded: bool) -> OciRegistry {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let host = format!("127.0.0.1:{port}");
        let shown = folder.path().display();
        std::fs::write(folder.path().join("htpasswd"), HTPASSWD).expect("written");
        let auth = if guarded { format!("auth:\n  htpasswd:\n    realm: atelier\n    path: {shown}/htpasswd\n") } else { String::new() };
        let storage = format!("storage:\n  filesystem:\n    rootdirectory: {shown}\n");
        let config = format!("version: 0.1\nlog:\n  level: error\n{storage}http:\n  addr: {host}\n{auth}");
        std::fs::write(folder.path().join("config.yml"), config).expect("written");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(folder.path().join("config.yml")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("docker-registry starts; `make registry` installs it");
        until(async || TcpStream::connect(&host).is_ok()).await;
        OciRegistry { folder, process, host }
    }

    /// Changes what is stored behind a digest, as a thief of the registry would.
    pub fn tamper(&self, digest: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let hash = digest.trim_start_matches("sha256:");
        let path = self.folder.path().join("docker/registry/v2/blobs/sha256").join(&hash[..2]).join(hash).join("data");
        let mut bytes = std::fs::read(&path).expect("a blob");
        change(&mut bytes);
        std::fs::write(&path, bytes).expect("written");
    }

    /// A folder for `DOCKER_CONFIG`, as `docker login` would leave it.
    pub fn login(&self, auth: &str) -> PathBuf {
        let folder = self.folder.path().join("login");
        std::fs::create_dir_all(&folder).expect("a folder");
        let config = serde_json::json!({ "auths": { self.host.clone(): { "auth": auth } } });
        std::fs::write(folder.join("config.json"), config.to_string()).expect("written");
        folder
    }
}

impl Drop for OciRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
