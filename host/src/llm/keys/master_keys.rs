//! The keys that seal the providers' keys. An operator keeps them outside of the database, as lines of `ID:BASE64`; the first one
//! writes, all of them read. How they seal is in `envelope.rs`.
//!
//! It refuses to say anything about a master key but its id, and that only once the whole entry made sense: no error and no `Debug`
//! here holds a byte of one. It reads no file and no variable.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Generate, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};
use std::fmt;

/// Master keys known at a time. A rotation needs two; a list that grows beyond this was never cleaned up after rewrapping.
pub const MASTER_KEYS_MAX: usize = 16;
/// Letters of a master key's id; it is a name, not a description.
pub const MASTER_KEY_ID_LENGTH_MAX: usize = 32;

/// What the cipher wants.
const MASTER_KEY_BYTES: usize = 32;

/// The keys that seal keys. Prints as dots.
pub struct MasterKeys {
    /// Not empty; the first one writes.
    keys: Vec<MasterKey>,
}

/// One of them.
pub(super) struct MasterKey {
    id: String,
    bytes: SecretBox<[u8; MASTER_KEY_BYTES]>,
}

/// Why a list of master keys can't be used. Entries are counted from 1, in the order they are written; what they hold is not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeysError {
    /// There is nothing to seal with.
    #[error("there is no master key; make one with `atelier keys master` and keep it outside of the database")]
    Empty,
    /// More than [`MASTER_KEYS_MAX`].
    #[error("there are more than {MASTER_KEYS_MAX} master keys; rewrap and remove the old ones")]
    TooMany,
    /// No colon.
    #[error("master key {entry} is not of the form ID:BASE64")]
    Form {
        /// Which one.
        entry: usize,
    },
    /// The part before the colon is no id. It isn't shown, because it may be a key in the wrong place.
    #[error("the id of master key {entry} must be 1 to {MASTER_KEY_ID_LENGTH_MAX} letters of a-z, 0-9 and -")]
    Id {
        /// Which one.
        entry: usize,
    },
    /// The part after the colon is not base64.
    #[error("master key {entry} is not base64 (the plain alphabet, with its padding)")]
    Base64 {
        /// Which one.
        entry: usize,
    },
    /// The key is too short or too long.
    #[error("master key {entry} has {bytes} bytes; it must have {MASTER_KEY_BYTES}")]
    Length {
        /// Which one.
        entry: usize,
        /// How many it has.
        bytes: usize,
    },
    /// All its bytes are the same: an example that was copied.
    #[error("master key {entry} is not random; make one with `atelier keys master`")]
    NotRandom {
        /// Which one.
        entry: usize,
    },
    /// Two have the same id, and only one could be found by it.
    #[error("two master keys are called `{0}`; give each its own id")]
    Duplicate(String),
}

impl MasterKeys {
    /// Reads `ID:BASE64` entries, separated by commas or newlines. Blank entries and whatever follows a `#` on its line are skipped.
    pub fn parse(text: &SecretString) -> Result<MasterKeys, MasterKeysError> {
        let mut keys: Vec<MasterKey> = Vec::new();
        let lines = text.expose_secret().lines().map(|line| line.split('#').next().unwrap_or_default());
        let entries = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty());
        for (entry, text) in (1..).zip(entries) {
            if entry > MASTER_KEYS_MAX {
                return Err(MasterKeysError::TooMany);
            }
            let key = MasterKey::parse(entry, text)?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(MasterKeysError::Duplicate(key.id));
            }
            keys.push(key);
        }
        match keys.is_empty() {
            true => Err(MasterKeysError::Empty),
            false => Ok(MasterKeys { keys }),
        }
    }

    /// A new random master key, in the form that [`MasterKeys::parse`] reads. To be put in front of the others.
    pub fn generate_line(id: &str) -> Result<SecretString, MasterKeysError> {
        if !is_master_key_id(id) {
            return Err(MasterKeysError::Id { entry: 1 });
        }
        let bytes = Zeroizing::new(<[u8; MASTER_KEY_BYTES]>::generate());
        let encoded = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
        Ok(SecretString::from(format!("{id}:{}", encoded.as_str())))
    }

    /// The id of the one that seals. Rows of another one are due to be rewrapped.
    pub fn writing_id(&self) -> &str {
        self.first().id()
    }

    /// All ids, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// The one that seals.
    pub(super) fn first(&self) -> &MasterKey {
        self.keys.first().expect("`parse` makes no empty list")
    }

    /// The one of this id.
    pub(super) fn find(&self, id: &str) -> Option<&MasterKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKeys(••••)")
    }
}

