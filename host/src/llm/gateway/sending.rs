//! From a request to an accepted one: a provider with a key to spare, the money held for it, and the next way out where a provider did
//! not take it. A request that was accepted is never sent again.

use super::{CallContext, Gateway, input_tokens_max, no_model, output_tokens};
use crate::failpoint;
use crate::ledger::{CallId, Reserve, Reserved, Scope, Usage, estimate_tokens};
use crate::llm::Request;
use crate::llm::dialects::{Answer, Dialect, Failed, NotAcceptedCause, Rejection, Wire};
use crate::llm::keys::pool::Outcome;
use crate::llm::providers::{Opening, Way};
use crate::project::{Pause, Refusal};
use crate::store::{StoreError, now_ms};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Less output than this helps no agent; the call is refused instead.
const OUTPUT_TOKENS_USEFUL: u64 = 256;
/// Requests of one call that no provider accepted.
pub(super) const SENDS_MAX: u32 = 4;
/// The first wait between them, doubled each time.
const RETRY_WAIT: Duration = Duration::from_millis(400);
/// How long a call waits for a key's limit to pass before its run is suspended instead.
const KEY_WAIT_MAX: Duration = Duration::from_secs(90);
/// How long a call waits for others to be settled that hold what it needs, and how often it looks.
const OTHERS_WAIT_MAX: Duration = Duration::from_secs(120);
const OTHERS_INTERVAL: Duration = Duration::from_millis(250);
/// How often the output seen is written down while a stream runs.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// How far a call came.
pub(super) enum Sent {
    /// The provider's answer.
    Answered { held: Held, answer: Answer },
    /// It was accepted, or may have been, and did not end well.
    Failed { held: Held, failed: Failed },
    /// Nobody waits for it any more.
    Stopped { held: Held, seen: Seen },
    /// No provider took it, or none can be asked; what was held is to be given back.
    NotTaken { held: Option<Held>, pause: Pause },
    /// The caller left before anything was sent.
    Left { held: Option<Held> },
    /// Nothing was held, and this is why.
    Refused(Refusal),
}

/// Money held for a call to one model.
pub(super) struct Held {
    pub call: CallId,
    pub dialect: Dialect,
    price: i64,
    output_tokens: u64,
    requests: u32,
}

/// What a stream has shown so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Of its text.
    pub text_tokens: u64,
    /// As the provider reported in passing.
    pub usage: Option<Usage>,
}

impl Seen {
    /// The output, by whichever count is larger.
    pub(super) fn output_tokens(&self) -> u64 {
        self.text_tokens.max(self.usage.map_or(0, |usage| usage.output + usage.reasoning))
    }
}

