//! `paywright doctor`: checks an installation, one line for each check. It reads, and writes one test row to the database.

mod machine;
mod store;
mod stripe;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use crate::cli::DoctorOptions;
use crate::config::sources;
use crate::say;
use crate::settings::{Checked, Settings};

/// Timeout of each check.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// Nothing is to be done.
    Ok,
    /// Something may be wrong, or could not be checked.
    Warn,
    /// Paywright does not work like this.
    Fail,
}

/// Line of the report. Its message is one that may be shown to everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    message: String,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, message: message.into() }
    }

    fn warn(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Warn, message: message.into() }
    }

    fn fail(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Fail, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            Status::Ok => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "fail",
        };
        // One line, whatever a server or the operating system says.
        let message = self.message.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "{status} {}: {message}", self.check)
    }
}

/// Prints the findings, and returns whether no check failed.
pub(crate) async fn run(options: DoctorOptions) -> bool {
    let mut report = Report { as_json: options.json, is_well: true };
    let Some(settings) = settings(options.settings.config.as_deref(), &mut report) else {
        return false;
    };
    report.add(&machine::token_secret(&settings));
    if let Some(finding) = machine::customer_keys(&settings).await {
        report.add(&finding);
    }
    report.add(&machine::open_files(&settings));
    report.add(&machine::disk(&settings).await);
    let installation = store::check(&settings, &mut report).await;
    stripe::check(&settings, installation, &mut report).await;
    report.is_well
}

/// Prints findings as they come.
struct Report {
    as_json: bool,
    is_well: bool,
}

impl Report {
    fn add(&mut self, finding: &Finding) {
        self.is_well &= finding.status != Status::Fail;
        let line = if self.as_json { serde_json::to_string(finding).ok() } else { None };
        say(&line.unwrap_or_else(|| finding.to_string()));
    }

    /// Reports checks that an earlier failure leaves out.
    fn not_checked(&mut self, checks: &[&'static str]) {
        for check in checks {
            self.add(&Finding::warn(check, "not checked: see above"));
        }
    }
}

/// Checks the settings, and returns those that are right; `None` if the file cannot be read.
fn settings(file: Option<&Path>, report: &mut Report) -> Option<Settings> {
    let checked = Settings::check(file);
    for mistake in &checked.mistakes {
        report.add(&Finding::fail("settings", mistake.to_string()));
    }
    if checked.mistakes.is_empty() {
        report.add(&Finding::ok("settings", format!("all are right: {}", sources(&checked))));
    }
    let Checked { settings, is_unreadable, .. } = checked;
    if is_unreadable {
        report.add(&Finding::fail("settings", "nothing else was checked: mend the file first"));
    }
    (!is_unreadable).then_some(settings)
}

/// Runs a check as a task of its own, without log lines, and waits [`TIMEOUT`] for it at most.
async fn in_time<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, String> {
    match timeout(TIMEOUT, tokio::spawn(work.with_subscriber(NoSubscriber::default()))).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) => Err("the check ended unexpectedly".into()),
        Err(_) => Err(format!("no result within {} seconds", TIMEOUT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_whatever_its_message() {
        let finding = Finding::warn("database", "two\nlines \t of text");
        assert_eq!(finding.to_string(), "warn database: two lines of text");
        let json = serde_json::to_value(&finding).unwrap();
        assert_eq!(json["status"], "warn");
        assert_eq!(serde_json::to_string(&finding).unwrap().lines().count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_ends_within_its_time() {
        let ended = in_time(std::future::pending::<()>()).await;
        assert_eq!(ended, Err("no result within 10 seconds".into()));
    }
}
