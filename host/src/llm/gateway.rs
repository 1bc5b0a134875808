//! One model call, from the guest's request to the settled hold. The call runs in a task of its own: a guest that is trapped,
//! timed out or cancelled lets go of it, the stream is stopped and what was seen is settled all the same.

use super::dialects::{Answer, Endpoint, Failed, Rejection, Wire, openai};
use super::{Completion, Finish, Reply, Request};
use crate::ledger::{CallId, NanoUsd, Price, Reserve, Reserved, Scope, Settlement, Usage, UsageSource, estimate_tokens, tokens_at_most};
use crate::project::{Pause, Refusal};
use crate::settings::Settings;
use crate::store::runs::JournalRow;
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Calls under way in one process; more would only wait at the provider.
const CALLS_MAX: u32 = 64;
/// A prompt larger than this fits no model.
pub const PROMPT_BYTES_MAX: usize = 1024 * 1024;
/// Messages of one request.
pub const MESSAGES_MAX: usize = 200;
/// No model answers with more.
const OUTPUT_TOKENS_MAX: u64 = 65_536;
/// Less output than this helps no agent; the call is refused instead.
const OUTPUT_TOKENS_USEFUL: u64 = 256;
/// Tries of one call that the provider did not accept.
const SENDS_MAX: u32 = 4;
/// The first wait between them, doubled each time.
const RETRY_WAIT: Duration = Duration::from_millis(400);
/// Tokens that a message costs beyond its text.
const MESSAGE_OVERHEAD_TOKENS: u64 = 8;
/// How often the output seen is written down while a stream runs.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// The door to the models.
pub struct Gateway {
    store: Store,
    boot: String,
    client: reqwest::Client,
    endpoint: Option<Endpoint>,
    settings: Arc<Settings>,
    calls: Arc<Semaphore>,
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
}

/// A setting that keeps the gateway from being built.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Keys and prompts would be readable on the way.
    #[error("`{0}` is plain http to another machine; use https, or http to 127.0.0.1 or localhost")]
    PlainHttp(String),
    /// No URL.
    #[error("`{0}` is not a URL; write something like http://127.0.0.1:11434/v1")]
    NotAUrl(String),
    /// The TLS library.
    #[error("the HTTP client can't start: {0}")]
    Client(reqwest::Error),
}

impl Gateway {
    /// A gateway for the configured model server. Without one, calls suspend their run.
    pub fn new(store: Store, boot: String, settings: Arc<Settings>) -> Result<Gateway, EndpointError> {
        let endpoint = settings.model.url.as_deref().map(|url| endpoint(url, &settings)).transpose()?;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .build()
            .map_err(EndpointError::Client)?;
        Ok(Gateway {
            store,
            boot,
            client,
            endpoint,
            settings,
            calls: Arc::new(Semaphore::new(CALLS_MAX as usize)),
            closing: AtomicBool::new(false),
        })
    }

