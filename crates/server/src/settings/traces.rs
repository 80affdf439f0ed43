//! Settings of the traces.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use tracing::subscriber::{NoSubscriber, with_default};
use url::Url;

use crate::Failure;
use crate::settings::secrets::secret;
use crate::settings::values::parsed;
use crate::settings::{Settings, source};

/// Traces by OpenTelemetry.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TracesSection {
    /// URL of a collector, to which traces are sent by OTLP over HTTP; none if empty.
    #[serde(deserialize_with = "parsed")]
    endpoint: CollectorUrl,
    /// Part of the traces that is exported.
    sample_ratio: SampleRatio,
    /// Headers of the requests to the collector, a line for each: `name: value`.
    headers: Option<SecretString>,
    headers_file: Option<PathBuf>,
}

/// Export of traces, as the settings want it.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "traces"), expect(dead_code, reason = "nothing is exported without the feature"))]
pub(crate) struct TraceExport {
    pub(crate) endpoint: Url,
    pub(crate) sample_ratio: SampleRatio,
    /// Headers of the requests, each of which is a secret.
    pub(crate) headers: HeaderMap,
}

impl Settings {
    /// Export of traces, for a log that begins before the settings are read: spans are exported from its beginning on. Wrong
    /// settings export nothing, and are told when they are read again.
    pub(crate) fn trace_export_of(named: Option<&Path>) -> Option<TraceExport> {
        with_default(NoSubscriber::default(), || {
            let found = source::read(named, std::env::vars_os());
            Self::parse(found.table).and_then(|it| it.trace_export()).ok().flatten()
        })
    }

    /// Export of traces; `None` if no collector is set. A program without the feature `traces` refuses one.
    pub(crate) fn trace_export(&self) -> Result<Option<TraceExport>, Failure> {
        let TracesSection { endpoint, sample_ratio, headers, headers_file } = &self.traces;
        let found = secret("traces.headers", headers.as_ref(), headers_file.as_deref())?;
        let headers = match &found {
            Some(found) => {
                parse_headers(found.text.expose_secret()).map_err(|problem| format!("{} {problem}", found.setting))?
            }
            None => HeaderMap::new(),
        };
        let Some(endpoint) = endpoint.0.clone() else { return Ok(None) };
        check_feature(cfg!(feature = "traces"))?;
        Ok(Some(TraceExport { endpoint, sample_ratio: *sample_ratio, headers }))
    }
}

/// Refuses a collector where the program has no exporter.
fn check_feature(is_built_in: bool) -> Result<(), Failure> {
    if is_built_in {
        return Ok(());
    }
    Err("traces.endpoint is set, but this program was built without traces: build it with `--features traces`, or remove the \
         setting"
        .into())
}

/// Largest number of headers.
const HEADERS_MAX: usize = 16;

/// Headers of a text that has a line for each. Errors do not repeat the text, which is a secret.
fn parse_headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
    for (n, line) in (1..).zip(lines) {
        if n > HEADERS_MAX {
            return Err(format!("must have at most {HEADERS_MAX} headers"));
        }
        let wrong = || format!("must have headers like `name: value`, a line for each: number {n} is not one");
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        let mut value: HeaderValue = value.trim().parse().map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// URL of a collector, or none for an empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct CollectorUrl(Option<Url>);

impl FromStr for CollectorUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let is_plain = |it: &Url| {
            matches!(it.scheme(), "http" | "https")
                && it.has_host()
                && it.username().is_empty()
                && it.password().is_none()
                && it.fragment().is_none()
        };
        let url = Url::parse(text).ok().filter(is_plain);
        let url = url.ok_or(
            "must be an http:// or https:// address without user and fragment, like http://127.0.0.1:4318/v1/traces",
        )?;
        // A collector answers 404 there, and every span would be lost.
        if url.path() == "/" {
            return Err(
                "must have the path of the collector's traces, as /v1/traces in http://127.0.0.1:4318/v1/traces",
            );
        }
        Ok(Self(Some(url)))
    }
}

/// Part of the traces that is exported, from 0 to 1, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SampleRatio(u32);

/// Number of decimals of a ratio, at most.
const DECIMALS_MAX: usize = 6;
/// Ratio of all traces, in millionths.
const MILLION: u32 = 1_000_000;

impl SampleRatio {
    /// Whether a trace is exported, if its id has this hash.
    #[cfg_attr(
        not(any(feature = "traces", test)),
        expect(dead_code, reason = "nothing is exported without the feature")
    )]
    pub(crate) fn takes(self, hash: u64) -> bool {
        hash % u64::from(MILLION) < u64::from(self.0)
    }
}

impl Default for SampleRatio {
    fn default() -> Self {
        Self(MILLION)
    }
}

