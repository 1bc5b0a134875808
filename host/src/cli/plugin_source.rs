//! `atelier plugin add`, `push` and `diff`: plugins that come from elsewhere, and what would change with them.

use super::Exit;
use super::pin::{Terms, as_if_pinned, beside, change, read, read_signature};
use crate::plugins::distribution;
use crate::plugins::lock::Pins;
use crate::plugins::manifest::{Grants, PluginManifest};
use crate::plugins::registry::Registry;
use crate::settings::Settings;
use crate::workspace::sha256;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::collections::BTreeSet;
use std::path::Path;

#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// HOST/NAME:TAG, or HOST/NAME@sha256:DIGEST for what has this digest and nothing else
    reference: String,
    #[command(flatten)]
    terms: Terms,
}

pub(super) async fn add(settings: &Settings, arguments: &AddArguments) -> Result<Exit> {
    if Path::new(&arguments.reference).exists() {
        bail!("{} is a file; `atelier plugin pin FILE --manifest FILE` pins it", arguments.reference);
    }
    let pulled = distribution::pull(&arguments.reference).await?;
    let pinning = arguments.terms.pinning(&pulled.reference, pulled.signature.as_deref());
    let entry = change(settings, &pulled.manifest.name, None, |pins| pins.stage(&pulled.manifest, &pulled.bytes, pinning)).await?;
    println!("{} {} {} from {}", entry.name, entry.sha256, entry.world, pulled.reference);
    Ok(Exit::Done)
}

pub(super) async fn push(file: &Path, reference: &str, manifest: &Path) -> Result<Exit> {
    let description = std::fs::read_to_string(manifest).with_context(|| format!("read {}", manifest.display()))?;
    let signature = Some(beside(file)).filter(|path| path.exists()).map(|path| read_signature(&path)).transpose()?;
    let place = distribution::push(reference, &description, read(file)?, signature.as_deref()).await?;
    println!("{place}");
    Ok(Exit::Done)
}

/// What an operator wants to know before a version takes the place of another.
pub(super) fn diff(settings: &Settings, file: &Path, manifest: &Path) -> Result<Exit> {
    let (bytes, offered) = (read(file)?, PluginManifest::read(manifest)?);
    let pins = Pins::read(&settings.data_dir)?;
    let Some(pinned) = pins.lock.plugins.iter().find(|entry| entry.name == offered.name).cloned() else {
        bail!("no plugin is pinned as `{}`, so nothing would change; `atelier plugin list` shows what is", offered.name);
    };
    let Some(entry) = pins.manifest.plugins.iter().find(|entry| entry.name == offered.name).cloned() else {
        bail!("`{}` is in plugins.lock and not in plugins.toml; pin it again", offered.name);
    };
    let before = Registry::open(&settings.data_dir)?.imports(&offered.name)?;
    let old_bytes = pins.bytes(&offered.name, &pinned.sha256)?.len();
    let after = as_if_pinned(&settings.data_dir, &offered, &bytes, |registry| Ok(registry.imports(&offered.name)?))?;
    let world = offered.contract();
    for (what, old, new) in [
        ("version", pinned.version.clone(), offered.version.clone()),
        ("world", pinned.world.clone(), world),
        ("sha256", pinned.sha256.clone(), sha256(&bytes)),
        ("bytes", old_bytes.to_string(), bytes.len().to_string()),
        ("wasi", format!("{:?}", entry.executes.wasi).to_lowercase(), format!("{:?}", offered.executes.wasi).to_lowercase()),
    ] {
        if old != new {
            println!("{what}: {old} -> {new}");
        }
    }
    told("asks for", &asked(&entry.asks), &asked(&offered.grants));
    told("imports", &before.into_iter().collect(), &after.into_iter().collect());
    if let Some(signer) = &entry.signer {
        let signed = if beside(file).exists() {
            "a signature lies beside it; `pin` looks whether it is theirs"
        } else {
            "there is no signature beside it"
        };
        println!("signer: has to be `{signer}`; {signed}");
    }
    Ok(Exit::Done)
}

fn asked(grants: &Grants) -> BTreeSet<String> {
    grants.iter().flat_map(|(export, grants)| grants.iter().map(move |grant| format!("{grant} in {export}"))).collect()
}

fn told(what: &str, before: &BTreeSet<String>, after: &BTreeSet<String>) {
    before.difference(after).for_each(|gone| println!("{what}: - {gone}"));
    after.difference(before).for_each(|new| println!("{what}: + {new}"));
}
