//! A new plugin's folder: a small plugin that works, with its tests, and the SDK and the contract of this host beside it, so that it
//! can be built anywhere.

use super::PluginError;
use super::api::versions_of;
use std::path::Path;

/// A plugin's name is a crate's and a folder's as well.
const NAME_CHARS_MAX: usize = 40;

/// A file of the template that is taken from this repository.
macro_rules! embedded {
    ($($to:literal from $from:literal),* $(,)?) => { &[$(($to, include_str!(concat!("../../../", $from)))),*] };
}

/// The contract, which every plugin has beside it.
const CONTRACT: Files = embedded![
    "sdk/wit/worlds.wit" from "wit/v0.2.0/worlds.wit",
    "sdk/wit/deps/agent-0.1.0/checks.wit" from "wit/v0.1.0/checks.wit",
    "sdk/wit/deps/agent-0.1.0/dialogue.wit" from "wit/v0.1.0/dialogue.wit",
    "sdk/wit/deps/agent-0.1.0/index.wit" from "wit/v0.1.0/index.wit",
    "sdk/wit/deps/agent-0.1.0/job.wit" from "wit/v0.1.0/job.wit",
    "sdk/wit/deps/agent-0.1.0/llm.wit" from "wit/v0.1.0/llm.wit",
    "sdk/wit/deps/agent-0.1.0/log.wit" from "wit/v0.1.0/log.wit",
    "sdk/wit/deps/agent-0.1.0/runner.wit" from "wit/v0.1.0/runner.wit",
    "sdk/wit/deps/agent-0.1.0/types.wit" from "wit/v0.1.0/types.wit",
    "sdk/wit/deps/agent-0.1.0/workspace.wit" from "wit/v0.1.0/workspace.wit",
    "sdk/wit/deps/agent-0.1.0/worlds.wit" from "wit/v0.1.0/worlds.wit",
];
/// The Rust SDK's root names the folders with the contract: so in this repository, and so in a plugin's folder, where they lie as WIT's
/// tools expect a package and what it depends on.
const CONTRACT_FOLDERS: &[(&str, &str)] =
    &[("[\"../../wit/v0.1.0\", \"../../wit/v0.2.0\"]", "\"wit\""), ("\"../../wit/v0.1.0\"", "\"wit/deps/agent-0.1.0\"")];

/// Paths in the plugin's folder and their texts.
type Files = &'static [(&'static str, &'static str)];

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Small and fast: what the shipped plugins are written in.
    Rust,
    /// JavaScript, with its interpreter inside the component: 12 MB, and no build but Node's.
    Js,
    /// Python, with its interpreter inside the component: 18 MB, and WASI with nothing behind it.
    Python,
}

/// What a language offers.
struct Template {
    /// Files in which `{{…}}` is filled in.
    filled: Files,
    /// The SDK, and the lock that makes the first build the one that was tested.
    verbatim: Files,
    /// For each world the files that are filled in and those that are not.
    worlds: &'static [(&'static str, Files, Files)],
}

const RUST: Template = Template {
    filled: embedded![
        "Cargo.toml" from "plugins/templates/rust/Cargo.toml.template",
        "README.md" from "plugins/templates/rust/README.md.template",
        "sdk/Cargo.toml" from "plugins/templates/rust/sdk.Cargo.toml.template",
    ],
    verbatim: embedded![
        "Cargo.lock" from "Cargo.lock",
        "sdk/src/fences.rs" from "plugins/sdk/src/fences.rs",
        "sdk/src/files.rs" from "plugins/sdk/src/files.rs",
        "sdk/src/lib.rs" from "plugins/sdk/src/lib.rs",
        "sdk/src/model.rs" from "plugins/sdk/src/model.rs",
        "sdk/src/template.rs" from "plugins/sdk/src/template.rs",
        "sdk/src/words.rs" from "plugins/sdk/src/words.rs",
    ],
    worlds: &[
        (
            "architect",
            embedded!["plugin.toml" from "plugins/templates/rust/plugin.architect.toml.template"],
            embedded!["src/lib.rs" from "plugins/templates/rust/architect.rs", "cases/greeter.toml" from "plugins/templates/cases/architect.toml"],
        ),
        (
            "implementer",
            embedded!["plugin.toml" from "plugins/templates/rust/plugin.implementer.toml.template"],
            embedded!["src/lib.rs" from "plugins/templates/rust/implementer.rs", "cases/hello.toml" from "plugins/templates/cases/implementer.toml"],
        ),
        (
            "indexer",
            embedded!["plugin.toml" from "plugins/templates/rust/plugin.indexer.toml.template"],
            embedded!["src/lib.rs" from "plugins/templates/rust/indexer.rs"],
        ),
        (
            "documenter",
            embedded!["plugin.toml" from "plugins/templates/rust/plugin.documenter.toml.template"],
            embedded!["src/lib.rs" from "plugins/templates/rust/documenter.rs", "cases/greeter.toml" from "plugins/templates/cases/documenter.toml"],
        ),
    ],
};

