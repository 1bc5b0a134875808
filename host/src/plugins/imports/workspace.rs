//! `workspace`: the project's files, on this run's overlay.

use super::{Context, diverged};
use crate::checks::outcome::SyntaxProblem;
use crate::plugins::api::v0_1_0::{types, workspace};
use crate::plugins::manifest::Grant;
use crate::project::Refusal;
use crate::workspace::overlay::{EditFailure, FileEdit};
use crate::workspace::path::ProjectPath;
use crate::workspace::{File, Files};
use wasmtime::Result;

/// Pages link to files that are written later, so only code is held back.
const NOT_GATED: &[&str] = &[".html", ".json"];

impl Context {
    /// The parse gate: what does not parse is not written, because an agent recovers from a refused edit far more often than from a
    /// broken file.
    async fn gate<'a>(&self, texts: impl Iterator<Item = (&'a ProjectPath, &'a String)>) -> Vec<SyntaxProblem> {
        if !self.services.parse_gate {
            return Vec::new();
        }
        let code = texts.filter(|(path, _)| !NOT_GATED.iter().any(|ending| path.as_ref().ends_with(ending)));
        let files: Files =
            code.map(|(path, text)| (path.clone(), File { bytes: text.clone().into_bytes().into(), executable: false })).collect();
        if files.is_empty() { Vec::new() } else { self.services.checks.parse(&files).await }
    }

    async fn write_parsed(&mut self, file: &types::SourceFile) -> std::result::Result<(), Refusal> {
        self.overlay.may_write(&file.path)?;
        if let Ok(path) = ProjectPath::parse(&file.path)
            && let Some(problem) = self.gate([(&path, &file.text)].into_iter()).await.first()
        {
            return Err(Refusal::Invalid(format!("it does not parse, so it was not written; line {}: {}", problem.line, problem.message)));
        }
        self.overlay.write(&file.path, &file.text)
    }

    async fn edit_parsed(&mut self, edits: &[FileEdit]) -> std::result::Result<(Vec<EditFailure>, Vec<SyntaxProblem>), Refusal> {
        let mut preview = self.overlay.preview(edits)?;
        let problems = self.gate(preview.texts.iter()).await;
        preview.texts.retain(|path, _| !problems.iter().any(|problem| problem.path == path.as_ref()));
        self.overlay.commit(preview.texts)?;
        Ok((preview.failures, problems))
    }
}

impl workspace::Host for Context {
    async fn list_files(&mut self, after: Option<String>) -> Result<Result<workspace::Page, types::Refusal>> {
        let answer = self.local("workspace.list-files", &after, Grant::WorkspaceRead, |run| Ok(run.overlay.list(after.as_deref())))?;
        Ok(answer.map(Into::into).map_err(Into::into))
    }

    async fn read(&mut self, path: String) -> Result<Result<String, types::Refusal>> {
        let answer = self.local("workspace.read", &path, Grant::WorkspaceRead, |run| run.overlay.read(&path))?;
        Ok(answer.map_err(Into::into))
    }

    async fn read_lines(&mut self, path: String, first: u32, count: u32) -> Result<Result<String, types::Refusal>> {
        let arguments = (&path, first, count);
        let answer =
            self.local("workspace.read-lines", &arguments, Grant::WorkspaceRead, |run| run.overlay.read_lines(&path, first, count))?;
        Ok(answer.map_err(Into::into))
    }

    async fn write(&mut self, file: types::SourceFile) -> Result<Result<(), types::Refusal>> {
        let call = self.open("workspace.write", &(&file.path, &file.text))?;
        let answer = match self.allow(&call, Grant::WorkspaceWrite) {
            Ok(()) => self.write_parsed(&file).await,
            Err(refusal) => Err(refusal),
        };
        self.journal.compare(&call, &answer).map_err(diverged)?;
        Ok(answer.map_err(Into::into))
    }

    async fn apply_edits(&mut self, edits: Vec<workspace::Edit>) -> Result<Result<workspace::EditOutcome, types::Refusal>> {
        let edits: Vec<FileEdit> = edits.into_iter().map(Into::into).collect();
        let call = self.open("workspace.apply-edits", &edits)?;
        let answer = match self.allow(&call, Grant::WorkspaceWrite) {
            Ok(()) => self.edit_parsed(&edits).await,
            Err(refusal) => Err(refusal),
        };
        self.journal.compare(&call, &answer).map_err(diverged)?;
        let outcome = |(failures, problems): (Vec<EditFailure>, Vec<SyntaxProblem>)| workspace::EditOutcome {
            failures: failures.into_iter().map(Into::into).collect(),
            parse_errors: problems
                .into_iter()
                .map(|problem| workspace::ParseError { path: problem.path, line: problem.line, message: problem.message })
                .collect(),
        };
        Ok(answer.map(outcome).map_err(Into::into))
    }

    async fn remove(&mut self, path: String) -> Result<Result<(), types::Refusal>> {
        let answer = self.local("workspace.remove", &path, Grant::WorkspaceWrite, |run| run.overlay.remove(&path))?;
        Ok(answer.map_err(Into::into))
    }

    async fn rename(&mut self, old_path: String, new_path: String) -> Result<Result<(), types::Refusal>> {
        let arguments = (&old_path, &new_path);
        let answer = self.local("workspace.rename", &arguments, Grant::WorkspaceWrite, |run| run.overlay.rename(&old_path, &new_path))?;
        Ok(answer.map_err(Into::into))
    }
}
