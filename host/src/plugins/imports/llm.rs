//! `llm`: one model call, through the ledger.

use super::{Context, diverged, host_failed};
use crate::llm::gateway::CallContext;
use crate::llm::{Completion, Reply, Request};
use crate::plugins::api::v0_1_0::{llm, types};
use crate::plugins::manifest::Grant;
use crate::plugins::run::Ending;
use crate::project::{Pause, Refusal};
use crate::store::ledger::run_budget;
use std::sync::atomic::Ordering;
use wasmtime::Result;

/// An agent that asks the model the very same more often than this in one run has lost its way.
const SAME_REQUESTS_MAX: u32 = 3;

impl llm::Host for Context {
    async fn complete(&mut self, request: llm::Request) -> Result<Result<llm::Reply, types::Refusal>> {
        let mut request = Request::from(request);
        let call = self.open("llm.complete", &request)?;
        let asked = self.asked.entry(call.fingerprint.clone()).or_default();
        *asked += 1;
        if *asked > SAME_REQUESTS_MAX {
            return Err(Ending::Stuck.into());
        }
        if let Some(answer) = self.journal.recorded::<std::result::Result<Reply, Refusal>>(&call).map_err(diverged)? {
            return Ok(answer.map(Into::into).map_err(Into::into));
        }
        if let Err(refusal) = self.allow(&call, Grant::Llm) {
            self.journal.keep(&call, &Err::<Reply, _>(refusal.clone()));
            return Ok(Err(refusal.into()));
        }
        if self.services()?.pausing.load(Ordering::Relaxed) {
            return Err(Ending::Suspended(Pause::User).into());
        }
        let context = CallContext {
            run: self.owner.run.clone(),
            seq: call.seq,
            fingerprint: call.fingerprint.clone(),
            wallet: self.owner.wallet.clone(),
            budget: run_budget(&self.owner.run),
            lease: self.owner.lease.clone(),
        };
        if let Some(class) = &self.owner.class {
            request.class.clone_from(class);
        }
        let mut pending = self.journal.take_pending();
        let waiting = self.clock.enter(self.started);
        let completion = self.services()?.gateway.complete(context, request, &mut pending).await;
        drop(waiting);
        self.journal.put_back(pending);
        match completion.map_err(host_failed)? {
            Completion::Stored(answer) => {
                self.journal.stored(answer.as_ref().map_or(0, |reply| reply.text.len()));
                Ok(answer.map(Into::into).map_err(Into::into))
            }
            Completion::Unsent(refusal) => {
                self.journal.keep(&call, &Err::<Reply, _>(refusal.clone()));
                Ok(Err(refusal.into()))
            }
            Completion::Suspended(pause) => Err(Ending::Suspended(pause).into()),
        }
    }
}