impl Gateway {
    /// Sends until a provider accepts, a bounded number of times.
    pub(super) async fn send(
        &self,
        context: &CallContext,
        request: &Request,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<Sent, StoreError> {
        let routes = self.settings.models_of(&request.class);
        if routes.is_empty() {
            return Ok(Sent::NotTaken { held: None, pause: Pause::Operator(no_model().to_string()) });
        }
        self.providers.refresh(&self.store).await?;
        let tokens = input_tokens_max(request) + output_tokens(request);
        // Routes that did not take the request, and whether they may be asked again.
        let mut tried: BTreeMap<usize, bool> = BTreeMap::new();
        let (mut held, mut last): (Option<Held>, Option<Pause>) = (None, None);
        let (mut sends, mut retry_wait, mut waited) = (0, RETRY_WAIT, Duration::ZERO);
        while sends < SENDS_MAX {
            let opening = match self.providers.way(&routes, &context.wallet, tokens, &tried) {
                Way::Open(opening) => opening,
                Way::Wait(wait) if waited + wait <= KEY_WAIT_MAX => {
                    waited += wait;
                    if is_left(&mut stopped, wait).await {
                        return Ok(Sent::Left { held });
                    }
                    continue;
                }
                Way::Wait(wait) => {
                    let pause = Pause::Provider(format!("every key is over its limit for another {} s", wait.as_secs()));
                    return Ok(Sent::NotTaken { held, pause: last.unwrap_or(pause) });
                }
                Way::Closed(why) => {
                    let pause = if why.wait().is_some() { Pause::Provider(why.to_string()) } else { Pause::Operator(why.to_string()) };
                    return Ok(Sent::NotTaken { held, pause: last.unwrap_or(pause) });
                }
                Way::Nowhere => {
                    let pause = Pause::Operator("no model server is configured; set ATELIER_MODEL_URL, or [providers.NAME]".to_owned());
                    return Ok(Sent::NotTaken { held, pause: last.unwrap_or(pause) });
                }
            };
            if tried.contains_key(&opening.number) {
                if is_left(&mut stopped, retry_wait).await {
                    return Ok(Sent::Left { held });
                }
                retry_wait *= 2;
            }
            let (now_held, request_id) = match self.hold(context, request, &opening, held.take(), &mut stopped).await? {
                Hold::Held(held, request_id) => (held, request_id),
                Hold::Not(sent) => return Ok(sent),
            };
            failpoint::reach("held");
            sends += 1;
            let (seen, result) = self.attempt(&now_held, &opening, request, &request_id, &mut stopped).await;
            failpoint::reach("answered");
            let Some(result) = result else { return Ok(Sent::Stopped { held: now_held, seen }) };
            let failure = match result {
                Ok(answer) => {
                    opening.report(Outcome::Answered { tokens: answer.usage.map_or(tokens, |usage| usage.total()) });
                    return Ok(Sent::Answered { held: now_held, answer });
                }
                Err(failure) => failure,
            };
            if let Some(outcome) = outcome(&failure) {
                opening.report(outcome);
            }
            let (why, pause, again) = match &failure {
                Failed::NotAccepted { why, .. } => (why.clone(), Pause::Provider(format!("{why}, {SENDS_MAX} tries")), Some(true)),
                Failed::Faulty(status) => (format!("status {status}"), Pause::Provider(format!("status {status}")), Some(false)),
                Failed::Rejected(rejection) if !is_of_prompt(rejection) => {
                    // The pool puts a stored key aside, so the same provider may have another one at once.
                    let stored = opening.route.key_id.is_some() && is_of_key(rejection);
                    ("rejected".to_owned(), Pause::Operator(next_step(rejection)), (!stored).then_some(false))
                }
                _ => return Ok(Sent::Failed { held: now_held, failed: failure }),
            };
            self.store.void_attempt(&now_held.call, &request_id, &why).await?;
            failpoint::reach("not accepted");
            tracing::info!(%why, provider = %opening.route.provider, "a request was not accepted");
            tried.extend(again.map(|again| (opening.number, again)));
            (held, last) = (Some(now_held), Some(pause));
        }
        Ok(Sent::NotTaken { held, pause: last.unwrap_or_else(|| Pause::Provider("no provider answered".to_owned())) })
    }

    /// Holds the money for this way out. What is held for another price is given back first.
    async fn hold(
        &self,
        context: &CallContext,
        request: &Request,
        opening: &Opening<'_>,
        held: Option<Held>,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<Hold, StoreError> {
        let price = match self.price(&opening.route.provider, &opening.route.model, opening.own_key).await {
            Ok(price) => price,
            Err(refusal) => return Ok(Hold::Not(Sent::NotTaken { held, pause: Pause::Operator(refusal.to_string()) })),
        };
        match held {
            Some(mut held) if held.price == price.id => {
                held.requests += 1;
                let request_id = self.store.dispatch(&held.call, held.requests, &opening.route).await?;
                return Ok(Hold::Held(held, request_id));
            }
            Some(held) => self.store.void(&held.call, &[]).await?,
            None => {}
        }
        let mut ask = Reserve {
            run: context.run.clone(),
            seq: context.seq,
            fingerprint: context.fingerprint.clone(),
            wallet: context.wallet.clone(),
            budget: context.budget.clone(),
            price,
            input_tokens: input_tokens_max(request),
            output_tokens: output_tokens(request).min(opening.provider.max_output_tokens),
            output_tokens_min: OUTPUT_TOKENS_USEFUL,
            route: opening.route.clone(),
            limits: self.limits,
            at_ms: now_ms(),
            patient: true,
        };
        failpoint::reach("before hold");
        let mut reserved = self.store.reserve(&self.boot, context.lease.as_ref(), &ask).await?;
        let began = Instant::now();
        while reserved == Reserved::OthersHold {
            if is_left(stopped, OTHERS_INTERVAL).await {
                return Ok(Hold::Not(Sent::Left { held: None }));
            }
            (ask.at_ms, ask.patient) = (now_ms(), began.elapsed() < OTHERS_WAIT_MAX);
            reserved = self.store.reserve(&self.boot, context.lease.as_ref(), &ask).await?;
        }
        let pause = match reserved {
            Reserved::OthersHold => Pause::Provider("other calls hold what this one needs".to_owned()),
            Reserved::Held { call, output_tokens, request_id, .. } => {
                let held = Held { call, dialect: opening.provider.dialect, price: price.id, output_tokens, requests: 1 };
                return Ok(Hold::Held(held, request_id));
            }
            Reserved::TooLittle { scope: Scope::User, .. } => Pause::Credits,
            Reserved::TooLittle { scope: Scope::Project, .. } | Reserved::NearCeiling { .. } => Pause::Ceiling,
            Reserved::TooLittle { scope: Scope::Day, .. } => Pause::Operator(
                "this user's limit for the day is reached; it starts anew at 00:00 UTC, or raise ATELIER_DAILY_LIMIT".to_owned(),
            ),
            Reserved::TooLittle { scope: Scope::Month, .. } => Pause::Operator(
                "this user's limit for the month is reached; it starts anew on the 1st, or raise ATELIER_MONTHLY_LIMIT".to_owned(),
            ),
            Reserved::TooLittle { scope, .. } => return Ok(Hold::Not(Sent::Refused(Refusal::BudgetExceeded(scope)))),
            Reserved::TooManyCalls { .. } => Pause::Operator(
                "the project made as many model calls as one may; raise ATELIER_CALLS_PER_PROJECT if that is meant to be".to_owned(),
            ),
        };
        Ok(Hold::Not(Sent::NotTaken { held: None, pause }))
    }

    /// One request and its stream. No result: the caller left.
    async fn attempt(
        &self,
        held: &Held,
        opening: &Opening<'_>,
        request: &Request,
        request_id: &str,
        stopped: &mut watch::Receiver<bool>,
    ) -> (Seen, Option<Result<Answer, Failed>>) {
        let wire = Wire {
            model: &opening.route.model,
            messages: &request.messages,
            max_output_tokens: held.output_tokens,
            stop: &request.stop,
            request_id,
        };
        let seen = Mutex::new(Seen::default());
        let read = || *seen.lock().unwrap_or_else(PoisonError::into_inner);
        let note = |text: &str, usage: Option<&Usage>| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            *seen = Seen { text_tokens: estimate_tokens(text), usage: usage.copied().or(seen.usage) };
        };
        let result = tokio::select! {
            result = held.dialect.send(&self.client, &opening.endpoint, &wire, note) => Some(result),
            () = self.checkpoint(&held.call, read) => unreachable!("the checkpoints have no end"),
            _ = stopped.changed() => None,
        };
        (read(), result)
    }

    /// Writes down how much was seen, for ever; ends only with the stream it watches.
    async fn checkpoint(&self, call: &CallId, seen: impl Fn() -> Seen) {
        let mut written = 0;
        loop {
            tokio::time::sleep(CHECKPOINT_INTERVAL).await;
            let tokens = seen().output_tokens();
            if tokens > written && self.store.checkpoint(call, tokens).await.is_ok() {
                written = tokens;
            }
        }
    }
}

enum Hold {
    Held(Held, String),
    Not(Sent),
}

/// Waits; true if the caller left meanwhile.
async fn is_left(stopped: &mut watch::Receiver<bool>, wait: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => false,
        _ = stopped.changed() => true,
    }
}

