//! Prices by provider and model. A price is never changed: a new one is a new row, and each charge names the row it was made with.

use crate::ledger::{Price, Rates};
use crate::store::{Result, Store, from_json, now_ms, query, to_json, transaction};

/// A price to be put down.
#[derive(Clone, Debug)]
pub struct NewPrice {
    /// The provider's name in the settings.
    pub provider: String,
    /// Its name of the model.
    pub model: String,
    /// What is charged.
    pub rates: Rates,
    /// Where that is from.
    pub source: String,
}

/// A price that is in force.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CurrentPrice {
    /// The row's id.
    pub id: i64,
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// What is charged.
    pub rates: Rates,
    /// Where that is from.
    pub source: String,
    /// Since when, in milliseconds since 1970.
    pub effective_ms: i64,
}

impl Store {
    /// Adds a price row for each model whose rates changed, and says how many those were.
    pub async fn set_prices(&self, prices: &[NewPrice]) -> Result<usize> {
        transaction!(self, |tx| async {
            let mut added = 0;
            for price in prices {
                let wanted = to_json(&price.rates);
                let latest = query("select rates from price where provider = $1 and model = $2 order by id desc limit 1")
                    .bind(&price.provider)
                    .bind(&price.model)
                    .optional(&mut tx)
                    .await?;
                if latest.is_some_and(|row| row.get::<String>("rates") == wanted) {
                    continue;
                }
                added += 1;
                query("insert into price (provider, model, rates, source, effective_ms) values ($1, $2, $3, $4, $5)")
                    .bind(&price.provider)
                    .bind(&price.model)
                    .bind(wanted)
                    .bind(&price.source)
                    .bind(now_ms())
                    .execute(&mut tx)
                    .await?;
            }
            Ok(added)
        })
    }

    /// The current price of a provider's model.
    pub async fn price(&self, provider: &str, model: &str) -> Result<Option<Price>> {
        let row = query("select id, rates from price where provider = $1 and model = $2 order by id desc limit 1")
            .bind(provider)
            .bind(model)
            .optional(&mut self.read().await?)
            .await?;
        row.map(|row| Ok(Price { id: row.get("id"), rates: from_json("price", &row.get::<String>("rates"))? })).transpose()
    }

    /// Every price that is in force.
    pub async fn prices(&self) -> Result<Vec<CurrentPrice>> {
        let rows = query("select * from price where id in (select max(id) from price group by provider, model) order by provider, model")
            .all(&mut self.read().await?)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(CurrentPrice {
                    id: row.get("id"),
                    provider: row.get("provider"),
                    model: row.get("model"),
                    rates: from_json("price", &row.get::<String>("rates"))?,
                    source: row.get("source"),
                    effective_ms: row.get("effective_ms"),
                })
            })
            .collect()
    }
}