const JAVASCRIPT: Template = Template {
    filled: embedded!["README.md" from "plugins/templates/javascript/README.md.template"],
    verbatim: embedded![
        ".gitignore" from "plugins/templates/javascript/gitignore",
        "package.json" from "plugins/templates/javascript/package.json",
        "package-lock.json" from "plugins/templates/javascript/package-lock.json",
        "sdk/build.mjs" from "plugins/templates/javascript/sdk/build.mjs",
        "sdk/conversation.js" from "plugins/templates/javascript/sdk/conversation.js",
        "sdk/fences.js" from "plugins/templates/javascript/sdk/fences.js",
        "sdk/words.js" from "plugins/templates/javascript/sdk/words.js",
        "tests/sdk.test.js" from "plugins/templates/javascript/tests/sdk.test.js",
    ],
    worlds: &[
        (
            "architect",
            embedded!["plugin.toml" from "plugins/templates/javascript/architect/plugin.toml.template"],
            embedded![
                "src/plugin.js" from "plugins/templates/javascript/architect/src/plugin.js",
                "src/strategy.js" from "plugins/templates/javascript/architect/src/strategy.js",
                "tests/strategy.test.js" from "plugins/templates/javascript/architect/tests/strategy.test.js",
                "cases/greeter.toml" from "plugins/templates/cases/architect.toml",
            ],
        ),
        (
            "implementer",
            embedded!["plugin.toml" from "plugins/templates/javascript/implementer/plugin.toml.template"],
            embedded![
                "src/plugin.js" from "plugins/templates/javascript/implementer/src/plugin.js",
                "src/strategy.js" from "plugins/templates/javascript/implementer/src/strategy.js",
                "tests/strategy.test.js" from "plugins/templates/javascript/implementer/tests/strategy.test.js",
                "cases/hello.toml" from "plugins/templates/cases/implementer.toml",
            ],
        ),
    ],
};

const PYTHON: Template = Template {
    filled: embedded!["README.md" from "plugins/templates/python/README.md.template"],
    verbatim: embedded![
        ".gitignore" from "plugins/templates/python/gitignore",
        "requirements.txt" from "plugins/templates/python/requirements.txt",
        "sdk/atelier_sdk/__init__.py" from "plugins/templates/python/sdk/atelier_sdk/__init__.py",
        "sdk/atelier_sdk/conversation.py" from "plugins/templates/python/sdk/atelier_sdk/conversation.py",
        "sdk/atelier_sdk/fences.py" from "plugins/templates/python/sdk/atelier_sdk/fences.py",
        "sdk/atelier_sdk/host.py" from "plugins/templates/python/sdk/atelier_sdk/host.py",
        "sdk/atelier_sdk/words.py" from "plugins/templates/python/sdk/atelier_sdk/words.py",
        "tests/test_sdk.py" from "plugins/templates/python/tests/test_sdk.py",
    ],
    worlds: &[
        (
            "architect",
            embedded!["plugin.toml" from "plugins/templates/python/architect/plugin.toml.template"],
            embedded![
                "src/app.py" from "plugins/templates/python/architect/src/app.py",
                "src/strategy.py" from "plugins/templates/python/architect/src/strategy.py",
                "tests/test_strategy.py" from "plugins/templates/python/architect/tests/test_strategy.py",
                "cases/greeter.toml" from "plugins/templates/cases/architect.toml",
            ],
        ),
        (
            "implementer",
            embedded!["plugin.toml" from "plugins/templates/python/implementer/plugin.toml.template"],
            embedded![
                "src/app.py" from "plugins/templates/python/implementer/src/app.py",
                "src/strategy.py" from "plugins/templates/python/implementer/src/strategy.py",
                "tests/test_strategy.py" from "plugins/templates/python/implementer/tests/test_strategy.py",
                "cases/hello.toml" from "plugins/templates/cases/implementer.toml",
            ],
        ),
    ],
};

