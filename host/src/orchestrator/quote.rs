//! What a plan will probably cost, before it is approved. From the cost of tasks that were done here before, where there are
//! any; else from a plain guess of tokens, which the quote says.

use super::Orchestrator;
use crate::ledger::{NanoUsd, Usage};
use crate::store::projects::Project;
use anyhow::Result;

/// A task's usual appetite, until this machine has measured its own: two to three calls of a few thousand tokens each.
const TASK_GUESS: Usage = Usage { input: 12_000, cached_input: 0, cache_write: 0, output: 4_000, reasoning: 0 };
/// The proposed ceiling leaves room for every task to be tried twice.
const CEILING_FACTOR: i64 = 2;
/// Fewer measured tasks than this say little.
const MEASURED_TASKS_MIN: u64 = 5;

/// A price before work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Quote {
    /// Spent on questions and plan already.
    pub spent: NanoUsd,
    /// What the tasks will probably cost.
    pub expected: NanoUsd,
    /// The proposed ceiling, with what was spent.
    pub ceiling: NanoUsd,
    /// How many finished tasks the expectation rests on; 0 is a guess.
    pub measured_tasks: u64,
}

impl Orchestrator {
    /// The quote for a project whose plan waits for approval.
    pub async fn quote(&self, project: &Project) -> Result<Quote> {
        let tasks = i64::try_from(project.state.plan.as_ref().map_or(0, |plan| plan.tasks.len()))?;
        let (measured_tasks, total) = self.store.cost_of_accepted_tasks().await?;
        let each = if measured_tasks >= MEASURED_TASKS_MIN {
            NanoUsd(total.0 / i64::try_from(measured_tasks)?)
        } else {
            let model = self.settings.model_of("coder").unwrap_or_default();
            self.store.price(model).await?.map_or(NanoUsd::ZERO, |price| price.rates.cost(&TASK_GUESS))
        };
        let spent = self.store.project_budget(&project.id).await?.spent;
        let expected = NanoUsd(each.0 * tasks);
        Ok(Quote {
            spent,
            expected,
            ceiling: spent + NanoUsd(expected.0 * CEILING_FACTOR),
            measured_tasks: if measured_tasks >= MEASURED_TASKS_MIN { measured_tasks } else { 0 },
        })
    }
}
