/*
 * An export while calls fail: one in 400 of what the exporting process calls, seeded. Its parts alone (staging, both containers, writing with reading
 * back), then each of their calls once; and the whole process with its children between a kuraband and a client that permit everything. Whatever
 * fails: it does not crash or hang, leaks nothing, ends with an error that has a cause; nothing has its final name, nobody is told "done", unless all of it is
 * there, the same as it was, and opens with the password.
 *
 *   export [--seed N] [--rounds N] [--one-in N] [--only PART] [--every N]
 *
 * Rounds are those of each part; KURABAN_FAULT_ROUNDS says so as well. --every N: each Nth call fails once, 0 for none.
 */
#include "unit/export/container_check.h"
#include "unit/export/pack_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/frame.h"
#include "base/text.h"
#include "export/link.h"
#include "export/protocol.h"
#include "export/put.h"
#include "export/stage.h"
#include "fault/export_round.h"

enum {
    ONE_IN = 400,
    ROUNDS = 24,
    FULL_IN = 5,    /* rounds: in one of so many the disk is full at some point */
    SPOILED_IN = 7, /* in one of so many the medium keeps something else than was written */
};

struct export_round now;

static struct {
    uint64_t seed, rounds, one_in, every;
} wanted = {.seed = 1, .rounds = ROUNDS, .one_in = ONE_IN, .every = 1};

static void say_how(void)
{
    if (!now.forked && now.part)
        printf("FAILED: %s; the same again: --one-in %u --only %s --plan %" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
               now.part, now.plan.one_in, now.part, now.plan.seed, now.plan.skip, now.plan.nth);
    (void)fflush(stdout);
}

void export_failed(const char *what)
{
    (void)fault_end();
    printf("%s: %s\n", now.part, what);
    exit(1);
}

void export_insist(bool ok, const char *what)
{
    if (!ok)
        export_failed(what);
}

unsigned export_open_fds(void)
{
    _cleanup_closedir_ DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (d && readdir(d))
        n++;
    return n;
}

/* What every round is for: its account, and that nothing is left. */
static unsigned fds_before;

static void begin(void)
{
    fds_before = export_open_fds();
    fault_begin(&now.plan);
}

static struct fault_account end(int r, bool full)
{
    struct fault_account account = fault_end();

    export_insist(account.blocks == 0, "memory is not given back");
    export_insist(export_open_fds() == fds_before, "a descriptor is left open");
    export_insist(r == 0 || account.faults > 0 || full, "it fails without a fault");
    now.around->calls += account.calls;
    now.around->faults += account.faults;
    now.good += r == 0;
    return account;
}

/* --- staging --- */

static void pass(int client, const char *name, int fd)
{
    struct buf b;

    buf_init(&b, FRAME_BODY_MAX);
    export_insist(buf_add_string(&b, name) == 0 && frame_send(client, EXPORT_FILE, 0, &b, fd, 1000) == 0, "not passed");
    buf_done(&b);
}

/* All that will be said to it, in advance. */
static void answer_in_advance(int client, int control)
{
    for (size_t i = 0; i < EXPORT_ROUND_FILES; i++)
        pass(client, now.x->members.items[i].name, now.files[i]);
    export_insist(link_send(client, EXPORT_FILES_END, "") == 0 && link_send(control, EXPORT_STAGE, "") == 0,
                  "not said");
    for (size_t i = 0; i < 2 * EXPORT_ROUND_FILES; i++) {
        if (i == EXPORT_ROUND_FILES)
            export_insist(link_send(control, EXPORT_COPY, "") == 0, "not said");
        export_insist(link_send(control, EXPORT_VERDICT, "1ss", 1U, "rule", "out") == 0, "not said");
    }
}

static void same_members(const struct export_members *m)
{
    export_insist(m->n == EXPORT_ROUND_FILES, "not all of them");
    for (size_t i = 0; i < EXPORT_ROUND_FILES; i++)
        export_insist(m->items[i].size == now.x->members.items[i].size &&
                          strcmp(m->items[i].name, now.x->members.items[i].name) == 0 &&
                          digest_equal(&m->items[i].sha256, &now.x->members.items[i].sha256),
                      "the list is not that of the files");
}

