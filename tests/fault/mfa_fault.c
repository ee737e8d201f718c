/*
 * The verifier while calls fail: one in 400 of what it calls, seeded, then each single one once, over one store that lives through all rounds. Whatever fails: a wrong code is
 * never accepted, a right one at most once, nobody who is enrolled is "not enrolled", what was answered "wrong" is counted, it does not
 * crash and leaks nothing, and without faults the store is whole again.
 *
 *   mfa [--seed N] [--rounds N] [--one-in N]
 */
#include "unit/mfa/fixture.h"

#include <getopt.h>
#include <inttypes.h>

#include "fault/fault.h"

enum {
    ONE_IN = 400,
    ROUNDS = 500,
    RECOVERY_EVERY = 40,
    OTHERS = 3000, /* uids of those who come and go */
};

static struct {
    uint64_t calls, faults, accepted, unavailable, lost;
} tally;

static uint64_t seed = 1, round_number;

static _Noreturn void failed(const char *what)
{
    (void)fault_end();
    printf("FAILED: %s: round %" PRIu64 "\nThe same again: --seed %" PRIu64 "\n", what, round_number, seed);
    (void)fflush(stdout);
    _exit(1);
}

static void insist(bool ok, const char *what)
{
    if (!ok)
        failed(what);
}

/* One round's attempts; what may be learned from it without faults afterwards. */
struct told {
    unsigned wrong; /* since the last success */
    bool accepted;  /* the right code of this round */
};

static enum mfa_outcome attempt(struct fixture *f, const char *code, bool right, struct told *t)
{
    struct mfa_result r;

    mfa_verify(f->mfa, TANAKA, code, &f->now, &r);
    insist(r.outcome != MFA_NOT_ENROLLED, "somebody who is enrolled is not");
    t->wrong += r.outcome == MFA_WRONG || r.outcome == MFA_USED || r.outcome == MFA_SKEW;
    /* A right code whose success could not be read back may stand on the disk: then it made the count 0. */
    if (r.outcome == MFA_ACCEPTED || (r.outcome == MFA_UNAVAILABLE && right))
        t->wrong = 0;
    tally.accepted += r.outcome == MFA_ACCEPTED;
    tally.unavailable += r.outcome == MFA_UNAVAILABLE;
    return r.outcome;
}

struct codes {
    char wrong[TOTP_CODE_SIZE], right[TOTP_CODE_SIZE], old[TOTP_CODE_SIZE];
};

static void run_round(struct fixture *f, const struct codes *c, struct told *t)
{
    uid_t other = OTHERS + (uid_t)(round_number % 7);
    char base32[] = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"; /* no two people may have one */
    struct mfa_result r;
    int e;

    if (mfa_open(&f->options, &f->mfa) < 0)
        return;
    mfa_set_limits(f->mfa, &(struct mfa_limits){.failures = 100, .window = 1});
    insist(attempt(f, c->wrong, false, t) != MFA_ACCEPTED, "a wrong code is accepted");
    insist(attempt(f, c->old, false, t) != MFA_ACCEPTED, "an old code is accepted");
    for (int i = 0; i < 3; i++)
        if (attempt(f, c->right, true, t) == MFA_ACCEPTED) {
            insist(!t->accepted, "a code is accepted twice");
            t->accepted = true;
        }
    mfa_ask(f->mfa, TANAKA, &f->now, &r);
    insist(r.outcome == MFA_NEEDED || r.outcome == MFA_UNAVAILABLE, "it waits for nothing");
    insist(attempt(f, "", false, t) != MFA_ACCEPTED, "an empty code is accepted");
    if (round_number % 5 == 0)
        (void)mfa_rotate(f->mfa);
    base32[31] = (char)('A' + other - OTHERS);
    e = mfa_import(f->mfa, other, "other", base32, &totp_default, 0, &f->now, NULL);
    if (e == MFA_E_ENROLLED)
        (void)mfa_remove(f->mfa, other);
    mfa_grace(f->mfa, SUZUKI, 365 * 86400 * SECOND, &f->now, &r);
    insist(r.outcome == MFA_GRACE || r.outcome == MFA_UNAVAILABLE, "no grace");
    f->mfa = mfa_free(f->mfa);
}

