//! The suite under `tests/ideas/`: an idea, requirements with hidden checks, a reference solution and a wrong one. This reads it and
//! judges a project by it, with the host's own runners.

use crate::home::read;
use anyhow::{Context, Result, bail};
use atelier_host::checks::Checks;
use atelier_host::project::{Acceptance, Check, CheckStatus, CommandStep, Matching, SourceFile};
use atelier_host::workspace::path::ProjectPath;
use atelier_host::workspace::{File, Files};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One idea.
pub struct Idea {
    /// Such as `01-isbn-check`.
    pub name: String,
    /// What the user says.
    pub text: String,
    /// What must hold.
    pub requirements: Requirements,
    folder: PathBuf,
}

/// `requirements.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Requirements {
    /// A few words.
    pub title: String,
    /// `python`, `javascript` or `html`.
    pub language: String,
    /// `XS`, `S`, `M` or `L`.
    pub size: String,
    /// In order.
    #[serde(rename = "requirement")]
    pub list: Vec<Requirement>,
}

/// One requirement.
#[derive(Clone, Debug, Deserialize)]
pub struct Requirement {
    /// Such as `R1`.
    pub id: String,
    /// What must hold.
    pub text: String,
    /// What must hold first.
    #[serde(default)]
    pub prerequisites: Vec<String>,
    /// How it is found out.
    pub check: HiddenCheck,
}

/// A check that no agent sees.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HiddenCheck {
    unit_test: Option<String>,
    #[serde(default)]
    tests: Vec<String>,
    command: Option<Vec<Step>>,
    file_present: Option<String>,
    parses: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Step {
    arguments: Vec<String>,
    #[serde(default)]
    stdin: String,
    stdout: Option<Stdout>,
    #[serde(default)]
    exit_code: i32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stdout {
    Exact(String),
    Contains(String),
    Pattern(String),
}

/// Which requirements a project meets.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// By their own check.
    pub independent: BTreeSet<String>,
    /// Those whose prerequisites hold too.
    pub with_prerequisites: BTreeSet<String>,
    /// Why the others do not.
    pub reasons: BTreeMap<String, String>,
}

impl Idea {
    /// Every idea of a folder, in order.
    pub fn all(folder: &Path) -> Result<Vec<Idea>> {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
        paths.sort();
        paths.retain(|path| path.join("idea.md").exists());
        paths.iter().map(|path| Idea::read(path)).collect()
    }

    fn read(folder: &Path) -> Result<Idea> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let requirements = toml::from_str(&read(&folder.join("requirements.toml"))).with_context(|| format!("{name}/requirements.toml"))?;
        Ok(Idea { name, text: read(&folder.join("idea.md")), requirements, folder: folder.to_owned() })
    }

    /// The files of `reference` or `wrong`.
    pub fn solution(&self, which: &str) -> Result<Files> {
        let mut files = Files::new();
        collect(&self.folder.join(which), "", &mut files)?;
        Ok(files)
    }

    /// The requirements that the wrong solution fails, as `wrong.md` says.
    pub fn wrong_fails(&self) -> BTreeSet<String> {
        let text = read(&self.folder.join("wrong.md"));
        let named = text.strip_prefix("Fails ").and_then(|rest| rest.split_once(':')).map_or("", |(named, _)| named);
        named.split(',').map(|id| id.trim().to_owned()).collect()
    }

    /// Judges a project.
    pub async fn judge(&self, checks: &Checks, project: &Files) -> Result<Judgement> {
        let mut judgement = Judgement::default();
        for requirement in &self.requirements.list {
            match self.holds(checks, project, &requirement.check).await? {
                Ok(()) => {
                    judgement.independent.insert(requirement.id.clone());
                    if requirement.prerequisites.iter().all(|needed| judgement.with_prerequisites.contains(needed)) {
                        judgement.with_prerequisites.insert(requirement.id.clone());
                    }
                }
                Err(why) => {
                    judgement.reasons.insert(requirement.id.clone(), why);
                }
            }
        }
        Ok(judgement)
    }

    async fn holds(&self, checks: &Checks, project: &Files, hidden: &HiddenCheck) -> Result<Result<(), String>> {
        if let (Some(file), false) = (&hidden.unit_test, hidden.tests.is_empty()) {
            let passed = match checks.tests_passed(project, &self.hidden(file)).await {
                Ok(passed) => passed,
                Err(why) => return Ok(Err(why)),
            };
            let missing: Vec<&String> = hidden.tests.iter().filter(|test| passed.get(*test) != Some(&true)).collect();
            return Ok(if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} do not pass")) });
        }
        let check = match hidden {
            HiddenCheck { unit_test: Some(file), .. } => Check::UnitTest(self.hidden(file)),
            HiddenCheck { command: Some(steps), .. } => Check::Command(steps.iter().cloned().map(Step::into_step).collect()),
            HiddenCheck { file_present: Some(path), .. } => Check::FilePresent(path.clone()),
            HiddenCheck { parses: Some(paths), .. } => Check::Parses(paths.clone()),
            _ => bail!("{}: a requirement without a check", self.name),
        };
        let acceptance = Acceptance { id: "C1".to_owned(), requirement: "R1".to_owned(), check };
        let result = checks.run(project, &[acceptance]).await.remove(0);
        Ok(if result.status == CheckStatus::Passed { Ok(()) } else { Err(result.detail) })
    }

    /// A hidden test file, as it is put into the project.
    fn hidden(&self, file: &str) -> SourceFile {
        let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
        SourceFile { path: format!("tests/{name}"), text: read(&self.folder.join(file)) }
    }
}

impl Step {
    fn into_step(self) -> CommandStep {
        let stdout = match self.stdout {
            None => Matching::Anything,
            Some(Stdout::Exact(text)) => Matching::Exact(text),
            Some(Stdout::Contains(text)) => Matching::Contains(text),
            Some(Stdout::Pattern(text)) => Matching::Pattern(text),
        };
        CommandStep { arguments: self.arguments, stdin: self.stdin, stdout, exit_code: self.exit_code }
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Files) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            if entry.file_name() != "__pycache__" {
                collect(&entry.path(), &format!("{name}/"), files)?;
            }
        } else {
            let bytes = std::fs::read(entry.path())?;
            files.insert(ProjectPath::parse(&name)?, File { bytes: bytes.into(), executable: false });
        }
    }
    Ok(())
}
