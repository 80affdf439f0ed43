//! `paywright prices`: imports prices and terms of sale.

use std::collections::BTreeSet;
use std::path::Path;

use paywright_domain::Currency;
use paywright_domain::storefront::{Prices, Terms, Variant, VariantId};
use paywright_domain::text::Text;
use paywright_http_api::parse_terms;

use crate::cli::{PricesCommand, PricesOptions};
use crate::database::Schema;
use crate::settings::Settings;
use crate::{Failure, say};

/// Maximum number of lines of one file.
const LINES_MAX: usize = 100_000;
/// Maximum number of problems of a file that are printed.
const PROBLEMS_SHOWN_MAX: usize = 20;
/// Maximum number of characters of a column's name that an error repeats.
const NAME_CHARS_SHOWN_MAX: usize = 100;
/// Prefix of the names of price columns, such as `price_usd`.
const PRICE: &str = "price_";

pub(crate) async fn run(options: PricesOptions) -> Result<(), Failure> {
    let database = Settings::read(options.settings.config.as_deref())?.database()?;
    match options.command {
        PricesCommand::Import { file } => {
            let text = read(&file)?;
            let variants = variants(&text).map_err(|problems| not_imported(&file, &problems))?;
            database.open(1, Schema::Create).await?.prices.put_variants(&variants).await?;
            say(&format!(
                "{} variants were imported. Their prices apply to a cart from its next change on.",
                variants.len()
            ));
        }
        PricesCommand::Terms { file } => {
            let terms = parse_terms(read(&file)?.as_bytes()).map_err(|problems| not_imported(&file, &problems))?;
            database.open(1, Schema::Create).await?.prices.put_terms(&terms).await?;
            let Terms { shipping, taxes, coupons } = &terms;
            say(&format!(
                "Terms of sale: {} shipping rates, {} taxes, {} coupons.",
                shipping.len(),
                taxes.len(),
                coupons.len()
            ));
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, Failure> {
    Ok(std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?)
}

fn not_imported(file: &Path, problems: &[String]) -> String {
    let more = problems.len().saturating_sub(PROBLEMS_SHOWN_MAX);
    let shown: Vec<&str> = problems.iter().take(PROBLEMS_SHOWN_MAX).map(String::as_str).collect();
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    format!("nothing of {} was imported:\n  {}{more}", file.display(), shown.join("\n  "))
}

/// The variants of a CSV file whose first line names the columns: `id`, `name`, a `price_…` for each currency, and
/// optionally `sku`, `description` and `active`. All problems are reported at once.
pub(crate) fn variants(text: &str) -> Result<Vec<Variant>, Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|problem| vec![problem.to_string()])?.clone();
    let columns = columns(&headers)?;
    let (mut found, mut problems, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (place, record) in reader.records().enumerate() {
        let line = place + 2;
        if place >= LINES_MAX {
            return Err(vec![format!("a file has at most {LINES_MAX} lines")]);
        }
        match record.map_err(|problem| vec![problem.to_string()]).and_then(|it| variant(&it, &columns)) {
            Ok(variant) if ids.insert(variant.id.clone()) => found.push(variant),
            Ok(variant) => problems.push(format!("line {line}: {} occurs twice", variant.id)),
            Err(of_line) => problems.extend(of_line.iter().map(|it| format!("line {line}: {it}"))),
        }
    }
    if found.is_empty() && problems.is_empty() {
        problems.push("there are no lines after the first, which names the columns".to_owned());
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

/// The meaning of a column.
#[derive(PartialEq, Eq)]
enum Column {
    Id,
    Sku,
    Name,
    Description,
    Active,
    Price(Currency),
}

/// The name of a column, as an error repeats it: at most [`NAME_CHARS_SHOWN_MAX`] characters.
fn shown(name: &str) -> String {
    name.chars().take(NAME_CHARS_SHOWN_MAX).collect()
}

fn columns(headers: &csv::StringRecord) -> Result<Vec<Column>, Vec<String>> {
    let column = |name: &str| match name.to_ascii_lowercase().as_str() {
        "id" => Ok(Column::Id),
        "sku" => Ok(Column::Sku),
        "name" => Ok(Column::Name),
        "description" => Ok(Column::Description),
        "active" => Ok(Column::Active),
        other => match other.strip_prefix(PRICE).map(str::parse) {
            Some(Ok(currency)) => Ok(Column::Price(currency)),
            Some(Err(problem)) => Err(format!("line 1: {}: the currency {problem}", shown(name))),
            None => {
                let name = shown(name);
                Err(format!("line 1: {name} is none of id, name, sku, description, active, price_usd and similar"))
            }
        },
    };
    let (mut columns, mut problems) = (Vec::new(), Vec::new());
    for name in headers {
        match column(name) {
            Ok(column) if columns.contains(&column) => problems.push(format!("line 1: {} occurs twice", shown(name))),
            Ok(column) => columns.push(column),
            Err(problem) => problems.push(problem),
        }
    }
    for (needed, is_there) in [
        ("id", columns.iter().any(|it| matches!(it, Column::Id))),
        ("name", columns.iter().any(|it| matches!(it, Column::Name))),
        ("price_usd or similar", columns.iter().any(|it| matches!(it, Column::Price(_)))),
    ] {
        if !is_there {
            problems.push(format!("line 1: there is no column {needed}"));
        }
    }
    if problems.is_empty() { Ok(columns) } else { Err(problems) }
}

/// Reads a line, or returns all its problems.
fn variant(record: &csv::StringRecord, columns: &[Column]) -> Result<Variant, Vec<String>> {
    let mut problems = Vec::new();
    let (mut id, mut name) = (None, None);
    let (mut sku, mut description, mut active, mut prices) = (None, None, true, Vec::new());
    for (column, text) in columns.iter().zip(record) {
        match column {
            Column::Id => id = valid(&mut problems, "id", VariantId::new(text)),
            Column::Name => name = valid(&mut problems, "name", Text::of_one_line(text)),
            Column::Sku | Column::Price(_) if text.is_empty() => {}
            Column::Sku => sku = valid(&mut problems, "sku", Text::of_one_line(text)),
            Column::Description => description = valid(&mut problems, "description", Text::new(text)),
            Column::Active => match text.to_ascii_lowercase().as_str() {
                "" | "true" | "yes" | "1" => active = true,
                "false" | "no" | "0" => active = false,
                _ => problems.push("active must be true or false".to_owned()),
            },
            Column::Price(currency) => {
                let field = format!("{PRICE}{}", currency.code());
                prices.extend(valid(&mut problems, &field, Variant::parse_price(text, *currency)));
            }
        }
    }
    match (id, name) {
        (Some(id), Some(name)) if problems.is_empty() => {
            let prices = prices.into_iter().collect::<Prices>();
            Ok(Variant { id, sku, name, description: description.unwrap_or_default(), prices, active })
        }
        (Some(_) | None, Some(_) | None) => Err(problems),
    }
}

/// The value of a field if it is valid; otherwise adds its problem to `problems`.
fn valid<T, E: std::fmt::Display>(problems: &mut Vec<String>, field: &str, value: Result<T, E>) -> Option<T> {
    value.map_err(|problem| problems.push(format!("{field} {problem}"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_every_problem_of_it_is_named() {
        let text = "id,name,sku,price_usd,price_eur,active\n\
                    mug, Mug ,MUG-1,12.00,11.50,\n\
                    \"cap\",\"Cap, blue\",,20,,false\n";
        let read = variants(text).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].name.as_str(), read[0].prices.price_in(Currency::Eur).unwrap().minor()), ("Mug", 1150));
        assert_eq!((read[1].name.as_str(), read[1].active, &read[1].sku), ("Cap, blue", false, &None));
        assert_eq!(read[1].prices.price_in(Currency::Eur), None);
        let wrong =
            "id,name,price_usd\nmug,Mug,12.001\nmug!,Mug,1\ncap,,1\nhat,Hat,0\nhat,Hat,1\nhat,Hat,2\nx,X\n!,,z\n";
        let problems = variants(wrong).unwrap_err();
        let expected = [
            "line 2: price_usd",
            "line 3: id must be",
            "line 4: name must",
            "line 5: price_usd must be more",
            "line 7: hat occurs twice",
            "line 8:",
            "line 9: id must be",
            "line 9: name must",
            "line 9: price_usd must be a decimal",
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            let unequal = expected == "line 8:";
            assert!(problem.starts_with(expected) || (unequal && problem.contains("fields")), "{problem}");
        }
        let fractions = "id,name,price_kwd\nmug,Mug,4.500\ncap,Cap,4.505\n";
        let why = "line 3: price_kwd must be a multiple of 0.010 kwd: 4.505 kwd cannot be charged";
        assert_eq!(variants(fractions).unwrap_err(), [why]);
        let columns = variants("id,prize_usd\n").unwrap_err();
        assert!(columns[0].contains("prize_usd is none of") && columns[1].contains("no column name"), "{columns:?}");
        assert_eq!(variants("id,name,price_usd,PRICE_USD\n").unwrap_err(), ["line 1: PRICE_USD occurs twice"]);
        assert!(variants("id,name,price_usd\n").unwrap_err()[0].contains("no lines"));
    }
}
