/*
 * poke.c - the local datagram socket between the programs that make work and the pump that waits
 * for it.
 */
#include "base/poke.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base.h"
#include "base/settings.h"

static int
poke_address(const char *name, struct sockaddr_un *ret)
{
	const char *dir = setting_str(SET_HOOKSWITCH_RUN_DIR);
	int n;

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s.poke", dir ? dir : ".", name);
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static int
poke_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void
poke_send(const char *name)
{
	CLEANUP(base_closep) int fd = poke_socket();
	struct sockaddr_un to;

	if (fd < 0 || poke_address(name, &to) != 0)
		return;
	/* A full queue means that the pump is about to wake up anyway. */
	if (sendto(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)) < 0)
		return;
}

/* One opener at a time, so that none removes the socket that another has just made. */
static int
poke_lock(const struct sockaddr_un *at)
{
	char path[sizeof(at->sun_path) + 8];
	int fd;

	snprintf(path, sizeof(path), "%s.lock", at->sun_path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		errno = errno == EWOULDBLOCK ? EADDRINUSE : errno;
		base_closep(&fd);
		return -1;
	}
	return fd;
}

/* True when a process still reads the socket at that address. */
static bool
poke_alive(const struct sockaddr_un *at)
{
	CLEANUP(base_closep) int fd = poke_socket();

	if (fd < 0)
		return true;
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0)
		return true;
	return errno != ECONNREFUSED && errno != ENOENT;
}

int
poke_open(const char *name)
{
	CLEANUP(base_closep) int lock = -1;
	CLEANUP(base_closep) int fd = -1;
	struct sockaddr_un at;

	if (poke_address(name, &at) != 0)
		return -1;
	lock = poke_lock(&at);
	if (lock < 0)
		return -1;
	if (poke_alive(&at)) {
		errno = EADDRINUSE;
		return -1;
	}
	if (unlink(at.sun_path) != 0 && errno != ENOENT)
		return -1;
	fd = poke_socket();
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		return -1;
	return base_give_fd(&fd);
}

void
poke_drain(int fd)
{
	char buf[16];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		continue;
}

void
poke_close(const char *name, int fd)
{
	struct sockaddr_un at;

	if (fd < 0)
		return;
	/* While fd is open nobody else can have taken the name: unlink first. */
	if (poke_address(name, &at) == 0)
		unlink(at.sun_path);
	close(fd);
}
