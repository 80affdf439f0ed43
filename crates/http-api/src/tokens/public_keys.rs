//! Public keys of a JWK Set (RFC 7517) that verify customers' tokens.

use std::ops::RangeInclusive;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use thiserror::Error;

use super::customer::{Claims, read_claims, validation};

/// Algorithms by which a key of a set verifies tokens.
pub(super) const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
/// Largest number of keys of a set, usable or not.
pub(super) const KEYS_MAX: usize = 100;
/// Sizes of RSA keys, in bits: from the smallest of RFC 7518, section 3.3, to the largest that the JWT library verifies.
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;
/// Longest exponent of an RSA key, in bytes.
const RSA_EXPONENT_BYTES_MAX: usize = 4;
/// Length of a coordinate of P-256, and of a public key of Ed25519, in bytes.
const COORDINATE_BYTES: usize = 32;

/// Usable keys of a set.
pub(super) struct PublicKeys(Vec<PublicKey>);

/// A key that verifies tokens with one algorithm.
struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
    validation: Validation,
}

/// Set that was read.
pub(super) struct ReadSet {
    pub(super) keys: PublicKeys,
    /// Positions of the keys that are not used, from 1 on, each with the reason.
    pub(super) unused: Vec<(usize, Unusable)>,
}

/// Why a text is no set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum NotASet {
    /// A text of another form.
    #[error("it is not a JWK Set, which is a JSON object with an array `keys`")]
    Malformed,
    /// A set with too many keys.
    #[error("it has more than {KEYS_MAX} keys")]
    TooManyKeys,
}

/// Why a key of a set is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Unusable {
    /// A member that its type needs is missing or malformed.
    #[error("it is malformed")]
    Malformed,
    /// A secret (`oct`).
    #[error("it is symmetric (`kty` is oct): a key set is public, so a secret in it is none")]
    Symmetric,
    /// A key with its private part.
    #[error("it is a private key: all readers of the set could sign with it, so its owner must replace it")]
    Private,
    /// A key for encryption, or for signing only.
    #[error("it is not for verifying signatures (`use` is not sig, or `key_ops` lacks verify)")]
    OtherUse,
    /// A type that is not supported.
    #[error("its type is not RSA, EC with P-256 or OKP with Ed25519")]
    OtherType,
    /// An `alg` that is not the algorithm of the key's type.
    #[error("its `alg` is not RS256 for RSA, ES256 for P-256 or EdDSA for Ed25519")]
    OtherAlgorithm,
    /// An RSA modulus that is too short or too long.
    #[error("its RSA modulus does not have {} to {} bits", RSA_BITS.start(), RSA_BITS.end())]
    RsaSize,
    /// An earlier key has the same id and algorithm.
    #[error("an earlier key has the same `kid` and algorithm")]
    Repeated,
}

/// Why the keys do not verify a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotVerified {
    /// No key has the id that the token names: a newer set may have one.
    UnknownKey,
    /// The token is malformed or not signed by the key, or its algorithm is not that of the key.
    Invalid,
}

impl PublicKeys {
    /// Reads a set. A key that cannot be used is left out (RFC 7517, section 5).
    pub(super) fn read(set: &[u8]) -> Result<ReadSet, NotASet> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(set).map_err(|_| NotASet::Malformed)?;
        if set.keys.len() > KEYS_MAX {
            return Err(NotASet::TooManyKeys);
        }
        let (mut keys, mut unused) = (Vec::<PublicKey>::new(), Vec::new());
        for (position, jwk) in (1..).zip(set.keys) {
            let is_same = |one: &PublicKey, other: &PublicKey| one.id == other.id && one.algorithm == other.algorithm;
            match Jwk::read(jwk) {
                Ok(key) if key.id.is_some() && keys.iter().any(|it| is_same(it, &key)) => {
                    unused.push((position, Unusable::Repeated));
                }
                Ok(key) => keys.push(key),
                Err(reason) => unused.push((position, reason)),
            }
        }
        Ok(ReadSet { keys: Self(keys), unused })
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Claims of a token with this header that was signed by one of the keys.
    pub(super) fn claims(&self, token: &str, header: &Header) -> Result<Claims, NotVerified> {
        let key = self.find(header.kid.as_deref(), header.alg)?;
        read_claims(token, &key.key, &key.validation).ok_or(NotVerified::Invalid)
    }

