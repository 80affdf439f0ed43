//! Style sheets and scripts of the pages, which are in the program.

use std::io::Write;
use std::sync::LazyLock;

use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Header, Path};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::auth::digest;
use crate::openapi::accepts_gzip;
use crate::problem::Problem;

/// A file, with the compressed form that most browsers get.
struct Asset {
    name: &'static str,
    kind: &'static str,
    plain: &'static str,
    packed: Vec<u8>,
    tag: String,
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files = [
        ("pico.min.css", CSS, include_str!("assets/pico.min.css")),
        ("uPlot.min.css", CSS, include_str!("assets/uPlot.min.css")),
        ("uPlot.iife.min.js", SCRIPT, include_str!("assets/uPlot.iife.min.js")),
        ("htmx.min.js", SCRIPT, include_str!("assets/htmx.min.js")),
        ("today.js", SCRIPT, include_str!("assets/today.js")),
        ("console.css", CSS, include_str!("assets/console.css")),
        ("console.js", SCRIPT, include_str!("assets/console.js")),
    ];
    files.into_iter().map(|(name, kind, plain)| Asset::of(name, kind, plain)).collect()
});

impl Asset {
    fn of(name: &'static str, kind: &'static str, plain: &'static str) -> Self {
        let tag = format!("\"{}\"", hex::encode(digest(plain)));
        // Writes to memory, which do not fail.
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        let written = packed.write_all(plain.as_bytes());
        let packed = written.and_then(|()| packed.finish()).unwrap_or_default();
        Self { name, kind, plain, packed, tag }
    }
}

/// `GET /console/assets/{file}`: a file, which a browser keeps and asks for again with its tag.
pub(super) async fn file(
    request: HttpRequest,
    accepted: Option<Header<AcceptEncoding>>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let asset = ASSETS.iter().find(|it| it.name == name.as_str()).ok_or_else(Problem::no_such_path)?;
    let header = |name| request.headers().get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let is_known = header(IF_NONE_MATCH).split(',').any(|it| it.trim().trim_start_matches("W/") == asset.tag);
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((ETAG, asset.tag.as_str()))
        .insert_header((VARY, "accept-encoding"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type(asset.kind);
    if is_known {
        return Ok(answer.finish());
    }
    if accepts_gzip(accepted) && !asset.packed.is_empty() {
        return Ok(answer.insert_header((CONTENT_ENCODING, "gzip")).body(asset.packed.as_slice()));
    }
    Ok(answer.body(asset.plain))
}
