//! A project that exists already, out of a zip that nobody has to trust, or out of a [`folder`](super::folder): bounded in every way, paths
//! checked like all others, and what is no part of the project, or would not be safe to hand to a model, left out and named.

use super::overlay::{self, PROJECT_BYTES_MAX, PROJECT_FILES_MAX};
use super::path::ProjectPath;
use super::{File, Files};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// Entries of the zip or folder, folders and what is left out among them.
pub(super) const ENTRIES_MAX: u64 = 20_000;
/// Files that are taken, and their bytes: less than a project may have, so that there is room for what is to be done.
const FILES_MAX: usize = PROJECT_FILES_MAX / 4 * 3;
const TAKEN_BYTES_MAX: u64 = PROJECT_BYTES_MAX as u64 / 4 * 3;
/// One file. What is larger is data or was generated.
const FILE_BYTES_MAX: u64 = overlay::FILE_BYTES_MAX as u64;
/// All that is unpacked, with what turns out to be larger than it says.
const UNPACKED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A path that is named for having been left out is cut after so many letters.
const NAMED_CHARS_MAX: usize = 80;

/// What other tools make from the project, or keep beside it.
const FOREIGN_FOLDERS: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    "__macosx",
    "node_modules",
    "target",
    "dist",
    "build",
    ".venv",
    "venv",
    "__pycache__",
    ".tox",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".gradle",
    ".idea",
    ".vscode",
    ".next",
    ".cache",
    ".atelier",
];
const FOREIGN_FILES: &[&str] = &[".ds_store", "thumbs.db", "desktop.ini"];
/// Files of these names, or with these endings, hold keys and passwords as a rule.
const SECRET_NAMES: &[&str] = &[
    ".env",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".htpasswd",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "credentials",
    "credentials.json",
    "secrets.json",
    "secrets.yaml",
    "secrets.yml",
    "secrets.toml",
];
const SECRET_ENDINGS: &[&str] = &[".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx"];
/// How keys of well-known issuers begin, and how many letters follow at least.
const SECRET_TOKENS: &[(&str, usize)] =
    &[("AKIA", 16), ("ghp_", 36), ("github_pat_", 60), ("glpat-", 20), ("xoxb-", 10), ("sk-ant-", 20), ("sk_live_", 20)];
/// A file like these with one of these endings is an example of it.
const EXAMPLE_ENDINGS: &[&str] = &[".example", ".sample", ".template", ".dist"];
/// What a zip of ours has beside the project.
const OWN_REPORTS: &[&str] = &["REPORT.md", "report.json"];
/// The bits of a Unix mode that say what kind of file it is, and the value for a link.
const KIND_BITS: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// A project as it was handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Its files.
    pub files: Files,
    /// What was left out, by path.
    pub left_out: BTreeMap<String, Why>,
}

/// Why a file was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A tool made it, or keeps it beside the project.
    Foreign,
    /// It holds keys or passwords as a rule.
    Secret,
    /// It is larger than a file of source code.
    Large,
    /// Its path is none of a project's, or it differs from another one in case only.
    Path,
    /// It is a link.
    Link,
    /// The project's own ignore rules leave it out.
    Ignored,
    /// It may not be read.
    Unreadable,
    /// It is no text.
    Binary,
    /// A program wrote it for a program.
    Minified,
}

impl Why {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Foreign => "made by tools",
            Why::Secret => "may hold secrets",
            Why::Large => "larger than 1 MiB",
            Why::Path => "path can't be used",
            Why::Link => "a link",
            Why::Ignored => "left out by an ignore file",
            Why::Unreadable => "may not be read",
            Why::Binary => "not a text",
            Why::Minified => "minified",
        }
    }
}

/// Why there is no project in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is no zip, or a part of it can't be read.
    #[error("it is no zip that can be read ({0}); pack the project's folder again")]
    Unreadable(String),
    /// A file or folder that can't be read.
    #[error("it can't be read whole ({0}); let yourself read it, or leave it out with a line of .atelierignore")]
    Forbidden(String),
    /// It takes a password.
    #[error("it is encrypted; pack the project's folder without a password")]
    Encrypted,
    /// It holds more than a project's source code.
    #[error("it holds {0}; pack only the project's own source files")]
    TooMuch(String),
    /// Nothing is left of it.
    #[error("it holds no file of a project; pack the folder with its source files")]
    Empty,
}

impl Imported {
    /// How many were left out, and why.
    pub fn left_out_counts(&self) -> BTreeMap<Why, usize> {
        let mut counts: BTreeMap<Why, usize> = BTreeMap::new();
        for why in self.left_out.values() {
            *counts.entry(*why).or_default() += 1;
        }
        counts
    }
}

