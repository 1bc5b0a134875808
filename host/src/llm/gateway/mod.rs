//! The door to the models: one call, from the guest's request to the settled hold. The call runs in a task of its own: a guest that is
//! trapped, timed out or cancelled lets go of it, the stream is stopped and what was seen is settled all the same.
//!
//! Here is what goes in and out; [`sending`] finds a way to a provider and holds the money for it, [`conclusion`] says what an end
//! means for hold and guest, [`under_way`] knows whose calls have not ended, [`price_book`] keeps the prices.

mod conclusion;
pub mod price_book;
mod sending;
mod under_way;

use super::providers::{OUTPUT_TOKENS_MAX, ProviderError, Providers};
use super::{Completion, Request, dialects};
use crate::ledger::{NanoUsd, Price, UserLimits, estimate_tokens, tokens_at_most};
use crate::project::{Pause, Refusal};
use crate::settings::Settings;
use crate::settings::models::own;
use crate::store::runs::JournalRow;
use crate::store::steps::Lease;
use crate::store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// Calls under way in one process; more would only wait at the provider.
const CALLS_MAX: u32 = 64;
/// A price that another process put down is charged after so long.
const PRICE_AGE_MAX: Duration = Duration::from_secs(1);
/// A prompt larger than this fits no model.
pub const PROMPT_BYTES_MAX: usize = 1024 * 1024;
/// Messages of one request.
pub const MESSAGES_MAX: usize = 200;
/// Tokens that a message costs beyond its text.
const MESSAGE_OVERHEAD_TOKENS: u64 = 8;

/// The door to the models.
pub struct Gateway {
    store: Store,
    boot: String,
    client: reqwest::Client,
    providers: Arc<Providers>,
    settings: Arc<Settings>,
    limits: UserLimits,
    calls: Arc<Semaphore>,
    under_way: Arc<under_way::UnderWay>,
    /// By provider and model, with the time of reading.
    prices: Mutex<HashMap<(String, String), (Instant, Price)>>,
    closing: AtomicBool,
}

/// Which host call of which run a model call belongs to, and who pays.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The run.
    pub run: String,
    /// The host call's number.
    pub seq: u32,
    /// Of the request.
    pub fingerprint: String,
    /// Who pays.
    pub wallet: String,
    /// The innermost budget.
    pub budget: String,
    /// The right to work on the run's step, where workers share the work.
    pub lease: Option<Lease>,
}

impl Gateway {
    /// A gateway to these providers. Without any, calls suspend their run.
    pub fn new(store: Store, boot: String, settings: Arc<Settings>, providers: Arc<Providers>) -> Result<Gateway, ProviderError> {
        let client = dialects::client().map_err(ProviderError::Client)?;
        // The amounts were read once when the settings were, and did make sense.
        let limits = settings.budget.amounts().map(|amounts| amounts.user_limits).unwrap_or_default();
        Ok(Gateway {
            store,
            boot,
            client,
            providers,
            settings,
            limits,
            calls: Arc::new(Semaphore::new(CALLS_MAX as usize)),
            under_way: Arc::default(),
            prices: Mutex::default(),
            closing: AtomicBool::new(false),
        })
    }

    /// The process that its holds and steps belong to.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// The most that a request would hold.
    pub async fn quote(&self, request: &Request) -> Result<NanoUsd, Refusal> {
        let models = self.settings.models_of(&request.class);
        let (provider, model) = models.first().ok_or_else(no_model)?;
        let price = self.price(provider, model, false).await?;
        Ok(price.rates.worst_case(input_tokens_max(request), output_tokens(request)))
    }

