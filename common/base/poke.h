/*
 * poke.h - a local datagram that tells the waiting pump of this host that there is work.  Lost ones
 * do no harm: the pump also polls.
 */
#ifndef BASE_POKE_H
#define BASE_POKE_H

/* poke_send: one byte to RUN_DIR/<name>.poke; silently nothing when nobody waits. */
void poke_send(const char *name);
/* poke_open: binds that socket for the one waiting turn of this host; the descriptor
 * (non-blocking), or -1 with errno (EADDRINUSE: another process waits already; a socket file left
 * behind by a dead one is replaced). */
int poke_open(const char *name);
/* poke_drain: reads what lies there. */
void poke_drain(int fd);
void poke_close(const char *name, int fd);

#endif