static void check_round(struct fixture *f, const struct codes *c, struct told *t)
{
    enum mfa_outcome again;
    unsigned counted;

    reopen(f);
    mfa_set_limits(f->mfa, &(struct mfa_limits){.failures = 100, .window = 1});
    if (mfa_condition(f->mfa) != MFA_GOOD) {
        printf("%s: %s\n", mfa_condition_name(mfa_condition(f->mfa)), mfa_complaint(f->mfa));
        failed("the store is not whole afterwards");
    }
    counted = failures(f);
    insist(counted >= t->wrong, "an answered failure is not counted");
    tally.lost += counted > t->wrong; /* counted, and not answered: as it must be */
    again = attempt(f, c->right, true, t);
    insist(again == MFA_ACCEPTED || again == MFA_USED, "a right code is neither good nor used");
    insist(again != MFA_ACCEPTED || !t->accepted, "a code is accepted again after a restart");
    insist(mfa_lift(f->mfa, TANAKA, &f->now) == 0, "not lifted");
    f->mfa = mfa_free(f->mfa);
}

/* How many calls it made. */
static uint64_t one_round(struct fixture *f, const struct fault_plan *plan)
{
    struct fault_account account;
    struct told told = {0};
    struct codes c;

    pass(f, 60);
    (void)strcpy(c.right, code_at(f, 0));
    (void)strcpy(c.old, code_at(f, -2));
    (void)strcpy(c.wrong, wrong_code(f));
    fault_begin(plan);
    run_round(f, &c, &told);
    account = fault_end();
    tally.calls += account.calls;
    tally.faults += account.faults;
    if (account.blocks != 0)
        printf("%" PRId64 " blocks\n", account.blocks);
    insist(account.blocks == 0, "memory is not given back");
    f->mfa = mfa_free(f->mfa);
    check_round(f, &c, &told);
    round_number++;
    return account.calls;
}

/* Each single call fails once. */
static void every_call(struct fixture *f)
{
    uint64_t calls = 0;

    for (int i = 0; i < 5; i++) { /* not every round does the same */
        uint64_t n = one_round(f, &(struct fault_plan){0});

        calls = n > calls ? n : calls;
    }
    for (uint64_t nth = 1; nth <= calls; nth++)
        (void)one_round(f, &(struct fault_plan){.nth = nth});
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"one-in", required_argument, NULL, 'o'},
                                            {0}};
    uint64_t rounds = ROUNDS;
    unsigned one_in = ONE_IN;
    void *state = NULL;
    struct mfa_result r;
    int c;

    if (fault_init() < 0 || fault_init_sqlite() < 0)
        return 1;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (c == 's')
            seed = strtoull(optarg, NULL, 10);
        else if (c == 'r')
            rounds = strtoull(optarg, NULL, 10);
        else if (c == 'o')
            one_in = (unsigned)strtoul(optarg, NULL, 10);
        else
            return 2;
    (void)setup_at(&state, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    enrol(state, TANAKA, "tanaka");
    mfa_grace(((struct fixture *)state)->mfa, SUZUKI, 86400 * SECOND, &((struct fixture *)state)->now, &r);
    ((struct fixture *)state)->mfa = mfa_free(((struct fixture *)state)->mfa);
    for (round_number = 1; round_number <= rounds;)
        (void)one_round(state, &(struct fault_plan){.seed = seed * 1000003 + round_number, .one_in = one_in});
    every_call(state);
    (void)teardown(&state);
    printf("%" PRIu64 " rounds, %" PRIu64 " calls, %" PRIu64 " faults: %" PRIu64 " accepted, %" PRIu64
           " unavailable, %" PRIu64 " rounds with attempts counted and not answered\n",
           round_number - 1, tally.calls, tally.faults, tally.accepted, tally.unavailable, tally.lost);
    insist(tally.accepted > 0, "no right code was ever accepted");
    if (one_in > 0 && (tally.faults == 0 || tally.unavailable == 0))
        failed("nothing was tried");
    return 0;
}
