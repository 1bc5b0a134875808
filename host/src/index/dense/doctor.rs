//! Is search any good on this code, and is an embedder worth its price? The code's own documentation says: the first sentence of what stands
//! above or in a definition asks for that definition, in an index from which all such sentences were taken out.

use super::super::cache::{self, Cache, Found, Read, Row};
use super::super::{Chunk, FileIndex, IndexError};
use super::search::{Dense, search};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Questions that are asked; more take long with a model on this machine and say little more.
pub const QUESTIONS_MAX: usize = 200;
/// The same for words alone.
const WORDS_QUESTIONS_MAX: usize = 2_000;
/// With fewer nothing can be said.
const QUESTIONS_MIN: usize = 30;
/// Words of a sentence that asks for anything.
const SENTENCE_WORDS_MIN: usize = 4;
/// Places of an answer that are looked at.
const LOOKED_AT: u32 = 10;
/// Chunks in memory at one time.
const PAGE: u32 = 500;
/// Weights that are tried; the first of the best wins, so that a draw is won by words.
const WEIGHTS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// What was found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Sentences that ask for a definition.
    pub questions: usize,
    /// NDCG@10 of words alone on all of them; 1 is perfect.
    pub words: f64,
    /// NDCG@10 on some of them, for each weight of the vectors; empty without an embedder.
    pub fused: Vec<Weighed>,
    /// The weight from now on; none without an embedder.
    pub weight: Option<f64>,
}

