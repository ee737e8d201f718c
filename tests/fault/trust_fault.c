/*
 * Signed documents while calls fail: one in 400 of what the verifier calls, seeded, over good and attacked documents. Whatever fails, it
 * does not crash, leaks nothing, leaves what it was given as it was, and never says "verified" of a document that is not; a good one is
 * verified or refused. `--every 1` lets each single call fail once instead. Usage: see usage(); docs/TESTING.md has figures.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "daemon/trusted.h"
#include "fake/attacks.h"
#include "fault/fault.h"
#include "policy/findings.h"
#include "policy/policy.h"
#include "policy/trust/internal.h"

enum {
    MATERIALS_MAX = 256,
    ONE_IN = 400,
};

/* What came of it: equal in every run that ends with TRUST_OK. */
struct outcome {
    uint64_t root, policy, head, rules;
};

struct material {
    const char *name;
    int (*run)(const struct material *m, struct outcome *ret); /* enum trust_result or -errno; releases all it made */
    struct signed_bytes bytes;
    /* Without faults: */
    int result;
    struct outcome outcome;
    uint64_t calls;
};

static struct material materials[MATERIALS_MAX];
static size_t n_materials;
static struct trust_state *held;
static struct signed_bytes held_bytes, next_bytes;
static char directory[64];
static int directory_fd = -1;

static struct {
    uint64_t rounds, calls, faults, verified, fatal, refused, refused_good, yaml_leaks;
    uint64_t good[TRUST_RESULT_COUNT_];
} tally;

static _Noreturn void failed(const struct material *m, const char *what, const char *how)
{
    printf("FAILED: %s: %s\nThe same again: --%s\n", m->name, what, how);
    (void)fflush(stdout); /* the leak checker ends the process before stdio is asked */
    exit(1);
}

/* libyaml 0.2.5 forgets the pairs of a mapping (128 bytes) when its list of nodes cannot grow: yaml_parser_load_mapping(). */
enum {
    YAML_FORGETS = 1 /* blocks in one load */
};
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:yaml_parser_load\n";
}

/* --- what is done with a document --- */

static void note_state(const struct trust_state *s, struct outcome *ret)
{
    const struct trust_head *h = trust_state_head(s);

    ret->root = trust_state_root(s)->version;
    ret->policy = trust_state_policy_version(s);
    ret->head = h ? h->version : 0;
}

static int run_apply(const struct material *m, struct outcome *ret)
{
    struct policy_findings findings = {0};
    struct trust_complaint complaint = {0};
    struct trust_state *next = NULL;
    struct policy *policy = NULL;
    int r = trust_apply(held, &signed_terminal, m->bytes.data, m->bytes.size, &next, &policy, &findings, &complaint);

    signed_insist((r == TRUST_OK) == (next != NULL), "a state without success");
    signed_insist(r == TRUST_OK || !policy, "a policy without success");
    if (next)
        note_state(next, ret);
    ret->rules = policy ? policy->n_usb : 0;
    policy_findings_done(&findings);
    (void)policy_unref(policy);
    trust_state_free(next);
    return r;
}

static int run_install(const struct material *m, struct outcome *ret)
{
    struct trust_complaint complaint = {0};
    struct trust_state *s = NULL;
    int r = trust_install_root(m->bytes.data, m->bytes.size, SIGNED_NOW, &s, &complaint);

    signed_insist((r == TRUST_OK) == (s != NULL), "a state without success");
    if (s)
        note_state(s, ret);
    trust_state_free(s);
    return r;
}

/* Reads the state file and writes it again. */
static int run_state(const struct material *m, struct outcome *ret)
{
    struct trust_complaint complaint = {0};
    struct trust_state *s = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_state_read(m->bytes.data, m->bytes.size, &s, &complaint);

    signed_insist((r == TRUST_OK) == (s != NULL), "a state without success");
    if (s) {
        note_state(s, ret);
        r = trust_state_write(s, &bytes, &size);
        signed_insist((r == 0) == (bytes != NULL), "bytes without success");
        ret->rules = size;
    }
    free(bytes);
    trust_state_free(s);
    return r;
}