/// Makes the folder, which must not be there yet.
pub fn scaffold(folder: &Path, name: &str, world: &str, language: Language) -> Result<(), PluginError> {
    let template = match language {
        Language::Rust => &RUST,
        Language::Js => &JAVASCRIPT,
        Language::Python => &PYTHON,
    };
    if name.is_empty()
        || name.len() > NAME_CHARS_MAX
        || !name.starts_with(|letter: char| letter.is_ascii_lowercase())
        || !name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
    {
        let why = format!("`{name}` is no plugin's name: small letters, digits and `-`, a letter first, at most {NAME_CHARS_MAX} of them");
        return Err(PluginError::Build(why));
    }
    let Some((_, filled, verbatim)) = template.worlds.iter().find(|(known, ..)| *known == world) else {
        let known: Vec<&str> = template.worlds.iter().map(|(known, ..)| *known).collect();
        return Err(PluginError::Build(format!(
            "there is no template for the world `{world}` in this language; there are {}",
            known.join(", ")
        )));
    };
    if folder.exists() {
        return Err(PluginError::Build(format!("{} is there already; choose another folder", folder.display())));
    }
    let api = versions_of(world).last().copied().unwrap_or_default();
    let values = [("{{name}}", name), ("{{world}}", world), ("{{api}}", api), ("{{version}}", env!("CARGO_PKG_VERSION"))];
    let fill = |text: &str| values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    for (path, text) in template.filled.iter().chain(*filled) {
        write(&folder.join(path), &fill(text))?;
    }
    for (path, text) in template.verbatim.iter().chain(*verbatim).chain(CONTRACT) {
        let text = CONTRACT_FOLDERS.iter().fold((*text).to_owned(), |text, (here, there)| text.replace(here, there));
        write(&folder.join(path), &text)?;
    }
    Ok(())
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
        for (name, world, language, words) in [
            ("", "implementer", Language::Rust, "no plugin's name"),
            ("Mine", "implementer", Language::Js, "no plugin's name"),
            ("../x", "implementer", Language::Rust, "no plugin's name"),
            ("x", "runner", Language::Rust, "there are architect, implementer, indexer, documenter"),
            ("x", "indexer", Language::Js, "there are architect, implementer"),
        ] {
            let refused = scaffold(&at, name, world, language).expect_err("refused").to_string();
            assert!(refused.contains(words), "{name} {world}: {refused}");
        }
        assert!(!at.exists());
        let refused = scaffold(folder.path(), "x", "indexer", Language::Rust).expect_err("refused").to_string();
        assert!(refused.contains("is there already"));
    }

    #[test]
    fn every_file_of_sdk_and_contract_goes_along_and_nothing_is_left_to_fill_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (language, sdk, filled) in [
            (
                Language::Rust,
                [("sdk/src", "plugins/sdk/src")].as_slice(),
                ["Cargo.toml", "plugin.toml", "README.md", "sdk/Cargo.toml"].as_slice(),
            ),
            (
                Language::Js,
                &[("sdk", "plugins/templates/javascript/sdk"), ("tests", "plugins/templates/javascript/tests")],
                &["plugin.toml", "README.md"],
            ),
        ] {
            let at = folder.path().join(format!("{language:?}"));
            scaffold(&at, "mine", "implementer", language).expect("a plugin");
            for (here, there) in sdk.iter().chain(&[("sdk/wit", "wit/v0.2.0"), ("sdk/wit/deps/agent-0.1.0", "wit/v0.1.0")]) {
                for name in names(&root.join(there)) {
                    assert!(at.join(here).join(&name).exists(), "{language:?}: {there}/{name} does not go along");
                }
            }
            for path in filled {
                assert!(!std::fs::read_to_string(at.join(path)).expect("it is there").contains("{{"), "{path}");
            }
        }
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry"));
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}
