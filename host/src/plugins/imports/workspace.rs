//! `workspace`: the project's files, on this run's overlay. What is read follows from the run's inputs and is compared in a replay;
//! what the parse gate says of a write is kept, because a runner may be pinned anew or stopped by the clock.

use super::{Context, diverged};
use crate::checks::outcome::SyntaxProblem;
use crate::plugins::api::v0_1_0::{types, workspace};
use crate::plugins::journal::Call;
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
    async fn gate<'a>(&mut self, texts: impl Iterator<Item = (&'a ProjectPath, &'a String)>) -> Vec<SyntaxProblem> {
        let Some(services) = self.services.as_ref().filter(|services| services.parse_gate) else { return Vec::new() };
        let code = texts.filter(|(path, _)| !NOT_GATED.iter().any(|ending| path.as_ref().ends_with(ending)));
        let files: Files =
            code.map(|(path, text)| (path.clone(), File { bytes: text.clone().into_bytes().into(), executable: false })).collect();
        if files.is_empty() {
            return Vec::new();
        }
        let _waiting = self.clock.enter(self.started);
        services.checks.parse(&files).await
    }

    /// What the gate says of a write is kept: a replay does what was done then, whatever a runner says now.
    async fn write_parsed(&mut self, call: &Call, file: &types::SourceFile) -> Result<std::result::Result<(), Refusal>> {
        let answer = match self.journal.recorded::<std::result::Result<(), Refusal>>(call).map_err(diverged)? {
            Some(Ok(())) => self.overlay.write(&file.path, &file.text),
            Some(Err(refusal)) => Err(refusal),
            None => match self.allow(call, Grant::WorkspaceWrite).and_then(|()| self.overlay.may_write(&file.path)) {
                Ok(path) => match self.gate([(&path, &file.text)].into_iter()).await.first() {
                    None => self.overlay.write(&file.path, &file.text),
                    Some(problem) => Err(refused_by_gate(problem)),
                },
                Err(refusal) => Err(refusal),
            },
        };
        self.journal.keep(call, &answer);
        Ok(answer)
    }

    async fn edit_parsed(&mut self, call: &Call, edits: &[FileEdit]) -> Result<std::result::Result<Edited, Refusal>> {
        let recorded = self.journal.recorded::<std::result::Result<Edited, Refusal>>(call).map_err(diverged)?;
        let answer = match recorded {
            Some(Err(refusal)) => Err(refusal),
            known => match self.allow(call, Grant::WorkspaceWrite).and_then(|()| self.overlay.preview(edits)) {
                Ok(mut preview) => {
                    let problems = match known {
                        Some(Ok((_, problems))) => problems,
                        _ => self.gate(preview.texts.iter()).await,
                    };
                    preview.texts.retain(|path, _| !problems.iter().any(|problem| problem.path == path.as_ref()));
                    self.overlay.commit(preview.texts).map(|()| (preview.failures, problems))
                }
                Err(refusal) => Err(refusal),
            },
        };
        self.journal.keep(call, &answer);
        Ok(answer)
    }
}

/// Edits without a place, and files that the gate kept out.
type Edited = (Vec<EditFailure>, Vec<SyntaxProblem>);

fn refused_by_gate(problem: &SyntaxProblem) -> Refusal {
    Refusal::Invalid(format!("it does not parse, so it was not written; line {}: {}", problem.line, problem.message))
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
        Ok(self.write_parsed(&call, &file).await?.map_err(Into::into))
    }

    async fn apply_edits(&mut self, edits: Vec<workspace::Edit>) -> Result<Result<workspace::EditOutcome, types::Refusal>> {
        let edits: Vec<FileEdit> = edits.into_iter().map(Into::into).collect();
        let call = self.open("workspace.apply-edits", &edits)?;
        let answer = self.edit_parsed(&call, &edits).await?;
        let outcome = |(failures, problems): Edited| workspace::EditOutcome {
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
        let call = self.open("workspace.rename", &(&old_path, &new_path))?;
        let answer = match self.journal.recorded::<std::result::Result<(), Refusal>>(&call).map_err(diverged)? {
            Some(Err(refusal)) => Err(refusal),
            Some(Ok(())) => self.overlay.rename(&old_path, &new_path),
            None => match self.allow(&call, Grant::WorkspaceWrite).and_then(|()| self.overlay.may_write(&new_path)) {
                Ok(path) => {
                    // Another ending may make code of a text.
                    let text = self.overlay.read(&old_path).unwrap_or_default();
                    match self.gate([(&path, &text)].into_iter()).await.first() {
                        None => self.overlay.rename(&old_path, &new_path),
                        Some(problem) => Err(refused_by_gate(problem)),
                    }
                }
                Err(refusal) => Err(refusal),
            },
        };
        self.journal.keep(&call, &answer);
        Ok(answer.map_err(Into::into))
    }
}
