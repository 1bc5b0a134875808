//! What the end of a call means: for the hold (settled, voided or lost), for the guest (an answer or a typed refusal), and for the run
//! (that it has to wait). Who pays where nobody knows what the provider did is the table in [`crate::llm::unknown`].

use super::sending::{Held, Seen, Sent};
use super::{CallContext, Gateway, input_tokens};
use crate::failpoint;
use crate::ledger::{NanoUsd, Settlement, Usage, UsageSource, estimate_tokens};
use crate::llm::dialects::{Failed, Rejection};
use crate::llm::unknown::{Outcome, Resolution, policy};
use crate::llm::{Completion, Finish, Reply, Request};
use crate::project::{Pause, Refusal};
use crate::store::StoreError;
use crate::store::runs::JournalRow;
use crate::store::steps::Standing;

impl Gateway {
    /// Settles, voids or loses the hold and says what the guest gets. `pending` are the host calls that led here.
    pub(super) async fn conclude(
        &self,
        context: &CallContext,
        request: &Request,
        sent: Sent,
        pending: &[JournalRow],
    ) -> Result<Completion, StoreError> {
        let end = End { gateway: self, context, request, pending };
        match sent {
            Sent::Answered { held, answer } => {
                let (usage, source) = match answer.usage.filter(Usage::is_plausible) {
                    Some(usage) => (usage, UsageSource::Provider),
                    None => (end.estimate(&Seen { text_tokens: estimate_tokens(&answer.text), usage: None }), UsageSource::Estimated),
                };
                let made = |charged| match answer.finish {
                    Finish::Filtered if answer.text.is_empty() => Err(Refusal::Filtered),
                    finish => Ok(Reply { text: answer.text.clone(), finish, usage, charged }),
                };
                end.settle(held, usage, source, made).await
            }
            Sent::Failed { held, failed: Failed::Broken { text, why, idle, usage } } => {
                tracing::warn!(run = %held.call.run, "the model's answer ended early: {why}");
                let refusal = if idle { Refusal::TimedOut } else { Refusal::Unavailable("the model's answer was cut off".to_owned()) };
                let seen = Seen { text_tokens: estimate_tokens(&text), usage };
                end.unknown(held, Outcome::CutAfterText, &seen, &why, Completion::Stored(Err(refusal))).await
            }
            // A process that is leaving keeps no answer, so that the call is made again.
            // Nor does one whose step is another worker's by now: that makes the call again.
            Sent::Stopped { held, seen } if self.is_closing() || self.is_taken(context).await => {
                end.lose(held, &seen, "stopped", Completion::Suspended(Pause::User)).await
            }
            Sent::Stopped { held, seen } if seen.output_tokens() == 0 => {
                end.unknown(held, Outcome::StoppedBeforeText, &seen, "stopped", Completion::Suspended(Pause::User)).await
            }
            Sent::Stopped { held, seen } => {
                end.unknown(held, Outcome::StoppedAfterText, &seen, "stopped", Completion::Stored(Err(Refusal::Cancelled))).await
            }
            Sent::Failed { held, failed: Failed::Rejected(rejection @ (Rejection::ContextTooLong | Rejection::Filtered)) } => {
                let answer = Err(if rejection == Rejection::Filtered { Refusal::Filtered } else { Refusal::ContextTooLong });
                self.store.void(&held.call, &end.rows(&answer)).await?;
                Ok(Completion::Stored(answer))
            }
            Sent::Failed { held, failed } => {
                let (outcome, why) = match failed {
                    Failed::Unknown { why, outcome } => (outcome, why),
                    other => (Outcome::Unreadable, format!("{other:?}")),
                };
                end.unknown(held, outcome, &Seen::default(), &why, Completion::Suspended(Pause::Provider(why.clone()))).await
            }
            Sent::NotTaken { held, pause } => end.give_back(held, Completion::Suspended(pause)).await,
            Sent::Left { held } => end.give_back(held, Completion::Unsent(Refusal::Cancelled)).await,
            Sent::Refused(refusal) => Ok(Completion::Unsent(refusal)),
        }
    }
}

impl Gateway {
    async fn is_taken(&self, context: &CallContext) -> bool {
        match &context.lease {
            Some(lease) => matches!(self.store.standing(lease).await, Ok(Standing::Taken)),
            None => false,
        }
    }
}

/// What every end of one call has at hand.
struct End<'a> {
    gateway: &'a Gateway,
    context: &'a CallContext,
    request: &'a Request,
    pending: &'a [JournalRow],
}

impl End<'_> {
    /// The host calls that led here, and the answer to this one.
    fn rows(&self, answer: &Result<Reply, Refusal>) -> Vec<JournalRow> {
        let response = serde_json::to_string(answer).expect("a reply always serializes");
        let (run, seq, fingerprint) = (self.context.run.clone(), self.context.seq, self.context.fingerprint.clone());
        let mut rows = self.pending.to_vec();
        rows.push(JournalRow::kept(run, seq, "llm.complete", fingerprint, response));
        rows
    }

    /// What the call took as far as anybody can tell: what the provider reported in passing, and the text that was seen.
    fn estimate(&self, seen: &Seen) -> Usage {
        let reported = seen.usage.filter(Usage::is_plausible).unwrap_or(Usage { input: input_tokens(self.request), ..Usage::default() });
        Usage { output: seen.output_tokens().saturating_sub(reported.reasoning), ..reported }
    }

    async fn settle(
        &self,
        held: Held,
        usage: Usage,
        source: UsageSource,
        answer: impl Fn(NanoUsd) -> Result<Reply, Refusal>,
    ) -> Result<Completion, StoreError> {
        failpoint::reach("before settle");
        let settlement = Settlement { call: held.call, usage, source };
        let charged = self.gateway.store.settle(&settlement, |charged| self.rows(&answer(charged))).await?;
        failpoint::reach("settled");
        Ok(Completion::Stored(answer(charged)))
    }

    /// Nobody knows what the provider did: the policy says who pays the estimate.
    async fn unknown(
        &self,
        held: Held,
        outcome: Outcome,
        seen: &Seen,
        why: &str,
        completion: Completion,
    ) -> Result<Completion, StoreError> {
        match (policy(held.dialect, outcome), &completion) {
            (Resolution::UserPaysEstimate, Completion::Stored(answer)) => {
                let usage = self.estimate(seen);
                let answer = answer.clone();
                self.settle(held, usage, UsageSource::Estimated, |_| answer.clone()).await
            }
            _ => self.lose(held, seen, why, completion).await,
        }
    }

    async fn lose(&self, held: Held, seen: &Seen, why: &str, completion: Completion) -> Result<Completion, StoreError> {
        failpoint::reach("before lose");
        self.gateway.store.lose(&held.call, &self.estimate(seen), why).await?;
        // An answer whose cost the house bears is still the answer: without its row a replay would make the call again.
        match completion {
            Completion::Stored(Err(refusal)) => Ok(Completion::Unsent(refusal)),
            other => Ok(other),
        }
    }

    async fn give_back(&self, held: Option<Held>, completion: Completion) -> Result<Completion, StoreError> {
        if let Some(held) = held {
            failpoint::reach("before void");
            self.gateway.store.void(&held.call, &[]).await?;
        }
        Ok(completion)
    }
}
