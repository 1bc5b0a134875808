//! A row of either database, read by column name into our own types.

use crate::ledger::NanoUsd;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

/// A row.
pub(in crate::store) enum Row {
    /// From the file.
    Sqlite(SqliteRow),
    /// From the server.
    Postgres(PgRow),
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Row {
        Row::Sqlite(row)
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Row {
        Row::Postgres(row)
    }
}

impl Row {
    /// The column with this name. The statement that made the row names it, so a missing one is a mistake in that statement and
    /// panics, as a wrong index does.
    pub(in crate::store) fn get<T: FromRow>(&self, column: &str) -> T {
        T::from_row(self, column)
    }

    /// The column with this number.
    pub(in crate::store) fn at<T: FromRow>(&self, column: usize) -> T {
        T::from_row(self, column)
    }
}

/// A column's name or number.
pub(in crate::store) trait Column: sqlx::ColumnIndex<SqliteRow> + sqlx::ColumnIndex<PgRow> {}
impl<C: sqlx::ColumnIndex<SqliteRow> + sqlx::ColumnIndex<PgRow>> Column for C {}

/// What a column can be read as.
pub(in crate::store) trait FromRow: Sized {
    /// The column of this row.
    fn from_row(row: &Row, column: impl Column) -> Self;
}

macro_rules! as_stored {
    ($($kind:ty),*) => {
        $(impl FromRow for $kind {
            fn from_row(row: &Row, column: impl Column) -> Self {
                match row {
                    Row::Sqlite(row) => row.get(column),
                    Row::Postgres(row) => row.get(column),
                }
            }
        })*
    };
}

as_stored!(i64, Option<i64>, String, Option<String>, Vec<u8>, f64);

impl FromRow for u32 {
    fn from_row(row: &Row, column: impl Column) -> Self {
        u32::try_from(i64::from_row(row, column)).unwrap_or_default()
    }
}

impl FromRow for u64 {
    fn from_row(row: &Row, column: impl Column) -> Self {
        u64::try_from(i64::from_row(row, column)).unwrap_or_default()
    }
}

impl FromRow for Option<u32> {
    fn from_row(row: &Row, column: impl Column) -> Self {
        Option::<i64>::from_row(row, column).and_then(|number| u32::try_from(number).ok())
    }
}

impl FromRow for bool {
    fn from_row(row: &Row, column: impl Column) -> Self {
        i64::from_row(row, column) != 0
    }
}

impl FromRow for NanoUsd {
    fn from_row(row: &Row, column: impl Column) -> Self {
        NanoUsd(i64::from_row(row, column))
    }
}

impl FromRow for Option<NanoUsd> {
    fn from_row(row: &Row, column: impl Column) -> Self {
        Option::<i64>::from_row(row, column).map(NanoUsd)
    }
}
