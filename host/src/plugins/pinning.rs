//! How a version becomes the one that runs, and how the one before comes back. Everything here changes manifest and lock in memory;
//! whoever is content with the result saves it.

use super::PluginError;
use super::limits::Limits;
use super::lock::{LockEntry, Pins, PreviousVersion};
use super::manifest::{Choice, OperatorEntry, PluginManifest, Who};
use super::signature::PublicKey;
use super::trial;
use crate::workspace::sha256;
use std::fs::File;
use std::path::Path;

/// Versions that are remembered beside the one that is pinned. Their bytes stay anyway: a run may wait for them.
pub const PREVIOUS_MAX: usize = 5;
/// What a digest is told apart by at least.
const DIGEST_LETTERS_MIN: usize = 6;
/// Projects and users with a plugin of their own; each step reads through them.
const CHOICES_MAX: usize = 1_000;
/// The file that one process at a time holds while it changes manifest and lock.
const GUARD: &str = "plugins.guard";

/// How a version is to be pinned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pinning<'a> {
    /// Where it came from, for people.
    pub source: &'a str,
    /// Its signature, in base64.
    pub signature: Option<&'a str>,
    /// Who has to have signed it from now on; where this is none, whoever had to before.
    pub signer: Option<&'a str>,
    /// Nobody has to have signed it any more.
    pub insecure_unsigned: bool,
    /// It may be older than the one that is pinned.
    pub older: bool,
}

/// Waits until nobody else changes the pins of this directory, and keeps them from it.
pub fn guard(directory: &Path) -> Result<File, PluginError> {
    let path = directory.join(GUARD);
    let file = File::create(&path).map_err(|error| PluginError::io(&path, error))?;
    file.lock().map_err(|error| PluginError::io(&path, error))?;
    Ok(file)
}

impl Pins {
    /// Pins these bytes for the plugin that this manifest describes and saves that; see [`Pins::stage`].
    pub fn pin(&mut self, asks: &PluginManifest, bytes: &[u8], source: &str) -> Result<LockEntry, PluginError> {
        let entry = self.stage(asks, bytes, Pinning { source, ..Pinning::default() })?;
        self.save()?;
        Ok(entry)
    }

    /// Pins these bytes for the plugin that this manifest describes. Grants that the operator wrote before are kept; a new plugin
    /// gets what it asks for, because whoever pins it has read its manifest.
    pub fn stage(&mut self, asks: &PluginManifest, bytes: &[u8], pinning: Pinning) -> Result<LockEntry, PluginError> {
        let before = self.version(&asks.name);
        let digest = sha256(bytes);
        if let Some(before) = before.as_ref().filter(|before| !pinning.older && is_older(&asks.version, &before.version)) {
            return Err(PluginError::Older { name: asks.name.clone(), pinned: before.version.clone(), offered: asks.version.clone() });
        }
        self.keep(&asks.name, &digest, bytes)?;
        let entry = self.manifest.plugins.iter_mut().find(|known| known.name == asks.name);
        let entry = match entry {
            Some(known) => known,
            None => {
                self.manifest.plugins.push(OperatorEntry {
                    name: asks.name.clone(),
                    world: asks.world.clone(),
                    source: String::new(),
                    signer: None,
                    executes: asks.executes.clone(),
                    asks: asks.grants.clone(),
                    grants: asks.grants.clone(),
                    limits: Limits::of_world(&asks.world),
                });
                self.manifest.plugins.last_mut().expect("it was pushed")
            }
        };
        entry.asks.clone_from(&asks.grants);
        entry.world.clone_from(&asks.world);
        entry.executes = asks.executes.clone();
        pinning.source.clone_into(&mut entry.source);
        if pinning.insecure_unsigned {
            entry.signer = None;
        }
        if let Some(signer) = pinning.signer {
            entry.signer = Some(signer.to_owned());
        }
        self.manifest.plugins.sort_by(|left, right| left.name.cmp(&right.name));
        self.put(
            LockEntry {
                name: asks.name.clone(),
                sha256: digest,
                world: asks.contract(),
                version: asks.version.clone(),
                signature: pinning.signature.map(str::to_owned),
                previous: Vec::new(),
            },
            before,
        );
        self.load(&asks.name).map(|(_, pinned, _)| pinned.clone())
    }

    /// Goes back to the version that was pinned before; what is pinned now can come back in the same way.
    pub fn rollback(&mut self, name: &str) -> Result<LockEntry, PluginError> {
        self.activate(name, "")
    }

