//! The ledger's nouns and rules: prices, holds, settlements and what fits into a budget. Pure; the rows live in
//! [`crate::store`], whose CHECK constraints refuse what these rules should never have asked for.
//!
//! A model call is paid in two steps: *reserve* what it may cost at most, before the first byte leaves; *settle* what it did cost.
//! Read [`fit`] first, then `store/ledger/calls.rs`.

pub mod money;
pub mod price_list;

pub use money::{AMOUNT_MAX, NanoUsd, PicoUsdPerToken};
use money::{HUNDRED, PICO_PER_NANO, cost, pico_hundredths};
use serde::{Deserialize, Serialize};

/// The account that pays what the user's hold and budgets do not cover.
pub const HOUSE_OVERRUN: &str = "house:overrun";
/// The account that pays for calls whose answer was lost with a host.
pub const HOUSE_LOST: &str = "house:lost";
/// Where charges go.
pub const HOUSE_SALES: &str = "house:sales";
/// Where granted credits come from.
pub const HOUSE_GRANTS: &str = "house:grants";
/// The account that pays refunds.
pub const HOUSE_REFUNDS: &str = "house:refunds";
/// Where credits come from that were paid for with Telegram Stars.
pub const HOUSE_STARS: &str = "house:stars";

/// The rates of one model, as of one moment. A charge is pinned to the row it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// Uncached input.
    pub input: PicoUsdPerToken,
    /// Input read from the provider's cache.
    pub cached_input: PicoUsdPerToken,
    /// Input written to the provider's cache.
    pub cache_write: PicoUsdPerToken,
    /// Output, visible and reasoning.
    pub output: PicoUsdPerToken,
    /// What is charged of these rates, in hundredths: 100 is the list price, more has the house's markup in it, less is what is asked
    /// of a user whose own key the provider bills.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub charged_percent: u32,
}

fn whole() -> u32 {
    100
}

fn is_whole(percent: &u32) -> bool {
    *percent == whole()
}

impl Rates {
    /// Two rates are enough for most models; the cache buckets cost what plain input costs.
    pub fn simple(input: PicoUsdPerToken, output: PicoUsdPerToken) -> Rates {
        Rates { input, cached_input: input, cache_write: input, output, charged_percent: whole() }
    }

    /// The same list price, charged otherwise.
    pub fn charged(self, charged_percent: u32) -> Rates {
        Rates { charged_percent, ..self }
    }

    /// What this usage costs.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        let parts = [
            (usage.input, self.input),
            (usage.cached_input, self.cached_input),
            (usage.cache_write, self.cache_write),
            (usage.output.saturating_add(usage.reasoning), self.output),
        ];
        cost(&parts, self.charged_percent)
    }

    /// The most that a call may cost: all its input at the dearest input rate, all its output used.
    pub fn worst_case(&self, input_tokens: u64, output_tokens: u64) -> NanoUsd {
        cost(&[(input_tokens, self.dearest_input()), (output_tokens, self.output)], self.charged_percent)
    }

    fn dearest_input(&self) -> PicoUsdPerToken {
        self.input.max(self.cached_input).max(self.cache_write)
    }
}

/// A row of the price table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// The row's id.
    pub id: i64,
    /// Its rates.
    pub rates: Rates,
}

/// Tokens in disjoint buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input that was not cached.
    pub input: u64,
    /// Input read from the provider's cache.
    pub cached_input: u64,
    /// Input written to the provider's cache.
    pub cache_write: u64,
    /// Visible output.
    pub output: u64,
    /// Output spent on reasoning.
    pub reasoning: u64,
}

/// More tokens than this in one bucket are no count but a fault of whoever reports them; the text is estimated instead.
const TOKENS_PLAUSIBLE_MAX: u64 = 10_000_000;

impl Usage {
    /// All of them.
    pub fn total(&self) -> u64 {
        [self.input, self.cached_input, self.cache_write, self.output, self.reasoning]
            .iter()
            .fold(0, |sum, tokens| sum.saturating_add(*tokens))
    }

    /// Whether a provider can have meant this.
    pub fn is_plausible(&self) -> bool {
        [self.input, self.cached_input, self.cache_write, self.output, self.reasoning].iter().all(|tokens| *tokens <= TOKENS_PLAUSIBLE_MAX)
    }
}

/// Who said how many tokens a call took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UsageSource {
    /// The provider, in its answer.
    Provider,
    /// We, from the text that was sent and seen.
    Estimated,
}

impl UsageSource {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            UsageSource::Provider => "provider",
            UsageSource::Estimated => "estimated",
        }
    }
}

/// Which limit was too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The user's wallet.
    User,
    /// What a user may spend in this month.
    Month,
    /// What a user may spend on this day.
    Day,
    /// The project's ceiling.
    Project,
    /// The task's share.
    Task,
    /// The run's share.
    Run,
}

/// One host call of one run, and the n-th time that it is sent to a provider because the answers before were lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallId {
    /// The logical run.
    pub run: String,
    /// The host call's number in that run.
    pub seq: u32,
    /// From 1.
    pub repeat: u32,
}

/// What an operator lets a user spend, beside what is in the wallet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserLimits {
    /// On one day, in UTC.
    pub day: Option<NanoUsd>,
    /// In one month, in UTC.
    pub month: Option<NanoUsd>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The provider's name in the settings.
    pub provider: String,
    /// Its name of the model.
    pub model: String,
    /// Which stored key is used, if one is.
    pub key_id: Option<String>,
}

