//! Which bytes may run: the sha256 of every plugin, and a copy of the bytes under that name, so that a run that waits survives
//! a rebuild. A missing or different digest refuses to load; nothing turns this off.

use super::PluginError;
use super::manifest::{MANIFEST, OperatorEntry, OperatorManifest, PluginManifest, read_toml, write_toml};
use crate::workspace::sha256;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file with the digests.
pub const LOCK: &str = "plugins.lock";
/// Where pinned bytes are kept.
const STORE: &str = "plugins";

/// The resolved manifest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// One entry for each plugin of the manifest.
    #[serde(default, rename = "plugin")]
    pub plugins: Vec<LockEntry>,
}

/// A pinned plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockEntry {
    /// The plugin's name.
    pub name: String,
    /// Of the component file.
    pub sha256: String,
    /// The world with its version, such as `atelier:agent/architect@0.1.0`.
    pub world: String,
}

/// The plugins of one data directory.
#[derive(Clone, Debug)]
pub struct Pins {
    directory: PathBuf,
    /// What the operator allows.
    pub manifest: OperatorManifest,
    /// Which bytes.
    pub lock: Lock,
}

impl Pins {
    /// Reads manifest and lock; missing files are empty.
    pub fn read(directory: &Path) -> Result<Pins, PluginError> {
        let lock = directory.join(LOCK);
        Ok(Pins {
            directory: directory.to_owned(),
            manifest: OperatorManifest::read(&directory.join(MANIFEST))?,
            lock: if lock.exists() { read_toml(&lock)? } else { Lock::default() },
        })
    }

    /// Pins these bytes for the plugin that this manifest describes. Grants that the operator wrote before are kept; a new plugin
    /// gets what it asks for, because whoever pins it has read its manifest.
    pub fn pin(&mut self, asks: &PluginManifest, bytes: &[u8], source: &str) -> Result<LockEntry, PluginError> {
        let digest = sha256(bytes);
        let kept = self.path_of(&digest);
        std::fs::create_dir_all(self.directory.join(STORE)).map_err(|error| PluginError::io(&self.directory, error))?;
        if std::fs::read(&kept).map(|known| sha256(&known) != digest).unwrap_or(true) {
            let beside = kept.with_extension("new");
            std::fs::write(&beside, bytes).map_err(|error| PluginError::io(&beside, error))?;
            std::fs::rename(&beside, &kept).map_err(|error| PluginError::io(&kept, error))?;
        }
        let entry = LockEntry { name: asks.name.clone(), sha256: digest, world: format!("atelier:agent/{}@{}", asks.world, asks.api) };
        self.lock.plugins.retain(|known| known.name != asks.name);
        self.lock.plugins.push(entry.clone());
        self.lock.plugins.sort_by(|left, right| left.name.cmp(&right.name));
        match self.manifest.plugins.iter_mut().find(|known| known.name == asks.name) {
            Some(known) => {
                known.asks = asks.grants.clone();
                known.world = asks.world.clone();
                known.source = source.to_owned();
                known.executes = asks.executes.clone();
            }
            None => self.manifest.plugins.push(OperatorEntry {
                name: asks.name.clone(),
                world: asks.world.clone(),
                source: source.to_owned(),
                executes: asks.executes.clone(),
                asks: asks.grants.clone(),
                grants: asks.grants.clone(),
                limits: super::limits::Limits::of_world(&asks.world),
            }),
        }
        self.manifest.plugins.sort_by(|left, right| left.name.cmp(&right.name));
        self.manifest.write(&self.directory.join(MANIFEST))?;
        write_toml(&self.directory.join(LOCK), &self.lock)?;
        Ok(entry)
    }