impl MasterKey {
    fn parse(entry: usize, text: &str) -> Result<MasterKey, MasterKeysError> {
        let (id, encoded) = text.split_once(':').ok_or(MasterKeysError::Form { entry })?;
        if !is_master_key_id(id) {
            return Err(MasterKeysError::Id { entry });
        }
        // The decoder's own errors quote the letter that they stumbled over.
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| MasterKeysError::Base64 { entry })?);
        let mut key = SecretBox::new(Box::new([0; MASTER_KEY_BYTES]));
        if bytes.len() != MASTER_KEY_BYTES {
            return Err(MasterKeysError::Length { entry, bytes: bytes.len() });
        }
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(MasterKeysError::NotRandom { entry });
        }
        key.expose_secret_mut().copy_from_slice(&bytes);
        Ok(MasterKey { id: id.to_owned(), bytes: key })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The cipher under this key.
    pub(super) fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(<&Key>::from(self.bytes.expose_secret()))
    }
}

/// Whether this can be the id of one.
pub(super) fn is_master_key_id(text: &str) -> bool {
    (1..=MASTER_KEY_ID_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str) -> String {
        MasterKeys::generate_line(id).expect("a line").expose_secret().to_owned()
    }

    fn masters(text: &str) -> MasterKeys {
        MasterKeys::parse(&text.into()).expect("master keys")
    }

    fn refused(text: &str) -> MasterKeysError {
        MasterKeys::parse(&text.into()).expect_err("an error")
    }

    #[test]
    fn master_keys_are_read_with_comments_commas_and_blank_lines() {
        let [a, b, c] = ["a", "b-2", "c"].map(line);
        let text = format!("# the one that writes\r\n\r\n  {a} # since May\n,{b}, {c},\n#{}\n", line("d"));
        let masters = masters(&text);
        assert_eq!(masters.ids().collect::<Vec<_>>(), ["a", "b-2", "c"]);
        assert_eq!(masters.writing_id(), "a");
    }

    #[test]
    fn a_list_that_makes_no_sense_is_refused_and_says_which_entry() {
        let good = line("k1");
        let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
        assert_eq!(refused(" \n# nothing\n,"), MasterKeysError::Empty);
        assert_eq!(refused("k1"), MasterKeysError::Form { entry: 1 });
        assert_eq!(refused(&format!("{good},K2:x")), MasterKeysError::Id { entry: 2 });
        assert_eq!(refused(":x"), MasterKeysError::Id { entry: 1 });
        assert_eq!(refused(&format!("{}:x", "a".repeat(33))), MasterKeysError::Id { entry: 1 });
        assert_eq!(refused("k1:not base64!"), MasterKeysError::Base64 { entry: 1 });
        assert_eq!(refused(&format!("k1:{}", base64(b"short"))), MasterKeysError::Length { entry: 1, bytes: 5 });
        assert_eq!(refused(&format!("k1:{}", base64(&[7; 32]))), MasterKeysError::NotRandom { entry: 1 });
        assert_eq!(refused(&format!("{good},{}", line("k1"))), MasterKeysError::Duplicate("k1".to_owned()));
        let many: Vec<String> = (0..=MASTER_KEYS_MAX).map(|number| line(&format!("k{number}"))).collect();
        assert_eq!(refused(&many.join("\n")), MasterKeysError::TooMany);
        assert_eq!(MasterKeys::generate_line("K").err(), Some(MasterKeysError::Id { entry: 1 }));
    }

    #[test]
    fn no_error_and_no_debug_shows_a_byte_of_a_master_key() {
        let key = STANDARD.encode([0x5A; 31]);
        let swapped = "deadbeefdeadbeefdeadbeefdeadbeef";
        for text in [key.clone(), format!("k1:{key}"), format!("{key}:k1"), format!("{swapped}:k1"), format!("k1:{key}*")] {
            let error = refused(&text);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(&key[..6]) && !shown.contains("deadbeef"), "{shown}");
        }
        assert_eq!(format!("{:?}", masters(&line("k1"))), "MasterKeys(••••)");
    }
}
