//! Settings: one struct per concern, each field with its variable, default and unit. Read once at the start from
//! `atelier.toml` and then from the environment, which wins. Secrets print as dots.

use crate::ledger::{NanoUsd, PicoUsdPerToken, Rates};
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The settings file looked for in the current directory.
pub const FILE_NAME: &str = "atelier.toml";

/// Every environment variable and the setting it sets. The reference in the documents is checked against this table.
pub const VARIABLES: &[(&str, &str)] = &[
    ("ATELIER_DATA_DIR", "data_dir"),
    ("ATELIER_LOG", "log"),
    ("ATELIER_MODEL_URL", "model.url"),
    ("ATELIER_MODEL_KEY", "model.key"),
    ("ATELIER_MODEL_NAME", "model.name"),
    ("ATELIER_MODEL_PRICE", "model.price"),
    ("ATELIER_MODEL_KEY_HEADER", "model.key_header"),
    ("ATELIER_MODEL_FIRST_BYTE_TIMEOUT_S", "model.first_byte_timeout_s"),
    ("ATELIER_MODEL_IDLE_TIMEOUT_S", "model.idle_timeout_s"),
    ("ATELIER_DEFAULT_GRANT", "budget.default_grant"),
    ("ATELIER_PRE_APPROVAL_LIMIT", "budget.pre_approval_limit"),
    ("ATELIER_TASK_LIMIT", "budget.task_limit"),
    ("ATELIER_RUN_LIMIT", "budget.run_limit"),
];

/// Everything that can be set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `ATELIER_DATA_DIR`: where the database, the pinned plugins and the compile cache live. Default `.atelier`.
    pub data_dir: PathBuf,
    /// `ATELIER_LOG`: what is logged to standard error, in `tracing` filter form. Default `warn`.
    pub log: String,
    /// The model server.
    pub model: ModelSettings,
    /// Prices by model name, for models other than `model.name`.
    #[serde(default)]
    pub prices: BTreeMap<String, PriceSetting>,
    /// Model class → model name; what is missing uses `model.name`.
    #[serde(default)]
    pub classes: BTreeMap<String, String>,
    /// How much may be spent.
    pub budget: BudgetSettings,
    /// What is left out, to measure what it is worth.
    #[serde(default)]
    pub without: Without,
    /// Settings handed to plugins: plugin name → name → value.
    #[serde(default)]
    pub plugin_settings: BTreeMap<String, BTreeMap<String, String>>,
}

/// The model server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// `ATELIER_MODEL_URL`: the base URL of an OpenAI-compatible server, such as `http://127.0.0.1:11434/v1`. No default.
    pub url: Option<String>,
    /// `ATELIER_MODEL_KEY`: the key, if the server wants one.
    pub key: Option<SecretString>,
    /// `ATELIER_MODEL_NAME`: the model for every class that `[classes]` does not map.
    pub name: Option<String>,
    /// `ATELIER_MODEL_PRICE`: `INPUT/OUTPUT` in US dollars for a million tokens, such as `0.50/1.50`; `0/0` is a model that is free.
    pub price: Option<String>,
    /// `ATELIER_MODEL_KEY_HEADER`: the header that carries the key. `authorization` sends `Bearer KEY`, any other sends the key alone.
    pub key_header: String,
    /// `ATELIER_MODEL_FIRST_BYTE_TIMEOUT_S`: how long the first byte may take, in seconds. Default 300: a local model may have to load first.
    pub first_byte_timeout_s: u64,
    /// `ATELIER_MODEL_IDLE_TIMEOUT_S`: how long a stream may be silent, in seconds. Default 60.
    pub idle_timeout_s: u64,
}

/// A price in the settings file, in US dollars for a million tokens.
#[derive(Debug, Deserialize)]
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