    /// The operator's entry, the digest and the bytes, which are those that were pinned.
    pub fn load(&self, name: &str) -> Result<(&OperatorEntry, &LockEntry, Vec<u8>), PluginError> {
        let entry = self.manifest.plugins.iter().find(|entry| entry.name == name).ok_or_else(|| PluginError::Unknown(name.to_owned()))?;
        let pinned = self.lock.plugins.iter().find(|entry| entry.name == name).ok_or_else(|| PluginError::NotPinned(name.to_owned()))?;
        Ok((entry, pinned, self.bytes(name, &pinned.sha256)?))
    }

    /// Whether the bytes of a version are kept that was pinned once.
    pub fn keeps(&self, digest: &str) -> bool {
        self.path_of(digest).exists()
    }

    /// The bytes of a version that is pinned or was.
    pub fn bytes(&self, name: &str, digest: &str) -> Result<Vec<u8>, PluginError> {
        let path = self.path_of(digest);
        let size = std::fs::metadata(&path).map_err(|error| PluginError::io(&path, error))?.len();
        if size > super::limits::COMPONENT_BYTES_MAX {
            return Err(PluginError::Engine {
                name: name.to_owned(),
                why: format!("the file has {size} bytes, at most {} are read", super::limits::COMPONENT_BYTES_MAX),
            });
        }
        let bytes = std::fs::read(&path).map_err(|error| PluginError::io(&path, error))?;
        let found = sha256(&bytes);
        if found != digest {
            return Err(PluginError::WrongDigest { name: name.to_owned(), pinned: digest.to_owned(), found });
        }
        Ok(bytes)
    }

    /// Keeps a version that another machine's runs began with. Its bytes must be what its digest says.
    pub fn keep(&self, name: &str, digest: &str, bytes: &[u8]) -> Result<(), PluginError> {
        let (path, found) = (self.path_of(digest), sha256(bytes));
        if found != digest {
            return Err(PluginError::WrongDigest { name: name.to_owned(), pinned: digest.to_owned(), found });
        }
        // Under a name of its own first, so that nobody reads half of it.
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, &path)).map_err(|error| PluginError::io(&path, error))
    }

    /// The plugin that plays this role.
    pub fn for_world(&self, world: &str) -> Option<&OperatorEntry> {
        self.manifest.plugins.iter().find(|entry| entry.world == world)
    }

    fn path_of(&self, digest: &str) -> PathBuf {
        // A digest from a file that somebody edited must not name a path outside.
        let safe: String = digest.chars().filter(char::is_ascii_hexdigit).collect();
        self.directory.join(STORE).join(format!("{safe}.wasm"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> PluginManifest {
        toml::from_str("name = \"a\"\nworld = \"architect\"\napi = \"0.1.0\"\n[grants]\nelicit = [\"llm\"]").expect("a manifest")
    }

    #[test]
    fn changed_bytes_are_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut pins = Pins::read(directory.path()).expect("pins");
        let entry = pins.pin(&manifest(), b"good", "here").expect("a pin");
        assert_eq!(Pins::read(directory.path()).expect("pins").load("a").expect("the plugin").2, b"good");
        std::fs::write(pins.path_of(&entry.sha256), b"evil").expect("written");
        assert!(matches!(pins.load("a"), Err(PluginError::WrongDigest { .. })));
    }

    #[test]
    fn a_plugin_without_a_digest_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut pins = Pins::read(directory.path()).expect("pins");
        pins.pin(&manifest(), b"good", "here").expect("a pin");
        std::fs::remove_file(directory.path().join(LOCK)).expect("removed");
        assert!(matches!(Pins::read(directory.path()).expect("pins").load("a"), Err(PluginError::NotPinned(_))));
    }

    #[test]
    fn what_the_operator_took_away_stays_away_when_pinned_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut pins = Pins::read(directory.path()).expect("pins");
        pins.pin(&manifest(), b"one", "here").expect("a pin");
        pins.manifest.plugins[0].grants.clear();
        pins.pin(&manifest(), b"two", "here").expect("a pin");
        assert!(Pins::read(directory.path()).expect("pins").manifest.plugins[0].grants.is_empty());
    }
}
