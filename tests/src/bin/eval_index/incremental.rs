//! Is an index that was brought up to date, and killed on the way, the same as one made anew? Over successive releases of real packages.

use crate::sets::Question;
use atelier_host::index::cache::Cache;
use atelier_host::index::pool::Pool;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::home::Home;
use tests::program::{atelier, start};

/// Kills of each update.
const KILLS: usize = 3;
/// The longest time that an update lives before it is killed.
const LIFE_MAX_MS: u64 = 400;
/// Questions that both indexes are asked; every score depends on every chunk.
const QUESTIONS: usize = 100;
const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Releases that were gone through.
    pub(crate) releases: usize,
    /// Those whose index was equal to one made anew.
    pub(crate) equal: usize,
    /// Updates that were killed while they ran.
    pub(crate) kills: usize,
}

/// Goes through every release of every package.
pub(crate) async fn incremental(releases: &Path, questions: &[Question]) -> anyhow::Result<Compared> {
    let mut compared = Compared::default();
    let questions: Vec<&str> =
        questions.iter().step_by((questions.len() / QUESTIONS).max(1)).map(|question| question.query.as_str()).collect();
    for package in folders(releases)? {
        let home = Home::shipped();
        let work = home.beside("work");
        let mut versions = folders(&package)?;
        versions.sort_by_key(|path| version(path));
        for release in versions {
            replace(&release, &work)?;
            for kill in 0..KILLS {
                let mut child = start(&home, NOWHERE, &["index", "build", "--in", &work.display().to_string()]);
                // Spread over the update's life; the last ones often come too late to do harm.
                let step = (compared.releases * KILLS + kill) as u64;
                tokio::time::sleep(Duration::from_millis(step * 37 % LIFE_MAX_MS)).await;
                compared.kills += usize::from(child.try_wait()?.is_none());
                child.kill()?;
                child.wait()?;
            }
            let updated = contents(&home, &work, &questions).await?;
            let anew = contents(&Home::shipped(), &work, &questions).await?;
            compared.releases += 1;
            compared.equal += usize::from(updated == anew);
            if updated != anew {
                println!("DIFFERENT: {}", release.display());
            }
        }
    }
    Ok(compared)
}

/// Everything that the index of this folder says, after one more update.
async fn contents(home: &Home, work: &Path, questions: &[&str]) -> anyhow::Result<Vec<String>> {
    let ended = atelier(home, NOWHERE, &["index", "status", "--json", "--left-out", "--in", &work.display().to_string()]);
    anyhow::ensure!(ended.code == Some(0), "index status: {}", ended.err);
    let mut status: Value = serde_json::from_str(&ended.out)?;
    // How often it changed is the one thing that differs.
    status["fresh"]["generation"] = Value::Null;
    let path = std::fs::read_dir(home.data().join("index"))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "db"));
    let cache = Cache::open_to_read(&path.ok_or_else(|| anyhow::anyhow!("there is no index"))?)
        .await?
        .ok_or_else(|| anyhow::anyhow!("it is of another form"))?;
    let mut said = vec![status.to_string(), format!("{:?}", cache.all_definitions().await?), format!("{:?}", cache.all_mentions().await?)];
    for chunk in cache.chunks_after("", 0, u32::MAX).await? {
        said.push(format!("{chunk:?}"));
    }
    for question in questions {
        said.push(format!("{:?}", cache.search(question, 20).await?));
    }
    cache.close().await;
    Ok(said)
}

/// Makes the work folder what the release is. Files that stay the same are not touched.
fn replace(release: &Path, work: &Path) -> anyhow::Result<()> {
    let wanted: BTreeSet<PathBuf> = files(release)?;
    for gone in files(work)?.difference(&wanted) {
        std::fs::remove_file(work.join(gone))?;
    }
    for path in wanted {
        let (from, to) = (release.join(&path), work.join(&path));
        let content = std::fs::read(&from)?;
        if std::fs::read(&to).ok().as_deref() != Some(&content) {
            std::fs::create_dir_all(to.parent().unwrap_or(work))?;
            std::fs::write(&to, content)?;
        }
    }
    Ok(())
}

fn files(root: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let (mut found, mut open) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(root)?.to_owned());
            }
        }
    }
    Ok(found)
}

fn folders(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(root)?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    Ok(found)
}

fn version(path: &Path) -> Vec<u32> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.split('.').filter_map(|part| part.parse().ok()).collect()
}

/// An index of a folder, brought up to date by a program of its own.
pub(crate) async fn open(home: &Home, tree: &Path) -> anyhow::Result<Cache> {
    let ended = atelier(home, NOWHERE, &["index", "build", "--json", "--in", &tree.display().to_string()]);
    anyhow::ensure!(ended.code == Some(0), "index build: {}", ended.err);
    let cache = Pool::new(&home.data()).to_read_folder(&tree.canonicalize()?).await?;
    cache.ok_or_else(|| anyhow::anyhow!("there is no index of {}", tree.display()))
}
