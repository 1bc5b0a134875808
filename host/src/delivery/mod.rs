//! The result, written out: `project.zip`, `repository/` with one commit for each accepted task, `REPORT.md` and `report.json`.

pub mod file;
pub mod git;
pub mod report;
pub mod verify;
pub mod zip;

use crate::project::State;
use crate::store::{Store, projects::Project};
use crate::workspace::path::{FilePattern, ProjectPath};
use crate::workspace::{File, Files, sha256};
use anyhow::{Context, Result};
use report::Report;
use std::path::{Path, PathBuf};

/// The zip, in the output folder.
pub const ZIP: &str = "project.zip";
/// The repository.
pub const REPOSITORY: &str = "repository";
/// The report for people.
pub const REPORT: &str = "REPORT.md";
/// The same facts for programs.
pub const REPORT_JSON: &str = "report.json";

/// Everything that a delivery consists of, in memory.
pub struct Delivery {
    /// The folder's name within the zip.
    pub folder: String,
    /// The final files.
    pub files: Files,
    /// The history.
    pub commits: Vec<git::Commit>,
    /// What was verified and what it took.
    pub report: Report,
}

impl Delivery {
    /// Puts a project's delivery together from what is stored.
    pub async fn of(store: &Store, project: &Project) -> Result<Delivery> {
        let mut commits: Vec<git::Commit> = Vec::new();
        if let Some(handed) = &project.state.handed_over {
            commits.push(git::Commit {
                subject: "The project as it was handed over".to_owned(),
                body: handed.to_string(),
                time_seconds: project.created_ms / 1000,
                files: store.files(&handed.tree).await?,
            });
        }
        let snapshots = store.snapshots(&project.id).await?;
        let has_accepted = !snapshots.is_empty();
        for snapshot in snapshots {
            commits.push(git::Commit {
                subject: snapshot.title,
                body: format!("{}\n\nTask: {}", snapshot.summary, snapshot.task),
                time_seconds: snapshot.accepted_ms / 1000,
                files: store.files(&snapshot.tree).await?,
            });
        }
        if let Some(last) = commits.last_mut().filter(|_| has_accepted) {
            last.files = as_it_is(&project.state, std::mem::take(&mut last.files));
        }
        let files = commits.last().filter(|_| has_accepted).map(|commit| commit.files.clone()).unwrap_or_default();
        let report = Report::of(store, project).await?;
        if project.state.is_over() {
            store.note_delivery(&project.id, &sha256(report.json().as_bytes())).await?;
        }
        Ok(Delivery { folder: folder_name(&report.title), files, commits, report })
    }

    /// The zip, in memory.
    pub fn zip(&self) -> Result<Vec<u8>> {
        Ok(zip::zip_bytes(&self.folder, &self.files, &self.reports())?)
    }

    fn reports(&self) -> [(&'static str, String); 2] {
        [(REPORT, self.report.markdown()), (REPORT_JSON, self.report.json())]
    }

    /// Writes it into a folder, which must be empty or not there.
    pub fn write(&self, directory: &Path) -> Result<PathBuf> {
        let Some(name) = directory.file_name() else {
            self.write_into(directory)?;
            return Ok(directory.to_owned());
        };
        // Whole or not at all: what a process that ended halfway left behind is in nobody's way.
        let partial = directory.with_file_name(format!(".{}.partial", name.to_string_lossy()));
        if partial.exists() {
            std::fs::remove_dir_all(&partial).with_context(|| format!("remove {}", partial.display()))?;
        }
        self.write_into(&partial)?;
        if directory.exists() {
            std::fs::remove_dir(directory).with_context(|| format!("{} is not empty", directory.display()))?;
        }
        std::fs::rename(&partial, directory).with_context(|| format!("make {}", directory.display()))?;
        Ok(directory.to_owned())
    }

    fn write_into(&self, directory: &Path) -> Result<()> {
        std::fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
        git::write_repository(&directory.join(REPOSITORY), &self.commits).with_context(|| format!("write {REPOSITORY}"))?;
        let reports = self.reports();
        for (name, text) in &reports {
            std::fs::write(directory.join(name), text).with_context(|| format!("write {name}"))?;
        }
        zip::write_zip(&directory.join(ZIP), &self.folder, &self.files, &reports).with_context(|| format!("write {ZIP}"))
    }
}

/// A title as a folder's name.
fn folder_name(title: &str) -> String {
    let plain: String = title.to_lowercase().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let name: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let name: String = name.join("-").chars().take(60).collect();
    if name.is_empty() { "project".to_owned() } else { name }
}

/// The accepted files with what a change brought since: other tests, another README. Where nothing was changed they are the same.
pub fn as_it_is(state: &State, mut files: Files) -> Files {
    let (Some(brief), Some(plan)) = (&state.brief, &state.plan) else { return files };
    // A file that somebody wrote in the place of a test that is void is not that test.
    files.retain(|path, file| state.void_files.get(path.as_ref()).is_none_or(|void| *void != sha256(&file.bytes)));
    let written: Vec<FilePattern> =
        plan.tasks.iter().flat_map(|task| &task.files).filter_map(|file| FilePattern::parse(file).ok()).collect();
    let is_test = |path: &ProjectPath| plan.check_files().any(|file| file.path == path.as_ref());
    let start = files_made_for(brief, plan, state.handed_over.is_some()).into_iter();
    files.extend(start.filter(|(path, _)| is_test(path) || !written.iter().any(|pattern| pattern.allows(path))));
    files
}

/// What is there before the first task: a README that says how to run it, unless the project was handed over and says so in its own way,
/// and the test files of its checks, which nobody may change.
pub fn files_made_for(brief: &crate::project::Brief, plan: &crate::project::Plan, was_handed_over: bool) -> Files {
    let mut readme = format!("# {}\n\n{}\n\n## Run\n\n```\n{}\n```\n\n## What it does\n\n", brief.title, brief.summary, plan.run_command);
    for requirement in &brief.requirements {
        readme.push_str(&format!("- {}\n", requirement.text));
    }
    let readme = (!was_handed_over).then(|| ("README.md".to_owned(), readme));
    let tests = plan.check_files().map(|file| (file.path.clone(), file.text.clone()));
    readme
        .into_iter()
        .chain(tests)
        .filter_map(|(path, text)| {
            let file = File { bytes: text.into_bytes().into(), executable: false };
            Some((ProjectPath::parse(&path).ok()?, file))
        })
        .collect()
}
