//! Two versions side by side: a share of the projects is done by a candidate, the others by whoever plays the role, and what came of
//! them is compared. A candidate that does clearly worse loses its share by itself. A trial is a table of `plugins.toml`, so every
//! process sees it, and whose project is whose follows from its id, so a project stays where it is through restarts and on all machines.

use super::PluginError;
use super::lock::Pins;
use super::manifest::{PluginManifest, Who};
use super::pinning::{Pinning, guard};
use crate::ledger::NanoUsd;
use crate::workspace::sha256;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Worlds whose plugins can be compared by what comes of projects. An index has to be of one kind.
pub const WORLDS: &[&str] = &["architect", "implementer"];
/// Of both sides so much must have come to an end before anything is concluded; with fewer even the clearest difference may be chance.
pub const ENDED_MIN: u64 = 5;
/// A candidate goes back where so large a difference would come by chance less often than this. It is looked at after every end, so
/// it is strict.
pub const CHANCE_MAX: f64 = 0.01;

/// A candidate for a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The plugin that is tried; the same that plays the role where another version of it is.
    pub plugin: String,
    /// Its version.
    pub sha256: String,
    /// How many projects in a hundred it does.
    pub share: u8,
    /// When it began, in milliseconds since 1970: what ended before says nothing.
    pub since_ms: i64,
    /// Why it lost its share, where it did by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<String>,
}

impl Trial {
    /// Whether this project is done by the candidate.
    fn has(&self, project: &str) -> bool {
        // Of another trial other projects, and of a larger share these and more.
        let digest = sha256(format!("{}/{project}", self.sha256).as_bytes());
        let point = u64::from_str_radix(&digest[..15], 16).unwrap_or(u64::MAX) % 100;
        point < u64::from(self.share)
    }
}

/// What came of the work of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The plugin.
    pub plugin: String,
    /// Its version.
    pub sha256: String,
    /// Projects it had a part in.
    pub projects: u64,
    /// Tries of a task (of an architect: projects) that came out well.
    pub good: u64,
    /// Those that did not.
    pub bad: u64,
    /// Those that are under way, or whose end says nothing, such as a cancelled project.
    pub open: u64,
    /// What its model calls were charged.
    pub charged: NanoUsd,
}

impl Record {
    /// What one good end cost, the bad ones included.
    pub fn charged_per_good(&self) -> Option<NanoUsd> {
        self.charged.0.checked_div(i64::try_from(self.good).ok()?).map(NanoUsd)
    }
}

/// The probability that at least so large a share of the bad ends would fall to the candidate if both were equally good (Fisher's exact
/// test, one-sided).
pub fn chance(candidate: &Record, other: &Record) -> f64 {
    let (drawn, all) = (candidate.good + candidate.bad, candidate.good + candidate.bad + other.good + other.bad);
    let bad = candidate.bad + other.bad;
    // ln of n!, summed: there are some thousands at most.
    let ln_factorial = |n: u64| (2..=n).map(|k| (k as f64).ln()).sum::<f64>();
    let ln_choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let total = ln_choose(all, drawn);
    let most = bad.min(drawn);
    (candidate.bad..=most)
        .filter(|hit| drawn - hit <= all - bad)
        .map(|hit| (ln_choose(bad, hit) + ln_choose(all - bad, drawn - hit) - total).exp())
        .sum::<f64>()
        .min(1.0)
}

/// Why the candidate is to go back; nothing where that can't be said.
pub fn verdict(candidate: &Record, other: &Record) -> Option<String> {
    let ended = |record: &Record| record.good + record.bad;
    let chance = chance(candidate, other);
    (ended(candidate) >= ENDED_MIN && ended(other) >= ENDED_MIN && chance < CHANCE_MAX).then(|| {
        format!(
            "{} of its {} ended badly, of the other's {} of {}; by chance that comes once in {:.0}",
            candidate.bad,
            ended(candidate),
            other.bad,
            ended(other),
            1.0 / chance.max(1e-9)
        )
    })
}

impl Pins {
    /// Tries a new version, or another plugin, on a share of the projects. What plays the role goes on doing so for the others.
    pub fn try_out(
        &mut self,
        manifest: &PluginManifest,
        bytes: &[u8],
        pinning: Pinning,
        share: u8,
        now_ms: i64,
    ) -> Result<(), PluginError> {
        let digest = sha256(bytes);
        let before = self.lock.plugins.iter().find(|entry| entry.name == manifest.name).map(|entry| entry.sha256.clone());
        // Somebody must play the role, and by name it could be the candidate.
        let playing = self.for_world(&manifest.world).map(|entry| entry.name.clone());
        let Some(playing) = playing else {
            let why = format!("nothing else plays the role `{}`; `atelier plugin pin` pins it", manifest.world);
            return Err(PluginError::Build(why));
        };
        if before.as_ref() == Some(&digest) && playing == manifest.name {
            return Err(PluginError::Build(format!("`{}` is pinned with these very bytes; there is nothing to compare", manifest.name)));
        }
        self.stage(manifest, bytes, pinning)?;
        if let Some(before) = before.filter(|before| *before != digest) {
            self.activate(&manifest.name, &before)?;
        }
        self.manifest.used.insert(manifest.world.clone(), playing);
        self.share(&manifest.world, &manifest.name, &digest, share, now_ms)
    }

