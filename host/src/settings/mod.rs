//! Settings: one struct per concern, each field with its variable, default and unit. Read once at the start from
//! `atelier.toml` and then from the environment, which wins. Secrets print as dots.

mod budget;
mod index;
pub mod models;
mod telegram;

use crate::llm::keys::MasterKeys;
use crate::plugins::limits::AGENT_RUNS_MAX;
pub use budget::{BudgetAmounts, BudgetSettings};
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
pub use index::{EmbedderSetting, IndexSettings};
use models::{ModelSettings, Models, PriceSetting, ProviderSettings};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
pub use telegram::TelegramSettings;

/// The settings file looked for in the current directory.
pub const FILE_NAME: &str = "atelier.toml";

/// Every environment variable and the setting it sets. The reference in the documents is checked against this table.
pub const VARIABLES: &[(&str, &str)] = &[
    ("ATELIER_DATA_DIR", "data_dir"),
    ("ATELIER_LOG", "log"),
    ("ATELIER_DATABASE_URL", "database_url"),
    ("ATELIER_EMBEDDER", "index.embedder"),
    ("ATELIER_QDRANT_URL", "index.qdrant_url"),
    ("ATELIER_QDRANT_KEY", "index.qdrant_key"),
    ("ATELIER_TELEGRAM_TOKEN", "telegram.token"),
    ("ATELIER_TELEGRAM_USERS", "telegram.users"),
    ("ATELIER_TELEGRAM_OPERATORS", "telegram.operators"),
    ("ATELIER_TELEGRAM_PROJECTS_MAX", "telegram.projects_max"),
    ("ATELIER_TELEGRAM_CREDITS_PER_STAR", "telegram.credits_per_star"),
    ("ATELIER_TELEGRAM_STAR_PACKS", "telegram.star_packs"),
    ("ATELIER_TELEGRAM_WEBHOOK_URL", "telegram.webhook_url"),
    ("ATELIER_TELEGRAM_WEBHOOK_LISTEN", "telegram.webhook_listen"),
    ("ATELIER_TELEGRAM_API_URL", "telegram.api_url"),
    ("ATELIER_WORKER_SLOTS", "worker_slots"),
    ("ATELIER_QUEUE_MAX", "queue_max"),
    ("ATELIER_LEASE_S", "lease_s"),
    ("ATELIER_JOURNAL_DAYS", "journal_days"),
    ("ATELIER_PARALLEL_TASKS", "parallel_tasks"),
    ("ATELIER_MASTER_KEYS", "master_keys"),
    ("ATELIER_MASTER_KEYS_FILE", "master_keys_file"),
    ("ATELIER_MODEL_URL", "model.url"),
    ("ATELIER_MODEL_DIALECT", "model.dialect"),
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
    ("ATELIER_DAILY_LIMIT", "budget.daily_limit"),
    ("ATELIER_MONTHLY_LIMIT", "budget.monthly_limit"),
    ("ATELIER_REFUND_LIMIT", "budget.refund_limit"),
    ("ATELIER_CALLS_PER_PROJECT", "budget.calls_per_project"),
    ("ATELIER_MARKUP_PERCENT", "budget.markup_percent"),
    ("ATELIER_OWN_KEY_PERCENT", "budget.own_key_percent"),
    ("ATELIER_PAUSE_PERCENT", "budget.pause_percent"),
];

/// How the settings end that are numbers; the others are texts, amounts among them.
const NUMBERS: &[&str] = &["_s", "_percent", "_per_project", "parallel_tasks", "queue_max", "projects_max", "worker_slots", "_days"];