/// What was taken so far, within the bounds.
#[derive(Default)]
pub(super) struct Taking {
    imported: Imported,
    looked_at: u64,
    taken: u64,
}

impl Taking {
    /// Leaves this out.
    pub(super) fn leave(&mut self, name: &str, why: Why) {
        self.imported.left_out.insert(name.chars().take(NAMED_CHARS_MAX).collect(), why);
    }

    /// Whether something of this name is looked at, and under which path.
    pub(super) fn wants(&mut self, name: &str) -> Option<ProjectPath> {
        let why = match (unwanted(name), ProjectPath::parse(name)) {
            (Some(why), _) => why,
            (None, Err(_)) => Why::Path,
            (None, Ok(path)) => return Some(path),
        };
        self.leave(name, why);
        None
    }

    /// Takes a file, or leaves it out; `content` is none where it is larger than a file may be.
    pub(super) fn take(&mut self, name: &str, path: ProjectPath, content: Option<Vec<u8>>, executable: bool) -> Result<(), ImportError> {
        self.looked_at += content.as_ref().map_or(FILE_BYTES_MAX, |content| content.len() as u64);
        if self.looked_at > UNPACKED_BYTES_MAX {
            return Err(ImportError::TooMuch(format!("more than {} MiB", UNPACKED_BYTES_MAX / 1024 / 1024)));
        }
        let Some(content) = content else {
            self.leave(name, Why::Large);
            return Ok(());
        };
        self.taken += content.len() as u64;
        if self.imported.files.contains_key(&path) {
            self.leave(name, Why::Path);
            return Ok(());
        }
        self.imported.files.insert(path, File { bytes: content.into(), executable });
        if self.imported.files.len() > FILES_MAX || self.taken > TAKEN_BYTES_MAX {
            let most = format!("more than {FILES_MAX} source files or {} MiB of them", TAKEN_BYTES_MAX / 1024 / 1024);
            return Err(ImportError::TooMuch(most));
        }
        Ok(())
    }

    /// All of it.
    pub(super) fn end(mut self) -> Result<Imported, ImportError> {
        leave_twins(&mut self.imported);
        if self.imported.files.is_empty() { Err(ImportError::Empty) } else { Ok(self.imported) }
    }
}

/// Takes the project out of a zip's bytes.
pub fn unpack(bytes: &[u8]) -> Result<Imported, ImportError> {
    match entries_said(bytes) {
        None => return Err(ImportError::Unreadable("its end is missing".to_owned())),
        Some(count) if count > ENTRIES_MAX => return Err(ImportError::TooMuch(format!("more than {ENTRIES_MAX} entries"))),
        Some(_) => {}
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    let mut names = Vec::new();
    for at in 0..archive.len() {
        // What is encrypted still has a name.
        let entry = archive.by_index_raw(at).map_err(unreadable)?;
        if !entry.is_dir() {
            let name = entry.name().map_or_else(|_| String::from_utf8_lossy(entry.name_raw()).into_owned(), |name| name.into_owned());
            names.push((at, name.replace('\\', "/")));
        }
    }
    let folder = outer_folder(names.iter().map(|(_, name)| name.as_str()));
    let mut taking = Taking::default();
    for (at, name) in names {
        let Some(inner) = name.strip_prefix(folder.as_str()) else { continue };
        let Some(path) = taking.wants(inner) else { continue };
        let entry = archive.by_index(at).map_err(unreadable)?;
        let mode = entry.unix_mode().unwrap_or_default();
        if mode & KIND_BITS == LINK {
            taking.leave(inner, Why::Link);
            continue;
        }
        let content = read(entry.size(), entry).map_err(|error| ImportError::Unreadable(format!("`{path}`: {error}")))?;
        taking.take(inner, path, content, mode & 0o111 != 0)?;
    }
    taking.end()
}

/// How many entries a zip says that it has, before anything is made of them. One that needs the larger form has too many.
fn entries_said(bytes: &[u8]) -> Option<u64> {
    const END: &[u8] = b"PK\x05\x06";
    const END_BYTES: usize = 22;
    let first = bytes.len().saturating_sub(END_BYTES + usize::from(u16::MAX));
    let at = first + bytes[first..].windows(END.len()).rposition(|window| window == END)?;
    let count: [u8; 2] = bytes.get(at + 10..at + 12)?.try_into().ok()?;
    Some(u64::from(u16::from_le_bytes(count)))
}

/// The folder that everything is in, with its slash, as most zips have it. Reports of ours beside it are none of the project's.
fn outer_folder<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let own: Vec<&str> = names.filter(|name| !name.to_lowercase().starts_with("__macosx/")).collect();
    let is_report = |name: &&&str| OWN_REPORTS.contains(*name);
    let has_reports = own.iter().filter(is_report).count() == OWN_REPORTS.len();
    let mut own = own.into_iter().filter(|name| !has_reports || !OWN_REPORTS.contains(name));
    let Some(folder) = own.next().and_then(|name| name.split_once('/')).map(|(folder, _)| format!("{folder}/")) else {
        return String::new();
    };
    if own.all(|name| name.starts_with(&folder)) { folder } else { String::new() }
}

