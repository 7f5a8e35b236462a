// twilio.js - Twilio's own client, used as an application uses it, against the sandbox.
//
//   node twilio.js SANDBOX_URL TOKEN
//
// It looks for a number, buys, changes and releases it, sends a text and calls; then it takes what the sandbox tells, on an address of its
// own, and proves it by the client's own functions.  The last line of output is "done".
'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const twilio = require('twilio');

const [box, token] = process.argv.slice(2);
const ACCOUNT = `AC${'1'.repeat(32)}`;
const THEIRS = '+15557001234';

// The client asks https://api.twilio.com and no other host: what it asks for goes to the sandbox instead.
class ToSandbox extends twilio.RequestClient {
  request(opts) {
    const { origin, pathname, search } = new URL(opts.uri);
    assert.equal(origin, 'https://api.twilio.com');
    return super.request({ ...opts, uri: `${box}/twilio${pathname}${search}` });
  }
}

function client(password) {
  return twilio(ACCOUNT, password, { httpClient: new ToSandbox() });
}

async function control(path, body) {
  const answer = await fetch(`${box}/_sandbox/${path}`, { method: body ? 'POST' : 'GET', body: body && JSON.stringify(body) });
  const shown = await answer.json();
  assert.ok(answer.ok, JSON.stringify(shown));
  return shown;
}

async function refused(promise, status, code) {
  const error = await promise.then(() => null, (e) => e);
  assert.deepEqual([error && error.status, error && error.code], [status, code], String(error));
}

// What is told, as it came.
function receive() {
  const got = [];
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      got.push({ path: request.url, body, mark: request.headers['x-twilio-signature'] });
      response.writeHead(200, { 'Content-Type': 'text/xml' }).end('<Response/>');
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ got, server, url: `http://127.0.0.1:${server.address().port}` }));
  });
}

async function numbers(api, hooks) {
  const found = await api.availablePhoneNumbers('US').local.list({ areaCode: 212, smsEnabled: true, limit: 5 });
  assert.equal(found.length, 5);
  assert.deepEqual([found[0].isoCountry, found[0].locality, found[0].capabilities.sms], ['US', 'New York', true]);
  assert.equal((await api.availablePhoneNumbers('US').tollFree.list({ limit: 1 }))[0].phoneNumber.slice(0, 3), '+18');
  assert.deepEqual(await api.availablePhoneNumbers('US').local.list({ areaCode: 999 }), []);
  await refused(api.availablePhoneNumbers('US').local.list({ areaCode: 9 }), 400, 21451);
  await refused(api.availablePhoneNumbers('XX').local.list(), 404, 20404);
  const one = await api.incomingPhoneNumbers.create({ phoneNumber: found[0].phoneNumber, friendlyName: 'hookswitch:1',
    smsUrl: `${hooks.url}/sms?org=42&x=%2B1` });
  assert.deepEqual([one.phoneNumber, one.friendlyName, one.capabilities.voice], [found[0].phoneNumber, 'hookswitch:1', true]);
  assert.ok(one.dateCreated instanceof Date && !Number.isNaN(one.dateCreated.getTime()));
  await refused(api.incomingPhoneNumbers.create({ phoneNumber: found[0].phoneNumber }), 400, 21422);
  await refused(api.incomingPhoneNumbers.create({ phoneNumber: '555' }), 400, 21421);
  await refused(api.incomingPhoneNumbers.create({ areaCode: '999' }), 400, 21452);
  const changed = await api.incomingPhoneNumbers(one.sid).update({ friendlyName: 'hookswitch:2', statusCallback: `${hooks.url}/status` });
  assert.deepEqual([changed.friendlyName, changed.smsUrl], ['hookswitch:2', one.smsUrl]);
  for (const areaCode of ['212', '212']) {
    await api.incomingPhoneNumbers.create({ areaCode });
  }
  const all = await api.incomingPhoneNumbers.list({ pageSize: 1 });
  assert.equal(new Set(all.map((n) => n.sid)).size, 3);
  assert.deepEqual((await api.incomingPhoneNumbers.list({ phoneNumber: one.phoneNumber })).map((n) => n.sid), [one.sid]);
  assert.equal((await api.incomingPhoneNumbers(one.sid).fetch()).friendlyName, 'hookswitch:2');
  await refused(client('bad').incomingPhoneNumbers.list(), 401, 20003);
  return one;
}

async function talk(api, one, hooks) {
  const sent = await api.messages.create({ to: THEIRS, from: one.phoneNumber, body: 'Grüße + 1 & 2', statusCallback: `${hooks.url}/message` });
  assert.deepEqual([sent.status, sent.direction, sent.numSegments], ['queued', 'outbound-api', '1']);
  const call = await api.calls.create({ to: THEIRS, from: one.phoneNumber, twiml: '<Response><Say>4 7 1 1</Say></Response>',
    statusCallback: `${hooks.url}/call`, statusCallbackEvent: ['ringing', 'completed'] });
  assert.equal(call.phoneNumberSid, one.sid);
  await control('idle', {});
  assert.equal((await api.messages(sent.sid).fetch()).status, 'delivered');
  assert.equal((await api.calls(call.sid).fetch()).status, 'completed');
  await control('twilio/sms', { to: one.phoneNumber, from: THEIRS, body: 'ä + & =', media: ['https://media.example.com/1'] });
  await control('twilio/call', { to: one.phoneNumber, from: THEIRS, status: 'busy' });
  await control('twilio/send', { url: `${hooks.url}/json?a=1`, json: { words: 'ü' } });
  await refused(api.messages.create({ to: '+1', from: one.phoneNumber, body: 'x' }), 400, 21211);
}

// Each is what it says, with the address as it was told; changed, it is not.
function proofs(hooks) {
  const paths = hooks.got.map(({ path }) => path.split('?')[0]).sort();
  assert.deepEqual(paths, ['/call', '/call', '/json', '/message', '/message', '/message', '/sms', '/status']);
  for (const { path, body, mark } of hooks.got) {
    const url = hooks.url + path;
    if (path.startsWith('/json')) {
      assert.ok(twilio.validateRequestWithBody(token, mark, url, body));
      assert.ok(!twilio.validateRequestWithBody(token, mark, url, body.replace('ü', 'u')));
      assert.ok(!twilio.validateRequestWithBody(token, mark, url.replace('a=1', 'a=2'), body));
      continue;
    }
    const fields = Object.fromEntries(new URLSearchParams(body));
    assert.ok(twilio.validateRequest(token, mark, url, fields), path);
    assert.ok(!twilio.validateRequest('other', mark, url, fields));
    assert.ok(!twilio.validateRequest(token, mark, `${url}x`, fields));
    assert.ok(!twilio.validateRequest(token, mark, url, { ...fields, To: '+15550100009' }));
    assert.ok(!twilio.validateRequest(token, mark, url, { ...fields, More: '' }));
  }
}

async function main() {
  const api = client(token);
  const hooks = await receive();
  const one = await numbers(api, hooks);
  await talk(api, one, hooks);
  proofs(hooks);
  assert.equal(await api.incomingPhoneNumbers(one.sid).remove(), true);
  await refused(api.incomingPhoneNumbers(one.sid).remove(), 404, 20404);
  console.log('done');
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
