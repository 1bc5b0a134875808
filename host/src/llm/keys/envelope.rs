//! Seals: how a provider's key is stored. The first of the [`MasterKeys`] seals, all of them open, so that a new one can be put in
//! front and the rows rewrapped at leisure. A seal is bound to its row's provider, id and version: bytes moved to another row do
//! not open.
//!
//! ```text
//! format (1 byte) · length of the master key's id (1) · id · nonce (24) · XChaCha20-Poly1305 of the secret, with its tag (16)
//! ```
//!
//! It refuses to say why a seal does not open beyond what the seal itself says in clear. It does not store, and does not decide
//! when to rewrap.

use super::KeyId;
use super::master_keys::{MasterKeys, is_master_key_id};
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{AeadInOut, Generate};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// Random nonces of this length do not meet, however many rows are sealed.
const NONCE_BYTES: usize = 24;
/// Of Poly1305.
const TAG_BYTES: usize = 16;
/// The first byte of a seal. Another layout or cipher gets another number; 0 and printable text are never one.
const FORMAT: u8 = 0xA1;
/// Keeps these seals apart from anything else that might once be made with the same master key.
const PURPOSE: &[u8] = b"atelier provider key";

/// Why a seal did not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The master key is not among those known.
    #[error("this key is sealed with master key `{0}`, which is not configured; add it to the master keys again")]
    UnknownKek(String),
    /// The master key of that id is another one, or the seal or its row was changed.
    #[error("this key's seal does not open: it was changed or moved, or the master key of its id is another one; add the key again")]
    WrongOrTampered,
    /// These bytes are no seal.
    #[error("this is not a sealed key; add the key again")]
    Malformed,
}

impl MasterKeys {
    /// Seals a secret for one row. Two seals of the same secret differ.
    pub fn seal(&self, provider: &str, key_id: &KeyId, version: i64, secret: &SecretString) -> Vec<u8> {
        let key = self.first();
        let mut sealed = header(key.id());
        let bound = bound_to(&sealed, provider, key_id, version);
        let nonce = XNonce::generate();
        let text = secret.expose_secret().as_bytes();
        // With room for the tag, so that the buffer is never moved and no copy of the secret stays behind.
        let mut buffer = Zeroizing::new(Vec::with_capacity(text.len() + TAG_BYTES));
        buffer.extend_from_slice(text);
        key.cipher().encrypt_in_place(&nonce, &bound, &mut *buffer).expect("a key is far shorter than the cipher's 256 GiB");
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&buffer);
        sealed
    }

    /// Opens the seal of one row. The three that it was sealed for have to be the same again.
    pub fn open(&self, provider: &str, key_id: &KeyId, version: i64, sealed: &[u8]) -> Result<SecretString, EnvelopeError> {
        let id = kek_of(sealed)?;
        let key = self.find(id).ok_or_else(|| EnvelopeError::UnknownKek(id.to_owned()))?;
        let header = header(id);
        let bound = bound_to(&header, provider, key_id, version);
        let (nonce, body) = sealed[header.len()..].split_at_checked(NONCE_BYTES).ok_or(EnvelopeError::Malformed)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| EnvelopeError::Malformed)?;
        let mut buffer = Zeroizing::new(body.to_vec());
        key.cipher().decrypt_in_place(&nonce, &bound, &mut *buffer).map_err(|_| EnvelopeError::WrongOrTampered)?;
        // What was sealed was text, and the tag says that this is what was sealed.
        std::str::from_utf8(&buffer).map(SecretString::from).map_err(|_| EnvelopeError::Malformed)
    }
}

/// The id of the master key that something is sealed with, as the seal itself says. It is not proven before the seal opens.
pub fn kek_of(sealed: &[u8]) -> Result<&str, EnvelopeError> {
    let [FORMAT, length, rest @ ..] = sealed else { return Err(EnvelopeError::Malformed) };
    let id = rest.get(..usize::from(*length)).and_then(|id| std::str::from_utf8(id).ok()).ok_or(EnvelopeError::Malformed)?;
    let long_enough = rest.len() >= id.len() + NONCE_BYTES + TAG_BYTES;
    if is_master_key_id(id) && long_enough { Ok(id) } else { Err(EnvelopeError::Malformed) }
}

fn header(kek_id: &str) -> Vec<u8> {
    let length = u8::try_from(kek_id.len()).expect("an id of at most 32 letters");
    [&[FORMAT, length], kek_id.as_bytes()].concat()
}

