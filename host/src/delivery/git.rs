//! Writes the git repository that a user receives: one commit for each accepted task, by library, without running git.

use super::file::File;
use crate::workspace::path::ProjectPath;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use gix_actor::Signature;
use gix_hash::{Kind, ObjectId};
use gix_object::tree::{Entry, EntryKind};
use gix_object::{Commit as CommitObject, Kind as ObjectKind, Tree, WriteTo};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Who commits. The same for every project, so that a history tells nothing about the machine.
const AUTHOR: &str = "Atelier";
const EMAIL: &str = "atelier@localhost";

/// One commit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The first line.
    pub subject: String,
    /// The rest.
    pub body: String,
    /// When, in seconds since 1970.
    pub time_seconds: i64,
    /// All files after it.
    pub files: BTreeMap<ProjectPath, File>,
}

/// Writes a repository with these commits and checks the last of them out. The directory must be empty or not there.
pub fn write_repository(directory: &Path, commits: &[Commit]) -> std::io::Result<()> {
    if directory.exists() && std::fs::read_dir(directory)?.next().is_some() {
        return Err(std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            format!("{} is not empty; choose another folder", directory.display()),
        ));
    }
    let git = directory.join(".git");
    for folder in ["objects", "refs/heads", "refs/tags"] {
        std::fs::create_dir_all(git.join(folder))?;
    }
    std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n")?;
    std::fs::write(
        git.join("config"),
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n",
    )?;
    let mut parent = None;
    for commit in commits {
        parent = Some(write_commit(&git, commit, parent)?);
    }
    if let (Some(head), Some(last)) = (parent, commits.last()) {
        std::fs::write(git.join("refs/heads/main"), format!("{head}\n"))?;
        check_out(directory, &last.files)?;
        std::fs::write(git.join("index"), index_bytes(&last.files)?)?;
    }
    Ok(())
}

fn write_commit(git: &Path, commit: &Commit, parent: Option<ObjectId>) -> std::io::Result<ObjectId> {
    let mut root = Folder::default();
    for (path, file) in &commit.files {
        let blob = write_object(git, ObjectKind::Blob, &file.bytes)?;
        root.insert(path.as_ref(), blob, if file.executable { EntryKind::BlobExecutable } else { EntryKind::Blob });
    }
    let time = gix_object::date::Time { seconds: commit.time_seconds, offset: 0 };
    let signature = Signature { name: AUTHOR.into(), email: EMAIL.into(), time };
    let message = match commit.body.trim() {
        "" => format!("{}\n", commit.subject),
        body => format!("{}\n\n{body}\n", commit.subject),
    };
    let object = CommitObject {
        tree: root.write(git)?,
        parents: parent.into_iter().collect(),
        author: signature.clone(),
        committer: signature,
        encoding: None,
        message: message.into(),
        extra_headers: Vec::new(),
    };
    write_encoded(git, &object)
}

/// A folder while its tree is put together.
#[derive(Default)]
struct Folder {
    folders: BTreeMap<String, Folder>,
    files: BTreeMap<String, (ObjectId, EntryKind)>,
}

impl Folder {
    fn insert(&mut self, path: &str, id: ObjectId, kind: EntryKind) {
        match path.split_once('/') {
            Some((folder, rest)) => self.folders.entry(folder.to_owned()).or_default().insert(rest, id, kind),
            None => {
                self.files.insert(path.to_owned(), (id, kind));
            }
        }
    }

    fn write(&self, git: &Path) -> std::io::Result<ObjectId> {
        let mut entries = Vec::new();
        for (name, folder) in &self.folders {
            entries.push(Entry { mode: EntryKind::Tree.into(), filename: name.as_str().into(), oid: folder.write(git)? });
        }
        for (name, (id, kind)) in &self.files {
            entries.push(Entry { mode: (*kind).into(), filename: name.as_str().into(), oid: *id });
        }
        // Git sorts folders as if their names ended in a slash; the library's order knows that.
        entries.sort();
        write_encoded(git, &Tree { entries })
    }
}

fn write_encoded(git: &Path, object: &impl WriteTo) -> std::io::Result<ObjectId> {
    let mut data = Vec::new();
    object.write_to(&mut data)?;
    write_object(git, object.kind(), &data)
}

