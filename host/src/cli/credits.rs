//! `atelier credits`: the wallet of whoever uses the command line.

use super::{Exit, Json, print_json};
use crate::app::{LOCAL_WALLET, Reader};
use crate::ledger::NanoUsd;
use crate::settings::Settings;
use anyhow::Result;
use clap::Subcommand;

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
