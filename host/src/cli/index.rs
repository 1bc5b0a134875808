//! `atelier index`: what a folder's code says. The index is brought up to the folder before each answer, and every answer says how fresh it is.

use super::{Exit, print_json};
use crate::index::cache::Cache;
use crate::index::grep::grep;
use crate::index::map::{MAP_TOKENS_MAX, map};
use crate::index::pool::Pool;
use crate::index::source::Folder;
use crate::index::update::{Updated, update};
use crate::index::{Answer, Freshness, HITS_MAX};
use crate::plugins::indexing::Indexer;
use crate::plugins::limits::INDEXER_RUNS_MAX;
use crate::plugins::registry::Registry;
use crate::settings::Settings;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Letters of a line that are shown.
const SHOWN_CHARS_MAX: usize = 160;
/// Lines of a chunk that are shown.
const SHOWN_LINES_MAX: usize = 8;

#[derive(Debug, Subcommand)]
pub(super) enum IndexCommand {
    /// Bring the index up to the folder
    Build(Where),
    /// Find the places that some words are about
    Search {
        /// The words
        query: String,
        /// How many places
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=i64::from(HITS_MAX)))]
        limit: u32,
        #[command(flatten)]
        place: Where,
    },
    /// Where a name is defined, and where it is mentioned
    Symbol {
        /// As it is written in the code
        name: String,
        #[command(flatten)]
        place: Where,
    },
    /// Lines that match a regular expression
    Grep {
        /// The expression
        pattern: String,
        /// How many lines
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        place: Where,
    },
    /// The definitions that matter most, within a budget
    Map {
        /// The size of the map, in tokens of a model
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAP_TOKENS_MAX)))]
        tokens: u32,
        /// A file that the map is drawn around, relative to the folder; may be given again
        #[arg(long)]
        near: Vec<String>,
        #[command(flatten)]
        place: Where,
    },
    /// What one file defines
    Outline {
        /// The file, relative to the folder
        file: String,
        #[command(flatten)]
        place: Where,
    },
    /// What the index holds, what does not parse, and what was left out
    Status {
        /// Name everything that was left out, with the reason
        #[arg(long)]
        left_out: bool,
        #[command(flatten)]
        place: Where,
    },
}