/// What a seal is bound to. Each part goes with its length, so that no two rows give the same bytes.
fn bound_to(header: &[u8], provider: &str, key_id: &KeyId, version: i64) -> Vec<u8> {
    let mut bound = Vec::new();
    for part in [PURPOSE, header, provider.as_bytes(), key_id.as_str().as_bytes(), &version.to_be_bytes()] {
        bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bound.extend_from_slice(part);
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "sk-live-0123456789abcdefghij";

    fn line(id: &str) -> String {
        MasterKeys::generate_line(id).expect("a line").expose_secret().to_owned()
    }

    fn masters(text: &str) -> MasterKeys {
        MasterKeys::parse(&text.into()).expect("master keys")
    }

    fn key() -> KeyId {
        KeyId("key-1".to_owned())
    }

    fn opened(masters: &MasterKeys, sealed: &[u8]) -> Result<String, EnvelopeError> {
        masters.open("openai", &key(), 3, sealed).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn what_was_sealed_opens_again_and_no_two_seals_are_the_same() {
        let masters = masters(&line("k1"));
        let [one, two] = [(); 2].map(|()| masters.seal("openai", &key(), 3, &SECRET.into()));
        assert_eq!(opened(&masters, &one).as_deref(), Ok(SECRET));
        assert_eq!(opened(&masters, &two).as_deref(), Ok(SECRET));
        assert_ne!(one, two);
        assert_eq!(kek_of(&one), Ok("k1"));
    }

    #[test]
    fn no_byte_of_a_seal_can_be_changed() {
        // The second master key's id is one bit away from the first one's.
        let masters = masters(&format!("{},{}", line("k1"), line("k3")));
        let sealed = masters.seal("openai", &key(), 3, &SECRET.into());
        for position in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[position] ^= 1 << bit;
                assert!(opened(&masters, &changed).is_err(), "byte {position}, bit {bit}");
            }
        }
        for length in 0..sealed.len() {
            assert!(opened(&masters, &sealed[..length]).is_err(), "cut to {length} bytes");
        }
        assert!(opened(&masters, &[sealed.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn a_seal_moved_to_another_row_does_not_open() {
        let masters = masters(&line("k1"));
        let sealed = masters.seal("openai", &key(), 3, &SECRET.into());
        let moved = [
            ("anthropic", key(), 3),
            ("openai", KeyId("key-2".to_owned()), 3),
            ("openai", key(), 4),
            ("openaikey-", KeyId("1".to_owned()), 3),
        ];
        for (provider, id, version) in moved {
            let error = masters.open(provider, &id, version, &sealed).expect_err("an error");
            assert_eq!(error, EnvelopeError::WrongOrTampered, "{provider} {id} {version}");
        }
    }

    #[test]
    fn a_master_key_that_is_missing_is_named() {
        let sealed = masters(&line("winter")).seal("openai", &key(), 3, &SECRET.into());
        let error = opened(&masters(&line("summer")), &sealed).expect_err("an error");
        assert_eq!(error, EnvelopeError::UnknownKek("winter".to_owned()));
        assert!(error.to_string().contains("`winter`"));
    }

    #[test]
    fn another_master_key_under_the_same_id_opens_nothing() {
        let sealed = masters(&line("k1")).seal("openai", &key(), 3, &SECRET.into());
        assert_eq!(opened(&masters(&line("k1")), &sealed), Err(EnvelopeError::WrongOrTampered));
    }

    #[test]
    fn a_seal_cannot_be_passed_off_as_one_of_another_master_key_even_with_the_same_bytes() {
        let bytes = line("k1").split_off("k1:".len());
        let mut sealed = masters(&format!("k1:{bytes}")).seal("openai", &key(), 3, &SECRET.into());
        assert_eq!(&sealed[2..4], b"k1");
        sealed[3] = b'2';
        assert_eq!(opened(&masters(&format!("k2:{bytes}")), &sealed), Err(EnvelopeError::WrongOrTampered));
    }

    #[test]
    fn a_row_is_rewrapped_by_opening_it_with_the_old_and_sealing_it_with_the_new() {
        let [old, new] = ["old", "new"].map(line);
        let sealed = masters(&old).seal("openai", &key(), 3, &SECRET.into());
        let both = masters(&format!("{new}\n{old}"));
        assert_ne!(kek_of(&sealed), Ok(both.writing_id()));
        let secret = both.open("openai", &key(), 3, &sealed).expect("the old one still reads");
        let rewrapped = both.seal("openai", &key(), 3, &secret);
        assert_eq!(kek_of(&rewrapped), Ok("new"));
        assert_eq!(opened(&masters(&new), &rewrapped).as_deref(), Ok(SECRET));
        assert!(opened(&masters(&old), &rewrapped).is_err());
    }

    proptest! {
        #[test]
        fn any_text_for_any_row_opens_again_there_and_nowhere_else(
            secret in ".{0,300}",
            provider in "[a-z|:]{0,12}",
            id in "[a-z|:]{0,12}",
            version: i64,
            other_provider in "[a-z|:]{0,12}",
            other_id in "[a-z|:]{0,12}",
        ) {
            let masters = masters(&line("k1"));
            let sealed = masters.seal(&provider, &KeyId(id.clone()), version, &secret.as_str().into());
            let again = masters.open(&provider, &KeyId(id.clone()), version, &sealed).expect("it opens");
            prop_assert_eq!(again.expose_secret(), secret.as_str());
            if (&other_provider, &other_id) != (&provider, &id) {
                prop_assert!(masters.open(&other_provider, &KeyId(other_id), version, &sealed).is_err());
            }
            // Six bytes in a row of a few hundred do not meet by chance.
            for piece in secret.as_bytes().windows(6) {
                prop_assert!(!sealed.windows(6).any(|window| window == piece));
            }
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), start in prop::option::of(0..3u8)) {
            let masters = masters(&line("k1"));
            let head: &[u8] = match start { None => &[], Some(0) => &[FORMAT], Some(1) => &[FORMAT, 2], Some(_) => &[FORMAT, 2, b'k', b'1'] };
            prop_assert!(opened(&masters, &[head, &bytes].concat()).is_err());
        }
    }
}
