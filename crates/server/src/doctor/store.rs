//! Checks of the database: whether it can be written, its schema, and tasks that are late.

use paywright_domain::Timestamp;
use paywright_domain::id::InstallationId;
use tracing::subscriber::{NoSubscriber, with_default};

use super::{Finding, Report, in_time};
use crate::Failure;
use crate::database::{Database, Schema, Stores, is_of_the_schema};
use crate::settings::Settings;
use crate::world::now;

/// Lateness of a task in seconds from which something is wrong: a task of a process that has died is performed by
/// another after three minutes.
const LATE_SECONDS: i64 = 10 * 60;

/// Checks the database, and returns the id of the installation that it has.
pub(super) async fn check(settings: &Settings, report: &mut Report) -> Option<InstallationId> {
    let opened = match with_default(NoSubscriber::default(), || settings.database()) {
        Ok(database) => in_time(open(database)).await.map_err(Failure::from).and_then(|it| it),
        Err(problem) => Err(problem),
    };
    match opened {
        Ok(stores) => {
            report.add(&write(stores.clone()).await);
            report.add(&Finding::ok("schema", "it is that of this version"));
            let installation = stores.installation;
            report.add(&tasks(stores).await);
            Some(installation)
        }
        Err(problem) if is_of_the_schema(&problem) => {
            report.add(&Finding::ok("database", "it answers; it is not written to, because its schema is another one"));
            report.add(&Finding::fail("schema", problem.to_string()));
            report.not_checked(&["tasks"]);
            None
        }
        Err(problem) => {
            report.add(&Finding::fail("database", problem.to_string()));
            report.not_checked(&["schema", "tasks"]);
            None
        }
    }
}

async fn open(database: Database) -> Result<Stores, Failure> {
    database.open(1, Schema::Check).await
}

/// Writes a test row, and reads the version.
async fn write(stores: Stores) -> Finding {
    let written = in_time(async move {
        stores.orders.probe().await?;
        stores.monitoring.version().await
    });
    match written.await {
        Ok(Ok(version)) => Finding::ok("database", format!("{version} answers, and a test row was written")),
        Ok(Err(problem)) => Finding::fail("database", format!("a test row cannot be written: {problem}")),
        Err(problem) => Finding::fail("database", format!("a test row cannot be written: {problem}")),
    }
}

/// Compares the task that is due first with the time.
async fn tasks(stores: Stores) -> Finding {
    let now = now();
    match in_time(async move { stores.monitoring.backlog(now).await }).await {
        Ok(Ok(backlog)) => judged(backlog.due_tasks.values().filter_map(|it| it.oldest).min(), now),
        Ok(Err(problem)) => Finding::fail("tasks", problem.to_string()),
        Err(problem) => Finding::fail("tasks", problem),
    }
}

fn judged(due: Option<Timestamp>, now: Timestamp) -> Finding {
    let late = due.map_or(0, |it| now.unix_seconds().saturating_sub(it.unix_seconds()));
    if late < LATE_SECONDS {
        return Finding::ok("tasks", "none is late");
    }
    let minutes = late / 60;
    Finding::warn(
        "tasks",
        format!(
            "a task has been due for {minutes} minutes: check that `paywright serve` runs, and read its log for errors of the worker"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn a_task_is_late_ten_minutes_after_its_time() {
        let at = |seconds: i64| Timestamp::from_unix_seconds(seconds).unwrap();
        for (due, expected) in [
            (None, Status::Ok),
            (Some(at(5_000)), Status::Ok),
            (Some(at(1_000)), Status::Ok),
            (Some(at(401)), Status::Ok),
            (Some(at(400)), Status::Warn),
        ] {
            assert_eq!(judged(due, at(1_000)).status, expected, "{due:?}");
        }
        assert!(judged(Some(at(0)), at(3_600)).message.contains("60 minutes"));
    }
}