/* A start of the daemon, a bundle, and what is stored of it: next_bytes or held_bytes, whatever failed. */
static int run_store(const struct material *m, struct outcome *ret)
{
    struct trust_complaint complaint = {0};
    struct trust_state *next = NULL;
    struct policy *policy = NULL;
    struct trusted *t = NULL;
    int r = trusted_open(directory_fd, &t);

    signed_insist((r == 0) == (t != NULL), "nothing without an error");
    if (r == 0) {
        signed_insist(trusted_condition(t) != TRUSTED_NONE, "an installed root was forgotten");
        r = trust_apply(trusted_state(t), &signed_terminal, m->bytes.data, m->bytes.size, &next, &policy, NULL,
                        &complaint);
    }
    if (r == TRUST_OK) {
        r = trusted_store(t, next);
        if (r == 0) {
            note_state(trusted_state(t), ret);
            next = NULL;
        }
    }
    trust_state_free(next);
    (void)policy_unref(policy);
    (void)trusted_free(t);
    return r;
}

static int run_policy(const struct material *m, struct outcome *ret)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    int r = policy_load(m->name, m->bytes.data, m->bytes.size, &findings, &p);

    signed_insist((r == 0) == (p != NULL), "a policy without success");
    if (p) {
        ret->policy = p->version;
        ret->rules = p->n_usb;
    }
    policy_findings_done(&findings);
    (void)policy_unref(p);
    return r == POLICY_E_INVALID ? TRUST_E_POLICY : r;
}

static int run_root(const struct material *m, struct outcome *ret)
{
    struct trust_complaint complaint = {0};
    struct trust_root *root = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_root_parse(m->bytes.data, m->bytes.size, &root, &complaint);

    signed_insist((r == TRUST_OK) == (root != NULL), "a root without success");
    if (root) {
        ret->root = root->version;
        r = trust_root_write(root, &bytes, &size, &complaint);
        ret->rules = size;
    }
    free(bytes);
    trust_root_free(root);
    return r;
}

static int run_head(const struct material *m, struct outcome *ret)
{
    struct trust_complaint complaint = {0};
    struct trust_head *h = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_head_parse(m->bytes.data, m->bytes.size, &h, &complaint);

    signed_insist((r == TRUST_OK) == (h != NULL), "a head without success");
    if (h) {
        ret->head = h->version;
        r = trust_head_write(h, &bytes, &size, &complaint);
        ret->rules = size;
    }
    free(bytes);
    trust_head_free(h);
    return r;
}

static int run_envelope(const struct material *m, struct outcome *ret)
{
    struct trust_complaint complaint = {0};
    struct trust_votes votes = {0};
    struct trust_envelope *e = NULL;
    int r = trust_envelope_parse(m->bytes.data, m->bytes.size, &e, &complaint);

    signed_insist((r == TRUST_OK) == (e != NULL), "an envelope without success");
    if (e) {
        r = trust_envelope_verify(e, trust_state_root(held), trust_type_role(e->type), &votes, &complaint);
        ret->rules = votes.n_good;
    }
    trust_envelope_free(e);
    return r;
}

/* --- the documents --- */

static void add(const char *name, int (*run)(const struct material *m, struct outcome *ret), struct signed_bytes bytes)
{
    signed_insist(n_materials < MATERIALS_MAX, "room");
    materials[n_materials++] = (struct material){.name = name, .run = run, .bytes = bytes};
}

static struct signed_bytes copy_of(struct signed_bytes b)
{
    uint8_t *data = (uint8_t *)text_copy((const char *)b.data, b.size);

    signed_insist(data != NULL, "memory");
    return (struct signed_bytes){data, b.size};
}

