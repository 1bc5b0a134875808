//! Where the files of an index come from: a project's tree, or a folder. Either lists what is there and what is left out, with the reason.

use super::{IndexError, Result};
use crate::workspace::import::{Why, is_foreign, unwanted};
use crate::workspace::path::ProjectPath;
use crate::workspace::{Files, folder, sha256};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Files of one index.
pub const FILES_MAX: usize = 200_000;
/// One file. What is larger is data or was generated.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A file, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root, `/` between folders.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// When it was changed last, in nanoseconds; none where only its content can tell.
    pub modified_ns: Option<i64>,
    /// SHA-256 of the content, where it is at hand.
    pub digest: Option<String>,
}

/// What is there.
#[derive(Debug, Default)]
pub struct Listing {
    /// Files to read, by path.
    pub files: Vec<Entry>,
    /// What is left out, and why.
    pub left_out: Vec<(String, Why)>,
}

/// A tree of files.
pub trait Source: Sync {
    /// What is there.
    fn list(&self) -> Result<Listing>;
    /// What a file holds.
    fn read(&self, path: &str) -> Content;
}

/// What a file holds.
#[derive(Debug)]
pub enum Content {
    /// This.
    Bytes(Vec<u8>),
    /// Nothing that is read, for this reason.
    LeftOut(Why),
    /// It was there a moment ago.
    Gone,
}

impl Source for Files {
    fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        for (path, file) in self {
            match unwanted(path.as_ref()) {
                Some(why) => listing.left_out.push((path.to_string(), why)),
                None => listing.files.push(Entry {
                    path: path.to_string(),
                    size: file.bytes.len() as u64,
                    modified_ns: None,
                    digest: Some(sha256(&file.bytes)),
                }),
            }
        }
        Ok(listing)
    }

    fn read(&self, path: &str) -> Content {
        ProjectPath::parse(path).ok().and_then(|path| self.get(&path)).map_or(Content::Gone, |file| Content::Bytes(file.bytes.to_vec()))
    }
}

/// A folder of this machine. No link is followed; what git would leave out is left out, and what an `.atelierignore` names.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at this path.
    pub fn open(root: &Path) -> Result<Folder> {
        let root = root.canonicalize().map_err(|error| unreadable(root, &error))?;
        Ok(Folder { root })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Source for Folder {
    fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        let mut wanted = BTreeSet::new();
        // What can't be read is named below; what is gone was never there.
        for entry in folder::with_rules(&self.root).build().flatten() {
            wanted.insert(entry.into_path());
        }
        for entry in folder::without_rules(&self.root).build() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound) => continue,
                Err(error) => {
                    listing.left_out.push((error.to_string(), Why::Unreadable));
                    continue;
                }
            };
            let Ok(below) = entry.path().strip_prefix(&self.root) else { continue };
            if entry.depth() == 0 {
                continue;
            }
            let path = below.to_string_lossy().into_owned();
            let kind = entry.file_type();
            if kind.is_some_and(|kind| kind.is_dir()) {
                if is_foreign(&entry.file_name().to_string_lossy()) {
                    listing.left_out.push((path, Why::Foreign));
                }
                continue;
            }
            let about = if kind.is_some_and(|kind| kind.is_file()) { entry.metadata().ok() } else { None };
            let why = match &about {
                _ if !wanted.contains(entry.path()) => Some(Why::Ignored),
                _ if kind.is_some_and(|kind| kind.is_symlink()) => Some(Why::Link),
                _ if below.to_str().is_none() => Some(Why::Path),
                Some(about) if about.len() > FILE_BYTES_MAX => Some(Why::Large),
                Some(_) => unwanted(&path),
                // A pipe, a device, or gone.
                None => Some(Why::Path),
            };
            match (why, about) {
                (None, Some(about)) => {
                    let modified = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                    let modified_ns = modified.and_then(|time| i64::try_from(time.as_nanos()).ok());
                    listing.files.push(Entry { path, size: about.len(), modified_ns, digest: None });
                }
                (why, _) => listing.left_out.push((path, why.unwrap_or(Why::Path))),
            }
            if listing.files.len() > FILES_MAX {
                return Err(IndexError::TooMany(FILES_MAX));
            }
        }
        listing.files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(listing)
    }

    fn read(&self, path: &str) -> Content {
        let whole = self.root.join(path);
        let mut content = Vec::new();
        // A link may have taken the file's place since it was listed.
        let read = match std::fs::symlink_metadata(&whole) {
            Ok(about) if !about.is_file() => return Content::Gone,
            Ok(_) => std::fs::File::open(&whole).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)),
            Err(error) => Err(error),
        };
        match read {
            Ok(_) if content.len() as u64 > FILE_BYTES_MAX => Content::LeftOut(Why::Large),
            Ok(_) => Content::Bytes(content),
            Err(error) if error.kind() == ErrorKind::NotFound => Content::Gone,
            Err(_) => Content::LeftOut(Why::Unreadable),
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> IndexError {
    IndexError::Unreadable { path: path.display().to_string(), why: error.to_string() }
}
