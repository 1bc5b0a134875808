//! `make ideas`: builds every idea of `tests/ideas/` with the configured model and judges the result by hidden tests.
//! `make ideas-solutions`: judges the reference and the wrong solutions, to prove that the tests tell them apart.
//! Prints a table and, last, one line of figures.

use anyhow::{Context, Result};
use atelier_host::app::App;
use atelier_host::checks::Checks;
use atelier_host::delivery::Delivery;
use atelier_host::plugins::registry::Registry;
use atelier_host::project::evidence::Claim;
use atelier_host::project::{Answer, Next, Phase};
use atelier_host::settings::Settings;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tests::ideas::{Idea, Judgement};
use tests::root;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mode, names) = arguments.split_first().map_or(("", &[][..]), |(mode, names)| (mode.as_str(), names));
    let result = match mode {
        "solutions" => solutions(names).await,
        "run" => run(names).await,
        _ => Err(anyhow::anyhow!("usage: ideas solutions|run [NN ...]")),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chosen(names: &[String]) -> Result<Vec<Idea>> {
    let mut ideas = Idea::all(&root().join("tests/ideas"))?;
    ideas.retain(|idea| names.is_empty() || names.iter().any(|name| idea.name.starts_with(name.as_str())));
    Ok(ideas)
}

async fn solutions(names: &[String]) -> Result<bool> {
    let settings = Settings::load(Path::new("atelier.toml"))?;
    let checks = Checks::new(Arc::new(Registry::open(&settings.data_dir)?));
    let (mut references, mut wrongs, mut ideas, mut good) = (0, 0, 0, true);
    println!("{:<24} {:<5} {:>9} {:>7}  wrong solution fails", "idea", "size", "reference", "wrong");
    for idea in chosen(names)? {
        let all = idea.requirements.list.len();
        let reference = idea.judge(&checks, &idea.solution("reference")?).await?;
        let wrong = idea.judge(&checks, &idea.solution("wrong")?).await?;
        let fails: std::collections::BTreeSet<String> = wrong.reasons.keys().cloned().collect();
        let verified = reference.independent.len() == all && reference.with_prerequisites.len() == all;
        let rejected = fails == idea.wrong_fails();
        let mark = if verified && rejected { "" } else { "  NOT AS IT SHOULD BE" };
        println!(
            "{:<24} {:<5} {:>6}/{all} {:>5}/{all}  {}{mark}",
            idea.name,
            idea.requirements.size,
            reference.independent.len(),
            wrong.independent.len(),
            fails.iter().cloned().collect::<Vec<_>>().join(", ")
        );
        if !verified || !rejected {
            for (which, judgement) in [("reference", &reference), ("wrong", &wrong)] {
                for (id, why) in &judgement.reasons {
                    println!("    {which} {id}: {}", why.replace('\n', "\n        "));
                }
            }
        }
        ideas += 1;
        references += usize::from(verified);
        wrongs += usize::from(rejected);
        good &= verified && rejected;
    }
    println!("ideas={ideas} references_verified={references} wrong_rejected={wrongs}");
    Ok(good && ideas > 0)
}

/// What one idea came to.
struct Row {
    all: usize,
    judgement: Judgement,
    delivered: bool,
    claimed: bool,
    calls: u64,
    tokens: u64,
    credits: f64,
    minutes: f64,
}

async fn run(names: &[String]) -> Result<bool> {
    let settings = Settings::load(Path::new("atelier.toml"))?;
    settings.require_model()?;
    let app = App::build(settings).await?;
    let mut rows = Vec::new();
    println!(
        "{:<24} {:<5} {:>8} {:>9} {:>6} {:>10} {:>6} {:>8} {:>9} {:>8}",
        "idea", "size", "met", "with pre.", "solved", "said done", "calls", "tokens", "credits", "minutes"
    );
    for idea in chosen(names)? {
        let row = build(&app, &idea).await.with_context(|| idea.name.clone())?;
        let said = match (row.delivered, row.claimed) {
            (true, true) => "verified",
            (true, false) => "delivered",
            (false, _) => "no",
        };
        println!(
            "{:<24} {:<5} {:>6}/{} {:>7}/{} {:>6} {:>10} {:>6} {:>8} {:>9.3} {:>8.1}",
            idea.name,
            idea.requirements.size,
            row.judgement.independent.len(),
            row.all,
            row.judgement.with_prerequisites.len(),
            row.all,
            if row.judgement.independent.len() == row.all { "yes" } else { "no" },
            said,
            row.calls,
            row.tokens,
            row.credits,
            row.minutes
        );
        for (id, why) in &row.judgement.reasons {
            println!("    {id}: {}", why.lines().next().unwrap_or_default());
        }
        rows.push(row);
    }
    let sum = |value: fn(&Row) -> usize| rows.iter().map(value).sum::<usize>();
    let said_done = rows.iter().filter(|row| row.delivered && row.judgement.independent.len() < row.all).count();
    println!(
        "ideas={} requirements={} met={} met_with_prerequisites={} solved={} said_done_but_is_not={said_done} calls={} tokens={} credits={:.3} minutes={:.1}",
        rows.len(),
        sum(|row| row.all),
        sum(|row| row.judgement.independent.len()),
        sum(|row| row.judgement.with_prerequisites.len()),
        sum(|row| usize::from(row.judgement.independent.len() == row.all)),
        rows.iter().map(|row| row.calls).sum::<u64>(),
        rows.iter().map(|row| row.tokens).sum::<u64>(),
        rows.iter().map(|row| row.credits).sum::<f64>(),
        rows.iter().map(|row| row.minutes).sum::<f64>(),
    );
    Ok(!rows.is_empty())
}

/// Carries an idea through, as a user would who answers nothing and accepts what is proposed.
async fn build(app: &App, idea: &Idea) -> Result<Row> {
    let started = Instant::now();
    let orchestrator = &app.orchestrator;
    let mut project = app.control.create("local", &idea.text, None).await?;
    loop {
        project = orchestrator.advance(project).await?;
        match project.state.next() {
            Next::Ask(_) => project = app.control.answer(&project, Answer::Enough).await?,
            Next::Approve => {
                let ceiling = orchestrator.quote(&project).await?.ceiling;
                project = app.control.approve(&project, ceiling).await?;
            }
            _ => break,
        }
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    let delivery = Delivery::of(&app.reader.store, &project).await?;
    let judgement = idea.judge(orchestrator.checks(), &delivery.files).await?;
    let receipt = delivery.report.receipt;
    Ok(Row {
        all: idea.requirements.list.len(),
        judgement,
        delivered: project.state.phase == Phase::Delivered,
        claimed: delivery.report.requirements.iter().all(|requirement| requirement.claim == Claim::Verified),
        calls: receipt.calls,
        tokens: receipt.input_tokens + receipt.output_tokens,
        credits: receipt.charged.0 as f64 / 1e6,
        minutes,
    })
}