#[derive(Debug, Args)]
pub(super) struct Where {
    /// The folder
    #[arg(long = "in", value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Answer from the index as it is, without looking at the folder
    #[arg(long)]
    as_it_is: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A folder's index, up to date.
struct Open {
    cache: Cache,
    updated: Updated,
}

async fn open(settings: &Settings, place: &Where) -> Result<Open> {
    let folder = Folder::open(&place.folder)?;
    let registry = Registry::open(&settings.data_dir)?;
    let plugin = registry.for_world("indexer").context("the index needs the indexer plugin; `make plugins` builds and pins it")?;
    let indexer = Arc::new(Indexer::new(plugin, Arc::new(Semaphore::new(INDEXER_RUNS_MAX))));
    let cache = Pool::new(&settings.data_dir).of_folder(folder.root(), indexer.digest()).await?;
    let updated = match place.as_it_is {
        true => Updated { fresh: cache.fresh().await?, ..Updated::default() },
        false => update(&cache, &folder, &indexer, None).await?,
    };
    Ok(Open { cache, updated })
}

pub(super) async fn index(settings: Settings, command: IndexCommand) -> Result<Exit> {
    match command {
        IndexCommand::Build(place) => {
            let started = std::time::Instant::now();
            let Updated { read, bytes, gone, unchanged, fresh } = open(&settings, &place).await?.updated;
            if place.json {
                print_json(&json!({ "read": read, "bytes": bytes, "gone": gone, "unchanged": unchanged, "fresh": fresh }))?;
                return Ok(Exit::Done);
            }
            println!("{read} files read ({bytes} bytes), {unchanged} unchanged, {gone} gone, in {:.1} s", started.elapsed().as_secs_f64());
            say(&fresh);
        }
        IndexCommand::Search { query, limit, place } => {
            let open = open(&settings, &place).await?;
            let found = open.cache.search(&query, limit).await?;
            show(&place, Answer { fresh: open.updated.fresh, hits: found.into_iter().map(|found| found.hit).collect() }, SHOWN_LINES_MAX)?;
        }
        IndexCommand::Symbol { name, place } => {
            let open = open(&settings, &place).await?;
            let (defined, mentioned) = (open.cache.definitions(&name, HITS_MAX).await?, open.cache.references(&name, HITS_MAX).await?);
            if place.json {
                print_json(&json!({ "defined": defined, "mentioned": mentioned }))?;
                return Ok(Exit::Done);
            }
            for hit in &defined.hits {
                println!("{}:{}: defines {}", hit.path, hit.first_line, hit.name);
            }
            for hit in &mentioned.hits {
                println!(
                    "{}:{}: mentioned in {}",
                    hit.path,
                    hit.first_line,
                    if hit.name.is_empty() { "the file itself" } else { &hit.name }
                );
            }
            say(&defined.fresh);
        }
        IndexCommand::Grep { pattern, limit, place } => {
            let open = open(&settings, &place).await?;
            show(&place, grep(&open.cache, &pattern, limit).await?, 1)?;
        }
        IndexCommand::Map { tokens, near, place } => {
            let open = open(&settings, &place).await?;
            let (fresh, text) = map(&open.cache, &near, tokens).await?;
            match place.json {
                true => print_json(&json!({ "map": text, "fresh": fresh }))?,
                false => print!("{text}"),
            }
        }
        IndexCommand::Outline { file, place } => {
            let open = open(&settings, &place).await?;
            let answer = open.cache.outline(&file, u32::MAX).await?;
            if place.json {
                print_json(&answer)?;
                return Ok(Exit::Done);
            }
            for hit in &answer.hits {
                println!("{:>6}  {:<10} {}", hit.first_line, hit.text, hit.name);
            }
            say(&answer.fresh);
        }
        IndexCommand::Status { left_out, place } => status(&settings, left_out, &place).await?,
    }
    Ok(Exit::Done)
}

async fn status(settings: &Settings, left_out: bool, place: &Where) -> Result<()> {
    let open = open(settings, place).await?;
    let status = open.cache.status().await?;
    let left = open.cache.left_out().await?;
    let errors = open.cache.parse_errors(HITS_MAX).await?;
    if place.json {
        return print_json(&json!({ "status": status, "left_out": left, "parse_errors": errors, "fresh": open.updated.fresh }));
    }
    for (state, count) in &status.files {
        println!("{count:>8} files {state}");
    }
    println!("{:>8} bytes, {} chunks, {} definitions", status.bytes, status.chunks, status.definitions);
    println!("{:>8} files do not parse", status.files_with_errors);
    for (path, line, message) in &errors {
        println!("  {path}:{line}: {message}");
    }
    if left_out {
        for left in &left {
            println!("  {}: {}", left.path, left.why);
        }
    }
    say(&open.updated.fresh);
    println!("index: {}", open.cache.path().display());
    Ok(())
}

/// Hits with the beginnings of their texts.
fn show(place: &Where, answer: Answer, lines: usize) -> Result<()> {
    if place.json {
        return print_json(&answer);
    }
    for hit in &answer.hits {
        match lines {
            1 => println!("{}:{}: {}", hit.path, hit.first_line, cut(&hit.text)),
            _ => {
                println!("{}:{}-{} {} ({:.1})", hit.path, hit.first_line, hit.last_line, hit.name, hit.score);
                hit.text.lines().take(lines).for_each(|line| println!("    {}", cut(line)));
            }
        }
    }
    say(&answer.fresh);
    Ok(())
}

fn cut(line: &str) -> String {
    line.chars().take(SHOWN_CHARS_MAX).collect()
}

fn say(fresh: &Freshness) {
    let tree: String = fresh.tree.chars().take(12).collect();
    eprintln!("generation {}, tree {tree}, {} files pending", fresh.generation, fresh.pending_files);
}
