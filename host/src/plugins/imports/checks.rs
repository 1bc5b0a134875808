//! `checks`: runs checks on this run's overlay. The answer is kept: a program that was stopped by the clock might come further the
//! next time.

use super::{Context, diverged};
use crate::plugins::api::v0_1_0::{checks, types};
use crate::plugins::manifest::Grant;
use crate::project::{Acceptance, CheckResult, Refusal};
use wasmtime::Result;

/// Checks of one call.
const CHECKS_MAX: usize = 60;

impl checks::Host for Context {
    async fn run(&mut self, acceptance: Vec<types::Acceptance>) -> Result<std::result::Result<Vec<types::CheckResult>, types::Refusal>> {
        let acceptance: Vec<Acceptance> = acceptance.into_iter().map(Into::into).collect();
        let call = self.open("checks.run", &acceptance)?;
        let answer = match self.journal.recorded::<std::result::Result<Vec<CheckResult>, Refusal>>(&call).map_err(diverged)? {
            Some(answer) => answer,
            None => match self.allow(&call, Grant::Checks) {
                Ok(()) if acceptance.len() > CHECKS_MAX => Err(Refusal::Invalid(format!("at most {CHECKS_MAX} checks in one call"))),
                Ok(()) => {
                    let waiting = self.clock.enter(self.started);
                    let results = self.services()?.checks.run(self.overlay.files(), &acceptance).await;
                    drop(waiting);
                    Ok(results)
                }
                Err(refusal) => Err(refusal),
            },
        };
        self.journal.keep(&call, &answer);
        Ok(answer.map(|results| results.into_iter().map(Into::into).collect()).map_err(Into::into))
    }
}
