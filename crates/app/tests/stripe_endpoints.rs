//! The webhook endpoint at Stripe: every step of its commands may be the last one of a process.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use paywright_app::{
    CreatedEndpoint, EndpointDifference, EndpointDrift, EndpointMarks, EndpointSpec, EndpointStep, NewProviderEndpoint,
    ProviderEndpoint, ProviderEndpointEdit, ProviderEndpointUrl, ProviderEndpoints, ProviderEndpointsError,
    ReplaceReason, Rotation, STRIPE_ENDPOINTS_MAX, SecretDigest, SecretStoreError, StripeEndpoints,
    StripeEndpointsError, StripeEndpointsPorts, UselessReason, WEBHOOK_SECRETS_MAX, WebhookSecretStore,
};
use paywright_domain::Timestamp;
use paywright_domain::id::InstallationId;
use paywright_testkit::{CountedIds, HandClock, at};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

const NOW: i64 = 1_790_000_000;
const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;
const SPEC: EndpointSpec = EndpointSpec { events: &["a.created", "a.updated"], api_version: "2026-05-27.dahlia" };
const INSTALLATION: InstallationId = InstallationId(Uuid::from_u128(7));
const URL: &str = "https://shop.example/webhooks/stripe";

/// Moment of the call with this number at which the process dies: before its effect or after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Crash {
    call: usize,
    after: bool,
}

/// Trouble of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The next creation is performed, and answered with a failure that its key repeats.
    KeyExhausted,
    /// The file cannot be written.
    Unwritable,
}

/// Stripe and the file of the secrets, in memory.
#[derive(Debug, Default)]
struct State {
    endpoints: BTreeMap<String, (ProviderEndpoint, String)>,
    answers: BTreeMap<String, (String, String)>,
    secrets: Vec<String>,
    made: usize,
    now: i64,
    calls: usize,
    crash: Option<Crash>,
    is_dead: bool,
    exhausted: BTreeSet<String>,
    /// Whether a moment without a working endpoint is a failure.
    always_works: bool,
    trouble: Option<Trouble>,
}

impl State {
    fn works(&self) -> bool {
        self.endpoints.values().any(|(it, secret)| {
            it.installation.as_deref() == Some(&INSTALLATION.to_string())
                && it.is_enabled
                && self.secrets.contains(secret)
        })
    }
}