impl FromStr for SampleRatio {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "must be a number from 0 to 1 with at most six decimals";
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        if !is_digits(whole) || !is_digits(decimals) || decimals.len() > DECIMALS_MAX {
            return Err(WRONG);
        }
        let whole: u32 = whole.parse().map_err(|_| WRONG)?;
        let decimals: u32 = format!("{decimals:0<DECIMALS_MAX$}").parse().map_err(|_| WRONG)?;
        let millionths = whole.checked_mul(MILLION).and_then(|it| it.checked_add(decimals));
        millionths.filter(|it| *it <= MILLION).map(Self).ok_or(WRONG)
    }
}

impl<'de> Deserialize<'de> for SampleRatio {
    /// Reads a number of a file, or the text of a variable.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ratio;
        impl Visitor<'_> for Ratio {
            type Value = SampleRatio;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 1 with at most six decimals")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SampleRatio, E> {
                text.trim().parse().map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<SampleRatio, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<SampleRatio, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(text: &str) -> Result<Option<TraceExport>, String> {
        let settings = Settings::parse(text.parse().unwrap()).map_err(|it| it.to_string())?;
        settings.trace_export().map_err(|it| it.to_string())
    }

    #[test]
    fn a_ratio_is_a_number_from_0_to_1() {
        for (text, millionths) in [("0", 0), ("1", MILLION), ("1.0", MILLION), ("0.25", 250_000), ("0.000001", 1)] {
            assert_eq!(text.parse(), Ok(SampleRatio(millionths)), "{text}");
            for setting in [format!("traces.sample_ratio = {text}"), format!("traces.sample_ratio = \"{text}\"")] {
                let read = Settings::parse(setting.parse().unwrap()).unwrap();
                assert_eq!(read.traces.sample_ratio, SampleRatio(millionths), "{setting}");
            }
        }
        for bad in ["1.000001", "2", "-1", "0.0000001", "nan", "inf", "true", "\"\"", "\"half\"", "\"1/2\"", "[1]"] {
            let refused = export(&format!("traces.sample_ratio = {bad}")).unwrap_err();
            assert_eq!(refused, "traces.sample_ratio must be a number from 0 to 1 with at most six decimals", "{bad}");
        }
        let taken =
            |ratio: &str| (0..1_000_000_u64).filter(|it| ratio.parse::<SampleRatio>().unwrap().takes(*it)).count();
        assert_eq!(["0", "0.25", "1"].map(taken), [0, 250_000, 1_000_000]);
    }

    #[test]
    fn a_collector_is_a_url_with_a_path() {
        for bad in [
            "127.0.0.1:4318/v1/traces",
            "http://127.0.0.1:4318",
            "http://127.0.0.1:4318/",
            "https://u:hush@collector.example/v1/traces",
            "https://collector.example/v1/traces#hush",
            "grpc://collector.example:4317/hush",
        ] {
            let refused = export(&format!("traces.endpoint = \"{bad}\"")).unwrap_err();
            assert!(refused.starts_with("traces.endpoint must ") && !refused.contains("hush"), "{bad}: {refused}");
        }
        assert!(export("traces.endpoint = \"\"").unwrap().is_none());
        let set = export("traces.endpoint = \"http://127.0.0.1:4318/v1/traces\"");
        if cfg!(feature = "traces") {
            assert_eq!(set.unwrap().unwrap().endpoint.as_str(), "http://127.0.0.1:4318/v1/traces");
        } else {
            assert!(set.unwrap_err().contains("`--features traces`"));
        }
    }

    #[test]
    fn a_program_without_traces_refuses_a_collector_and_names_the_feature() {
        assert!(check_feature(true).is_ok());
        let refused = check_feature(false).unwrap_err().to_string();
        assert!(refused.starts_with("traces.endpoint is set") && refused.contains("`--features traces`"), "{refused}");
    }

    #[test]
    fn headers_are_lines_and_never_shown() {
        let headers = parse_headers("authorization: Bearer hush\n\n x-tenant :7\n").unwrap();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(headers, [("authorization", "Bearer hush"), ("x-tenant", "7")]);
        for (bad, n) in [("Bearer hush", 1), ("a: 1\nx y: hush", 2), ("a: hush\u{1}", 1), (": hush", 1)] {
            let refused = export(&format!("traces.headers = {}", toml::Value::from(bad))).unwrap_err();
            assert!(refused.contains(&format!("number {n} is not one")) && !refused.contains("hush"), "{refused}");
        }
        let many = "a: hush\n".repeat(HEADERS_MAX + 1);
        assert_eq!(parse_headers(&many).unwrap_err(), "must have at most 16 headers");
        let shown = format!("{:?}", parse_headers("authorization: Bearer hush"));
        assert!(!shown.contains("hush"), "{shown}");
    }
}
