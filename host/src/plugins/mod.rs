//! The plugin host: agents as WebAssembly components that can do nothing but what is granted, within limits that hold.
//!
//! Reading order: [`manifest`] (what a plugin asks for and the operator grants), [`lock`] (which bytes may run), [`signature`] (who vouches
//! for them), [`pinning`] (how a version becomes the one that runs, and how the one before comes back), [`smoke`] (the call that a version
//! has to survive first), [`trial`] (a candidate on a share of the projects), [`hostile`] (the sandbox, attacked), [`limits`] (every bound in
//! one table), [`engine`], [`registry`] (compiled and checked plugins), [`run`] (one call in a fresh instance), [`indexing`] (a file for the code index), [`runner`] (a project's own code), [`wasi`]
//! (WASI with nothing behind it), [`journal`] (replay),
//! [`imports`] (one file per interface), [`api`] (one file per version of the contract), [`scaffold`] (a new plugin's folder), [`builder`] (source to component),
//! [`distribution`] (plugins in registries).
//! No wasmtime type leaves this folder.

pub mod api;
pub mod builder;
pub mod distribution;
pub mod engine;
pub mod hostile;
pub mod imports;
pub mod indexing;
pub mod inspect;
pub mod journal;
pub mod limits;
pub mod lock;
pub mod manifest;
pub mod pinning;
pub mod registry;
pub mod run;
pub mod runner;
pub mod scaffold;
pub mod signature;
pub mod smoke;
pub mod trial;
mod wasi;

/// What can go wrong before a plugin runs.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// Nothing of that name is pinned.
    #[error("no plugin is pinned as `{0}`; `make plugins` builds and pins the shipped ones, `atelier plugin pin` pins another")]
    Unknown(String),
    /// The bytes are not those that were pinned.
    #[error(
        "plugin `{name}`: the file's sha256 is {found}, pinned is {pinned}. It was changed after it was pinned; pin it again with `atelier plugin pin` if that was you"
    )]
    WrongDigest {
        /// Which.
        name: String,
        /// In the lock.
        pinned: String,
        /// In the file.
        found: String,
    },
    /// A manifest entry without a digest.
    #[error("plugin `{0}` has no digest in plugins.lock; `atelier plugin pin` writes it")]
    NotPinned(String),
    /// A registry has it not, or gave something else.
    #[error("{reference}: {why}")]
    Registry {
        /// What was asked for.
        reference: String,
        /// Why there is nothing.
        why: String,
    },
    /// Nobody whom the operator trusts says that these are the bytes.
    #[error("plugin `{name}` has to be signed by `{signer}`: {why}")]
    NotVouched {
        /// Which.
        name: String,
        /// Who should have.
        signer: String,
        /// What is missing.
        why: String,
    },
    /// An older version than the one that is pinned.
    #[error(
        "plugin `{name}` is pinned in version {pinned}, this is {offered}: an older one. `atelier plugin rollback {name}` goes back to what was pinned before; `--older` pins this one all the same"
    )]
    Older {
        /// Which.
        name: String,
        /// The version that is pinned.
        pinned: String,
        /// The one that was to be.
        offered: String,
    },
    /// No such version was pinned before.
    #[error("plugin `{name}` was not pinned as `{wanted}` before; there are: {known}")]
    NoVersion {
        /// Which.
        name: String,
        /// The digest's beginning.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// It can't even be called where nothing is granted to it.
    #[error("plugin `{name}`: `{export}` has to return when it is granted nothing, even if it is a refusal; instead {why}")]
    Smoke {
        /// Which.
        name: String,
        /// Which export.
        export: String,
        /// What it did.
        why: String,
    },
    /// The component does not fit the world it claims.
    #[error("plugin `{name}` does not fit the world `{world}`: {}", .problems.join("; "))]
    WrongApi {
        /// Which.
        name: String,
        /// Which world.
        world: String,
        /// In words.
        problems: Vec<String>,
    },
    /// A manifest or lock that can't be read.
    #[error("{path}: {why}")]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A file that can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The engine refused it.
    #[error("plugin `{name}` can't be loaded: {why}")]
    Engine {
        /// Which.
        name: String,
        /// Why.
        why: String,
    },
    /// It could not be built.
    #[error("{0}")]
    Build(String),
}

impl PluginError {
    fn io(path: &std::path::Path, source: std::io::Error) -> PluginError {
        PluginError::Io { path: path.display().to_string(), source }
    }

    fn engine(name: &str, error: &wasmtime::Error) -> PluginError {
        PluginError::Engine { name: name.to_owned(), why: format!("{error:#}") }
    }
}
