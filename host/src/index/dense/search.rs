//! Search by words and meaning. Words choose the candidates; what of them has no vector yet gets one, so that nobody waits for a whole code
//! base to be embedded. Where all of it was, the nearest vectors are candidates as well.

use super::super::cache::{Cache, Found};
use super::super::{Answer, IndexError};
use super::embedded::likeness;
use super::fusion::fuse;
use super::{BATCH, DenseError, Embedder, Point, Result, Vectors, normalised, text_of};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Chunks that words find and vectors put in order.
pub const CANDIDATES: u32 = 50;
/// What vectors count beside words where nobody has measured it.
pub const USUAL_WEIGHT: f64 = 1.0;

/// What makes and keeps the vectors of one index.
#[derive(Clone)]
pub struct Dense {
    embedder: Arc<dyn Embedder>,
    vectors: Arc<dyn Vectors>,
    /// What they count beside words; nothing at zero.
    weight: f64,
}

/// What a build of vectors did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Embeddings {
    /// Chunks that got a vector now.
    pub made: u64,
    /// Those that had one.
    pub kept: u64,
    /// Vectors whose chunk is gone.
    pub forgotten: u64,
}

impl Dense {
    /// With what the embedder was found to be worth on this index.
    pub async fn new(cache: &Cache, embedder: Arc<dyn Embedder>, vectors: Arc<dyn Vectors>) -> std::result::Result<Dense, IndexError> {
        let weight = cache.dense_weight(embedder.fingerprint()).await?.unwrap_or(USUAL_WEIGHT);
        Ok(Dense { embedder, vectors, weight })
    }

    /// The same with another weight.
    pub fn weighing(self, weight: f64) -> Dense {
        Dense { weight, ..self }
    }

    /// Which embedder it is.
    pub fn fingerprint(&self) -> &str {
        self.embedder.fingerprint()
    }

    /// Whether vectors count at all.
    pub fn counts(&self) -> bool {
        self.weight > 0.0
    }

    /// Gives every chunk of the index a vector and forgets those of chunks that are gone. What was done before it failed stays done.
    pub async fn build(&self, cache: &Cache) -> Result<Embeddings> {
        let mut done = Embeddings::default();
        let known: BTreeSet<String> = self.vectors.digests().await?.into_iter().collect();
        let mut wanted = BTreeSet::new();
        let (mut path, mut line) = (String::new(), 0);
        loop {
            let page = cache.chunks_after(&path, line, BATCH as u32).await.map_err(|error| DenseError::Store(error.to_string()))?;
            let Some(last) = page.last() else { break };
            (path, line) = (last.hit.path.clone(), last.hit.first_line);
            let new: Vec<&Found> =
                page.iter().filter(|found| wanted.insert(found.digest.clone()) && !known.contains(&found.digest)).collect();
            done.made += new.len() as u64;
            self.embed(&new).await?;
        }
        let gone: Vec<String> = known.difference(&wanted).cloned().collect();
        self.vectors.forget(&gone).await?;
        self.vectors.publish().await?;
        cache.set_complete(self.embedder.fingerprint()).await.map_err(|error| DenseError::Store(error.to_string()))?;
        done.forgotten = gone.len() as u64;
        done.kept = wanted.len() as u64 - done.made;
        Ok(done)
    }

    /// Makes and keeps the vectors of these chunks.
    async fn embed(&self, chunks: &[&Found]) -> Result<HashMap<String, Vec<f32>>> {
        let mut made = HashMap::new();
        for some in chunks.chunks(BATCH) {
            let texts: Vec<String> = some.iter().map(|found| text_of(&found.hit.name, &found.hit.path, &found.hit.text)).collect();
            let vectors = self.made(&texts).await?;
            let points: Vec<Point> =
                some.iter().zip(vectors).map(|(found, vector)| Point { digest: found.digest.clone(), vector }).collect();
            made.extend(points.iter().map(|point| (point.digest.clone(), point.vector.clone())));
            self.vectors.put(points).await?;
        }
        Ok(made)
    }

