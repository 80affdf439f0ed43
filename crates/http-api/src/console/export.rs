//! Downloads of the books: for an accounting program, and for a return of taxes.

use std::io::{self, ErrorKind, Write};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, ContentDisposition, DispositionParam, DispositionType, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{BooksError, ExportError, ExportFormat, NoExport, Period, Scope};

use super::refusal::Refusal;
use super::session::{console, signed_in};
use crate::Api;
use crate::problem::Problem;
use crate::reader::{FieldProblems, Reader, parse_query, string};

/// Largest download, in bytes: it is made in memory.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Types of the files.
const TEXT: &str = "text/plain; charset=utf-8";
const CSV: &str = "text/csv; charset=utf-8";

/// Formats of the page, with their names for people.
pub(super) const FORMATS: [(ExportFormat, &str); 4] = [
    (ExportFormat::Hledger, "hledger and ledger"),
    (ExportFormat::Beancount, "beancount"),
    (ExportFormat::Csv, "CSV of balance transactions"),
    (ExportFormat::Journal, "CSV of all postings"),
];

/// Download in memory, with a limit.
#[derive(Default)]
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > BYTES_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Name of the file and its type.
fn file(format: ExportFormat, period: Period) -> (String, &'static str) {
    match format {
        ExportFormat::Hledger => (format!("paywright-{period}.journal"), TEXT),
        ExportFormat::Beancount => (format!("paywright-{period}.beancount"), TEXT),
        ExportFormat::Csv => (format!("paywright-{period}-transactions.csv"), CSV),
        ExportFormat::Journal => (format!("paywright-{period}-postings.csv"), CSV),
    }
}

fn download((name, kind): (String, &'static str), content: Vec<u8>) -> HttpResponse {
    let named = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(name)],
    };
    HttpResponse::Ok()
        .insert_header(named)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type(kind)
        .body(content)
}

/// Refusal of an export. One that cannot be written is too large: memory takes everything else.
fn refused(error: NoExport) -> Refusal {
    match error {
        NoExport::Period(none) => Problem::from(none).into(),
        NoExport::Export(ExportError::Io(_) | ExportError::Csv(_)) => {
            let detail = format!(
                "the file would have more than {} MiB: ask for single days, or use `paywright books export`",
                BYTES_MAX / 1024 / 1024
            );
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "export_too_large", detail).into()
        }
        NoExport::Export(error) => {
            tracing::error!(%error, "an export failed");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()).into()
        }
    }
}

/// `GET /console/books/export`: the books of a day or a month, in a format of an accounting program.
pub(super) async fn entries(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    signed_in(&api, &request, Scope::BooksRead).await?;
    let accounts = console(&api)?.accounts.clone();
    let fields = parse_query(&request)?;
    let mut problems = FieldProblems::default();
    let mut reader = Reader::new(&fields, &["format", "period"], &mut problems);
    let known = "must be hledger, beancount, csv or journal";
    let format = reader.required("format", |it| Ok(ExportFormat::named(string(it)?).ok_or(known)?));
    let period = reader.required("period", |it| Ok(string(it)?.parse::<Period>()?));
    let (format, period) = problems.done(format.zip(period)).map_err(Problem::query)?;
    let days = (Some(period.first()), Some(period.last()));
    let written = api.books.export((format, accounts), days, Limited::default()).await;
    Ok(download(file(format, period), written.map_err(refused)?.0))
}

/// `GET /console/books/tax`: sales and taxes of a day or a month, as CSV.
pub(super) async fn tax(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    signed_in(&api, &request, Scope::BooksRead).await?;
    let fields = parse_query(&request)?;
    let mut problems = FieldProblems::default();
    let period =
        Reader::new(&fields, &["period"], &mut problems).required("period", |it| Ok(string(it)?.parse::<Period>()?));
    let period = problems.done(period).map_err(Problem::query)?;
    let report = api.books.tax(period).await.map_err(Problem::from)?;
    let text = report.to_csv().map_err(|error| Problem::from(BooksError::Money(error)))?;
    Ok(download((format!("paywright-{period}-taxes.csv"), CSV), text.into_bytes()))
}