/// Shorter than the least, and a busy machine loses its steps; longer than the most, and they wait too long for another.
const LEASE_S: RangeInclusive<u64> = 2..=600;

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `ATELIER_DATA_DIR`: where the database, the pinned plugins and the compile cache live. Default `.atelier`.
    pub data_dir: PathBuf,
    /// `ATELIER_LOG`: what is logged to standard error, in `tracing` filter form. Default `warn`.
    pub log: String,
    /// `ATELIER_DATABASE_URL`: `postgres://USER:PASSWORD@HOST/DATABASE`. Default: a SQLite file in the data directory.
    pub database_url: Option<SecretString>,
    /// What the code index uses beside words.
    #[serde(default)]
    pub index: IndexSettings,
    /// The Telegram bot.
    #[serde(default)]
    pub telegram: TelegramSettings,
    /// `ATELIER_PARALLEL_TASKS`: tasks of one project that are worked on at one time, where the plan lets them. Default 4.
    pub parallel_tasks: usize,
    /// `ATELIER_WORKER_SLOTS`: steps that `atelier serve` works on at one time; most of a step's time is a model's. Default 32.
    pub worker_slots: usize,
    /// `ATELIER_LEASE_S`: how long a step may be without a sign of life of its worker before another one takes it, in seconds; what is
    /// shorter is no more than a pause. A process that died is noticed sooner. Default 15.
    pub lease_s: u64,
    /// `ATELIER_JOURNAL_DAYS`: how long after a project's end its runs can be replayed, in days; 0 keeps their journals for ever. Default 90.
    pub journal_days: u64,
    /// `ATELIER_QUEUE_MAX`: steps that may wait for a worker before no project is begun any more. Default 10,000.
    pub queue_max: u64,
    /// `ATELIER_MASTER_KEYS`: what the providers' keys are sealed with: `ID:BASE64`, the one that seals first, older ones after it,
    /// separated by commas. Default: what is in `master_keys_file`.
    pub master_keys: Option<SecretString>,
    /// `ATELIER_MASTER_KEYS_FILE`: a file with master keys, one a line. Default: `master.keys` in the data directory, made when the first
    /// key is added.
    pub master_keys_file: Option<PathBuf>,
    /// The model server of the quick path.
    pub model: ModelSettings,
    /// Further model providers by name.
    #[serde(default)]
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Prices by model or `PROVIDER/MODEL`, for models other than `model.name`.
    #[serde(default)]
    pub prices: BTreeMap<String, PriceSetting>,
    /// Model class → model or `PROVIDER/MODEL`, or a list of them, the preferred one first; what is missing uses `model.name`.
    #[serde(default)]
    pub classes: BTreeMap<String, Models>,
    /// How much may be spent.
    pub budget: BudgetSettings,
    /// What is left out, to measure what it is worth.
    #[serde(default)]
    pub without: Without,
    /// Settings handed to plugins: plugin name → name → value.
    #[serde(default)]
    pub plugin_settings: BTreeMap<String, BTreeMap<String, String>>,
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
    parallel_tasks: usize,
    worker_slots: usize,
    lease_s: u64,
    journal_days: u64,
    queue_max: u64,
    model: ModelDefaults,
    budget: BudgetSettings,
}

#[derive(Serialize)]
struct ModelDefaults {
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
            parallel_tasks: 4,
            worker_slots: 32,
            lease_s: 15,
            journal_days: 90,
            queue_max: 10_000,
            model: ModelDefaults { first_byte_timeout_s: 300, idle_timeout_s: 60 },
            budget: BudgetSettings::default(),
        };
        let mut figment = Figment::from(Serialized::defaults(defaults));
        if file.exists() {
            figment = figment.merge(Toml::file_exact(file));
        }
        for (name, key) in VARIABLES {
            let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
            figment = match value.parse::<u64>() {
                Ok(number) if NUMBERS.iter().any(|ending| key.ends_with(ending)) => figment.merge(Serialized::default(key, number)),
                _ => figment.merge(Serialized::default(key, value)),
            };
        }
        let settings: Settings = figment.extract().map_err(|error| SettingsError(error.to_string()))?;
        settings.check()?;
        Ok(settings)
    }

    /// Whether what is set makes sense together.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.budget.amounts()?;
        self.telegram.check()?;
        self.index.embedder()?;
        let runs = [("ATELIER_PARALLEL_TASKS", self.parallel_tasks), ("ATELIER_WORKER_SLOTS", self.worker_slots)];
        if let Some((name, value)) = runs.into_iter().find(|(_, value)| !(1..=AGENT_RUNS_MAX).contains(value)) {
            return Err(SettingsError(format!("{name} is {value}; it must be 1 to {AGENT_RUNS_MAX}")));
        }
        if !LEASE_S.contains(&self.lease_s) {
            let (least, most) = (LEASE_S.start(), LEASE_S.end());
            return Err(SettingsError(format!("ATELIER_LEASE_S is {}; it must be {least} to {most}", self.lease_s)));
        }
        self.check_models()
    }
}

