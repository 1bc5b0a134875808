//! Verifies a delivery again: are these the files that were delivered, and do the checks still show what the report says? The digests
//! come from the store that delivered them; a zip from elsewhere can only be held against its own report, and that is said.

use super::REPORT_JSON;
use super::report::Report;
use crate::checks::Checks;
use crate::project::evidence::RequirementEvidence;
use crate::project::{Acceptance, CheckResult, CheckStatus};
use crate::store::{Store, StoreError};
use crate::workspace::path::ProjectPath;
use crate::workspace::{File, Files, sha256, tree_entries};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Everything in a zip together; a larger one was not written by us.
const ZIP_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Files in a zip.
const ZIP_FILES_MAX: usize = 4_000;

/// What came of it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Verification {
    /// The project's id.
    pub project: String,
    /// Whether the digests came from the store that delivered it.
    pub from_store: bool,
    /// Files that are not as they were delivered, in words.
    pub tampered: Vec<String>,
    /// Checks that show something else than the report says, in words.
    pub different: Vec<String>,
    /// What the checks showed now, for each requirement that was reported.
    pub results: Vec<CheckResult>,
    /// What was reported.
    pub requirements: Vec<RequirementEvidence>,
}

impl Verification {
    /// Whether everything is as it was delivered.
    pub fn holds(&self) -> bool {
        self.tampered.is_empty() && self.different.is_empty()
    }
}

/// Verifies a zip.
pub async fn verify_zip(store: &Store, checks: &Checks, path: &Path) -> Result<Verification> {
    let (files, reports) = read_zip(path)?;
    let text = reports.get(REPORT_JSON).with_context(|| format!("{} holds no {REPORT_JSON}; is it a delivery?", path.display()))?;
    let own: Report = serde_json::from_str(text).with_context(|| format!("{REPORT_JSON} in {} can't be read", path.display()))?;
    let delivered = match store.project(&own.project).await {
        // It may have been changed since, and this is what it was.
        Ok(_) if store.was_delivered(&own.project, &sha256(text.as_bytes())).await? => Some(own.clone()),
        Ok(project) => Some(Report::of(store, &project).await?),
        Err(StoreError::UnknownProject(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let mut tampered = Vec::new();
    if let Some(delivered) = &delivered {
        if own != *delivered {
            tampered.push(format!("{REPORT_JSON}: it is not the report that was delivered"));
        }
        if reports.get(super::REPORT).is_none_or(|text| *text != delivered.markdown()) {
            tampered.push(format!("{}: it is not the report that was delivered", super::REPORT));
        }
    }
    let from_store = delivered.is_some();
    verify_files(checks, &files, &delivered.unwrap_or(own), from_store, tampered).await
}

/// Verifies what is stored of a project.
pub async fn verify_stored(store: &Store, checks: &Checks, id: &str) -> Result<Verification> {
    let project = store.project(id).await?;
    let report = Report::of(store, &project).await?;
    let Some(snapshot) = store.snapshots(id).await?.pop() else { bail!("project `{id}` has delivered nothing yet") };
    let files = super::as_it_is(&project.state, store.files(&snapshot.tree).await?);
    verify_files(checks, &files, &report, true, Vec::new()).await
}

async fn verify_files(
    checks: &Checks,
    files: &Files,
    report: &Report,
    from_store: bool,
    mut tampered: Vec<String>,
) -> Result<Verification> {
    let found = tree_entries(files);
    for (path, digest) in &report.files {
        match found.get(path) {
            None => tampered.push(format!("{path}: it is missing")),
            Some((other, _)) if other != digest => tampered.push(format!("{path}: its content was changed")),
            Some(_) => {}
        }
    }
    tampered.extend(found.keys().filter(|path| !report.files.contains_key(*path)).map(|path| format!("{path}: it was added")));
    let reported = |check: &str| report.requirements.iter().flat_map(|requirement| &requirement.checks).find(|seen| seen.id == check);
    // What held before any work was done was reported as not run, and is left out here for the same reason.
    let again: Vec<Acceptance> = report
        .acceptance
        .iter()
        .filter(|entry| reported(&entry.id).is_some_and(|seen| seen.status != CheckStatus::NotRun))
        .cloned()
        .collect();
    let results = checks.run(files, &again).await;
    let mut different = Vec::new();
    for result in &results {
        let Some(seen) = reported(&result.check) else { continue };
        if seen.status != result.status {
            different.push(format!(
                "{} ({}): reported {:?}, now {:?}: {}",
                result.check, result.requirement, seen.status, result.status, result.detail
            ));
        } else if let (Some(then), Some(now)) = (&seen.ran, &result.ran)
            && then.runner_sha256 == now.runner_sha256
            && then.output_sha256 != now.output_sha256
        {
            different.push(format!("{} ({}): it ended the same way with another output", result.check, result.requirement));
        }
    }
    Ok(Verification {
        project: report.project.clone(),
        from_store,
        tampered,
        different,
        results,
        requirements: report.requirements.clone(),
    })
}

/// The project's files and the reports beside its folder.
fn read_zip(path: &Path) -> Result<(Files, BTreeMap<String, String>)> {
    let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut zip = zip::ZipArchive::new(file).with_context(|| format!("{} is not a sound zip", path.display()))?;
    if zip.len() > ZIP_FILES_MAX {
        bail!("{} holds {} files, at most {ZIP_FILES_MAX} are read", path.display(), zip.len());
    }
    let (mut files, mut reports, mut left) = (Files::new(), BTreeMap::new(), ZIP_BYTES_MAX);
    for number in 0..zip.len() {
        let entry = zip.by_index(number).with_context(|| format!("{} is not a sound zip", path.display()))?;
        let name = entry.name().with_context(|| format!("a file in {} has a name that can't be read", path.display()))?.into_owned();
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let mut bytes = Vec::new();
        entry.take(left + 1).read_to_end(&mut bytes).with_context(|| format!("read {name} in {}", path.display()))?;
        left = left.checked_sub(bytes.len() as u64).with_context(|| format!("{} holds more than {ZIP_BYTES_MAX} bytes", path.display()))?;
        match name.split_once('/') {
            None => {
                reports.insert(name, String::from_utf8_lossy(&bytes).into_owned());
            }
            Some((_, "")) => {}
            Some((_, inner)) => {
                let inner = ProjectPath::parse(inner).with_context(|| format!("{} holds {name:?}", path.display()))?;
                files.insert(inner, File { bytes: bytes.into(), executable });
            }
        }
    }
    Ok((files, reports))
}