static struct signed_bytes whole_bundle(void)
{
    struct trust_envelope *p = signed_usual_policy(
        6, "scope: {groups: [kazei]}\nusb: [{id: a, allow: read, match: {device: \"0781:5583\"}}]\n");
    struct trust_envelope *roots[] = {signed_usual_root(2), signed_usual_root(3), signed_usual_root(4)};
    struct trust_envelope *h = signed_usual_head(8, p, 6);

    return signed_bundle(roots, 3, p, h);
}

static struct signed_bytes file_of(const char *name)
{
    const char *source = getenv("KURABAN_SOURCE");
    struct signed_bytes b = {0};
    char *path = NULL;
    int r;

    signed_insist(asprintf(&path, "%s/%s", source ? source : ".", name) > 0, "path");
    r = files_read_at(AT_FDCWD, path, POLICY_DOCUMENT_MAX, &b.data, &b.size);
    if (r < 0)
        printf("%s: %s\n", path, strerror(-r));
    signed_insist(r == 0, "a document of the tree");
    free(path);
    return b;
}

static void make_good(void)
{
    struct trust_envelope *p5 = signed_usual_policy(5, NULL);

    add("good bundle", run_apply, whole_bundle());
    add("good policy", run_apply, signed_file(signed_usual_policy(6, NULL)));
    add("good head", run_apply, signed_file(signed_usual_head(8, p5, 5)));
    add("good root", run_apply, signed_file(signed_usual_root(4)));
    add("stored bundle", run_store, whole_bundle());
    add("first root", run_install, signed_file(signed_usual_root(1)));
    add("state file", run_state, copy_of(held_bytes));
    add("root document", run_root, signed_payload(signed_usual_root(4)));
    add("head document", run_head, signed_payload(signed_usual_head(8, p5, 5)));
    add("envelope of a policy", run_envelope, signed_file(signed_usual_policy(6, NULL)));
    add("policy document", run_policy, file_of("docs/examples/policy.yaml"));
    trust_envelope_free(p5);
}

static void make_attacks(const struct attack *attacks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        add(attacks[i].name, run_apply, attacks[i].make());
        if (attacks[i].result != TRUST_E_TOO_LONG)
            add(attacks[i].name, run_state, attacks[i].make());
    }
}

static void make_directory(void)
{
    struct trusted *t = NULL;
    struct trust_complaint complaint = {0};
    struct trust_state *s = NULL, *next = NULL;
    struct signed_bytes b = whole_bundle();
    struct policy *p = NULL;

    snprintf(directory, sizeof(directory), "%s/fault.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    signed_insist(mkdtemp(directory) != NULL, "directory");
    directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    signed_insist(directory_fd >= 0, "directory");
    signed_insist(trusted_open(directory_fd, &t) == 0 && trusted_condition(t) == TRUSTED_NONE, "an empty directory");
    signed_insist(trust_state_write(held, &held_bytes.data, &held_bytes.size) == 0, "state");
    signed_insist(trust_state_read(held_bytes.data, held_bytes.size, &s, NULL) == 0, "state");
    signed_insist(trusted_install(t, s) == 0, "install");
    (void)trusted_free(t);
    signed_insist(trust_apply(held, &signed_terminal, b.data, b.size, &next, &p, NULL, &complaint) == TRUST_OK,
                  complaint.text);
    signed_insist(trust_state_write(next, &next_bytes.data, &next_bytes.size) == 0, "state");
    (void)policy_unref(p);
    trust_state_free(next);
    free(b.data);
}

/* --- a round --- */

static bool same(struct signed_bytes a, const uint8_t *data, size_t size)
{
    return a.size == size && memcmp(a.data, data, size) == 0;
}

/* The lowest free descriptor: the same after every round. */
static int lowest_free(void)
{
    int fd = dup(directory_fd);

    signed_insist(fd >= 0, "descriptors");
    close_fd(fd);
    return fd;
}

/* What is on disk now, made the old again. -1: neither old nor new. */
static int restore_file(void)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int new;

    if (files_read_at(directory_fd, "trust.json", 1U << 22, &bytes, &size) < 0)
        return -1;
    new = same(next_bytes, bytes, size);
    if (!new && !same(held_bytes, bytes, size))
        return -1;
    if (new)
        signed_insist(files_write_atomic_at(directory_fd, "trust.json", held_bytes.data, held_bytes.size, 0600) == 0,
                      "the old file");
    return new;
}

