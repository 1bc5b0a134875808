//! What is asked of an index. Answers are in an order that depends on the tree alone, never on how it came about.

use super::super::{Answer, Hit, Result, words};
use super::Cache;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

/// Chunks that are compared beyond those wanted, so that equal scores are told apart by their place, not by their age.
const BEYOND: u32 = 40;

/// A file that the index knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// In bytes.
    pub size: u64,
    /// When it was changed last, in nanoseconds.
    pub modified_ns: Option<i64>,
    /// SHA-256 of its content, or empty.
    pub digest: String,
    /// `parsed`, `lines`, or why it was left out.
    pub state: String,
}

/// A chunk that a query found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where and what.
    pub hit: Hit,
    /// What a vector of it belongs to.
    pub digest: String,
}

/// A name that a file defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The file.
    pub path: String,
    /// As written.
    pub name: String,
    /// Such as `function`.
    pub kind: String,
    /// From 1.
    pub line: u32,
}

/// A file that is not in the index, or only by its lines.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Left {
    /// The file, or the folder.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What an index holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// Files by what became of them.
    pub files: BTreeMap<String, u64>,
    /// Bytes of the files that were read.
    pub bytes: u64,
    /// Chunks.
    pub chunks: u64,
    /// Names that are defined.
    pub definitions: u64,
    /// Files that do not parse.
    pub files_with_errors: u64,
}

const HIT: &str = "path, first_line, last_line, name, text, digest";

impl Cache {
    /// Every file that is known, by path.
    pub async fn manifest(&self) -> Result<BTreeMap<String, Known>> {
        let rows = sqlx::query("select path, size, modified_ns, digest, state from file order by path").fetch_all(&self.pool).await;
        let known = |row: SqliteRow| {
            let size = row.get::<i64, _>(1).unsigned_abs();
            (row.get(0), Known { size, modified_ns: row.get(2), digest: row.get(3), state: row.get(4) })
        };
        Ok(rows.map_err(|error| self.failed(error))?.into_iter().map(known).collect())
    }

