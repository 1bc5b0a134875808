//! `atelier index`: what a folder's code says. The index is brought up to the folder before each answer, and every answer says how fresh it is.

use super::{Exit, print_json};
use crate::index::cache::Cache;
use crate::index::dense::DenseError;
use crate::index::dense::doctor::{QUESTIONS_MAX, Weighed, diagnose};
use crate::index::dense::search::{Dense, Embeddings, search};
use crate::index::grep::grep;
use crate::index::map::{MAP_TOKENS_MAX, map};
use crate::index::pool::Pool;
use crate::index::source::Folder;
use crate::index::update::{Updated, update};
use crate::index::{Answer, Freshness, HITS_MAX, IndexError};
use crate::plugins::indexing::Indexer;
use crate::plugins::limits::INDEXER_RUNS_MAX;
use crate::plugins::registry::Registry;
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
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
    Build {
        /// Make a vector of every chunk as well, where an embedder is configured
        #[arg(long)]
        vectors: bool,
        #[command(flatten)]
        place: Where,
    },
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
    /// How good search is on this code, asked with the code's own comments; and whether the embedder is worth its time
    Doctor(Where),
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
    pool: Pool,
    folder: Folder,
}

impl Open {
    async fn dense(&self) -> Result<Option<Dense>> {
        Ok(self.pool.dense_of_folder(self.folder.root(), &self.cache).await?)
    }
}

async fn open(settings: &Settings, place: &Where) -> Result<Open> {
    let folder = Folder::open(&place.folder)?;
    let registry = Registry::open(&settings.data_dir)?;
    let plugin = registry.for_world("indexer").context("the index needs the indexer plugin; `make plugins` builds and pins it")?;
    let indexer = Arc::new(Indexer::new(plugin, Arc::new(Semaphore::new(INDEXER_RUNS_MAX))));
    let pool = Pool::of_settings(settings)?;
    let cache = pool.of_folder(folder.root(), indexer.digest()).await?;
    let updated = match place.as_it_is {
        true => Updated { fresh: cache.fresh().await?, ..Updated::default() },
        false => update(&cache, &folder, &indexer, None).await?,
    };
    Ok(Open { cache, updated, pool, folder })
}

pub(super) async fn index(settings: Settings, command: IndexCommand) -> Result<Exit> {
    match command {
        IndexCommand::Build { vectors, place } => {
            let started = std::time::Instant::now();
            let open = open(&settings, &place).await?;
            let embeddings = match (vectors, open.dense().await?) {
                (false, _) => None,
                (true, Some(dense)) => Some(dense.build(&open.cache).await?),
                (true, None) => bail!("no embedder is configured; set ATELIER_EMBEDDER, or leave --vectors out"),
            };
            let Updated { read, bytes, gone, unchanged, fresh } = open.updated;
            if place.json {
                let files = json!({ "read": read, "bytes": bytes, "gone": gone, "unchanged": unchanged });
                print_json(&json!({ "files": files, "vectors": embeddings, "fresh": fresh }))?;
                return Ok(Exit::Done);
            }
            if let Some(Embeddings { made, kept, forgotten }) = embeddings {
                println!("{made} vectors made, {kept} kept, {forgotten} forgotten");
            }
            println!("{read} files read ({bytes} bytes), {unchanged} unchanged, {gone} gone, in {:.1} s", started.elapsed().as_secs_f64());
            say(&fresh);
        }
        IndexCommand::Search { query, limit, place } => {
            let open = open(&settings, &place).await?;
            let (answer, without_vectors) = search(&open.cache, open.dense().await?.as_ref(), &query, limit).await?;
            if let Some(why) = without_vectors {
                eprintln!("{why}");
            }
            show(&place, answer, SHOWN_LINES_MAX)?;
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
        IndexCommand::Doctor(place) => doctor(&settings, &place).await?,
        IndexCommand::Status { left_out, place } => status(&settings, left_out, &place).await?,
    }
    Ok(Exit::Done)
}

async fn doctor(settings: &Settings, place: &Where) -> Result<()> {
    let open = open(settings, place).await?;
    let scratch = open.cache.path().with_extension("doctor");
    let dense = async |bare: &Cache| -> std::result::Result<Dense, IndexError> {
        let dense = open.pool.embedded(bare).await?;
        dense.ok_or_else(|| DenseError::Embedder("none is configured".to_owned()).into())
    };
    let has_embedder = open.dense().await?;
    let diagnosis = diagnose(&open.cache, &scratch, has_embedder.is_some().then_some(dense)).await?;
    if let (Some(weight), Some(dense)) = (diagnosis.weight, &has_embedder) {
        open.cache.set_dense_weight(dense.fingerprint(), weight).await?;
    }
    if place.json {
        return print_json(&diagnosis);
    }
    println!(
        "{} definitions have a sentence about them; each was asked for by it, in an index without such sentences",
        diagnosis.questions
    );
    println!("words alone            NDCG@10 {:.3}", diagnosis.words);
    for Weighed { weight, ndcg } in &diagnosis.fused {
        println!("vectors weigh {weight:>4.2}     NDCG@10 {ndcg:.3} (of {QUESTIONS_MAX} questions at most)");
    }
    match diagnosis.weight {
        Some(0.0) => println!("The embedder is a net loss on this code: words alone answer from now on."),
        Some(weight) => println!("From now on vectors weigh {weight:.2} beside words."),
        None => println!("No embedder is configured (ATELIER_EMBEDDER): words alone answer."),
    }
    Ok(())
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