/// How much may be spent, in credits (1 credit = 0.001 US dollars).
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetSettings {
    /// `ATELIER_DEFAULT_GRANT`: what a new user gets. Default 10000.
    pub default_grant: String,
    /// `ATELIER_PRE_APPROVAL_LIMIT`: what may be spent on questions and plan before the user sees a price. Counts into the ceiling. Default 500.
    pub pre_approval_limit: String,
    /// `ATELIER_TASK_LIMIT`: what one task may spend over all its tries. Default 2000.
    pub task_limit: String,
    /// `ATELIER_RUN_LIMIT`: what one call of an agent may spend. Default 1000.
    pub run_limit: String,
}

/// Parts that can be left out to measure what they are worth. In production nothing is.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Without {
    /// `without.verifier`: tasks are accepted by their checks alone. Default false.
    pub verifier: bool,
    /// `without.parse_gate`: files that do not parse are written all the same. Default false.
    pub parse_gate: bool,
    /// `without.index`: the code index and its map answer with nothing. Default false.
    pub index: bool,
}

/// Defaults, in the shape of the file.
#[derive(Serialize)]
struct Defaults {
    data_dir: &'static str,
    log: &'static str,
    model: ModelDefaults,
    budget: BudgetSettings,
}

#[derive(Serialize)]
struct ModelDefaults {
    key_header: &'static str,
    first_byte_timeout_s: u64,
    idle_timeout_s: u64,
}

impl Settings {
    /// Reads the file (if it is there), then the environment.
    pub fn load(file: &Path) -> Result<Settings, SettingsError> {
        Settings::from_sources(file, |name| std::env::var(name).ok())
    }

    /// As [`Settings::load`], with the environment passed in.
    pub fn from_sources(file: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let defaults = Defaults {
            data_dir: ".atelier",
            log: "warn",
            model: ModelDefaults { key_header: "authorization", first_byte_timeout_s: 300, idle_timeout_s: 60 },
            budget: BudgetSettings {
                default_grant: "10000".into(),
                pre_approval_limit: "500".into(),
                task_limit: "2000".into(),
                run_limit: "1000".into(),
            },
        };
        let mut figment = Figment::from(Serialized::defaults(defaults));
        if file.exists() {
            figment = figment.merge(Toml::file_exact(file));
        }
        for (name, key) in VARIABLES {
            let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
            figment = match value.parse::<u64>() {
                Ok(number) if key.ends_with("_s") => figment.merge(Serialized::default(key, number)),
                _ => figment.merge(Serialized::default(key, value)),
            };
        }
        let settings: Settings = figment.extract().map_err(|error| SettingsError(error.to_string()))?;
        settings.budget.amounts()?;
        settings.rates()?;
        Ok(settings)
    }

    /// The model behind a class.
    pub fn model_of(&self, class: &str) -> Option<&str> {
        self.classes.get(class).or(self.model.name.as_ref()).map(String::as_str)
    }

    /// Every model that has a price.
    pub fn rates(&self) -> Result<BTreeMap<String, Rates>, SettingsError> {
        let mut rates = BTreeMap::new();
        for (model, price) in &self.prices {
            let [input, output] = [usd(&price.input)?, usd(&price.output)?];
            let cached_input = price.cached_input.as_deref().map_or(Ok(input), usd)?;
            let cache_write = price.cache_write.as_deref().map_or(Ok(input), usd)?;
            rates.insert(model.clone(), Rates { input, cached_input, cache_write, output });
        }
        if let (Some(name), Some(price)) = (&self.model.name, &self.model.price) {
            let (input, output) = price.split_once('/').ok_or_else(|| {
                SettingsError(format!(
                    "ATELIER_MODEL_PRICE is `{price}`; write INPUT/OUTPUT in US dollars for a million tokens, such as `0.50/1.50`"
                ))
            })?;
            rates.insert(name.clone(), Rates::simple(usd(input)?, usd(output)?));
        }
        Ok(rates)
    }

