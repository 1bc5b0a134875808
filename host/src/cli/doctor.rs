//! `atelier doctor`: what is configured, what is missing, what to do.

use super::Exit;
use crate::app::Reader;
use crate::llm::providers::Providers;
use crate::plugins::builder;
use crate::plugins::lock::Pins;
use crate::settings::Settings;
use anyhow::Result;

/// The roles that must be filled.
const WORLDS: &[&str] = &["architect", "implementer", "indexer"];

pub(super) async fn doctor(settings: Settings) -> Result<Exit> {
    let mut missing = 0;
    let mut say = |name: &str, state: std::result::Result<String, String>| match state {
        Ok(text) => println!("ok       {name}: {text}"),
        Err(text) => {
            missing += 1;
            println!("MISSING  {name}: {text}");
        }
    };
    match Reader::open(settings).await {
        Ok(reader) => {
            say("data directory", Ok(reader.directory.display().to_string()));
            let pins = Pins::read(&reader.directory)?;
            for world in WORLDS {
                let state =
                    pins.for_world(world).ok_or_else(|| "nothing is pinned; `make plugins` builds and pins the shipped ones".to_owned());
                say(
                    world,
                    state.and_then(|entry| {
                        pins.load(&entry.name).map(|(_, lock, _)| lock.sha256.clone()).map_err(|error| error.to_string())
                    }),
                );
            }
            let runners: Vec<&str> =
                pins.manifest.plugins.iter().filter(|entry| entry.world == "runner").map(|entry| entry.name.as_str()).collect();
            say(
                "runners",
                if runners.is_empty() {
                    Err("none is pinned, so every requirement will be unverified; `make plugins` builds and pins them".to_owned())
                } else {
                    Ok(runners.join(", "))
                },
            );
            match reader.settings.require_model() {
                Err(error) => say("model", Err(error.to_string())),
                Ok(()) => {
                    for class in ["planner", "coder", "fast"] {
                        for (provider, model) in reader.settings.models_of(class) {
                            let known = reader.settings.all_providers().contains_key(&provider);
                            let price = reader.store.price(&provider, &model).await?.is_some()
                                || reader.settings.prices()?.iter().any(|price| price.provider == provider && price.model == model);
                            say(
                                class,
                                match (known, price) {
                                    (true, true) => Ok(format!("{model} at {provider}")),
                                    (false, _) => Err(format!("[providers.{provider}] is missing; add it, with its dialect and URL")),
                                    (true, false) => Err(format!(
                                        "`{model}` has no price; set ATELIER_MODEL_PRICE=INPUT/OUTPUT in US dollars for a million tokens (0/0 if it is free), or `atelier prices import FILE`"
                                    )),
                                },
                            );
                        }
                    }
                }
            }
            let keys = reader.store.keys().await?.len();
            let master_keys = reader.settings.read_master_keys().map_err(|error| error.to_string());
            say(
                "keys",
                match master_keys {
                    Err(error) => Err(error),
                    Ok(master_keys) => Providers::open(&reader.settings, &reader.store, master_keys)
                        .await
                        .map(|_| format!("{keys} stored"))
                        .map_err(|error| error.to_string()),
                },
            );
            let broken: usize =
                reader.store.audit(&reader.store.living_boots().await?).await?.iter().map(|invariant| invariant.violations.len()).sum();
            say(
                "ledger",
                if broken == 0 {
                    Ok("all invariants hold".to_owned())
                } else {
                    Err(format!("{broken} violations; `atelier audit` lists them"))
                },
            );
        }
        Err(error) => say("data directory", Err(format!("{error:#}"))),
    }
    say(
        "wasm toolchain (to build plugins)",
        builder::find_toolchain().map(|toolchain| format!("{toolchain:?}")).map_err(|error| error.to_string()),
    );
    Ok(if missing == 0 { Exit::Done } else { Exit::Failed })
}
