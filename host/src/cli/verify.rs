//! `atelier verify`: is this delivery what was delivered, and does it still do what the report says?

use super::{Exit, Json, print_json};
use crate::app::Reader;
use crate::checks::Checks;
use crate::delivery::verify::{verify_stored, verify_zip};
use crate::plugins::registry::Registry;
use crate::settings::Settings;
use anyhow::Result;
use clap::Args;
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// A delivered zip, or the id of a project
    delivery: String,
    #[command(flatten)]
    json: Json,
}

pub(super) async fn verify(settings: Settings, arguments: VerifyArguments) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let checks = Checks::new(Arc::new(Registry::open(&reader.directory)?));
    let path = Path::new(&arguments.delivery);
    let verification = match path.exists() {
        true => verify_zip(&reader.store, &checks, path).await?,
        false => verify_stored(&reader.store, &checks, &arguments.delivery).await?,
    };
    let exit = if verification.holds() { Exit::Done } else { Exit::Failed };
    if arguments.json.json {
        print_json(&verification)?;
        return Ok(exit);
    }
    for requirement in &verification.requirements {
        println!("  {:<11} {} {}", requirement.claim.as_str(), requirement.id, requirement.text);
    }
    for problem in &verification.tampered {
        println!("TAMPERED  {problem}");
    }
    for problem in &verification.different {
        println!("DIFFERENT {problem}");
    }
    if !verification.from_store {
        eprintln!("This project was not built here: it was held against its own report only, which whoever changed it could change too.");
    }
    println!(
        "project {}: {} checks run again, {} files tampered with, {} checks differ",
        verification.project,
        verification.results.len(),
        verification.tampered.len(),
        verification.different.len()
    );
    Ok(exit)
}
