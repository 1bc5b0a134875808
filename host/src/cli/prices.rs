//! `atelier prices`: what model calls cost. A price is never changed; an import puts new ones in force beside the old.

use super::{Exit, Json, print_json};
use crate::app::Reader;
use crate::llm::gateway::price_book;
use crate::settings::Settings;
use anyhow::{Context, Result};
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum PricesCommand {
    /// The prices in force
    List {
        #[command(flatten)]
        json: Json,
    },
    /// Put a list in force, in the form of host/prices/seed.toml
    Import {
        /// The list
        file: PathBuf,
    },
}

pub(super) async fn prices(settings: Settings, command: PricesCommand) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    match command {
        PricesCommand::List { json } => {
            price_book::refresh(&reader.store, &reader.settings).await?;
            let prices = reader.store.prices().await?;
            if json.json {
                print_json(&prices)?;
                return Ok(Exit::Done);
            }
            println!("US dollars for a million tokens: input, cached input, cache write, output; then what part of that is charged");
            for price in prices {
                let usd = |pico: crate::ledger::PicoUsdPerToken| format!("{}.{:06}", pico.0 / 1_000_000, pico.0 % 1_000_000);
                let rates = price.rates;
                println!(
                    "{:>6} {:<14} {:<32} {:>12} {:>12} {:>12} {:>12} {:>4} %  {}",
                    price.id,
                    price.provider,
                    price.model,
                    usd(rates.input),
                    usd(rates.cached_input),
                    usd(rates.cache_write),
                    usd(rates.output),
                    rates.charged_percent,
                    price.source
                );
            }
        }
        PricesCommand::Import { file } => {
            let text = std::fs::read_to_string(&file).with_context(|| format!("read the prices from {}", file.display()))?;
            let added = price_book::import(&reader.store, &reader.settings, &text).await?;
            println!("{added} prices are new and in force from now on; calls made before keep theirs.");
        }
    }
    Ok(Exit::Done)
}
