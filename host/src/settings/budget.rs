//! How much may be spent, and by whom: the operator's policies.

use super::SettingsError;
use crate::ledger::{NanoUsd, UserLimits};
use serde::{Deserialize, Serialize};

/// How much may be spent, in credits (1 credit = 0.001 US dollars).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetSettings {
    /// `ATELIER_DEFAULT_GRANT`: what a new user gets. Default 10000.
    pub default_grant: String,
    /// `ATELIER_PRE_APPROVAL_LIMIT`: what may be spent on questions and plan before the user sees a price. Counts into the ceiling. Default 500.
    pub pre_approval_limit: String,
    /// `ATELIER_TASK_LIMIT`: what one task may spend over all its tries. Default 2000.
    pub task_limit: String,
    /// `ATELIER_RUN_LIMIT`: what one call of an agent may spend. Default 1000.
    pub run_limit: String,
    /// `ATELIER_DAILY_LIMIT`: what a user may spend on one day, in UTC. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_limit: Option<String>,
    /// `ATELIER_MONTHLY_LIMIT`: what a user may spend in one month, in UTC. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_limit: Option<String>,
    /// `ATELIER_REFUND_LIMIT`: what a user may get back within a day for work that failed; 0 gives nothing back. Default 5000.
    pub refund_limit: String,
    /// `ATELIER_CALLS_PER_PROJECT`: how many model calls a project may make, whatever they cost. Default 2000.
    pub calls_per_project: i64,
    /// `ATELIER_MARKUP_PERCENT`: what the house adds to every list price. Default 0.
    pub markup_percent: u32,
    /// `ATELIER_OWN_KEY_PERCENT`: what part of the list price a call costs that the user's own key pays the provider for. Default 0.
    pub own_key_percent: u32,
    /// `ATELIER_PAUSE_PERCENT`: which part of its ceiling a project may spend before the user is asked to go on; 100 never asks. Default 100.
    pub pause_percent: u32,
}

impl Default for BudgetSettings {
    fn default() -> BudgetSettings {
        BudgetSettings {
            default_grant: "10000".into(),
            pre_approval_limit: "500".into(),
            task_limit: "2000".into(),
            run_limit: "1000".into(),
            daily_limit: None,
            monthly_limit: None,
            refund_limit: "5000".into(),
            calls_per_project: 2_000,
            markup_percent: 0,
            own_key_percent: 0,
            pause_percent: 100,
        }
    }
}

/// A markup above this is a typing error.
const MARKUP_PERCENT_MAX: u32 = 1_000;

impl BudgetSettings {
    /// All of them, read.
    pub fn amounts(&self) -> Result<BudgetAmounts, SettingsError> {
        let read = |text: &str| text.parse::<NanoUsd>().map_err(|error| SettingsError(format!("[budget] {error}")));
        let limit = |text: &Option<String>| text.as_deref().map(read).transpose();
        if self.markup_percent > MARKUP_PERCENT_MAX || self.own_key_percent > 100 || !(1..=100).contains(&self.pause_percent) {
            return Err(SettingsError(format!(
                "[budget] markup_percent is 0 to {MARKUP_PERCENT_MAX}, own_key_percent 0 to 100, pause_percent 1 to 100"
            )));
        }
        if self.calls_per_project < 1 {
            return Err(SettingsError("[budget] calls_per_project must be at least 1".to_owned()));
        }
        Ok(BudgetAmounts {
            default_grant: read(&self.default_grant)?,
            pre_approval_limit: read(&self.pre_approval_limit)?,
            task_limit: read(&self.task_limit)?,
            run_limit: read(&self.run_limit)?,
            user_limits: UserLimits { day: limit(&self.daily_limit)?, month: limit(&self.monthly_limit)? },
            refund_limit: read(&self.refund_limit)?,
        })
    }
}

/// [`BudgetSettings`] as amounts.
#[derive(Clone, Copy, Debug)]
pub struct BudgetAmounts {
    /// For a new user.
    pub default_grant: NanoUsd,
    /// Before the quote is accepted.
    pub pre_approval_limit: NanoUsd,
    /// For one task.
    pub task_limit: NanoUsd,
    /// For one run.
    pub run_limit: NanoUsd,
    /// For one user.
    pub user_limits: UserLimits,
    /// Back to one user within a day.
    pub refund_limit: NanoUsd,
}
