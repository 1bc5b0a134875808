//! The plugin host: agents as WebAssembly components that can do nothing but what is granted, within limits that hold.
//!
//! Reading order: [`manifest`] (what a plugin asks for and the operator grants), [`lock`] (which bytes may run), [`limits`] (every bound in
//! one table), [`engine`], [`registry`] (compiled and checked plugins), [`run`] (one call in a fresh instance), [`runner`] (a project's own code), [`journal`] (replay),
//! [`imports`] (one file per interface), [`api`] (one file per version of the contract), [`builder`] (source to component).
//! No wasmtime type leaves this folder.

pub mod api;
pub mod builder;
pub mod engine;
pub mod imports;
pub mod inspect;
pub mod journal;
pub mod limits;
pub mod lock;
pub mod manifest;
pub mod registry;
pub mod run;
pub mod runner;

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
