//! What a plugin asks for (`plugin.toml`, beside its source) and what the operator grants (`plugins.toml`, in the data
//! directory). A plugin gets what both name.

use super::PluginError;
use super::limits::Limits;
use super::signature::PublicKey;
use super::trial::Trial;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// The operator's file.
pub const MANIFEST: &str = "plugins.toml";

/// Something that an export may be allowed to use. `job` and `log` carry no authority and need no grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// Model calls.
    Llm,
    /// To see what is left.
    Credits,
    /// To list and read files.
    WorkspaceRead,
    /// To write files of the task.
    WorkspaceWrite,
    /// To search the code index.
    Index,
    /// To run checks.
    Checks,
    /// To ask the user.
    Dialogue,
}

impl fmt::Display for Grant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Grant::Llm => "llm",
            Grant::Credits => "credits",
            Grant::WorkspaceRead => "workspace-read",
            Grant::WorkspaceWrite => "workspace-write",
            Grant::Index => "index",
            Grant::Checks => "checks",
            Grant::Dialogue => "dialogue",
        })
    }
}

/// Grants by export.
pub type Grants = BTreeMap<String, BTreeSet<Grant>>;

/// What the author writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginManifest {
    /// The plugin's name.
    pub name: String,
    /// The author's version.
    #[serde(default)]
    pub version: String,
    /// The role, such as `architect`.
    pub world: String,
    /// The contract's version.
    pub api: String,
    /// One sentence.
    #[serde(default)]
    pub description: String,
    /// For a runner: what it executes.
    #[serde(default)]
    pub executes: Executes,
    /// What each export asks for.
    #[serde(default)]
    pub grants: Grants,
}

/// What a runner executes, and what it needs around it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Executes {
    /// `none`, or `empty`: WASI may be imported and has nothing in it, no file, no socket, no variable. Agents may have it as well.
    #[serde(default, skip_serializing_if = "Wasi::is_none")]
    pub wasi: Wasi,
    /// Languages, as a brief names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// First words of command lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// Ends of file names that it parses and loads, with their dot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endings: Vec<String>,
}

/// How much of WASI a component may import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wasi {
    /// Nothing.
    #[default]
    None,
    /// Its interfaces, with nothing behind them.
    Empty,
}

impl Wasi {
    fn is_none(&self) -> bool {
        *self == Wasi::None
    }
}

impl PluginManifest {
    /// The world with its version, such as `atelier:agent/architect@0.1.0`.
    pub fn contract(&self) -> String {
        format!("atelier:agent/{}@{}", self.world, self.api)
    }

    /// Reads `plugin.toml`.
    pub fn read(path: &Path) -> Result<PluginManifest, PluginError> {
        read_toml(path)
    }
}

/// What the operator writes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorManifest {
    /// Which plugin plays a role, where there are several; otherwise the first by name does.
    #[serde(default, rename = "use", skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<String, String>,
    /// What is tried on a share of the projects, by world.
    #[serde(default, rename = "trial", skip_serializing_if = "BTreeMap::is_empty")]
    pub trials: BTreeMap<String, Trial>,
    /// Which plugin plays a role for one project or one user.
    #[serde(default, rename = "choice", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// Whose signatures are known.
    #[serde(default, rename = "signer", skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<Signer>,
    /// The plugins that may run.
    #[serde(default, rename = "plugin")]
    pub plugins: Vec<OperatorEntry>,
}

/// A plugin for one project or one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The role.
    pub world: String,
    /// Who plays it.
    pub plugin: String,
    /// For whom.
    #[serde(rename = "for")]
    pub who: Who,
}

/// For whom a plugin is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The project of this id.
    Project(String),
    /// Whoever has this wallet.
    User(String),
}

/// Somebody whose signature an operator accepts, or does not accept any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// How the operator calls them.
    pub name: String,
    /// Their public key.
    pub key: PublicKey,
    /// Their key is no longer theirs alone: nothing that they signed is loaded any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
}

