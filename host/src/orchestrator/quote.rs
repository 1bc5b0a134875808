//! What a plan will probably cost, before it is approved. From the cost of tasks that were done here before, with their spread, where
//! there are enough; else from a plain guess of tokens, which the quote says.

use super::Orchestrator;
use crate::ledger::{NanoUsd, Usage};
use crate::project::TaskStatus;
use crate::store::projects::Project;
use anyhow::Result;

/// A task's usual appetite, until this machine has measured its own: two to three calls of a few thousand tokens each.
const TASK_GUESS: Usage = Usage { input: 12_000, cached_input: 0, cache_write: 0, output: 4_000, reasoning: 0 };
/// What the documents of a project usually take, until this machine has measured its own: two calls that see the files.
const DOCUMENTS_GUESS: Usage = Usage { input: 20_000, cached_input: 0, cache_write: 0, output: 5_000, reasoning: 0 };
/// The proposed ceiling leaves room for every task to be tried twice.
const CEILING_FACTOR: i64 = 2;
/// Fewer measured tasks than this say little.
const MEASURED_TASKS_MIN: usize = 5;
/// More say nothing new, and old ones were done by other models.
const MEASURED_TASKS_MAX: u32 = 200;
/// A guess can be off by this factor either way.
const GUESS_SPREAD: i64 = 3;

/// A price before work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Quote {
    /// Spent on questions and plan already.
    pub spent: NanoUsd,
    /// What the tasks will probably cost.
    pub expected: NanoUsd,
    /// What they would cost if all were as cheap as the cheapest tenth was, or dearer than that.
    pub low: NanoUsd,
    /// What they would cost if all were as dear as nine tenths were at most.
    pub high: NanoUsd,
    /// The proposed ceiling, with what was spent.
    pub ceiling: NanoUsd,
    /// How many finished tasks the expectation rests on; 0 is a guess.
    pub measured_tasks: u64,
}

impl Orchestrator {
    /// The quote for a project whose plan waits for approval.
    pub async fn quote(&self, project: &Project) -> Result<Quote> {
        // Of a change, what is good already costs nothing more.
        let tasks = i64::try_from(project.state.tasks.iter().filter(|task| task.status != TaskStatus::Accepted).count())?;
        let spent = self.store.project_budget(&project.id).await?.spent;
        let implementer = self.registry.for_project("implementer", &project.id, &project.wallet).ok().map(|plugin| plugin.sha256.clone());
        let mut costs = self.store.costs_of_accepted_tasks(implementer.as_deref(), MEASURED_TASKS_MAX).await?;
        if costs.len() < MEASURED_TASKS_MIN {
            costs = self.store.costs_of_accepted_tasks(None, MEASURED_TASKS_MAX).await?;
        }
        if costs.len() >= MEASURED_TASKS_MIN {
            return Ok(measured(spent, tasks, costs));
        }
        Ok(guessed(spent, tasks, self.guess("coder", &TASK_GUESS).await?))
    }
}

impl Orchestrator {
    /// What the documents of a delivered project will probably cost; none where nobody is pinned who writes them.
    pub async fn quote_documents(&self, project: &Project) -> Result<Option<Quote>> {
        let Ok(documenter) = self.registry.for_project("documenter", &project.id, &project.wallet) else { return Ok(None) };
        let budget = self.store.project_budget(&project.id).await?;
        let costs = self.store.costs_of_accepted_tasks(Some(&documenter.sha256), MEASURED_TASKS_MAX).await?;
        let quote = match costs.len() >= MEASURED_TASKS_MIN {
            true => measured(budget.spent, 1, costs),
            false => guessed(budget.spent, 1, self.guess("planner", &DOCUMENTS_GUESS).await?),
        };
        // What was accepted before is never taken back.
        Ok(Some(Quote { ceiling: quote.ceiling.max(project.state.ceiling.unwrap_or(NanoUsd::ZERO)), ..quote }))
    }

    /// What so many tokens of this class cost.
    async fn guess(&self, class: &str, usage: &Usage) -> Result<NanoUsd> {
        Ok(match self.settings.models_of(class).first() {
            Some((provider, model)) => self.store.price(provider, model).await?.map_or(NanoUsd::ZERO, |price| price.rates.cost(usage)),
            None => NanoUsd::ZERO,
        })
    }
}

fn measured(spent: NanoUsd, tasks: i64, mut costs: Vec<NanoUsd>) -> Quote {
    costs.sort();
    let at = |tenths: usize| costs[(costs.len() - 1) * tenths / 10];
    let total: NanoUsd = costs.iter().copied().sum();
    let count = i64::try_from(costs.len()).unwrap_or(i64::MAX);
    let each = |cost: NanoUsd| NanoUsd(cost.0.saturating_mul(tasks));
    let (expected, low, high) = (each(NanoUsd(total.0 / count)), each(at(1)), each(at(9)));
    let ceiling = whole_credits(spent + each(NanoUsd(total.0 / count * CEILING_FACTOR)).max(high));
    Quote { spent, expected, low: low.min(expected), high: high.max(expected), ceiling, measured_tasks: costs.len() as u64 }
}

fn guessed(spent: NanoUsd, tasks: i64, guess: NanoUsd) -> Quote {
    let expected = NanoUsd(guess.0 * tasks);
    Quote {
        spent,
        expected,
        low: NanoUsd(expected.0 / GUESS_SPREAD),
        high: NanoUsd(expected.0 * GUESS_SPREAD),
        ceiling: whole_credits(spent + NanoUsd(expected.0 * CEILING_FACTOR)),
        measured_tasks: 0,
    }
}

/// Rounded up: what a person is asked to agree to is a number that can be said.
fn whole_credits(amount: NanoUsd) -> NanoUsd {
    let credit = NanoUsd::credits(1).0;
    NanoUsd((amount.0.saturating_add(credit - 1) / credit).saturating_mul(credit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_quote_names_its_spread_and_its_ceiling_covers_it() {
        let costs: Vec<NanoUsd> = [30, 10, 20, 40, 100, 50, 60, 70, 80, 90].map(NanoUsd).to_vec();
        let quote = measured(NanoUsd(7), 2, costs);
        assert_eq!((quote.low, quote.expected, quote.high), (NanoUsd(20), NanoUsd(110), NanoUsd(180)));
        assert_eq!((quote.ceiling, quote.measured_tasks), (NanoUsd::credits(1), 10));
    }

    #[test]
    fn the_proposed_ceiling_is_a_number_of_whole_credits() {
        for (amount, ceiling) in [(0, 0), (1, 1), (1_000_000, 1), (1_000_001, 2), (227_500_000, 228)] {
            assert_eq!(whole_credits(NanoUsd(amount)), NanoUsd::credits(ceiling), "{amount}");
        }
    }

    #[test]
    fn one_dear_task_does_not_leave_the_ceiling_below_the_spread() {
        let quote = measured(NanoUsd::ZERO, 1, [1, 1, 1, 1, 1, 1, 1, 1, 50, 50].map(NanoUsd).to_vec());
        assert!(quote.low <= quote.expected && quote.expected <= quote.high && quote.high <= quote.ceiling, "{quote:?}");
    }

    #[test]
    fn a_guess_says_that_it_is_one() {
        let quote = guessed(NanoUsd(5), 3, NanoUsd(30));
        assert_eq!(
            (quote.low, quote.expected, quote.high, quote.ceiling, quote.measured_tasks),
            (NanoUsd(30), NanoUsd(90), NanoUsd(270), NanoUsd::credits(1), 0)
        );
    }
}