    /// One vector for each text, whatever the embedder says.
    async fn made(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let vectors: Option<Vec<Vec<f32>>> = self.embedder.embed(texts).await?.into_iter().map(normalised).collect();
        let dimensions = |vectors: &[Vec<f32>]| vectors.iter().map(Vec::len).collect::<BTreeSet<_>>().len();
        vectors
            .filter(|vectors| vectors.len() == texts.len() && dimensions(vectors) <= 1)
            .ok_or_else(|| DenseError::Embedder("it answered with something else than one vector for each text".to_owned()))
    }

    /// The candidates in the order of their likeness to the query, and the nearest of all where all have vectors: what was asked before
    /// must not change an answer.
    pub async fn rank(&self, query: &str, candidates: &[Found], is_complete: bool) -> Result<Vec<String>> {
        let digests: Vec<String> = candidates.iter().map(|found| found.digest.clone()).collect();
        let mut vectors = self.vectors.get(&digests).await?;
        let mut seen = BTreeSet::new();
        let new: Vec<&Found> =
            candidates.iter().filter(|found| !vectors.contains_key(&found.digest) && seen.insert(found.digest.as_str())).collect();
        vectors.extend(self.embed(&new).await?);
        let query = self.made(&[query.to_owned()]).await?.pop().unwrap_or_default();
        if let Some(vector) = vectors.values().find(|vector| vector.len() != query.len()) {
            return Err(DenseError::Refused(format!("a query of {} numbers to vectors of {}", query.len(), vector.len())));
        }
        let mut ranked: HashMap<String, f32> = vectors.into_iter().map(|(digest, vector)| (digest, likeness(&vector, &query))).collect();
        if is_complete {
            ranked.extend(self.vectors.nearest(&query, CANDIDATES).await?);
        }
        let mut ranked: Vec<(String, f32)> = ranked.into_iter().collect();
        ranked.sort_by(|(one, first), (other, second)| second.total_cmp(first).then_with(|| one.cmp(other)));
        ranked.truncate(CANDIDATES as usize);
        Ok(ranked.into_iter().map(|(digest, _)| digest).collect())
    }
}

/// The best chunks for the query. Where vectors can't be had, it says why and words alone answer.
pub async fn search(
    cache: &Cache,
    dense: Option<&Dense>,
    query: &str,
    limit: u32,
) -> std::result::Result<(Answer, Option<DenseError>), IndexError> {
    let fresh = cache.fresh().await?;
    let words = cache.search(query, limit.max(CANDIDATES)).await?;
    let answer =
        |found: Vec<Found>| Answer { fresh: fresh.clone(), hits: found.into_iter().take(limit as usize).map(|found| found.hit).collect() };
    let Some(dense) = dense.filter(|dense| dense.counts()) else { return Ok((answer(words), None)) };
    let is_complete = cache.is_complete(dense.embedder.fingerprint()).await?;
    let ranking = match dense.rank(query, &words[..words.len().min(CANDIDATES as usize)], is_complete).await {
        Ok(ranking) => ranking,
        Err(why) => return Ok((answer(words), Some(why))),
    };
    let by_words: Vec<String> = words.iter().map(|found| found.digest.clone()).collect();
    let fused = fuse(&by_words, &ranking, dense.weight);
    let digests: Vec<String> = fused.iter().map(|(digest, _)| digest.clone()).collect();
    let mut places: HashMap<String, Vec<Found>> = HashMap::new();
    for found in cache.chunks_of(&digests).await? {
        places.entry(found.digest.clone()).or_default().push(found);
    }
    let scored = fused.into_iter().flat_map(|(digest, score)| {
        let mut found = places.remove(&digest).unwrap_or_default();
        found.iter_mut().for_each(|found| found.hit.score = score as f32);
        found
    });
    Ok((answer(scored.collect()), None))
}
