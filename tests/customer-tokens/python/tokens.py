"""Prints a key set and tokens by its keys and by others, as JSON: see ../README.md. Arguments: issuer and audience."""

import base64
import hashlib
import hmac
import json
import sys
import time
import warnings

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

issuer, audience = sys.argv[1:]
now = int(time.time())

# PyJWT warns of the weak key, which is the point of it.
warnings.simplefilter("ignore")
rsa_key = rsa.generate_private_key(65537, 3072)
weak_key = rsa.generate_private_key(65537, 1024)
foreign_key = rsa.generate_private_key(65537, 2048)
p256_key = ec.generate_private_key(ec.SECP256R1())
p384_key = ec.generate_private_key(ec.SECP384R1())
ed25519_key = ed25519.Ed25519PrivateKey.generate()


def published(algorithm, key, kid, **more):
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, **more}


keys = {
    "keys": [
        published(RSAAlgorithm, rsa_key, "rsa-1", use="sig"),
        published(ECAlgorithm, p256_key, "p256-1", alg="ES256"),
        published(OKPAlgorithm, ed25519_key, "ed25519-1", use="sig"),
        published(RSAAlgorithm, weak_key, "weak-1", use="sig"),
        published(ECAlgorithm, p384_key, "p384-1", use="sig"),
    ]
}


def claims(**more):
    every = {"sub": "cus-ada", "iss": issuer, "aud": audience, "iat": now, "exp": now + 600, **more}
    return {name: value for name, value in every.items() if value is not None}


def sign(key, algorithm, kid, **more):
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(claims(**more), key, algorithm=algorithm, headers=headers)


def part(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_secret(secret, kid):
    """PyJWT refuses a public key as a secret."""
    signed = f"{part({'alg': 'HS256', 'kid': kid, 'typ': 'JWT'})}.{part(claims())}"
    return f"{signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


pem = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
der = rsa_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
pem_pkcs1 = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
ed25519_bytes = ed25519_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
es256 = sign(p256_key, "ES256", "p256-1")
head, _, signature = es256.split(".")

INVALID = "token_invalid"
cases = [
    ("RS256", sign(rsa_key, "RS256", "rsa-1"), None),
    ("ES256", es256, None),
    ("EdDSA", sign(ed25519_key, "EdDSA", "ed25519-1"), None),
    ("several audiences", sign(ed25519_key, "EdDSA", "ed25519-1", aud=["other", audience]), None),
    ("times with fractions", sign(p256_key, "ES256", "p256-1", iat=now - 0.5, exp=now + 0.5 + 60), None),
    ("a key that is not in the set", sign(foreign_key, "RS256", "foreign-1"), INVALID),
    ("a key that is not in the set, under a name of the set", sign(foreign_key, "RS256", "rsa-1"), INVALID),
    ("the name of another key", sign(rsa_key, "RS256", "p256-1"), INVALID),
    ("no name of a key among several", sign(rsa_key, "RS256", None), INVALID),
    ("a weak key of the set", sign(weak_key, "RS256", "weak-1"), INVALID),
    ("ES384", sign(p384_key, "ES384", "p384-1"), INVALID),
    ("RS384", sign(rsa_key, "RS384", "rsa-1"), INVALID),
    ("PS256", sign(rsa_key, "PS256", "rsa-1"), INVALID),
    ("another issuer", sign(rsa_key, "RS256", "rsa-1", iss="https://other.example"), INVALID),
    ("no issuer", sign(p256_key, "ES256", "p256-1", iss=None), INVALID),
    ("another audience", sign(ed25519_key, "EdDSA", "ed25519-1", aud="other"), INVALID),
    ("no audience", sign(rsa_key, "RS256", "rsa-1", aud=None), INVALID),
    ("expired", sign(p256_key, "ES256", "p256-1", iat=now - 700, exp=now - 100), INVALID),
    ("without an end", sign(p256_key, "ES256", "p256-1", exp=None), INVALID),
    ("not valid yet", sign(ed25519_key, "EdDSA", "ed25519-1", nbf=now + 300), INVALID),
    ("valid for a year", sign(rsa_key, "RS256", "rsa-1", exp=now + 365 * 86400), "token_valid_too_long"),
    ("no subject", sign(rsa_key, "RS256", "rsa-1", sub=None), INVALID),
    ("a subject that is no customer's id", sign(rsa_key, "RS256", "rsa-1", sub="two words"), INVALID),
    ("changed after it was signed", f"{head}.{part(claims(exp=now + 601))}.{signature}", INVALID),
    ("HS256 with the public key as the secret", by_secret(pem, "rsa-1"), INVALID),
    ("HS256 with the public key in PKCS #1", by_secret(pem_pkcs1, "rsa-1"), INVALID),
    ("HS256 with the public key in DER", by_secret(der, "rsa-1"), INVALID),
    ("HS256 with the public key of Ed25519", by_secret(ed25519_bytes, "ed25519-1"), INVALID),
    ("alg none", jwt.encode(claims(), None, algorithm="none"), INVALID),
    ("alg none with a name of a key", jwt.encode(claims(), None, algorithm="none", headers={"kid": "rsa-1"}), INVALID),
    ("alg nOnE", f"{part({'alg': 'nOnE', 'kid': 'rsa-1'})}.{part(claims())}.", INVALID),
]

print(json.dumps({"keys": keys, "cases": [{"name": name, "token": token, "code": code} for name, token, code in cases]}))