    /// Chunks that have some of the words, best first.
    pub async fn search(&self, query: &str, limit: u32) -> Result<Vec<Found>> {
        let wanted = words::of_query(query).iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" OR ");
        if wanted.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let rows = sqlx::query("select rowid, rank from words where words match ? order by rank limit ?")
            .bind(wanted)
            .bind(limit + BEYOND)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        let scores: BTreeMap<i64, f64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let ids = serde_json::json!(scores.keys().collect::<Vec<_>>()).to_string();
        let mut places: Vec<(f64, String, u32, i64)> =
            sqlx::query("select id, path, first_line from chunk where id in (select value from json_each(?))")
                .bind(ids)
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.failed(error))?
                .iter()
                .map(|row| (scores.get(&row.get(0)).copied().unwrap_or_default(), row.get(1), row.get(2), row.get(0)))
                .collect();
        places.sort_by(|one, other| one.0.total_cmp(&other.0).then_with(|| (&one.1, one.2).cmp(&(&other.1, other.2))));
        places.truncate(limit as usize);
        let ids = serde_json::json!(places.iter().map(|place| place.3).collect::<Vec<_>>()).to_string();
        let texts = format!("select {HIT}, id from chunk where id in (select value from json_each(?))");
        let rows = sqlx::query(sqlx::AssertSqlSafe(texts)).bind(ids).fetch_all(&self.pool).await.map_err(|error| self.failed(error))?;
        let mut found: BTreeMap<i64, Found> = rows.iter().map(|row| (row.get(6), found(row))).collect();
        let scored = |(score, _, _, id): &(f64, String, u32, i64)| {
            let mut found = found.remove(id)?;
            found.hit.score = -*score as f32;
            Some(found)
        };
        Ok(places.iter().filter_map(scored).collect())
    }

    /// Where a name is defined.
    pub async fn definitions(&self, name: &str, limit: u32) -> Result<Answer> {
        let sql =
            "select symbol.path, symbol.line, symbol.line, symbol.name, coalesce((select text from chunk where chunk.path = symbol.path
                   and first_line <= line and last_line >= line order by first_line desc limit 1), ''), ''
                   from symbol where name = ? order by symbol.path, line limit ?";
        let rows = sqlx::query(sql).bind(name).bind(limit).fetch_all(&self.pool).await.map_err(|error| self.failed(error))?;
        self.answer(rows.iter().map(found)).await
    }

    /// Chunks that mention a name, but for those that define it.
    pub async fn references(&self, name: &str, limit: u32) -> Result<Answer> {
        let word = name.to_lowercase();
        let is_name = !word.is_empty() && word.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        if !is_name {
            return self.answer(std::iter::empty()).await;
        }
        let sql = "select path, first_line, last_line, name, text, digest from chunk where id in (select rowid from words where words match ?1)
                   and not exists (select 1 from symbol where symbol.path = chunk.path and symbol.name = ?2 and line between first_line and last_line)
                   order by path, first_line";
        let wanted = format!("body : \"{word}\"");
        let rows = sqlx::query(sql).bind(wanted).bind(name).fetch_all(&self.pool).await.map_err(|error| self.failed(error))?;
        // The index knows words by their stems, in lower case.
        let mentions = |found: &Found| {
            let mut names = found.hit.text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            names.any(|other| other == name)
        };
        self.answer(rows.iter().map(found).filter(mentions).take(limit as usize)).await
    }

    /// What one file defines, in line order.
    pub async fn outline(&self, path: &str, limit: u32) -> Result<Answer> {
        let sql = "select path, line, line, name, kind, '' from symbol where path = ? order by line, name limit ?";
        let rows = sqlx::query(sql).bind(path).bind(limit).fetch_all(&self.pool).await.map_err(|error| self.failed(error))?;
        self.answer(rows.iter().map(found)).await
    }

    /// Every definition, by file and line.
    pub async fn all_definitions(&self) -> Result<Vec<Named>> {
        let rows = sqlx::query("select path, name, kind, line from symbol order by path, line, name").fetch_all(&self.pool).await;
        let named = |row: &SqliteRow| Named { path: row.get(0), name: row.get(1), kind: row.get(2), line: row.get(3) };
        Ok(rows.map_err(|error| self.failed(error))?.iter().map(named).collect())
    }

    /// The names that each file mentions, by path.
    pub async fn all_mentions(&self) -> Result<Vec<(String, String)>> {
        let rows = sqlx::query("select path, mentions from file where mentions <> '' order by path").fetch_all(&self.pool).await;
        Ok(rows.map_err(|error| self.failed(error))?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// The chunks after this one in the order of path and line, some at a time.
    pub async fn chunks_after(&self, path: &str, line: u32, limit: u32) -> Result<Vec<Found>> {
        let sql = format!("select {HIT} from chunk where (path, first_line) > (?, ?) order by path, first_line limit ?");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(path).bind(line).bind(limit).fetch_all(&self.pool).await;
        Ok(rows.map_err(|error| self.failed(error))?.iter().map(found).collect())
    }

    /// Every chunk of these digests, by path and line.
    pub async fn chunks_of(&self, digests: &[String]) -> Result<Vec<Found>> {
        let sql = format!("select {HIT} from chunk where digest in (select value from json_each(?)) order by path, first_line");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(serde_json::json!(digests).to_string()).fetch_all(&self.pool).await;
        Ok(rows.map_err(|error| self.failed(error))?.iter().map(found).collect())
    }

    /// Where files do not parse: path, line, what the parser said.
    pub async fn parse_errors(&self, limit: u32) -> Result<Vec<(String, u32, String)>> {
        let sql = "select path, line, message from parse_error order by path, line limit ?";
        let rows = sqlx::query(sql).bind(limit).fetch_all(&self.pool).await.map_err(|error| self.failed(error))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    }

    /// What was left out, and what is in the index by its lines only because it broke the parser.
    pub async fn left_out(&self) -> Result<Vec<Left>> {
        let sql = "select path, case state when 'lines' then detail else state end from file
                   where state <> 'parsed' and (state <> 'lines' or detail <> '') order by path";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await.map_err(|error| self.failed(error))?;
        Ok(rows.iter().map(|row| Left { path: row.get(0), why: row.get(1) }).collect())
    }

    /// What it holds.
    pub async fn status(&self) -> Result<Status> {
        let counts = sqlx::query("select state, count(*) from file group by state").fetch_all(&self.pool).await;
        let files =
            counts.map_err(|error| self.failed(error))?.iter().map(|row| (row.get(0), row.get::<i64, _>(1).unsigned_abs())).collect();
        let sums = "select (select coalesce(sum(size), 0) from file where state in ('parsed', 'lines')), (select count(*) from chunk),
                    (select count(*) from symbol), (select count(distinct path) from parse_error)";
        let row = sqlx::query(sums).fetch_one(&self.pool).await.map_err(|error| self.failed(error))?;
        let count = |at: usize| row.get::<i64, _>(at).unsigned_abs();
        Ok(Status { files, bytes: count(0), chunks: count(1), definitions: count(2), files_with_errors: count(3) })
    }

    async fn answer(&self, found: impl Iterator<Item = Found>) -> Result<Answer> {
        Ok(Answer { fresh: self.fresh().await?, hits: found.map(|found| found.hit).collect() })
    }
}

/// A row of path, first line, last line, name, text and digest.
fn found(row: &SqliteRow) -> Found {
    let hit = Hit { path: row.get(0), first_line: row.get(1), last_line: row.get(2), name: row.get(3), text: row.get(4), score: 1.0 };
    Found { hit, digest: row.get(5) }
}