/// What a weight comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Weighed {
    /// What vectors count beside words.
    pub weight: f64,
    /// NDCG@10.
    pub ndcg: f64,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum NoDiagnosis {
    /// The code has few comments.
    #[error("only {0} definitions have a sentence about them; at least {QUESTIONS_MIN} are needed to say anything")]
    TooFew(usize),
    /// The index, or what makes its vectors.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// A sentence and the chunk that it was taken from.
#[derive(Clone, Debug)]
struct Question {
    sentence: String,
    path: String,
    first_line: u32,
}

/// Asks the code's own sentences. `scratch` is where the index without them is made; `dense` is told its file and says what makes vectors.
pub async fn diagnose(
    index: &Cache,
    scratch: &Path,
    dense: Option<impl AsyncFnOnce(&Cache) -> Result<Dense, IndexError>>,
) -> Result<Diagnosis, NoDiagnosis> {
    cache::delete(scratch)?;
    let bare = Cache::open(scratch, "without sentences").await?;
    let result = ask(index, &bare, dense).await;
    bare.close().await;
    cache::delete(scratch)?;
    result
}

async fn ask(
    index: &Cache,
    bare: &Cache,
    dense: Option<impl AsyncFnOnce(&Cache) -> Result<Dense, IndexError>>,
) -> Result<Diagnosis, NoDiagnosis> {
    let questions = strip(index, bare).await?;
    if questions.len() < QUESTIONS_MIN {
        return Err(NoDiagnosis::TooFew(questions.len()));
    }
    let words = some(&questions, WORDS_QUESTIONS_MAX);
    let mut diagnosis = Diagnosis { questions: questions.len(), words: ndcg(bare, None, &words).await?, fused: Vec::new(), weight: None };
    if let Some(dense) = dense {
        let dense = dense(bare).await?;
        let asked = some(&questions, QUESTIONS_MAX);
        for weight in WEIGHTS {
            let ndcg = ndcg(bare, Some(&dense.clone().weighing(weight)), &asked).await?;
            diagnosis.fused.push(Weighed { weight, ndcg });
        }
        let best = diagnosis.fused.iter().fold(0.0_f64, |best, weighed| best.max(weighed.ndcg));
        diagnosis.weight = diagnosis.fused.iter().find(|weighed| weighed.ndcg >= best).map(|weighed| weighed.weight);
    }
    Ok(diagnosis)
}

/// Evenly spread over the code.
fn some(questions: &[Question], most: usize) -> Vec<&Question> {
    let step = questions.len().div_ceil(most).max(1);
    questions.iter().step_by(step).collect()
}

/// Copies the index without the sentences; says what was taken from where.
async fn strip(index: &Cache, bare: &Cache) -> Result<Vec<Question>, IndexError> {
    let mut questions: Vec<Question> = Vec::new();
    let (mut path, mut line) = (String::new(), 0);
    let mut files: Vec<(String, FileIndex)> = Vec::new();
    let row = |(path, index)| Row { path, size: 0, modified_ns: None, digest: String::new(), read: Read::Parsed(index) };
    loop {
        let page = index.chunks_after(&path, line, PAGE).await?;
        let Some(last) = page.last() else { break };
        (path, line) = (last.hit.path.clone(), last.hit.first_line);
        for Found { hit, .. } in page {
            let (text, sentence) = without_documentation(&hit.text);
            if let Some(sentence) = sentence.filter(|_| !hit.name.is_empty()) {
                questions.push(Question { sentence, path: hit.path.clone(), first_line: hit.first_line });
            }
            let chunk = Chunk { name: hit.name, kind: String::new(), first_line: hit.first_line, last_line: hit.last_line, text };
            match files.last_mut() {
                Some((path, index)) if *path == hit.path => index.chunks.push(chunk),
                _ => files.push((hit.path, FileIndex { chunks: vec![chunk], ..FileIndex::default() })),
            }
        }
        // The last file may go on in the next page.
        let done = files.len().saturating_sub(1);
        bare.apply(files.drain(..done).map(row).collect(), Vec::new()).await?;
    }
    bare.apply(files.into_iter().map(row).collect(), Vec::new()).await?;
    // What is asked twice asks for nothing.
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    questions.iter().for_each(|question| *count.entry(question.sentence.to_lowercase()).or_default() += 1);
    questions.retain(|question| count.get(&question.sentence.to_lowercase()) == Some(&1));
    Ok(questions)
}

async fn ndcg(bare: &Cache, dense: Option<&Dense>, questions: &[&Question]) -> Result<f64, NoDiagnosis> {
    let mut sum = 0.0;
    for question in questions {
        let (answer, failed) = search(bare, dense, &question.sentence, LOOKED_AT).await?;
        if let Some(why) = failed {
            return Err(IndexError::from(why).into());
        }
        let rank = answer.hits.iter().position(|hit| hit.path == question.path && hit.first_line == question.first_line);
        sum += rank.map_or(0.0, |rank| 1.0 / (rank as f64 + 2.0).log2());
    }
    Ok(sum / questions.len().max(1) as f64)
}

/// The text without its documentation, and the first sentence of that.
fn without_documentation(text: &str) -> (String, Option<String>) {
    let mut kept: Vec<&str> = Vec::new();
    let mut said: Vec<String> = Vec::new();
    let mut quote: Option<&str> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(end) = quote {
            said.push(trimmed.split(end).next().unwrap_or_default().to_owned());
            if trimmed.contains(end) {
                quote = None;
            }
            continue;
        }
        let docstring = ["\"\"\"", "'''", "r\"\"\"", "/**"].into_iter().find(|mark| trimmed.starts_with(mark));
        if let Some(mark) = docstring {
            let end = if mark == "/**" { "*/" } else { mark.trim_start_matches('r') };
            let rest = &trimmed[mark.len()..];
            said.push(rest.split(end).next().unwrap_or_default().to_owned());
            if !rest.contains(end) {
                quote = Some(end);
            }
            continue;
        }
        let comment = ["///", "//!", "//", "#"]
            .into_iter()
            .find(|mark| trimmed.starts_with(mark) && !trimmed.starts_with("#[") && !trimmed.starts_with("#!"));
        match comment {
            Some(mark) => said.push(trimmed[mark.len()..].to_owned()),
            None => kept.push(line),
        }
    }
    let said: Vec<&str> = said.iter().map(|line| line.trim().trim_start_matches('*').trim()).collect();
    let paragraph: Vec<&str> = said.iter().skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).copied().collect();
    let paragraph = paragraph.join(" ");
    let end = paragraph.find(". ").unwrap_or(paragraph.len());
    let sentence = paragraph[..end].trim_end_matches('.').to_owned();
    let words = sentence.split_whitespace().filter(|word| word.chars().filter(|letter| letter.is_alphabetic()).count() > 1).count();
    (kept.join("\n"), (words >= SENTENCE_WORDS_MIN).then_some(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_taken_out_of_where_it_stands() {
        let python = "def f(x):\n    \"\"\"Return the square of a number.\n\n    More.\n    \"\"\"\n    return x * x";
        let (text, sentence) = without_documentation(python);
        assert_eq!((text.as_str(), sentence.as_deref()), ("def f(x):\n    return x * x", Some("Return the square of a number")));
        let rust = "/// Gives the square of it. More.\n#[inline]\nfn f(x: u8) -> u8 {\n    x * x\n}";
        let (text, sentence) = without_documentation(rust);
        assert_eq!((text.lines().next(), sentence.as_deref()), (Some("#[inline]"), Some("Gives the square of it")));
        assert_eq!(without_documentation("x = 1  # one").1, None);
        assert_eq!(without_documentation("# short\nx = 1").1, None);
    }
}
