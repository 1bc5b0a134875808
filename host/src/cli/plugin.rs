//! `atelier plugin`: from source to a component, and a look at what is pinned; [`super::pin`] is how versions come and go.

use super::terminal::Bar;
use super::trial::{ForWhom, TrialCommand};
use super::{Exit, Json, pin, plugin_compare, plugin_source, plugin_test, print_json, trial};
use crate::plugins::builder::{self, Built};
use crate::plugins::lock::{LockEntry, Pins};
use crate::plugins::pinning::Pinning;
use crate::plugins::registry::Registry;
use crate::plugins::scaffold::{Language, scaffold};
use crate::plugins::signature::PublicKey;
use crate::settings::Settings;
use crate::workspace::sha256;
use anyhow::{Context, Result};
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Make the folder of a new plugin: one that works, to be changed
    New {
        /// Its name; the folder has the same
        name: String,
        /// architect, implementer or indexer
        #[arg(long, default_value = "implementer")]
        world: String,
        /// What it is written in
        #[arg(long, value_enum, default_value = "rust")]
        lang: Language,
        /// Where the folder is made
        #[arg(long = "in", value_name = "DIR", default_value = ".")]
        parent: PathBuf,
    },
    /// Build the plugin in a folder and print its digest
    Build {
        /// The folder with `plugin.toml`, and `Cargo.toml`, `package.json` or `requirements.txt`
        directory: PathBuf,
        /// Where the component goes
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Where building leaves what it makes
        #[arg(long, value_name = "DIR", default_value = "target/wasm")]
        target_dir: PathBuf,
        /// Pin it at once
        #[arg(long)]
        pin: bool,
    },
    /// Run the plugin's cases under the real host, with a scripted model
    Test(plugin_test::TestArguments),
    /// Pin a component that was built before: what begins from now on is done by it
    Pin(pin::PinArguments),
    /// Get a plugin from a registry and pin it
    Add(plugin_source::AddArguments),
    /// Put a component and its `plugin.toml` into a registry, with the signature that lies beside it
    Push {
        /// The component
        file: PathBuf,
        /// Where to: HOST/NAME:TAG
        reference: String,
        /// Its `plugin.toml`
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
    },
    /// What would change where a component took the place of the pinned one
    Diff {
        /// The component
        file: PathBuf,
        /// Its `plugin.toml`
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
    },
    /// Compare two versions on cases and on recorded projects
    Compare(plugin_compare::CompareArguments),
    /// Have a plugin play the role of its world, where several are pinned
    Use {
        /// The plugin's name
        name: String,
        #[command(flatten)]
        whom: ForWhom,
    },
    /// Compare a candidate with what plays its role, on a share of the projects
    #[command(subcommand)]
    Trial(TrialCommand),
    /// Go back to the version that was pinned before
    Rollback {
        /// The plugin's name
        name: String,
    },
    /// Go to a version that was pinned before
    Activate {
        /// The plugin's name
        name: String,
        /// Its digest, or the beginning of it
        digest: String,
    },
    /// Make a private key, and print the public one
    Keygen {
        /// Where the private key goes; a file that is there is left alone
        file: PathBuf,
    },
    /// Sign a component; the signature goes beside it, as FILE.sig
    Sign {
        /// The component
        file: PathBuf,
        /// Its `plugin.toml`
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
        /// The private key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Accept the signatures of a key
    Trust {
        /// How you call whoever has it
        name: String,
        /// The public key, as `keygen` prints it
        key: PublicKey,
    },
    /// Load nothing any more that was signed with a key
    Revoke {
        /// How you call whoever had it
        name: String,
    },
    /// What is pinned
    List {
        /// One line for each import: plugin and interface
        #[arg(long)]
        imports: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Check every pinned plugin: digest, signature, world, imports; needs no network
    Verify,
    /// Compile what is pinned ahead of its first use; an interpreter takes half a minute, once
    Precompile,
}

pub(super) async fn plugin(settings: Settings, command: PluginCommand) -> Result<Exit> {
    std::fs::create_dir_all(&settings.data_dir).with_context(|| format!("make {}", settings.data_dir.display()))?;
    match command {
        PluginCommand::New { name, world, lang, parent } => {
            let folder = parent.join(&name);
            scaffold(&folder, &name, &world, lang)?;
            println!("{}", folder.display());
            let test = match lang {
                Language::Rust => "cargo test",
                Language::Js => "npm test",
                Language::Python => "PYTHONPATH=src:sdk python3 -m unittest discover tests",
            };
            eprintln!("Next: cd {} && {test} && atelier plugin build . --pin", folder.display());
            Ok(Exit::Done)
        }
        PluginCommand::Build { directory, out, target_dir, pin } => {
            let target = std::path::absolute(target_dir)?;
            let Built { manifest, bytes, made_by } = builder::build(&directory, &target)?;
            if let Some(out) = out {
                if let Some(folder) = out.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                std::fs::write(&out, &bytes).with_context(|| format!("write {}", out.display()))?;
            }
            if pin {
                let source = directory.display().to_string();
                pin::change(&settings, &manifest.name, None, |pins| {
                    pins.stage(&manifest, &bytes, Pinning { source: &source, ..Pinning::default() })
                })
                .await?;
            }
            println!("{} {} {} bytes ({made_by})", manifest.name, sha256(&bytes), bytes.len());
            Ok(Exit::Done)
        }
        PluginCommand::Test(arguments) => plugin_test::test(settings, arguments).await,
        PluginCommand::Pin(arguments) => pin::pin(&settings, &arguments).await,
        PluginCommand::Compare(arguments) => plugin_compare::compare(settings, arguments).await,
        PluginCommand::Add(arguments) => plugin_source::add(&settings, &arguments).await,
        PluginCommand::Push { file, reference, manifest } => plugin_source::push(&file, &reference, &manifest).await,
        PluginCommand::Diff { file, manifest } => plugin_source::diff(&settings, &file, &manifest),
        PluginCommand::Use { name, whom } if whom.is_everybody() => pin::play(&settings, &name),
        PluginCommand::Use { name, whom } => trial::play_for(settings, &name, whom).await,
        PluginCommand::Trial(command) => trial::trial(settings, command).await,
        PluginCommand::Rollback { name } => pin::go_to(&settings, &name, "").await,
        PluginCommand::Activate { name, digest } => pin::go_to(&settings, &name, &digest).await,
        PluginCommand::Keygen { file } => pin::keygen(&file),
        PluginCommand::Sign { file, manifest, key } => pin::sign(&file, &manifest, &key),
        PluginCommand::Trust { name, key } => pin::trust(&settings, &name, key),
        PluginCommand::Revoke { name } => pin::revoke(&settings, &name),
        PluginCommand::Precompile => {
            println!("{} plugins are compiled.", precompile(&Registry::open(&settings.data_dir)?)?);
            Ok(Exit::Done)
        }
        PluginCommand::List { imports, json } => list(&settings, imports, json.json),
        PluginCommand::Verify => {
            let registry = Registry::open(&settings.data_dir)?;
            let mut bad = 0;
            let pins = registry.pins();
            for entry in &pins.manifest.plugins {
                match registry.precompile(&entry.name).and_then(|()| pins.load(&entry.name)) {
                    Ok((_, pinned, _)) => println!("{} {} good", entry.name, pinned.sha256),
                    Err(error) => {
                        bad += 1;
                        println!("{} BAD: {error}", entry.name);
                    }
                }
            }
            if pins.manifest.plugins.is_empty() {
                eprintln!("Nothing is pinned; `make plugins` builds and pins the shipped ones.");
                bad += 1;
            }
            Ok(if bad == 0 { Exit::Done } else { Exit::Failed })
        }
    }
}

/// Compiles what is not in the cache yet, with a bar. Returns how many plugins there are.
pub(super) fn precompile(registry: &Registry) -> Result<usize> {
    let pins = registry.pins();
    let names: Vec<&String> = pins.manifest.plugins.iter().map(|entry| &entry.name).collect();
    let bar = Bar::new();
    for (done, name) in names.iter().enumerate() {
        bar.count(done, names.len(), &format!("loading {name} (compiled at its first use)"));
        registry.precompile(name)?;
    }
    bar.end();
    Ok(names.len())
}

/// What an operator wants to know of a pinned plugin, in a line.
fn standing(pins: &Pins, entry: &LockEntry) -> String {
    let mut words = vec![format!("version {}", entry.version)];
    let Some(known) = pins.manifest.plugins.iter().find(|known| known.name == entry.name) else { return "not in plugins.toml".to_owned() };
    if pins.for_world(&known.world).is_some_and(|plays| plays.name == entry.name) && known.world != "runner" {
        words.push("plays its role".to_owned());
    }
    if let Some(trial) = pins.manifest.trials.get(&known.world).filter(|trial| trial.plugin == entry.name && trial.share > 0) {
        words.push(format!("tried on {} of 100 projects", trial.share));
    }
    if let Some(signer) = &known.signer {
        words.push(format!("signed by {signer}"));
    }
    let withheld = pins.withheld(&entry.name);
    if !withheld.is_empty() {
        words.push(format!("not granted: {}", withheld.join(", ")));
    }
    words.push(format!("from {}", known.source));
    words.join("; ")
}

fn list(settings: &Settings, imports: bool, json: bool) -> Result<Exit> {
    if !imports {
        let pins = Pins::read(&settings.data_dir)?;
        if json {
            print_json(&serde_json::json!({ "plugins": pins.manifest.plugins, "lock": pins.lock.plugins }))?;
            return Ok(Exit::Done);
        }
        for entry in &pins.lock.plugins {
            println!("{:<12} {} {} {}", entry.name, entry.world, entry.sha256, standing(&pins, entry));
            for before in &entry.previous {
                println!("{:<12} {} {}", "  before", before.world, before.sha256);
            }
        }
        return Ok(Exit::Done);
    }
    let registry = Registry::open(&settings.data_dir)?;
    let mut found = std::collections::BTreeMap::new();
    let pins = registry.pins();
    for entry in &pins.manifest.plugins {
        found.insert(&entry.name, registry.imports(&entry.name)?);
    }
    if json {
        print_json(&found)?;
        return Ok(Exit::Done);
    }
    for (name, imports) in found {
        for import in imports {
            println!("{name} {import}");
        }
    }
    Ok(Exit::Done)
}
