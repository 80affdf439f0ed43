//! The table of calls for people and tests: as data, and as the table of `docs/twin.md`.

use serde::Serialize;

use super::table::CALLS;

/// Treatment of a parameter by the twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Treatment {
    /// The parameter has the effect that Stripe documents.
    #[serde(rename = "honoured")]
    Honoured,
    /// The parameter, and all below it, is refused with the code `parameter_not_modelled`.
    #[serde(rename = "not modelled")]
    NotModelled,
}

/// A parameter of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParameterListing {
    /// Dotted name; `*` stands for a list index or a free key.
    pub name: &'static str,
    /// Treatment of the parameter by the twin.
    pub treatment: Treatment,
}

/// A call of the twin with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallListing {
    /// HTTP method.
    pub method: &'static str,
    /// Path with the names of its parameters in braces.
    pub path: &'static str,
    /// Parameters that are honoured, then those that are not modelled.
    pub parameters: Vec<ParameterListing>,
}

/// Every call that the twin answers, with the treatment of each parameter.
pub fn calls() -> Vec<CallListing> {
    let list =
        |names: Vec<&'static str>, treatment| names.into_iter().map(move |name| ParameterListing { name, treatment });
    let listing = |call: &super::Call| {
        let mut honoured: Vec<&str> = call.honoured.iter().copied().flatten().map(|it| it.name).collect();
        honoured.sort_unstable();
        honoured.dedup();
        let refused = call.not_modelled().collect();
        CallListing {
            method: call.method.name(),
            path: call.path,
            parameters: list(honoured, Treatment::Honoured).chain(list(refused, Treatment::NotModelled)).collect(),
        }
    };
    CALLS.iter().map(listing).collect()
}

/// The calls as a Markdown table: each call with its honoured parameters, and the number of those not modelled.
pub fn calls_table() -> String {
    let mut table = "| call | honoured | not modelled |\n|---|---|---|\n".to_owned();
    for call in calls() {
        let of = |treatment| call.parameters.iter().filter(move |it| it.treatment == treatment).map(|it| it.name);
        let honoured: Vec<String> =
            top_names(of(Treatment::Honoured)).into_iter().map(|it| format!("`{it}`")).collect();
        let count = of(Treatment::Honoured).count();
        let honoured = if count == 0 { "none".to_owned() } else { format!("{count}: {}", honoured.join(", ")) };
        let refused = of(Treatment::NotModelled).count();
        table.extend(["| `", call.method, " ", call.path, "` | ", &honoured, " | ", &refused.to_string(), " |\n"]);
    }
    table
}

/// First segments of names, each once, in order.
fn top_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut tops: Vec<&str> = names.map(|it| it.split('.').next().unwrap_or(it)).collect();
    tops.dedup();
    tops
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_table_of_calls() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/twin.md");
        let documentation = std::fs::read_to_string(path).unwrap();
        let table = calls_table();
        assert!(documentation.contains(&table), "docs/twin.md must have this table:\n{table}");
    }

    #[test]
    fn a_parameter_is_honoured_or_not_modelled_but_not_both() {
        for call in calls() {
            for it in call.parameters.iter().filter(|it| it.treatment == Treatment::NotModelled) {
                let same = |other: &&ParameterListing| {
                    other.treatment == Treatment::Honoured
                        && (other.name == it.name || other.name.starts_with(&format!("{}.", it.name)))
                };
                assert_eq!(call.parameters.iter().find(same), None, "{} {}", call.path, it.name);
            }
        }
    }
}
