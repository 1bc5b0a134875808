//! Which database the stories run on: SQLite, or with `ATELIER_TEST_STORE=postgres` a throw-away PostgreSQL cluster that lives as long
//! as the test program. It listens on a socket in a folder of its own, on no port.

use atelier_host::store::Store;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Engine {
    /// The one that this test program runs on.
    pub fn of_tests() -> Engine {
        match std::env::var("ATELIER_TEST_STORE").as_deref() {
            Ok("postgres") => Engine::Postgres,
            Ok("sqlite" | "") | Err(_) => Engine::Sqlite,
            Ok(other) => panic!("ATELIER_TEST_STORE is `{other}`; it is sqlite or postgres"),
        }
    }
}

/// An empty store in this folder, or in a database of its own.
pub async fn store(directory: &Path) -> Store {
    match Engine::of_tests() {
        Engine::Sqlite => Store::open_file(directory).await.expect("a database"),
        Engine::Postgres => Store::open_server(&database_for(directory)).await.expect("a database"),
    }
}

/// The URL of the database that belongs to this folder, made when it is first asked for.
pub fn database_for(directory: &Path) -> String {
    let note = directory.join("database-url");
    if let Ok(url) = std::fs::read_to_string(&note) {
        return url;
    }
    let url = cluster().create();
    std::fs::write(&note, &url).expect("the folder can be written");
    url
}

/// Runs a statement past every rule of ours, as another program would. `Err` is the database's refusal.
pub fn tamper(directory: &Path, statement: &str) -> Result<(), String> {
    let output = match Engine::of_tests() {
        Engine::Sqlite => {
            let program = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nc.execute(sys.argv[2])\nc.commit()";
            Command::new("python3").args(["-c", program]).arg(directory.join("atelier.sqlite")).arg(statement).output()
        }
        Engine::Postgres => cluster().psql(&database_for(directory), statement).output(),
    };
    let output = output.expect("the program runs");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// What a server's database keeps, as text. A file's is in the data directory, for whoever looks there.
pub fn contents(directory: &Path) -> Vec<u8> {
    match Engine::of_tests() {
        Engine::Sqlite => Vec::new(),
        Engine::Postgres => {
            let dump = cluster().binaries.join("pg_dump");
            let output = Command::new(dump).arg(database_for(directory)).output().expect("pg_dump runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        }
    }
}

/// A running cluster.
pub struct Cluster {
    directory: PathBuf,
    binaries: PathBuf,
    databases: AtomicU32,
    postmaster: u32,
    /// Its end is the cluster's: the script around it waits for its standard input to close.
    _script: Child,
}

/// Starts a server in a new folder and stops it when nobody holds its standard input any more. PostgreSQL refuses to run as root.
const SCRIPT: &str = r#"
set -e
bin=$1; fsync=$2
as=""
if [ "$(id -u)" = 0 ]; then as="runuser -u postgres --"; fi
directory=$($as mktemp -d)
cd "$directory"
$as "$bin/initdb" -D "$directory/data" -U postgres -A trust --no-sync >/dev/null
$as "$bin/postgres" -D "$directory/data" -k "$directory" -c listen_addresses= -c fsync=$fsync -c max_connections=200 \
    -c max_wal_size=4GB -c log_min_messages=fatal </dev/null >/dev/null 2>"$directory/log" &
server=$!
for _ in $(seq 300); do "$bin/pg_isready" -q -h "$directory" -U postgres && break; sleep 0.05; done
echo "$directory $(head -n 1 "$directory/data/postmaster.pid")"
cat >/dev/null || true
kill -INT "$(head -n 1 "$directory/data/postmaster.pid")" 2>/dev/null || true
wait "$server" 2>/dev/null || true
rm -rf "$directory"
"#;

/// The cluster of this test program. It need not survive a crash of the machine, so it does not wait for the disk.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(false))
}

impl Cluster {
    /// Starts one; `durable` waits for the disk as a production server does.
    pub fn start(durable: bool) -> Cluster {
        let binaries = binaries();
        let mut script = Command::new("bash")
            .args(["-c", SCRIPT, "cluster", &binaries.display().to_string(), if durable { "on" } else { "off" }])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash runs");
        let mut line = String::new();
        BufReader::new(script.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let (directory, postmaster) =
            line.trim().split_once(' ').unwrap_or_else(|| panic!("PostgreSQL in {} did not start", binaries.display()));
        let postmaster = postmaster.parse().expect("a process id");
        Cluster { directory: directory.into(), binaries, postmaster, databases: AtomicU32::new(0), _script: script }
    }

    /// A new empty database.
    pub fn create(&self) -> String {
        let name = format!("story_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let made = self.psql(&self.url("postgres"), &format!("create database {name}")).output().expect("psql runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.url(&name)
    }

    /// The server's first process, the parent of all others.
    pub fn postmaster(&self) -> u32 {
        self.postmaster
    }

    /// Ends the server's processes at once, as a crash does, and comes back when it has recovered.
    pub fn crash(&self) {
        // A server process that is killed makes the postmaster end all others and recover.
        let checkpointer = self.ask("select pid from pg_stat_activity where backend_type = 'checkpointer'");
        assert!(Command::new("kill").args(["-9", checkpointer.trim()]).status().expect("kill runs").success());
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(50));
            if self.psql(&self.url("postgres"), "select 1").output().expect("psql runs").status.success() {
                return;
            }
        }
        panic!("the server did not recover");
    }

    /// Ends the session that holds this process's lock, as a firewall does with one that is idle.
    pub fn cut_locks(&self) -> usize {
        let ended = self.ask("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted");
        ended.lines().filter(|line| !line.is_empty()).count()
    }

    /// The connections of programs of ours, by the process that serves each.
    pub fn sessions(&self) -> BTreeSet<String> {
        let sessions = self.ask("select pid from pg_stat_activity where application_name = 'atelier'");
        sessions.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
    }

    fn ask(&self, statement: &str) -> String {
        let output = self.psql(&self.url("postgres"), statement).output().expect("psql runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.directory.display())
    }

    fn psql(&self, url: &str, statement: &str) -> Command {
        let mut command = Command::new(self.binaries.join("psql"));
        command.args([url, "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", statement]);
        command
    }
}

/// Where Debian, or the path, has the server's programs.
fn binaries() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let complete = |folder: &PathBuf| ["initdb", "postgres", "pg_isready", "psql"].iter().all(|name| folder.join(name).exists());
    let found = debian.chain(std::env::split_paths(&path)).find(complete);
    found.expect("PostgreSQL is missing; `make postgres` installs it (Debian's package `postgresql`)")
}
