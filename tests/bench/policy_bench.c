/*
 * What a policy of the largest size costs beside one of ten rules, in one run: milliseconds to load it, nanoseconds to decide for a
 * USB device and for its medium. Usage: policy [ROUNDS]. Figures are medians of the rounds; ratios are taken within a round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "decide/decide.h"
#include "policy/findings.h"
#include "policy/policy.h"

enum {
    SERIALS = 5000,
    DECISIONS = 20000,
    ROUNDS_MAX = 101,
    FIGURES = 4,
};

struct shape {
    const char *name;
    char *text;
    size_t size;
    unsigned serials; /* S00000 … of them are in it */
    struct policy *policy;
    double load_ms[ROUNDS_MAX], figures[FIGURES][ROUNDS_MAX];
};

static const struct decide_interface stick[] = {{.class_ = 8, .subclass = 6, .protocol = 0x50}};

static double now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t begin_text(char *text)
{
    return (size_t)sprintf(text, "format: kuraban-policy/1\norganization: city.example\nname: bench\nversion: 1\nusb:\n"
                                 "- {id: keyboard, allow: use, interfaces: {all-of: [\"03:01:01\"]}}\n"
                                 "- {id: hubs, allow: use, interfaces: {match-all: [\"09:*:*\"]}}\n");
}

/* One serial a rule, as many rules as fit (or n). */
static void make_rules(struct shape *s, unsigned n)
{
    s->text = malloc(POLICY_DOCUMENT_MAX + 256);
    s->size = begin_text(s->text);
    for (; s->serials < n && s->size + 80 < POLICY_DOCUMENT_MAX; s->serials++)
        s->size += (size_t)sprintf(s->text + s->size, "- {id: s%u, allow: read, match: {serial: S%05u}}\n", s->serials,
                                   s->serials);
}

/* n serials in lists of `each`, with a comment to each as people would write it. */
static void make_lists(struct shape *s, unsigned n, unsigned each)
{
    s->text = malloc(POLICY_DOCUMENT_MAX + 256);
    s->size = begin_text(s->text);
    while (s->serials < n) {
        s->size += (size_t)sprintf(s->text + s->size,
                                   "- id: list%u\n  allow: read\n  match:\n    device: \"0781:5583\"\n    serial:\n",
                                   s->serials / each);
        for (unsigned i = 0; i < each && s->serials < n; i++, s->serials++)
            s->size += (size_t)sprintf(s->text + s->size, "      - S%05u                      # lent\n", s->serials);
    }
}

static double measure_load(struct shape *s)
{
    struct policy_findings findings = {0};
    double begin = now_ns(), end;

    (void)policy_unref(s->policy);
    s->policy = NULL;
    if (policy_load(s->name, (const uint8_t *)s->text, s->size, &findings, &s->policy) != 0) {
        policy_findings_print(&findings, stderr, s->name, (const uint8_t *)s->text, s->size);
        exit(1);
    }
    end = now_ns();
    policy_findings_done(&findings);
    return (end - begin) / 1e6;
}

enum sticks {
    STICKS_ONE, /* the one that is listed last, again and again: what is looked at stays in the processor's nearest memory */
    STICKS_ALL,    /* every listed one, in an order without pattern */
    STICKS_ABSENT, /* none of them listed */
};

static double measure_usb(const struct shape *s, enum sticks which)
{
    static char serials[DECISIONS][16];
    static volatile unsigned allowed;
    unsigned n = 0;
    double begin;

    for (unsigned i = 0; i < DECISIONS; i++)
        (void)snprintf(serials[i], sizeof(serials[i]), "%c%05u", which == STICKS_ABSENT ? 'X' : 'S',
                       which == STICKS_ONE ? s->serials - 1 : i * 2654435761U % s->serials);
    begin = now_ns();
    for (unsigned i = 0; i < DECISIONS; i++) {
        struct decide_usb_facts facts = {.vendor = 0x0781,
                                         .product = 0x5583,
                                         .serial = serials[i],
                                         .name = "Ultra",
                                         .port = "1-2",
                                         .connect_type = "hotplug",
                                         .hash = "4f2c",
                                         .parent_hash = "11aa",
                                         .interfaces = stick,
                                         .n_interfaces = 1};
        struct verdict v;

        decide_usb(s->policy, &facts, &v);
        n += v.kind == VERDICT_ALLOW;
    }
    begin = (now_ns() - begin) / DECISIONS;
    allowed = n;
    if (allowed != (which == STICKS_ABSENT ? 0 : DECISIONS)) {
        (void)fprintf(stderr, "%s: %u of %d allowed\n", s->name, allowed, DECISIONS);
        exit(1);
    }
    return begin;
}

static double measure_medium(const struct shape *s)
{
    double begin = now_ns();

    for (unsigned i = 0; i < DECISIONS; i++) {
        struct decide_medium_facts facts = {.bus = "usb",
                                            .node = "/dev/sdb1",
                                            .filesystem = "vfat",
                                            .capacity = 1,
                                            .usb_rule =
                                                s->policy->usb[2 + i * 2654435761U % (s->policy->n_usb - 2)].id};
        struct verdict v;

        decide_medium(s->policy, &facts, &v);
        if (v.kind != VERDICT_ALLOW)
            exit(1);
    }
    return (now_ns() - begin) / DECISIONS;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(const double *values, unsigned n)
{
    double sorted[ROUNDS_MAX];

    memcpy(sorted, values, n * sizeof(*values));
    qsort(sorted, n, sizeof(*sorted), compare);
    return sorted[n / 2];
}

static double median_ratio(const double *values, const double *base, unsigned n)
{
    double ratios[ROUNDS_MAX];

    for (unsigned i = 0; i < n; i++)
        ratios[i] = values[i] / base[i];
    return median(ratios, n);
}

int main(int argc, char **argv)
{
    static struct shape shapes[] = {{.name = "ten rules"}, {.name = "lists of 1000"}, {.name = "one serial a rule"}};
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 15;

    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    make_rules(&shapes[0], 8);
    make_lists(&shapes[1], SERIALS, 1000);
    make_rules(&shapes[2], 8192 - 2);
    for (unsigned r = 0; r < rounds; r++)
        for (unsigned i = 0; i < 3; i++) {
            shapes[i].load_ms[r] = measure_load(&shapes[i]);
            shapes[i].figures[0][r] = measure_usb(&shapes[i], STICKS_ONE);
            shapes[i].figures[1][r] = measure_usb(&shapes[i], STICKS_ALL);
            shapes[i].figures[2][r] = measure_usb(&shapes[i], STICKS_ABSENT);
            shapes[i].figures[3][r] = measure_medium(&shapes[i]);
        }
    printf(
        "| policy | KiB | serials | load ms | one stick ns | ratio | all in turn ns | ratio | not listed ns | ratio | "
        "media in turn ns | ratio |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (unsigned i = 0; i < 3; i++) {
        const struct shape *s = &shapes[i];

        printf("| %s | %zu | %u | %.1f |", s->name, s->size / 1024, s->serials, median(s->load_ms, rounds));
        for (unsigned k = 0; k < FIGURES; k++)
            printf(" %.0f | %.2f |", median(s->figures[k], rounds),
                   median_ratio(s->figures[k], shapes[0].figures[k], rounds));
        (void)putchar('\n');
        (void)policy_unref(s->policy);
        free(s->text);
    }
    return 0;
}
