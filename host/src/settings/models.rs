//! Which models there are: providers, classes and prices.

use super::{Settings, SettingsError};
use crate::ledger::{PicoUsdPerToken, Rates};
use crate::llm::dialects::Dialect;
use crate::store::ledger::prices::NewPrice;
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The provider that `[model]` and its variables describe.
pub const DEFAULT_PROVIDER: &str = "default";
/// Before a provider's name: what a call costs that goes out with the user's own key.
const OWN: &str = "own:";
/// A local model may have to load first.
const FIRST_BYTE_TIMEOUT_S: u64 = 300;
/// Between two pieces of an answer.
const IDLE_TIMEOUT_S: u64 = 60;

/// The model server of the quick path; further ones are `[providers.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// `ATELIER_MODEL_URL`: the base URL of the server, such as `http://127.0.0.1:11434/v1`. No default.
    pub url: Option<String>,
    /// `ATELIER_MODEL_DIALECT`: what it speaks: `openai` (and everything compatible), `anthropic`, `gemini` or `ollama`. Default `openai`.
    #[serde(default)]
    pub dialect: Dialect,
    /// `ATELIER_MODEL_KEY`: the key, if the server wants one.
    pub key: Option<SecretString>,
    /// `ATELIER_MODEL_NAME`: the model for every class that `[classes]` does not map.
    pub name: Option<String>,
    /// `ATELIER_MODEL_PRICE`: `INPUT/OUTPUT` in US dollars for a million tokens, such as `0.50/1.50`; `0/0` is a model that is free.
    pub price: Option<String>,
    /// `ATELIER_MODEL_KEY_HEADER`: the header that carries the key. `authorization` sends `Bearer KEY`, any other sends the key alone.
    /// Default: what the dialect wants.
    pub key_header: Option<String>,
    /// `ATELIER_MODEL_FIRST_BYTE_TIMEOUT_S`: how long the first byte may take, in seconds. Default 300: a local model may have to load first.
    pub first_byte_timeout_s: u64,
    /// `ATELIER_MODEL_IDLE_TIMEOUT_S`: how long a stream may be silent, in seconds. Default 60.
    pub idle_timeout_s: u64,
}

/// `[providers.NAME]`: a model provider. Its keys are added with `atelier keys add NAME`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// What it speaks: `openai`, `anthropic`, `gemini` or `ollama`.
    pub dialect: Dialect,
    /// Its base URL, with the version: `https://api.anthropic.com/v1`.
    pub url: String,
    /// Whether it wants no key at all, as a local server. Default false.
    #[serde(default)]
    pub keyless: bool,
    /// The header that carries the key. Default: what the dialect wants.
    pub key_header: Option<String>,
    /// How long the first byte may take, in seconds. Default 300.
    #[serde(default = "first_byte_timeout_s")]
    pub first_byte_timeout_s: u64,
    /// How long a stream may be silent, in seconds. Default 60.
    #[serde(default = "idle_timeout_s")]
    pub idle_timeout_s: u64,
    /// The longest answer of its models, in tokens; more is never asked for. Default: 65536.
    pub max_output_tokens: Option<u64>,
    /// Whether users may bring their own keys. Default false.
    #[serde(default)]
    pub own_keys: bool,
    /// The key of `[model]`; a provider in the file has its keys in the database, sealed.
    #[serde(skip)]
    pub key: Option<SecretString>,
}

fn first_byte_timeout_s() -> u64 {
    FIRST_BYTE_TIMEOUT_S
}

fn idle_timeout_s() -> u64 {
    IDLE_TIMEOUT_S
}

/// The models of a class, the preferred one first.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Models {
    /// One.
    One(String),
    /// Several: the next is taken where the one before does not answer.
    Several(Vec<String>),
}

/// A price in the settings file, in US dollars for a million tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSetting {
    /// Uncached input.
    pub input: String,
    /// Output.
    pub output: String,
    /// Input read from the cache; default: as `input`.
    pub cached_input: Option<String>,
    /// Input written to the cache; default: as `input`.
    pub cache_write: Option<String>,
}

/// The name that a provider's prices have for calls with a user's own key.
pub fn own(provider: &str) -> String {
    format!("{OWN}{provider}")
}

impl Settings {
    /// Every provider by name, `[model]` as `default`.
    pub fn all_providers(&self) -> BTreeMap<String, ProviderSettings> {
        let mut providers = self.providers.clone();
        if let Some(url) = &self.model.url {
            let model = &self.model;
            let provider = ProviderSettings {
                dialect: model.dialect,
                url: url.clone(),
                keyless: true,
                key_header: model.key_header.clone(),
                first_byte_timeout_s: model.first_byte_timeout_s,
                idle_timeout_s: model.idle_timeout_s,
                max_output_tokens: None,
                own_keys: false,
                key: model.key.clone(),
            };
            providers.insert(DEFAULT_PROVIDER.to_owned(), provider);
        }
        providers
    }

