//! `credits`: what the run may still spend. The answer changes with time, so it is kept in the journal.

use super::{Context, diverged, host_failed};
use crate::ledger::NanoUsd;
use crate::plugins::api::v0_1_0::{credits, llm, types};
use crate::plugins::manifest::Grant;
use crate::project::{Refusal, Remaining};
use wasmtime::Result;

impl credits::Host for Context {
    async fn left(&mut self) -> Result<Result<credits::Remaining, types::Refusal>> {
        let call = self.open("credits.left", &())?;
        let answer = match self.journal.recorded(&call).map_err(diverged)? {
            Some(answer) => answer,
            None => match self.allow(&call, Grant::Credits) {
                Ok(()) => Ok(self.services()?.store.remaining(&self.owner.run, &self.owner.wallet).await.map_err(host_failed)?),
                Err(refusal) => Err(refusal),
            },
        };
        self.journal.keep(&call, &answer);
        Ok(answer.map(|left: Remaining| left.into()).map_err(|refusal: Refusal| refusal.into()))
    }

    async fn quote(&mut self, request: llm::Request) -> Result<Result<u64, types::Refusal>> {
        let request = crate::llm::Request::from(request);
        let call = self.open("credits.quote", &request)?;
        let answer: std::result::Result<NanoUsd, Refusal> = match self.journal.recorded(&call).map_err(diverged)? {
            Some(answer) => answer,
            None => match self.allow(&call, Grant::Credits) {
                Ok(()) => self.services()?.gateway.quote(&request).await,
                Err(refusal) => Err(refusal),
            },
        };
        self.journal.keep(&call, &answer);
        Ok(answer.map(NanoUsd::as_u64).map_err(Into::into))
    }
}