/// Whether a folder of this name is no part of a project.
pub(crate) fn is_foreign(folder: &str) -> bool {
    FOREIGN_FOLDERS.contains(&folder.to_lowercase().as_str())
}

/// Why something at this path is not looked at.
pub(crate) fn unwanted(path: &str) -> Option<Why> {
    let lower = path.to_lowercase();
    let (folders, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    if folders.split('/').any(|folder| FOREIGN_FOLDERS.contains(&folder)) || FOREIGN_FILES.contains(&name) {
        return Some(Why::Foreign);
    }
    let is_example = EXAMPLE_ENDINGS.iter().any(|ending| name.ends_with(ending));
    let is_secret = SECRET_NAMES.contains(&name) || name.starts_with(".env.") || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending));
    (is_secret && !is_example).then_some(Why::Secret)
}

/// Whether a text has a key in it that nobody should see, by the shapes that issuers gave theirs so that they are found.
pub(crate) fn holds_secret(text: &str) -> bool {
    let has_token = |prefix: &str, letters: usize| {
        text.match_indices(prefix).any(|(at, _)| {
            let rest = &text[at + prefix.len()..];
            let found = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            found >= letters && !text[..at].ends_with(|before: char| before.is_alphanumeric())
        })
    };
    let is_key = text.lines().any(|line| line.starts_with("-----BEGIN ") && line.ends_with("PRIVATE KEY-----"));
    is_key || SECRET_TOKENS.iter().any(|(prefix, letters)| has_token(prefix, *letters))
}

/// The content, unless it is more than a file may have, whatever is said of its size.
pub(super) fn read(size: u64, from: impl Read) -> std::io::Result<Option<Vec<u8>>> {
    if size > FILE_BYTES_MAX {
        return Ok(None);
    }
    let mut content = Vec::new();
    from.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= FILE_BYTES_MAX).then_some(content))
}

/// Two files that could not stand beside each other everywhere: the first in their order stays.
fn leave_twins(imported: &mut Imported) {
    let mut folded: BTreeMap<String, ProjectPath> = BTreeMap::new();
    let mut twins = Vec::new();
    for path in imported.files.keys() {
        let lower = path.as_ref().to_lowercase();
        // A file where this one needs a folder.
        let is_inside = lower.match_indices('/').any(|(end, _)| folded.contains_key(&lower[..end]));
        let holds = folded.range(format!("{lower}/")..).next().is_some_and(|(other, _)| other.starts_with(&format!("{lower}/")));
        if is_inside || holds || folded.contains_key(&lower) {
            twins.push(path.clone());
        } else {
            folded.insert(lower, path.clone());
        }
    }
    for path in twins {
        imported.files.remove(&path);
        imported.left_out.insert(path.to_string(), Why::Path);
    }
}

