use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::Jwk as LibraryJwk;
use serde_json::json;

use super::*;

// Made by PyJWT 2.15.1 with a key that was thrown away: `{"sub": "cus-ada", "exp": 1743415650}`.
/// Modulus of an RSA key of 2048 bits, whose exponent is 65537.
const MODULUS: &str = "lZqqonNdtGW6TCy5guqF9ib3qVtjlNHAzFjyc6ePTeq3kDHvrdB-8TjUy7uel21QyJ5nlysu-r5EJ4BYwIkzJE94-jpXbVdhqtdhokaZhMdnTTQOhCDCtxaOmUZla8EKjOFaC5ZDfSAsmE74UOiq5vS9HHZf4a7UdNLKTWCJXTW8O3Gtg3D6sTLzM4tYm9DrVOL2L1y0nNnIMqYZDhNWDRH0Fs9eZTjbAHdvI0AY-LM-qtgTOx807_0R2oMVu1d0IF47WfOUZf8kMOoxwqBMMNmVAEqJaN9aUKJSGCRnjBdt_4-TUjFZuIlwwc9cJX3NDDvgOcOhyBo5SJWmTYY35Q";
/// Token that this key has signed with RS256; it names `rsa-1`.
const SIGNED: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIiwidHlwIjoiSldUIn0.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjoxNzQzNDE1NjUwfQ.HXG5EP81Uf7M9WnJdY1AJXS8qxHOdxs7BBHJbqaOg0dfgTKrRB1V5kFz6pw_hH6HyHxNFm8Wlq6DheowrDEUY1Cj4pPh8HEbHPV0R_EGlpzxelgegzwq-Sl4TfD9JWthDIMsK7_Ja4Mz4dHCialhoROUDnvix-ituj2S_5FonGq4eTL2led3HKwRaGOPoTEmxL1zQLvz4l7w4yQWGNIt7zctzE-0DgAtKXSSmrMTV4BXFwGZ3mrhUJaTxp8gvqY7jxwg7-UIYEkNXx2aZfsSRj7EnxmFZNBFb9N537Ep4VvUQzFNqePc0Cn1N17Tz7hVdcwoJYz8H5H1zVFaQVTP4Q";

fn rsa() -> Value {
    json!({ "kty": "RSA", "kid": "rsa-1", "use": "sig", "alg": "RS256", "n": MODULUS, "e": "AQAB" })
}

/// Public key of P-256 and of Ed25519, as the JWT library writes them.
fn curves() -> (Value, Value) {
    let p256 = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";
    let ed25519 = "302e020100300506032b657004220420";
    let secret = |prefix: &str| [hex::decode(prefix).unwrap(), vec![7; 32]].concat();
    let shown = |key: &EncodingKey, algorithm| {
        serde_json::to_value(LibraryJwk::from_encoding_key(key, algorithm).unwrap()).unwrap()
    };
    let p256 = shown(&EncodingKey::from_ec_der(&secret(p256)), Algorithm::ES256);
    (p256, shown(&EncodingKey::from_ed_der(&secret(ed25519)), Algorithm::EdDSA))
}

/// A key with some members changed; one that becomes null is removed.
fn with(mut key: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        key[name] = value.clone();
    }
    key.as_object_mut().unwrap().retain(|_, it| !it.is_null());
    key
}

fn read(keys: &[Value]) -> ReadSet {
    PublicKeys::read(json!({ "keys": keys }).to_string().as_bytes()).ok().unwrap()
}