/// Writes a loose object, once.
fn write_object(git: &Path, kind: ObjectKind, data: &[u8]) -> std::io::Result<ObjectId> {
    let id = gix_object::compute_hash(Kind::Sha1, kind, data).map_err(std::io::Error::other)?;
    let name = id.to_hex().to_string();
    let folder = git.join("objects").join(&name[..2]);
    let path = folder.join(&name[2..]);
    if !path.exists() {
        std::fs::create_dir_all(&folder)?;
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&gix_object::encode::loose_header(kind, data.len() as u64))?;
        encoder.write_all(data)?;
        std::fs::write(path, encoder.finish()?)?;
    }
    Ok(id)
}

fn check_out(directory: &Path, files: &BTreeMap<ProjectPath, File>) -> std::io::Result<()> {
    for (path, file) in files {
        let target = directory.join(path.as_ref());
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&target, &file.bytes)?;
        #[cfg(unix)]
        if file.executable {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

/// Git's index, version 2. Times and sizes are left at zero: git then compares the content itself, once.
fn index_bytes(files: &BTreeMap<ProjectPath, File>) -> std::io::Result<Vec<u8>> {
    let mut bytes = b"DIRC".to_vec();
    bytes.extend(2_u32.to_be_bytes());
    bytes.extend(u32::try_from(files.len()).map_err(std::io::Error::other)?.to_be_bytes());
    for (path, file) in files {
        let start = bytes.len();
        let mode: u32 = if file.executable { 0o100_755 } else { 0o100_644 };
        for field in [0, 0, 0, 0, 0, 0, mode, 0, 0, 0] {
            bytes.extend(u32::to_be_bytes(field));
        }
        let id = gix_object::compute_hash(Kind::Sha1, ObjectKind::Blob, &file.bytes).map_err(std::io::Error::other)?;
        bytes.extend_from_slice(id.as_slice());
        bytes.extend(u16::try_from(path.as_ref().len()).map_err(std::io::Error::other)?.min(0xFFF).to_be_bytes());
        bytes.extend_from_slice(path.as_ref().as_bytes());
        // One to eight zero bytes, up to a multiple of eight.
        let padding = 8 - (bytes.len() - start) % 8;
        bytes.extend(std::iter::repeat_n(0, padding));
    }
    let mut hasher = gix_hash::hasher(Kind::Sha1);
    hasher.update(&bytes);
    let checksum = hasher.try_finalize().map_err(std::io::Error::other)?;
    bytes.extend_from_slice(checksum.as_slice());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn git(directory: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git").arg("-C").arg(directory).args(arguments).output().expect("git runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn commit(subject: &str, files: &[(&str, &str, bool)]) -> Commit {
        let files = files.iter().map(|(path, text, executable)| {
            (ProjectPath::parse(path).expect("a path"), File { bytes: text.as_bytes().to_vec().into(), executable: *executable })
        });
        Commit { subject: subject.into(), body: "Why.".into(), time_seconds: 1_700_000_000, files: files.collect() }
    }

    #[test]
    fn git_itself_finds_nothing_wrong() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("repository");
        let first = commit("Add a", &[("a.py", "1\n", false), ("a/x", "2\n", false), ("a.b/y", "3\n", false)]);
        let second = commit("Add run", &[("a.py", "1\n", false), ("run.sh", "#!/bin/sh\n", true)]);
        write_repository(&target, &[first, second]).expect("written");
        git(&target, &["fsck", "--strict"]);
        assert_eq!(git(&target, &["status", "--porcelain"]), "");
        assert_eq!(
            git(&target, &["log", "--format=%s|%an <%ae>|%at"]),
            "Add run|Atelier <atelier@localhost>|1700000000\nAdd a|Atelier <atelier@localhost>|1700000000\n"
        );
        assert_eq!(git(&target, &["show", "HEAD~1:a/x"]), "2\n");
        assert!(git(&target, &["ls-files", "-s"]).contains("100755"));
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("mine"), "x").expect("written");
        assert!(write_repository(directory.path(), &[]).is_err());
    }
}
