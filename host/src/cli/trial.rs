//! `atelier plugin trial`: two versions side by side on real work, and what came of both.

use super::{Exit, Json, pin, print_json};
use crate::app::{LOCAL_WALLET, Reader};
use crate::orchestrator::trying::sides;
use crate::plugins::lock::Pins;
use crate::plugins::manifest::{PluginManifest, Who};
use crate::plugins::pinning::guard;
use crate::plugins::trial::{Record, chance};
use crate::settings::Settings;
use crate::store::now_ms;
use crate::workspace::sha256;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(super) enum TrialCommand {
    /// Have a share of the projects done by a candidate: another version, or another plugin
    Begin {
        #[command(flatten)]
        candidate: pin::PinArguments,
        /// How many projects in a hundred
        #[arg(long, default_value_t = 50)]
        share: u8,
    },
    /// What came of both sides
    Show {
        #[command(flatten)]
        json: Json,
    },
    /// The candidate plays the role from now on
    Adopt {
        /// architect or implementer
        world: String,
    },
    /// The candidate does nothing any more
    End {
        /// architect or implementer
        world: String,
    },
}

/// For whom a plugin is to play its role.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct ForWhom {
    /// For one project alone
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// For one user alone: `local` (the command line), or the number of somebody in Telegram
    #[arg(long, value_name = "WHO")]
    user: Option<String>,
}

impl ForWhom {
    /// Nobody in particular: for all.
    pub(super) fn is_everybody(&self) -> bool {
        self.project.is_none() && self.user.is_none()
    }
}

pub(super) async fn trial(settings: Settings, command: TrialCommand) -> Result<Exit> {
    match command {
        TrialCommand::Begin { candidate, share } => {
            let (bytes, manifest) = (pin::read(&candidate.file)?, PluginManifest::read(&candidate.manifest)?);
            let (source, signature) = (candidate.file.display().to_string(), pin::signature_of(&candidate)?);
            let pinning = candidate.terms.pinning(&source, signature.as_deref());
            let digest = sha256(&bytes);
            let now = now_ms();
            pin::change(&settings, &manifest.name, Some(&digest), |pins| pins.try_out(&manifest, &bytes, pinning, share, now)).await?;
            println!("{} {digest} does {share} of 100 projects that begin from now on", manifest.name);
            Ok(Exit::Done)
        }
        TrialCommand::Show { json } => show(settings, json.json).await,
        TrialCommand::Adopt { world } => {
            let pins = Pins::read(&settings.data_dir)?;
            let candidate = pins.manifest.trials.get(&world).map(|trial| trial.plugin.clone()).unwrap_or_default();
            pin::change(&settings, &candidate, None, |pins| pins.end_trial(&world, true)).await?;
            println!("{candidate} plays the role {world} from now on");
            Ok(Exit::Done)
        }
        TrialCommand::End { world } => pin::edit(&settings, |pins| pins.end_trial(&world, false)),
    }
}

/// Has a plugin play its role for one project or one user.
pub(super) async fn play_for(settings: Settings, name: &str, whom: ForWhom) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let who = match (whom.project, whom.user) {
        (Some(project), _) => Who::Project(reader.store.project(&project).await?.id),
        (None, Some(user)) if user == LOCAL_WALLET => Who::User(user),
        (None, user) => {
            let user = user.unwrap_or_default();
            let number = user.parse().with_context(|| format!("`{user}` is neither `{LOCAL_WALLET}` nor a number"))?;
            let person = reader.store.known_person(number).await?;
            Who::User(person.with_context(|| format!("nobody with the number {number} ever wrote to the bot"))?.wallet)
        }
    };
    let directory = &reader.settings.data_dir;
    let _alone = guard(directory)?;
    let mut pins = Pins::read(directory)?;
    pins.play_for(name, who)?;
    pins.save()?;
    Ok(Exit::Done)
}

async fn show(settings: Settings, json: bool) -> Result<Exit> {
    let reader = Reader::open(settings).await?;
    let pins = Pins::read(&reader.settings.data_dir)?;
    let mut all = Vec::new();
    for (world, trial) in &pins.manifest.trials {
        let (candidate, other, others) = sides(&reader.store, &pins, world, trial).await?;
        if json {
            let chance = chance(&candidate, &other);
            all.push(serde_json::json!({
                "world": world, "trial": trial, "candidate": candidate, "other": other, "others": others, "chance": chance,
            }));
            continue;
        }
        let unit = if world == "architect" { "projects" } else { "tries" };
        println!("{world}: the candidate has {} of 100 projects", if trial.returned.is_some() { 0 } else { trial.share });
        println!(
            "{:<10} {:<20} {:<12} {:>8} {:>11} {:>5} {:>5} {:>10} {:>12}",
            "",
            "plugin",
            "version",
            "projects",
            format!("{unit} good"),
            "bad",
            "open",
            "credits",
            "a good one"
        );
        let rows = [("candidate", &candidate), ("plays", &other)].into_iter().chain(others.iter().map(|record| ("", record)));
        rows.for_each(|(side, record)| line(side, record));
        match &trial.returned {
            Some(why) => println!("It went back by itself: {why}."),
            None => println!(
                "If both were equally good, so much bad would fall to the candidate in {:.1} of 100 trials.",
                100.0 * chance(&candidate, &other)
            ),
        }
    }
    match (json, pins.manifest.trials.is_empty()) {
        (true, _) => print_json(&all)?,
        (false, true) => println!("There is no trial; `atelier plugin trial begin FILE --manifest plugin.toml --share 50` begins one."),
        (false, false) => {}
    }
    Ok(Exit::Done)
}

fn line(side: &str, record: &Record) {
    println!(
        "{side:<10} {:<20} {:<12} {:>8} {:>11} {:>5} {:>5} {:>10} {:>12}",
        record.plugin,
        record.sha256.get(..12).unwrap_or(&record.sha256),
        record.projects,
        record.good,
        record.bad,
        record.open,
        record.charged.to_string(),
        record.charged_per_good().map_or("-".to_owned(), |amount| amount.to_string()),
    );
}
