//! Log lines, and the spans of traces where they are exported. Lines go to standard error, so that a command's output can be piped. A line has the fields of its event
//! and of the spans around it, each name once, so that an order's id always has the same name.

use std::fmt;
use std::io::{IsTerminal, Write};

use paywright_app::TRACES;
use paywright_domain::text::reorders_text;
use paywright_http_api::without_secrets;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::cli::LogFormat;
use crate::traces::Exporter;
use crate::world::now;

/// Levels that are logged if `RUST_LOG` is not set.
const DEFAULT_FILTER: &str = "info,actix_server=warn";
/// Module that reads HTTP. It logs what clients do wrong as errors of its own, which `RUST_LOG` shows if it names the module.
const HTTP: &str = "actix_http";

/// Replacement of a word that must not be in a log.
const MASK: &str = "***";

/// Starts the log, and with `exporter` the export of traces.
pub(crate) fn start(format: LogFormat, exporter: Option<&Exporter>) {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|it| EnvFilter::try_new(it).is_ok());
    let filter = EnvFilter::new(filter_of(wanted.as_deref()));
    let lines = Lines { format, in_color: std::io::stderr().is_terminal() };
    // Each with a filter of its own: what is logged does not depend on what is exported.
    Registry::default().with(lines.with_filter(filter)).with(exporter.map(Exporter::layer)).init();
}

/// Filter of log lines, where `RUST_LOG` is `wanted`.
fn filter_of(wanted: Option<&str>) -> String {
    let wanted = wanted.unwrap_or(DEFAULT_FILTER);
    let http = if wanted.contains(HTTP) { String::new() } else { format!(",{HTTP}=off") };
    format!("{wanted}{http},{TRACES}=off")
}

/// Writes each event as one line.
struct Lines {
    format: LogFormat,
    in_color: bool,
}

/// Fields by name, in the order in which they were first recorded; a later value replaces an earlier one.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((field.name(), value)),
        }
    }

    /// Adds the fields of an outer span whose names are not present yet.
    fn inherit(&mut self, outer: &Self) {
        for (name, value) in &outer.0 {
            if !self.0.iter().any(|(taken, _)| taken == name) {
                self.0.push((name, value.clone()));
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, masked(&format!("{value:?}")).into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, masked(value).into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// Masks secrets in a text: keys, tokens and client secrets, and words that contain an `@`, which are email addresses
/// (Stripe repeats one that it refuses) or URLs with a password. A last protection: no caller should log any of them.
pub(crate) fn masked(text: &str) -> String {
    let text = without_secrets(text);
    if !text.contains('@') {
        return text.into_owned();
    }
    let ends_word = |it: char| it.is_whitespace() || "\"'(),;".contains(it);
    let words = text.split_inclusive(ends_word).map(|with_end| {
        let word = with_end.trim_end_matches(ends_word);
        let end = with_end.strip_prefix(word).unwrap_or_default();
        if word.contains('@') { format!("{MASK}{end}") } else { with_end.to_owned() }
    });
    words.collect()
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.inherit(outer);
            }
        }
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let mut line = match self.format {
            LogFormat::Text => text(*level, target, fields, self.in_color),
            LogFormat::Json => json(*level, target, fields),
        };
        line.push('\n');
        // If standard error is closed, the line is lost and nothing else happens.
        drop(std::io::stderr().write_all(line.as_bytes()));
    }
}

/// Name of the field that has the message of an event.
const MESSAGE: &str = "message";

fn text(level: Level, target: &str, fields: Fields, in_color: bool) -> String {
    let (color, plain) = match level {
        _ if !in_color => ("", ""),
        Level::ERROR => ("\x1b[31m", "\x1b[0m"),
        Level::WARN => ("\x1b[33m", "\x1b[0m"),
        _ => ("\x1b[32m", "\x1b[0m"),
    };
    let mut line = String::new();
    let (message, others): (Vec<_>, Vec<_>) = fields.0.into_iter().partition(|(name, _)| *name == MESSAGE);
    for (_, message) in message {
        line.extend([" ", message.as_str().unwrap_or_default()]);
    }
    for (name, value) in others {
        let is_plain =
            |it: &&str| !it.is_empty() && it.chars().all(|it| it.is_ascii_graphic() && it != '"' && it != '=');
        let value = value.as_str().filter(is_plain).map_or_else(|| value.to_string(), str::to_owned);
        line.extend([" ", name, "=", &value]);
    }
    if is_detail(level) {
        line.extend([" target=", target]);
    }
    format!("{} {color}{level:>5}{plain}{}", now(), escaped(&line))
}

/// Escapes what would end the line, change the terminal or reorder the text around it.
fn escaped(text: &str) -> String {
    let must_be_escaped = |it: char| it.is_control() || reorders_text(it) || matches!(it, '\u{2028}' | '\u{2029}');
    let mut line = String::with_capacity(text.len());
    for it in text.chars() {
        if must_be_escaped(it) { line.extend(it.escape_default()) } else { line.push(it) }
    }
    line
}

/// Whether lines of a level name their module.
fn is_detail(level: Level) -> bool {
    level >= Level::DEBUG
}

fn json(level: Level, target: &str, fields: Fields) -> String {
    let mut line = Map::new();
    line.insert("timestamp".into(), now().to_string().into());
    line.insert("level".into(), level.as_str().into());
    if is_detail(level) {
        line.insert("target".into(), target.into());
    }
    line.extend(fields.0.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Value::Object(line).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses_and_secrets_are_masked_in_any_text() {
        for (text, expected) in [
            ("Invalid email address: zoë@example.com", "Invalid email address: ***"),
            ("it was \"a@b.co\", and is not", "it was \"***\", and is not"),
            ("no such intent: pi_1_secret_2", "no such intent: pi_1***"),
            ("the header was pwk_00ff", "the header was ***"),
            ("pwc_1_x of ada@example.com", "*** of ***"),
            ("cannot connect to postgres://user:pass@host/db", "cannot connect to ***"),
            ("a plain sentence", "a plain sentence"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn a_line_of_text_cannot_be_broken_or_reordered_by_a_value() {
        let value = "a\nb\u{1b}[31m\u{7f}\u{9b}\u{202e}c\u{2066}\u{2028}é";
        let fields = Fields(vec![(MESSAGE, value.into()), ("key_name", value.into())]);
        let line = text(Level::INFO, "x", fields, false);
        assert!(
            line.contains(" a\\nb\\u{1b}[31m\\u{7f}\\u{9b}\\u{202e}c\\u{2066}\\u{2028}é key_name=\"a\\nb"),
            "{line}"
        );
        assert!(!line.contains(|it: char| it.is_control() || reorders_text(it)), "{line}");
    }

    #[test]
    fn errors_of_clients_are_logged_only_where_their_module_is_named() {
        for (wanted, filter) in [
            (None, "info,actix_server=warn,actix_http=off,paywright_traces=off"),
            (Some("debug"), "debug,actix_http=off,paywright_traces=off"),
            (Some("info,actix_http=trace"), "info,actix_http=trace,paywright_traces=off"),
        ] {
            assert_eq!(filter_of(wanted), filter);
        }
    }
}
