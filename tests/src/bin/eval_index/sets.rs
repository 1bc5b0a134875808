//! What is asked, and how an answer is judged.

use atelier_host::index::Hit;
use serde::Deserialize;
use std::path::Path;

/// Places of an answer that are looked at.
pub(crate) const LOOKED_AT: usize = 10;

/// Something that is looked for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Question {
    /// In words.
    pub(crate) query: String,
    /// `develop`, or `held-out`.
    pub(crate) split: String,
    /// Where it is.
    pub(crate) relevant: Vec<Place>,
}

/// A place that answers a question: a file, or a definition in it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Place {
    /// The file.
    pub(crate) path: String,
    /// The line of the name.
    pub(crate) line: Option<u32>,
    /// With decorators.
    pub(crate) first: Option<u32>,
    /// Inclusive.
    pub(crate) last: Option<u32>,
}

/// A name that ctags found.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tag {
    /// As written.
    pub(crate) name: String,
    /// The file.
    pub(crate) path: String,
    /// From 1.
    pub(crate) line: u32,
}

/// One JSON value a line.
pub(crate) fn lines<T: for<'a> Deserialize<'a>>(path: &Path) -> anyhow::Result<Vec<T>> {
    let text = std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("{}: {error}; sets.py makes it", path.display()))?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

impl Place {
    /// Whether a chunk is what was looked for: it holds the definition's line, or is a part of the definition.
    fn is(&self, hit: &Hit) -> bool {
        let holds = self.line.is_none_or(|line| (hit.first_line..=hit.last_line).contains(&line));
        let is_part = self.first.zip(self.last).is_some_and(|(first, last)| first <= hit.first_line && hit.last_line <= last);
        self.path == hit.path && (holds || is_part)
    }
}

/// NDCG@10 of an answer: 1 for what was looked for in the first place, less for later ones, 0 for none. Several chunks of a file count
/// once where files are looked for.
pub(crate) fn ndcg(question: &Question, hits: &[Hit]) -> f64 {
    let is_file = question.relevant.iter().all(|place| place.line.is_none());
    let mut ranked: Vec<&Hit> = Vec::new();
    for hit in hits {
        if !is_file || ranked.iter().all(|earlier| earlier.path != hit.path) {
            ranked.push(hit);
        }
    }
    let gain = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
    let mut left: Vec<&Place> = question.relevant.iter().collect();
    let mut found = 0.0;
    for (rank, hit) in ranked.iter().take(LOOKED_AT).enumerate() {
        if let Some(at) = left.iter().position(|place| place.is(hit)) {
            left.remove(at);
            found += gain(rank);
        }
    }
    let ideal: f64 = (0..question.relevant.len().min(LOOKED_AT)).map(gain).sum();
    found / ideal
}

/// The mean, and half of the width of its 95 % interval by resampling.
pub(crate) fn interval(values: &[f64]) -> (f64, f64) {
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>();
    let count = values.len().max(1);
    // A fixed sequence, so that the same results give the same interval.
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % count
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| mean(&mut (0..values.len()).map(|_| values[next()])) / count as f64).collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (RESAMPLES - 1) as f64) as usize];
    (mean(&mut values.iter().copied()) / count as f64, (at(0.975) - at(0.025)) / 2.0)
}

const RESAMPLES: usize = 1_000;
