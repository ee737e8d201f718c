#pragma once

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/key.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "courier/centre.h"
#include "ctl/client.h"
#include "ctl/protocol.h"
#include "ctl/sealed.h"
#include "fake/statements.h"
#include "member/member.h"
#include "scratch.h"

/*
 * A terminal with a centre: a private kuraband (nothing of this machine is guarded: USB and media are off), a root whose head key the test has, and a
 * membership of the groups kazei and 税務課. `nobody` is the courier.
 */

enum {
    FLEET_DEADLINE_MS = 10000
};

struct fleet_terminal {
    char path[64], run[96], config[96], log[96];
    int state, folder; /* folder: the courier's, -1 none */
    pid_t pid;
    uid_t courier;
    uint8_t journal[TRUST_PUBLIC_SIZE];
    char id[FLEET_ID_SIZE], wire[NKEY_PUBLIC_SIZE];
    int64_t now_us; /* a whole second, when it all began */
};

static inline bool fleet_await(bool (*what)(void *context), void *context, int seconds)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000};

    for (int i = 0; i < seconds * 50; i++) {
        if (what(context))
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

/* --- asking kuraband --- */

/* One request on a connection of its own, as this user. fields may be NULL. */
static inline uint32_t fleet_ask(const struct fleet_terminal *t, uid_t as, uint16_t request, const struct buf *fields,
                                 json_t **ret, int *ret_fd)
{
    struct ctl_client c = {-1};
    uint32_t code = UINT32_MAX;
    int fd = -1, r;

    *ret = NULL;
    assert_int_equal(seteuid(as), 0);
    r = ctl_client_open(t->run, &c);
    assert_int_equal(seteuid(0), 0);
    if (r < 0)
        return UINT32_MAX;
    assert_int_equal(ctl_client_ask_for_fd(&c, request, fields, FLEET_DEADLINE_MS, &code, ret, &fd), 0);
    ctl_client_close(&c);
    if (ret_fd)
        *ret_fd = fd;
    else
        close_fd(fd);
    return code;
}

static inline json_t *fleet_status(const struct fleet_terminal *t)
{
    json_t *status = NULL;

    return fleet_ask(t, 0, CTL_STATUS, NULL, &status, NULL) == CTL_CODE_OK ? status : NULL;
}

/* A number of STATUS's "fleet". */
static inline int64_t fleet_number(const struct fleet_terminal *t, const char *key)
{
    json_t *status = fleet_status(t);
    int64_t n = json_integer_value(json_object_get(json_object_get(status, "fleet"), key));

    json_decref(status);
    return n;
}

static inline bool fleet_answers(void *context)
{
    json_t *status = fleet_status(context);
    bool answers = status != NULL;

    json_decref(status);
    return answers;
}

/* --- kuraband --- */

static inline void fleet_start(struct fleet_terminal *t)
{
    char program[256];

    (void)snprintf(program, sizeof(program), "%s/bin/kuraband", getenv("KURABAN_BUILD"));
    t->pid = fork();
    if (t->pid == 0) {
        int fd = open(t->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

        (void)dup2(fd, 1);
        (void)dup2(fd, 2);
        (void)execl(program, program, "--config", t->config, "--foreground", (char *)NULL);
        _exit(127);
    }
    if (!fleet_await(fleet_answers, t, 30))
        fail_msg("kuraband does not come up: %s", t->log);
}

static inline void fleet_end(struct fleet_terminal *t, int with)
{
    int status = 0;

    assert_int_equal(kill(t->pid, with), 0);
    assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
    t->pid = 0;
    if (with == SIGTERM)
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static inline void fleet_write(const struct fleet_terminal *t, const char *name, const char *text)
{
    char path[160];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", t->path, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0644), 0);
}

static inline void fleet_pass(const struct fleet_terminal *t, uint16_t request, struct signed_bytes b)
{
    struct ctl_client c = {-1};
    json_t *answer = NULL;
    uint32_t code = 0;
    int fd = sealed_make(b.data, b.size);

    assert_int_equal(ctl_client_open(t->run, &c), 0);
    assert_int_equal(ctl_client_ask_fd(&c, request, NULL, fd, FLEET_DEADLINE_MS, &code, &answer), 0);
    if (code != CTL_CODE_OK)
        fail_msg("%s", json_string_value(json_object_get(answer, "message")));
    json_decref(answer);
    ctl_client_close(&c);
    close(fd);
    free(b.data);
}

/* --- what the centre signs --- */

static inline struct trust_envelope *fleet_root(const struct fleet_terminal *t)
{
    struct signed_root o = signed_root_version(1);

    o.expires_us = t->now_us + 300 * SIGNED_DAY;
    return signed_make_root(&o, SIGNED_ROOT_SIGNERS);
}

static inline struct signed_bytes fleet_bundle(const struct fleet_terminal *t, uint64_t head, uint64_t version,
                                               const char *more)
{
    const struct signed_policy policy = {.organization = SIGNED_ORGANIZATION, .version = version, .more = more};
    struct trust_envelope *p = signed_make_policy(&policy, SIGNED_POLICY_SIGNERS);
    const struct signed_head h = {.organization = SIGNED_ORGANIZATION,
                                  .group = "kazei",
                                  .version = head,
                                  .policy_version = version,
                                  .issued_us = t->now_us,
                                  .expires_us = t->now_us + 7 * SIGNED_DAY,
                                  .policy = p};

    return signed_bundle(NULL, 0, p, signed_make_head(&h, KEY(6)));
}

/* Of this terminal, signed by the centre. */
static inline struct signed_bytes fleet_sign(const struct fleet_terminal *t, struct fleet_statement *s)
{
    char *terminal = s->kind == FLEET_MEMBERSHIP ? s->membership.terminal
                     : s->kind == FLEET_ACK      ? s->ack.terminal
                                                 : s->order.terminal;

    memcpy(terminal, t->id, FLEET_ID_SIZE);
    if (s->kind == FLEET_MEMBERSHIP) {
        memcpy(s->membership.journal, t->journal, sizeof(t->journal));
        memcpy(s->membership.wire, t->wire, sizeof(t->wire));
    }
    if (s->kind == FLEET_ORDER) {
        s->order.issued_us = t->now_us;
        s->order.expires_us = t->now_us + SIGNED_DAY;
    }
    return signed_file(statement_envelope(s, KEY(6)));
}

static inline struct signed_bytes fleet_ack(const struct fleet_terminal *t, uint64_t sequence,
                                            const struct digest *hash)
{
    struct fleet_statement s = statement_usual(FLEET_ACK);

    s.ack.sequence = sequence;
    s.ack.hash = *hash;
    return fleet_sign(t, &s);
}

/* --- up and down --- */

static inline void fleet_read_key(struct fleet_terminal *t)
{
    _cleanup_close_ int dir = files_open_directory_at(t->state, "key", 0, 0);
    struct journal_key *key = NULL;

    assert_int_equal(journal_key_read_public(dir, JOURNAL_KEY_PUBLIC, &key), 0);
    assert_int_equal(journal_key_public(key, t->journal), 0);
    assert_int_equal(fleet_terminal_id(t->journal, t->id), 0);
    journal_key_free(key);
}

static inline void fleet_join_centre(struct fleet_terminal *t)
{
    struct fleet_statement s = statement_usual(FLEET_MEMBERSHIP);
    struct signed_bytes b = fleet_sign(t, &s);
    struct trust_envelope *e = fleet_root(t);
    struct member_refusal why = {0};
    struct trust_root *root = NULL;
    struct member *m = NULL;

    assert_int_equal(trust_root_parse(e->payload, e->size, &root, NULL), TRUST_OK);
    assert_int_equal(member_open(t->state, t->journal, root, &m), 0);
    if (member_join(m, &(struct member_view){.root = root, .now_us = t->now_us}, t->wire, b.data, b.size, &why) != 0)
        fail_msg("%s: %s", why.reason, why.complaint.text);
    m = member_free(m);
    trust_root_free(root);
    trust_envelope_free(e);
    free(b.data);
}

/* The courier's folder with a key of its own. */
static inline void fleet_make_key(struct fleet_terminal *t)
{
    struct wire_key *key = NULL;

    t->folder = centre_folder(t->state, t->courier, getpwuid(t->courier)->pw_gid, 1);
    assert_true(t->folder >= 0);
    assert_int_equal(centre_key_create(t->folder, &key), 0);
    (void)snprintf(t->wire, sizeof(t->wire), "%s", wire_key_public(key));
    wire_key_free(key);
}

/* wire: the courier's public key; NULL: it gets one. */
static inline void fleet_make(struct fleet_terminal *t, const char *wire)
{
    const struct passwd *nobody = getpwnam("nobody");
    char config[1024], state[96];

    assert_non_null(nobody);
    *t =
        (struct fleet_terminal){.courier = nobody->pw_uid, .folder = -1, .now_us = clock_wall_us() / 1000000 * 1000000};
    (void)snprintf(t->path, sizeof(t->path), "/var/lib/kuraban-test.XXXXXX");
    assert_non_null(mkdtemp(t->path));
    assert_int_equal(chmod(t->path, 0755), 0);
    (void)snprintf(t->run, sizeof(t->run), "%s/run", t->path);
    (void)snprintf(t->config, sizeof(t->config), "%s/kuraban.yaml", t->path);
    (void)snprintf(t->log, sizeof(t->log), "%s/log", t->path);
    (void)snprintf(state, sizeof(state), "%s/state", t->path);
    (void)snprintf(config, sizeof(config),
                   "format: kuraban-config/1\nrun-directory: %s\nstate-directory: %s\npolicy: %s/policy.yaml\n"
                   "usb: off\nmedia: off\njournald: off\nkeeper: off\ncourier-user: nobody\n",
                   t->run, state, t->path);
    fleet_write(t, "kuraban.yaml", config);
    fleet_write(t, "policy.yaml",
                "format: kuraban-policy/1\norganization: " SIGNED_ORGANIZATION "\nname: before\nversion: 1\n");
    fleet_start(t);
    t->state = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(t->state >= 0);
    fleet_pass(t, CTL_TRUST_INSTALL, signed_file(fleet_root(t)));
    fleet_end(t, SIGTERM);
    fleet_read_key(t);
    if (wire)
        (void)snprintf(t->wire, sizeof(t->wire), "%s", wire);
    else
        fleet_make_key(t);
    fleet_join_centre(t);
    fleet_start(t);
}

static inline void fleet_done(struct fleet_terminal *t)
{
    char *log = NULL;

    if (t->pid > 0)
        fleet_end(t, SIGTERM);
    close_fd(t->state);
    close_fd(t->folder);
    assert_int_equal(files_read_text_at(AT_FDCWD, t->log, 1 << 20, &log), 0);
    if (strstr(log, "Sanitizer") || strstr(log, "runtime error"))
        fail_msg("%s", log);
    free(log);
    scratch_remove(t->path);
}
