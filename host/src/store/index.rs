//! The code index of the last accepted tree: chunks in SQLite's full-text search, names in a plain table. A cache; it is
//! rebuilt whenever its generation is not the project's.

use super::{Result, Store};
use crate::index::{Answer, Definition, FileIndex, Hit, words};
use sqlx::Row;
use std::collections::BTreeMap;

/// BM25 weights of names, path and body. A definition's name says three times as much as a word of its body.
const WEIGHTS: &str = "bm25(chunk, 0, 0, 0, 0, 0, 0, 3.0, 1.0, 1.0)";
/// More words than this only slow a query down.
const QUERY_WORDS_MAX: usize = 32;

impl Store {
    /// Which accepted state is indexed, and the digest of its files.
    pub async fn index_state(&self, project: &str) -> Result<(u64, String)> {
        let row =
            sqlx::query("select generation, tree from index_state where project = ?").bind(project).fetch_optional(&self.read).await?;
        Ok(row.map_or((0, String::new()), |row| (u64::try_from(row.get::<i64, _>("generation")).unwrap_or(0), row.get("tree"))))
    }

    /// Replaces what is known of these files (`None`: the file is gone) and moves on to the next generation.
    pub async fn update_index(&self, project: &str, tree: &str, files: &BTreeMap<String, Option<FileIndex>>) -> Result<()> {
        let mut tx = self.begin().await?;
        for (path, index) in files {
            sqlx::query("delete from chunk where project = ? and path_raw = ?").bind(project).bind(path).execute(&mut *tx).await?;
            sqlx::query("delete from symbol where project = ? and path = ?").bind(project).bind(path).execute(&mut *tx).await?;
            let Some(index) = index else { continue };
            for chunk in &index.chunks {
                sqlx::query("insert into chunk (project, path_raw, first_line, last_line, name_raw, text_raw, names, path, body) values (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                    .bind(project)
                    .bind(path)
                    .bind(chunk.first_line)
                    .bind(chunk.last_line)
                    .bind(&chunk.name)
                    .bind(&chunk.text)
                    .bind(words(&chunk.name).join(" "))
                    .bind(words(path).join(" "))
                    .bind(words(&chunk.text).join(" "))
                    .execute(&mut *tx)
                    .await?;
            }
            let symbols =
                index.definitions.iter().map(|symbol| (symbol, true)).chain(index.references.iter().map(|symbol| (symbol, false)));
            for (symbol, defines) in symbols {
                sqlx::query("insert into symbol (project, path, name, kind, line, defines) values (?, ?, ?, ?, ?, ?)")
                    .bind(project)
                    .bind(path)
                    .bind(&symbol.name)
                    .bind(&symbol.kind)
                    .bind(symbol.line)
                    .bind(defines)
                    .execute(&mut *tx)
                    .await?;
            }
        }
        sqlx::query(
            "insert into index_state (project, generation, tree) values (?1, 1, ?2)
             on conflict (project) do update set generation = generation + 1, tree = ?2",
        )
        .bind(project)
        .bind(tree)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Chunks that match some of the words, best first.
    pub async fn search_chunks(&self, project: &str, query: &str, limit: u32) -> Result<Answer> {
        let terms: Vec<String> = words(query).into_iter().take(QUERY_WORDS_MAX).map(|word| format!("\"{word}\"")).collect();
        let generation = self.index_state(project).await?.0;
        if terms.is_empty() {
            return Ok(Answer { generation, pending_files: 0, hits: Vec::new() });
        }
        let sql = format!(
            "select path_raw, first_line, last_line, name_raw, text_raw, {WEIGHTS} as score
             from chunk where chunk match ? and project = ? order by score, path_raw, first_line limit ?"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(terms.join(" or ").replace(" or ", " OR "))
            .bind(project)
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        let hits = rows
            .iter()
            .map(|row| Hit {
                path: row.get("path_raw"),
                first_line: row.get("first_line"),
                last_line: row.get("last_line"),
                name: row.get("name_raw"),
                text: row.get("text_raw"),
                // SQLite's score is smaller for better hits.
                score: -row.get::<f64, _>("score") as f32,
            })
            .collect();
        Ok(Answer { generation, pending_files: 0, hits })
    }

    /// Where a name is defined, or mentioned.
    pub async fn symbol_hits(&self, project: &str, name: &str, defines: bool, limit: u32) -> Result<Answer> {
        let rows = sqlx::query(
            "select symbol.path, symbol.name, symbol.line,
                    (select text_raw from chunk where chunk.project = symbol.project and path_raw = symbol.path
                     and first_line <= line and last_line >= line limit 1) as text
             from symbol where project = ? and name = ? and defines = ? order by path, line limit ?",
        )
        .bind(project)
        .bind(name)
        .bind(defines)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        self.answer_of_symbols(project, &rows).await
    }

    /// What one file defines.
    pub async fn outline(&self, project: &str, path: &str, limit: u32) -> Result<Answer> {
        let rows = sqlx::query(
            "select path, name, line, kind as text from symbol where project = ? and path = ? and defines = 1 order by line limit ?",
        )
        .bind(project)
        .bind(path)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        self.answer_of_symbols(project, &rows).await
    }

    /// All definitions, with how often other files mention each: path, name, kind, line, mentions.
    pub async fn definitions_by_file(&self, project: &str) -> Result<Vec<Definition>> {
        let rows = sqlx::query(
            "select path, name, kind, line,
                    (select count(*) from symbol other where other.project = symbol.project and other.name = symbol.name
                     and other.defines = 0 and other.path <> symbol.path) as mentions
             from symbol where project = ? and defines = 1 order by path, line",
        )
        .bind(project)
        .fetch_all(&self.read)
        .await?;
        Ok(rows.iter().map(|row| (row.get("path"), row.get("name"), row.get("kind"), row.get("line"), row.get("mentions"))).collect())
    }

    async fn answer_of_symbols(&self, project: &str, rows: &[sqlx::sqlite::SqliteRow]) -> Result<Answer> {
        let hits = rows
            .iter()
            .map(|row| Hit {
                path: row.get("path"),
                first_line: row.get("line"),
                last_line: row.get("line"),
                name: row.get("name"),
                text: row.get::<Option<String>, _>("text").unwrap_or_default(),
                score: 1.0,
            })
            .collect();
        Ok(Answer { generation: self.index_state(project).await?.0, pending_files: 0, hits })
    }
}
