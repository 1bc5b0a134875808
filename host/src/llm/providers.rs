//! The model providers of this installation: where each is, what it speaks, and which of its keys the next request goes out with.
//!
//! Rows of keys are read at the start and again whenever one changed; a key is opened for one request at a time. A row that does not
//! open is reported, never guessed at.

use super::dialects::{Dialect, Endpoint};
use super::keys::mask::{self, Mask};
use super::keys::pool::{Lease, Outcome, Pick, Pool, Why};
use super::keys::{KeyId, KeyState, MasterKeys, StoredKey};
use crate::ledger::Route;
use crate::settings::Settings;
use crate::settings::models::ProviderSettings;
use crate::store::{Store, StoreError};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// How often a running process looks whether a key was added, drained or revoked.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);
/// The id of the key that stands in the settings, and of no key at all for a server that wants none.
const SETTINGS_KEY: &str = "settings";

/// A setting that keeps a provider from being used.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Keys and prompts would be readable on the way.
    #[error("`{0}` is plain http to another machine; use https, or http to 127.0.0.1 or localhost")]
    PlainHttp(String),
    /// No URL.
    #[error("`{0}` is not a URL; write something like http://127.0.0.1:11434/v1")]
    NotAUrl(String),
    /// The TLS library.
    #[error("the HTTP client can't start: {0}")]
    Client(reqwest::Error),
    /// The wrong master keys, or none.
    #[error(
        "none of the {count} stored keys of the providers can be opened: {why}. Set ATELIER_MASTER_KEYS (or ATELIER_MASTER_KEYS_FILE) to the master keys that sealed them; `atelier keys list` names the ids"
    )]
    NoKeyOpens {
        /// How many there are.
        count: usize,
        /// What happened to the first.
        why: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every provider by name.
pub struct Providers {
    by_name: BTreeMap<String, Provider>,
    master_keys: Option<MasterKeys>,
    changed_ms: AtomicI64,
    looked_at: Mutex<Option<Instant>>,
    /// What the log hides beside the stored keys.
    settings_secrets: Vec<SecretString>,
}

/// One of them.
pub struct Provider {
    /// What it speaks.
    pub dialect: Dialect,
    /// Its longest answer, in tokens.
    pub max_output_tokens: u64,
    settings: ProviderSettings,
    endpoint: Endpoint,
    pool: Pool,
    name: String,
}

/// A row that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which.
    pub id: KeyId,
    /// Why, without a byte of it.
    pub why: String,
}

/// What came of looking for a way out.
pub enum Way<'a> {
    /// This one.
    Open(Box<Opening<'a>>),
    /// All of them are busy for so long.
    Wait(Duration),
    /// None, and why the first one is not.
    Closed(Why),
    /// No provider is configured for this class.
    Nowhere,
}

/// A provider with a key, for one request.
pub struct Opening<'a> {
    /// Which of the routes that were asked for.
    pub number: usize,
    /// The provider.
    pub provider: &'a Provider,
    /// Where the request goes, with its key.
    pub endpoint: Endpoint,
    /// For the ledger.
    pub route: Route,
    /// Whether the user's own key is used.
    pub own_key: bool,
    lease: Lease,
}

impl Providers {
    /// The configured ones, with their stored keys.
    pub async fn open(settings: &Settings, store: &Store, master_keys: Option<MasterKeys>) -> Result<Providers, ProviderError> {
        let mut by_name = BTreeMap::new();
        for (name, settings) in settings.all_providers() {
            by_name.insert(name.clone(), Provider::new(name, settings)?);
        }
        let providers = Providers {
            by_name,
            master_keys,
            changed_ms: AtomicI64::new(-1),
            looked_at: Mutex::new(None),
            settings_secrets: settings.secrets(),
        };
        let keys = store.keys().await?;
        let usable = keys.iter().filter(|key| key.state == KeyState::Active).count();
        let unreadable = providers.take(keys);
        for row in &unreadable {
            tracing::warn!("key {} can't be used: {}", row.id, row.why);
        }
        match unreadable.first() {
            Some(first) if unreadable.len() == usable => Err(ProviderError::NoKeyOpens { count: usable, why: first.why.clone() }),
            _ => Ok(providers),
        }
    }

    /// A provider by name.
    pub fn get(&self, name: &str) -> Option<&Provider> {
        self.by_name.get(name)
    }

