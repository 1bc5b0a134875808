//! Which bytes may run: the sha256 of every plugin, and a copy of the bytes under that name, so that a run that waits survives
//! a rebuild. A missing or different digest refuses to load, and so does a missing signature where the operator names a signer.

use super::PluginError;
use super::manifest::{Executes, Grants, MANIFEST, OperatorEntry, OperatorManifest, read_toml, write_toml};
use super::signature::Statement;
use crate::workspace::sha256;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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
    /// The author's version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Of the signer that the operator names, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// What was pinned before, the last one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<PreviousVersion>,
}

/// A version that was pinned before and can be again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviousVersion {
    /// Of the component file.
    pub sha256: String,
    /// The world with its version.
    pub world: String,
    /// The author's version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// As in [`LockEntry`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Where it came from, for people.
    pub source: String,
    /// For a runner: what it executes.
    #[serde(default)]
    pub executes: Executes,
    /// What its author asks for.
    #[serde(default)]
    pub asks: Grants,
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

/// Tells whether manifest or lock were written since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp([Option<(SystemTime, u64)>; 2]);

impl Stamp {
    /// Of the files as they are.
    pub fn of(directory: &Path) -> Stamp {
        Stamp([MANIFEST, LOCK].map(|name| {
            let file = std::fs::metadata(directory.join(name)).ok()?;
            Some((file.modified().ok()?, file.len()))
        }))
    }
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

    /// Writes manifest and lock.
    pub fn save(&self) -> Result<(), PluginError> {
        self.manifest.write(&self.directory.join(MANIFEST))?;
        write_toml(&self.directory.join(LOCK), &self.lock)
    }

    /// The operator's entry, the digest and the bytes, which are those that were pinned, by whom they have to be vouched for.
    pub fn load(&self, name: &str) -> Result<(&OperatorEntry, &LockEntry, Vec<u8>), PluginError> {
        let entry = self.manifest.plugins.iter().find(|entry| entry.name == name).ok_or_else(|| PluginError::Unknown(name.to_owned()))?;
        let pinned = self.lock.plugins.iter().find(|entry| entry.name == name).ok_or_else(|| PluginError::NotPinned(name.to_owned()))?;
        if pinned.world.split('@').next() != Some(&format!("atelier:agent/{}", entry.world)) {
            let why = format!("`{name}` is pinned as {}, {MANIFEST} says it is of the world `{}`; pin it again", pinned.world, entry.world);
            return Err(PluginError::Manifest { path: self.directory.join(LOCK).display().to_string(), why });
        }
        self.vouched(entry, pinned)?;
        Ok((entry, pinned, self.bytes(name, &pinned.sha256)?))
    }

    /// As [`Pins::load`], of a version that is pinned or was: what its own author asks for, and who vouches for it. A version that is not
    /// remembered here, as another machine's can be, goes by the pinned one.
    pub fn load_version(&self, name: &str, digest: &str) -> Result<(OperatorEntry, LockEntry), PluginError> {
        let (entry, pinned, _) = self.load(name)?;
        let Some(version) = pinned.previous.iter().find(|version| version.sha256 == digest && version.sha256 != pinned.sha256) else {
            return Ok((entry.clone(), pinned.clone()));
        };
        let entry = OperatorEntry { asks: version.asks.clone(), executes: version.executes.clone(), ..entry.clone() };
        let pinned = LockEntry {
            sha256: version.sha256.clone(),
            world: version.world.clone(),
            version: version.version.clone(),
            signature: version.signature.clone(),
            ..pinned.clone()
        };
        self.vouched(&entry, &pinned)?;
        Ok((entry, pinned))
    }

    /// Whether whoever the operator names has signed it.
    fn vouched(&self, entry: &OperatorEntry, pinned: &LockEntry) -> Result<(), PluginError> {
        let Some(wanted) = &entry.signer else { return Ok(()) };
        let refuse = |why: &str| Err(PluginError::NotVouched { name: entry.name.clone(), signer: wanted.clone(), why: why.to_owned() });
        let Some(signer) = self.manifest.signer(wanted) else {
            return refuse("the operator does not know them; `atelier plugin trust NAME KEY` adds a key");
        };
        if signer.revoked {
            return refuse("their key was revoked");
        }
        let statement = Statement { name: &entry.name, world: &pinned.world, sha256: &pinned.sha256 };
        match &pinned.signature {
            None => refuse("there is no signature; `atelier plugin sign` makes one, and `atelier plugin pin --signature FILE` takes it"),
            Some(signature) if signer.key.has_signed(&statement, signature) => Ok(()),
            Some(_) => refuse("the signature is not theirs, or is of something else"),
        }
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

    /// Keeps a version that another machine's runs began with, or that is about to be pinned. Its bytes must be what its digest says.
    pub fn keep(&self, name: &str, digest: &str, bytes: &[u8]) -> Result<(), PluginError> {
        let (path, found) = (self.path_of(digest), sha256(bytes));
        if found != digest {
            return Err(PluginError::WrongDigest { name: name.to_owned(), pinned: digest.to_owned(), found });
        }
        let folder = self.directory.join(STORE);
        std::fs::create_dir_all(&folder).map_err(|error| PluginError::io(&folder, error))?;
        // Under a name of its own first, so that nobody reads half of it.
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, &path)).map_err(|error| PluginError::io(&path, error))
    }

    /// Lets go of a version that was only looked at.
    pub fn discard(&self, digest: &str) -> Result<(), PluginError> {
        let path = self.path_of(digest);
        std::fs::remove_file(&path).map_err(|error| PluginError::io(&path, error))
    }

    /// The plugin that plays this role: the one that the operator chose, else the first by name.
    pub fn for_world(&self, world: &str) -> Option<&OperatorEntry> {
        let chosen = self.manifest.used.get(world);
        let fits = |entry: &&OperatorEntry| entry.world == world && chosen.is_none_or(|name| *name == entry.name);
        self.manifest.plugins.iter().find(fits)
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
    use crate::plugins::manifest::PluginManifest;

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