    /// The most that a request would hold.
    pub async fn quote(&self, request: &Request) -> Result<NanoUsd, Refusal> {
        let price = self.price(&request.class).await?;
        Ok(price.1.rates.worst_case(input_tokens_max(request), output_tokens(request)))
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
        if self.closing.load(Ordering::Relaxed) {
            return Ok(Completion::Suspended(Pause::User));
        }
        let (stop, stopped) = watch::channel(false);
        let guard = StopOnDrop(stop);
        let gateway = self.clone();
        let rows = pending.clone();
        let call = tokio::spawn(async move {
            let _permit = gateway.calls.clone().acquire_owned().await;
            if *stopped.borrow() {
                return Ok(Completion::Unsent(Refusal::Cancelled));
            }
            gateway.call(context, request, rows, stopped).await
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

    /// Waits for calls under way, for a bounded time.
    pub async fn drain(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.calls.acquire_many(CALLS_MAX)).await.is_err() {
            tracing::warn!("model calls were still under way after {} s; their holds are recovered at the next start", limit.as_secs());
        }
    }

    async fn call(
        &self,
        context: CallContext,
        request: Request,
        pending: Vec<JournalRow>,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<Completion, StoreError> {
        if let Some(refusal) = malformed(&request) {
            return Ok(Completion::Unsent(refusal));
        }
        let Some(endpoint) = &self.endpoint else {
            return Ok(Completion::Suspended(Pause::Operator("no model server is configured; set ATELIER_MODEL_URL".to_owned())));
        };
        let (model, price) = match self.price(&request.class).await {
            Ok(found) => found,
            Err(refusal) => return Ok(Completion::Suspended(Pause::Operator(refusal.to_string()))),
        };
        let ask = Reserve {
            run: context.run.clone(),
            seq: context.seq,
            fingerprint: context.fingerprint.clone(),
            wallet: context.wallet.clone(),
            budget: context.budget.clone(),
            price,
            input_tokens: input_tokens_max(&request),
            output_tokens: output_tokens(&request),
            output_tokens_min: OUTPUT_TOKENS_USEFUL,
        };
        let (call, output_tokens) = match self.store.reserve(&self.boot, &ask).await? {
            Reserved::Held { call, output_tokens, .. } => (call, output_tokens),
            Reserved::TooLittle { scope: Scope::User, .. } => return Ok(Completion::Suspended(Pause::Credits)),
            Reserved::TooLittle { scope: Scope::Project, .. } => return Ok(Completion::Suspended(Pause::Ceiling)),
            Reserved::TooLittle { scope, .. } => return Ok(Completion::Unsent(Refusal::BudgetExceeded(scope))),
        };
        let sent = self.send(&call, endpoint, &model, &request, output_tokens, &mut stopped).await?;
        self.conclude(&context, call, &request, sent, pending).await
    }

    /// Sends until the provider accepts, a bounded number of times. A request that was accepted is never sent again.
    async fn send(
        &self,
        call: &CallId,
        endpoint: &Endpoint,
        model: &str,
        request: &Request,
        max_output_tokens: u64,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<Sent, StoreError> {
        let mut wait = RETRY_WAIT;
        for number in 1.. {
            let request_id = self.store.dispatch(call, number, model).await?;
            let wire = Wire { model, messages: &request.messages, max_output_tokens, stop: &request.stop, request_id: &request_id };
            let seen = Seen::default();
            let result = tokio::select! {
                result = openai::send(&self.client, endpoint, &wire, |text| seen.note(text)) => result,
                () = self.checkpoint(call, &seen) => unreachable!("the checkpoints have no end"),
                _ = stopped.changed() => return Ok(Sent::Stopped { output_tokens: seen.tokens() }),
            };
            let (why, retry_after) = match result {
                Ok(answer) => return Ok(Sent::Answered(answer)),
                Err(Failed::NotAccepted { why, retry_after }) => (why, retry_after),
                Err(failed) => return Ok(Sent::Failed(failed, request_id)),
            };
            self.store.void_attempt(call, &request_id, &why).await?;
            if number >= SENDS_MAX {
                return Ok(Sent::Unreachable(why));
            }
            tracing::info!(%why, "the model server did not accept a request; try {} of {SENDS_MAX} follows", number + 1);
            tokio::select! {
                () = tokio::time::sleep(retry_after.unwrap_or(wait)) => {}
                _ = stopped.changed() => return Ok(Sent::Unsent),
            }
            wait *= 2;
        }
        Ok(Sent::Unsent)
    }

    /// Writes down how much was seen, for ever; ends only with the stream it watches.
    async fn checkpoint(&self, call: &CallId, seen: &Seen) {
        let mut written = 0;
        loop {
            tokio::time::sleep(CHECKPOINT_INTERVAL).await;
            let tokens = seen.tokens();
            if tokens > written && self.store.checkpoint(call, tokens).await.is_ok() {
                written = tokens;
            }
        }
    }

    /// Settles, voids or loses the hold and says what the guest gets.
    async fn conclude(
        &self,
        context: &CallContext,
        call: CallId,
        request: &Request,
        sent: Sent,
        pending: Vec<JournalRow>,
    ) -> Result<Completion, StoreError> {
        let rows = |answer: &Result<Reply, Refusal>| {
            let response = serde_json::to_string(answer).expect("a reply always serializes");
            let mut rows = pending;
            rows.push(JournalRow::kept(context.run.clone(), context.seq, "llm.complete", context.fingerprint.clone(), response));
            rows
        };
        let estimate = |text_tokens| Usage { input: input_tokens(request), output: text_tokens, ..Usage::default() };
        match sent {
            Sent::Answered(answer) => {
                let (usage, source) = match answer.usage.filter(Usage::is_plausible) {
                    Some(usage) => (usage, UsageSource::Provider),
                    None => (estimate(estimate_tokens(&answer.text)), UsageSource::Estimated),
                };
                let mut reply = match answer.finish {
                    Finish::Filtered if answer.text.is_empty() => Err(Refusal::Filtered),
                    finish => Ok(Reply { text: answer.text, finish, usage, charged: NanoUsd::ZERO }),
                };
                let settlement = Settlement { call, usage, source };
                self.store
                    .settle(&settlement, |charged| {
                        if let Ok(reply) = &mut reply {
                            reply.charged = charged;
                        }
                        rows(&reply)
                    })
                    .await?;
                Ok(Completion::Stored(reply))
            }
            Sent::Failed(Failed::Broken { text, why, idle }, _) => {
                tracing::warn!(run = %call.run, "the model's answer ended early: {why}");
                let refusal = if idle { Refusal::TimedOut } else { Refusal::Unavailable("the model's answer was cut off".to_owned()) };
                let answer = Err(refusal);
                let settlement = Settlement { call, usage: estimate(estimate_tokens(&text)), source: UsageSource::Estimated };
                self.store.settle(&settlement, |_| rows(&answer)).await?;
                Ok(Completion::Stored(answer))
            }
            // Nothing was seen, so nothing is charged; and a process that is leaving keeps no answer, so that the call is made again.
            Sent::Stopped { output_tokens } if output_tokens == 0 || self.closing.load(Ordering::Relaxed) => {
                self.store.lose(&call, &estimate(output_tokens), "stopped").await?;
                Ok(Completion::Suspended(Pause::User))
            }
            Sent::Stopped { output_tokens } => {
                let answer = Err(Refusal::Cancelled);
                let settlement = Settlement { call, usage: estimate(output_tokens), source: UsageSource::Estimated };
                self.store.settle(&settlement, |_| rows(&answer)).await?;
                Ok(Completion::Stored(answer))
            }
            Sent::Failed(Failed::Unknown { why }, _) => {
                self.store.lose(&call, &estimate(0), &why).await?;
                Ok(Completion::Suspended(Pause::Provider(why)))
            }
            Sent::Failed(Failed::Faulty(status), _) => {
                self.store.void(&call, &[]).await?;
                Ok(Completion::Suspended(Pause::Provider(format!("status {status}"))))
            }
            Sent::Failed(Failed::Rejected(rejection), request_id) => {
                self.store.void_attempt(&call, &request_id, "rejected").await?;
                if rejection == Rejection::ContextTooLong {
                    let answer = Err(Refusal::ContextTooLong);
                    self.store.void(&call, &rows(&answer)).await?;
                    return Ok(Completion::Stored(answer));
                }
                self.store.void(&call, &[]).await?;
                Ok(Completion::Suspended(Pause::Operator(next_step(&rejection))))
            }
            Sent::Unreachable(why) | Sent::Failed(Failed::NotAccepted { why, .. }, _) => {
                self.store.void(&call, &[]).await?;
                Ok(Completion::Suspended(Pause::Provider(format!("{why}, {SENDS_MAX} tries"))))
            }
            Sent::Unsent => {
                self.store.void(&call, &[]).await?;
                Ok(Completion::Unsent(Refusal::Cancelled))
            }
        }
    }

    async fn price(&self, class: &str) -> Result<(String, Price), Refusal> {
        let model = self
            .settings
            .model_of(class)
            .ok_or_else(|| Refusal::Unavailable("no model is configured; set ATELIER_MODEL_NAME".to_owned()))?;
        let price = self.store.price(model).await.map_err(|_| Refusal::Unavailable("the price table can't be read".to_owned()))?;
        let price = price.ok_or_else(|| {
            Refusal::Unavailable(format!(
                "the model `{model}` has no price; set ATELIER_MODEL_PRICE=INPUT/OUTPUT in US dollars for a million tokens (0/0 if it is free), or [prices.\"{model}\"] in atelier.toml"
            ))
        })?;
        Ok((model.to_owned(), price))
    }
}

/// How far a call came.
enum Sent {
    Answered(Answer),
    Failed(Failed, String),
    Unreachable(String),
    Stopped { output_tokens: u64 },
    Unsent,
}

/// How much output a stream has shown so far.
#[derive(Default)]
struct Seen(AtomicU64);

impl Seen {
    fn note(&self, text: &str) {
        self.0.store(estimate_tokens(text), Ordering::Relaxed);
    }

    fn tokens(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
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

fn next_step(rejection: &Rejection) -> String {
    match rejection {
        Rejection::Key => "the model server refused the key; check ATELIER_MODEL_KEY and ATELIER_MODEL_KEY_HEADER".to_owned(),
        Rejection::NotFound => {
            "the model server knows no such model or path; check ATELIER_MODEL_URL (it usually ends in /v1) and ATELIER_MODEL_NAME"
                .to_owned()
        }
        Rejection::Status(status) => format!("the model server refused the request with status {status}; its own log says why"),
        Rejection::ContextTooLong => "the prompt is too long for the model".to_owned(),
    }
}

fn endpoint(url: &str, settings: &Settings) -> Result<Endpoint, EndpointError> {
    let parsed = reqwest::Url::parse(url).map_err(|_| EndpointError::NotAUrl(url.to_owned()))?;
    let loopback = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match parsed.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err(EndpointError::PlainHttp(url.to_owned())),
        _ => return Err(EndpointError::NotAUrl(url.to_owned())),
    }
    Ok(Endpoint {
        url: url.trim_end_matches('/').to_owned(),
        key: settings.model.key.clone(),
        key_header: settings.model.key_header.to_lowercase(),
        first_byte_timeout: Duration::from_secs(settings.model.first_byte_timeout_s),
        idle_timeout: Duration::from_secs(settings.model.idle_timeout_s),
    })
}
