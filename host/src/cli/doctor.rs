//! `atelier doctor`: what is configured, what is missing, what to do.

use super::Exit;
use crate::app::Reader;
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
            say(
                "model",
                reader.settings.require_model().map_err(|error| error.to_string()).map(|()| {
                    format!(
                        "{} at {}",
                        reader.settings.model_of("planner").unwrap_or_default(),
                        reader.settings.model.url.as_deref().unwrap_or_default()
                    )
                }),
            );
            let rates = reader.settings.rates()?;
            for class in ["planner", "coder"] {
                if let Some(model) = reader.settings.model_of(class) {
                    let known = rates.contains_key(model);
                    let advice = format!(
                        "`{model}` has none; set ATELIER_MODEL_PRICE=INPUT/OUTPUT, US dollars for a million tokens (0/0 if it is free)"
                    );
                    say(&format!("price of the {class}"), if known { Ok(model.to_owned()) } else { Err(advice) });
                }
            }
            let broken: usize =
                reader.store.audit(&reader.living_boots().await?).await?.iter().map(|invariant| invariant.violations.len()).sum();
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