/// The file of master keys in the data directory.
pub const MASTER_KEYS_FILE: &str = "master.keys";

impl Settings {
    /// Every secret of the settings, to be masked wherever it might show: whole, and the part of it that is of use by itself.
    pub fn secrets(&self) -> Vec<SecretString> {
        let mut secrets: Vec<SecretString> =
            [&self.database_url, &self.model.key, &self.telegram.token, &self.index.qdrant_key].into_iter().flatten().cloned().collect();
        if let Some(url) = &self.database_url {
            let user = url.expose_secret().split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
            secrets.extend(user.and_then(|user| user.split_once(':')).map(|(_, password)| SecretString::from(password)));
        }
        // What can't be read is reported where it is needed; here it only can't be hidden.
        if let Ok(Some(text)) = self.master_keys_text() {
            let entries = text.expose_secret().split([',', '\n']).filter_map(|entry| entry.split_once(':'));
            secrets.extend(entries.map(|(_, key)| SecretString::from(key.trim())));
        }
        secrets
    }

    /// Where the master keys are read from, unless they are given in the environment.
    pub fn master_keys_path(&self) -> PathBuf {
        self.master_keys_file.clone().unwrap_or_else(|| self.data_dir.join(MASTER_KEYS_FILE))
    }

    /// The master keys, if there are any.
    pub fn read_master_keys(&self) -> Result<Option<MasterKeys>, SettingsError> {
        let keys = self.master_keys_text()?.map(|text| MasterKeys::parse(&text)).transpose();
        keys.map_err(|error| SettingsError(format!("the master keys: {error}")))
    }

    fn master_keys_text(&self) -> Result<Option<SecretString>, SettingsError> {
        let path = self.master_keys_path();
        match &self.master_keys {
            Some(text) => Ok(Some(text.clone())),
            None if path.exists() => {
                let text = std::fs::read_to_string(&path).map_err(|error| SettingsError(format!("{}: {error}", path.display())))?;
                Ok(Some(SecretString::from(text)))
            }
            None => Ok(None),
        }
    }
}

/// A setting that makes no sense, or one that is missing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub(crate) String);

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
        assert_eq!(settings.models_of("coder"), [("default".to_owned(), "b".to_owned())]);
    }

    #[test]
    fn a_class_can_have_a_model_of_its_own() {
        let settings = load("[classes]\ncoder = \"big\"", &[("ATELIER_MODEL_NAME", "small")]).expect("settings");
        let model = |class| settings.models_of(class).into_iter().map(|(_, model)| model).collect::<Vec<_>>();
        assert_eq!((model("coder"), model("fast")), (vec!["big".to_owned()], vec!["small".to_owned()]));
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
    fn what_is_hidden_is_also_hidden_in_parts() {
        let variables = [("ATELIER_DATABASE_URL", "postgres://me:canary-p@h/d"), ("ATELIER_MASTER_KEYS", "m2:canary-b=,m1:canary-a=")];
        let secrets = load("", &variables).expect("settings").secrets();
        for part in ["postgres://me:canary-p@h/d", "canary-p", "canary-a=", "canary-b="] {
            assert!(secrets.iter().any(|secret| secret.expose_secret() == part), "{part}");
        }
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