    /// Key with this id for this algorithm. Without an id it is the only key of the set.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&PublicKey, NotVerified> {
        let fits = |it: &&PublicKey| it.algorithm == algorithm;
        let Some(id) = id else {
            return match self.0.as_slice() {
                [only] => Some(only).filter(fits).ok_or(NotVerified::Invalid),
                _ => Err(NotVerified::Invalid),
            };
        };
        let has_id = |it: &&PublicKey| it.id.as_deref() == Some(id);
        if !self.0.iter().any(|it| has_id(&it)) {
            return Err(NotVerified::UnknownKey);
        }
        self.0.iter().filter(has_id).find(fits).ok_or(NotVerified::Invalid)
    }
}

/// Key of a set as it is written.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<IgnoredAny>,
}

impl Jwk {
    fn read(jwk: Value) -> Result<PublicKey, Unusable> {
        // Told by its type alone, whatever else it has.
        if jwk.get("kty").is_some_and(|it| it == "oct") {
            return Err(Unusable::Symmetric);
        }
        let jwk: Self = serde_json::from_value(jwk).map_err(|_| Unusable::Malformed)?;
        if jwk.d.is_some() {
            return Err(Unusable::Private);
        }
        let is_for_signatures = jwk.purpose.as_ref().is_none_or(|it| it == "sig");
        let verifies = jwk.key_ops.as_ref().is_none_or(|it| it.iter().any(|operation| operation == "verify"));
        if !is_for_signatures || !verifies {
            return Err(Unusable::OtherUse);
        }
        // The type alone decides on the algorithm, so that a token cannot choose one.
        let (algorithm, names, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => (Algorithm::RS256, ["RS256"].as_slice(), jwk.rsa()?),
            ("EC", Some("P-256")) => (Algorithm::ES256, ["ES256"].as_slice(), jwk.p256()?),
            // RFC 9864 gives EdDSA with this curve a name of its own.
            ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, ["EdDSA", "Ed25519"].as_slice(), jwk.ed25519()?),
            _ => return Err(Unusable::OtherType),
        };
        if jwk.alg.as_ref().is_some_and(|it| !names.contains(&it.as_str())) {
            return Err(Unusable::OtherAlgorithm);
        }
        // A point that is not on the curve is refused when a verifier is made of it.
        if jsonwebtoken::crypto::verify("", b"", &key, algorithm).is_err() {
            return Err(Unusable::Malformed);
        }
        Ok(PublicKey { id: jwk.kid, algorithm, key, validation: validation(algorithm) })
    }

    fn rsa(&self) -> Result<DecodingKey, Unusable> {
        let (modulus, exponent) = (bytes(self.n.as_ref())?, bytes(self.e.as_ref())?);
        let modulus: Vec<u8> = modulus.into_iter().skip_while(|it| *it == 0).collect();
        let unused_bits = modulus.first().map_or(0, |it| it.leading_zeros());
        let bits = (modulus.len() * 8).saturating_sub(usize::try_from(unused_bits).unwrap_or_default());
        if !RSA_BITS.contains(&bits) {
            return Err(Unusable::RsaSize);
        }
        // An exponent of 1 would accept any signature; an even one is none.
        let is_one = matches!(exponent.as_slice(), [zeros @ .., 1] if zeros.iter().all(|it| *it == 0));
        let is_odd = exponent.last().is_some_and(|it| it % 2 == 1);
        if is_one || !is_odd || exponent.len() > RSA_EXPONENT_BYTES_MAX {
            return Err(Unusable::Malformed);
        }
        Ok(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
    }

    fn p256(&self) -> Result<DecodingKey, Unusable> {
        let (Some(x), Some(y)) = (&self.x, &self.y) else { return Err(Unusable::Malformed) };
        for coordinate in [x, y] {
            of_length(coordinate, COORDINATE_BYTES)?;
        }
        DecodingKey::from_ec_components(x, y).map_err(|_| Unusable::Malformed)
    }

    fn ed25519(&self) -> Result<DecodingKey, Unusable> {
        let Some(x) = &self.x else { return Err(Unusable::Malformed) };
        of_length(x, COORDINATE_BYTES)?;
        DecodingKey::from_ed_components(x).map_err(|_| Unusable::Malformed)
    }
}

/// Bytes of a member in base64url.
fn bytes(member: Option<&String>) -> Result<Vec<u8>, Unusable> {
    member.and_then(|it| BASE64_URL_SAFE_NO_PAD.decode(it).ok()).ok_or(Unusable::Malformed)
}

/// Requires a member in base64url to have this number of bytes.
fn of_length(member: &String, length: usize) -> Result<(), Unusable> {
    if bytes(Some(member))?.len() == length { Ok(()) } else { Err(Unusable::Malformed) }
}

#[cfg(test)]
mod tests;
