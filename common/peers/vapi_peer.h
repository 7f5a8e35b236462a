/*
 * vapi_peer.h - what vapi.c and vapi_answer.c share.
 */
#ifndef PEERS_VAPI_PEER_H
#define PEERS_VAPI_PEER_H

#include "peers/voice.h"

/* A list gives whole calls with their transcripts: small pages, so that a page fits into memory. */
enum { VAPI_LIST_LIMIT = 100, VAPI_LIST_BYTES = 16 << 20, VAPI_CALL_BYTES = 8 << 20 };

void vapi_dialled(struct mem *m, const struct voice_account *a, const struct fetch_answer *in,
    struct voice_outcome *ret);
void vapi_looked(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    const struct fetch_answer *in, struct voice_sight *ret);
enum voice_finding vapi_recording(struct mem *m, const struct voice_account *a,
    const struct voice_look *l, const struct fetch_answer *in, struct voice_recording *ret);
/* vapi_control_url: url in m, if we may post to it: https on Vapi's own domain, or the very place
 * that base_url names; else NULL. */
const char *vapi_control_url(struct mem *m, const struct voice_account *a, struct span url);

#endif
