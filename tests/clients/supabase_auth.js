// supabase_auth.js - Supabase's own client for accounts, used as an application uses it, against auth-v1.
//
//   node supabase_auth.js API_URL SERVICE_TOKEN
//
// What only mails tell is asked for on standard output ("? code ann@example.com") and read from standard input.
// The last line of output is "done"; anything that is not as it should be ends it with an exception.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const readline = require('node:readline');
const { AuthClient, GoTrueAdminApi } = require('@supabase/auth-js');

const [api, service] = process.argv.slice(2);
const url = `${api}/auth/v1`;
const email = 'ann@example.com';
const password = 'correct horse battery';
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function ask(what) {
  console.log(`? ${what}`);
  return (await lines.next()).value;
}

function client(options = {}) {
  return new AuthClient({ url, headers: { apikey: 'anon' }, autoRefreshToken: false, detectSessionInUrl: false, ...options });
}

async function fine(promise) {
  const { data, error } = await promise;
  assert.equal(error, null);
  return data;
}

async function refused(promise, status, code) {
  const { error } = await promise;
  assert.deepEqual([error && error.status, error && error.code], [status, code]);
  return error;
}

function totp(secret) {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const mac = crypto.createHmac('sha1', key).update(counter).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, '0');
}

async function signUp(auth) {
  const weak = await refused(auth.signUp({ email, password: 'short' }), 422, 'weak_password');
  assert.deepEqual(weak.reasons, ['length']);
  const { user, session } = await fine(auth.signUp({ email, password, options: { data: { full_name: 'Ann Lee' } } }));
  assert.equal(session, null);
  assert.equal(user.user_metadata.full_name, 'Ann Lee');
  await refused(auth.signInWithPassword({ email, password }), 400, 'email_not_confirmed');
  const code = await ask(`code ${email}`);
  await refused(auth.verifyOtp({ email, token: code === '000000' ? '111111' : '000000', type: 'signup' }), 403, 'otp_expired');
  const verified = await fine(auth.verifyOtp({ email, token: code, type: 'signup' }));
  assert.equal(verified.user.id, user.id);
  assert.ok(verified.session.access_token && verified.session.refresh_token);
  await fine(auth.signOut());
}

async function sessions(auth) {
  await refused(auth.signInWithPassword({ email, password: 'wrong horse battery' }), 400, 'invalid_credentials');
  const { session } = await fine(auth.signInWithPassword({ email, password }));
  const refreshed = await fine(auth.refreshSession());
  assert.notEqual(refreshed.session.refresh_token, session.refresh_token);
  assert.equal((await fine(auth.getUser())).user.email, email);
  const updated = await fine(auth.updateUser({ data: { full_name: 'Ann B. Lee' } }));
  assert.equal(updated.user.user_metadata.full_name, 'Ann B. Lee');
  const other = client();
  await fine(other.signInWithPassword({ email, password }));
  await fine(auth.signOut({ scope: 'others' }));
  assert.equal((await other.getUser()).error.name, 'AuthSessionMissingError');
  const token = (await fine(auth.getSession())).session.access_token;
  await fine(auth.signOut());
  assert.equal((await fine(auth.getSession())).session, null);
  assert.equal((await auth.getUser(token)).error.name, 'AuthSessionMissingError');
}

async function pkce() {
  const auth = client({ flowType: 'pkce' });
  await fine(auth.signInWithOtp({ email, options: { emailRedirectTo: `${api}/in` } }));
  const { session } = await fine(auth.exchangeCodeForSession(await ask(`pkce ${email}`)));
  assert.equal(session.user.email, email);
  await fine(auth.signOut());
}

async function recovery(auth) {
  await fine(auth.resetPasswordForEmail(email, { redirectTo: `${api}/in` }));
  await fine(auth.verifyOtp({ token_hash: await ask(`recovery ${email}`), type: 'recovery' }));
  await refused(auth.updateUser({ password }), 422, 'same_password');
  await fine(auth.updateUser({ password: 'another good horse' }));
  await fine(auth.signOut());
  await fine(auth.signInWithPassword({ email, password: 'another good horse' }));
}

async function factors(auth) {
  const begun = await fine(auth.mfa.enroll({ factorType: 'totp', friendlyName: 'Phone' }));
  await fine(auth.mfa.challengeAndVerify({ factorId: begun.id, code: totp(begun.totp.secret) }));
  const level = await fine(auth.mfa.getAuthenticatorAssuranceLevel());
  assert.deepEqual([level.currentLevel, level.nextLevel], ['aal2', 'aal2']);
  assert.deepEqual((await fine(auth.mfa.listFactors())).totp.map((f) => f.id), [begun.id]);
  assert.equal((await fine(auth.mfa.unenroll({ factorId: begun.id }))).id, begun.id);
}

async function administration() {
  const admin = new GoTrueAdminApi({ url, headers: { Authorization: `Bearer ${service}` } });
  const { user } = await fine(admin.createUser({ email: 'bob@example.com', password, email_confirm: true }));
  const listed = await fine(admin.listUsers({ page: 1, perPage: 1 }));
  assert.deepEqual([listed.users.map((u) => u.id), listed.total, listed.nextPage], [[user.id], 2, 2]);
  assert.equal((await fine(admin.getUserById(user.id))).user.email, 'bob@example.com');
  assert.deepEqual((await fine(admin.updateUserById(user.id, { user_metadata: { a: 1 } }))).user.user_metadata, { a: 1 });
  const link = await fine(admin.generateLink({ type: 'magiclink', email: 'bob@example.com' }));
  assert.equal(link.user.id, user.id);
  assert.equal((await fine(client().verifyOtp({ token_hash: link.properties.hashed_token, type: 'magiclink' }))).user.id, user.id);
  await fine(admin.deleteUser(user.id));
  await refused(admin.getUserById(user.id), 404, 'user_not_found');
}

async function main() {
  const auth = client();
  await signUp(auth);
  await sessions(auth);
  await pkce();
  await recovery(auth);
  await factors(auth);
  await administration();
  await fine(auth.signOut());
  console.log('done');
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