fn unreadable(error: ZipError) -> ImportError {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => ImportError::Encrypted,
        error => ImportError::Unreadable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(0o644)).expect("an entry");
            zip.write_all(content).expect("written");
        }
        zip.finish().expect("a zip").into_inner()
    }

    fn paths(imported: &Imported) -> Vec<&str> {
        imported.files.keys().map(AsRef::as_ref).collect()
    }

    #[test]
    fn a_folder_around_everything_is_no_part_of_the_project() {
        let imported = unpack(&packed(&[("app/src/a.py", b"1"), ("app/README.md", b"2"), ("__MACOSX/app/._a", b"x")])).expect("a project");
        assert_eq!(paths(&imported), ["README.md", "src/a.py"]);
        let imported = unpack(&packed(&[("src/a.py", b"1"), ("README.md", b"2")])).expect("a project");
        assert_eq!(paths(&imported), ["README.md", "src/a.py"]);
    }

    #[test]
    fn a_delivery_of_ours_can_be_handed_over_again() {
        let imported = unpack(&packed(&[("REPORT.md", b"r"), ("report.json", b"{}"), ("thing/REPORT.md", b"mine"), ("thing/a.py", b"1")]));
        assert_eq!(paths(&imported.expect("a project")), ["REPORT.md", "a.py"]);
    }

    #[test]
    fn what_tools_made_and_what_holds_secrets_stays_out_and_is_named() {
        let entries: &[(&str, &[u8])] = &[
            ("a.py", b"1"),
            (".git/config", b"x"),
            ("web/node_modules/x/index.js", b"x"),
            (".env", b"KEY=1"),
            ("deploy/server.PEM", b"x"),
            (".env.example", b"KEY="),
            (".gitignore", b"x"),
        ];
        let imported = unpack(&packed(entries)).expect("a project");
        assert_eq!(paths(&imported), [".env.example", ".gitignore", "a.py"]);
        assert_eq!(imported.left_out.get("deploy/server.PEM"), Some(&Why::Secret));
        assert_eq!(imported.left_out_counts(), BTreeMap::from([(Why::Foreign, 2), (Why::Secret, 2)]));
    }

    #[test]
    fn nothing_leaves_the_project_and_no_two_names_are_one() {
        let entries: &[(&str, &[u8])] = &[
            ("a.py", b"1"),
            ("A.py", b"2"),
            ("../evil", b"x"),
            ("/etc/passwd", b"x"),
            ("x\\..\\..\\evil", b"x"),
            ("C:/evil", b"x"),
            ("con.txt", b"x"),
            ("a.py/b", b"x"),
        ];
        let imported = unpack(&packed(entries)).expect("a project");
        assert_eq!(paths(&imported), ["A.py"]);
        assert!(imported.left_out.values().all(|why| *why == Why::Path) && imported.left_out.len() == 7, "{:?}", imported.left_out);
    }

    #[test]
    fn a_link_is_not_followed_and_a_program_stays_one() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).expect("a link");
        zip.start_file("run.sh", SimpleFileOptions::default().unix_permissions(0o755)).expect("an entry");
        let imported = unpack(&zip.finish().expect("a zip").into_inner()).expect("a project");
        assert_eq!(imported.left_out.get("link"), Some(&Why::Link));
        assert!(imported.files.values().all(|file| file.executable) && paths(&imported) == ["run.sh"]);
    }

    #[test]
    fn a_bomb_costs_what_is_bounded() {
        let zeros = vec![0; 2 * 1024 * 1024];
        let imported = unpack(&packed(&[("a.py", b"1"), ("bomb", &zeros)])).expect("a project");
        assert_eq!((paths(&imported), imported.left_out.get("bomb")), (vec!["a.py"], Some(&Why::Large)));
        // One that says that it is small.
        let mut lying = packed(&[("a.py", b"1"), ("bomb", &zeros)]);
        let size = u32::try_from(zeros.len()).expect("small").to_le_bytes();
        let places: Vec<usize> = lying.windows(4).enumerate().filter(|(_, window)| *window == size).map(|(at, _)| at).collect();
        for at in places {
            lying[at..at + 4].copy_from_slice(&10_u32.to_le_bytes());
        }
        assert!(unpack(&lying).map_or(true, |imported| paths(&imported) == ["a.py"]));
        // Many small ones.
        let block = vec![0; 1024 * 1024];
        let names: Vec<String> = (0..40).map(|number| format!("f{number}")).collect();
        let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), block.as_slice())).collect();
        assert!(matches!(unpack(&packed(&many)), Err(ImportError::TooMuch(_))));
        let names: Vec<String> = (0..1_501).map(|number| format!("f{number}")).collect();
        let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"1".as_slice())).collect();
        assert!(matches!(unpack(&packed(&many)), Err(ImportError::TooMuch(_))));
    }

    #[test]
    fn what_is_no_zip_says_so() {
        let good = packed(&[("a.py", b"some text of some length")]);
        for bytes in [b"".as_slice(), b"PK", b"no zip at all", &good[..good.len() - 4], &good[..good.len() / 2]] {
            assert!(matches!(unpack(bytes), Err(ImportError::Unreadable(_))), "{bytes:?}");
        }
        assert_eq!(unpack(&packed(&[])), Err(ImportError::Empty));
        assert_eq!(unpack(&packed(&[(".env", b"x")])), Err(ImportError::Empty));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_do_harm(at in 0_usize..400, byte: u8) {
            let mut bytes = packed(&[("app/a.py", b"print()"), ("app/b/c.py", b"1\n2\n3\n")]);
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(imported) = unpack(&bytes) {
                proptest::prop_assert!(imported.files.len() <= 2);
            }
        }
    }
}
