//! Requests of applications. Everything that shapes an answer is checked before the use case runs.

use actix_web::HttpRequest;
use actix_web::web::Payload;
use paywright_app::{App, Scope};

use super::admission::admit;
use super::documents::RELATIONSHIPS;
use crate::Api;
use crate::spree::document::Show;
use crate::spree::pages::Page;
use crate::spree::params::Params;
use crate::spree::refusal::Refusal;

/// Items on a page where the request names no number.
const PAGE_DEFAULT: u16 = 25;

/// Request of an admitted application.
pub(super) struct Call {
    pub(super) params: Params,
    pub(super) show: Show,
}

impl Call {
    /// Admits the application, then reads its request for resources of `kind`.
    pub(super) async fn read(
        api: &Api,
        request: &HttpRequest,
        payload: Payload,
        scope: Scope,
        kind: &str,
    ) -> Result<Self, Refusal> {
        admit(api, request, scope).await?;
        Self::of(Params::read(request, payload).await?, kind)
    }

    /// As [`Self::read`], for a call that changes nothing: blank parameters count as absent.
    pub(super) async fn to_show(
        api: &Api,
        request: &HttpRequest,
        payload: Payload,
        scope: Scope,
        kind: &str,
    ) -> Result<Self, Refusal> {
        admit(api, request, scope).await?;
        Self::of(Params::read(request, payload).await?.without_blanks(), kind)
    }

    fn of(params: Params, kind: &str) -> Result<Self, Refusal> {
        let show = Show::of_known(&params, kind, RELATIONSHIPS)?;
        Ok(Self { params, show })
    }
}

/// Request for a page of a list.
pub(super) struct ListCall {
    pub(super) params: Params,
    pub(super) show: Show,
    pub(super) page: Page,
    /// Parameters of `filter`; none if the request has no filter.
    pub(super) filter: Params,
}

impl ListCall {
    /// Admits the application, then reads its request for a page of resources of `kind`. Unlike in the storefront's lists, a
    /// number out of its limits is refused.
    pub(super) async fn read(
        api: &Api,
        request: &HttpRequest,
        payload: Payload,
        scope: Scope,
        kind: &str,
    ) -> Result<Self, Refusal> {
        let Call { params, show } = Call::to_show(api, request, payload, scope, kind).await?;
        let page = Page {
            number: params.integer_in("page", 1..=u32::MAX)?.unwrap_or(1),
            size: params.integer_in("per_page", 1..=App::SEARCH_PAGE_MAX)?.unwrap_or(PAGE_DEFAULT),
        };
        let filter = params.under("filter")?.unwrap_or_else(|| Params::default().at("filter"));
        Ok(Self { params, show, page, filter })
    }
}
