//! Several statements in one go. SQLite runs on a thread of its own, and handing a statement over and its result back costs more than
//! the statement: so what belongs together travels as one text. A server gets one statement after the other.

use super::super::{Result, StoreError};
use super::{Link, Query, Row, Speak, Value};
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor, Postgres, SqlSafeStr, Sqlite};

/// Statements that travel as one text; each such text is kept prepared.
const STATEMENTS_MAX: usize = 16;

/// What a statement did.
#[derive(Default)]
pub(in crate::store) struct Done {
    /// Rows that it inserted, changed or deleted.
    pub touched: u64,
    /// Rows that it returned.
    pub rows: Vec<Row>,
}

impl Done {
    /// The first row, if there is one.
    pub(in crate::store) fn optional(self) -> Option<Row> {
        self.rows.into_iter().next()
    }

    /// The row that must be there.
    pub(in crate::store) fn one(self) -> Result<Row> {
        self.optional().ok_or(StoreError::Database(sqlx::Error::RowNotFound))
    }
}

/// Runs these in order, after what is queued, and says what each did. None is run after one that fails.
pub(in crate::store) async fn several(on: &mut impl Speak, queries: Vec<Query>) -> Result<Vec<Done>> {
    let mut all = on.queued();
    let before = all.len();
    all.extend(queries);
    let mut done = Vec::with_capacity(all.len());
    match on.link() {
        Link::Sqlite(connection) => {
            let mut all = all.into_iter().peekable();
            while all.peek().is_some() {
                let script = joined(all.by_ref().take(STATEMENTS_MAX));
                collect(connection.fetch_many(bound::<Sqlite>(script)), |result| result.rows_affected(), &mut done).await?;
            }
        }
        Link::Postgres(connection) => {
            for query in all {
                collect(connection.fetch_many(bound::<Postgres>(query)), |result| result.rows_affected(), &mut done).await?;
            }
        }
    }
    Ok(done.split_off(before))
}

/// Runs one, after what is queued.
pub(super) async fn single(on: &mut impl Speak, query: Query) -> Result<Done> {
    Ok(several(on, vec![query]).await?.pop().unwrap_or_default())
}

async fn collect<T, R: Into<Row>>(
    mut results: impl TryStreamExt<Ok = Either<T, R>, Error = sqlx::Error> + Unpin,
    touched: impl Fn(&T) -> u64,
    done: &mut Vec<Done>,
) -> Result<()> {
    let mut rows = Vec::new();
    while let Some(result) = results.try_next().await? {
        match result {
            Either::Left(end) => done.push(Done { touched: touched(&end), rows: std::mem::take(&mut rows) }),
            Either::Right(row) => rows.push(row.into()),
        }
    }
    Ok(())
}

/// One text of all statements, whose parameters are numbered through.
fn joined(mut queries: impl Iterator<Item = Query>) -> Query {
    let Some(mut all) = queries.next() else { return super::query("") };
    let mut rest = queries.peekable();
    if rest.peek().is_none() {
        return all;
    }
    let mut sql = all.sql.as_str().to_owned();
    for query in rest {
        sql.push_str(";\n");
        let mut parts = query.sql.as_str().split('$');
        sql.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let end = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
            let number = part[..end].parse::<usize>().unwrap_or_default() + all.values.len();
            sql.push_str(&format!("${number}{}", &part[end..]));
        }
        all.values.extend(query.values);
    }
    Query { sql: AssertSqlSafe(sql).into_sql_str(), values: all.values }
}

/// The statement with its parameters, as one database takes it.
fn bound<DB: sqlx::Database>(query: Query) -> sqlx::query::Query<'static, DB, DB::Arguments>
where
    Option<i64>: for<'t> sqlx::Encode<'t, DB> + sqlx::Type<DB>,
    Option<String>: for<'t> sqlx::Encode<'t, DB> + sqlx::Type<DB>,
    Vec<u8>: for<'t> sqlx::Encode<'t, DB> + sqlx::Type<DB>,
{
    query.values.into_iter().fold(sqlx::query::<DB>(query.sql), |bound, value| match value {
        Value::Int(number) => bound.bind(number),
        Value::Text(text) => bound.bind(text),
        Value::Bytes(bytes) => bound.bind(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::query;

    #[test]
    fn statements_that_travel_together_keep_their_own_parameters() {
        let first = query("update a set b = $2 where c = $1").bind("c").bind(2_i64);
        let second = query("select $1, $12 from d where e = $1");
        let all = joined([first, second.bind(3_i64), query("commit")].into_iter());
        assert_eq!(all.sql.as_str(), "update a set b = $2 where c = $1;\nselect $3, $14 from d where e = $3;\ncommit");
        assert_eq!(all.values.len(), 3);
    }
}