    /// Goes to a version that was pinned before, by the beginning of its digest; the last one where that is empty.
    pub fn activate(&mut self, name: &str, digest: &str) -> Result<LockEntry, PluginError> {
        let pinned = self.lock.plugins.iter().find(|entry| entry.name == name).ok_or_else(|| PluginError::NotPinned(name.to_owned()))?;
        if digest.len() >= DIGEST_LETTERS_MIN && pinned.sha256.starts_with(digest) {
            return Ok(pinned.clone());
        }
        let fits =
            |version: &&PreviousVersion| digest.is_empty() || digest.len() >= DIGEST_LETTERS_MIN && version.sha256.starts_with(digest);
        let Some(wanted) = pinned.previous.iter().find(fits).cloned() else {
            let known: Vec<&str> = pinned.previous.iter().map(|version| version.sha256.get(..12).unwrap_or(&version.sha256)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(PluginError::NoVersion { name: name.to_owned(), wanted: digest.to_owned(), known });
        };
        let before = self.version(name);
        let entry =
            self.manifest.plugins.iter_mut().find(|entry| entry.name == name).ok_or_else(|| PluginError::Unknown(name.to_owned()))?;
        entry.source = wanted.source;
        entry.executes = wanted.executes;
        entry.asks = wanted.asks;
        self.put(
            LockEntry {
                name: name.to_owned(),
                sha256: wanted.sha256,
                world: wanted.world,
                version: wanted.version,
                signature: wanted.signature,
                previous: Vec::new(),
            },
            before,
        );
        self.load(name).map(|(_, pinned, _)| pinned.clone())
    }

    /// Has this plugin play the role of its world from now on.
    pub fn play(&mut self, name: &str) -> Result<(), PluginError> {
        let world = self.load(name)?.0.world.clone();
        if world == "runner" {
            return Err(PluginError::Build("a runner is used by what it executes; there is nothing to choose".to_owned()));
        }
        self.manifest.used.insert(world, name.to_owned());
        Ok(())
    }

    /// Has this plugin play the role of its world for one project or user, or nobody but whoever does for all.
    pub fn play_for(&mut self, name: &str, who: Who) -> Result<(), PluginError> {
        let world = self.load(name)?.0.world.clone();
        if !trial::WORLDS.contains(&world.as_str()) {
            let why = format!("a project's own can be its {}; `{name}` is of the world `{world}`", trial::WORLDS.join(" or "));
            return Err(PluginError::Build(why));
        }
        self.manifest.choices.retain(|choice| choice.world != world || choice.who != who);
        if self.manifest.choices.len() >= CHOICES_MAX {
            let why = format!("there are {CHOICES_MAX} choices in plugins.toml; take out what is over");
            return Err(PluginError::Build(why));
        }
        self.manifest.choices.push(Choice { world, plugin: name.to_owned(), who });
        Ok(())
    }

    /// What this plugin asks for and is not granted: the lines that would allow it.
    pub fn withheld(&self, name: &str) -> Vec<String> {
        let Some(entry) = self.manifest.plugins.iter().find(|entry| entry.name == name) else { return Vec::new() };
        let granted = |export: &str, grant| entry.grants.get(export).is_some_and(|grants| grants.contains(grant));
        let asked = entry.asks.iter().flat_map(|(export, grants)| grants.iter().map(move |grant| (export, grant)));
        asked.filter(|(export, grant)| !granted(export, grant)).map(|(export, grant)| format!("{export} = [\"{grant}\"]")).collect()
    }

    /// Accepts the signatures of a key. A name that is known gets this key, unless it was revoked.
    pub fn trust(&mut self, name: &str, key: PublicKey) -> Result<(), PluginError> {
        match self.manifest.signers.iter_mut().find(|signer| signer.name == name) {
            Some(known) if known.revoked && known.key == key => {
                return Err(PluginError::Build(format!("the key of `{name}` was revoked; they need another one")));
            }
            Some(known) => *known = super::manifest::Signer { name: name.to_owned(), key, revoked: false },
            None => self.manifest.signers.push(super::manifest::Signer { name: name.to_owned(), key, revoked: false }),
        }
        Ok(())
    }

    /// Accepts nothing any more that this signer signed.
    pub fn revoke(&mut self, name: &str) -> Result<(), PluginError> {
        let known = self.manifest.signers.iter_mut().find(|signer| signer.name == name);
        let signer = known.ok_or_else(|| PluginError::Build(format!("there is no signer `{name}` in plugins.toml")))?;
        signer.revoked = true;
        Ok(())
    }

    /// The version that is pinned, as it is remembered once another one is.
    fn version(&self, name: &str) -> Option<PreviousVersion> {
        let entry = self.manifest.plugins.iter().find(|entry| entry.name == name)?;
        let pinned = self.lock.plugins.iter().find(|entry| entry.name == name)?;
        Some(PreviousVersion {
            sha256: pinned.sha256.clone(),
            world: pinned.world.clone(),
            version: pinned.version.clone(),
            signature: pinned.signature.clone(),
            source: entry.source.clone(),
            executes: entry.executes.clone(),
            asks: entry.asks.clone(),
        })
    }

    /// Puts an entry in the place of what is pinned.
    fn put(&mut self, mut entry: LockEntry, before: Option<PreviousVersion>) {
        let known = self.lock.plugins.iter().find(|known| known.name == entry.name);
        let older = known.map(|known| known.previous.clone()).unwrap_or_default();
        entry.previous = before.into_iter().chain(older).filter(|version| version.sha256 != entry.sha256).take(PREVIOUS_MAX).collect();
        self.lock.plugins.retain(|known| known.name != entry.name);
        self.lock.plugins.push(entry);
        self.lock.plugins.sort_by(|left, right| left.name.cmp(&right.name));
    }
}

/// Whether this version comes before that one; versions that are no numbers can't be compared.
fn is_older(version: &str, pinned: &str) -> bool {
    let numbers = |text: &str| text.split('.').map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<u64>>>();
    matches!((numbers(version), numbers(pinned)), (Some(version), Some(pinned)) if version < pinned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::signature::{SigningKey, Statement};

    fn manifest(version: &str) -> PluginManifest {
        toml::from_str(&format!(
            "name = \"a\"\nversion = \"{version}\"\nworld = \"architect\"\napi = \"0.1.0\"\n[grants]\nelicit = [\"llm\"]"
        ))
        .expect("a manifest")
    }

    fn pins() -> (tempfile::TempDir, Pins) {
        let directory = tempfile::tempdir().expect("a directory");
        let pins = Pins::read(directory.path()).expect("pins");
        (directory, pins)
    }

    fn bytes(pins: &Pins) -> Vec<u8> {
        pins.load("a").expect("the plugin").2
    }

    #[test]
    fn what_was_pinned_before_comes_back_and_goes_again() {
        let (directory, mut pins) = pins();
        for (version, bytes) in [("0.1.0", "one"), ("0.1.0", "two"), ("0.2.0", "three")] {
            pins.pin(&manifest(version), bytes.as_bytes(), bytes).expect("a pin");
        }
        let mut pins = Pins::read(directory.path()).expect("the same from the files");
        pins.rollback("a").expect("the one before");
        assert_eq!((bytes(&pins).as_slice(), pins.manifest.plugins[0].source.as_str()), (&b"two"[..], "two"));
        pins.rollback("a").expect("the one before that was pinned");
        assert_eq!(bytes(&pins), b"three");
        pins.activate("a", &sha256(b"one")[..8]).expect("the first");
        assert_eq!(bytes(&pins), b"one");
        let error = pins.activate("a", "0000000").expect_err("there is none").to_string();
        assert!(error.contains(&sha256(b"two")[..12]) && error.contains("0000000"), "{error}");
    }

    #[test]
    fn the_same_bytes_again_are_no_version_of_their_own_and_no_more_are_remembered_than_may_be() {
        let (_directory, mut pins) = pins();
        for round in 0..2 * PREVIOUS_MAX {
            for _ in 0..2 {
                pins.pin(&manifest("1"), format!("{round}").as_bytes(), "here").expect("a pin");
            }
        }
        let before: Vec<&str> = pins.lock.plugins[0].previous.iter().map(|version| version.sha256.as_str()).collect();
        let expected: Vec<String> = (0..PREVIOUS_MAX).map(|back| sha256(format!("{}", 2 * PREVIOUS_MAX - 2 - back).as_bytes())).collect();
        assert_eq!(before, expected);
    }

    #[test]
    fn an_older_version_is_pinned_only_where_it_is_said() {
        let (_directory, mut pins) = pins();
        pins.pin(&manifest("0.10.0"), b"new", "here").expect("a pin");
        assert!(matches!(pins.pin(&manifest("0.9.1"), b"old", "here"), Err(PluginError::Older { .. })));
        assert_eq!(bytes(&pins), b"new");
        pins.stage(&manifest("0.9.1"), b"old", Pinning { older: true, ..Pinning::default() }).expect("it was said");
        assert_eq!(bytes(&pins), b"old");
        pins.pin(&manifest("a word"), b"other", "here").expect("a version that is no number can't be compared");
    }

    #[test]
    fn a_plugin_that_has_to_be_signed_is_loaded_with_that_signature_alone_and_not_after_the_key_was_revoked() {
        let (directory, mut pins) = pins();
        let key = |name: &str| SigningKey::make(&directory.path().join(name)).expect("a key");
        let (own, other) = (key("own"), key("other"));
        let digest = sha256(b"one");
        let statement = Statement { name: "a", world: "atelier:agent/architect@0.1.0", sha256: &digest };
        let (good, bad) = (own.sign(&statement), other.sign(&statement));
        let signed = |signature| Pinning { signer: Some("studio"), signature, ..Pinning::default() };
        let refused = |pins: &Pins, signature, expected: &str| {
            let mut pins = pins.clone();
            let error = pins.stage(&manifest("1"), b"one", signed(signature)).expect_err("refused").to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused(&pins, Some(&good), "does not know them");
        pins.trust("studio", own.public()).expect("trusted");
        refused(&pins, None, "no signature");
        refused(&pins, Some(&bad), "not theirs");
        pins.stage(&manifest("1"), b"one", signed(Some(&good))).expect("it is signed");
        // The requirement stays with the plugin: bytes of which nobody was told are refused.
        assert!(pins.clone().stage(&manifest("1"), b"two", Pinning::default()).is_err());
        pins.clone().stage(&manifest("1"), b"two", Pinning { insecure_unsigned: true, ..Pinning::default() }).expect("it was said");
        pins.revoke("studio").expect("revoked");
        assert!(pins.load("a").expect_err("refused").to_string().contains("revoked"));
        assert!(pins.trust("studio", own.public()).is_err(), "a revoked key stays revoked");
        pins.trust("studio", other.public()).expect("another key");
        pins.stage(&manifest("1"), b"one", signed(Some(&bad))).expect("signed with the other key");
    }

    #[test]
    fn what_a_new_version_asks_for_beyond_its_grants_is_withheld_and_said() {
        let (_directory, mut pins) = pins();
        pins.pin(&manifest("1"), b"one", "here").expect("a pin");
        assert_eq!(pins.withheld("a"), Vec::<String>::new());
        let mut greedy = manifest("2");
        greedy.grants.insert("verify".into(), [crate::plugins::manifest::Grant::Checks].into());
        pins.pin(&greedy, b"two", "here").expect("a pin");
        assert_eq!(pins.withheld("a"), ["verify = [\"checks\"]"]);
    }

    #[test]
    fn of_several_plugins_of_a_world_the_chosen_one_plays_the_role() {
        let (_directory, mut pins) = pins();
        pins.pin(&manifest("1"), b"one", "here").expect("a pin");
        let mut other = manifest("1");
        other.name = "b".to_owned();
        pins.pin(&other, b"two", "here").expect("a pin");
        let plays = |pins: &Pins| pins.for_world("architect").map(|entry| entry.name.clone());
        assert_eq!(plays(&pins).as_deref(), Some("a"));
        pins.play("b").expect("it is pinned");
        assert_eq!(plays(&pins).as_deref(), Some("b"));
        assert!(pins.play("c").is_err());
        // A choice that makes no sense any more is no reason to take another one.
        pins.manifest.used.insert("architect".to_owned(), "gone".to_owned());
        assert_eq!(plays(&pins), None);
    }

    #[test]
    fn a_lock_that_somebody_edited_is_refused_in_words() {
        let (_directory, mut pins) = pins();
        pins.pin(&manifest("1"), b"one", "here").expect("a pin");
        pins.lock.plugins[0].world = "atelier:agent/indexer@0.1.0".to_owned();
        assert!(pins.load("a").expect_err("refused").to_string().contains("pin it again"));
    }

    #[test]
    fn a_version_before_has_its_own_grants_and_needs_its_own_signature() {
        let (directory, mut pins) = pins();
        let key = SigningKey::make(&directory.path().join("own")).expect("a key");
        pins.pin(&manifest("1"), b"one", "here").expect("a pin");
        let asking = PluginManifest { grants: Default::default(), ..manifest("2") };
        pins.pin(&asking, b"two", "here").expect("a pin");
        let (one, two) = (sha256(b"one"), sha256(b"two"));
        assert_eq!(pins.load_version("a", &one).expect("the first").0.asks, manifest("1").grants);
        assert!(pins.load_version("a", &two).expect("the second").0.asks.is_empty());
        pins.trust("studio", key.public()).expect("trusted");
        let signature = key.sign(&Statement { name: "a", world: "atelier:agent/architect@0.1.0", sha256: &two });
        pins.stage(&asking, b"two", Pinning { signer: Some("studio"), signature: Some(&signature), ..Pinning::default() }).expect("signed");
        assert!(pins.load_version("a", &two).is_ok());
        let refused = pins.load_version("a", &one).expect_err("nobody signed it").to_string();
        assert!(refused.contains("no signature"), "{refused}");
    }
}
