//! Brings an index up to a tree: only files whose content changed are read again, what is gone is found by comparing the listing with
//! what is known, and a process that dies on the way loses no more than the files under way.

use super::cache::{Cache, Known, Read, Row};
use super::source::{Content, Entry, Source};
use super::{Chunk, FileIndex, Freshness, IndexError, Result};
use crate::workspace::import::{Why, holds_secret};
use crate::workspace::sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// Files that are written in one transaction, and their bytes: what a crash may lose, and what is in memory at one time.
const BATCH_FILES_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Files that are read by the indexer at one time; it computes.
const READERS_MAX: usize = 2;
/// A file that was changed so shortly before it was read may be changed again without a new time.
const TIME_SAYS_NOTHING: Duration = Duration::from_secs(2);
/// A file of lines as long as this, on average, was written by a program for a program.
const MINIFIED_LINE_BYTES: usize = 500;
/// Lines of a chunk of a file that its indexer could not read.
const PLAIN_CHUNK_LINES: usize = 60;
/// Letters of such a chunk.
const PLAIN_CHUNK_CHARS_MAX: usize = 6_000;

/// What cuts files: the indexer plugin, or something simpler in a test.
pub trait Chunker: Send + Sync + 'static {
    /// Reads one file; or why it could not.
    fn index_file(&self, path: &str, text: &str) -> impl Future<Output = std::result::Result<FileIndex, String>> + Send;
}

/// What an update did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Updated {
    /// Files that were read.
    pub read: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are gone.
    pub gone: u64,
    /// Files that were as before.
    pub unchanged: u64,
    /// How fresh the index is now.
    pub fresh: Freshness,
}

/// Brings the index up to the source; `generation` is that of the state, where states are counted elsewhere.
pub async fn update<C: Chunker>(cache: &Cache, source: &impl Source, chunker: &Arc<C>, generation: Option<u64>) -> Result<Updated> {
    let now = nanoseconds(SystemTime::now());
    let listing = source.list()?;
    let known = cache.manifest().await?;
    let mut rows = left_out(&listing.left_out, &known);
    let mut updated = Updated::default();
    let mut there: BTreeSet<&str> = listing.left_out.iter().map(|(path, _)| path.as_str()).collect();
    let mut wanted: Vec<&Entry> = Vec::new();
    for entry in &listing.files {
        there.insert(&entry.path);
        match known.get(&entry.path) {
            Some(known) if is_unchanged(entry, known) => updated.unchanged += 1,
            _ => wanted.push(entry),
        }
    }
    let mut gone: Vec<String> = known.keys().filter(|path| !there.contains(path.as_str())).cloned().collect();
    updated.gone = gone.len() as u64;
    let before = cache.fresh().await?;
    if wanted.is_empty()
        && gone.is_empty()
        && rows.is_empty()
        && !before.tree.is_empty()
        && generation.is_none_or(|g| g == before.generation)
    {
        return Ok(Updated { fresh: before, ..updated });
    }
    cache.begin_update(wanted.len() + gone.len() + rows.len()).await?;
    while !rows.is_empty() || !gone.is_empty() {
        let some = rows.split_off(rows.len().saturating_sub(BATCH_FILES_MAX));
        let away = gone.split_off(gone.len().saturating_sub(BATCH_FILES_MAX));
        cache.apply(some, away).await?;
    }
    let mut wanted = wanted.into_iter().peekable();
    let mut writing: Option<tokio::task::JoinHandle<Result<()>>> = None;
    while wanted.peek().is_some() {
        let mut batch: Vec<(Entry, Reading)> = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES_MAX && batch.len() < BATCH_FILES_MAX {
            let Some(entry) = wanted.next() else { break };
            let reading = look(source, entry, known.get(&entry.path));
            if let Reading::Text(_, text) = &reading {
                bytes += text.len();
                updated.read += 1;
            }
            batch.push((entry.clone(), reading));
        }
        updated.bytes += bytes as u64;
        let (rows, gone) = read(batch, chunker, now).await?;
        // The next files are read while these are written.
        if let Some(writing) = writing.take() {
            writing.await.map_err(|_| IndexError::Interrupted)??;
        }
        let cache = cache.clone();
        writing = Some(tokio::spawn(async move { cache.apply(rows, gone).await }));
    }
    if let Some(writing) = writing {
        writing.await.map_err(|_| IndexError::Interrupted)??;
    }
    let tree = tree(&cache.manifest().await?);
    let generation = generation.or((tree == before.tree).then_some(before.generation));
    cache.end_update(&tree, generation).await?;
    Ok(Updated { fresh: cache.fresh().await?, ..updated })
}

/// The digest of what was read: every file and its content.
fn tree(manifest: &BTreeMap<String, Known>) -> String {
    let listing: Vec<String> =
        manifest.iter().filter(|(_, known)| is_in(known)).map(|(path, known)| format!("{} {path}\n", known.digest)).collect();
    sha256(listing.concat().as_bytes())
}

