//! `atelier plugin`: from source to a pinned component, and a look at what is pinned.

use super::terminal::Bar;
use super::{Exit, Json, print_json};
use crate::plugins::builder::{self, Built};
use crate::plugins::lock::Pins;
use crate::plugins::manifest::PluginManifest;
use crate::plugins::registry::Registry;
use crate::settings::Settings;
use crate::workspace::sha256;
use anyhow::{Context, Result};
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Build the plugin in a folder and print its digest
    Build {
        /// The folder with `plugin.toml` and `Cargo.toml`
        directory: PathBuf,
        /// Where the component goes
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Cargo's target folder
        #[arg(long, value_name = "DIR", default_value = "target/wasm")]
        target_dir: PathBuf,
        /// Pin it at once
        #[arg(long)]
        pin: bool,
    },
    /// Pin a component that was built before
    Pin {
        /// The component
        file: PathBuf,
        /// Its `plugin.toml`
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
    },
    /// What is pinned
    List {
        /// One line for each import: plugin and interface
        #[arg(long)]
        imports: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Check every pinned plugin: digest, world, imports; needs no network
    Verify,
    /// Compile what is pinned ahead of its first use; an interpreter takes half a minute, once
    Precompile,
}

pub(super) fn plugin(settings: &Settings, command: PluginCommand) -> Result<Exit> {
    std::fs::create_dir_all(&settings.data_dir).with_context(|| format!("make {}", settings.data_dir.display()))?;
    match command {
        PluginCommand::Build { directory, out, target_dir, pin } => {
            let target = std::path::absolute(target_dir)?;
            let Built { manifest, bytes, toolchain } = builder::build(&directory, &target)?;
            if let Some(out) = out {
                if let Some(folder) = out.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                std::fs::write(&out, &bytes).with_context(|| format!("write {}", out.display()))?;
            }
            if pin {
                Pins::read(&settings.data_dir)?.pin(&manifest, &bytes, &directory.display().to_string())?;
            }
            println!("{} {} {} bytes ({toolchain:?})", manifest.name, sha256(&bytes), bytes.len());
            Ok(Exit::Done)
        }
        PluginCommand::Pin { file, manifest } => {
            let bytes = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
            let entry = Pins::read(&settings.data_dir)?.pin(&PluginManifest::read(&manifest)?, &bytes, &file.display().to_string())?;
            println!("{} {} {}", entry.name, entry.sha256, entry.world);
            Ok(Exit::Done)
        }
        PluginCommand::Precompile => {
            println!("{} plugins are compiled.", precompile(&Registry::open(&settings.data_dir)?)?);
            Ok(Exit::Done)
        }
        PluginCommand::List { imports, json } => list(settings, imports, json.json),
        PluginCommand::Verify => {
            let registry = Registry::open(&settings.data_dir)?;
            let mut bad = 0;
            for entry in &registry.pins.manifest.plugins {
                match registry.precompile(&entry.name).and_then(|()| registry.pins.load(&entry.name)) {
                    Ok((_, pinned, _)) => println!("{} {} good", entry.name, pinned.sha256),
                    Err(error) => {
                        bad += 1;
                        println!("{} BAD: {error}", entry.name);
                    }
                }
            }
            if registry.pins.manifest.plugins.is_empty() {
                eprintln!("Nothing is pinned; `make plugins` builds and pins the shipped ones.");
                bad += 1;
            }
            Ok(if bad == 0 { Exit::Done } else { Exit::Failed })
        }
    }
}

/// Compiles what is not in the cache yet, with a bar. Returns how many plugins there are.
pub(super) fn precompile(registry: &Registry) -> Result<usize> {
    let names: Vec<&String> = registry.pins.manifest.plugins.iter().map(|entry| &entry.name).collect();
    let bar = Bar::new();
    for (done, name) in names.iter().enumerate() {
        bar.count(done, names.len(), &format!("loading {name} (compiled at its first use)"));
        registry.precompile(name)?;
    }
    bar.end();
    Ok(names.len())
}

fn list(settings: &Settings, imports: bool, json: bool) -> Result<Exit> {
    if !imports {
        let pins = Pins::read(&settings.data_dir)?;
        if json {
            print_json(&serde_json::json!({ "plugins": pins.manifest.plugins, "lock": pins.lock.plugins }))?;
            return Ok(Exit::Done);
        }
        for entry in &pins.lock.plugins {
            println!("{:<12} {} {}", entry.name, entry.world, entry.sha256);
        }
        return Ok(Exit::Done);
    }
    let registry = Registry::open(&settings.data_dir)?;
    let mut found = std::collections::BTreeMap::new();
    for entry in &registry.pins.manifest.plugins {
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
