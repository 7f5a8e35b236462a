// stripe.js - Stripe's own client, used as an application uses it, against the sandbox.
//
//   node stripe.js SANDBOX_URL
//
// It drives a customer from his first plan to his refund, and reads what the sandbox sent and signed from standard input:
// one line of JSON a webhook, {"body", "header"}, after it has said "? webhooks".  The last line of output is "done".
'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const readline = require('node:readline');
const Stripe = require('stripe');

const [box] = process.argv.slice(2);
const DAY = 86400;
const SECRETS = { first: 'whsec_first', second: 'whsec_second' };
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// The client takes no path in its host: /stripe is put before what it asks for.
function client(version) {
  const { hostname, port } = new URL(box);
  const agent = new http.Agent({ keepAlive: true });
  const inner = Stripe.createNodeHttpClient(agent);
  const under = Object.create(inner);
  under.makeRequest = (host, p, path, ...rest) => inner.makeRequest(host, p, `/stripe${path}`, ...rest);
  return new Stripe('sk_test_sandbox', { host: hostname, port, protocol: 'http', httpClient: under, maxNetworkRetries: 0,
    ...(version ? { apiVersion: version } : {}) });
}

async function control(path, body) {
  const answer = await fetch(`${box}/_sandbox/${path}`, { method: body ? 'POST' : 'GET', body: body && JSON.stringify(body) });
  const shown = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(shown));
  return shown;
}

async function refused(promise, type, code) {
  const error = await promise.then(() => null, (e) => e);
  assert.deepEqual([error && error.type, error && error.code], [type, code]);
  return error;
}

async function catalogue(stripe) {
  const customer = await stripe.customers.create({ email: 'owner@example.com', name: 'Owner One', metadata: { org: '42' } },
    { idempotencyKey: 'customer-42' });
  const again = await stripe.customers.create({ email: 'owner@example.com', name: 'Owner One', metadata: { org: '42' } },
    { idempotencyKey: 'customer-42' });
  assert.equal(again.id, customer.id);
  assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
  await refused(stripe.customers.create({ email: 'other@example.com' }, { idempotencyKey: 'customer-42' }), 'StripeIdempotencyError');
  assert.equal((await stripe.customers.list({ email: 'owner@example.com' })).data[0].id, customer.id);
  const product = await stripe.products.create({ name: 'Basic' });
  const price = (amount, more) => stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: amount,
    recurring: { interval: 'month' }, ...more });
  const meter = await stripe.billing.meters.create({ display_name: 'Minutes', event_name: 'call_minutes',
    default_aggregation: { formula: 'sum' }, customer_mapping: { type: 'by_id', event_payload_key: 'stripe_customer_id' },
    value_settings: { event_payload_key: 'value' } });
  const metered = { interval: 'month', usage_type: 'metered' };
  await refused(price(12, { recurring: metered }), 'StripeInvalidRequestError', undefined);
  const prices = { basic: await price(4900, { lookup_key: 'basic' }), business: await price(9900),
    minutes: await price(12, { recurring: { ...metered, meter: meter.id } }) };
  assert.equal((await stripe.prices.list({ lookup_keys: ['basic'] })).data[0].id, prices.basic.id);
  return { customer, prices, meter };
}

async function buy(stripe, { customer, prices }) {
  const asked = { mode: 'subscription', customer: customer.id, client_reference_id: '42', allow_promotion_codes: true,
    line_items: [{ price: prices.basic.id, quantity: 1 }, { price: prices.minutes.id }],
    success_url: 'https://app.example.com/?session={CHECKOUT_SESSION_ID}', cancel_url: 'https://app.example.com/',
    subscription_data: { metadata: { org: '42' } } };
  const other = await stripe.checkout.sessions.create(asked);
  assert.equal((await stripe.checkout.sessions.expire(other.id)).status, 'expired');
  const session = await stripe.checkout.sessions.create(asked);
  assert.equal((await fetch(session.url, { method: 'POST', body: new URLSearchParams({ do: 'fail' }) })).status, 402);
  const paid = await fetch(session.url, { method: 'POST', body: new URLSearchParams({ do: 'pay' }), redirect: 'manual' });
  assert.deepEqual([paid.status, paid.headers.get('location')], [303, `https://app.example.com/?session=${session.id}`]);
  const after = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription', 'line_items'] });
  assert.deepEqual([after.status, after.payment_status, after.line_items.data.length], ['complete', 'paid', 2]);
  assert.deepEqual([after.subscription.status, after.subscription.metadata.org], ['active', '42']);
  return after.subscription;
}

async function upgrade(stripe, subscription, { prices }) {
  const [item] = subscription.items.data;
  const half = Math.round((item.current_period_start + item.current_period_end) / 2);
  await control('stripe/clock', { to: half });
  const items = [{ id: item.id, price: prices.business.id }];
  const preview = await stripe.invoices.createPreview({ subscription: subscription.id,
    subscription_details: { items, proration_behavior: 'always_invoice', proration_date: half } });
  assert.deepEqual(preview.lines.data.map((line) => line.amount), [-2450, 4950]);
  const changed = await stripe.subscriptions.update(subscription.id, { items, proration_behavior: 'always_invoice',
    payment_behavior: 'error_if_incomplete', proration_date: half, expand: ['latest_invoice.payments'] });
  assert.equal(changed.latest_invoice.total, preview.total);
  assert.equal(changed.latest_invoice.status, 'paid');
  assert.equal(changed.items.data[0].price.id, prices.business.id);
  return changed.latest_invoice;
}