    /// Reads the rows again if one changed, at most every few seconds.
    pub async fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        {
            let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
            if looked_at.is_some_and(|time| time.elapsed() < REFRESH_INTERVAL) {
                return Ok(());
            }
            *looked_at = Some(Instant::now());
        }
        let changed_ms = store.keys_changed_ms().await?;
        if self.changed_ms.swap(changed_ms, Ordering::Relaxed) != changed_ms {
            self.take(store.keys().await?);
        }
        Ok(())
    }

    /// From now on these are the stored keys. Returns the active ones that do not open.
    fn take(&self, keys: Vec<StoredKey>) -> Vec<Unreadable> {
        let mut unreadable = Vec::new();
        let mut secrets = self.settings_secrets.clone();
        for key in &keys {
            match self.secret(key) {
                Ok(secret) => secrets.extend(secret),
                Err(why) if key.state == KeyState::Active => unreadable.push(Unreadable { id: key.id.clone(), why }),
                Err(_) => {}
            }
        }
        mask::process().replace(Mask::new(secrets.iter()));
        for provider in self.by_name.values() {
            // A user's own key that does not open stays in: without it the user would be charged for a shared one unasked.
            let usable = |key: &&StoredKey| key.provider == provider.name && (key.owner.is_none() || provider.settings.own_keys);
            let mut keys: Vec<StoredKey> = keys.iter().filter(usable).cloned().collect();
            keys.extend(provider.settings_key());
            provider.pool.replace(keys);
        }
        unreadable
    }

    /// The first of these routes that has a key to spare. Of those that were tried for this call the ones that may be asked again come
    /// last, the others not at all. A user who brought keys goes by them alone: where they fail, being charged for a shared one would be a surprise.
    pub fn way(&self, routes: &[(String, String)], owner: &str, tokens: u64, tried: &BTreeMap<usize, bool>) -> Way<'_> {
        let mut shortest: Option<Duration> = None;
        let mut reason = None;
        let again = tried.iter().filter(|(_, again)| **again).map(|(number, _)| *number);
        let order = (0..routes.len()).filter(|number| !tried.contains_key(number)).chain(again);
        let own = routes.iter().filter_map(|(name, _)| self.by_name.get(name)).any(|provider| provider.pool.owns(owner));
        for number in order {
            let Some((name, model)) = routes.get(number) else { continue };
            let Some(provider) = self.by_name.get(name).filter(|provider| !own || provider.pool.owns(owner)) else { continue };
            // A key that does not open is put aside by its pool, so this ends with the last key.
            loop {
                match provider.pool.pick(Instant::now(), Some(owner), tokens) {
                    Pick::Ready(lease) => {
                        if let Some(opening) = self.opening(number, provider, model, lease) {
                            return Way::Open(Box::new(opening));
                        }
                    }
                    Pick::Wait(wait) => {
                        shortest = Some(shortest.map_or(wait, |known| known.min(wait)));
                        break;
                    }
                    Pick::Unavailable(why) => {
                        // The preferred one's reason says most.
                        reason = reason.or(Some(why));
                        break;
                    }
                }
            }
        }
        match (shortest, reason) {
            (Some(wait), _) => Way::Wait(wait),
            (None, Some(why)) => Way::Closed(why),
            (None, None) => Way::Nowhere,
        }
    }

    fn opening<'a>(&self, number: usize, provider: &'a Provider, model: &str, lease: Lease) -> Option<Opening<'a>> {
        let from_settings = lease.key().id.as_str() == SETTINGS_KEY;
        let key = match from_settings {
            true => provider.settings.key.clone(),
            false => match self.secret(lease.key()) {
                Ok(secret) => secret,
                Err(why) => {
                    tracing::warn!("key {} does not open: {why}", lease.key().id);
                    provider.pool.report(Instant::now(), &lease, Outcome::KeyRefused);
                    return None;
                }
            },
        };
        let route =
            Route { provider: provider.name.clone(), model: model.to_owned(), key_id: (!from_settings).then(|| lease.key().id.0.clone()) };
        let own_key = lease.is_own();
        Some(Opening { number, provider, endpoint: Endpoint { key, ..provider.endpoint.clone() }, route, own_key, lease })
    }

    fn secret(&self, key: &StoredKey) -> Result<Option<SecretString>, String> {
        if key.sealed.is_empty() {
            return Ok(None);
        }
        let master_keys = self.master_keys.as_ref().ok_or("there are no master keys")?;
        master_keys.open(&key.provider, &key.id, key.version, &key.sealed).map(Some).map_err(|error| error.to_string())
    }
}

impl Opening<'_> {
    /// Tells how the request went, as far as the key and the provider are concerned. A key in the settings is never put aside for
    /// being refused: it can't be mended in the database, and whoever mends it starts the program anew.
    pub fn report(&self, outcome: Outcome) {
        let from_settings = self.route.key_id.is_none();
        if !(from_settings && matches!(outcome, Outcome::KeyRefused | Outcome::QuotaExhausted)) {
            self.provider.pool.report(Instant::now(), &self.lease, outcome);
        }
    }
}

/// No model answers with more.
pub const OUTPUT_TOKENS_MAX: u64 = 65_536;

impl Provider {
    fn new(name: String, settings: ProviderSettings) -> Result<Provider, ProviderError> {
        let parsed = reqwest::Url::parse(&settings.url).map_err(|_| ProviderError::NotAUrl(settings.url.clone()))?;
        let loopback = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match parsed.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(ProviderError::PlainHttp(settings.url)),
            _ => return Err(ProviderError::NotAUrl(settings.url)),
        }
        let endpoint = Endpoint {
            url: settings.url.trim_end_matches('/').to_owned(),
            key: None,
            key_header: settings.key_header.as_ref().map(|header| header.to_lowercase()),
            first_byte_timeout: Duration::from_secs(settings.first_byte_timeout_s),
            idle_timeout: Duration::from_secs(settings.idle_timeout_s),
        };
        let max_output_tokens = settings.max_output_tokens.unwrap_or(OUTPUT_TOKENS_MAX).min(OUTPUT_TOKENS_MAX);
        Ok(Provider { dialect: settings.dialect, max_output_tokens, endpoint, pool: Pool::new(&name), settings, name })
    }

    /// Where a request with this key would go, to check it.
    pub fn endpoint_with(&self, key: SecretString) -> Endpoint {
        Endpoint { key: Some(key), ..self.endpoint.clone() }
    }

    /// The key of the settings as a row of its own, so that it is limited and rested as the others are.
    fn settings_key(&self) -> Option<StoredKey> {
        (self.settings.key.is_some() || self.settings.keyless).then(|| StoredKey {
            id: KeyId(SETTINGS_KEY.to_owned()),
            provider: self.name.clone(),
            owner: None,
            label: String::new(),
            state: KeyState::Active,
            sealed: Vec::new(),
            kek_id: String::new(),
            version: 1,
            requests_per_minute: None,
            tokens_per_minute: None,
            created_ms: 0,
        })
    }
}