/// One plugin of the operator's manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorEntry {
    /// The plugin's name.
    pub name: String,
    /// The role it plays.
    pub world: String,
    /// Where it came from, for people.
    pub source: String,
    /// Who has to have signed it; nobody where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// For a runner: what it executes.
    #[serde(default)]
    pub executes: Executes,
    /// What its author asks for, as pinned.
    pub asks: Grants,
    /// What the operator allows.
    pub grants: Grants,
    /// Bounds other than the defaults.
    #[serde(default)]
    pub limits: Limits,
}

impl OperatorManifest {
    /// Reads the file; a missing one is empty.
    pub fn read(path: &Path) -> Result<OperatorManifest, PluginError> {
        match path.exists() {
            true => read_toml(path),
            false => Ok(OperatorManifest::default()),
        }
    }

    /// The signer of this name.
    pub fn signer(&self, name: &str) -> Option<&Signer> {
        self.signers.iter().find(|signer| signer.name == name)
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<(), PluginError> {
        write_toml(path, self)
    }
}

/// What an export may use, and how to say what is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    plugin: String,
    export: String,
    asked: BTreeSet<Grant>,
    allowed: BTreeSet<Grant>,
}

impl Granted {
    /// What this export of this plugin may use.
    pub fn of(entry: &OperatorEntry, export: &str) -> Granted {
        let of = |grants: &Grants| grants.get(export).cloned().unwrap_or_default();
        Granted { plugin: entry.name.clone(), export: export.to_owned(), asked: of(&entry.asks), allowed: of(&entry.grants) }
    }

    /// What an export may use of whom nothing was asked and to whom nothing is allowed.
    pub fn nothing(plugin: &str, export: &str) -> Granted {
        Granted { plugin: plugin.to_owned(), export: export.to_owned(), ..Granted::default() }
    }

    /// Whether it may, or the line that would allow it.
    pub fn check(&self, grant: Grant) -> Result<(), String> {
        let (plugin, export) = (&self.plugin, &self.export);
        if !self.asked.contains(&grant) {
            return Err(format!("plugin.toml of `{plugin}`: [grants] {export} = [\"{grant}\"]"));
        }
        if !self.allowed.contains(&grant) {
            return Err(format!("{MANIFEST}: plugin `{plugin}`, [plugin.grants] {export} = [\"{grant}\"]"));
        }
        Ok(())
    }
}

pub(super) fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, PluginError> {
    let text = std::fs::read_to_string(path).map_err(|error| PluginError::io(path, error))?;
    toml::from_str(&text).map_err(|error| PluginError::Manifest { path: path.display().to_string(), why: error.to_string() })
}

pub(super) fn write_toml<T: Serialize>(path: &Path, value: &T) -> Result<(), PluginError> {
    let text =
        toml::to_string(value).map_err(|error| PluginError::Manifest { path: path.display().to_string(), why: error.to_string() })?;
    // Written beside and renamed, so that a reader never sees half a file.
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).map_err(|error| PluginError::io(&beside, error))?;
    std::fs::rename(&beside, path).map_err(|error| PluginError::io(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(asks: &[Grant], grants: &[Grant]) -> OperatorEntry {
        let of = |grants: &[Grant]| Grants::from([("verify".to_owned(), grants.iter().copied().collect())]);
        OperatorEntry {
            name: "judge".into(),
            world: "architect".into(),
            source: "here".into(),
            signer: None,
            executes: Executes::default(),
            asks: of(asks),
            grants: of(grants),
            limits: Limits::default(),
        }
    }

    #[test]
    fn a_grant_needs_author_and_operator() {
        let cases = [
            (&[Grant::Llm][..], &[Grant::Llm][..], None),
            (&[], &[Grant::Llm], Some("plugin.toml of `judge`")),
            (&[Grant::Llm], &[], Some("plugins.toml: plugin `judge`")),
        ];
        for (asks, grants, expected) in cases {
            let result = Granted::of(&entry(asks, grants), "verify").check(Grant::Llm);
            assert_eq!(result.as_ref().err().map(|line| line.starts_with(expected.unwrap_or("-"))), expected.map(|_| true), "{result:?}");
        }
    }

    #[test]
    fn a_grant_of_one_export_is_none_of_another() {
        assert!(Granted::of(&entry(&[Grant::Llm], &[Grant::Llm]), "elicit").check(Grant::Llm).is_err());
    }
}
