//! `llm`: one model call, through the ledger.

use super::{Context, diverged, host_failed};
use crate::llm::gateway::CallContext;
use crate::llm::{Completion, Reply, Request};
use crate::plugins::api::v0_1_0::{llm, types};
use crate::plugins::manifest::Grant;
use crate::plugins::run::Ending;
use crate::project::Refusal;
use crate::store::ledger::run_budget;
use wasmtime::Result;

impl llm::Host for Context {
    async fn complete(&mut self, request: llm::Request) -> Result<Result<llm::Reply, types::Refusal>> {
        let request = Request::from(request);
        let call = self.open("llm.complete", &request)?;
        if let Some(answer) = self.journal.recorded::<std::result::Result<Reply, Refusal>>(&call).map_err(diverged)? {
            return Ok(answer.map(Into::into).map_err(Into::into));
        }
        if let Err(refusal) = self.allow(&call, Grant::Llm) {
            self.journal.keep(&call, &Err::<Reply, _>(refusal.clone()));
            return Ok(Err(refusal.into()));
        }
        let context = CallContext {
            run: self.owner.run.clone(),
            seq: call.seq,
            fingerprint: call.fingerprint.clone(),
            wallet: self.owner.wallet.clone(),
            budget: run_budget(&self.owner.run),
        };
        let mut pending = self.journal.take_pending();
        let waiting = self.clock.enter(self.started);
        let completion = self.services.gateway.complete(context, request, &mut pending).await;
        drop(waiting);
        self.journal.put_back(pending);
        match completion.map_err(host_failed)? {
            Completion::Stored(answer) => Ok(answer.map(Into::into).map_err(Into::into)),
            Completion::Unsent(refusal) => {
                self.journal.keep(&call, &Err::<Reply, _>(refusal.clone()));
                Ok(Err(refusal.into()))
            }
            Completion::Suspended(pause) => Err(Ending::Suspended(pause).into()),
        }
    }
}
