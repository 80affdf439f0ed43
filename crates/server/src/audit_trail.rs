//! `paywright audit-trail`: prints who has done what.

use paywright_app::{Actor, AuditEntry, AuditQuery, audit_subject};

use crate::cli::AuditTrailOptions;
use crate::database::Schema;
use crate::keys::key_id;
use crate::settings::Settings;
use crate::{Failure, say};

/// Number of entries that are read at once.
const PAGE: u16 = 500;

pub(crate) async fn run(options: AuditTrailOptions) -> Result<(), Failure> {
    let AuditTrailOptions { settings, subject, key, since, limit } = options;
    let key = key.as_deref().map(key_id).transpose()?;
    let store = Settings::read(settings.config.as_deref())?.database()?.open(1, Schema::Check).await?.orders;
    let subject = match subject {
        Some(text) => Some(audit_subject(&*store, &text).await?),
        None => None,
    };
    let mut query = AuditQuery { older_than: None, subject, key, limit: 0 };
    let (mut left, mut printed) = (limit, 0);
    while left > 0 {
        query.limit = PAGE.min(u16::try_from(left).unwrap_or(PAGE));
        let page = store.audit_entries(&query).await?;
        let wanted = page.iter().filter(|it| since.is_none_or(|since| it.at >= since));
        printed += wanted.map(|it| say(&line(it))).count();
        query.older_than = page.last().map(|it| it.id);
        // Entries of one moment are in any order.
        let is_past = |it: &AuditEntry| since.is_some_and(|since| it.at < since.minus_seconds(1));
        if page.len() < usize::from(query.limit) || page.last().is_some_and(is_past) {
            if printed == 0 {
                say("There is no such entry in the audit trail.");
            }
            return Ok(());
        }
        left -= u32::from(query.limit);
    }
    say(&format!("These are the newest {limit} entries: there may be older ones (--limit)."));
    Ok(())
}

/// Line about an entry: when, what, to what, by whom, from where.
fn line(entry: &AuditEntry) -> String {
    let AuditEntry { at, act, subject, actor, address, request, .. } = entry;
    let actor = match actor {
        None => "unknown".to_owned(),
        // A name could look like another part of the line.
        Some(Actor::ApiKey { key, key_name }) => format!("API key {key_name:?} ({key})"),
        Some(other) => other.to_string(),
    };
    let from = address.map(|it| format!(" from {it}")).unwrap_or_default();
    let request = request.as_ref().map(|it| format!("  request {it}")).unwrap_or_default();
    format!("{at}  {}  {subject}  {act}  by {actor}{from}{request}", act.name())
}