static void same_content(int fd, const struct export_members *m)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct export_member *item = &m->items[i];
        _cleanup_free_ uint8_t *content = malloc(item->size + 1);
        struct digest d;

        export_insist(pread(fd, content, item->size, (off_t)item->offset) == (ssize_t)item->size &&
                          digest_bytes(content, item->size, &d) == 0 && digest_equal(&d, &item->sha256),
                      "what is staged is not what was in the files");
    }
}

static uint64_t stage(void)
{
    int client[2], control[2], staged = memfd_create("staged", MFD_CLOEXEC), list = memfd_create("list", MFD_CLOEXEC),
                               r;
    struct export_members m = {0}, loaded = {0};
    struct fault_account account;

    export_insist(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client) == 0 &&
                      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) == 0,
                  "no sockets");
    answer_in_advance(client[0], control[0]);
    begin();
    r = stage_run(&(struct stage_options){client[1], control[1], staged, 8 << 20, 5000, NULL}, &m);
    if (r == 0)
        r = export_members_save(&m, list);
    if (r == 0)
        r = export_members_load(list, export_members_size(&m), &loaded);
    fault_pause();
    if (r == 0) {
        same_members(&loaded);
        same_content(staged, &loaded);
    }
    fault_go_on();
    export_members_done(&m);
    export_members_done(&loaded);
    account = end(r, false);
    close_fd(client[0]);
    close_fd(client[1]);
    close_fd(control[0]);
    close_fd(control[1]);
    close_fd(staged);
    close_fd(list);
    return account.calls;
}

/* --- containers --- */

static void set_room(rlim_t size)
{
    struct rlimit limit;

    export_insist(getrlimit(RLIMIT_FSIZE, &limit) == 0, "no limit");
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    export_insist(setrlimit(RLIMIT_FSIZE, &limit) == 0, "no limit");
}

static uint64_t pack(int (*packer)(const struct pack_options *o),
                     void (*check)(int out, const char *password, const struct export_members *members))
{
    bool full = now.plan.nth == 0 && now.plan.seed % FULL_IN == 0;
    struct pack_options o = options_of(now.x);
    struct fault_account account;
    int r;

    o.progress = NULL;
    o.out = memfd_create("out", MFD_CLOEXEC);
    /* A limit of the file's size: the libraries' own writes end there as well. */
    if (full)
        set_room((now.plan.seed / FULL_IN * UINT64_C(2654435761)) % (2 << 20));
    begin();
    r = packer(&o);
    fault_pause();
    set_room(RLIM_INFINITY);
    if (r == 0)
        check(o.out, PASSWORD, &now.x->members);
    fault_go_on();
    account = end(r, full);
    close_fd(o.out);
    return account.calls;
}

static void check_any_zip(int out, const char *password, const struct export_members *members)
{
    check_zip(out, password, members, 0);
}

static uint64_t zip(void)
{
    return pack(pack_zip, check_any_zip);
}

static uint64_t luks(void)
{
    return pack(pack_luks, check_image);
}

/* --- the medium --- */

/* How many names stand there that a person would take for an export; the last one. */
unsigned export_named(char ret[static EXPORT_NAME_MAX + 1])
{
    _cleanup_closedir_ DIR *dir = opendir(now.around->medium);
    const struct dirent *d;
    unsigned n = 0;

    while ((d = readdir(dir)))
        if (d->d_name[0] != '.') {
            (void)snprintf(ret, EXPORT_NAME_MAX + 1, "%.255s", d->d_name);
            n++;
        }
    return n;
}

static bool is_same(const char *directory, const char *name, const struct export_member *m)
{
    char path[1024];
    struct digest d;
    struct stat st;
    int fd, r;

    (void)snprintf(path, sizeof(path), "%s/%s/%s", now.around->medium, directory, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    r = fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != m->size ? -EIO : digest_fd(fd, m->size, &d);
    close_fd(fd);
    return r >= 0 && digest_equal(&d, &m->sha256);
}

/* The first n files in a directory, or the first one. */
void export_insist_plain(const char *name, size_t n)
{
    const struct export_member *m = now.x->members.items;

    if (n == 1)
        export_insist(is_same(".", name, &m[0]), "what has its name is not whole");
    for (size_t i = 0; i < n && n > 1; i++)
        export_insist(is_same(name, m[i].name, &m[i]), "what has its name is not whole");
}

void export_empty_medium(void)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "find '%s' -mindepth 1 -delete", now.around->medium);
    export_insist(system(command) == 0, "the medium cannot be emptied");
}

