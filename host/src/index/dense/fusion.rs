//! One ranking of two: each place counts by its rank in either (reciprocal rank fusion), the dense one by its weight.

use std::collections::BTreeMap;

/// How steeply a rank counts; small, for the first places are what is read.
const RANK_OFFSET: f64 = 5.0;

/// The digests of both rankings, best first; equal ones in the order of the first ranking.
pub fn fuse(words: &[String], dense: &[String], dense_weight: f64) -> Vec<(String, f64)> {
    let mut scores: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for (weight, ranking) in [(1.0, words), (dense_weight, dense)] {
        for (rank, digest) in ranking.iter().enumerate() {
            let score = scores.entry(digest).or_insert((0.0, rank));
            score.0 += weight / (RANK_OFFSET + rank as f64 + 1.0);
        }
    }
    let mut fused: Vec<(&str, (f64, usize))> = scores.into_iter().collect();
    fused.sort_by(|(one, (score, rank)), (other, (score2, rank2))| score2.total_cmp(score).then(rank.cmp(rank2)).then(one.cmp(other)));
    fused.into_iter().map(|(digest, (score, _))| (digest.to_owned(), score)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fused(words: &[&str], dense: &[&str], weight: f64) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        fuse(&owned(words), &owned(dense), weight).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_both_find_comes_first_and_without_weight_only_words_count() {
        assert_eq!(fused(&["a", "b", "c"], &["c", "d", "b"], 1.0)[..2], ["c", "b"]);
        assert_eq!(fused(&["a", "b", "c"], &["c", "b", "a"], 0.0), ["a", "b", "c"]);
        assert_eq!(fused(&[], &["x"], 1.0), ["x"]);
    }
}
