//! A map of a code base within a budget of tokens: definitions, ranked by who mentions them. A file that many others mention counts, and
//! so does what it mentions itself (PageRank); what is near the files at hand counts most.

use super::cache::{Cache, Named};
use super::{Freshness, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A map's size, in tokens.
pub const MAP_TOKENS_MAX: u32 = 8_000;
/// A name that so many files define says nothing about any of them.
const DEFINERS_MAX: usize = 8;
/// From so many letters on a name is likely to be nobody else's.
const TELLING_LETTERS: usize = 6;
/// How much of a file's rank goes to what it mentions; the rest goes back to where readers begin.
const DAMPING: f64 = 0.85;
/// Rounds; by then the ranks hardly move.
const ROUNDS: usize = 20;

/// The map of an index.
pub async fn map(cache: &Cache, near: &[String], budget_tokens: u32) -> Result<(Freshness, String)> {
    let definitions = cache.all_definitions().await?;
    let mentions = cache.all_mentions().await?;
    Ok((cache.fresh().await?, draw(&definitions, &mentions, near, budget_tokens)))
}

/// Chooses definitions and lists them by file.
pub fn draw(definitions: &[Named], mentions: &[(String, String)], near: &[String], budget_tokens: u32) -> String {
    let scores = rank(definitions, mentions, near);
    let mut ranked: Vec<(usize, &Named)> = definitions.iter().enumerate().collect();
    ranked.sort_by(|(one, first), (other, second)| {
        let far = |definition: &Named| !near.contains(&definition.path);
        let order = far(first).cmp(&far(second)).then(scores[*other].total_cmp(&scores[*one]));
        order.then_with(|| (&first.path, first.line).cmp(&(&second.path, second.line)))
    });
    let mut chosen: Vec<&Named> = Vec::new();
    let mut files = BTreeSet::new();
    let mut tokens = 0;
    for (_, definition) in ranked {
        let Named { path, name, kind, line } = definition;
        let new_file = files.insert(path);
        tokens += crate::ledger::estimate_tokens(&format!("  {line}: {kind} {name}\n"))
            + u64::from(new_file) * crate::ledger::estimate_tokens(&format!("{path}\n"));
        if tokens > u64::from(budget_tokens.min(MAP_TOKENS_MAX)) {
            break;
        }
        chosen.push(definition);
    }
    chosen.sort_by_key(|definition| (&definition.path, definition.line));
    let mut text = String::new();
    let mut file = "";
    for Named { path, name, kind, line } in chosen {
        if path != file {
            text.push_str(&format!("{path}\n"));
            file = path;
        }
        text.push_str(&format!("  {line}: {kind} {name}\n"));
    }
    text
}

/// What each definition counts.
fn rank(definitions: &[Named], mentions: &[(String, String)], near: &[String]) -> Vec<f64> {
    let mut files: BTreeMap<&str, usize> = BTreeMap::new();
    for path in definitions.iter().map(|definition| definition.path.as_str()).chain(mentions.iter().map(|(path, _)| path.as_str())) {
        files.insert(path, 0);
    }
    files.values_mut().enumerate().for_each(|(number, file)| *file = number);
    let mut definers: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for definition in definitions {
        definers.entry(&definition.name).or_default().insert(files[definition.path.as_str()]);
    }
    // What is called so in a file may be any of what it defines under the name; the weightiest of them speaks for all.
    let mut weights: BTreeMap<(usize, &str), f64> = BTreeMap::new();
    for definition in definitions {
        let weight = weights.entry((files[definition.path.as_str()], definition.name.as_str())).or_default();
        *weight = weight.max(says(definition));
    }
    // From a file by a name to the files that define it.
    let mut edges: Vec<(usize, &str, usize, f64)> = Vec::new();
    for (path, names) in mentions {
        let from = files[path.as_str()];
        for name in names.split(' ') {
            let Some(defined) = definers.get(name).filter(|defined| defined.len() <= DEFINERS_MAX) else { continue };
            let weight = |to: usize| weights.get(&(to, name)).copied().unwrap_or_default() / defined.len() as f64;
            edges.extend(defined.iter().filter(|to| **to != from).map(|to| (from, name, *to, weight(*to))));
        }
    }
    let mut leaving = vec![0.0; files.len()];
    edges.iter().for_each(|(from, _, _, weight)| leaving[*from] += weight);
    let mut home: Vec<f64> = files.keys().map(|path| f64::from(u8::from(near.iter().any(|near| near == path)))).collect();
    let begin: f64 = home.iter().sum();
    home.iter_mut().for_each(|share| *share = if begin > 0.0 { *share / begin } else { 1.0 / files.len() as f64 });
    let mut ranks = home.clone();
    for _ in 0..ROUNDS {
        let mut next: Vec<f64> = vec![0.0; ranks.len()];
        let idle: f64 = ranks.iter().zip(&leaving).filter(|(_, leaving)| **leaving == 0.0).map(|(rank, _)| rank).sum();
        for (from, _, to, weight) in &edges {
            next[*to] += DAMPING * ranks[*from] * weight / leaving[*from];
        }
        for (next, home) in next.iter_mut().zip(&home) {
            *next += (1.0 - DAMPING + DAMPING * idle) * home;
        }
        ranks = next;
    }
    let mut by_name: BTreeMap<(usize, &str), f64> = BTreeMap::new();
    for (from, name, to, weight) in &edges {
        *by_name.entry((*to, name)).or_default() += ranks[*from] * weight / leaving[*from];
    }
    definitions
        .iter()
        .map(|definition| {
            by_name.get(&(files[definition.path.as_str()], definition.name.as_str())).map_or(0.0, |rank| rank * says(definition))
        })
        .collect()
}

/// How much a mention of a name says about this definition of it. Variables, methods and short names are called like anything else.
fn says(definition: &Named) -> f64 {
    let kind = match definition.kind.as_str() {
        "variable" | "constant" | "field" | "property" | "key" | "variant" => 0.1,
        "method" => 0.3,
        _ => 1.0,
    };
    let is_short = definition.name.len() < TELLING_LETTERS;
    if is_short { kind * 0.1 } else { kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(path: &str, name: &str, line: u32) -> Named {
        Named { path: path.into(), name: name.into(), kind: "function".into(), line }
    }

    fn mentions(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(path, names)| ((*path).to_owned(), (*names).to_owned())).collect()
    }

    #[test]
    fn a_map_keeps_its_budget_and_puts_near_files_first() {
        let all = [named("far.py", "popular", 1), named("near.py", "local", 1)];
        let mentioned = mentions(&[("a.py", "popular"), ("b.py", "popular")]);
        assert_eq!(draw(&all, &mentioned, &["near.py".into()], 10), "near.py\n  1: function local\n");
        assert!(draw(&all, &mentioned, &[], 1000).contains("popular"));
        assert_eq!(draw(&all, &mentioned, &[], 0), "");
    }

    #[test]
    fn what_important_files_mention_is_important() {
        let all = [named("core.py", "innermost", 1), named("hub.py", "central", 1), named("leaf.py", "outlying", 1)];
        let mentioned = mentions(&[("a.py", "central"), ("b.py", "central"), ("c.py", "central outlying"), ("hub.py", "innermost")]);
        let ranks = rank(&all, &mentioned, &[]);
        assert!(ranks[1] > ranks[2] && ranks[0] > ranks[2], "{ranks:?}");
    }

    #[test]
    fn what_the_files_at_hand_mention_comes_before_what_is_popular() {
        let all = [named("popular.py", "popular", 1), named("helper.py", "helper", 1)];
        let mentioned = mentions(&[("a.py", "popular"), ("b.py", "popular"), ("c.py", "popular"), ("task.py", "helper")]);
        let ranks = rank(&all, &mentioned, &["task.py".into()]);
        assert!(ranks[1] > ranks[0], "{ranks:?}");
    }

    #[test]
    fn a_name_that_everybody_defines_says_nothing() {
        let all: Vec<Named> = (0..20).map(|number| named(&format!("f{number:02}.py"), "main", 1)).collect();
        assert!(rank(&all, &mentions(&[("a.py", "main")]), &[]).iter().all(|rank| *rank == 0.0));
    }
}