/// What a reservation asks for.
#[derive(Clone, Debug)]
pub struct Reserve {
    /// The run.
    pub run: String,
    /// The host call's number.
    pub seq: u32,
    /// Of the request, so that a call id can't be used for another request while it is open.
    pub fingerprint: String,
    /// Who pays.
    pub wallet: String,
    /// The innermost budget; its parents are held as well.
    pub budget: String,
    /// The price row.
    pub price: Price,
    /// The most that the input can be.
    pub input_tokens: u64,
    /// How much output is wanted.
    pub output_tokens: u64,
    /// Less than this is of no use.
    pub output_tokens_min: u64,
    /// Where the first request goes.
    pub route: Route,
    /// What the user may spend at all.
    pub limits: UserLimits,
    /// Now, in milliseconds since 1970.
    pub at_ms: i64,
    /// Rather be told [`Reserved::OthersHold`] than hold too little, or nothing, for what other calls hold until they are settled.
    pub patient: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Nothing is held; there will be more when other calls are settled.
    OthersHold,
    /// The amount is held.
    Held {
        /// The hold's id.
        call: CallId,
        /// How much.
        amount: NanoUsd,
        /// The output that fits.
        output_tokens: u64,
        /// The id of the request that may leave now.
        request_id: String,
    },
    /// So many calls began within this budget that another is refused, whatever it costs.
    TooManyCalls {
        /// Whose limit it is.
        scope: Scope,
    },
    /// The user wanted to be asked before the last part of the ceiling is spent.
    NearCeiling {
        /// What was spent.
        spent: NanoUsd,
        /// The ceiling.
        limit: NanoUsd,
    },
    /// It does not fit.
    TooLittle {
        /// What binds.
        scope: Scope,
        /// What is left there.
        left: NanoUsd,
        /// What the smallest useful call would hold.
        needed: NanoUsd,
    },
}

/// What a finished call is settled with.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The hold.
    pub call: CallId,
    /// The tokens it took.
    pub usage: Usage,
    /// Who counted them.
    pub source: UsageSource,
}

/// The most output that fits into what is left, if it is still useful, with the amount to hold for it.
///
/// The host lowers the output limit on the wire instead of refusing a call that an agent could still use.
pub fn fit(rates: &Rates, input: u64, wanted: u64, useful: u64, left: NanoUsd) -> Option<(u64, NanoUsd)> {
    let whole = rates.worst_case(input, wanted);
    if whole <= left {
        return Some((wanted, whole));
    }
    let room = i128::from(left.0) * PICO_PER_NANO * HUNDRED - pico_hundredths(&[(input, rates.dearest_input())], rates.charged_percent);
    let each = i128::from(rates.output.0) * i128::from(rates.charged_percent);
    if room <= 0 || each <= 0 {
        return None;
    }
    let tokens = u64::try_from(room / each).ok()?.min(wanted);
    let amount = rates.worst_case(input, tokens);
    (tokens >= useful && amount <= left).then_some((tokens, amount))
}

/// A fair count of the tokens of a text, used where a provider reports nothing: tokenizers need about one for three or four bytes
/// of code or prose.
pub fn estimate_tokens(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX).div_ceil(3)
}

/// A cautious count, used for holds. Tokenizers join letters and blanks to words; digits, signs and other scripts may be a token a
/// byte.
pub fn tokens_at_most(text: &str) -> u64 {
    let joined = text.bytes().filter(|byte| byte.is_ascii_alphabetic() || byte.is_ascii_whitespace()).count();
    (joined.div_ceil(2) + text.len() - joined) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rates(input: i64, output: i64) -> Rates {
        Rates::simple(PicoUsdPerToken(input), PicoUsdPerToken(output))
    }

    #[test]
    fn a_call_that_fits_is_left_alone() {
        assert_eq!(fit(&rates(1000, 2000), 10, 100, 1, NanoUsd(210)), Some((100, NanoUsd(210))));
    }

    #[test]
    fn a_call_that_does_not_fit_is_shortened() {
        assert_eq!(fit(&rates(1000, 2000), 10, 100, 1, NanoUsd(110)), Some((50, NanoUsd(110))));
    }

    #[test]
    fn a_call_too_short_to_be_useful_is_refused() {
        assert_eq!(fit(&rates(1000, 2000), 10, 100, 51, NanoUsd(110)), None);
        assert_eq!(fit(&rates(1000, 2000), 200, 100, 1, NanoUsd(110)), None);
    }

    proptest! {
        #[test]
        fn what_fits_never_costs_more_than_is_left(
            input in 0u64..100_000, wanted in 1u64..100_000, useful in 1u64..100,
            input_rate in 0i64..100_000_000, output_rate in 0i64..100_000_000, percent in 0u32..300, left in 0i64..10_000_000_000,
        ) {
            let rates = rates(input_rate, output_rate).charged(percent);
            if let Some((tokens, amount)) = fit(&rates, input, wanted, useful, NanoUsd(left)) {
                prop_assert!(amount.0 <= left);
                prop_assert!(tokens <= wanted);
                let cost = rates.cost(&Usage { input, output: tokens, ..Usage::default() });
                prop_assert!(cost <= amount);
            }
        }
    }
}
