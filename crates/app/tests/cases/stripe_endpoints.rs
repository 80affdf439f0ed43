//! The watch over the endpoint at Stripe, which remembers in the store whether there was one.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use paywright_app::{
    CreatedEndpoint, EndpointDrift, EndpointMarks, EndpointSpec, EndpointWatch, EndpointWatchPorts,
    NewProviderEndpoint, ProviderEndpoint, ProviderEndpointEdit, ProviderEndpointUrl, ProviderEndpoints,
    ProviderEndpointsError, SecretDigest,
};
use paywright_domain::id::InstallationId;
use paywright_testkit::{CountedIds, MockGateway, at};
use secrecy::SecretString;
use uuid::Uuid;

use crate::{NOW, Shop};

const INSTALLATION: InstallationId = InstallationId(Uuid::from_u128(7));
const SPEC: EndpointSpec = EndpointSpec { events: &["a.created"], api_version: "2026-05-27.dahlia" };
const DAY: u32 = 86_400;

/// Endpoints that are listed; `None` if Stripe cannot be reached.
#[derive(Default)]
struct Listed(Mutex<Option<Vec<ProviderEndpoint>>>);

#[async_trait]
impl ProviderEndpoints for Listed {
    async fn endpoints(&self) -> Result<Vec<ProviderEndpoint>, ProviderEndpointsError> {
        self.0.lock().unwrap().clone().ok_or_else(|| ProviderEndpointsError::Unknown("unreachable".into()))
    }

    async fn create_endpoint(
        &self,
        _new: &NewProviderEndpoint,
        _key: &str,
    ) -> Result<CreatedEndpoint, ProviderEndpointsError> {
        panic!("a watch only reads")
    }

    async fn update_endpoint(
        &self,
        _id: &str,
        _edit: &ProviderEndpointEdit,
        _key: &str,
    ) -> Result<(), ProviderEndpointsError> {
        panic!("a watch only reads")
    }

    async fn delete_endpoint(&self, _id: &str) -> Result<(), ProviderEndpointsError> {
        panic!("a watch only reads")
    }
}

fn ours(secret: &SecretString) -> ProviderEndpoint {
    ProviderEndpoint {
        id: "we_1".into(),
        created_at: at(NOW),
        url: ProviderEndpointUrl("https://shop.example/webhooks/stripe".into()),
        is_enabled: true,
        api_version: Some(SPEC.api_version.into()),
        events: vec!["a.created".into()],
        description: None,
        installation: Some(INSTALLATION.to_string()),
        marks: EndpointMarks { secret: Some(SecretDigest::of(secret)), ..EndpointMarks::default() },
    }
}

#[tokio::test]
async fn a_missing_endpoint_is_told_for_thirty_days_by_every_process_and_a_failure_is_no_drift() {
    let shop = Shop::with(MockGateway::new()).await;
    let listed = Arc::<Listed>::default();
    let watch = || {
        let ports = EndpointWatchPorts {
            endpoints: listed.clone(),
            cursors: shop.store.cursors.clone(),
            clock: shop.clock.clone(),
            ids: Arc::new(CountedIds::default()),
        };
        EndpointWatch::new(ports, INSTALLATION, SPEC)
    };
    let secrets = [SecretString::from("whsec_1")];
    let first = watch();
    assert!(first.check(&secrets).await.is_err());
    assert_eq!(first.found(), None, "nothing is known");
    *listed.0.lock().unwrap() = Some(Vec::new());
    assert_eq!(first.check(&secrets).await.unwrap(), [].into(), "it never had one");
    *listed.0.lock().unwrap() = Some(vec![ours(&secrets[0])]);
    assert_eq!(first.check(&secrets).await.unwrap(), [].into());
    assert_eq!(first.check(&[]).await.unwrap(), [EndpointDrift::Secret].into());
    *listed.0.lock().unwrap() = Some(Vec::new());
    shop.clock.advance_seconds(29 * DAY);
    let second = watch();
    for watch in [&first, &second] {
        assert_eq!(watch.check(&secrets).await.unwrap(), [EndpointDrift::Missing].into());
    }
    assert_eq!(second.found(), None, "nothing was told");
    second.tell(&[EndpointDrift::Missing].into());
    *listed.0.lock().unwrap() = None;
    assert!(second.check(&secrets).await.is_err());
    assert_eq!(second.found(), Some([EndpointDrift::Missing].into()), "what was told remains");
    *listed.0.lock().unwrap() = Some(Vec::new());
    shop.clock.advance_seconds(DAY);
    assert_eq!(second.check(&secrets).await.unwrap(), [].into(), "it has gone back to one made by hand");
}