#[derive(Debug, Clone, Default)]
struct World(Arc<Mutex<State>>);

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Performs the effect of a call, unless the process dies before. A dead process calls nothing.
    fn call<T>(&self, effect: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state = self.state();
        state.calls += 1;
        let now = state.crash.filter(|it| it.call == state.calls);
        state.is_dead |= now.is_some_and(|it| !it.after);
        if state.is_dead {
            return None;
        }
        let result = effect(&mut state);
        if state.always_works {
            assert!(state.works(), "no endpoint works after call {}: {state:?}", state.calls);
        }
        assert!(state.endpoints.len() <= STRIPE_ENDPOINTS_MAX);
        state.is_dead |= now.is_some();
        (!state.is_dead).then_some(result)
    }

    fn commands(&self) -> StripeEndpoints {
        let clock = HandClock::at(at(self.state().now));
        let ports = StripeEndpointsPorts {
            endpoints: Arc::new(self.clone()),
            secrets: Arc::new(self.clone()),
            clock: Arc::new(clock),
            ids: Arc::new(CountedIds::default()),
        };
        StripeEndpoints::new(ports, INSTALLATION, SPEC)
    }

    async fn ensure(&self) -> Result<Vec<EndpointStep>, StripeEndpointsError> {
        self.commands().ensure(ProviderEndpointUrl(URL.into()), false).await
    }

    async fn rotate(&self) -> Result<Rotation, StripeEndpointsError> {
        self.commands().rotate(DAY, false).await
    }

    fn pass(&self, seconds: u32) {
        self.state().now += i64::from(seconds);
    }

    /// Adds an endpoint that no command has made.
    fn add(&self, edit: impl FnOnce(&mut ProviderEndpoint)) -> String {
        let mut state = self.state();
        state.made += 1;
        let id = format!("we_{:03}", state.made);
        let secret = format!("whsec_{id}");
        let mut endpoint = endpoint(&id, state.now);
        edit(&mut endpoint);
        state.endpoints.insert(id.clone(), (endpoint, secret));
        id
    }

    fn ours(&self) -> Vec<ProviderEndpoint> {
        let state = self.state();
        let ours = state.endpoints.values().map(|it| it.0.clone());
        ours.filter(|it| it.installation.as_deref() == Some(&INSTALLATION.to_string())).collect()
    }

    /// Asserts that one endpoint is left and works, and that its secret and the one set by hand are stored, and no other.
    fn is_settled(&self, context: &str) {
        let ours = self.ours();
        assert_eq!(ours.len(), 1, "{context}: {ours:?}");
        let one = ours.first().unwrap();
        assert!(one.is_enabled && one.url.0 == URL && one.marks.retire_after.is_none(), "{context}: {one:?}");
        assert_eq!(one.events, SPEC.events, "{context}");
        let state = self.state();
        assert!(state.works(), "{context}");
        let digest = SecretDigest::of(&SecretString::from(state.endpoints.get(&one.id).unwrap().1.as_str()));
        assert_eq!(one.marks.secret.as_ref(), Some(&digest), "{context}");
    }

    fn secrets_are(&self, expected: &[&str], context: &str) {
        assert_eq!(self.state().secrets, expected, "{context}");
    }
}

fn endpoint(id: &str, now: i64) -> ProviderEndpoint {
    ProviderEndpoint {
        id: id.into(),
        created_at: at(now),
        url: ProviderEndpointUrl(URL.into()),
        is_enabled: true,
        api_version: Some(SPEC.api_version.into()),
        events: SPEC.events.iter().map(|it| (*it).to_owned()).collect(),
        description: None,
        installation: None,
        marks: EndpointMarks::default(),
    }
}

fn dead() -> ProviderEndpointsError {
    ProviderEndpointsError::Unknown("the process died".into())
}

#[async_trait]
impl ProviderEndpoints for World {
    async fn endpoints(&self) -> Result<Vec<ProviderEndpoint>, ProviderEndpointsError> {
        self.call(|it| it.endpoints.values().map(|it| it.0.clone()).collect()).ok_or_else(dead)
    }

    async fn create_endpoint(
        &self,
        new: &NewProviderEndpoint,
        key: &str,
    ) -> Result<CreatedEndpoint, ProviderEndpointsError> {
        let created = self.call(|state| {
            if let Some((id, secret)) = state.answers.get(key).cloned() {
                return Ok(CreatedEndpoint { id, secret: secret.into(), replayed: true });
            }
            if state.exhausted.contains(key) {
                return Err(ProviderEndpointsError::KeyExhausted("500".into()));
            }
            if state.endpoints.len() >= STRIPE_ENDPOINTS_MAX {
                return Err(ProviderEndpointsError::Refused("the maximum".into()));
            }
            state.made += 1;
            let id = format!("we_{:03}", state.made);
            let secret = format!("whsec_{id}");
            let made = ProviderEndpoint {
                url: new.url.clone(),
                events: new.events.iter().map(|it| (*it).to_owned()).collect(),
                api_version: Some(new.api_version.into()),
                description: Some(new.description.into()),
                installation: Some(new.installation.clone()),
                ..endpoint(&id, state.now)
            };
            state.endpoints.insert(id.clone(), (made, secret.clone()));
            if state.trouble.take() == Some(Trouble::KeyExhausted) {
                state.exhausted.insert(key.into());
                return Err(ProviderEndpointsError::KeyExhausted("500".into()));
            }
            state.answers.insert(key.into(), (id.clone(), secret.clone()));
            Ok(CreatedEndpoint { id, secret: secret.into(), replayed: false })
        });
        created.unwrap_or_else(|| Err(dead()))
    }

