//! How good the code index finds things, how fast, and whether it is what it would be if it were made anew: eval-index TARGET [PART].
//! TARGET is what sets.py and peers.py made. Prints tables and, last, one line of figures; ends with 1 where a bar is missed.

mod ablation;
mod incremental;
mod sets;
mod speed;

use atelier_host::index::Hit;
use atelier_host::index::cache::Cache;
use atelier_host::index::source::Folder;
use atelier_host::index::update::update;
use atelier_host::plugins::indexing::Indexer;
use atelier_host::plugins::limits::INDEXER_RUNS_MAX;
use atelier_host::plugins::registry::Registry;
use sets::{LOOKED_AT, Question, Tag, interval, lines, ndcg};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tests::home::Home;
use tokio::sync::Semaphore;

/// Bars: NDCG@10 of words alone on held-out known items, of file questions, the share of names found at once.
const LEXICAL_MIN: f64 = 0.40;
#[cfg(feature = "bert")]
const FUSED_MIN: f64 = 0.45;
const CONCEPTS_MIN: f64 = 0.85;
const DEFINITIONS_MIN: f64 = 0.98;
/// Megabytes a second and core through the sandboxed chunker.
const COLD_MB_PER_CPU_SECOND_MIN: f64 = 3.0;
const ONE_FILE_MAX_MS: f64 = 100.0;
const QUERY_P95_MAX_MS: f64 = 10.0;
/// Of so many files two are left out where fewer chunks are wanted.
const FILES_OF: u64 = 5;
/// Changes of one file.
const ROUNDS: u64 = 15;

/// Questions that are asked with vectors as well.
#[cfg(feature = "bert")]
const FUSED_QUESTIONS_MAX: usize = 250;

/// One figure with its bar.
struct Figure {
    name: String,
    value: f64,
    good: bool,
}

#[derive(Default)]
struct Report {
    figures: Vec<Figure>,
}

impl Report {
    fn at_least(&mut self, name: &str, value: f64, bar: f64, shown: String) {
        self.add(name, value, value >= bar, shown);
    }

    fn at_most(&mut self, name: &str, value: f64, bar: f64, shown: String) {
        self.add(name, value, value <= bar, shown);
    }

