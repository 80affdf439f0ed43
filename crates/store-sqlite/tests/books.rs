//! Rows that the file itself protects.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use paywright_app::{AuditTrail, Books};
use paywright_store_sqlite::{Options, SqliteStore};
use paywright_testkit::audit_entry;
use paywright_testkit::books_contract::a_commit_with_all_rows;
use tempfile::TempDir;

#[tokio::test]
async fn the_file_refuses_to_change_or_delete_rows_that_are_append_only() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("orders.db").to_str().unwrap().to_owned();
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    store.commit_books(&a_commit_with_all_rows()).await.unwrap();
    store.add_audit_entry(&audit_entry()).await.unwrap();
    let mut beside = SqliteConnection::establish(&path).unwrap();
    let columns = [
        ("balance_transactions", "amount"),
        ("book_entries", "at"),
        ("closed_days", "closed_at"),
        ("audit_entries", "at"),
    ];
    for (table, column) in columns {
        for sql in [format!("UPDATE {table} SET {column} = {column} + 1"), format!("DELETE FROM {table}")] {
            let refused = beside.batch_execute(&sql).unwrap_err().to_string();
            assert_eq!(refused, format!("{table} is append only"), "{sql}");
        }
    }
    let refused = beside.batch_execute("REPLACE INTO audit_entries SELECT * FROM audit_entries").unwrap_err();
    assert_eq!(refused.to_string(), "audit_entries is append only");
    for table in ["payouts", "book_breaks"] {
        let id = if table == "payouts" { "trace_id" } else { "object" };
        assert_eq!(beside.batch_execute(&format!("UPDATE {table} SET {id} = 'x'")), Ok(()));
    }
}