    async fn update_endpoint(
        &self,
        id: &str,
        edit: &ProviderEndpointEdit,
        _key: &str,
    ) -> Result<(), ProviderEndpointsError> {
        let updated = self.call(|state| {
            let Some((it, _)) = state.endpoints.get_mut(id) else { return Err(ProviderEndpointsError::NotFound) };
            it.url = edit.url.clone().unwrap_or_else(|| it.url.clone());
            if let Some(events) = edit.events {
                it.events = events.iter().map(|it| (*it).to_owned()).collect();
            }
            it.is_enabled = edit.disabled.map_or(it.is_enabled, |it| !it);
            it.description = edit.description.map(str::to_owned).or(it.description.take());
            it.marks.secret = edit.secret.clone().or(it.marks.secret.take());
            it.marks.replaced = edit.replaced.clone().unwrap_or_else(|| it.marks.replaced.clone());
            it.marks.retire_after = edit.retire_after.or(it.marks.retire_after);
            Ok(())
        });
        updated.unwrap_or_else(|| Err(dead()))
    }

    async fn delete_endpoint(&self, id: &str) -> Result<(), ProviderEndpointsError> {
        self.call(|state| drop(state.endpoints.remove(id))).ok_or_else(dead)
    }
}

#[async_trait]
impl WebhookSecretStore for World {
    async fn secrets(&self) -> Result<Vec<SecretString>, SecretStoreError> {
        let read = self.call(|it| it.secrets.iter().map(|it| SecretString::from(it.as_str())).collect());
        read.ok_or_else(|| SecretStoreError("the process died".into()))
    }

    async fn check_writable(&self) -> Result<(), SecretStoreError> {
        let checked = self.call(|it| if it.trouble == Some(Trouble::Unwritable) { Err("read-only") } else { Ok(()) });
        checked.unwrap_or(Err("the process died")).map_err(|it| SecretStoreError(it.into()))
    }

    async fn replace_secrets(&self, secrets: &[SecretString]) -> Result<(), SecretStoreError> {
        let texts = secrets.iter().map(|it| it.expose_secret().to_owned()).collect();
        self.call(|it| it.secrets = texts).ok_or_else(|| SecretStoreError("the process died".into()))
    }
}

/// World in which `ensure` has made an endpoint beside one of another program and one of another installation.
async fn with_endpoint() -> World {
    let world = World::default();
    world.state().now = NOW;
    world.add(|it| it.url = ProviderEndpointUrl("https://other.example".into()));
    world.add(|it| it.installation = Some(Uuid::from_u128(8).to_string()));
    world.state().secrets = vec!["whsec_by_hand".into()];
    world.ensure().await.unwrap();
    world.is_settled("set up");
    world.state().always_works = true;
    world.state().calls = 0;
    world
}

/// All commands until nothing is left to be done, with the time that an overlap takes.
async fn to_the_end(world: &World, context: &str) {
    for _ in 0..3 {
        world.state().calls = 0;
        world.ensure().await.unwrap_or_else(|error| panic!("{context}: {error}"));
        world.pass(2 * DAY);
    }
    assert_eq!(world.ensure().await.unwrap(), [], "{context}");
    world.is_settled(context);
}

/// Runs a command that dies at each of its calls in turn, and hands each world over, until the command lives to its end.
async fn at_each_crash(
    fresh: impl AsyncFn() -> World,
    command: impl AsyncFn(&World) -> bool,
    check: impl AsyncFn(World, String),
) -> usize {
    for after in [false, true] {
        for call in 1.. {
            let world = fresh().await;
            world.state().crash = Some(Crash { call, after });
            let is_done = command(&world).await;
            let was_dead = std::mem::take(&mut world.state().is_dead);
            world.state().crash = None;
            let context = format!("dead {} call {call}", if after { "after" } else { "before" });
            check(world, context).await;
            if is_done && !was_dead {
                if after {
                    return call;
                }
                break;
            }
            assert!(call < 100, "it does not end");
        }
    }
    0
}