    /// The models behind a class as provider and model, the preferred one first.
    pub fn models_of(&self, class: &str) -> Vec<(String, String)> {
        match self.classes.get(class) {
            Some(Models::One(model)) => vec![self.split(model)],
            Some(Models::Several(models)) => models.iter().map(|model| self.split(model)).collect(),
            None => self.model.name.iter().map(|model| (DEFAULT_PROVIDER.to_owned(), model.clone())).collect(),
        }
    }

    /// `PROVIDER/MODEL` where there is such a provider; anything else is a model of `[model]`'s server, whatever slashes it has.
    fn split(&self, model: &str) -> (String, String) {
        match model.split_once('/') {
            Some((provider, model)) if self.providers.contains_key(provider) => (provider.to_owned(), model.to_owned()),
            _ => (DEFAULT_PROVIDER.to_owned(), model.to_owned()),
        }
    }

    /// Every price of the settings.
    pub fn prices(&self) -> Result<Vec<NewPrice>, SettingsError> {
        let mut prices = Vec::new();
        for (name, price) in &self.prices {
            let [input, output] = [usd(&price.input)?, usd(&price.output)?];
            let cached_input = price.cached_input.as_deref().map_or(Ok(input), usd)?;
            let cache_write = price.cache_write.as_deref().map_or(Ok(input), usd)?;
            let (provider, model) = self.split(name);
            prices.push(NewPrice {
                provider,
                model,
                rates: Rates { cached_input, cache_write, ..Rates::simple(input, output) },
                source: source(),
            });
        }
        if let (Some(model), Some(price)) = (&self.model.name, &self.model.price) {
            let (input, output) = price.split_once('/').ok_or_else(|| {
                SettingsError(format!(
                    "ATELIER_MODEL_PRICE is `{price}`; write INPUT/OUTPUT in US dollars for a million tokens, such as `0.50/1.50`"
                ))
            })?;
            let (provider, model, rates) = (DEFAULT_PROVIDER.to_owned(), model.clone(), Rates::simple(usd(input)?, usd(output)?));
            prices.push(NewPrice { provider, model, rates, source: source() });
        }
        Ok(prices)
    }

    /// Fails with the ways to configure a model where none is.
    pub fn require_model(&self) -> Result<(), SettingsError> {
        match (self.all_providers().is_empty(), self.model.name.is_some() || !self.classes.is_empty()) {
            (false, true) => Ok(()),
            _ => Err(SettingsError(NO_MODEL.to_owned())),
        }
    }

    /// Fails where the names and references of providers and classes make no sense.
    pub(super) fn check_models(&self) -> Result<(), SettingsError> {
        for name in self.providers.keys() {
            let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            if !plain || name == DEFAULT_PROVIDER {
                return Err(SettingsError(format!(
                    "[providers.{name}]: a provider's name is made of a-z, 0-9 and `-`, and is not `{DEFAULT_PROVIDER}`, which is the server of [model]"
                )));
            }
        }
        for (class, models) in &self.classes {
            let empty = matches!(models, Models::Several(models) if models.is_empty());
            if empty {
                return Err(SettingsError(format!("[classes] {class} = []: name at least one model, or leave the line out")));
            }
        }
        self.prices().map(|_| ())
    }
}

fn source() -> String {
    "settings".to_owned()
}

/// What a newcomer needs to read when nothing is configured.
const NO_MODEL: &str = "no model is configured. Choose one of four ways:
  1. A local server, such as Ollama:
       export ATELIER_MODEL_URL=http://127.0.0.1:11434/v1 ATELIER_MODEL_NAME=qwen2.5-coder:14b ATELIER_MODEL_PRICE=0/0
  2. A provider with an OpenAI-compatible API and a key (price in US dollars for a million tokens, input/output):
       export ATELIER_MODEL_URL=https://PROVIDER/v1 ATELIER_MODEL_KEY=... ATELIER_MODEL_NAME=MODEL ATELIER_MODEL_PRICE=0.50/1.50
  3. Several providers, with keys sealed in the database: [providers.NAME] and [classes] in atelier.toml, then `atelier keys add NAME`.
  4. No model at hand: `atelier demo` (or `make demo`) replays a recorded run through the same code.";

fn usd(text: &str) -> Result<PicoUsdPerToken, SettingsError> {
    text.parse().map_err(|error| SettingsError(format!("price: {error} (US dollars for a million tokens)")))
}
