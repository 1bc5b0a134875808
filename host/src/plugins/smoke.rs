//! The call that a version has to survive before it is the one that runs: each of its exports once, in a host that grants nothing. It may
//! refuse, as it does when a user has no credits; it may not trap, spin or fill its memory.

use super::PluginError;
use super::imports::Context;
use super::registry::{Loaded, Registry, World};
use super::run::{self, Export, Outcome};
use crate::workspace::Files;
use tokio::sync::watch;

/// A file as the indexer may meet it.
const FILE: (&str, &str) = ("smoke.py", "def smoke():\n    return 1\n");

/// Calls every export of the pinned version, or of the one of this digest.
pub async fn smoke(registry: &Registry, name: &str, digest: Option<&str>) -> Result<(), PluginError> {
    let failed = |export: &str, why: String| PluginError::Smoke { name: name.to_owned(), export: export.to_owned(), why };
    if registry.pins().manifest.plugins.iter().any(|entry| entry.name == name && entry.world == "runner") {
        let parsed = registry.runner(name)?.parse(&Files::new()).await;
        return parsed.map(drop).map_err(|contained| failed("parse", contained.to_string()));
    }
    let plugin = match digest {
        None => registry.get(name)?,
        Some(digest) => registry.of_digest(name, digest)?,
    };
    let exports: &[(&str, Export)] = match &plugin.world {
        World::Architect(_) => &[("elicit", Export::Elicit), ("make-plan", Export::MakePlan), ("verify", Export::Verify)],
        World::Implementer(_) => &[("implement", Export::Implement)],
        World::Documenter(_) => &[("document", Export::Document)],
        World::Indexer(_) => {
            let context = Context::of_nobody(name, "index-file", plugin.limits);
            return run::index_file(&plugin, context, FILE.0, FILE.1).await.map(drop).map_err(|why| failed("index-file", why));
        }
    };
    for (export, call) in exports {
        call_once(&plugin, export, *call).await.map_err(|why| failed(export, why))?;
    }
    Ok(())
}

async fn call_once(plugin: &Loaded, export: &str, call: Export) -> Result<(), String> {
    let (_stop, stopped) = watch::channel(false);
    match run::call(plugin, call, Context::of_nobody(&plugin.name, export, plugin.limits), stopped).await.outcome {
        Outcome::Returned(_) => Ok(()),
        Outcome::Killed(why) | Outcome::HostFailed(why) => Err(why),
        other => Err(format!("it ended otherwise: {other:?}")),
    }
}
