//! The first day of `docs/operations.md`, by its own commands.

use paywright_testkit::postgres::Database;
use tempfile::TempDir;

use crate::guide::{bash_of_first_day, commands, headings, printed_by};
use crate::program::{Process, address_of, command};

#[tokio::test]
async fn the_commands_of_the_first_day_work_in_their_order() {
    let (folder, database) = (TempDir::new().unwrap(), Database::empty().await);
    let twin = Process::start(command(&["twin", "--port", "0"], folder.path()));
    let blocks: Vec<_> = headings(module_path!()).iter().flat_map(|it| commands(module_path!(), it)).collect();
    assert_eq!(blocks.len(), 11, "a block for each step, and two for the last");
    let bash = bash_of_first_day(&blocks.concat(), folder.path(), &database, &address_of(&twin));
    let (out, err) = printed_by(bash).await;
    assert!(!err.contains(" WARN "), "{err}");
    for said in ["paywright 0.", "The order was paid", "Refund requested successfully", "paywright_store_up 1"] {
        assert!(out.contains(said), "{said}: {out}\n{err}");
    }
    assert!(folder.path().join("backup").metadata().unwrap().len() > 0);
    assert_eq!(twin.terminate(), Some(0));
}
