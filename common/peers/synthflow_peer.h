/*
 * synthflow_peer.h - what the files of SynthFlow share.
 */
#ifndef PEERS_SYNTHFLOW_PEER_H
#define PEERS_SYNTHFLOW_PEER_H

#include "peers/voice.h"

/* Our mark: SynthFlow has no field for it but the variables of the prompt. */
#define SYNTHFLOW_MARK "hookswitch_assignment_id"

/* A page never holds more candidates than struct voice_sight has room for. */
enum { SYNTHFLOW_LIST_LIMIT = 50, SYNTHFLOW_LIST_BYTES = 16 << 20, SYNTHFLOW_CALL_BYTES = 8 << 20 };

void synthflow_dialled(struct mem *m, const struct voice_account *a, const struct fetch_answer *in,
    struct voice_outcome *ret);
void synthflow_looked(struct mem *m, const struct voice_account *a, const struct voice_look *l,
    const struct fetch_answer *in, struct voice_sight *ret);

#endif
