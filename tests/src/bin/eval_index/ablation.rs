//! What an implementer is fed with and without the index: how many tokens a task takes, and whether the file that matters is among them. The
//! tasks are the questions for files; no model is asked, so this says what it could see, not what it would make of it.

use crate::sets::{LOOKED_AT, Question};
use atelier_host::index::cache::Cache;
use atelier_host::index::map::{MAP_TOKENS_MAX, map};
use atelier_host::index::source::{Content, Folder, Source};
use atelier_host::ledger::estimate_tokens;
use std::collections::BTreeSet;
use std::path::Path;

/// What a prompt has room for, in tokens of sources: as many as the shipped implementer shows.
const ROOM_TOKENS: u64 = 20_000;
/// The map that it is shown.
const MAP_TOKENS: u32 = 1_000;

/// One way of choosing what to show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fed {
    /// Mean tokens of a task.
    pub(crate) tokens: f64,
    /// The share of tasks whose file was shown, in whole or in part.
    pub(crate) covered: f64,
    /// The share of tasks whose file was at least named.
    pub(crate) named: f64,
}

/// What each way shows: name and figures.
pub(crate) async fn ablation(tree: &Path, cache: &Cache, questions: &[Question]) -> anyhow::Result<Vec<(&'static str, Fed)>> {
    let folder = Folder::open(tree)?;
    let mut whole: Vec<(String, u64)> = Vec::new();
    for entry in folder.list()?.files {
        if let Content::Bytes(bytes) = folder.read(&entry.path) {
            whole.push((entry.path, estimate_tokens(&String::from_utf8_lossy(&bytes))));
        }
    }
    // Without an index: files in the order of their names, as many as fit.
    let mut first = BTreeSet::new();
    let mut room = 0;
    for (path, tokens) in whole.iter().take_while(|(_, tokens)| {
        room += tokens;
        room <= ROOM_TOKENS
    }) {
        first.insert((path.as_str(), *tokens));
    }
    let (_, drawn) = map(cache, &[], MAP_TOKENS.min(MAP_TOKENS_MAX)).await?;
    let map_names: BTreeSet<&str> = drawn.lines().filter(|line| !line.starts_with(' ')).collect();
    let map_tokens = estimate_tokens(&drawn) as f64;
    let (mut nothing, mut only_map, mut search, mut both) = (Fed::default(), Fed::default(), Fed::default(), Fed::default());
    for question in questions {
        let wanted: BTreeSet<&str> = question.relevant.iter().map(|place| place.path.as_str()).collect();
        let hit = |named: bool| f64::from(u8::from(named));
        let found = cache.search(&question.query, LOOKED_AT as u32).await?;
        let shown = found.iter().any(|found| wanted.contains(found.hit.path.as_str()));
        let tokens: u64 = found.iter().map(|found| estimate_tokens(&found.hit.text)).sum();
        let in_first = first.iter().any(|(path, _)| wanted.contains(path));
        let in_map = wanted.iter().any(|path| map_names.contains(path));
        nothing = add(nothing, first.iter().map(|(_, tokens)| *tokens as f64).sum(), hit(in_first), hit(in_first));
        only_map = add(only_map, map_tokens, 0.0, hit(in_map));
        search = add(search, tokens as f64, hit(shown), hit(shown));
        both = add(both, tokens as f64 + map_tokens, hit(shown), hit(shown || in_map));
    }
    let mean = |fed: Fed| {
        let count = questions.len().max(1) as f64;
        Fed { tokens: fed.tokens / count, covered: fed.covered / count, named: fed.named / count }
    };
    Ok(vec![("files in order", mean(nothing)), ("map", mean(only_map)), ("search", mean(search)), ("map and search", mean(both))])
}

fn add(fed: Fed, tokens: f64, covered: f64, named: f64) -> Fed {
    Fed { tokens: fed.tokens + tokens, covered: fed.covered + covered, named: fed.named + named }
}
