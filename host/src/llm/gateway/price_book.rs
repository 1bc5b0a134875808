//! Which prices are in force. In this order: what the settings say, what an operator imported, the list that comes with the program.
//! On all of them lies the house's markup, and each has a twin for calls that a user's own key pays for.

use crate::ledger::price_list::{ListedPrice, SEED, parse_price_list};
use crate::settings::models::own;
use crate::settings::{Settings, SettingsError};
use crate::store::ledger::prices::NewPrice;
use crate::store::{Store, StoreError};
use std::collections::BTreeMap;

/// Why the prices can't be put in force.
#[derive(Debug, thiserror::Error)]
pub enum PriceBookError {
    /// A list.
    #[error("the price list: {0}")]
    List(#[from] crate::ledger::price_list::PriceListError),
    /// A setting.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The prices that come with the program.
pub fn seed() -> Result<Vec<NewPrice>, PriceBookError> {
    Ok(parse_price_list(SEED)?.into_iter().map(listed).collect())
}

/// Brings the price table up to the settings: models that have no price yet get the shipped one, settings win, and all are charged
/// with the markup of today. Says how many rows were added.
pub async fn refresh(store: &Store, settings: &Settings) -> Result<usize, PriceBookError> {
    let mut wanted: BTreeMap<(String, String), NewPrice> = BTreeMap::new();
    let key = |price: &NewPrice| (price.provider.clone(), price.model.clone());
    let providers = settings.all_providers();
    for price in seed()?.into_iter().filter(|price| providers.contains_key(&price.provider)) {
        wanted.insert(key(&price), price);
    }
    for current in store.prices().await?.into_iter().filter(|current| providers.contains_key(&current.provider)) {
        let price = NewPrice { provider: current.provider, model: current.model, rates: current.rates, source: current.source };
        wanted.insert(key(&price), price);
    }
    for price in settings.prices()? {
        wanted.insert(key(&price), price);
    }
    put(store, settings, wanted.into_values()).await
}

/// Puts a list in force, from now on.
pub async fn import(store: &Store, settings: &Settings, text: &str) -> Result<usize, PriceBookError> {
    put(store, settings, parse_price_list(text)?.into_iter().map(listed)).await
}

async fn put(store: &Store, settings: &Settings, prices: impl Iterator<Item = NewPrice>) -> Result<usize, PriceBookError> {
    let providers = settings.all_providers();
    let budget = &settings.budget;
    let mut rows = Vec::new();
    for price in prices {
        if providers.get(&price.provider).is_some_and(|provider| provider.own_keys) {
            let rates = price.rates.charged(budget.own_key_percent);
            rows.push(NewPrice { provider: own(&price.provider), rates, ..price.clone() });
        }
        rows.push(NewPrice { rates: price.rates.charged(100 + budget.markup_percent), ..price });
    }
    Ok(store.set_prices(&rows).await?)
}

fn listed(price: ListedPrice) -> NewPrice {
    let source = format!("{} ({})", price.source, price.read_on);
    NewPrice { provider: price.provider, model: price.model, rates: price.rates, source }
}