#[tokio::test]
async fn ensure_creates_one_endpoint_and_then_changes_nothing() {
    let world = World::default();
    world.state().now = NOW;
    let steps = world.ensure().await.unwrap();
    let id = world.ours().first().unwrap().id.clone();
    assert_eq!(steps, [EndpointStep::Create { id: Some(id), reason: ReplaceReason::Missing }]);
    world.is_settled("created");
    assert_eq!(world.ensure().await.unwrap(), []);
    assert_eq!(world.state().made, 1);
}

#[tokio::test]
async fn a_dry_run_says_the_steps_and_takes_none() {
    let world = World::default();
    world.state().now = NOW;
    let dry = async |world: &World| world.commands().ensure(ProviderEndpointUrl(URL.into()), true).await.unwrap();
    assert_eq!(dry(&world).await, [EndpointStep::Create { id: None, reason: ReplaceReason::Missing }]);
    assert!(world.ours().is_empty());
    world.secrets_are(&[], "dry");
    let world = with_endpoint().await;
    let id = world.ours().first().unwrap().id.clone();
    world.state().always_works = false;
    world.state().endpoints.get_mut(&id).unwrap().0.is_enabled = false;
    let differences = vec![EndpointDifference::Disabled];
    assert_eq!(dry(&world).await, [EndpointStep::Repair { id: id.clone(), differences }]);
    assert!(!world.state().endpoints.get(&id).unwrap().0.is_enabled);
}

#[tokio::test]
async fn ensure_repairs_every_difference_of_its_own_endpoint_and_touches_no_other() {
    type Change = fn(&mut ProviderEndpoint);
    let changes: [(EndpointDifference, Change); 5] = [
        (EndpointDifference::Url, |it| it.url = ProviderEndpointUrl("https://old.example/webhooks/stripe".into())),
        (EndpointDifference::Events, |it| it.events.truncate(1)),
        (EndpointDifference::Events, |it| it.events.push("b.created".into())),
        (EndpointDifference::Disabled, |it| it.is_enabled = false),
        (EndpointDifference::Description, |it| it.description = Some("Mine".into())),
    ];
    for (difference, change) in changes {
        let world = with_endpoint().await;
        world.state().always_works = false;
        let id = world.ours().first().unwrap().id.clone();
        change(&mut world.state().endpoints.get_mut(&id).unwrap().0);
        let others = |world: &World| {
            let state = world.state();
            state.endpoints.values().map(|it| it.0.clone()).filter(|it| it.id != id).collect::<Vec<_>>()
        };
        let before = others(&world);
        let steps = world.ensure().await.unwrap();
        assert_eq!(steps, [EndpointStep::Repair { id: id.clone(), differences: vec![difference] }]);
        world.is_settled("repaired");
        assert_eq!(others(&world), before);
        assert_eq!(world.ensure().await.unwrap(), []);
    }
}

#[tokio::test]
async fn an_endpoint_of_another_api_version_is_replaced_and_deleted_after_the_overlap() {
    let world = with_endpoint().await;
    let old = world.ours().first().unwrap().id.clone();
    world.state().endpoints.get_mut(&old).unwrap().0.api_version = None;
    let until = at(NOW).plus_seconds(DAY);
    let steps = world.ensure().await.unwrap();
    assert!(matches!(steps.first(), Some(EndpointStep::Create { reason: ReplaceReason::ApiVersion, .. })), "{steps:?}");
    assert_eq!(steps.get(1), Some(&EndpointStep::Retire { id: old.clone(), until }));
    assert_eq!(world.state().secrets.len(), 3);
    world.pass(DAY - 1);
    assert_eq!(world.ensure().await.unwrap(), [EndpointStep::Wait { id: old.clone(), until }]);
    world.pass(1);
    let deleted = EndpointStep::Delete { id: old, reason: UselessReason::Replaced };
    assert_eq!(world.ensure().await.unwrap(), [deleted, EndpointStep::RemoveSecrets { count: 1 }]);
    world.is_settled("replaced");
    world.secrets_are(&["whsec_we_004", "whsec_by_hand"], "replaced");
}

