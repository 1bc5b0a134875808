//! Vectors in the file of the index: by the digest of the chunk, as little-endian numbers. All are of one embedder.

use super::super::Result;
use super::super::dense::Point;
use super::Cache;
use sqlx::Row as _;

/// Bytes of a number.
const NUMBER_BYTES: usize = size_of::<f32>();

impl Cache {
    /// Says whose vectors these are; those of another embedder are deleted.
    pub async fn keep_vectors_of(&self, fingerprint: &str) -> Result<()> {
        let mut tx = self.pool.begin_with("begin immediate").await.map_err(|error| self.failed(error))?;
        let known: Option<String> =
            sqlx::query_scalar("select fingerprint from dense").fetch_optional(&mut *tx).await.map_err(|error| self.failed(error))?;
        if known.as_deref() != Some(fingerprint) {
            sqlx::raw_sql("delete from vector; delete from dense").execute(&mut *tx).await.map_err(|error| self.failed(error))?;
            let keep = sqlx::query("insert into dense (one, fingerprint, weight, complete) values (1, ?, null, '')").bind(fingerprint);
            keep.execute(&mut *tx).await.map_err(|error| self.failed(error))?;
        }
        tx.commit().await.map_err(|error| self.failed(error))
    }

    /// What the vectors of this embedder were found to be worth here; none where nobody has measured it.
    pub async fn dense_weight(&self, fingerprint: &str) -> Result<Option<f64>> {
        let weight =
            sqlx::query_scalar("select weight from dense where fingerprint = ?").bind(fingerprint).fetch_optional(&self.pool).await;
        Ok(weight.map_err(|error| self.failed(error))?.flatten())
    }

    /// Keeps what they were found to be worth.
    pub async fn set_dense_weight(&self, fingerprint: &str, weight: f64) -> Result<()> {
        self.keep_vectors_of(fingerprint).await?;
        let set = sqlx::query("update dense set weight = ?").bind(weight);
        set.execute(&self.pool).await.map(drop).map_err(|error| self.failed(error))
    }

    /// Says that every chunk has a vector now.
    pub async fn set_complete(&self, fingerprint: &str) -> Result<()> {
        self.keep_vectors_of(fingerprint).await?;
        let set = sqlx::query("update dense set complete = (select tree from about)");
        set.execute(&self.pool).await.map(drop).map_err(|error| self.failed(error))
    }

    /// Whether every chunk has a vector.
    pub async fn is_complete(&self, fingerprint: &str) -> Result<bool> {
        let complete = "select count(*) from dense, about where fingerprint = ? and complete <> '' and complete = tree";
        let count: i64 = sqlx::query_scalar(complete).bind(fingerprint).fetch_one(&self.pool).await.map_err(|error| self.failed(error))?;
        Ok(count == 1)
    }

    /// The vectors of these chunks, or all of them, by digest.
    pub async fn vectors(&self, digests: Option<&[String]>) -> Result<Vec<Point>> {
        let rows = match digests {
            None => sqlx::query("select digest, numbers from vector order by digest").fetch_all(&self.pool).await,
            Some(digests) => {
                let some = "select digest, numbers from vector where digest in (select value from json_each(?)) order by digest";
                sqlx::query(some).bind(serde_json::json!(digests).to_string()).fetch_all(&self.pool).await
            }
        };
        let point = |row: &sqlx::sqlite::SqliteRow| {
            let numbers: Vec<u8> = row.get(1);
            let vector = numbers.as_chunks::<NUMBER_BYTES>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Point { digest: row.get(0), vector }
        };
        Ok(rows.map_err(|error| self.failed(error))?.iter().map(point).collect())
    }

    /// How many numbers a vector has; none where there is no vector.
    pub async fn vector_dimensions(&self) -> Result<Option<usize>> {
        let bytes: Option<i64> = sqlx::query_scalar("select length(numbers) from vector limit 1")
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(bytes.and_then(|bytes| usize::try_from(bytes).ok()).map(|bytes| bytes / NUMBER_BYTES))
    }

    /// Keeps these. All of them or none.
    pub async fn put_vectors(&self, points: &[Point]) -> Result<()> {
        let mut tx = self.pool.begin_with("begin immediate").await.map_err(|error| self.failed(error))?;
        for point in points {
            let numbers: Vec<u8> = point.vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            let put = sqlx::query("insert or replace into vector (digest, numbers) values (?, ?)").bind(&point.digest).bind(numbers);
            put.execute(&mut *tx).await.map_err(|error| self.failed(error))?;
        }
        tx.commit().await.map_err(|error| self.failed(error))
    }

    /// Forgets these.
    pub async fn forget_vectors(&self, digests: &[String]) -> Result<()> {
        let forget =
            sqlx::query("delete from vector where digest in (select value from json_each(?))").bind(serde_json::json!(digests).to_string());
        forget.execute(&self.pool).await.map(drop).map_err(|error| self.failed(error))
    }

    /// Every chunk that has a vector.
    pub async fn vector_digests(&self) -> Result<Vec<String>> {
        sqlx::query_scalar("select digest from vector order by digest").fetch_all(&self.pool).await.map_err(|error| self.failed(error))
    }
}
