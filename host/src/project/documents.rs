//! The documents of a delivered project, which a user may ask for: written by the documenter, checked with the whole, and without
//! consequence for the project where they come to nothing. All of it is part of [`decide`](super::decide).

use super::next::Step;
use super::nouns::{Brief, Task};
use super::state::{Action, Phase, STEP_TRIES_MAX, State};
use crate::ledger::NanoUsd;
use crate::workspace::Files;
use crate::workspace::path::{FilePattern, ProjectPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the history calls them; no task of a plan may have this id.
pub const DOCUMENTS: &str = "documents";
/// Where they are, unless the project has files of its own there.
const FOLDER: &str = "docs";
/// And where they are then: the first of these folders, by number, that nobody else uses.
const FOLDERS_MAX: usize = 20;

/// What became of the wish for documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Documents {
    /// Those that were written, by path: nobody else's file is replaced by one.
    #[serde(default)]
    pub paths: BTreeSet<String>,
    /// Why they were not, when they were asked for last.
    #[serde(default)]
    pub failed: Option<String>,
}

impl Documents {
    pub(super) fn is_none(&self) -> bool {
        *self == Documents::default()
    }
}

impl State {
    /// What names the documents' runs and their budget.
    pub fn documents_key(&self) -> String {
        format!("{DOCUMENTS} (anew {})", self.round)
    }

    /// What names the runs of a step and their budget, for those that are given back together.
    pub fn key_of(&self, step: &Step) -> Option<String> {
        match step {
            Step::Document => Some(self.documents_key()),
            step => step.task().map(|task| self.task_key(task)),
        }
    }

    /// What the documenter is given to do. It never writes where somebody else did: a project may have documents of its own.
    pub fn documents_task(&self, files: &Files) -> Task {
        let pattern = |folder: &str| format!("{folder}/**");
        let is_free = |folder: &String| {
            let below = FilePattern::parse(&pattern(folder)).ok();
            let is_foreign = |path: &&ProjectPath| {
                below.as_ref().is_none_or(|below| below.allows(path)) && !self.documents.paths.contains(path.as_ref())
            };
            !files.keys().any(|path| is_foreign(&path))
        };
        let others = (1..=FOLDERS_MAX).map(|number| format!("{FOLDER}/atelier-{number}"));
        let folder = std::iter::once(FOLDER.to_owned()).chain(others).find(is_free).unwrap_or_else(|| FOLDER.to_owned());
        Task {
            id: DOCUMENTS.to_owned(),
            title: "Write the documents".to_owned(),
            description: "The delivered project's own documents.".to_owned(),
            depends_on: Vec::new(),
            files: vec![pattern(&folder)],
            acceptance: Vec::new(),
        }
    }

    pub(super) fn begin_documents(&mut self, ceiling: NanoUsd, actions: &mut Vec<Action>) {
        self.ceiling = Some(ceiling);
        actions.push(Action::SetCeiling(ceiling));
        self.round += 1;
        self.documents.failed = None;
        self.enter(Phase::Documenting);
    }

    /// They are part of the project now, whose whole is checked once more before it is delivered again.
    pub(super) fn take_documents(&mut self, tree: String, summary: String, paths: BTreeSet<String>, actions: &mut Vec<Action>) {
        self.documents.paths.extend(paths);
        actions.push(Action::Accept { task: DOCUMENTS.to_owned(), title: "Write the documents".to_owned(), summary, tree });
        self.enter(Phase::Building);
    }

    /// Tried once more; then the project is as it was, and what they cost is given back.
    pub(super) fn documents_failed(&mut self, why: String, actions: &mut Vec<Action>) {
        self.step_tries += 1;
        if self.step_tries >= STEP_TRIES_MAX {
            actions.push(Action::Refund { key: self.documents_key() });
            self.documents.failed = Some(why);
            self.enter(Phase::Delivered);
        }
    }

    /// Whether its documents are being written, or would be if it did not wait.
    pub fn is_documenting(&self) -> bool {
        *self.phase.beneath() == Phase::Documenting
    }

    /// Leaves the project as it was delivered, if its documents are being written.
    pub(super) fn withdraw_documents(&mut self) -> bool {
        let is_documenting = self.is_documenting();
        if is_documenting {
            self.enter(Phase::Delivered);
        }
        is_documenting
    }
}

/// The documents that a run wrote, or what keeps them from being any.
pub fn written(brief: &Brief, before: &Files, after: &Files) -> Result<BTreeSet<String>, String> {
    let written: BTreeSet<String> =
        after.iter().filter(|(path, file)| before.get(path) != Some(file)).map(|(path, _)| path.as_ref().to_owned()).collect();
    if let Some(other) = written.iter().find(|path| !path.ends_with(".md")) {
        return Err(format!("`{other}` is no document: they are Markdown, and end in .md"));
    }
    let text: String = after
        .iter()
        .filter(|(path, _)| written.contains(path.as_ref()))
        .map(|(_, file)| String::from_utf8_lossy(&file.bytes).into_owned())
        .collect();
    match brief.requirements.iter().find(|requirement| !text.contains(&requirement.id)) {
        Some(requirement) => Err(format!("no document names the requirement {}", requirement.id)),
        None => Ok(written),
    }
}

#[cfg(test)]
mod tests {
    use super::super::nouns::Requirement;
    use super::*;
    use crate::workspace::File;

    fn files(entries: &[(&str, &str)]) -> Files {
        let file = |text: &str| File { bytes: text.as_bytes().to_vec().into(), executable: false };
        entries.iter().map(|(path, text)| (ProjectPath::parse(path).expect("a path"), file(text))).collect()
    }

    #[test]
    fn documents_never_go_where_somebody_else_wrote() {
        let mut state = State::new("an idea");
        let folder = |state: &State, entries: &[(&str, &str)]| state.documents_task(&files(entries)).files[0].clone();
        assert_eq!(folder(&state, &[("main.py", "")]), "docs/**");
        assert_eq!(folder(&state, &[("docs/index.html", "")]), "docs/atelier-1/**");
        state.documents.paths.insert("docs/design.md".to_owned());
        assert_eq!(folder(&state, &[("docs/design.md", "")]), "docs/**", "its own are written anew");
        assert_eq!(folder(&state, &[("docs/design.md", ""), ("docs/conf.py", "")]), "docs/atelier-1/**");
    }

    #[test]
    fn documents_that_pass_a_requirement_over_are_none() {
        let requirement = |id: &str| Requirement { id: id.into(), text: "must hold".into(), prerequisites: vec![] };
        let brief = Brief { title: "T".into(), summary: "S".into(), language: "python".into(), requirements: vec![requirement("R1")] };
        let before = files(&[("main.py", "R1")]);
        let with = |path, text| written(&brief, &before, &files(&[("main.py", "R1"), (path, text)]));
        assert_eq!(with("docs/a.md", "R1 holds"), Ok(BTreeSet::from(["docs/a.md".to_owned()])));
        for (path, text, words) in [("docs/a.md", "all is well", "names the requirement R1"), ("docs/a.html", "R1", "is no document")] {
            assert!(with(path, text).is_err_and(|why| why.contains(words)), "{path}");
        }
        assert!(written(&brief, &before, &before).is_err(), "and neither is nothing at all");
    }
}