fn next_step(rejection: &Rejection) -> String {
    match rejection {
        Rejection::Key => {
            "the provider refused the key; check ATELIER_MODEL_KEY and ATELIER_MODEL_KEY_HEADER, or stored keys with `atelier keys check`"
                .to_owned()
        }
        Rejection::Quota => {
            "the account behind the key has no quota left; pay the provider, or add another key with `atelier keys add`".to_owned()
        }
        Rejection::NotFound => {
            "the model server knows no such model or path; check ATELIER_MODEL_URL (it usually ends in /v1) and ATELIER_MODEL_NAME"
                .to_owned()
        }
        Rejection::Status(status) => format!("the model server refused the request with status {status}; its own log says why"),
        Rejection::ContextTooLong => "the prompt is too long for the model".to_owned(),
        Rejection::Filtered => "the provider's filter stopped the prompt".to_owned(),
    }
}

/// Whether it is for the guest to change something.
fn is_of_prompt(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::ContextTooLong | Rejection::Filtered)
}

fn is_of_key(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::Key | Rejection::Quota)
}

/// What a failure says of the key and of the provider.
fn outcome(failure: &Failed) -> Option<Outcome> {
    match failure {
        Failed::NotAccepted { cause: NotAcceptedCause::Connect, .. } => Some(Outcome::Unreachable),
        Failed::NotAccepted { cause: NotAcceptedCause::RateLimited, retry_after, .. } => {
            Some(Outcome::RateLimited { retry_after: *retry_after })
        }
        Failed::NotAccepted { cause: NotAcceptedCause::Overloaded, .. } => Some(Outcome::Overloaded),
        Failed::Rejected(Rejection::Key) => Some(Outcome::KeyRefused),
        Failed::Rejected(Rejection::Quota) => Some(Outcome::QuotaExhausted),
        Failed::Rejected(_) => None,
        Failed::Faulty(_) | Failed::Unknown { .. } | Failed::Broken { .. } => Some(Outcome::Faulty),
    }
}
