//! What the code index uses beside words.

use super::SettingsError;
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;

/// How a model in a folder is named.
const BERT: &str = "bert:";

/// Vectors: what makes them and what keeps them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IndexSettings {
    /// `ATELIER_EMBEDDER`: `bert:FOLDER` for a BERT model on this machine. Default: none, words alone.
    pub embedder: Option<String>,
    /// `ATELIER_QDRANT_URL`: where Qdrant speaks gRPC, such as `http://127.0.0.1:6334`. Default: vectors are kept beside the index.
    pub qdrant_url: Option<String>,
    /// `ATELIER_QDRANT_KEY`: the key of that server, if it wants one.
    pub qdrant_key: Option<SecretString>,
}

/// What makes vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbedderSetting {
    /// A BERT model in this folder.
    Bert(PathBuf),
}

impl IndexSettings {
    /// What makes vectors, if anything does.
    pub fn embedder(&self) -> Result<Option<EmbedderSetting>, SettingsError> {
        let Some(embedder) = &self.embedder else { return Ok(None) };
        match embedder.strip_prefix(BERT) {
            Some(folder) if !folder.is_empty() => Ok(Some(EmbedderSetting::Bert(PathBuf::from(folder)))),
            _ => Err(SettingsError(format!("ATELIER_EMBEDDER is `{embedder}`; it may be {BERT}FOLDER, a folder with a BERT model"))),
        }
    }
}