async function use(stripe, { customer, meter }) {
  for (const identifier of ['call-1', 'call-2', 'call-1']) {
    const event = await stripe.billing.meterEvents.create({ event_name: 'call_minutes', identifier,
      payload: { stripe_customer_id: customer.id, value: '7' } });
    assert.equal(event.identifier, identifier);
  }
  const end = Math.ceil((await control('stripe/clock')).now / 60) * 60 + 60;
  const summaries = await stripe.billing.meters.listEventSummaries(meter.id, { customer: customer.id, start_time: end - 3600, end_time: end });
  assert.equal(summaries.data[0].aggregated_value, 14);
}

async function renew(stripe, subscription) {
  const now = await stripe.subscriptions.retrieve(subscription.id);
  await control('stripe/clock', { to: now.items.data[0].current_period_end + 60 });
  const [draft] = (await stripe.invoices.list({ subscription: subscription.id, status: 'draft' })).data;
  assert.equal(draft.total, 9900 + 14 * 12);
  await control('stripe/clock', { advance: 3600 });
  const paid = await stripe.invoices.retrieve(draft.id, { expand: ['payments.data.payment.payment_intent'] });
  assert.equal(paid.status, 'paid');
  assert.equal(paid.parent.subscription_details.subscription, subscription.id);
  return paid.payments.data[0].payment.payment_intent;
}

async function leave(stripe, subscription, { customer }, intent) {
  const portal = await stripe.billingPortal.sessions.create({ customer: customer.id, return_url: 'https://app.example.com/' });
  assert.equal((await fetch(portal.url)).status, 200);
  const form = new URLSearchParams({ do: 'cancel', subscription: subscription.id });
  await fetch(portal.url, { method: 'POST', body: form });
  assert.equal((await stripe.subscriptions.retrieve(subscription.id)).cancel_at_period_end, true);
  const kept = await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: false });
  assert.equal(kept.cancel_at, null);
  assert.equal((await stripe.subscriptions.cancel(subscription.id)).status, 'canceled');
  const refund = await stripe.refunds.create({ payment_intent: intent.id, amount: 100 });
  assert.deepEqual([refund.status, refund.charge], ['succeeded', intent.latest_charge]);
  assert.equal((await stripe.charges.retrieve(refund.charge)).amount_refunded, 100);
  const found = [];
  for await (const charge of stripe.charges.list({ customer: customer.id, limit: 1 })) {
    found.push(charge.amount);
  }
  assert.deepEqual(found, [9900 + 14 * 12, 2500, 4900]);
  await refused(stripe.subscriptions.retrieve('sub_none'), 'StripeInvalidRequestError', 'resource_missing');
  await refused(new Stripe('bad', { host: '127.0.0.1', port: new URL(box).port, protocol: 'http',
    httpClient: stripe.getApiField('httpClient') }).customers.list(), 'StripeAuthenticationError');
  assert.equal((await stripe.customers.del(customer.id)).deleted, true);
}

async function declined(stripe, { prices }) {
  const customer = await stripe.customers.create({ email: 'poor@example.com' });
  await control(`stripe/customers/${customer.id}`, { card: 'declines' });
  await refused(stripe.subscriptions.create({ customer: customer.id, items: [{ price: prices.basic.id }],
    payment_behavior: 'error_if_incomplete' }), 'StripeCardError', 'card_declined');
  assert.equal((await stripe.subscriptions.list({ customer: customer.id, status: 'all' })).data.length, 0);
}

async function webhooks(stripe) {
  console.log('? webhooks');
  const seen = new Set();
  for (let { value } = await lines.next(); value; { value } = await lines.next()) {
    const { body, header } = JSON.parse(value);
    for (const secret of Object.values(SECRETS)) {
      const event = stripe.webhooks.constructEvent(body, header, secret);
      seen.add(event.type);
    }
    assert.throws(() => stripe.webhooks.constructEvent(body.replace('"livemode":false', '"livemode":true'), header, SECRETS.first));
    assert.throws(() => stripe.webhooks.constructEvent(body, header, 'whsec_other'));
  }
  for (const type of ['checkout.session.completed', 'customer.subscription.created', 'customer.subscription.updated',
    'customer.subscription.deleted', 'invoice.created', 'invoice.finalized', 'invoice.paid', 'charge.refunded', 'customer.deleted']) {
    assert.ok(seen.has(type), type);
  }
}

async function main() {
  const stripe = client();
  const things = await catalogue(stripe);
  const subscription = await buy(stripe, things);
  await upgrade(stripe, subscription, things);
  await use(stripe, things);
  const intent = await renew(stripe, subscription);
  const older = await client('2023-08-16').subscriptions.retrieve(subscription.id);
  assert.equal(typeof older.current_period_end, 'number');
  await leave(stripe, subscription, things, intent);
  await declined(stripe, things);
  await webhooks(stripe);
  console.log('done');
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
