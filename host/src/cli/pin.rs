//! `atelier plugin pin`, `rollback`, `activate`, `sign` and what belongs to them: which version runs, and who vouches for it.

use super::Exit;
use super::terminal::Bar;
use crate::plugins::PluginError;
use crate::plugins::lock::Pins;
use crate::plugins::manifest::PluginManifest;
use crate::plugins::pinning::{Pinning, guard};
use crate::plugins::registry::{Loaded, Registry};
use crate::plugins::signature::{PublicKey, SigningKey, Statement};
use crate::plugins::smoke::smoke;
use crate::settings::Settings;
use crate::workspace::sha256;
use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A signature in base64 has 88 letters; what is longer is none.
const SIGNATURE_BYTES_MAX: u64 = 1_000;

#[derive(Debug, Args)]
pub(super) struct PinArguments {
    /// The component
    pub(super) file: PathBuf,
    /// Its `plugin.toml`
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: PathBuf,
    /// Its signature; FILE.sig where that is there
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    pub(super) terms: Terms,
}

/// On what terms a version is pinned.
#[derive(Debug, Default, Args)]
pub(super) struct Terms {
    /// Who has to have signed this plugin, now and later; see `trust`
    #[arg(long, value_name = "NAME")]
    pub(super) signer: Option<String>,
    /// Nobody has to have signed this plugin any more
    #[arg(long, conflicts_with = "signer")]
    pub(super) insecure_unsigned: bool,
    /// Pin it although it is older than what is pinned
    #[arg(long)]
    pub(super) older: bool,
}

impl Terms {
    /// How it is to be pinned.
    pub(super) fn pinning<'a>(&'a self, source: &'a str, signature: Option<&'a str>) -> Pinning<'a> {
        let signer = self.signer.as_deref();
        Pinning { source, signature, signer, insecure_unsigned: self.insecure_unsigned, older: self.older }
    }
}

pub(super) async fn pin(settings: &Settings, arguments: &PinArguments) -> Result<Exit> {
    let bytes = read(&arguments.file)?;
    let manifest = PluginManifest::read(&arguments.manifest)?;
    let signature = signature_of(arguments)?;
    let source = arguments.file.display().to_string();
    let pinning = arguments.terms.pinning(&source, signature.as_deref());
    let entry = change(settings, &manifest.name, None, |pins| pins.stage(&manifest, &bytes, pinning)).await?;
    println!("{} {} {}", entry.name, entry.sha256, entry.world);
    Ok(Exit::Done)
}

pub(super) async fn go_to(settings: &Settings, name: &str, digest: &str) -> Result<Exit> {
    let entry =
        change(settings, name, None, |pins| if digest.is_empty() { pins.rollback(name) } else { pins.activate(name, digest) }).await?;
    println!("{} {} {}", entry.name, entry.sha256, entry.world);
    Ok(Exit::Done)
}

/// Makes a change of the version that runs, and saves it once that version was compiled, fits its world and survived the smoke call; or
/// the version of this digest, where it is not to run for all.
pub(super) async fn change<T>(
    settings: &Settings,
    name: &str,
    digest: Option<&str>,
    change: impl FnOnce(&mut Pins) -> Result<T, PluginError>,
) -> Result<T> {
    let _alone = guard(&settings.data_dir)?;
    let mut pins = Pins::read(&settings.data_dir)?;
    let changed = change(&mut pins)?;
    let bar = Bar::new();
    bar.count(0, 1, &format!("examining {name} (compiled the first time)"));
    smoke(&Registry::staged(&settings.data_dir, pins.clone())?, name, digest).await.context("the version that was pinned before stays")?;
    bar.end();
    pins.save()?;
    for line in pins.withheld(name) {
        eprintln!("`{name}` asks for more than it is granted; this line under [plugin.grants] of plugins.toml would allow it: {line}");
    }
    Ok(changed)
}

/// Looks at a component as if it were pinned here, with the operator's grants, limits and runners. Nothing is saved, and its bytes are let go.
pub(super) fn as_if_pinned<T>(
    directory: &Path,
    manifest: &PluginManifest,
    bytes: &[u8],
    look: impl FnOnce(Registry) -> Result<T>,
) -> Result<T> {
    let _alone = guard(directory)?;
    let (mut pins, digest) = (Pins::read(directory)?, sha256(bytes));
    let was_kept = pins.keeps(&digest);
    let staged = pins.stage(manifest, bytes, Pinning { older: true, insecure_unsigned: true, ..Pinning::default() });
    let looked = staged.map_err(Into::into).and_then(|_| look(Registry::staged(directory, pins.clone())?));
    if !was_kept && pins.keeps(&digest) {
        pins.discard(&digest)?;
    }
    looked
}

/// As [`as_if_pinned`], ready to run.
pub(super) fn ready(directory: &Path, manifest: &PluginManifest, bytes: &[u8]) -> Result<(Arc<Registry>, Arc<Loaded>)> {
    as_if_pinned(directory, manifest, bytes, |registry| {
        let plugin = tokio::task::block_in_place(|| registry.get(&manifest.name))?;
        Ok((Arc::new(registry), plugin))
    })
}

pub(super) fn play(settings: &Settings, name: &str) -> Result<Exit> {
    edit(settings, |pins| pins.play(name))
}

pub(super) fn keygen(file: &Path) -> Result<Exit> {
    println!("{}", SigningKey::make(file)?.public());
    eprintln!("The private key is in {}. Whoever trusts you runs: atelier plugin trust NAME KEY", file.display());
    Ok(Exit::Done)
}

pub(super) fn sign(file: &Path, manifest: &Path, key: &Path) -> Result<Exit> {
    let (bytes, manifest) = (read(file)?, PluginManifest::read(manifest)?);
    let world = manifest.contract();
    let signature = SigningKey::read(key)?.sign(&Statement { name: &manifest.name, world: &world, sha256: &sha256(&bytes) });
    let out = beside(file);
    std::fs::write(&out, format!("{signature}\n")).with_context(|| format!("write {}", out.display()))?;
    println!("{}", out.display());
    Ok(Exit::Done)
}

pub(super) fn trust(settings: &Settings, name: &str, key: PublicKey) -> Result<Exit> {
    edit(settings, |pins| pins.trust(name, key))
}

pub(super) fn revoke(settings: &Settings, name: &str) -> Result<Exit> {
    edit(settings, |pins| pins.revoke(name))
}

pub(super) fn edit(settings: &Settings, change: impl FnOnce(&mut Pins) -> Result<(), PluginError>) -> Result<Exit> {
    let _alone = guard(&settings.data_dir)?;
    let mut pins = Pins::read(&settings.data_dir)?;
    change(&mut pins)?;
    pins.save()?;
    Ok(Exit::Done)
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("read {}", file.display()))
}

/// The signature that is named, or lies beside the component.
pub(super) fn signature_of(arguments: &PinArguments) -> Result<Option<String>> {
    let named = arguments.signature.clone();
    let path = named.or_else(|| Some(beside(&arguments.file)).filter(|path| path.exists()));
    path.map(|path| read_signature(&path)).transpose()
}

pub(super) fn read_signature(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("read {}", path.display()))?.len();
    anyhow::ensure!(size <= SIGNATURE_BYTES_MAX, "{} has {size} bytes; a signature has 88", path.display());
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// Where the signature of a component is.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}