/* A medium that keeps something else: between the last write and the first look. */
static int on_put(void *context, bool check, uint64_t done, uint64_t total)
{
    bool *spoiled = context;
    char path[256];
    int fd;

    if (check || done < total || now.plan.nth != 0 || now.plan.seed % SPOILED_IN != 0)
        return 0;
    fault_pause();
    (void)snprintf(path, sizeof(path), "%s/.kuraban-0123.part/a.txt", now.around->medium);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    export_insist(pwrite(fd, "!", 1, 0) == 1, "not spoiled");
    close_fd(fd);
    *spoiled = true;
    fault_go_on();
    return 0;
}

static void look_at_put(int r, const char *name, bool spoiled, size_t n_items)
{
    char found[EXPORT_NAME_MAX + 1] = "";
    unsigned n = export_named(found);

    export_insist(!spoiled || (r != 0 && n == 0), "something else was written, and it was not seen");
    export_insist(r != 0 || (n == 1 && strcmp(name, found) == 0), "it has not the name that it is said to have");
    if (n > 0)
        export_insist_plain(found, n_items);
}

static int write_and_name(const struct put_options *o, char name[static 256])
{
    struct place place = {0};
    int r = put_check(o, &place);

    if (r == 0)
        r = put_write(o);
    fault_pause();
    export_insist(export_named(name) == 0, "it has a name before it may");
    fault_go_on();
    if (r == 0)
        r = put_commit(o, &place, name);
    place_done(&place);
    return r;
}

static uint64_t put(void)
{
    static const char *const ids[] = {"0123"};
    struct put_item items[EXPORT_ROUND_FILES];
    bool spoiled = false;
    struct put_options o = {.root = open(now.around->medium, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                            .id = ids[0],
                            .items = items,
                            .n = now.plan.seed % 2 ? 1 : EXPORT_ROUND_FILES,
                            .progress = on_put,
                            .context = &spoiled};
    struct fault_account account;
    char name[256] = "";
    int r;

    for (size_t i = 0; i < EXPORT_ROUND_FILES; i++) {
        const struct export_member *m = &now.x->members.items[i];

        items[i] = (struct put_item){now.x->staged, m->offset, m->size, m->name, m->sha256};
    }
    o.final = o.n == 1 ? items[0].name : "export.d";
    begin();
    r = write_and_name(&o, name);
    fault_pause();
    look_at_put(r, name, spoiled, o.n);
    fault_go_on();
    account = end(r, spoiled);
    (void)put_clean(o.root, ids, 1);
    export_insist(faccessat(o.root, ".kuraban-0123.part", F_OK, 0) < 0, "what it left cannot be removed");
    export_empty_medium();
    close_fd(o.root);
    return account.calls;
}

/* --- rounds --- */

static const struct part {
    const char *name;
    uint64_t (*round)(void);
    unsigned scarce; /* in one of so many calls each fails once: processes take their time */
} parts[] = {{"stage", stage, 1}, {"zip", zip, 1}, {"luks", luks, 8}, {"put", put, 1}, {"run", export_run, 10}};

static uint64_t one_round(const struct part *p, const struct fault_plan *plan)
{
    now.part = p->name;
    now.plan = *plan;
    return p->round();
}

/* With room on the disk, and a medium that keeps what it is given. */
static uint64_t without_faults(const struct part *p, uint64_t seed)
{
    uint64_t good = now.good, calls = one_round(p, &(struct fault_plan){.seed = seed});

    export_insist(now.good == good + 1, "without a fault it does not succeed");
    return calls;
}

static void try_part(const struct part *p)
{
    static const uint64_t seeds[] = {1, 2, 18, 1};
    uint64_t calls = 1, before = now.around->calls, faults = now.around->faults, good = now.good, n = 0;

    for (size_t i = 0; i < ELEMENTS(seeds); i++) { /* not every round does the same */
        uint64_t c = without_faults(p, seeds[i]);

        calls = c > calls ? c : calls;
    }
    for (uint64_t i = 0; i < wanted.rounds; i++, n++) {
        uint64_t seed = wanted.seed * UINT64_C(1000003) + i * 97;

        (void)one_round(p, &(struct fault_plan){.seed = seed,
                                                .one_in = (unsigned)wanted.one_in,
                                                .skip = i % 2 ? seed * UINT64_C(2654435761) % calls : 0});
    }
    for (uint64_t nth = 1; wanted.every > 0 && nth <= calls; nth += wanted.every * p->scarce, n++)
        (void)one_round(p, &(struct fault_plan){.seed = nth, .nth = nth});
    (void)without_faults(p, 1); /* nothing of it lasts */
    printf("%s: %" PRIu64 " rounds, %" PRIu64 " calls, %" PRIu64 " failed; %" PRIu64 " ended well\n", p->name, n,
           now.around->calls - before, now.around->faults - faults, now.good - good - ELEMENTS(seeds) - 1);
    export_insist(n == 0 || now.around->faults > faults, "nothing was tried");
}

/* --- the surroundings --- */

static void make_files(void)
{
    for (size_t i = 0; i < EXPORT_ROUND_FILES; i++) {
        const struct export_member *m = &now.x->members.items[i];
        _cleanup_free_ uint8_t *content = malloc(m->size + 1);
        char path[128];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%zu", now.work, i);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        export_insist(pread(now.x->staged, content, m->size, (off_t)m->offset) == (ssize_t)m->size &&
                          write(fd, content, m->size) == (ssize_t)m->size,
                      "no file");
        close_fd(fd);
        now.files[i] = open(path, O_PATH | O_CLOEXEC);
    }
}

