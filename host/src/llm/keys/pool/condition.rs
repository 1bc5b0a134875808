//! What a pool tells people: how a key is doing, and why no call can be made just now together with what to do about it. It names
//! providers and times, never a key, a label or a wallet.

use std::fmt;
use std::time::Duration;

/// How a key is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It may be used. Its minute may still be full.
    Ok,
    /// The provider limited it.
    CoolingDown {
        /// For how long.
        wait: Duration,
    },
    /// The provider refused it.
    Quarantined,
    /// A limit of 0 keeps it from being used.
    Closed,
    /// No new call begins with it.
    Draining,
    /// It is never used again.
    Revoked,
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Ok => formatter.write_str("ok"),
            Condition::CoolingDown { wait } => write!(formatter, "cooling down {}", Seconds(*wait)),
            Condition::Quarantined => formatter.write_str("quarantined"),
            Condition::Closed => formatter.write_str("closed by a limit of 0"),
            Condition::Draining => formatter.write_str("draining"),
            Condition::Revoked => formatter.write_str("revoked"),
        }
    }
}

/// Why there is no key for a call, and the next step. `own` says that it is about the asking wallet's own key, which only its owner
/// can mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is none that may be used.
    NoKeys {
        /// Of whom.
        provider: String,
    },
    /// The provider refused every one.
    AllRefused {
        /// Who.
        provider: String,
        /// Whose.
        own: bool,
    },
    /// The provider fails, whichever key is used.
    ProviderDown {
        /// Who.
        provider: String,
        /// When to ask again.
        wait: Duration,
    },
    /// Every one has to rest, longer than a call waits.
    AllCoolingDown {
        /// Of whom.
        provider: String,
        /// Whose.
        own: bool,
        /// When the first one may be used again.
        wait: Duration,
    },
}

impl Why {
    /// When to ask again. `None` means that somebody has to do something first.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Why::NoKeys { .. } | Why::AllRefused { .. } => None,
            Why::ProviderDown { wait, .. } | Why::AllCoolingDown { wait, .. } => Some(*wait),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NoKeys { provider } => write!(formatter, "there is no usable key for `{provider}`; add one with `atelier keys add`"),
            Why::AllRefused { provider, own: false } => write!(
                formatter,
                "`{provider}` refused every key it was given; test them with `atelier keys check` and replace what is wrong with `atelier keys add`"
            ),
            Why::AllRefused { provider, own: true } => {
                write!(formatter, "`{provider}` refused your own key; replace it, or remove it to use the shared ones")
            }
            Why::ProviderDown { provider, wait } => {
                write!(formatter, "`{provider}` does not work just now; it is tried again in {}", Seconds(*wait))
            }
            Why::AllCoolingDown { provider, own: false, wait } => write!(
                formatter,
                "every key for `{provider}` is over its limit or quota for another {}; wait, raise the limit with the provider, or add a key with `atelier keys add`",
                Seconds(*wait)
            ),
            Why::AllCoolingDown { provider, own: true, wait } => write!(
                formatter,
                "your own key for `{provider}` is over its limit or quota for another {}; wait, or raise the limit with the provider",
                Seconds(*wait)
            ),
        }
    }
}

/// Whole seconds, rounded up, so that nobody comes back early.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} s", self.0.as_millis().div_ceil(1000))
    }
}