/// Modulus of this number of bits.
fn modulus(bits: usize) -> String {
    let mut bytes = vec![0xff; bits.div_ceil(8)];
    bytes[0] >>= bytes.len() * 8 - bits;
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_key_is_used_only_if_it_can_verify_what_it_says() {
    let (p256, ed25519) = curves();
    let x = p256["x"].clone();
    for (key, expected) in [
        (rsa(), None),
        (p256.clone(), None),
        (ed25519.clone(), None),
        (with(ed25519.clone(), &json!({ "alg": "Ed25519" })), None),
        (with(rsa(), &json!({ "use": null, "alg": null, "kid": null, "key_ops": ["verify"] })), None),
        (with(rsa(), &json!({ "x5c": ["MIIC"], "ext": true })), None),
        (json!({ "kty": "oct", "kid": "s", "k": "aHVzaA" }), Some(Unusable::Symmetric)),
        (json!({ "kty": "oct" }), Some(Unusable::Symmetric)),
        (with(rsa(), &json!({ "d": "AQAB" })), Some(Unusable::Private)),
        (with(ed25519.clone(), &json!({ "d": "AQAB" })), Some(Unusable::Private)),
        (with(rsa(), &json!({ "use": "enc" })), Some(Unusable::OtherUse)),
        (with(rsa(), &json!({ "key_ops": ["sign"] })), Some(Unusable::OtherUse)),
        (with(rsa(), &json!({ "alg": "RS512" })), Some(Unusable::OtherAlgorithm)),
        (with(rsa(), &json!({ "alg": "HS256" })), Some(Unusable::OtherAlgorithm)),
        (with(rsa(), &json!({ "alg": "RSA-OAEP-256" })), Some(Unusable::OtherAlgorithm)),
        (with(p256.clone(), &json!({ "alg": "RS256" })), Some(Unusable::OtherAlgorithm)),
        (with(p256.clone(), &json!({ "crv": "P-384", "alg": "ES384" })), Some(Unusable::OtherType)),
        (with(p256.clone(), &json!({ "crv": null })), Some(Unusable::OtherType)),
        (with(ed25519.clone(), &json!({ "crv": "X25519" })), Some(Unusable::OtherType)),
        (with(rsa(), &json!({ "n": modulus(1024) })), Some(Unusable::RsaSize)),
        (with(rsa(), &json!({ "n": modulus(2047) })), Some(Unusable::RsaSize)),
        (with(rsa(), &json!({ "n": modulus(2048) })), None),
        (with(rsa(), &json!({ "n": modulus(4096) })), None),
        (with(rsa(), &json!({ "n": modulus(4097) })), Some(Unusable::RsaSize)),
        (with(rsa(), &json!({ "n": "" })), Some(Unusable::RsaSize)),
        (with(rsa(), &json!({ "n": null })), Some(Unusable::Malformed)),
        (with(rsa(), &json!({ "e": "AQ" })), Some(Unusable::Malformed)),
        (with(rsa(), &json!({ "e": "AAAB" })), Some(Unusable::Malformed)),
        (with(rsa(), &json!({ "e": "AQAA" })), Some(Unusable::Malformed)),
        (with(rsa(), &json!({ "e": "" })), Some(Unusable::Malformed)),
        (with(rsa(), &json!({ "kid": 7 })), Some(Unusable::Malformed)),
        (with(p256.clone(), &json!({ "y": x })), Some(Unusable::Malformed)),
        (with(p256.clone(), &json!({ "y": "AQAB" })), Some(Unusable::Malformed)),
        (with(p256, &json!({ "y": null })), Some(Unusable::Malformed)),
        (with(ed25519.clone(), &json!({ "x": "AQAB" })), Some(Unusable::Malformed)),
        (with(ed25519, &json!({ "kty": null })), Some(Unusable::Malformed)),
        (json!("RSA"), Some(Unusable::Malformed)),
    ] {
        // The keys around it are used whatever it is.
        let set =
            read(&[with(rsa(), &json!({ "kid": "before" })), key.clone(), with(rsa(), &json!({ "kid": "after" }))]);
        let unused: Vec<_> = expected.iter().map(|it| (2, *it)).collect();
        assert_eq!((set.keys.len(), set.unused), (3 - unused.len(), unused), "{key}");
    }
}

#[test]
fn a_repeated_key_is_left_out_and_an_id_may_be_of_two_algorithms() {
    let (p256, _) = curves();
    let set = read(&[rsa(), rsa(), with(p256, &json!({ "kid": "rsa-1" }))]);
    assert_eq!((set.keys.len(), set.unused), (2, vec![(2, Unusable::Repeated)]));
    for (algorithm, found) in [(Algorithm::RS256, true), (Algorithm::ES256, true), (Algorithm::EdDSA, false)] {
        let key = set.keys.find(Some("rsa-1"), algorithm);
        assert_eq!(key.is_ok_and(|it| it.algorithm == algorithm), found, "{algorithm:?}");
    }
}

#[test]
fn a_text_that_is_no_set_or_has_too_many_keys_is_refused() {
    let keys = |count: usize| json!({ "keys": vec![rsa(); count] }).to_string();
    for (text, expected) in [
        ("", Some(NotASet::Malformed)),
        ("<html>", Some(NotASet::Malformed)),
        ("[]", Some(NotASet::Malformed)),
        ("{}", Some(NotASet::Malformed)),
        ("{\"keys\": {}}", Some(NotASet::Malformed)),
        ("{\"keys\": [], \"keys\": []}", Some(NotASet::Malformed)),
        ("{\"keys\": [], \"more\": 1}", None),
        (&keys(KEYS_MAX), None),
        (&keys(KEYS_MAX + 1), Some(NotASet::TooManyKeys)),
    ] {
        assert_eq!(PublicKeys::read(text.as_bytes()).err(), expected, "{text:.40}");
    }
}

#[test]
fn a_token_is_verified_by_the_key_that_it_names_and_without_a_name_by_the_only_one() {
    let (p256, ed25519) = curves();
    let other = with(rsa(), &json!({ "kid": "other", "n": modulus(2048) }));
    let header = |id: Option<&str>, algorithm| Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
    let (named, nameless) = (Some("rsa-1"), None);
    for (keys, id, algorithm, expected) in [
        (vec![rsa()], named, Algorithm::RS256, None),
        (vec![other.clone(), rsa(), p256.clone()], named, Algorithm::RS256, None),
        (vec![rsa()], nameless, Algorithm::RS256, None),
        (vec![with(rsa(), &json!({ "kid": null }))], nameless, Algorithm::RS256, None),
        (vec![json!({ "kty": "oct", "k": "aHVzaA" }), rsa()], nameless, Algorithm::RS256, None),
        (vec![with(rsa(), &json!({ "kid": null }))], named, Algorithm::RS256, Some(NotVerified::UnknownKey)),
        (vec![rsa(), p256.clone()], nameless, Algorithm::RS256, Some(NotVerified::Invalid)),
        (vec![other.clone()], nameless, Algorithm::RS256, Some(NotVerified::Invalid)),
        (vec![rsa()], Some("other"), Algorithm::RS256, Some(NotVerified::UnknownKey)),
        (vec![rsa(), other], Some("other"), Algorithm::RS256, Some(NotVerified::Invalid)),
        (vec![rsa()], named, Algorithm::ES256, Some(NotVerified::Invalid)),
        (vec![with(p256, &json!({ "kid": "rsa-1" }))], named, Algorithm::RS256, Some(NotVerified::Invalid)),
        (vec![with(ed25519, &json!({ "kid": "rsa-1" }))], named, Algorithm::RS256, Some(NotVerified::Invalid)),
    ] {
        let verified = read(&keys).keys.claims(SIGNED, &header(id, algorithm));
        assert_eq!(verified.err(), expected, "{id:?} {algorithm:?} {keys:?}");
    }
}
