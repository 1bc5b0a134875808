//! A new plugin's folder: a small plugin that works, with its tests, and the SDK and the contract of this host beside it, so that it
//! can be built anywhere.

use super::PluginError;
use super::api::VERSIONS;
use std::path::Path;

/// A plugin's name is a crate's and a folder's as well.
const NAME_CHARS_MAX: usize = 40;

/// A file of the template that is taken from this repository.
macro_rules! embedded {
    ($($to:literal from $from:literal),* $(,)?) => { &[$(($to, include_str!(concat!("../../../", $from)))),*] };
}

/// What does not depend on the world. `{{…}}` is filled in.
const COMMON: &[(&str, &str)] = embedded![
    "Cargo.toml" from "plugins/templates/rust/Cargo.toml.template",
    "README.md" from "plugins/templates/rust/README.md.template",
    "sdk/Cargo.toml" from "plugins/templates/rust/sdk.Cargo.toml.template",
];
/// The SDK and the contract, as they are. The lock makes the first build the one that was tested.
const VERBATIM: &[(&str, &str)] = embedded![
    "Cargo.lock" from "Cargo.lock",
    "sdk/src/fences.rs" from "plugins/sdk/src/fences.rs",
    "sdk/src/model.rs" from "plugins/sdk/src/model.rs",
    "sdk/src/template.rs" from "plugins/sdk/src/template.rs",
    "sdk/src/words.rs" from "plugins/sdk/src/words.rs",
    "sdk/wit/checks.wit" from "wit/v0.1.0/checks.wit",
    "sdk/wit/dialogue.wit" from "wit/v0.1.0/dialogue.wit",
    "sdk/wit/index.wit" from "wit/v0.1.0/index.wit",
    "sdk/wit/job.wit" from "wit/v0.1.0/job.wit",
    "sdk/wit/llm.wit" from "wit/v0.1.0/llm.wit",
    "sdk/wit/log.wit" from "wit/v0.1.0/log.wit",
    "sdk/wit/runner.wit" from "wit/v0.1.0/runner.wit",
    "sdk/wit/types.wit" from "wit/v0.1.0/types.wit",
    "sdk/wit/workspace.wit" from "wit/v0.1.0/workspace.wit",
    "sdk/wit/worlds.wit" from "wit/v0.1.0/worlds.wit",
];
/// The SDK's root, which names the folder with the contract.
const SDK_ROOT: &str = include_str!("../../../plugins/sdk/src/lib.rs");
/// As the SDK names it here.
const CONTRACT_HERE: &str = "../../wit/v0.1.0";
/// For each world: its name, `plugin.toml`, `src/lib.rs`.
const WORLDS: &[(&str, &str, &str)] = &[
    (
        "architect",
        include_str!("../../../plugins/templates/rust/plugin.architect.toml.template"),
        include_str!("../../../plugins/templates/rust/architect.rs"),
    ),
    (
        "implementer",
        include_str!("../../../plugins/templates/rust/plugin.implementer.toml.template"),
        include_str!("../../../plugins/templates/rust/implementer.rs"),
    ),
    (
        "indexer",
        include_str!("../../../plugins/templates/rust/plugin.indexer.toml.template"),
        include_str!("../../../plugins/templates/rust/indexer.rs"),
    ),
];

/// Makes the folder, which must not be there yet.
pub fn scaffold(folder: &Path, name: &str, world: &str) -> Result<(), PluginError> {
    if name.is_empty()
        || name.len() > NAME_CHARS_MAX
        || !name.starts_with(|letter: char| letter.is_ascii_lowercase())
        || !name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
    {
        let why = format!("`{name}` is no plugin's name: small letters, digits and `-`, a letter first, at most {NAME_CHARS_MAX} of them");
        return Err(PluginError::Build(why));
    }
    let Some((_, manifest, source)) = WORLDS.iter().find(|(known, ..)| *known == world) else {
        let known: Vec<&str> = WORLDS.iter().map(|(known, ..)| *known).collect();
        return Err(PluginError::Build(format!("there is no template for the world `{world}`; there are {}", known.join(", "))));
    };
    if folder.exists() {
        return Err(PluginError::Build(format!("{} is there already; choose another folder", folder.display())));
    }
    let api = VERSIONS.last().copied().unwrap_or_default();
    let values = [("{{name}}", name), ("{{world}}", world), ("{{api}}", api), ("{{version}}", env!("CARGO_PKG_VERSION"))];
    let fill = |text: &str| values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    for (path, text) in COMMON.iter().chain(&[("plugin.toml", *manifest)]) {
        write(&folder.join(path), &fill(text))?;
    }
    for (path, text) in VERBATIM.iter().chain(&[("src/lib.rs", *source)]) {
        write(&folder.join(path), text)?;
    }
    write(&folder.join("sdk/src/lib.rs"), &SDK_ROOT.replace(CONTRACT_HERE, "wit"))
}

fn write(path: &Path, text: &str) -> Result<(), PluginError> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| PluginError::io(folder, error))?;
    std::fs::write(path, text).map_err(|error| PluginError::io(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_made_is_told_with_what_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("x");
        for (name, world, words) in [
            ("", "implementer", "no plugin's name"),
            ("Mine", "implementer", "no plugin's name"),
            ("../x", "implementer", "no plugin's name"),
            ("x", "runner", "there are architect, implementer, indexer"),
        ] {
            assert!(scaffold(&at, name, world).expect_err("refused").to_string().contains(words), "{name} {world}");
        }
        assert!(!at.exists());
        assert!(scaffold(folder.path(), "x", "indexer").expect_err("refused").to_string().contains("is there already"));
    }

    #[test]
    fn every_file_of_sdk_and_contract_goes_along_and_nothing_is_left_to_fill_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("mine");
        scaffold(&at, "mine", "implementer").expect("a plugin");
        let names = |path: &Path| -> Vec<String> {
            let mut names: Vec<String> = std::fs::read_dir(path)
                .expect("a folder")
                .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert_eq!(names(&at.join("sdk/src")), names(&root.join("plugins/sdk/src")));
        assert_eq!(names(&at.join("sdk/wit")), names(&root.join("wit/v0.1.0")));
        for path in ["Cargo.toml", "plugin.toml", "README.md", "sdk/Cargo.toml"] {
            assert!(!std::fs::read_to_string(at.join(path)).expect("it is there").contains("{{"), "{path}");
        }
    }
}
