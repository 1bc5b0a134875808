//! `checks`: runs checks on this run's overlay.

use super::{Context, diverged};
use crate::plugins::api::v0_1_0::{checks, types};
use crate::plugins::manifest::Grant;
use crate::project::Acceptance;
use wasmtime::Result;

impl checks::Host for Context {
    async fn run(&mut self, acceptance: Vec<types::Acceptance>) -> Result<std::result::Result<Vec<types::CheckResult>, types::Refusal>> {
        let acceptance: Vec<Acceptance> = acceptance.into_iter().map(Into::into).collect();
        let call = self.open("checks.run", &acceptance)?;
        let answer = self.allow(&call, Grant::Checks).map(|()| crate::checks::run(self.overlay.files(), &acceptance));
        self.journal.compare(&call, &answer).map_err(diverged)?;
        Ok(answer.map(|results| results.into_iter().map(Into::into).collect()).map_err(Into::into))
    }
}
