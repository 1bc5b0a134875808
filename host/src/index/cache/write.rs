//! What an update writes: some files at a time, each time in one transaction.

use super::super::words::kept;
use super::super::{FileIndex, Result};
use super::Cache;
use crate::workspace::import::Why;
use crate::workspace::sha256;
use serde_json::{Value, json};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

/// What became of a file.
#[derive(Clone, Debug)]
pub enum Read {
    /// Its grammar read it.
    Parsed(FileIndex),
    /// It is cut by its lines, for this reason.
    Lines(FileIndex, String),
    /// Nothing of it is in the index.
    LeftOut(Why),
    /// It is as it was; only the time of its last change is another.
    AsBefore,
}

/// What is to be known of a file from now on.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its path.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// When it was changed last, in nanoseconds.
    pub modified_ns: Option<i64>,
    /// SHA-256 of its content, or empty.
    pub digest: String,
    /// What became of it.
    pub read: Read,
}

impl Cache {
    /// Says how many files are to be read: answers are not of one state until then.
    pub async fn begin_update(&self, pending: usize) -> Result<()> {
        let about = sqlx::query("update about set pending = ?, tree = ''").bind(i64::try_from(pending).unwrap_or(i64::MAX));
        about.execute(&self.pool).await.map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// Replaces what is known of these files; `gone` ones are forgotten. All of it or nothing.
    pub async fn apply(&self, rows: Vec<Row>, gone: Vec<String>) -> Result<()> {
        let mut tx = self.pool.begin_with("begin immediate").await.map_err(|error| self.failed(error))?;
        let count = rows.len() + gone.len();
        apply(&mut tx, rows, gone).await.map_err(|error| self.failed(error))?;
        let about = sqlx::query("update about set pending = max(0, pending - ?)").bind(i64::try_from(count).unwrap_or(i64::MAX));
        about.execute(&mut *tx).await.map_err(|error| self.failed(error))?;
        tx.commit().await.map_err(|error| self.failed(error))
    }

    /// Every file has been read: answers are of this tree. Without a generation it counts its own.
    pub async fn end_update(&self, tree: &str, generation: Option<u64>) -> Result<()> {
        let generation = generation.map(|generation| i64::try_from(generation).unwrap_or(i64::MAX));
        let about =
            sqlx::query("update about set pending = 0, tree = ?, generation = coalesce(?, generation + 1)").bind(tree).bind(generation);
        about.execute(&self.pool).await.map_err(|error| self.failed(error))?;
        Ok(())
    }
}

async fn apply(tx: &mut SqliteConnection, rows: Vec<Row>, gone: Vec<String>) -> sqlx::Result<()> {
    let replaced: Vec<&String> = rows.iter().filter(|row| !matches!(row.read, Read::AsBefore)).map(|row| &row.path).chain(&gone).collect();
    let replaced = json!(replaced).to_string();
    let old = sqlx::query("select id, path, name, text from chunk where path in (select value from json_each(?1)) order by id");
    let old = old.bind(&replaced).fetch_all(&mut *tx).await?;
    let old: Vec<Value> = old.iter().map(|row| word_row(row.get(0), row.get(1), row.get(2), row.get(3))).collect();
    sqlx::query(
        "insert into words (words, rowid, names, path, body) select 'delete', value->>0, value->>1, value->>2, value->>3 from json_each(?)",
    )
    .bind(Value::Array(old).to_string())
    .execute(&mut *tx)
    .await?;
    for statement in [
        "delete from chunk where path in (select value from json_each(?1))",
        "delete from symbol where path in (select value from json_each(?1))",
        "delete from parse_error where path in (select value from json_each(?1))",
        "delete from file where path in (select value from json_each(?1))",
    ] {
        sqlx::query(statement).bind(&replaced).execute(&mut *tx).await?;
    }
    let mut id: i64 = sqlx::query_scalar("select coalesce(max(id), 0) from chunk").fetch_one(&mut *tx).await?;
    let (mut files, mut chunks, mut words, mut symbols, mut errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for Row { path, size, modified_ns, digest, read } in rows {
        let (index, state, detail) = match read {
            Read::AsBefore => {
                let touched = sqlx::query("update file set modified_ns = ? where path = ?").bind(modified_ns).bind(&path);
                touched.execute(&mut *tx).await?;
                continue;
            }
            Read::Parsed(index) => (index, "parsed", String::new()),
            Read::Lines(index, why) => (index, "lines", why),
            Read::LeftOut(why) => (FileIndex::default(), why.as_str(), String::new()),
        };
        for chunk in index.chunks {
            id += 1;
            let chunk_digest = sha256(format!("{}\n{}", chunk.name, chunk.text).as_bytes());
            words.push(word_row(id, &path, &chunk.name, &chunk.text));
            chunks.push(json!([id, path, chunk.first_line, chunk.last_line, chunk.kind, chunk.name, chunk.text, chunk_digest]));
        }
        symbols.extend(index.definitions.iter().map(|symbol| json!([path, symbol.name, symbol.kind, symbol.line])));
        errors.extend(index.parse_errors.iter().map(|error| json!([path, error.line, error.name])));
        let mentions: Vec<&str> = index.references.iter().map(|symbol| symbol.name.as_str()).filter(|name| !name.contains(' ')).collect();
        files.push(json!([path, size, modified_ns, digest, state, detail, mentions.join(" ")]));
    }
    for (statement, rows) in [
        ("insert into file select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6 from json_each(?)", files),
        (
            "insert into chunk select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7 from json_each(?)",
            chunks,
        ),
        ("insert into words (rowid, names, path, body) select value->>0, value->>1, value->>2, value->>3 from json_each(?)", words),
        ("insert into symbol select value->>0, value->>1, value->>2, value->>3 from json_each(?)", symbols),
        ("insert into parse_error select value->>0, value->>1, value->>2 from json_each(?)", errors),
    ] {
        if !rows.is_empty() {
            sqlx::query(statement).bind(Value::Array(rows).to_string()).execute(&mut *tx).await?;
        }
    }
    Ok(())
}

/// What the full-text index has of a chunk. The very same is said when it is taken out.
fn word_row(id: i64, path: &str, name: &str, text: &str) -> Value {
    json!([id, kept(name), kept(path), kept(text)])
}