fn is_in(known: &Known) -> bool {
    matches!(known.state.as_str(), "parsed" | "lines")
}

fn is_unchanged(entry: &Entry, known: &Known) -> bool {
    match &entry.digest {
        Some(digest) => known.digest == *digest,
        None => known.size == entry.size && entry.modified_ns.is_some() && known.modified_ns == entry.modified_ns,
    }
}

/// What is left out now, as far as that is new.
fn left_out(listed: &[(String, Why)], known: &BTreeMap<String, Known>) -> Vec<Row> {
    listed
        .iter()
        .filter(|(path, why)| known.get(path).is_none_or(|known| known.state != why.as_str()))
        .map(|(path, why)| Row { path: path.clone(), size: 0, modified_ns: None, digest: String::new(), read: Read::LeftOut(*why) })
        .collect()
}

/// A file, before the indexer has it.
enum Reading {
    /// To be cut; with the digest of its content.
    Text(String, String),
    /// As it was.
    AsBefore(String),
    /// Nothing of it is taken.
    LeftOut(String, Why),
    /// It is not there any more.
    Gone,
}

fn look(source: &impl Source, entry: &Entry, known: Option<&Known>) -> Reading {
    let bytes = match source.read(&entry.path) {
        Content::Bytes(bytes) => bytes,
        Content::LeftOut(why) => return Reading::LeftOut(String::new(), why),
        Content::Gone => return Reading::Gone,
    };
    let digest = sha256(&bytes);
    if known.is_some_and(|known| known.digest == digest) {
        return Reading::AsBefore(digest);
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => Reading::LeftOut(digest, Why::Binary),
        Ok(text) if text.len() > MINIFIED_LINE_BYTES * (text.lines().count() + 20) => Reading::LeftOut(digest, Why::Minified),
        Ok(text) if holds_secret(&text) => Reading::LeftOut(digest, Why::Secret),
        Ok(text) => Reading::Text(digest, text),
        Err(_) => Reading::LeftOut(digest, Why::Binary),
    }
}

/// Has the indexer cut the texts, some at a time. What breaks it is cut by its lines.
async fn read<C: Chunker>(batch: Vec<(Entry, Reading)>, chunker: &Arc<C>, now: i64) -> Result<(Vec<Row>, Vec<String>)> {
    let (mut rows, mut gone) = (Vec::new(), Vec::new());
    let mut tasks: JoinSet<Row> = JoinSet::new();
    for (entry, reading) in batch {
        let settled = now.saturating_sub(i64::try_from(TIME_SAYS_NOTHING.as_nanos()).unwrap_or(i64::MAX));
        let modified_ns = entry.modified_ns.filter(|modified| *modified < settled);
        let row = |digest, read| Row { path: entry.path.clone(), size: entry.size, modified_ns, digest, read };
        match reading {
            Reading::Gone => gone.push(entry.path),
            Reading::AsBefore(digest) => rows.push(row(digest, Read::AsBefore)),
            Reading::LeftOut(digest, why) => rows.push(row(digest, Read::LeftOut(why))),
            Reading::Text(digest, text) => {
                if tasks.len() >= READERS_MAX
                    && let Some(row) = tasks.join_next().await
                {
                    rows.push(row.map_err(|_| IndexError::Interrupted)?);
                }
                let chunker = chunker.clone();
                let row = row(digest, Read::AsBefore);
                tasks.spawn(async move {
                    let read = match chunker.index_file(&row.path, &text).await {
                        Ok(index) => Read::Parsed(index),
                        Err(why) => Read::Lines(by_lines(&text), why),
                    };
                    Row { read, ..row }
                });
            }
        }
    }
    while let Some(row) = tasks.join_next().await {
        rows.push(row.map_err(|_| IndexError::Interrupted)?);
    }
    // Files end in the order of their sizes; ids of chunks do not depend on that.
    rows.sort_by(|one, other| one.path.cmp(&other.path));
    Ok((rows, gone))
}

/// A file without names: so many lines a chunk.
fn by_lines(text: &str) -> FileIndex {
    let lines: Vec<&str> = text.lines().collect();
    let chunks = lines.chunks(PLAIN_CHUNK_LINES).enumerate().map(|(number, lines)| {
        let before = number * PLAIN_CHUNK_LINES;
        let line = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
        Chunk {
            name: String::new(),
            kind: "text".to_owned(),
            first_line: line(before + 1),
            last_line: line(before + lines.len()),
            text: lines.join("\n").chars().take(PLAIN_CHUNK_CHARS_MAX).collect(),
        }
    });
    FileIndex { chunks: chunks.collect(), ..FileIndex::default() }
}

fn nanoseconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|time| i64::try_from(time.as_nanos()).ok()).unwrap_or(0)
}
