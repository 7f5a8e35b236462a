/*
 * server.c - the life of a program: settings, start, the end by signal.
 *
 * The only global state of a program is here.  It is written before the threads start; what changes
 * later is atomic or has a lock.
 */
#include "web/server.h"

#include "base/log.h"
#include "lib/crypto.h"
#include "lib/seal.h"
#include "web/auth.h"
#include "web/check.h"
#include "web/cors.h"
#include "web/keyset.h"
#include "web/threads.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PROGRAM_MEM_MAX = 4 * 1024 * 1024 };
enum exit_status { EXIT_FINE = 0, EXIT_TROUBLE = 1, EXIT_USAGE = 2 };

static struct {
	const struct server *server;
	const struct route_sql *sql;
	struct db *db;
	struct mem *mem;
	bool cgi;
	int stop_fd;
	bool watched; /* watcher runs */
	pthread_t watcher;
	atomic_bool stopping;
} program = { .stop_fd = -1 };

struct db *
server_db(void)
{
	return program.db;
}

bool
server_stopping(void)
{
	return atomic_load(&program.stopping);
}

int
server_stop_fd(void)
{
	return program.stop_fd;
}

bool
server_is_cgi(void)
{
	return program.cgi;
}

/* ---- signals -------------------------------------------------------------------- */

/* SIGUSR1 is how FastCGI process managers ask a program to end; multiwatch, which starts programs
 * again, sends SIGQUIT when it is to end itself. */
static void
stop_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGUSR1);
	sigaddset(ret, SIGQUIT);
}

static void *
wait_for_signal(void *arg)
{
	const uint64_t one = 1;
	sigset_t set;
	int sig;

	(void)arg;
	stop_signals(&set);
	while (sigwait(&set, &sig) != 0)
		;
	atomic_store(&program.stopping, true);
	while (write(program.stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

/* All threads made later inherit the mask, so that only this one gets the signals. */
static int
start_signals(void)
{
	sigset_t set;

	program.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (program.stop_fd < 0)
		return -1;
	stop_signals(&set);
	signal(SIGPIPE, SIG_IGN);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	program.watched = pthread_create(&program.watcher, NULL, wait_for_signal, NULL) == 0;
	return program.watched ? 0 : -1;
}

static void
end_signals(void)
{
	if (!program.watched)
		return;
	pthread_kill(program.watcher, SIGUSR1);
	pthread_join(program.watcher, NULL);
	program.watched = false;
}

/* ---- serving --------------------------------------------------------------------------- */

static int
serve(void)
{
	size_t n = (size_t)setting_int(SET_HOOKSWITCH_THREADS);
	int rc;

	n = n > SERVER_THREADS_MAX ? SERVER_THREADS_MAX : n;
	if (program.cgi)
		return threads_serve_one(program.server, program.sql) < 0 ? EXIT_TROUBLE :
									    EXIT_FINE;
	log_line(LOG_INFO, "event=start threads=%zu", n);
	rc = threads_serve(program.server, program.sql, n);
	if (rc < 0)
		log_line(LOG_ERROR, "event=start_failed why=memory");
	log_line(LOG_INFO, "event=stop");
	return rc < 0 ? EXIT_TROUBLE : EXIT_FINE;
}

/* ---- start ------------------------------------------------------------------------------ */

static enum log_level
lowest_level(void)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	const char *s = setting_str(SET_HOOKSWITCH_LOG_LEVEL);
	int i;

	for (i = LOG_DEBUG; s && i <= LOG_ERROR; i++)
		if (strcmp(s, names[i]) == 0)
			return (enum log_level)i;
	return LOG_INFO;
}

static bool
has_people(const struct server *s)
{
	size_t i;

	for (i = 0; i < s->nroutes; i++)
		if (s->routes[i].access.kind == ACCESS_API ||
		    s->routes[i].access.kind == ACCESS_PERSON ||
		    s->routes[i].access.kind == ACCESS_OPERATOR)
			return true;
	return false;
}

/* Answers that hold a secret are stored sealed. */
static bool
has_secrets(const struct server *s)
{
	size_t i;

	for (i = 0; i < s->nroutes; i++)
		if (s->routes[i].flags & ROUTE_SECRET)
			return true;
	return false;
}

static int
open_program(const struct server *s)
{
	const char *url = setting_str(SET_DATABASE_URL);

	program.mem = mem_new(PROGRAM_MEM_MAX);
	program.sql = program.mem ? flight_sql(program.mem, s->routes, s->nroutes) : NULL;
	if (!program.sql || start_signals() < 0) {
		fprintf(stderr, "%s: cannot start: %s\n", s->name, strerror(errno));
		return -1;
	}
	if (!url)
		return 0;
	program.db = db_open(url, s->db_role);
	if (program.db)
		return 0;
	fprintf(stderr, "%s: DATABASE_URL: %s\n", s->name, strerror(errno));
	return -1;
}

static int
start(const struct server *s)
{
	log_open(s->name, LOG_INFO);
	crypto_start();
	if (settings_load() < 0 || (s->needs && settings_need(s->needs) < 0))
		return -1;
	if (has_people(s) && auth_secrets_missing()) {
		fprintf(stderr,
		    "%s: HOOKSWITCH_JWT_SECRET, SUPABASE_JWT_SECRET or SUPABASE_URL must be set\n",
		    s->name);
		return -1;
	}
	if (has_secrets(s) && seal_ready() < 0)
		return -1;
	log_open(s->name, lowest_level());
	if (cors_ready() < 0 || limit_start() < 0 || open_program(s) < 0)
		return -1;
	return s->start ? s->start() : 0;
}

static int
run(int argc, char *argv[], const struct server *s)
{
	int rc;

	if (argc > 1 && strcmp(argv[1], "--check") == 0)
		return check_routes(s, program.db) < 0 ? EXIT_TROUBLE : EXIT_FINE;
	if (argc > 1 && s->option && s->option(argc, argv, &rc))
		return rc;
	if (argc > 1) {
		fprintf(stderr, "%s: unknown option %s; --help lists them\n", s->name, argv[1]);
		return EXIT_USAGE;
	}
	program.cgi = fcgi_is_cgi();
	return serve();
}

int
server_main(int argc, char *argv[], const struct server *s)
{
	const char *wrong;
	size_t at = 0;
	int rc;

	program.server = s;
	if (argc > 1 && check_option(s, argv[1]))
		return EXIT_FINE;
	wrong = route_table_wrong(s->routes, s->nroutes, &at);
	if (wrong) {
		fprintf(stderr, "%s: route %s: %s\n", s->name, s->routes[at].path, wrong);
		return EXIT_TROUBLE;
	}
	rc = start(s) < 0 ? EXIT_TROUBLE : run(argc, argv, s);
	end_signals();
	limit_stop();
	keyset_forget();
	if (program.db)
		db_close(program.db);
	mem_free(program.mem);
	return rc;
}
