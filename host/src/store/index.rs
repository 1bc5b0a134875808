//! The code index of the last accepted tree: chunks in the database's own full-text search, names in a plain table. A cache; it is
//! rebuilt whenever its generation is not the project's. Searching is the one statement that each database has its own words for.

use super::sql::Row;
use super::{Read, Result, Store, Tx, query, transaction};
use crate::index::{Answer, Definition, FileIndex, Hit, words};
use std::collections::BTreeMap;

/// BM25 weights of names, path and body. A definition's name says three times as much as a word of its body.
const SEARCH_SQLITE: &str =
    "select path_raw, first_line, last_line, name_raw, text_raw, -bm25(chunk, 0, 0, 0, 0, 0, 0, 3.0, 1.0, 1.0) as score
     from chunk where chunk match $1 and project = $2 order by score desc, path_raw, first_line limit $3";
/// The same weights; names are marked A, the path B, the body D.
const SEARCH_POSTGRES: &str = "select path_raw, first_line, last_line, name_raw, text_raw,
            cast(ts_rank('{0.33, 0.33, 0.33, 1.0}', words, wanted) as double precision) as score
     from chunk, to_tsquery('english', $1) wanted where words @@ wanted and project = $2
     order by score desc, path_raw, first_line limit $3";
/// More words than this only slow a query down.
const QUERY_WORDS_MAX: usize = 32;

impl Store {
    /// Which accepted state is indexed, and the digest of its files.
    pub async fn index_state(&self, project: &str) -> Result<(u64, String)> {
        let row =
            query("select generation, tree from index_state where project = $1").bind(project).optional(&mut self.read().await?).await?;
        Ok(row.map_or((0, String::new()), |row| (row.get("generation"), row.get("tree"))))
    }

    /// Replaces what is known of these files (`None`: the file is gone) and moves on to the next generation. What was made for another
    /// generation than there is changes nothing: another worker was first, and whoever needs the index looks at it again.
    pub async fn update_index(&self, project: &str, before: &str, tree: &str, files: &BTreeMap<String, Option<FileIndex>>) -> Result<()> {
        transaction!(self, |tx| update(&mut tx, project, before, tree, files))
    }

    /// Chunks that match some of the words, best first.
    pub async fn search_chunks(&self, project: &str, wanted: &str, limit: u32) -> Result<Answer> {
        let terms: Vec<String> = words(wanted).into_iter().take(QUERY_WORDS_MAX).collect();
        let generation = self.index_state(project).await?.0;
        if terms.is_empty() {
            return Ok(Answer { generation, pending_files: 0, hits: Vec::new() });
        }
        let mut read = self.read().await?;
        let (sql, terms) = match read {
            Read::Sqlite(_) => (SEARCH_SQLITE, terms.iter().map(|term| format!("\"{term}\"")).collect::<Vec<_>>().join(" OR ")),
            Read::Postgres(_) => (SEARCH_POSTGRES, terms.iter().map(|term| format!("'{term}'")).collect::<Vec<_>>().join(" | ")),
        };
        let rows = query(sql).bind(terms).bind(project).bind(limit).all(&mut read).await?;
        let hits = rows
            .iter()
            .map(|row| Hit {
                path: row.get("path_raw"),
                first_line: row.get("first_line"),
                last_line: row.get("last_line"),
                name: row.get("name_raw"),
                text: row.get("text_raw"),
                score: row.get::<f64>("score") as f32,
            })
            .collect();
        Ok(Answer { generation, pending_files: 0, hits })
    }

    /// Where a name is defined, or mentioned.
    pub async fn symbol_hits(&self, project: &str, name: &str, defines: bool, limit: u32) -> Result<Answer> {
        let rows = query(
            "select symbol.path, symbol.name, symbol.line,
                    (select text_raw from chunk where chunk.project = symbol.project and path_raw = symbol.path
                     and first_line <= line and last_line >= line limit 1) as text
             from symbol where project = $1 and name = $2 and defines = $3 order by path, line limit $4",
        )
        .bind(project)
        .bind(name)
        .bind(defines)
        .bind(limit)
        .all(&mut self.read().await?)
        .await?;
        self.answer_of_symbols(project, &rows).await
    }

    /// What one file defines.
    pub async fn outline(&self, project: &str, path: &str, limit: u32) -> Result<Answer> {
        let rows = query(
            "select path, name, line, kind as text from symbol where project = $1 and path = $2 and defines = 1 order by line limit $3",
        )
        .bind(project)
        .bind(path)
        .bind(limit)
        .all(&mut self.read().await?)
        .await?;
        self.answer_of_symbols(project, &rows).await
    }

    /// All definitions, with how often other files mention each: path, name, kind, line, mentions.
    pub async fn definitions_by_file(&self, project: &str) -> Result<Vec<Definition>> {
        let rows = query(
            "select path, name, kind, line,
                    (select count(*) from symbol other where other.project = symbol.project and other.name = symbol.name
                     and other.defines = 0 and other.path <> symbol.path) as mentions
             from symbol where project = $1 and defines = 1 order by path, line",
        )
        .bind(project)
        .all(&mut self.read().await?)
        .await?;
        Ok(rows.iter().map(|row| (row.get("path"), row.get("name"), row.get("kind"), row.get("line"), row.get("mentions"))).collect())
    }

    async fn answer_of_symbols(&self, project: &str, rows: &[Row]) -> Result<Answer> {
        let hits = rows
            .iter()
            .map(|row| Hit {
                path: row.get("path"),
                first_line: row.get("line"),
                last_line: row.get("line"),
                name: row.get("name"),
                text: row.get::<Option<String>>("text").unwrap_or_default(),
                score: 1.0,
            })
            .collect();
        Ok(Answer { generation: self.index_state(project).await?.0, pending_files: 0, hits })
    }
}

async fn update(tx: &mut Tx, project: &str, before: &str, tree: &str, files: &BTreeMap<String, Option<FileIndex>>) -> Result<()> {
    let moved = query(
        "insert into index_state (project, generation, tree) values ($1, 1, $2)
         on conflict (project) do update set generation = index_state.generation + 1, tree = $2 where index_state.tree = $3",
    )
    .bind(project)
    .bind(tree)
    .bind(before)
    .execute(tx)
    .await?;
    if moved == 0 {
        return Ok(());
    }
    for (path, index) in files {
        query("delete from chunk where project = $1 and path_raw = $2").bind(project).bind(path).execute(tx).await?;
        query("delete from symbol where project = $1 and path = $2").bind(project).bind(path).execute(tx).await?;
        let Some(index) = index else { continue };
        for chunk in &index.chunks {
            query("insert into chunk (project, path_raw, first_line, last_line, name_raw, text_raw, names, path, body) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
                .bind(project)
                .bind(path)
                .bind(chunk.first_line)
                .bind(chunk.last_line)
                .bind(&chunk.name)
                .bind(&chunk.text)
                .bind(words(&chunk.name).join(" "))
                .bind(words(path).join(" "))
                .bind(words(&chunk.text).join(" "))
                .execute(tx)
                .await?;
        }
        let symbols = index.definitions.iter().map(|symbol| (symbol, true)).chain(index.references.iter().map(|symbol| (symbol, false)));
        for (symbol, defines) in symbols {
            query("insert into symbol (project, path, name, kind, line, defines) values ($1, $2, $3, $4, $5, $6)")
                .bind(project)
                .bind(path)
                .bind(&symbol.name)
                .bind(&symbol.kind)
                .bind(symbol.line)
                .bind(defines)
                .execute(tx)
                .await?;
        }
    }
    Ok(())
}
