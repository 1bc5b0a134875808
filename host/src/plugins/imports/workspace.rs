//! `workspace`: the project's files, on this run's overlay.

use super::Context;
use crate::plugins::api::v0_1_0::{types, workspace};
use crate::plugins::manifest::Grant;
use crate::workspace::overlay::FileEdit;
use wasmtime::Result;

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
        let arguments = (&file.path, &file.text);
        let answer = self.local("workspace.write", &arguments, Grant::WorkspaceWrite, |run| run.overlay.write(&file.path, &file.text))?;
        Ok(answer.map_err(Into::into))
    }

    async fn apply_edits(&mut self, edits: Vec<workspace::Edit>) -> Result<Result<workspace::EditOutcome, types::Refusal>> {
        let edits: Vec<FileEdit> = edits.into_iter().map(Into::into).collect();
        let answer = self.local("workspace.apply-edits", &edits, Grant::WorkspaceWrite, |run| run.overlay.apply(&edits))?;
        // No language can be parsed on the host yet, so the parse gate lets everything through.
        let outcome = |failures: Vec<crate::workspace::overlay::EditFailure>| workspace::EditOutcome {
            failures: failures.into_iter().map(Into::into).collect(),
            parse_errors: Vec::new(),
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
