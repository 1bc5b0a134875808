//! `plugins.toml`, `plugins.lock` and a plugin's own `plugin.toml`, edited by hand: whatever they say, no path leaves the store of plugins,
//! nothing is loaded whose bytes are not there, and what is written back reads the same.

#![no_main]

use atelier_host::plugins::lock::{Lock, Pins};
use atelier_host::plugins::manifest::{OperatorManifest, PluginManifest};
use libfuzzer_sys::{Corpus, fuzz_target};
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));
/// Between the two files.
const DIVIDER: &str = "\n----\n";

fuzz_target!(|text: &str| -> Corpus {
    let _ = toml::from_str::<PluginManifest>(text);
    let (manifest, lock) = text.split_once(DIVIDER).unwrap_or((text, ""));
    if toml::from_str::<OperatorManifest>(manifest).is_err() || toml::from_str::<Lock>(lock).is_err() {
        return Corpus::Keep;
    }
    let folder = FOLDER.path();
    std::fs::write(folder.join("plugins.toml"), manifest).expect("written");
    std::fs::write(folder.join("plugins.lock"), lock).expect("written");
    let pins = Pins::read(folder).expect("both parse");
    for world in ["architect", "implementer", "indexer", "runner"] {
        let _ = pins.for_world(world);
        let _ = pins.for_project(world, "p1", "u1");
    }
    for entry in &pins.lock.plugins {
        assert!(pins.load(&entry.name).is_err(), "nothing is stored, so nothing can be loaded");
        for version in &entry.previous {
            let _ = pins.load_version(&entry.name, &version.sha256);
            assert!(pins.bytes(&entry.name, &version.sha256).is_err());
        }
    }
    pins.save().expect("it can be written");
    let again = Pins::read(folder).expect("what was written can be read");
    assert_eq!(toml::to_string(&again.lock).ok(), toml::to_string(&pins.lock).ok());
    Corpus::Keep
});
