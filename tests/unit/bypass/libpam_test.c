/*
 * Is the walk through a stack what libpam does? Thousands of made-up stacks, with jumps, substacks, includes and every control, of
 * pam_debug.so, which answers what it is told; each is judged by libpam and by pam_walk().
 */
#include "test.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bypass/pam_walk.h"

enum {
    STACKS = 800,
    FILES = 4,
    LINES_MAX = 6,
};

/* From <security/pam_appl.h>; the library is opened here, so that nothing else has to link it. */
struct pam_conv {
    int (*conv)(int, const void **, void **, void *);
    void *appdata_ptr;
};
static int (*start_)(const char *, const char *, const struct pam_conv *, const char *, void **);
static int (*authenticate_)(void *, int);
static int (*end_)(void *, int);

static char stage[] = "/tmp/kuraban-libpam-XXXXXX";
static unsigned long long seed = 0x6b757261;

static unsigned pick(unsigned n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % n;
}

static const struct {
    const char *name;
    int value;
} answers[] = {{"success", 0},   {"auth_err", 7}, {"user_unknown", 10}, {"ignore", 25}, {"perm_denied", 6},
               {"maxtries", 11}, {"success", 0},  {"success", 0},       {"success", 0}, {"new_authtok_reqd", 12}};

static void write_control(FILE *f)
{
    static const char *const plain[] = {"required", "requisite", "sufficient", "optional"};
    static const char *const names[] = {"success", "auth_err", "user_unknown", "ignore", "default", "perm_denied"};
    static const char *const actions[] = {"ok", "done", "bad", "die", "ignore", "reset", "1", "2", "3"};

    if (pick(3) == 0) {
        (void)fprintf(f, "auth %s ", plain[pick(ELEMENTS(plain))]);
        return;
    }
    (void)fputs("auth [", f);
    for (unsigned i = 0, n = 1 + pick(4); i < n; i++)
        (void)fprintf(f, "%s=%s ", names[pick(ELEMENTS(names))], actions[pick(ELEMENTS(actions))]);
    (void)fputs("] ", f);
}

/* Files include only later ones. Modules in the order they are written are not those of the stack: the answer stands in the arguments. */
static void write_file(unsigned number)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/etc/pam.d/f%u", stage, number);
    f = fopen(path, "w");
    assert_non_null(f);
    for (unsigned i = 0, n = 1 + pick(LINES_MAX); i < n; i++) {
        unsigned kind = pick(8), further = number + 1 + pick(2);

        if (kind == 0 && further < FILES) {
            /* With its path: 1.5.2 looks for included files in /etc/pam.d, whatever the directory. */
            (void)fprintf(f, "auth %s %s/etc/pam.d/f%u\n", pick(2) ? "substack" : "include", stage, further);
        } else if (kind == 1) {
            (void)fputs("# nothing \\\n\n", f);
        } else {
            write_control(f);
            (void)fprintf(f, "%spam_debug.so auth=%s\n", kind == 2 ? "\\\n  " : "",
                          answers[pick(ELEMENTS(answers))].name);
        }
    }
    assert_int_equal(fclose(f), 0);
}

static int no_conversation(int n, const void **messages, void **ret, void *context)
{
    (void)n, (void)messages, (void)ret, (void)context;
    return 19; /* PAM_CONV_ERR */
}

static bool libpam_opens(const char *directory)
{
    struct pam_conv conv = {no_conversation, NULL};
    void *pamh = NULL;
    int r = start_("f0", "nobody", &conv, directory, &pamh);

    assert_int_equal(r, 0);
    r = authenticate_(pamh, 0x8000); /* PAM_SILENT */
    (void)end_(pamh, r);
    return r == 0;
}

static bool walk_opens(const struct tree *t)
{
    enum pam_can can[PAM_STACK_MODULES] = {0};
    struct pam_stack stack = {0};
    struct pam_ways ways = {0};
    char path[256];
    bool opens;

    (void)snprintf(path, sizeof(path), "%s/etc/pam.d/f0", stage);
    assert_int_equal(pam_stack_read(t, path, &stack), 0);
    for (size_t i = 0; i < stack.n; i++)
        for (size_t k = 0; k < ELEMENTS(answers); k++)
            if (strcmp(stack.modules[i].arguments + strcspn(stack.modules[i].arguments, "=") +
                           (*stack.modules[i].arguments ? 1 : 0),
                       answers[k].name) == 0)
                can[i] = (enum pam_can)(PAM_CAN_ONLY + answers[k].value);
    assert_int_equal(pam_walk(&stack, can, &ways), 0);
    opens = ways.opens;
    pam_ways_done(&ways);
    pam_stack_done(&stack);
    return opens;
}

static void test_same_as_libpam(void **state)
{
    char directory[256];
    struct tree t = {.root = -1};
    unsigned open = 0;

    (void)state;
    (void)snprintf(directory, sizeof(directory), "%s/etc/pam.d", stage);
    assert_int_equal(tree_open("/", &t), 0);
    for (unsigned i = 0; i < STACKS; i++) {
        bool theirs, ours;

        for (unsigned k = 0; k < FILES; k++)
            write_file(k);
        theirs = libpam_opens(directory);
        ours = walk_opens(&t);
        if (theirs != ours) {
            char command[300];

            (void)snprintf(command, sizeof(command), "head -n 20 %s/f*", directory);
            (void)!system(command);
            fail_msg("stack %u: libpam says %s, the walk says %s", i, theirs ? "open" : "closed",
                     ours ? "open" : "closed");
        }
        open += theirs;
    }
    tree_close(&t);
    print_message("%u of %u stacks open\n", open, STACKS);
    assert_true(open > STACKS / 20 && open < STACKS / 20 * 19); /* neither side has it easy */
}

static int start(void **state)
{
    char path[256];

    (void)state;
    if (!mkdtemp(stage))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/etc", stage);
    if (mkdir(path, 0755) < 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/etc/pam.d", stage);
    return mkdir(path, 0755);
}

static int stop(void **state)
{
    char command[300];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", stage);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_libpam)};
    void *library = dlopen("libpam.so.0", RTLD_NOW | RTLD_GLOBAL);

    if (library) {
        *(void **)&start_ = dlsym(library, "pam_start_confdir");
        *(void **)&authenticate_ = dlsym(library, "pam_authenticate");
        *(void **)&end_ = dlsym(library, "pam_end");
    }
    if (!start_ || !authenticate_ || !end_) {
        printf("SKIP: libpam with pam_start_confdir() is not here\n");
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, start, stop);
}
