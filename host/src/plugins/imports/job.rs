//! `job`: what the run is about. Constant for the run, so it needs no journal.

use super::Context;
use crate::plugins::api::v0_1_0::{job, types};
use wasmtime::Result;

impl types::Host for Context {}

impl job::Host for Context {
    async fn idea(&mut self) -> Result<String> {
        Ok(self.job.idea.clone())
    }

    async fn locale(&mut self) -> Result<String> {
        Ok(self.job.locale.clone())
    }

    async fn languages(&mut self) -> Result<Vec<String>> {
        Ok(self.job.languages.clone())
    }

    async fn current_brief(&mut self) -> Result<Option<types::Brief>> {
        Ok(self.job.brief.clone().map(Into::into))
    }

    async fn current_plan(&mut self) -> Result<Option<types::Plan>> {
        Ok(self.job.plan.clone().map(Into::into))
    }

    async fn current_task(&mut self) -> Result<Option<types::Task>> {
        Ok(self.job.task.clone().map(Into::into))
    }

    async fn attempt(&mut self) -> Result<u32> {
        Ok(self.job.attempt)
    }

    async fn findings(&mut self) -> Result<Vec<types::Finding>> {
        Ok(self.job.findings.iter().cloned().map(Into::into).collect())
    }

    async fn results(&mut self) -> Result<Vec<types::CheckResult>> {
        Ok(self.job.results.iter().cloned().map(Into::into).collect())
    }

    async fn accepted(&mut self) -> Result<Vec<job::AcceptedTask>> {
        Ok(self.job.accepted.iter().cloned().map(Into::into).collect())
    }

    async fn previous_brief(&mut self) -> Result<Option<types::Brief>> {
        Ok(self.job.previous_brief.clone().map(Into::into))
    }

    async fn change_request(&mut self) -> Result<Option<String>> {
        Ok(self.job.change_request.clone())
    }

    async fn attachments(&mut self) -> Result<Vec<types::SourceFile>> {
        Ok(self.job.attachments.iter().cloned().map(Into::into).collect())
    }

    async fn settings(&mut self) -> Result<Vec<(String, String)>> {
        Ok(self.job.settings.clone())
    }
}