    /// Fails with the three ways to configure a model where none is.
    pub fn require_model(&self) -> Result<(), SettingsError> {
        match (&self.model.url, &self.model.name) {
            (Some(_), Some(_)) => Ok(()),
            _ => Err(SettingsError(NO_MODEL.to_owned())),
        }
    }
}

/// What a newcomer needs to read when nothing is configured.
const NO_MODEL: &str = "no model is configured. Choose one of three ways:
  1. A local server, such as Ollama:
       export ATELIER_MODEL_URL=http://127.0.0.1:11434/v1 ATELIER_MODEL_NAME=qwen2.5-coder:14b ATELIER_MODEL_PRICE=0/0
  2. A provider with an OpenAI-compatible API and a key (price in US dollars for a million tokens, input/output):
       export ATELIER_MODEL_URL=https://PROVIDER/v1 ATELIER_MODEL_KEY=... ATELIER_MODEL_NAME=MODEL ATELIER_MODEL_PRICE=0.50/1.50
  3. No model at hand: `atelier demo` (or `make demo`) replays a recorded run through the same code.";

impl BudgetSettings {
    /// All four, read.
    pub fn amounts(&self) -> Result<BudgetAmounts, SettingsError> {
        let read = |text: &str| text.parse::<NanoUsd>().map_err(|error| SettingsError(format!("[budget] {error}")));
        Ok(BudgetAmounts {
            default_grant: read(&self.default_grant)?,
            pre_approval_limit: read(&self.pre_approval_limit)?,
            task_limit: read(&self.task_limit)?,
            run_limit: read(&self.run_limit)?,
        })
    }
}

/// [`BudgetSettings`] as amounts.
#[derive(Clone, Copy, Debug)]
pub struct BudgetAmounts {
    /// For a new user.
    pub default_grant: NanoUsd,
    /// Before the quote is accepted.
    pub pre_approval_limit: NanoUsd,
    /// For one task.
    pub task_limit: NanoUsd,
    /// For one run.
    pub run_limit: NanoUsd,
}

/// A setting that makes no sense, or one that is missing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

fn usd(text: &str) -> Result<PicoUsdPerToken, SettingsError> {
    text.parse().map_err(|error| SettingsError(format!("price: {error} (US dollars for a million tokens)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE_NAME);
        std::fs::write(&path, file).expect("the file");
        Settings::from_sources(&path, |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let settings = load("[model]\nname = \"a\"\nurl = \"http://127.0.0.1:1/v1\"", &[("ATELIER_MODEL_NAME", "b")]).expect("settings");
        assert_eq!(settings.model_of("coder"), Some("b"));
    }

    #[test]
    fn a_class_can_have_a_model_of_its_own() {
        let settings = load("[classes]\ncoder = \"big\"", &[("ATELIER_MODEL_NAME", "small")]).expect("settings");
        assert_eq!((settings.model_of("coder"), settings.model_of("fast")), (Some("big"), Some("small")));
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(load("[model]\nurll = \"x\"", &[]).expect_err("an error").to_string().contains("urll"));
    }

    #[test]
    fn a_key_never_shows() {
        let settings = load("", &[("ATELIER_MODEL_KEY", "sk-canary")]).expect("settings");
        assert!(!format!("{settings:?}").contains("canary"));
    }

    #[test]
    fn a_price_in_the_wrong_form_says_which_form_is_right() {
        let error = load("", &[("ATELIER_MODEL_NAME", "m"), ("ATELIER_MODEL_PRICE", "free")]).expect_err("an error");
        assert!(error.to_string().contains("INPUT/OUTPUT"));
    }

    #[test]
    fn without_a_model_the_three_ways_are_shown() {
        let error = load("", &[]).expect("settings").require_model().expect_err("an error").to_string();
        for way in ["Ollama", "ATELIER_MODEL_KEY", "atelier demo"] {
            assert!(error.contains(way), "{way}");
        }
    }
}
