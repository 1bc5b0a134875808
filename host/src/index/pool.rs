//! The indexes of all projects of a data directory: one file each, made on demand, a few open at one time, the oldest deleted when they
//! take too much room.

use super::cache::{self, Cache};
use super::dense::embedded::Embedded;
use super::dense::qdrant::InQdrant;
use super::dense::search::Dense;
use super::dense::{DenseError, Embedder, Vectors};
use super::{IndexError, Result};
use crate::settings::{EmbedderSetting, Settings};
use crate::workspace::sha256;
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Indexes that are open at one time.
const OPEN_MAX: usize = 16;
/// What all of them may take on the disk.
const DISK_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Digits of a folder's digest that name its index.
const FOLDER_NAME_DIGITS: usize = 16;
/// Where they are, in the data directory.
const FOLDER: &str = "index";

/// The indexes of a data directory.
#[derive(Clone)]
pub struct Pool {
    folder: PathBuf,
    disk_bytes_max: u64,
    /// The one used last is the last one.
    open: Arc<Mutex<Vec<(String, Cache)>>>,
    embedder: Option<Arc<dyn Embedder>>,
    qdrant: Option<(String, Option<SecretString>)>,
}

impl Pool {
    /// Those of this data directory.
    pub fn new(data_dir: &Path) -> Pool {
        Pool { folder: data_dir.join(FOLDER), disk_bytes_max: DISK_BYTES_MAX, open: Arc::default(), embedder: None, qdrant: None }
    }

    /// With what the settings say about vectors.
    pub fn of_settings(settings: &Settings) -> Result<Pool> {
        let embedder = match settings.index.embedder().map_err(|error| DenseError::Embedder(error.to_string()))? {
            None => None,
            Some(EmbedderSetting::Bert(folder)) => Some(bert(&folder)?),
        };
        let qdrant = settings.index.qdrant_url.clone().map(|url| (url, settings.index.qdrant_key.clone()));
        Ok(Pool { embedder, qdrant, ..Pool::new(&settings.data_dir) })
    }

    /// What makes and keeps the vectors of an index; none where words alone answer. `name` tells it from others in a shared store.
    pub async fn dense(&self, name: &str, cache: &Cache) -> Result<Option<Dense>> {
        let Some(embedder) = &self.embedder else { return Ok(None) };
        let vectors: Arc<dyn Vectors> = match &self.qdrant {
            Some((url, key)) => Arc::new(InQdrant::new(url, key.as_ref(), name, embedder.fingerprint())?),
            None => Arc::new(Embedded::open(cache.clone(), embedder.fingerprint()).await?),
        };
        Ok(Some(Dense::new(cache, embedder.clone(), vectors).await?))
    }

    /// What makes vectors, with the index's own file to keep them, wherever others are kept.
    pub async fn embedded(&self, cache: &Cache) -> Result<Option<Dense>> {
        Pool { qdrant: None, ..self.clone() }.dense("", cache).await
    }

    /// The same for a folder.
    pub async fn dense_of_folder(&self, root: &Path, cache: &Cache) -> Result<Option<Dense>> {
        self.dense(&folder_name(root), cache).await
    }

    /// The index of a project, made where there is none that this indexer made.
    pub async fn of(&self, project: &str, indexer: &str) -> Result<Cache> {
        let mut open = self.open.lock().await;
        let key = format!("{project} {indexer}");
        let at = open.iter().position(|(known, _)| *known == key);
        let entry = match at {
            Some(at) => open.remove(at),
            None => {
                open.retain(|(known, _)| !known.starts_with(&format!("{project} ")));
                let path = self.path(project);
                let in_use: Vec<&Path> = open.iter().map(|(_, cache)| cache.path()).chain([path.as_path()]).collect();
                self.make_room(&in_use)?;
                (key, Cache::open(&path, indexer).await?)
            }
        };
        let cache = entry.1.clone();
        open.push(entry);
        if open.len() > OPEN_MAX {
            open.remove(0);
        }
        Ok(cache)
    }

    /// The index of a folder of this machine.
    pub async fn of_folder(&self, root: &Path, indexer: &str) -> Result<Cache> {
        self.of(&folder_name(root), indexer).await
    }

    /// The index of a folder as it is; none where there is none.
    pub async fn to_read_folder(&self, root: &Path) -> Result<Option<Cache>> {
        self.to_read(&folder_name(root)).await
    }

    /// The index of a project as it is; none where there is none.
    pub async fn to_read(&self, project: &str) -> Result<Option<Cache>> {
        if let Some((_, cache)) = self.open.lock().await.iter().find(|(known, _)| known.starts_with(&format!("{project} "))) {
            return Ok(Some(cache.clone()));
        }
        Cache::open_to_read(&self.path(project)).await
    }

    fn path(&self, project: &str) -> PathBuf {
        self.folder.join(format!("{project}.db"))
    }

    /// Deletes the indexes that were not used for the longest time, until there is room.
    fn make_room(&self, in_use: &[&Path]) -> Result<()> {
        let failed = |error: std::io::Error| IndexError::Cache { path: self.folder.display().to_string(), why: error.to_string() };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|ending| ending == "db")
                && let Ok(about) = path.metadata()
            {
                files.push((about.modified().map_err(failed)?, about.len(), path));
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, size, path) in files {
            if bytes <= self.disk_bytes_max {
                break;
            }
            if !in_use.contains(&path.as_path()) {
                cache::delete(&path)?;
                bytes -= size;
            }
        }
        Ok(())
    }
}

#[cfg(feature = "bert")]
fn bert(folder: &Path) -> Result<Arc<dyn Embedder>> {
    Ok(Arc::new(super::dense::bert::Bert::open(folder)?))
}

#[cfg(not(feature = "bert"))]
fn bert(_: &Path) -> Result<Arc<dyn Embedder>> {
    Err(DenseError::Embedder("this program was built without it: build it with `--features bert`".to_owned()).into())
}

fn folder_name(root: &Path) -> String {
    format!("folder-{}", &sha256(root.as_os_str().as_encoded_bytes())[..FOLDER_NAME_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_index_goes_when_there_is_no_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let pool = Pool { disk_bytes_max: 100_000, ..Pool::new(folder.path()) };
        for project in ["one", "two", "three"] {
            pool.of(project, "x").await.expect("an index");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        // Those that are in use stay, whatever room they take.
        pool.of("four", "x").await.expect("an index");
        assert!(pool.path("one").exists() && pool.path("four").exists());
        for (_, cache) in pool.open.lock().await.drain(..) {
            cache.close().await;
        }
        pool.of("five", "x").await.expect("an index");
        assert!(!pool.path("one").exists() && pool.path("five").exists());
    }

    #[tokio::test]
    async fn an_index_that_cannot_be_read_is_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("index/p.db");
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, "no database at all, and long enough to be looked at".repeat(100)).expect("written");
        let pool = Pool::new(folder.path());
        assert!(pool.to_read("p").await.is_err());
        let cache = pool.of("p", "x").await.expect("an index");
        assert_eq!(cache.fresh().await.expect("an answer").generation, 0);
        // Another indexer's is made anew as well.
        pool.of("p", "x").await.expect("an index").end_update("t", Some(3)).await.expect("written");
        assert_eq!(pool.of("p", "x").await.expect("an index").fresh().await.expect("an answer").generation, 3);
        assert_eq!(pool.of("p", "y").await.expect("an index").fresh().await.expect("an answer").generation, 0);
    }
}
