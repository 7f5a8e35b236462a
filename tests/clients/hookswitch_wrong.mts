// hookswitch_wrong.mts - mistakes that the client's compiler must see: each line that says "wrong", and no other.
import createClient from "openapi-fetch";
import type { paths } from "./schema.mjs";

type NewCall = paths["/api/v1/calls"]["post"]["requestBody"]["content"]["application/json"];

const api = createClient<paths>({ baseUrl: "http://127.0.0.1" });
const path = { call_id: "11111111-1111-4111-8111-111111111111" };
const body = { recipient_number: "+15557010001", template_id: "11111111-1111-4111-8111-111111111111" };

export async function mistakes(): Promise<unknown[]> {
  const calls = await api.GET("/api/v1/calls", { params: { query: { status: "completed", limit: 2 } } });
  const call = await api.GET("/api/v1/calls/{call_id}", { params: { path } });
  const session = await api.POST("/api/v1/auth/signin", { body: { email: "ann@example.com", password: "x" } });
  await api.POST("/api/v1/calls", { body });
  return [
    api.GET("/api/v1/call"), // wrong: no such path
    api.PATCH("/api/v1/calls"), // wrong: no such method
    api.GET("/api/v1/calls", { params: { query: { state: "completed" } } }), // wrong: no such query field
    api.GET("/api/v1/calls", { params: { query: { status: "complete" } } }), // wrong: no such status
    api.GET("/api/v1/calls/{call_id}", { params: { path: { id: path.call_id } } }), // wrong: the path's field has another name
    api.POST("/api/v1/calls", { body: { template_id: body.template_id } }), // wrong: a required field is missing
    api.POST("/api/v1/calls", { body: { ...body, to_number: "+15557010001" } satisfies NewCall }), // wrong: no such field
    api.POST("/api/v1/calls", { body: { ...body, priority: "soon" } }), // wrong: a number is wanted
    calls.data?.items, // wrong: no such member of a list
    calls.data?.data[0]?.number, // wrong: no such member of a call
    call.data?.recipient_name.length, // wrong: it may be null
    call.error?.code === "call_gone", // wrong: no such code
    session.data?.access_token, // wrong: it may be a question for a code instead
  ];
}
