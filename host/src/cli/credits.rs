//! `atelier credits`: the wallet of whoever uses the command line.

use super::{Exit, Json, print_json};
use crate::app::{LOCAL_WALLET, Reader};
use crate::ledger::NanoUsd;
use crate::settings::Settings;
use crate::store::ledger::receipts::Returned;
use anyhow::Result;
use clap::Subcommand;
use std::collections::BTreeSet;

#[derive(Debug, Subcommand)]
pub(super) enum CreditsCommand {
    /// Add credits
    Grant {
        /// How many
        amount: NanoUsd,
        /// Grant once only for this reference, such as a payment's id
        #[arg(long)]
        reference: Option<String>,
    },
    /// What there is
    Balance {
        #[command(flatten)]
        json: Json,
    },
    /// Where each credit of a project went: calls, tokens, prices, refunds
    Receipt {
        /// The project's id
        project: String,
        #[command(flatten)]
        json: Json,
    },
    /// The last entries, newest first
    Ledger {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        json: Json,
    },
}

pub(super) async fn credits(settings: Settings, command: CreditsCommand) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    reader.store.open_wallet(LOCAL_WALLET, reader.settings.budget.amounts()?.default_grant).await?;
    match command {
        CreditsCommand::Grant { amount, reference } => {
            if amount == NanoUsd::ZERO {
                anyhow::bail!("a grant of 0 credits changes nothing; write a larger amount");
            }
            let reference = reference.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
            match reader.store.grant(LOCAL_WALLET, amount, &reference).await? {
                true => println!("{amount} granted."),
                false => println!("`{reference}` was granted before; nothing changed."),
            }
        }
        CreditsCommand::Balance { json } => {
            let balance = reader.store.balance(LOCAL_WALLET).await?;
            match json.json {
                true => print_json(&balance)?,
                false => println!("{}, {} of them held for calls under way", balance.balance, balance.held),
            }
        }
        CreditsCommand::Receipt { project, json } => return receipt(&reader, &project, json.json).await,
        CreditsCommand::Ledger { limit, json } => {
            let entries = reader.store.entries(LOCAL_WALLET, limit).await?;
            if json.json {
                print_json(&entries)?;
                return Ok(Exit::Done);
            }
            for entry in entries {
                println!(
                    "{:>6} {:<8} {:>24} {} → {} ({})",
                    entry.seq,
                    entry.kind,
                    entry.amount.to_string(),
                    entry.debit,
                    entry.credit,
                    entry.reference
                );
            }
        }
    }
    Ok(Exit::Done)
}

async fn receipt(reader: &Reader, project: &str, json: bool) -> Result<Exit> {
    // An id that is not there gets an error of its own, not an empty receipt.
    let project = reader.store.project(project).await?.id;
    let (lines, total) = (reader.store.receipt_lines(&project).await?, reader.store.receipt(&project).await?);
    if json {
        print_json(&serde_json::json!({ "calls": lines, "total": total }))?;
        return Ok(Exit::Done);
    }
    for line in &lines {
        let usage = line.usage;
        println!(
            "{:<24} {:<20} {}/{} (price {}): {} in, {} cached, {} written to the cache, {} out, {} reasoning{} → {}{}{}",
            line.call,
            line.step,
            line.provider,
            line.model,
            line.price,
            usage.input,
            usage.cached_input,
            usage.cache_write,
            usage.output,
            usage.reasoning,
            if line.estimated { " (estimated)" } else { "" },
            line.charged,
            if line.house > NanoUsd::ZERO { format!(", {} paid by the house", line.house) } else { String::new() },
            match line.returned {
                Some(Returned::Refunded) => ", refunded with its run",
                Some(Returned::Adjusted) => ", corrected",
                None => "",
            }
        );
    }
    let plugins: BTreeSet<_> = lines.iter().map(|line| format!("{} {}", line.plugin, &line.plugin_sha256)).collect();
    for plugin in plugins {
        println!("plugin {plugin}");
    }
    println!(
        "{} calls ({} estimated, {} lost and made again): {} charged, {} given back, {} paid by the house",
        total.calls, total.estimated_calls, total.lost_calls, total.charged, total.refunded, total.house
    );
    Ok(Exit::Done)
}
