//! From a plugin's source to a component. A crate is built for `wasm32-unknown-unknown` with the toolchain that is found, and its core
//! module wrapped in process; a folder with `package.json` builds itself with Node, one with `requirements.txt` is built by componentize-py.
//! What a build installs is what a lock names, and nothing that is installed runs programs of its own.

use super::PluginError;
use super::manifest::PluginManifest;
use serde::Deserialize;
use std::ops::RangeInclusive;
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
/// The compiler of C for wasm and its archiver, of which Debian has several versions side by side; the newest that is there.
const CLANG: &str = "clang";
const LLVM_AR: &str = "llvm-ar";
const LLVM_VERSIONS: RangeInclusive<u32> = 17..=30;
/// What tells a plugin in JavaScript from a crate.
const NODE_MANIFEST: &str = "package.json";
/// And one in Python.
const PYTHON_MANIFEST: &str = "requirements.txt";
/// Where its packages are.
const PYTHON_FOLDER: &str = ".venv";
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
    /// What made it.
    pub made_by: MadeBy,
}

/// What made a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeBy {
    /// cargo, with this compiler.
    Cargo(Toolchain),
    /// The folder's own `npm run build`.
    Npm,
    /// componentize-py, as `requirements.txt` names it.
    ComponentizePy,
}

impl std::fmt::Display for MadeBy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            MadeBy::Cargo(Toolchain::Rustup) => "cargo, the rustup target",
            MadeBy::Cargo(Toolchain::Debian) => "cargo, Debian's packages",
            MadeBy::Npm => "npm",
            MadeBy::ComponentizePy => "componentize-py",
        })
    }
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
    if directory.join(NODE_MANIFEST).exists() {
        let bytes = build_with_node(directory, target_directory, &manifest)?;
        return Ok(Built { manifest, bytes, made_by: MadeBy::Npm });
    }
    if directory.join(PYTHON_MANIFEST).exists() {
        let bytes = build_with_python(directory, target_directory, &manifest)?;
        return Ok(Built { manifest, bytes, made_by: MadeBy::ComponentizePy });
    }
    let toolchain = find_toolchain()?;
    let Package { name: package, metadata } = super::manifest::read_toml::<CrateManifest>(&directory.join("Cargo.toml"))?.package;
    let mut build = command(toolchain, directory, target_directory);
    if let Some(c) = metadata.atelier {
        build.envs(c.variables(toolchain, directory, target_directory)?);
    }
    if toolchain == Toolchain::Debian {
        // The packaged compiler has no prebuilt standard library for this target, so cargo builds it from the packaged source.
        build.args(["-Z", "build-std=std,panic_abort"]);
    }
    let output = build
        .args(["build", "--release", "--target", TARGET, "--package", &package])
        .output()
        .map_err(|error| PluginError::Build(format!("cargo could not be started: {error}")))?;
    if !output.status.success() {
        return Err(PluginError::Build(format!("`{package}` does not compile:\n{}", String::from_utf8_lossy(&output.stderr))));
    }
    let module = target_directory.join(TARGET).join("release").join(format!("{}.wasm", package.replace('-', "_")));
    let bytes = std::fs::read(&module).map_err(|error| PluginError::io(&module, error))?;
    Ok(Built { manifest, bytes: componentize(&bytes)?, made_by: MadeBy::Cargo(toolchain) })
}

