//! A database that an earlier version wrote is brought up to date with everything in it.

use atelier_host::ledger::NanoUsd;
use atelier_host::store::Store;
use std::process::Command;
use tests::home::assert_audit;
use tests::root;

/// Makes a file as the first version did, with a user, a project, a settled call and a call under way, and notes that its one migration ran.
const FIRST_VERSION: &str = r#"
import hashlib, sqlite3, sys
file, migration = sys.argv[1:]
text = open(migration).read()
base = sqlite3.connect(file)
base.executescript(text)
base.executescript("""
create table _sqlx_migrations (version bigint primary key, description text not null, installed_on timestamp not null default
    current_timestamp, success boolean not null, checksum blob not null, execution_time bigint not null);
insert into boot values ('b', 1);
insert into wallet values ('local', 900, 50, 2);
insert into entry values ('local', 1, 'grant', 'welcome:local', 'house:grants', 'local', 1000, 1);
insert into entry values ('local', 2, 'charge', 'p.1/0/1', 'local', 'house:sales', 100, 2);
insert into project values ('p', 'local', 'i', 't', 'eliciting', '{}', 1, 0, 1, 1);
insert into run (id, project, number, step, attempt, plugin, plugin_sha256, base_tree, outcome, created_ms) values ('p.1', 'p', 1, 's', 1, 'a', '0', '', 'open', 1);
insert into budget values ('project:p', 'project', null, 1000, 100, 50);
insert into budget values ('run:p.1', 'run', 'project:p', 1000, 100, 50);
insert into price values (1, 'm', '{"input":1000,"cached_input":1000,"cache_write":1000,"output":1000}', 'settings', 1);
insert into hold values ('p.1', 0, 1, 'local', 'run:p.1', 'p', 'f', 1, 100, 10, 'settled', 'b', 0, 100, 100,
    '{"input":100,"cached_input":0,"cache_write":0,"output":0,"reasoning":0}', 'provider', 1, 2);
insert into hold values ('p.1', 1, 1, 'local', 'run:p.1', 'p', 'f', 1, 50, 10, 'dispatched', 'b', 0, null, null, null, null, 3, null);
insert into attempt values ('p.1-0-1-1', 'p.1', 0, 1, 1, 'm', 'settled', '', 1);
insert into attempt values ('p.1-1-1-1', 'p.1', 1, 1, 1, 'm', 'dispatched', '', 3);
""")
base.execute("insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (1, 'projects runs ledger', 1, ?, 1)",
             (hashlib.sha384(text.encode()).digest(),))
base.commit()
"#;

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date_with_everything_in_it() {
    let directory = tempfile::tempdir().expect("a folder");
    let migration = root().join("migrations/sqlite/0001_projects_runs_ledger.sql");
    let made = Command::new("python3").args(["-c", FIRST_VERSION]).arg(directory.path().join("atelier.sqlite")).arg(migration).output();
    let made = made.expect("python3 runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let store = Store::open_file(directory.path()).await.expect("it is brought up to date");
    assert_eq!(store.recover("b").await.expect("recovered"), 1, "the call under way belongs to a process that is gone");
    assert_audit(&store, &[]).await;
    assert_eq!(store.balance("local").await.expect("a balance").balance, NanoUsd(900));
    assert_eq!(store.recompute().await.expect("recomputed").1.violations, Vec::<String>::new());
    let receipt = store.receipt("p").await.expect("a receipt");
    assert_eq!((receipt.calls, receipt.lost_calls, receipt.charged), (1, 1, NanoUsd(100)));
    drop(store);
    let store = Store::open_file(directory.path()).await.expect("a second time there is nothing to do");
    assert_audit(&store, &[]).await;
}
