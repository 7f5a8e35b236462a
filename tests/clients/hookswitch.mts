// hookswitch.mts - a client made from docs/openapi.json (openapi-typescript, openapi-fetch), as a developer uses it.
//
//   node hookswitch.mjs API_URL TOKEN TEMPLATE_ID
//
// Orders calls, pages through the list, looks at one, is refused, cancels; prints what it saw as one line of JSON.
// Anything that is not as it should be ends it with an exception; what is not as the description says does not compile.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.mjs";

declare const process: { argv: string[]; exitCode: number };

type Call = components["schemas"]["Call"];
type CallLine = components["schemas"]["CallLine"];
type NewCall = paths["/api/v1/calls"]["post"]["requestBody"]["content"]["application/json"];

const [url = "", token = "", template = ""] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

async function order(number: string): Promise<Call> {
  const body: NewCall = {
    recipient_number: number,
    template_id: template,
    scheduled_time: "2099-01-01T09:00:00Z",
    custom_variables: { greeting: "Hello", times: 3 },
  };
  const { data, error } = await api.POST("/api/v1/calls", { params: { header: { "Idempotency-Key": number } }, body });
  if (error) throw new Error(`${error.code}: ${error.detail}`);
  return data;
}

async function* all(limit: number): AsyncGenerator<CallLine[]> {
  let after: string | null = null;
  do {
    const query: { limit: number; after?: string } = after === null ? { limit } : { limit, after };
    const { data, error } = await api.GET("/api/v1/calls", { params: { query } });
    if (error) throw new Error(error.code);
    yield data.data;
    after = data.next_cursor;
  } while (after !== null);
}

// The code of an error is one of those that the route names, so that a switch over it can be complete.
async function refused(call_id: string): Promise<string> {
  const { data, error, response } = await api.GET("/api/v1/calls/{call_id}", { params: { path: { call_id } } });
  if (data || response.status !== 404) throw new Error(`${response.status}`);
  return error.code;
}

// Sign-in answers one of two things; what it answered is known by a member that only one of them has.
export async function signedIn(email: string, password: string): Promise<components["schemas"]["SessionTokens"] | null> {
  const { data, error } = await api.POST("/api/v1/auth/signin", { body: { email, password } });
  if (error) throw new Error(error.code);
  return "challenge" in data ? null : data;
}

async function main(): Promise<void> {
  const ordered: Call[] = [];
  for (const number of ["+15557010001", "+15557010002", "+15557010003", "+15557010004", "+15557010005"])
    ordered.push(await order(number));
  const again = await order("+15557010001");
  const pages: string[][] = [];
  for await (const page of all(2)) pages.push(page.map((line) => line.id));
  const first = ordered[0]!;
  const one = await api.GET("/api/v1/calls/{call_id}", { params: { path: { call_id: first.id } } });
  const canceled = await api.POST("/api/v1/calls/{call_id}/cancel", { params: { path: { call_id: first.id } } });
  const organizations = await api.GET("/api/v1/organizations");
  const hours: string | undefined = organizations.data?.data[0]?.settings.calling_hours?.timezone;
  console.log(JSON.stringify({
    ordered: ordered.map((call) => call.id),
    again: again.id,
    pages,
    variables: one.data?.custom_variables,
    canceled: canceled.data?.status,
    refused: await refused("11111111-1111-4111-8111-111111111111"),
    organizations: organizations.data?.data.length,
    hours: hours ?? null,
  }));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
