// Prints a key set and tokens by its keys and by others, as JSON: see ../README.md. Arguments: issuer and audience.
import { createHmac } from 'node:crypto';
import { SignJWT, UnsecuredJWT, exportJWK, exportSPKI, generateKeyPair, importJWK } from 'jose';

const [issuer, audience] = process.argv.slice(2);
const now = Math.floor(Date.now() / 1000);

const options = { extractable: true };
const rsa = await generateKeyPair('RS256', options);
const p256 = await generateKeyPair('ES256', options);
const ed25519 = await generateKeyPair('EdDSA', { crv: 'Ed25519', ...options });
const foreign = await generateKeyPair('RS256', options);
const forEncryption = await generateKeyPair('RS256', options);
const ids = { rsa: 'rsa-1', p256: 'p256-1', ed25519: 'ed25519-1' };

const published = async (pair, more) => ({ ...(await exportJWK(pair.publicKey)), ...more });
const keys = {
  keys: [
    await published(rsa, { kid: ids.rsa, use: 'sig', alg: 'RS256' }),
    await published(p256, { kid: ids.p256, use: 'sig' }),
    await published(ed25519, { kid: ids.ed25519, alg: 'EdDSA' }),
    await published(forEncryption, { kid: 'encryption-1', use: 'enc' }),
    { kty: 'oct', kid: 'symmetric-1', k: Buffer.from('s'.repeat(32)).toString('base64url') },
  ],
};

const claims = (more = {}) => ({ sub: 'cus-ada', iss: issuer, aud: audience, iat: now, exp: now + 600, ...more });
const sign = (key, header, more) => new SignJWT(claims(more)).setProtectedHeader({ typ: 'JWT', ...header }).sign(key);
const byRsa = (more, header = {}) => sign(rsa.privateKey, { alg: 'RS256', kid: ids.rsa, ...header }, more);
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const bySecret = (secret, kid, alg = 'HS256') => {
  const signed = `${part({ alg, kid, typ: 'JWT' })}.${part(claims())}`;
  const hash = alg.replace('HS', 'sha');
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
};
// Web Crypto binds a key to one algorithm, so that another one needs the key in another form.
const byRsaWith = async (alg) => sign(await importJWK(await exportJWK(rsa.privateKey), alg), { alg, kid: ids.rsa });
const pem = await exportSPKI(rsa.publicKey);
const rs256 = await byRsa();
const [head, , signature] = rs256.split('.');
const invalid = 'token_invalid';

const cases = [
  ['RS256', rs256, null],
  ['ES256', await sign(p256.privateKey, { alg: 'ES256', kid: ids.p256 }), null],
  ['EdDSA', await sign(ed25519.privateKey, { alg: 'EdDSA', kid: ids.ed25519 }), null],
  ['several audiences', await byRsa({ aud: ['other', audience] }), null],
  ['a key that is not in the set', await sign(foreign.privateKey, { alg: 'RS256', kid: 'foreign-1' }), invalid],
  ['a key that is not in the set, under a name of the set', await sign(foreign.privateKey, { alg: 'RS256', kid: ids.rsa }), invalid],
  ['the name of another key', await sign(p256.privateKey, { alg: 'ES256', kid: ids.rsa }), invalid],
  ['no name of a key among several', await sign(rsa.privateKey, { alg: 'RS256' }), invalid],
  ['a key for encryption', await sign(forEncryption.privateKey, { alg: 'RS256', kid: 'encryption-1' }), invalid],
  ['a key that the token brings itself', await byRsa({}, { jwk: await published(rsa, {}), kid: 'own-1' }), invalid],
  ['PS256', await byRsaWith('PS256'), invalid],
  ['RS512', await byRsaWith('RS512'), invalid],
  ['another issuer', await byRsa({ iss: `${issuer}/` }), invalid],
  ['no issuer', await byRsa({ iss: undefined }), invalid],
  ['another audience', await byRsa({ aud: 'other' }), invalid],
  ['no audience', await byRsa({ aud: undefined }), invalid],
  ['expired', await byRsa({ iat: now - 700, exp: now - 100 }), invalid],
  ['without an end', await byRsa({ exp: undefined }), invalid],
  ['not valid yet', await byRsa({ nbf: now + 300 }), invalid],
  ['valid for a year', await byRsa({ exp: now + 365 * 86_400 }), 'token_valid_too_long'],
  ['no subject', await byRsa({ sub: undefined }), invalid],
  ['changed after it was signed', `${head}.${part(claims({ exp: now + 601 }))}.${signature}`, invalid],
  ['HS256 with the public key as the secret', bySecret(pem, ids.rsa), invalid],
  ['HS256 with the public key, without its last line break', bySecret(pem.trimEnd(), ids.rsa), invalid],
  ['HS256 with the modulus as the secret', bySecret(Buffer.from(keys.keys[0].n, 'base64url'), ids.rsa), invalid],
  ['HS512 with the public key as the secret', bySecret(pem, ids.rsa, 'HS512'), invalid],
  ['HS256 with the symmetric key of the set', bySecret('s'.repeat(32), 'symmetric-1'), invalid],
  ['alg none', new UnsecuredJWT(claims()).encode(), invalid],
  ['alg none with a name of a key', `${part({ alg: 'none', kid: ids.rsa })}.${part(claims())}.`, invalid],
  ['alg none with the signature of another', `${part({ alg: 'none', kid: ids.rsa })}.${part(claims())}.${signature}`, invalid],
];

console.log(JSON.stringify({ keys, cases: cases.map(([name, token, code]) => ({ name, token, code })) }));