static void check_held(const struct material *m, const char *how)
{
    uint8_t *bytes = NULL;
    size_t size = 0;

    signed_insist(trust_state_write(held, &bytes, &size) == 0, "held");
    if (!same(held_bytes, bytes, size))
        failed(m, "what is held has changed", how);
    free(bytes);
}

/* The material as its first run left it, so that every later one can be compared with it. */
static void run_plain(struct material *m)
{
    const struct fault_plan none = {0};
    struct fault_account account;

    m->outcome = (struct outcome){0};
    fault_begin(&none);
    m->result = m->run(m, &m->outcome);
    account = fault_end();
    m->calls = account.calls;
    if (m->run == run_store)
        signed_insist(restore_file() == 1, "stored without faults");
    if (account.blocks != 0 || account.yaml_blocks != 0)
        failed(m, "leaks even without faults", "rounds 0");
}

static void run_faulty(const struct material *m, const struct fault_plan *plan, const char *how)
{
    struct outcome outcome = {0};
    struct fault_account account;
    int r, on_disk, free_one = lowest_free();

    fault_begin(plan);
    r = m->run(m, &outcome);
    account = fault_end();
    tally.rounds++;
    tally.calls += account.calls;
    tally.faults += account.faults;
    tally.verified += r == TRUST_OK;
    tally.fatal += r < 0;
    tally.refused += r > 0;
    if (account.blocks != 0)
        failed(m, "leaks memory", how);
    if (account.yaml_blocks < 0 || account.yaml_blocks > (r == -ENOMEM || m->result != TRUST_OK ? YAML_FORGETS : 0))
        failed(m, "leaks memory of libyaml", how);
    tally.yaml_leaks += account.yaml_blocks > 0;
    if (lowest_free() != free_one)
        failed(m, "leaks a descriptor", how);
    if (r == TRUST_OK && m->result != TRUST_OK)
        failed(m, "verified, because something failed", how);
    if (r == TRUST_OK && memcmp(&outcome, &m->outcome, sizeof(outcome)) != 0)
        failed(m, "verified, with another outcome", how);
    if (r != m->result && account.faults == 0)
        failed(m, "another result without any fault", how);
    if (m->result == TRUST_OK && r > 0) {
        tally.refused_good++;
        tally.good[r]++;
    }
    if (m->run == run_store) {
        on_disk = restore_file();
        if (on_disk < 0)
            failed(m, "neither the old nor the new state is on disk", how);
        if (r == TRUST_OK && on_disk != 1)
            failed(m, "said to be stored and is not", how);
    }
    if (tally.rounds % 64 == 0)
        check_held(m, how);
}

