//! Who vouches for a plugin: an Ed25519 signature over its name, its world and its digest, so that a signature of one plugin is none
//! of another. Keys are written as `ed25519:` with the public key's 32 bytes in base64.

use super::PluginError;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::str::FromStr;

/// What a public key begins with.
const SCHEME: &str = "ed25519:";
/// Of a public key.
const KEY_BYTES: usize = 32;

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The plugin's name.
    pub name: &'a str,
    /// The world with its version.
    pub world: &'a str,
    /// Of the component file.
    pub sha256: &'a str,
}

impl Statement<'_> {
    fn text(&self) -> String {
        format!("atelier plugin 1\nname {}\nworld {}\nsha256 {}\n", self.name, self.world, self.sha256)
    }
}

/// Somebody's public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    /// Whether this signature, in base64, is theirs.
    pub fn has_signed(&self, statement: &Statement, signature: &str) -> bool {
        let Ok(bytes) = STANDARD.decode(signature.trim()) else { return false };
        UnparsedPublicKey::new(&ED25519, self.0).verify(statement.text().as_bytes(), &bytes).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{SCHEME}{}", STANDARD.encode(self.0))
    }
}

impl FromStr for PublicKey {
    type Err = String;

    fn from_str(text: &str) -> Result<PublicKey, String> {
        let bytes = text.strip_prefix(SCHEME).and_then(|rest| STANDARD.decode(rest).ok());
        let key = bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
        key.map(PublicKey).ok_or_else(|| format!("a public key is `{SCHEME}` and 32 bytes in base64, as `atelier plugin keygen` prints it"))
    }
}

impl TryFrom<String> for PublicKey {
    type Error = String;

    fn try_from(text: String) -> Result<PublicKey, String> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> String {
        key.to_string()
    }
}

/// An author's private key. It is never shown.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Makes one and writes it to a file that its owner alone reads. A file that is there is left alone.
    pub fn make(path: &Path) -> Result<SigningKey, PluginError> {
        let failed = || PluginError::Build("no key could be made".to_owned());
        let pair = Ed25519KeyPair::generate().map_err(|_| failed())?;
        let document = pair.to_pkcs8().map_err(|_| failed())?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| PluginError::io(path, error))?;
        writeln!(file, "{}", STANDARD.encode(document.as_ref())).map_err(|error| PluginError::io(path, error))?;
        Ok(SigningKey(pair))
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<SigningKey, PluginError> {
        let text = std::fs::read_to_string(path).map_err(|error| PluginError::io(path, error))?;
        let pair = STANDARD.decode(text.trim()).ok().and_then(|bytes| Ed25519KeyPair::from_pkcs8(&bytes).ok());
        pair.map(SigningKey).ok_or_else(|| PluginError::Manifest {
            path: path.display().to_string(),
            why: "this is no private key; `atelier plugin keygen FILE` makes one".to_owned(),
        })
    }

    /// The half that others may know.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(key)
    }

    /// The signature, in base64.
    pub fn sign(&self, statement: &Statement) -> String {
        STANDARD.encode(self.0.sign(statement.text().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: Statement = Statement { name: "a", world: "atelier:agent/implementer@0.1.0", sha256: "00" };

    fn key() -> SigningKey {
        SigningKey(Ed25519KeyPair::generate().expect("a key"))
    }

    #[test]
    fn a_signature_is_of_one_plugin_one_world_and_one_digest_by_one_key() {
        let key = key();
        let signature = key.sign(&STATEMENT);
        assert!(key.public().has_signed(&STATEMENT, &signature));
        for other in [
            Statement { name: "b", ..STATEMENT },
            Statement { world: "atelier:agent/architect@0.1.0", ..STATEMENT },
            Statement { sha256: "01", ..STATEMENT },
        ] {
            assert!(!key.public().has_signed(&other, &signature), "{other:?}");
        }
        assert!(!super::tests::key().public().has_signed(&STATEMENT, &signature));
        for text in ["", "no base64!", "AAAA", &signature[4..]] {
            assert!(!key.public().has_signed(&STATEMENT, text), "{text}");
        }
    }

    #[test]
    fn a_public_key_is_read_as_it_is_written_and_nothing_else_is() {
        let public = key().public();
        assert_eq!(public.to_string().parse(), Ok(public.clone()));
        for text in ["", "ed25519:", "ed25519:AAAA", &public.to_string()["ed25519:".len()..]] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_private_key_is_written_for_its_owner_alone_and_never_over_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let public = SigningKey::make(&path).expect("a key").public();
        assert_eq!(SigningKey::read(&path).expect("the key").public(), public);
        assert!(SigningKey::make(&path).is_err());
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("it is there").permissions()) & 0o777, 0o600);
    }
}
