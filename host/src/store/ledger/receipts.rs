//! What a project took: in all, and call by call with the tokens, the price and the plugin behind each credit.

use crate::ledger::{NanoUsd, Usage};
use crate::project::documents::DOCUMENTS;
use crate::store::{Result, Store, from_json, query};

/// What a project took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// Calls that were answered.
    pub calls: u64,
    /// Those of them that were charged by an estimate, since the provider did not say what it counted.
    #[serde(default)]
    pub estimated_calls: u64,
    /// Calls that had to be sent again because a host died; the user paid nothing for those.
    pub lost_calls: u64,
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// What the user was charged.
    pub charged: NanoUsd,
    /// What was given back.
    pub refunded: NanoUsd,
    /// What the house paid beyond.
    pub house: NanoUsd,
}

/// One call of a receipt.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ReceiptLine {
    /// `RUN/SEQ/REPEAT`, as the ledger's entries name it.
    pub call: String,
    /// The step, such as `implement T1 1`.
    pub step: String,
    /// The plugin that asked.
    pub plugin: String,
    /// Its digest.
    pub plugin_sha256: String,
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The row of the price table.
    pub price: i64,
    /// Where that price is from.
    pub price_source: String,
    /// Tokens, in disjoint buckets.
    pub usage: Usage,
    /// Whether we counted them, not the provider.
    pub estimated: bool,
    /// What the call cost.
    pub actual: NanoUsd,
    /// What the user paid.
    pub charged: NanoUsd,
    /// What the house paid.
    pub house: NanoUsd,
    /// What was given back: with the whole run, or by a correction of this call.
    pub returned: Option<Returned>,
}

/// Credits that went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Returned {
    /// The run failed.
    Refunded,
    /// The estimate was corrected.
    Adjusted,
}

/// How many calls ended how, in all projects.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CallCount {
    /// `settled`, `voided`, `lost`, or one of the open states.
    pub state: String,
    /// `provider` or `estimated`, for calls that cost something.
    pub usage_source: Option<String>,
    /// How many.
    pub calls: u64,
}

impl Store {
    /// What a project took, in all.
    pub async fn receipt(&self, project: &str) -> Result<Receipt> {
        let mut read = self.read().await?;
        let rows =
            query("select state, actual, charged, usage, usage_source from hold where project = $1 and state in ('settled', 'lost')")
                .bind(project)
                .all(&mut read)
                .await?;
        let mut receipt = Receipt::default();
        for row in &rows {
            let usage: Usage = from_json("usage", &row.get::<String>("usage"))?;
            let (actual, charged): (NanoUsd, NanoUsd) = (row.get("actual"), row.get("charged"));
            if row.get::<String>("state") == "lost" {
                receipt.lost_calls += 1;
            } else {
                receipt.calls += 1;
                receipt.estimated_calls += u64::from(row.get::<String>("usage_source") == "estimated");
                receipt.input_tokens += usage.input + usage.cached_input + usage.cache_write;
                receipt.output_tokens += usage.output + usage.reasoning;
            }
            receipt.charged += charged;
            receipt.house += actual - charged;
        }
        receipt.refunded = query(
            "select cast(coalesce(sum(amount), 0) as bigint) from entry where wallet = credit and (
                 (kind = 'refund' and ref in (select id from run where project = $1))
                 or (kind = 'adjust' and ref in (select run || '/' || seq || '/' || repeat from hold where project = $1)))",
        )
        .bind(project)
        .scalar(&mut read)
        .await?;
        Ok(receipt)
    }

    /// Every call of a project that cost somebody something, in order.
    pub async fn receipt_lines(&self, project: &str) -> Result<Vec<ReceiptLine>> {
        let rows = query(
            "select hold.run || '/' || hold.seq || '/' || hold.repeat as call, run.step, run.plugin, run.plugin_sha256,
                    price.provider, price.model, price.id as price, price.source as price_source,
                    hold.usage, hold.usage_source, hold.actual, hold.charged,
                    (select count(*) from entry where kind = 'refund' and ref = hold.run and hold.charged > 0) as refunded,
                    (select count(*) from entry where kind = 'adjust' and ref = hold.run || '/' || hold.seq || '/' || hold.repeat) as adjusted
             from hold join price on price.id = hold.price join run on run.id = hold.run
             where hold.project = $1 and hold.state in ('settled', 'lost') order by run.number, hold.seq, hold.repeat",
        )
        .bind(project)
        .all(&mut self.read().await?)
        .await?;
        rows.iter()
            .map(|row| {
                let (actual, charged): (NanoUsd, NanoUsd) = (row.get("actual"), row.get("charged"));
                Ok(ReceiptLine {
                    call: row.get("call"),
                    step: row.get("step"),
                    plugin: row.get("plugin"),
                    plugin_sha256: row.get("plugin_sha256"),
                    provider: row.get("provider"),
                    model: row.get("model"),
                    price: row.get("price"),
                    price_source: row.get("price_source"),
                    usage: from_json("usage", &row.get::<String>("usage"))?,
                    estimated: row.get::<String>("usage_source") == "estimated",
                    actual,
                    charged,
                    house: actual - charged,
                    returned: match (row.get::<i64>("refunded"), row.get::<i64>("adjusted")) {
                        (1.., _) => Some(Returned::Refunded),
                        (_, 1..) => Some(Returned::Adjusted),
                        _ => None,
                    },
                })
            })
            .collect()
    }

    /// How many calls ended how.
    pub async fn call_counts(&self) -> Result<Vec<CallCount>> {
        let rows =
            query("select state, usage_source, count(*) as calls from hold group by state, usage_source order by state, usage_source")
                .all(&mut self.read().await?)
                .await?;
        Ok(rows
            .iter()
            .map(|row| CallCount { state: row.get("state"), usage_source: row.get("usage_source"), calls: row.get("calls") })
            .collect())
    }

    /// What each of the last accepted tasks cost its user over all its tries, newest first: those done by this plugin, or by any
    /// implementer.
    pub async fn costs_of_accepted_tasks(&self, plugin_sha256: Option<&str>, limit: u32) -> Result<Vec<NanoUsd>> {
        query(
            "select cast((select coalesce(sum(charged), 0) from hold join run on run.id = hold.run
                     where run.project = snapshot.project and (run.task = snapshot.task or run.task like snapshot.task || ' (anew %')
                     and hold.state = 'settled') as bigint)
             from snapshot
             where (($1 is null and snapshot.task <> $3) or exists (select 1 from run
                     where run.project = snapshot.project and (run.task = snapshot.task or run.task like snapshot.task || ' (anew %')
                     and run.plugin_sha256 = $1))
               and not exists (select 1 from snapshot later
                     where later.project = snapshot.project and later.task = snapshot.task and later.number > snapshot.number)
             order by accepted_ms desc limit $2",
        )
        .bind(plugin_sha256)
        .bind(limit)
        .bind(DOCUMENTS)
        .scalars(&mut self.read().await?)
        .await
    }
}
