//! Lines that match a pattern, over everything that is in an index.

use super::cache::Cache;
use super::{Answer, Hit, IndexError, Result};
use regex_lite::RegexBuilder;

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// Chunks that are in memory at one time.
const PAGE: u32 = 500;

/// The first lines that match, by file and line.
pub async fn grep(cache: &Cache, pattern: &str, limit: u32) -> Result<Answer> {
    let compiled = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
    let compiled = compiled.map_err(|why| IndexError::Pattern { pattern: pattern.to_owned(), why: why.to_string() })?;
    let mut answer = Answer { fresh: cache.fresh().await?, hits: Vec::new() };
    let (mut path, mut line) = (String::new(), 0);
    loop {
        let page = cache.chunks_after(&path, line, PAGE).await?;
        let Some(last) = page.last() else { return Ok(answer) };
        (path, line) = (last.hit.path.clone(), last.hit.first_line);
        for Hit { path, first_line, name, text, .. } in page.into_iter().map(|found| found.hit) {
            for (number, text) in (first_line..).zip(text.lines()).filter(|(_, text)| compiled.is_match(text)) {
                let text = text.to_owned();
                answer.hits.push(Hit { path: path.clone(), first_line: number, last_line: number, name: name.clone(), text, score: 1.0 });
                if answer.hits.len() >= limit as usize {
                    return Ok(answer);
                }
            }
        }
    }
}