    fn add(&mut self, name: &str, value: f64, good: bool, shown: String) {
        println!("{name:<34} {shown}{}", if good { "" } else { "  BAR MISSED" });
        self.figures.push(Figure { name: name.to_owned(), value, good });
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().ok_or_else(|| anyhow::anyhow!("usage: eval-index TARGET [quality|ablation|speed|incremental]"))?;
    let (target, part) = (Path::new(&target), arguments.next());
    let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    let mut report = Report::default();
    if wanted("quality") {
        quality(target, &mut report).await?;
    }
    if wanted("ablation") {
        let (home, tree) = (Home::shipped(), target.join("concepts/tree"));
        let cache = incremental::open(&home, &tree).await?;
        let questions: Vec<Question> = lines(&target.join("concepts/queries.jsonl"))?;
        println!("{:<34} {:>10} {:>10} {:>10}", "fed to a task of one file", "tokens", "shown", "named");
        for (way, fed) in ablation::ablation(&tree, &cache, &questions).await? {
            let (shown, named) = (fed.covered * 100.0, fed.named * 100.0);
            println!("{way:<34} {:>10.0} {shown:>8.0} % {named:>8.0} %", fed.tokens);
        }
    }
    if wanted("speed") {
        speed(target, &mut report).await?;
    }
    if wanted("incremental") {
        let questions: Vec<Question> = lines(&target.join("python/queries.jsonl"))?;
        let compared = incremental::incremental(&target.join("releases"), &questions).await?;
        let share = compared.equal as f64 / compared.releases.max(1) as f64;
        let shown = format!("{} of {} releases equal, {} updates killed", compared.equal, compared.releases, compared.kills);
        report.at_least("incremental = full", share, 1.0, shown);
    }
    let line = report.figures.iter().map(|figure| format!("{}={:.3}", figure.name.replace([' ', '='], "_"), figure.value));
    println!("\neval-index {}", line.collect::<Vec<_>>().join(" "));
    let good = report.figures.iter().all(|figure| figure.good);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What each ranker makes of each question of a set, and what the peers made of them.
async fn quality(target: &Path, report: &mut Report) -> anyhow::Result<()> {
    for (set, bar) in [("python", Some(LEXICAL_MIN)), ("rust", None), ("concepts", Some(CONCEPTS_MIN))] {
        let home = Home::shipped();
        let cache = incremental::open(&home, &target.join(set).join("tree")).await?;
        let questions: Vec<Question> = lines(&target.join(set).join("queries.jsonl"))?;
        for split in ["develop", "held-out"] {
            let asked: Vec<&Question> = questions.iter().filter(|question| question.split == split).collect();
            if asked.is_empty() {
                continue;
            }
            let (mut ours, mut times) = (BTreeMap::new(), Vec::new());
            for question in &asked {
                let started = Instant::now();
                cache.search(&question.query, LOOKED_AT as u32).await?;
                times.push(started.elapsed());
                let hits: Vec<Hit> = search(&cache, &question.query).await?;
                ours.insert(question.query.as_str(), ndcg(question, &hits));
            }
            let values: Vec<f64> = ours.values().copied().collect();
            let (mean, half) = interval(&values);
            let hit = values.iter().filter(|value| **value > 0.0).count() as f64 / values.len() as f64;
            let (p50, p95) = speed::percentiles(times);
            let shown = format!("NDCG@10 {mean:.3} ± {half:.3}  hit@10 {hit:.3}  ({} questions, {p50:.1} / {p95:.1} ms)", values.len());
            let bar = bar.filter(|_| split == "held-out").unwrap_or(0.0);
            report.at_least(&format!("{set} {split} words"), mean, bar, shown);
            if split == "held-out" {
                peers(target, set, &ours)?;
                if set != "rust" {
                    fused(target, set, &cache, &asked, mean, report).await?;
                }
            }
        }
        if set == "python" {
            definitions(target, &cache, report).await?;
            latency(&target.join(set).join("tree"), &questions, report).await?;
        }
    }
    Ok(())
}

/// How long a query takes on as many chunks as the bar is for: a part of the files, every so manyth left out.
async fn latency(tree: &Path, questions: &[Question], report: &mut Report) -> anyhow::Result<()> {
    let home = Home::shipped();
    let part = home.beside("part");
    copy_tree(tree, &part, &mut (0..).map(|number| number % FILES_OF != 0 && number % FILES_OF != 2))?;
    let cache = incremental::open(&home, &part).await?;
    let chunks = cache.status().await?.chunks;
    let mut times = Vec::new();
    for question in questions.iter().filter(|question| question.split == "held-out") {
        let started = Instant::now();
        cache.search(&question.query, LOOKED_AT as u32).await?;
        times.push(started.elapsed());
    }
    let (p50, p95) = speed::percentiles(times);
    report.at_most("query p95 ms", p95, QUERY_P95_MAX_MS, format!("{p95:.1} ms, the middle {p50:.1} ms, on {chunks} chunks"));
    Ok(())
}

/// Words and vectors together, and what vectors add. The model takes its time, so the gain is that of some of the questions; it is added to
/// what words make of all of them, `words`, which is known far better than from these few.
#[cfg(feature = "bert")]
async fn fused(target: &Path, set: &str, cache: &Cache, questions: &[&Question], words: f64, report: &mut Report) -> anyhow::Result<()> {
    use atelier_host::index::dense::Embedder;
    use atelier_host::index::dense::bert::Bert;
    use atelier_host::index::dense::embedded::Embedded;
    use atelier_host::index::dense::search::{Dense, search as by_both};
    let model = target.join("model");
    if !model.exists() {
        println!("  there is no {}; nothing is said of vectors", model.display());
        return Ok(());
    }
    let embedder = std::sync::Arc::new(Bert::open(&model)?);
    // Vectors depend on texts alone, so they are kept from run to run.
    let kept = Cache::open(&target.join("vectors").join(format!("{set}.db")), "eval-index").await?;
    let vectors = std::sync::Arc::new(Embedded::open(kept, embedder.fingerprint()).await?);
    let dense = Dense::new(cache, embedder, vectors).await?;
    let step = questions.len().div_ceil(FUSED_QUESTIONS_MAX).max(1);
    let (mut both, mut gains, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for question in questions.iter().step_by(step) {
        let limit = LOOKED_AT as u32 * 5;
        // The first time makes the vectors, which is done once for each text.
        by_both(cache, Some(&dense), &question.query, limit).await?;
        let started = Instant::now();
        let (answer, without) = by_both(cache, Some(&dense), &question.query, limit).await?;
        times.push(started.elapsed());
        anyhow::ensure!(without.is_none(), "{without:?}");
        let value = ndcg(question, &answer.hits);
        gains.push(value - ndcg(question, &search(cache, &question.query).await?));
        both.push(value);
    }
    let ((mean, _), (gain, half)) = (interval(&both), interval(&gains));
    let all = words + gain;
    let (p50, p95) = speed::percentiles(times);
    let shown = format!(
        "NDCG@10 {all:.3} ± {half:.3}: vectors add {gain:+.3} on {} questions, of which they make {mean:.3}  (warm {p50:.1} / {p95:.1} ms)",
        both.len()
    );
    report.at_least(&format!("{set} held-out words+vectors"), all, if set == "python" { FUSED_MIN } else { 0.0 }, shown);
    Ok(())
}

#[cfg(not(feature = "bert"))]
async fn fused(_: &Path, _: &str, _: &Cache, _: &[&Question], _: f64, _: &mut Report) -> anyhow::Result<()> {
    println!("  built without `--features bert`: nothing is said of vectors");
    Ok(())
}

async fn search(cache: &Cache, query: &str) -> anyhow::Result<Vec<Hit>> {
    // Several chunks of a file count once where files are looked for.
    let found = cache.search(query, LOOKED_AT as u32 * 5).await?;
    Ok(found.into_iter().map(|found| found.hit).collect())
}

/// What others made of the same questions, each beside what was made of it here.
fn peers(target: &Path, set: &str, ours: &BTreeMap<&str, f64>) -> anyhow::Result<()> {
    let Ok(entries) = std::fs::read_dir(target.join("peers")) else { return Ok(()) };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(peer) = name.strip_prefix(&format!("{set}.")) else { continue };
        #[derive(serde::Deserialize)]
        struct Line {
            query: String,
            ndcg: f64,
        }
        let theirs: Vec<Line> = lines(&path)?;
        let pairs: Vec<(f64, f64)> = theirs.iter().filter_map(|line| Some((line.ndcg, *ours.get(line.query.as_str())?))).collect();
        let (mean, _) = interval(&pairs.iter().map(|(theirs, _)| *theirs).collect::<Vec<_>>());
        let (gain, half) = interval(&pairs.iter().map(|(theirs, ours)| ours - theirs).collect::<Vec<_>>());
        println!("  {peer:<32} NDCG@10 {mean:.3}; ours is {gain:+.3} ± {half:.3} beside it ({} questions)", pairs.len());
    }
    Ok(())
}

/// Every name that ctags knows, by its name alone.
async fn definitions(target: &Path, cache: &Cache, report: &mut Report) -> anyhow::Result<()> {
    let tags: Vec<Tag> = lines(&target.join("definitions.jsonl"))?;
    let mut places: BTreeMap<&str, Vec<(&str, u32)>> = BTreeMap::new();
    for tag in &tags {
        places.entry(&tag.name).or_default().push((&tag.path, tag.line));
    }
    let (mut first, mut times) = (0, Vec::new());
    for (name, places) in &places {
        let started = Instant::now();
        let answer = cache.definitions(name, LOOKED_AT as u32).await?;
        times.push(started.elapsed());
        first += usize::from(answer.hits.first().is_some_and(|hit| places.contains(&(hit.path.as_str(), hit.first_line))));
    }
    let known = cache.all_definitions().await?;
    let known: std::collections::BTreeSet<(&str, &str, u32)> =
        known.iter().map(|named| (named.name.as_str(), named.path.as_str(), named.line)).collect();
    let found = tags.iter().filter(|tag| known.contains(&(tag.name.as_str(), tag.path.as_str(), tag.line))).count();
    let (first, found) = (first as f64 / places.len().max(1) as f64, found as f64 / tags.len().max(1) as f64);
    let (_, p95) = speed::percentiles(times);
    report.at_least("definitions hit@1", first, DEFINITIONS_MIN, format!("{first:.4} of {} names ({p95:.1} ms)", places.len()));
    report.at_least("definitions found", found, DEFINITIONS_MIN, format!("{found:.4} of {} places", tags.len()));
    Ok(())
}

async fn speed(target: &Path, report: &mut Report) -> anyhow::Result<()> {
    for (set, bar) in [("python", COLD_MB_PER_CPU_SECOND_MIN), ("rust", 0.0)] {
        let tree = target.join(set).join("tree");
        let home = Home::shipped();
        // The first start compiles the plugin.
        speed::build(&home, &home.data())?;
        let (bytes, cost) = (speed::size(&tree)? as f64, speed::build(&home, &tree)?);
        let rate = bytes / 1e6 / cost.cpu.as_secs_f64();
        let shown = format!(
            "{rate:.2} MB/s a core; {:.1} MB in {:.1} s, {:.1} s of CPU, {} MiB at most",
            bytes / 1e6,
            cost.wall.as_secs_f64(),
            cost.cpu.as_secs_f64(),
            cost.peak_bytes / 1024 / 1024
        );
        report.at_least(&format!("{set} cold MB/s a core"), rate, bar, shown);
        let mut times = Vec::new();
        let copy = home.beside("copy");
        copy_tree(&tree, &copy, &mut std::iter::repeat(true))?;
        let cache = incremental::open(&home, &copy).await?;
        let file =
            sets::lines::<Question>(&target.join(set).join("queries.jsonl"))?.first().map(|question| question.relevant[0].path.clone());
        let file = copy.join(file.unwrap_or_default());
        let registry = Registry::open(&home.data())?;
        let indexer = Arc::new(Indexer::new(registry.for_world("indexer")?, Arc::new(Semaphore::new(INDEXER_RUNS_MAX))));
        for round in 0..ROUNDS {
            let changed = format!("{}\n# {round}\n", std::fs::read_to_string(&file)?);
            std::fs::write(&file, changed)?;
            let started = Instant::now();
            let updated = update(&cache, &Folder::open(&copy)?, &indexer, None).await?;
            times.push(started.elapsed());
            anyhow::ensure!(updated.read == 1 && updated.fresh.generation == round + 2, "the index did not see the change: {updated:?}");
        }
        let (p50, _) = speed::percentiles(times);
        let shown = format!("{p50:.0} ms, the look at every file included");
        let bar = if set == "python" { ONE_FILE_MAX_MS } else { f64::MAX };
        report.at_most(&format!("{set} one changed file ms"), p50, bar, shown);
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path, wanted: &mut impl Iterator<Item = bool>) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    let mut paths: Vec<_> = std::fs::read_dir(from)?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let copy = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_tree(&path, &copy, wanted)?;
        } else if wanted.next() == Some(true) {
            std::fs::copy(&path, &copy)?;
        }
    }
    Ok(())
}