static void set_up(void)
{
    struct pack_options o;
    void *state = NULL;

    now.part = "set up";
    /* Where the exporting process has its own: libcryptsetup, for one, keeps what it opens the first time. */
    for (int fd = EXPORT_FD_CLIENT; fd <= EXPORT_FD_LIFE; fd++)
        export_insist(dup2(STDERR_FILENO, fd) == fd, "no descriptor");
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    now.around = export_around_new();
    export_insist(now.around && setup(&state) == 0, "no memory");
    now.x = state;
    (void)snprintf(now.around->medium, sizeof(now.around->medium), "%s/kuraban-fault-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    (void)snprintf(now.work, sizeof(now.work), "/tmp/kuraban-fault-XXXXXX");
    export_insist(mkdtemp(now.around->medium) && mkdtemp(now.work) && chmod(now.work, 0755) == 0, "no directory");
    make_files();
    o = options_of(now.x);
    export_insist(pack_luks(&o) == 0 && ftruncate(now.x->out, 0) == 0, "no container");
}

static void tear_down(void)
{
    void *state = now.x;
    char command[256];

    for (size_t i = 0; i < EXPORT_ROUND_FILES; i++)
        close_fd(now.files[i]);
    (void)snprintf(command, sizeof(command), "rm -rf '%s' '%s'", now.around->medium, now.work);
    export_insist(system(command) == 0 && teardown(&state) == 0, "not tidied up");
}

static int usage(void)
{
    fputs("usage: export [--seed N] [--rounds N] [--one-in N] [--every N] [--only PART] [--plan SEED,SKIP,NTH]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"one-in", required_argument, NULL, 'o'},
                                            {"every", required_argument, NULL, 'e'},
                                            {"only", required_argument, NULL, 'p'},
                                            {"plan", required_argument, NULL, 'n'},
                                            {0}};
    const char *rounds = getenv("KURABAN_FAULT_ROUNDS"), *only = NULL;
    struct fault_plan plan = {0};
    int c;

    if (rounds && text_to_u64(rounds, UINT32_MAX, &wanted.rounds) < 0)
        return usage();
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint64_t *number = c == 's'   ? &wanted.seed
                           : c == 'r' ? &wanted.rounds
                           : c == 'o' ? &wanted.one_in
                                      : &wanted.every;

        if (c == 'p')
            only = optarg;
        else if (c == 'n' && sscanf(optarg, "%" SCNu64 ",%" SCNu64 ",%" SCNu64, &plan.seed, &plan.skip, &plan.nth) == 3)
            plan.one_in = (unsigned)wanted.one_in;
        else if (c == '?' || c == 'n' || text_to_u64(optarg, UINT32_MAX, number) < 0)
            return usage();
    }
    (void)atexit(say_how);
    set_up();
    for (size_t i = 0; i < ELEMENTS(parts); i++) {
        if (only && strcmp(only, parts[i].name) != 0)
            continue;
        if (geteuid() != 0 && parts[i].round == export_run)
            puts("SKIP: fault/export: run: only root becomes somebody else");
        else if (plan.seed != 0)
            (void)one_round(&parts[i], &plan);
        else
            try_part(&parts[i]);
    }
    tear_down();
    now.forked = true;
    return 0;
}