    fn share(&mut self, world: &str, plugin: &str, digest: &str, share: u8, now_ms: i64) -> Result<(), PluginError> {
        if !WORLDS.contains(&world) {
            return Err(PluginError::Build(format!("there are trials of {}; `{world}` has none", WORLDS.join(" and "))));
        }
        if !(1..=100).contains(&share) {
            return Err(PluginError::Build(format!("a share is from 1 to 100 projects in a hundred, and not {share}")));
        }
        let trial = Trial { plugin: plugin.to_owned(), sha256: digest.to_owned(), share, since_ms: now_ms, returned: None };
        self.manifest.trials.insert(world.to_owned(), trial);
        Ok(())
    }

    /// Ends a trial: the candidate plays the role from now on, or never any more.
    pub fn end_trial(&mut self, world: &str, adopt: bool) -> Result<(), PluginError> {
        let trial =
            self.manifest.trials.remove(world).ok_or_else(|| PluginError::Build(format!("there is no trial of the world `{world}`")))?;
        if adopt {
            self.activate(&trial.plugin, &trial.sha256)?;
            self.play(&trial.plugin)?;
        }
        Ok(())
    }

    /// Who plays the role for this project: the operator's choice for it or for its user, else the candidate for its share, else whoever
    /// does for all. A digest only where it is not the pinned one.
    pub fn for_project(&self, world: &str, project: &str, wallet: &str) -> Option<(&str, Option<&str>)> {
        let chosen = |who: Who| {
            let fits = |choice: &&super::manifest::Choice| choice.world == world && choice.who == who;
            self.manifest.choices.iter().find(fits).map(|choice| (choice.plugin.as_str(), None))
        };
        chosen(Who::Project(project.to_owned())).or_else(|| chosen(Who::User(wallet.to_owned()))).or_else(|| {
            let trial = self.manifest.trials.get(world).filter(|trial| trial.returned.is_none() && trial.has(project));
            trial
                .map(|trial| (trial.plugin.as_str(), Some(trial.sha256.as_str())))
                .or_else(|| self.for_world(world).map(|entry| (entry.name.as_str(), None)))
        })
    }
}

/// Takes the candidate's share away, if the trial is still the same; says whether it was.
pub fn give_back(directory: &Path, world: &str, trial: &Trial, why: &str) -> Result<bool, PluginError> {
    let _alone = guard(directory)?;
    let mut pins = Pins::read(directory)?;
    match pins.manifest.trials.get_mut(world) {
        Some(known) if known == trial => known.returned = Some(why.to_owned()),
        _ => return Ok(false),
    }
    pins.save()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(good: u64, bad: u64) -> Record {
        Record { good, bad, ..Record::default() }
    }

    #[test]
    fn the_chance_is_that_of_the_exact_test() {
        // 1 / C(10, 5), and the lady who tastes tea: 17 / 70.
        assert!((chance(&record(0, 5), &record(5, 0)) - 1.0 / 252.0).abs() < 1e-9);
        assert!((chance(&record(1, 3), &record(3, 1)) - 17.0 / 70.0).abs() < 1e-9);
        assert!((chance(&record(5, 0), &record(0, 5)) - 1.0).abs() < 1e-9);
        assert!((chance(&record(0, 0), &record(3, 4)) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_candidate_goes_back_where_it_is_clearly_worse_and_only_there() {
        for (candidate, other, goes) in [
            (record(0, 5), record(5, 0), true),
            (record(0, 4), record(50, 0), false),
            (record(4, 1), record(5, 0), false),
            (record(0, 9), record(0, 9), false),
            (record(5, 0), record(0, 5), false),
            (record(20, 20), record(39, 1), true),
        ] {
            assert_eq!(verdict(&candidate, &other).is_some(), goes, "{candidate:?} {other:?}");
        }
    }

    #[test]
    fn a_share_is_that_part_of_the_projects_and_each_stays_where_it_is() {
        let trial = |share| Trial { plugin: "a".into(), sha256: "f00d".into(), share, since_ms: 0, returned: None };
        let of = |share: u8| (0..1_000).filter(|number| trial(share).has(&format!("p{number}"))).collect::<Vec<_>>();
        assert!((440..560).contains(&of(50).len()), "{}", of(50).len());
        assert_eq!((of(0).len(), of(100).len()), (0, 1_000));
        assert!(of(20).iter().all(|number| of(50).contains(number)), "a larger share takes nobody's project away");
    }
}
