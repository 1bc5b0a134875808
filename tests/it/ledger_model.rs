//! The ledger as it should be, in memory and without a database: what the property test holds the real one against after every step.

use atelier_host::ledger::{CallId, NanoUsd, Rates, Reserve, Reserved, Usage, fit};
use std::collections::BTreeMap;

/// One budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) limit: i64,
    pub(crate) spent: i64,
    pub(crate) held: i64,
}

impl Budget {
    fn left(&self) -> i64 {
        self.limit - self.spent - self.held
    }
}

/// An open call.
#[derive(Clone, Debug)]
struct Open {
    run: String,
    amount: i64,
}

/// One wallet with one project.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    rates: Rates,
    pub(crate) balance: i64,
    pub(crate) held: i64,
    pub(crate) project: Budget,
    tasks: BTreeMap<&'static str, Budget>,
    runs: BTreeMap<String, (Option<&'static str>, Budget)>,
    open: BTreeMap<String, Open>,
    /// What each run was charged and got back by corrections.
    charged: BTreeMap<String, (i64, i64)>,
    /// Calls charged by an estimate: what was charged.
    estimated: BTreeMap<String, i64>,
    refund_limit: i64,
    refunded: i64,
}

impl Model {
    pub(crate) fn new(rates: Rates, balance: i64, project: i64, refund_limit: i64) -> Model {
        Model {
            rates,
            balance,
            held: 0,
            project: Budget { limit: project, spent: 0, held: 0 },
            tasks: BTreeMap::new(),
            runs: BTreeMap::new(),
            open: BTreeMap::new(),
            charged: BTreeMap::new(),
            estimated: BTreeMap::new(),
            refund_limit,
            refunded: 0,
        }
    }

    pub(crate) fn open_run(&mut self, run: &str, task: Option<&'static str>, task_limit: i64, run_limit: i64) {
        let budget = |limit| Budget { limit, spent: 0, held: 0 };
        if let Some(task) = task {
            self.tasks.entry(task).or_insert_with(|| budget(task_limit));
        }
        self.runs.insert(run.to_owned(), (task, budget(run_limit)));
    }

    pub(crate) fn grant(&mut self, amount: i64) {
        self.balance += amount;
    }

    /// Says what a reservation must answer: how much is held and how much output it is for, or nothing.
    pub(crate) fn reserve(&mut self, ask: &Reserve) -> Option<(i64, u64)> {
        let left = NanoUsd(self.left(&ask.run));
        let useful = ask.output_tokens_min.min(ask.output_tokens);
        let (output, amount) = fit(&self.rates, ask.input_tokens, ask.output_tokens, useful, left)?;
        Some((amount.0, output))
    }

    pub(crate) fn reserved(&mut self, run: &str, reserved: &Reserved) {
        if let Reserved::Held { call, amount, .. } = reserved {
            self.move_all(run, amount.0, 0);
            self.open.insert(name(call), Open { run: run.to_owned(), amount: amount.0 });
        }
    }

    /// Settles a call and says what must be charged.
    pub(crate) fn settle(&mut self, call: &CallId, usage: &Usage, estimated: bool) -> i64 {
        let open = self.open.remove(&name(call)).expect("an open call");
        let charged = self.rates.cost(usage).0.min(open.amount + self.left(&open.run));
        self.move_all(&open.run, -open.amount, charged);
        self.balance -= charged;
        self.charged.entry(open.run).or_default().0 += charged;
        if estimated {
            self.estimated.insert(name(call), charged);
        }
        charged
    }

    /// Gives a hold back, whether it was void or lost.
    pub(crate) fn release(&mut self, call: &CallId) {
        let open = self.open.remove(&name(call)).expect("an open call");
        self.move_all(&open.run, -open.amount, 0);
    }

    pub(crate) fn host_dies(&mut self) {
        for (_, open) in std::mem::take(&mut self.open) {
            self.move_all(&open.run, -open.amount, 0);
        }
    }

    /// Corrects an estimate and says what the user gets back; `None` if this call can't be corrected.
    pub(crate) fn adjust(&mut self, call: &CallId, usage: &Usage, run_is_refunded: bool) -> Option<i64> {
        let charged = self.estimated.remove(&name(call))?;
        let back = if run_is_refunded { 0 } else { (charged - self.rates.cost(usage).0).max(0) };
        self.balance += back;
        self.charged.entry(call.run.clone()).or_default().1 += back;
        Some(back)
    }

    /// Refunds a run within what is allowed for a day.
    pub(crate) fn refund(&mut self, run: &str) {
        let (charged, adjusted) = self.charged.get(run).copied().unwrap_or_default();
        let amount = (charged - adjusted).min(self.refund_limit - self.refunded).max(0);
        self.refunded += amount;
        self.balance += amount;
    }

    /// Binds another ceiling, if it covers what is spent and held.
    pub(crate) fn ceiling(&mut self, limit: i64) -> bool {
        let good = limit >= self.project.spent + self.project.held;
        if good {
            self.project.limit = limit;
        }
        good
    }

    fn left(&self, run: &str) -> i64 {
        let (task, budget) = &self.runs[run];
        let task = task.map_or(i64::MAX, |task| self.tasks[task].left());
        budget.left().min(task).min(self.project.left()).min(self.balance - self.held)
    }

    fn move_all(&mut self, run: &str, held: i64, spent: i64) {
        self.held += held;
        let (task, budget) = self.runs.get_mut(run).expect("a run");
        let task = task.and_then(|task| self.tasks.get_mut(task));
        for budget in [Some(budget), task, Some(&mut self.project)].into_iter().flatten() {
            budget.held += held;
            budget.spent += spent;
        }
    }
}

fn name(call: &CallId) -> String {
    format!("{}/{}/{}", call.run, call.seq, call.repeat)
}