    /// Makes a call and waits for its end. `pending` are host calls of the run that are not stored yet; they are taken and stored
    /// together with the answer, if there is one to store. Dropping the future stops the stream; what was seen is settled all the
    /// same.
    pub async fn complete(
        self: &Arc<Self>,
        context: CallContext,
        request: Request,
        pending: &mut Vec<JournalRow>,
    ) -> Result<Completion, StoreError> {
        if self.is_closing() {
            return Ok(Completion::Suspended(Pause::User));
        }
        let (stop, stopped) = watch::channel(false);
        let guard = StopOnDrop(stop);
        let gateway = self.clone();
        let rows = pending.clone();
        let entered = self.under_way.enter(&context.run);
        let call = tokio::spawn(async move {
            let _entered = entered;
            let _permit = gateway.calls.clone().acquire_owned().await;
            if *stopped.borrow() {
                return Ok(Completion::Unsent(Refusal::Cancelled));
            }
            if let Some(refusal) = malformed(&request) {
                return Ok(Completion::Unsent(refusal));
            }
            let sent = gateway.send(&context, &request, stopped).await?;
            gateway.conclude(&context, &request, sent, &rows).await
        });
        let result = call
            .await
            .unwrap_or_else(|_| Ok(Completion::Suspended(Pause::Operator("a model call ended in a fault of the host".to_owned()))));
        drop(guard);
        if matches!(result, Ok(Completion::Stored(_))) {
            pending.clear();
        }
        result
    }

    /// Begins no call any more; runs that ask for one are suspended. Calls under way go on.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether it does so.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Waits until this run has no call under way, for a bounded time.
    pub async fn settled(&self, run: &str, limit: Duration) {
        self.under_way.none_of(run, limit).await;
    }

    /// Waits for calls under way, for a bounded time.
    pub async fn drain(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.calls.acquire_many(CALLS_MAX)).await.is_err() {
            tracing::warn!("model calls were still under way after {} s; their holds are recovered at the next start", limit.as_secs());
        }
    }

    async fn price(&self, provider: &str, model: &str, own_key: bool) -> Result<Price, Refusal> {
        let name = (if own_key { own(provider) } else { provider.to_owned() }, model.to_owned());
        let known = self.prices.lock().unwrap_or_else(PoisonError::into_inner).get(&name).copied();
        if let Some((read, price)) = known
            && read.elapsed() < PRICE_AGE_MAX
        {
            return Ok(price);
        }
        let price = self.store.price(&name.0, model).await.map_err(|_| Refusal::Unavailable("the price table can't be read".to_owned()))?;
        let price = price.ok_or_else(|| {
            Refusal::Unavailable(format!(
                "the model `{model}` has no price; set ATELIER_MODEL_PRICE=INPUT/OUTPUT in US dollars for a million tokens (0/0 if it is free), or [prices.\"{provider}/{model}\"] in atelier.toml, or read a list with `atelier prices import`"
            ))
        })?;
        self.prices.lock().unwrap_or_else(PoisonError::into_inner).insert(name, (Instant::now(), price));
        Ok(price)
    }
}

fn no_model() -> Refusal {
    Refusal::Unavailable("no model is configured; set ATELIER_MODEL_URL and ATELIER_MODEL_NAME, or [providers] and [classes]".to_owned())
}

/// Tells the call's task that nobody waits for it any more.
struct StopOnDrop(watch::Sender<bool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(true);
    }
}

fn malformed(request: &Request) -> Option<Refusal> {
    let bytes: usize = request.messages.iter().map(|message| message.text.len()).sum();
    if request.messages.is_empty() || request.messages.len() > MESSAGES_MAX {
        return Some(Refusal::Invalid(format!("a request has 1 to {MESSAGES_MAX} messages")));
    }
    if bytes > PROMPT_BYTES_MAX {
        return Some(Refusal::TooLarge(PROMPT_BYTES_MAX as u64));
    }
    (request.max_output_tokens == 0).then(|| Refusal::Invalid("max-output-tokens must be at least 1".to_owned()))
}

fn input_tokens(request: &Request) -> u64 {
    request.messages.iter().map(|message| estimate_tokens(&message.text) + MESSAGE_OVERHEAD_TOKENS).sum()
}

/// What is held for the input: more than any tokenizer makes of it.
fn input_tokens_max(request: &Request) -> u64 {
    request.messages.iter().map(|message| tokens_at_most(&message.text) + MESSAGE_OVERHEAD_TOKENS).sum()
}

fn output_tokens(request: &Request) -> u64 {
    u64::from(request.max_output_tokens).min(OUTPUT_TOKENS_MAX)
}
