//! Prices by model. A price is never changed: a new one is a new row, and each charge names the row it was made with.

use crate::ledger::{Price, Rates};
use crate::store::{Result, Store, from_json, now_ms, to_json};
use sqlx::Row;

impl Store {
    /// Adds a price row for each model whose rates changed.
    pub async fn set_prices(&self, rates: &std::collections::BTreeMap<String, Rates>, source: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        for (model, rates) in rates {
            let wanted = to_json(rates);
            let latest: Option<String> = sqlx::query_scalar("select rates from price where model = ? order by id desc limit 1")
                .bind(model)
                .fetch_optional(&mut *tx)
                .await?;
            if latest.as_deref() != Some(wanted.as_str()) {
                sqlx::query("insert into price (model, rates, source, effective_ms) values (?, ?, ?, ?)")
                    .bind(model)
                    .bind(wanted)
                    .bind(source)
                    .bind(now_ms())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// The current price of a model.
    pub async fn price(&self, model: &str) -> Result<Option<Price>> {
        let row = sqlx::query("select id, rates from price where model = ? order by id desc limit 1")
            .bind(model)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| Ok(Price { id: row.get("id"), rates: from_json("price", row.get("rates"))? })).transpose()
    }
}