/// Installs what the lock names, where that has not been done, and has the folder build itself: `npm run build -- WORLD FILE`.
fn build_with_node(directory: &Path, target_directory: &Path, manifest: &PluginManifest) -> Result<Vec<u8>, PluginError> {
    if !which("npm") {
        return Err(PluginError::Build("npm was not found; install Node.js 20 or newer, with npm, and build again".to_owned()));
    }
    // npm notes beside the packages what it installed.
    if !is_newer(directory, "node_modules/.package-lock.json", "package-lock.json") {
        // A package has no business running programs at its installation.
        run(directory, Path::new("npm"), &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    }
    let file = output_file(target_directory, manifest)?;
    run(directory, Path::new("npm"), &["run", "--silent", "build", "--", &manifest.contract(), &file.display().to_string()])?;
    std::fs::read(&file).map_err(|error| PluginError::io(&file, error))
}

/// Installs what `requirements.txt` names, by hash, where that has not been done, and has componentize-py put interpreter and modules together.
fn build_with_python(directory: &Path, target_directory: &Path, manifest: &PluginManifest) -> Result<Vec<u8>, PluginError> {
    if !which("python3") {
        return Err(PluginError::Build("python3 was not found; install Python 3.11 or newer, with venv, and build again".to_owned()));
    }
    let own = std::path::absolute(directory.join(PYTHON_FOLDER)).map_err(|error| PluginError::io(directory, error))?;
    let (python, stamp) = (own.join("bin/python"), own.join("installed"));
    if !is_newer(directory, &stamp, PYTHON_MANIFEST) {
        run(directory, Path::new("python3"), &["-m", "venv", PYTHON_FOLDER])?;
        // A package that has to be built would run programs of its own.
        let install = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes", "-r"];
        run(directory, &python, &[install.as_slice(), &[PYTHON_MANIFEST]].concat())?;
        std::fs::write(&stamp, "").map_err(|error| PluginError::io(&stamp, error))?;
    }
    let file = output_file(target_directory, manifest)?;
    let shown = file.display().to_string();
    let words = ["-q", "-d", "sdk/wit", "-w", &manifest.contract(), "componentize", "-p", "src", "-p", "sdk", "app", "-o", &shown];
    run(directory, &own.join("bin/componentize-py"), &words)?;
    std::fs::read(&file).map_err(|error| PluginError::io(&file, error))
}

fn output_file(target_directory: &Path, manifest: &PluginManifest) -> Result<PathBuf, PluginError> {
    std::fs::create_dir_all(target_directory).map_err(|error| PluginError::io(target_directory, error))?;
    Ok(target_directory.join(format!("{}.wasm", manifest.name)))
}

/// Whether what is made from a file is there and not older than it.
fn is_newer(directory: &Path, made: impl AsRef<Path>, from: &str) -> bool {
    let changed = |path: &Path| std::fs::metadata(directory.join(path)).and_then(|file| file.modified()).ok();
    changed(Path::new(from)).zip(changed(made.as_ref())).is_some_and(|(from, made)| made >= from)
}

fn run(directory: &Path, program: &Path, arguments: &[&str]) -> Result<(), PluginError> {
    let shown = program.display();
    let output = with_passed_variables(Command::new(program))
        .current_dir(directory)
        .args(arguments)
        .output()
        .map_err(|error| PluginError::Build(format!("{shown} could not be started: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    Err(PluginError::Build(format!("`{shown} {}` failed in {}:\n{said}", arguments.join(" "), directory.display())))
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
    command = with_passed_variables(command);
    command.current_dir(directory).env("CARGO_TARGET_DIR", target_directory);
    if toolchain == Toolchain::Debian {
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("/usr/bin:{path}"))
            .env("RUSTC", DEBIAN_RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
    }
    command
}

fn with_passed_variables(mut command: Command) -> Command {
    command.env_clear();
    command.envs(PASSED_VARIABLES.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
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
    #[serde(default)]
    metadata: Metadata,
}

/// `[package.metadata]`, which is for tools such as this one.
#[derive(Default, Deserialize)]
struct Metadata {
    atelier: Option<CSource>,
}

/// `[package.metadata.atelier]` of a crate that has C compiled: the target has no C library, so the crate names headers that stand in.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CSource {
    c_headers: CHeaders,
    #[serde(default)]
    c_flags: Vec<String>,
}

#[derive(Deserialize)]
struct CHeaders {
    /// The dependency that has them.
    package: String,
    /// Where they are in it.
    folder: String,
}

/// What `cargo metadata` says of a package.
#[derive(Deserialize)]
struct Located {
    name: String,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Graph {
    packages: Vec<Located>,
}

impl CSource {
    /// What has the `cc` crate compile for wasm.
    fn variables(
        &self,
        toolchain: Toolchain,
        directory: &Path,
        target_directory: &Path,
    ) -> Result<[(&'static str, String); 3], PluginError> {
        let find = |name: &str| {
            let versions = LLVM_VERSIONS.rev().map(|version| format!("{name}-{version}"));
            versions.chain([name.to_owned()]).find(|name| which(name))
        };
        let (Some(compiler), Some(archiver)) = (find(CLANG), find(LLVM_AR)) else {
            return Err(PluginError::Build(
                "the crate has C compiled, and no clang and llvm-ar were found: install them (Debian: clang-22 llvm-22) and build again"
                    .to_owned(),
            ));
        };
        let CHeaders { package, folder } = &self.c_headers;
        let output = command(toolchain, directory, target_directory)
            .args(["metadata", "--format-version", "1", "--filter-platform", TARGET])
            .output()
            .map_err(|error| PluginError::Build(format!("cargo could not be started: {error}")))?;
        let graph: Graph = serde_json::from_slice(&output.stdout)
            .map_err(|_| PluginError::Build(format!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr))))?;
        let located = graph.packages.into_iter().find(|located| located.name == *package);
        let headers = located.and_then(|located| Some(located.manifest_path.parent()?.join(folder))).filter(|headers| headers.is_dir());
        let headers =
            headers.ok_or_else(|| PluginError::Build(format!("c-headers: no dependency `{package}` with a folder `{folder}`")))?;
        let flags = [vec![format!("-I{}", headers.display())], self.c_flags.clone()].concat().join(" ");
        Ok([("CC_wasm32_unknown_unknown", compiler), ("AR_wasm32_unknown_unknown", archiver), ("CFLAGS_wasm32_unknown_unknown", flags)])
    }
}