#[tokio::test]
async fn an_endpoint_whose_secret_was_lost_is_replaced_and_kept_for_the_overlap() {
    let world = with_endpoint().await;
    world.state().always_works = false;
    world.state().secrets.clear();
    let steps = world.ensure().await.unwrap();
    assert!(matches!(steps.first(), Some(EndpointStep::Create { reason: ReplaceReason::SecretLost, .. })), "{steps:?}");
    // Another machine may have the secret in its file.
    assert!(matches!(steps.get(1), Some(EndpointStep::Retire { .. })), "{steps:?}");
    world.pass(DAY);
    world.ensure().await.unwrap();
    world.is_settled("replaced");
}

#[tokio::test]
async fn a_rotation_overlaps_and_ends_with_the_new_secret_alone() {
    let world = with_endpoint().await;
    let old = world.ours().first().unwrap().id.clone();
    let Rotation::Begun(steps) = world.rotate().await.unwrap() else { panic!("it begins") };
    assert!(matches!(steps.first(), Some(EndpointStep::Create { reason: ReplaceReason::Rotation, .. })), "{steps:?}");
    world.secrets_are(&["whsec_we_004", "whsec_we_003", "whsec_by_hand"], "the new one first");
    let until = at(NOW).plus_seconds(DAY);
    assert_eq!(world.rotate().await.unwrap(), Rotation::UnderWay { until });
    assert_eq!(world.ensure().await.unwrap(), [EndpointStep::Wait { id: old.clone(), until }]);
    world.pass(DAY);
    let deleted = EndpointStep::Delete { id: old, reason: UselessReason::Replaced };
    let finished = vec![deleted, EndpointStep::RemoveSecrets { count: 1 }];
    assert_eq!(world.rotate().await.unwrap(), Rotation::Finished(finished));
    world.is_settled("rotated");
    world.secrets_are(&["whsec_we_004", "whsec_by_hand"], "the old one is gone");
    assert!(matches!(world.commands().rotate(0, true).await, Err(StripeEndpointsError::NoRotation)));
}

#[tokio::test]
async fn a_rotation_can_be_finished_before_its_overlap_is_over() {
    let world = with_endpoint().await;
    world.rotate().await.unwrap();
    assert!(matches!(world.commands().rotate(DAY, true).await, Ok(Rotation::Finished(_))));
    world.is_settled("finished");
    world.secrets_are(&["whsec_we_004", "whsec_by_hand"], "finished");
}

#[tokio::test]
async fn rotating_without_an_endpoint_is_refused() {
    let world = World::default();
    assert!(matches!(world.rotate().await, Err(StripeEndpointsError::NoEndpoint)));
    assert_eq!(world.state().made, 0);
}

#[tokio::test]
async fn an_ensure_that_dies_at_any_call_is_continued_by_the_next_one() {
    let fresh = async || {
        let world = World::default();
        world.state().now = NOW;
        world.add(|it| it.url = ProviderEndpointUrl("https://other.example".into()));
        world
    };
    let calls = at_each_crash(
        fresh,
        async |it| it.ensure().await.is_ok(),
        async |world, context| {
            to_the_end(&world, &context).await;
            assert_eq!(world.state().endpoints.len(), 2, "{context}");
            assert!(world.state().made <= 2, "{context}: the key of the creation gives the same endpoint again");
            assert_eq!(world.state().secrets.len(), 1, "{context}");
        },
    )
    .await;
    assert!(calls >= 6, "{calls}");
}

