//! `atelier plugin test`: a plugin's cases, run under the real host with a scripted model.

use super::pin::{read, ready};
use super::{Exit, Json, print_json};
use crate::orchestrator::rehearsal::{Case, Rehearsed, rehearse};
use crate::plugins::builder::{self, Built};
use crate::plugins::manifest::PluginManifest;
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};

/// Where a plugin's cases are, in its folder.
const CASES: &str = "cases";

#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// The plugin's folder
    directory: PathBuf,
    /// A case; all of the folder `cases` where none is given
    #[arg(long = "case", value_name = "FILE")]
    cases: Vec<PathBuf>,
    /// A component that was built already
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Where building leaves what it makes
    #[arg(long, value_name = "DIR", default_value = "target/wasm")]
    target_dir: PathBuf,
    #[command(flatten)]
    json: Json,
}

pub(super) async fn test(settings: Settings, arguments: TestArguments) -> Result<Exit> {
    let cases = cases(&arguments)?;
    let (manifest, bytes) = match &arguments.component {
        Some(file) => {
            let manifest = PluginManifest::read(&arguments.directory.join("plugin.toml"))?;
            (manifest, read(file)?)
        }
        None => {
            let Built { manifest, bytes, .. } = builder::build(&arguments.directory, &std::path::absolute(&arguments.target_dir)?)?;
            (manifest, bytes)
        }
    };
    let (registry, plugin) = ready(&settings.data_dir, &manifest, &bytes)?;
    let (mut all, mut good) = (Vec::new(), 0);
    for (name, case) in &cases {
        let came = rehearse(settings.clone(), registry.clone(), &plugin, case).await.with_context(|| name.clone())?;
        let is_good = came.is_good();
        good += usize::from(is_good);
        if !arguments.json.json {
            show(name, is_good, &came);
        }
        all.push(serde_json::json!({ "case": name, "good": is_good, "run": came }));
    }
    if arguments.json.json {
        print_json(&all)?;
    } else {
        println!("{good} of {} cases came out as they should.", cases.len());
    }
    Ok(if good == cases.len() { Exit::Done } else { Exit::Failed })
}

fn cases(arguments: &TestArguments) -> Result<Vec<(String, Case)>> {
    let mut paths = arguments.cases.clone();
    let folder = arguments.directory.join(CASES);
    if paths.is_empty() && folder.exists() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
        paths =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
        paths.sort();
    }
    if paths.is_empty() {
        bail!("there is no case in {}; write one, as `atelier plugin new` shows, or name one with --case FILE", folder.display());
    }
    let name = |path: &Path| path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    paths.iter().map(|path| Ok((name(path), Case::read(path)?))).collect()
}

fn show(name: &str, is_good: bool, came: &Rehearsed) {
    println!("{} {name}: {}", if is_good { "good" } else { "BAD " }, came.end);
    let receipt = &came.receipt;
    println!(
        "     {} million instructions, {} KiB, {} host calls; {} model calls, {} tokens in, {} out, {} charged; replayed: {}",
        came.fuel.div_ceil(1_000_000),
        came.memory_peak_bytes / 1024,
        came.host_calls,
        receipt.calls,
        receipt.input_tokens,
        receipt.output_tokens,
        receipt.charged,
        if came.repeats { "the same" } else { "NOT the same" }
    );
    for problem in &came.problems {
        println!("     {problem}");
    }
}
