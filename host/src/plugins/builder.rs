//! From a plugin's source to a component: finds a wasm toolchain, builds the crate for `wasm32-unknown-unknown` and wraps the
//! core module in process. The smallest sandbox is the one with nothing in it, so there is no WASI here.

use super::PluginError;
use super::manifest::PluginManifest;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use wit_component::ComponentEncoder;

/// Forces a branch: `rustup` or `debian`.
pub const TOOLCHAIN_VARIABLE: &str = "ATELIER_WASM_TOOLCHAIN";
/// The target of every plugin.
const TARGET: &str = "wasm32-unknown-unknown";
/// Debian's compiler, with the standard library's source beside it.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library";
const DEBIAN_LINKER: &str = "wasm-ld-22";
/// Variables that a build may see; everything else, secrets above all, stays outside.
const PASSED_VARIABLES: &[&str] = &[
    "PATH",
    "HOME",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "CARGO_NET_OFFLINE",
    "TMPDIR",
    "LANG",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "https_proxy",
];

/// A compiler that can make wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// The usual one, with its wasm target installed.
    Rustup,
    /// Debian's packages `rustc-web`, `cargo-web`, `rust-web-src`, `lld-22`, which build the standard library themselves.
    Debian,
}

/// What a build made.
#[derive(Debug)]
pub struct Built {
    /// The plugin's own description.
    pub manifest: PluginManifest,
    /// The component.
    pub bytes: Vec<u8>,
    /// Which compiler made it.
    pub toolchain: Toolchain,
}

/// Finds a toolchain, or says how to get one.
pub fn find_toolchain() -> Result<Toolchain, PluginError> {
    let forced = std::env::var(TOOLCHAIN_VARIABLE).ok();
    match forced.as_deref() {
        None | Some("") => [Toolchain::Rustup, Toolchain::Debian].into_iter().find(is_present).ok_or_else(missing),
        Some("rustup") => Some(Toolchain::Rustup).filter(is_present).ok_or_else(missing),
        Some("debian") => Some(Toolchain::Debian).filter(is_present).ok_or_else(missing),
        Some(other) => Err(PluginError::Build(format!("{TOOLCHAIN_VARIABLE} is `{other}`; it may be rustup or debian"))),
    }
}

/// Builds the plugin in this directory.
pub fn build(directory: &Path, target_directory: &Path) -> Result<Built, PluginError> {
    let manifest = PluginManifest::read(&directory.join("plugin.toml"))?;
    let toolchain = find_toolchain()?;
    let package = package_name(directory)?;
    let output = command(toolchain, directory, target_directory)
        .args(["build", "--release", "--target", TARGET, "--package", &package])
        .output()
        .map_err(|error| PluginError::Build(format!("cargo could not be started: {error}")))?;
    if !output.status.success() {
        return Err(PluginError::Build(format!("`{package}` does not compile:\n{}", String::from_utf8_lossy(&output.stderr))));
    }
    let module = target_directory.join(TARGET).join("release").join(format!("{}.wasm", package.replace('-', "_")));
    let bytes = std::fs::read(&module).map_err(|error| PluginError::io(&module, error))?;
    Ok(Built { manifest, bytes: componentize(&bytes)?, toolchain })
}

/// Wraps a core module, with the contract that its bindings carry, into a component.
pub fn componentize(module: &[u8]) -> Result<Vec<u8>, PluginError> {
    let mut encoder = ComponentEncoder::default()
        .module(module)
        .map_err(|error| PluginError::Build(format!("the module carries no contract (is it built with wit-bindgen?): {error:#}")))?
        .validate(true);
    encoder.encode().map_err(|error| PluginError::Build(format!("the module can't become a component: {error:#}")))
}

fn is_present(toolchain: &Toolchain) -> bool {
    match toolchain {
        Toolchain::Rustup => rustup_target_directory().is_some_and(|directory| directory.exists()),
        Toolchain::Debian => Path::new(DEBIAN_RUSTC).exists() && Path::new(DEBIAN_SOURCE).exists() && which(DEBIAN_LINKER),
    }
}

fn rustup_target_directory() -> Option<PathBuf> {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output().ok()?;
    output.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn which(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(program).exists()))
}

fn missing() -> PluginError {
    PluginError::Build(format!(
        "no toolchain for {TARGET} was found. Either of these adds one:\n  \
         rustup target add {TARGET}\n  \
         apt-get install --no-install-recommends rustc-web cargo-web rust-web-src lld-22   (Debian)\n\
         `make` tries both in this order."
    ))
}

fn command(toolchain: Toolchain, directory: &Path, target_directory: &Path) -> Command {
    let mut command = match toolchain {
        Toolchain::Rustup => Command::new("cargo"),
        Toolchain::Debian => Command::new(DEBIAN_CARGO),
    };
    command.env_clear().current_dir(directory);
    for name in PASSED_VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("CARGO_TARGET_DIR", target_directory);
    if toolchain == Toolchain::Debian {
        // The packaged compiler has no prebuilt standard library for this target, so cargo builds it from the packaged source.
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("/usr/bin:{path}"))
            .env("RUSTC", DEBIAN_RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER)
            .args(["-Z", "build-std=std,panic_abort"]);
    }
    command
}

/// The part of a crate's `Cargo.toml` that matters here.
#[derive(Deserialize)]
struct CrateManifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

fn package_name(directory: &Path) -> Result<String, PluginError> {
    let manifest: CrateManifest = super::manifest::read_toml(&directory.join("Cargo.toml"))?;
    Ok(manifest.package.name)
}
