//! The keys that open the providers. A key is sealed before it is stored ([`envelope`], with the operator's [`master_keys`]), opened
//! for one call at a time, chosen by what its provider allows ([`pool`]), and blotted out wherever it might show all the same
//! ([`mask`]).
//!
//! A [`StoredKey`] is a row: what is known of a key without opening it. Nothing here reads a database, a clock or a file, and
//! nothing but [`MasterKeys::open`] makes a secret readable.

pub mod envelope;
pub mod mask;
pub mod master_keys;
pub mod pool;

use chacha20poly1305::aead::Generate;
pub use envelope::{EnvelopeError, kek_of};
pub use master_keys::{MasterKeys, MasterKeysError};
use std::fmt;

/// What a key is called. Random and not secret: operators see it in listings, and a key's seal is bound to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub String);

impl KeyId {
    /// A new one. Its 64 random bits are enough that no two of a million keys meet, and few enough to be read aloud.
    pub fn random() -> KeyId {
        KeyId(format!("key-{:016x}", u64::generate()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How far a key is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Calls are made with it.
    Active,
    /// Calls under way finish with it; no new one begins.
    Draining,
    /// Never used again.
    Revoked,
}

impl KeyState {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyState::Active => "active",
            KeyState::Draining => "draining",
            KeyState::Revoked => "revoked",
        }
    }

    /// From what was stored. `None` for any other word, and a key with an unknown state must not be used.
    pub fn parse(text: &str) -> Option<KeyState> {
        [KeyState::Active, KeyState::Draining, KeyState::Revoked].into_iter().find(|state| state.as_str() == text)
    }
}

/// A key as it is stored: everything about it, and its secret only sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name; part of its seal.
    pub id: KeyId,
    /// Whom it opens; part of its seal.
    pub provider: String,
    /// The wallet whose own key it is. `None` is a shared key of the operator.
    pub owner: Option<String>,
    /// What its owner calls it.
    pub label: String,
    /// Whether it may be used.
    pub state: KeyState,
    /// The secret, as [`MasterKeys::seal`] made it.
    pub sealed: Vec<u8>,
    /// The master key that it is sealed with, for listings; the seal says so too and decides.
    pub kek_id: String,
    /// Goes up whenever the secret changes; part of its seal. A new version has a clean record with the pool.
    pub version: i64,
    /// What the provider allows, in requests. `None` is no limit known; 0 keeps the key from being used.
    pub requests_per_minute: Option<u32>,
    /// What the provider allows, in tokens of input and output. `None` is no limit known; 0 keeps the key from being used.
    pub tokens_per_minute: Option<u32>,
    /// When it was added.
    pub created_ms: i64,
}

impl fmt::Debug for StoredKey {
    /// Without the seal: it is of no use in a log, and without the owner and label, which are a user's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoredKey")
            .field("id", &self.id.0)
            .field("provider", &self.provider)
            .field("state", &self.state)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written_and_no_other_word_is() {
        for state in [KeyState::Active, KeyState::Draining, KeyState::Revoked] {
            assert_eq!(KeyState::parse(state.as_str()), Some(state));
        }
        for word in ["", "Active", "active ", "deleted"] {
            assert_eq!(KeyState::parse(word), None, "{word:?}");
        }
    }

    #[test]
    fn key_ids_are_short_and_differ() {
        let ids: std::collections::BTreeSet<KeyId> = (0..1000).map(|_| KeyId::random()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.as_str().len() == "key-0123456789abcdef".len()), "{ids:?}");
    }

    #[test]
    fn a_row_prints_neither_seal_nor_owner() {
        let key = StoredKey {
            id: KeyId("key-1".to_owned()),
            provider: "openai".to_owned(),
            owner: Some("wallet-7".to_owned()),
            label: "my own".to_owned(),
            state: KeyState::Active,
            sealed: vec![201, 202, 203],
            kek_id: "k1".to_owned(),
            version: 1,
            requests_per_minute: None,
            tokens_per_minute: None,
            created_ms: 0,
        };
        assert_eq!(format!("{key:?}"), r#"StoredKey { id: "key-1", provider: "openai", state: Active, version: 1, .. }"#);
    }
}