#[tokio::test]
async fn an_ensure_that_died_a_day_ago_leaves_no_stray() {
    let fresh = async || {
        let world = World::default();
        world.state().now = NOW;
        world
    };
    at_each_crash(
        fresh,
        async |it| it.ensure().await.is_ok(),
        async |world, context| {
            // Stripe has forgotten the keys.
            world.state().answers.clear();
            world.pass(2 * DAY);
            to_the_end(&world, &context).await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_rotation_that_dies_at_any_call_never_leaves_zero_working_endpoints() {
    let begin = async |it: &World| it.rotate().await.is_ok();
    let calls = at_each_crash(with_endpoint, begin, async |world, context| {
        // The same command continues it.
        while let Rotation::Begun(_) | Rotation::UnderWay { .. } = world.rotate().await.unwrap() {
            world.pass(DAY);
        }
        world.is_settled(&context);
        world.secrets_are(&["whsec_we_004", "whsec_by_hand"], &context);
    })
    .await;
    assert!(calls >= 8, "{calls}");
    at_each_crash(with_endpoint, begin, async |world, context| to_the_end(&world, &context).await).await;
}

#[tokio::test]
async fn finishing_a_rotation_that_dies_at_any_call_removes_the_old_secret_in_the_end() {
    let fresh = async || {
        let world = with_endpoint().await;
        world.rotate().await.unwrap();
        world.pass(DAY);
        world.state().calls = 0;
        world
    };
    let calls = at_each_crash(
        fresh,
        async |it| it.rotate().await.is_ok(),
        async |world, context| {
            to_the_end(&world, &context).await;
            world.secrets_are(&["whsec_we_004", "whsec_by_hand"], &context);
        },
    )
    .await;
    assert!(calls >= 5, "{calls}");
}

#[tokio::test]
async fn at_stripes_limit_the_command_names_it_or_uses_what_is_ours() {
    let full = |ours: bool| {
        let world = World::default();
        world.state().now = NOW;
        for n in 0..STRIPE_ENDPOINTS_MAX {
            let installation = (ours && n == 3).then(|| INSTALLATION.to_string());
            world.add(|it| it.installation = installation);
        }
        world
    };
    let world = full(false);
    let error = world.ensure().await.unwrap_err();
    let says = error.to_string();
    assert!(matches!(error, StripeEndpointsError::Full { ours: 0 }) && says.contains("16"), "{says}");
    assert_eq!(world.state().endpoints.len(), STRIPE_ENDPOINTS_MAX);
    // A stray of ours makes room.
    let world = full(true);
    let steps = world.ensure().await.unwrap();
    let stray = EndpointStep::Delete { id: "we_004".into(), reason: UselessReason::SecretNotStored };
    assert_eq!(steps.first(), Some(&stray));
    world.is_settled("in place of a stray");
    assert!(matches!(world.rotate().await, Err(StripeEndpointsError::Full { ours: 1 })));
    world.is_settled("no room for a second one");
}

#[tokio::test]
async fn nothing_is_created_whose_secret_could_not_be_stored() {
    let world = World::default();
    world.state().trouble = Some(Trouble::Unwritable);
    assert!(matches!(world.ensure().await, Err(StripeEndpointsError::Secrets(_))));
    let many = World::default();
    many.state().secrets = (0..WEBHOOK_SECRETS_MAX).map(|n| format!("whsec_{n}")).collect();
    assert!(matches!(many.ensure().await, Err(StripeEndpointsError::TooManySecrets)));
    assert_eq!((world.state().made, many.state().made), (0, 0));
}

#[tokio::test]
async fn an_endpoint_that_was_deleted_by_hand_is_made_anew_although_stripe_replays_its_creation() {
    let world = with_endpoint().await;
    world.state().always_works = false;
    let id = world.ours().first().unwrap().id.clone();
    world.state().endpoints.remove(&id);
    world.ensure().await.unwrap();
    world.is_settled("again");
    assert_ne!(world.ours().first().unwrap().id, id);
}

#[tokio::test]
async fn a_failure_that_stripe_repeats_under_the_key_is_passed_by() {
    let world = World::default();
    world.state().now = NOW;
    world.state().trouble = Some(Trouble::KeyExhausted);
    world.ensure().await.unwrap();
    assert_eq!(world.ours().len(), 2, "the failed call has made one too");
    let stray = EndpointStep::Delete { id: "we_001".into(), reason: UselessReason::SecretNotStored };
    assert_eq!(world.ensure().await.unwrap(), [stray]);
    world.is_settled("without the stray");
}

/// Change of an endpoint that was made at Stripe.
type BoxedChange = Box<dyn FnOnce(&mut ProviderEndpoint)>;

/// Drift of one endpoint of ours that `change` has changed.
fn drift_after(change: impl FnOnce(&mut ProviderEndpoint), was_there: bool) -> BTreeSet<EndpointDrift> {
    let secret = SecretString::from("whsec_1");
    let mut one = endpoint("we_1", NOW - 7200);
    one.installation = Some(INSTALLATION.to_string());
    one.marks.secret = Some(SecretDigest::of(&secret));
    change(&mut one);
    StripeEndpoints::drift(vec![one], INSTALLATION, &SPEC, &[secret], was_there, at(NOW))
}

#[test]
fn each_drift_is_found_and_none_without_an_endpoint_of_ours() {
    use EndpointDrift::{ApiVersion, Disabled, Events, Missing, Overdue, Secret, Several};
    let ago = |seconds: u32| Some(at(NOW).minus_seconds(seconds));
    let cases: Vec<(BoxedChange, bool, &[EndpointDrift])> = vec![
        (Box::new(|_| {}), true, &[]),
        (Box::new(|it| it.installation = None), false, &[]),
        (Box::new(|it| it.installation = None), true, &[Missing]),
        (Box::new(|it| it.is_enabled = false), true, &[Disabled]),
        (Box::new(|it| it.events.push("*".into())), true, &[Events]),
        (Box::new(|it| it.api_version = None), true, &[ApiVersion]),
        (Box::new(|it| it.marks.secret = SecretDigest::parse("0123456789abcdef")), true, &[Secret]),
        (Box::new(|it| it.marks.secret = None), true, &[Missing, Several]),
        (Box::new(move |it| it.marks.retire_after = ago(3600)), true, &[Missing]),
        (Box::new(move |it| it.marks.retire_after = ago(2 * DAY)), true, &[Missing, Overdue]),
    ];
    for (n, (change, was_there, expected)) in cases.into_iter().enumerate() {
        assert_eq!(drift_after(change, was_there), expected.iter().copied().collect(), "case {n}");
    }
    let sentences: BTreeSet<_> = EndpointDrift::ALL.iter().map(|it| it.sentence()).collect();
    assert_eq!(sentences.len(), EndpointDrift::ALL.len());
}

#[tokio::test]
async fn a_rotation_is_no_drift_and_two_current_endpoints_are() {
    let world = with_endpoint().await;
    let drift = |world: &World| {
        let state = world.state();
        let listed = state.endpoints.values().map(|it| it.0.clone()).collect();
        let secrets: Vec<_> = state.secrets.iter().map(|it| SecretString::from(it.as_str())).collect();
        let now: Timestamp = at(state.now);
        StripeEndpoints::drift(listed, INSTALLATION, &SPEC, &secrets, true, now)
    };
    world.rotate().await.unwrap();
    assert_eq!(drift(&world), BTreeSet::new());
    for (endpoint, _) in world.state().endpoints.values_mut() {
        endpoint.marks.retire_after = None;
    }
    assert_eq!(drift(&world), [EndpointDrift::Several].into());
}