static uint64_t mixed(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

/* A good document with one byte changed: whatever that makes of it. */
static void run_changed(const struct material *of, const struct fault_plan *plan, uint64_t random, const char *how)
{
    struct material m = *of;

    m.bytes = copy_of(of->bytes);
    m.bytes.data[random % m.bytes.size] ^= (uint8_t)(1U << (random >> 40) % 8);
    m.run = of->run == run_store ? run_apply : of->run;
    run_plain(&m);
    run_faulty(&m, plan, how);
    free(m.bytes.data);
}

static void seeded(uint64_t seed, uint64_t first, uint64_t rounds, size_t n_good)
{
    for (uint64_t i = first; i < first + rounds; i++) {
        uint64_t random = mixed(seed * UINT64_C(0x9e3779b97f4a7c15) + i), kind = random % 4;
        const struct material *m =
            &materials[kind == 0 ? n_good + (random >> 8) % (n_materials - n_good) : (random >> 8) % n_good];
        struct fault_plan plan = {.seed = random, .one_in = ONE_IN};
        char how[96];

        /* The first fault would nearly always come early: half of the rounds begin somewhere behind. */
        if (random >> 63)
            plan.skip = mixed(random) % (m->calls + 1);
        snprintf(how, sizeof(how), "seed %" PRIu64 " --first %" PRIu64 " --rounds 1", seed, i);
        if (kind == 1)
            run_changed(m, &plan, mixed(random + 1), how);
        else
            run_faulty(m, &plan, how);
    }
}

/* Each call of each good document fails once; of every `step` one. */
static void every(uint64_t step, size_t n_good)
{
    for (size_t i = 0; i < n_good; i++)
        for (uint64_t n = 1 + i % step; n <= materials[i].calls; n += step) {
            const struct fault_plan plan = {.nth = n};
            char how[96];

            snprintf(how, sizeof(how), "every %" PRIu64 " (%s, call %" PRIu64 ")", step, materials[i].name, n);
            run_faulty(&materials[i], &plan, how);
        }
}

static void report(size_t n_good)
{
    printf("%" PRIu64 " rounds over %zu good and %zu attacked documents: %" PRIu64 " calls, %" PRIu64
           " failed; verified %" PRIu64 ", error %" PRIu64 ", refused %" PRIu64 "\n",
           tally.rounds, n_good, n_materials - n_good, tally.calls, tally.faults, tally.verified, tally.fatal,
           tally.refused);
    printf("good ones refused: %" PRIu64, tally.refused_good);
    for (int i = 1; i < TRUST_RESULT_COUNT_; i++)
        if (tally.good[i] > 0)
            printf(", %s %" PRIu64, trust_result_name((enum trust_result)i), tally.good[i]);
    printf("\nrounds in which libyaml forgot a block: %" PRIu64 "\n", tally.yaml_leaks);
}

static int usage(void)
{
    fputs("usage: trust [--seed N] [--first N] [--rounds N] [--every STEP]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"first", required_argument, NULL, 'f'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"every", required_argument, NULL, 'e'},
                                            {NULL, 0, NULL, 0}};
    uint64_t seed = 1, first = 0, rounds = 400, step = 1999, *target;
    size_t n_good;
    char *command = NULL;
    int c;

    if (fault_init() < 0) {
        fputs("OpenSSL has allocated before main()\n", stderr);
        return 1;
    }
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        target = c == 's' ? &seed : c == 'f' ? &first : c == 'r' ? &rounds : c == 'e' ? &step : NULL;
        if (!target || text_to_u64(optarg, UINT32_MAX, target) < 0)
            return usage();
    }
    held = signed_settled();
    make_directory();
    make_good();
    n_good = n_materials;
    make_attacks(attacks_of_form, attacks_of_form_n);
    make_attacks(attacks_of_content, attacks_of_content_n);
    for (size_t i = 0; i < n_materials; i++) {
        run_plain(&materials[i]); /* twice: the first time OpenSSL fills its caches */
        run_plain(&materials[i]);
        if ((materials[i].result == TRUST_OK) != (i < n_good))
            failed(&materials[i], "not what it must be without faults", "rounds 0");
        if (i < n_good)
            printf("%s: %" PRIu64 " calls\n", materials[i].name, materials[i].calls);
    }
    seeded(seed, first, rounds, n_good);
    if (step > 0)
        every(step, n_good);
    report(n_good);
    /* Nothing of it lasts: without faults all is as before. */
    for (size_t i = 0; i < n_materials; i++) {
        const struct fault_plan none = {0};

        run_faulty(&materials[i], &none, "rounds 0 --every 0");
        free(materials[i].bytes.data);
    }
    trust_state_free(held);
    free(held_bytes.data);
    free(next_bytes.data);
    close_fd(directory_fd);
    signed_insist(asprintf(&command, "rm -rf -- %s", directory) > 0 && system(command) == 0, "cleaning up");
    free(command);
    return tally.faults > 0 || rounds == 0 ? 0 : 1; /* without a fault nothing was tested */
}
