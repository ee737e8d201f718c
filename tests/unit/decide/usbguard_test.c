/*
 * The policy imported from rules of USBGuard decides as USBGuard does, or refuses more and its account says why: by the answers of the
 * real thing in tests/data/usbguard/decisions (tests/peers/usbguard-rules/run makes them; its decide.cpp explains the rows).
 *
 * The other way round does not count: what USBGuard lets in by chance or by what happened before is refused here.
 * KURABAN_USBGUARD_DIRECTORY names another directory with devices, decisions and rule files; then the table is printed, and not
 * compared with tests/data/usbguard/comparison.
 */
#include "unit/decide/fixture.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "policy/import_usbguard.h"
#include "policy/usbguard_rule.h"

enum {
    FILE_MAX = 4 * 1024 * 1024,
    DEVICES_MAX = 4096,
    INTERFACES_MAX = 32,
};

/* Reasons for which a device may be refused that USBGuard lets in, or be refused in another way. */
#define REASON(name) (UINT32_C(1) << POLICY_IMPORT_##name)
static const uint32_t explaining = REASON(CONDITION) | REASON(CONDITION_PART) | REASON(CONDITION_WIDE) | REASON(HOURS) |
                                   REASON(HOURS_END) | REASON(HOURS_LONGEST) | REASON(EQUALS_STRICT) |
                                   REASON(EQUALS_WIDE) | REASON(MATCH_ALL) | REASON(TOO_LONG) | REASON(CASE) |
                                   REASON(TARGET);

struct device {
    struct usbguard_rule rule; /* owns the texts */
    struct decide_interface interfaces[INTERFACES_MAX];
    struct decide_usb_facts facts;
};

struct row {
    char file[64], lines[16], implicit[8];
    int hours, minutes, seconds;
    unsigned first;
};

enum result {
    RESULT_SAME = 0,
    RESULT_STRICTER,  /* refused; USBGuard permits it, or does so sometimes */
    RESULT_OTHERWISE, /* refused by both: blocked here, taken off the bus there, or the reverse */
    RESULT_UNEXPLAINED,
    RESULT_WIDER,
    RESULT_COUNT_,
};

struct tally {
    size_t cases, rows, refused_rows, results[RESULT_COUNT_];
    size_t by_reason[POLICY_IMPORT_REASON_COUNT_];
};

static const char *directory(void)
{
    const char *d = getenv("KURABAN_USBGUARD_DIRECTORY");

    return d ? d : KURABAN_TEST_DATA "/usbguard";
}

static char *slurp(const char *name)
{
    char path[512];
    char *bytes = calloc(1, FILE_MAX);
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", directory(), name);
    f = fopen(path, "re");
    if (!f || !bytes)
        fail_msg("%s cannot be read", path);
    (void)fread(bytes, 1, FILE_MAX - 1, f);
    (void)fclose(f);
    return bytes;
}

/* --- Devices --- */

static const char *single(const struct usbguard_rule *rule, enum usbguard_attribute a)
{
    return rule->lists[a].n > 0 ? rule->lists[a].items[0] : "";
}

static void set_interfaces(struct device *d)
{
    const struct usbguard_list *l = &d->rule.lists[USBGUARD_WITH_INTERFACE];
    unsigned class_ = 0, subclass = 0, protocol = 0;

    assert_true(l->n > 0 && l->n <= INTERFACES_MAX);
    for (size_t i = 0; i < l->n; i++) {
        assert_int_equal(sscanf(l->items[i], "%2x:%2x:%2x", &class_, &subclass, &protocol), 3);
        d->interfaces[i] = (struct decide_interface){.number = (uint8_t)i,
                                                     .class_ = (uint8_t)class_,
                                                     .subclass = (uint8_t)subclass,
                                                     .protocol = (uint8_t)protocol};
    }
    d->facts.interfaces = d->interfaces;
    d->facts.n_interfaces = l->n;
}

static void set_device(struct device *d, const char *line)
{
    unsigned column = 0, vendor = 0, product = 0;

    if (usbguard_rule_parse(line, strlen(line), &d->rule, &column) != 0 || d->rule.target != USBGUARD_DEVICE)
        fail_msg("no device: %s", line);
    assert_int_equal(sscanf(single(&d->rule, USBGUARD_ID), "%4x:%4x", &vendor, &product), 2);
    d->facts = (struct decide_usb_facts){.vendor = (uint16_t)vendor,
                                         .product = (uint16_t)product,
                                         .serial = single(&d->rule, USBGUARD_SERIAL),
                                         .name = single(&d->rule, USBGUARD_NAME),
                                         .manufacturer = "",
                                         .port = single(&d->rule, USBGUARD_VIA_PORT),
                                         .connect_type = single(&d->rule, USBGUARD_WITH_CONNECT_TYPE),
                                         .hash = "",
                                         .parent_hash = "",
                                         .usbguard_hash = single(&d->rule, USBGUARD_HASH),
                                         .usbguard_parent_hash = single(&d->rule, USBGUARD_PARENT_HASH)};
    set_interfaces(d);
}

static size_t read_devices(struct device *devices)
{
    _cleanup_free_ char *text = slurp("devices");
    char *rest = text, *line;
    size_t n = 0;

    while ((line = strsep(&rest, "\n")))
        if (*line && *line != '#') {
            assert_true(n < DEVICES_MAX);
            set_device(&devices[n++], line);
        }
    return n;
}

/* --- The imported policy --- */

/* Only the lines of the row; the others are empty, so that the numbers stay. */
static char *lines_of(const struct row *row)
{
    char *text = slurp(row->file), *at = text;
    unsigned long from = strtoul(row->lines, NULL, 10), number = 1;
    bool rest = strchr(row->lines, '-') != NULL;

    for (char *to = text; *at; at++) {
        bool keep = number == from || (rest && number > from);

        if (*at == '\n' || keep)
            *to++ = *at;
        number += *at == '\n';
        if (!at[1])
            *to = '\0';
    }
    return text;
}

static struct policy *import(const struct row *row, struct policy_import_account *account)
{
    _cleanup_free_ char *text = lines_of(row);
    char configuration[64];
    struct policy_import_options options = {.organization = "city.example", .name = "compared"};
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    struct buf b;
    int r;

    options.configuration_size =
        (size_t)snprintf(configuration, sizeof(configuration), "ImplicitPolicyTarget=%s\n", row->implicit);
    options.configuration = (const uint8_t *)configuration;
    buf_init(&b, POLICY_DOCUMENT_MAX);
    r = policy_import_usbguard(&options, (const uint8_t *)text, strlen(text), account, &b);
    if (r == 0 && policy_load(row->file, b.data, b.size, &findings, &p) != 0)
        fail_msg("%s %s: does not load", row->file, row->lines);
    if (r != 0 && r != POLICY_IMPORT_E_INVALID)
        fail_msg("%s %s: %s", row->file, row->lines, strerror(-r));
    policy_findings_done(&findings);
    buf_done(&b);
    return p;
}

static char decided(const struct policy *p, const struct row *row, const struct device *device, unsigned *ret_line)
{
    struct decide_usb_facts facts = device->facts;
    const struct policy_usb_rule *rule;
    struct verdict v = {0};

    facts.now = (struct decide_time){.minute = (int16_t)(row->hours * 60 + row->minutes)};
    decide_usb(p, &facts, &v);
    *ret_line = 0;
    (void)sscanf(v.rule, "usbguard-%u", ret_line);
    if (v.kind == VERDICT_ALLOW)
        return 'a';
    rule = policy_find_usb_rule(p, v.rule);
    return rule && rule->remove ? 'r' : 'b';
}

/* --- Comparing --- */

static uint32_t reasons_of(const struct policy_import_account *account, unsigned line)
{
    for (size_t i = 0; i < account->n; i++)
        if (!account->lines[i].configuration && line > 0 && account->lines[i].line == line)
            return account->lines[i].reasons;
    return 0;
}

/* theirs: a b r, f the daemon fails and leaves it blocked, A sometimes permitted, B refused in one way or the other. */
static enum result compare(char ours, char theirs, uint32_t reasons)
{
    if (ours == theirs || (ours == 'b' && theirs == 'f') || (ours != 'a' && theirs == 'B'))
        return RESULT_SAME;
    if (ours == 'a')
        return RESULT_WIDER;
    if ((reasons & explaining) == 0)
        return RESULT_UNEXPLAINED;
    return theirs == 'a' || theirs == 'A' ? RESULT_STRICTER : RESULT_OTHERWISE;
}

static void count(struct tally *t, enum result result, uint32_t reasons)
{
    t->cases++;
    t->results[result]++;
    for (unsigned i = 0; result != RESULT_SAME && i < POLICY_IMPORT_REASON_COUNT_; i++)
        t->by_reason[i] += (reasons & explaining) >> i & 1;
}

/* "a12": a letter and a line. */
static void check_answer(struct tally *t, const struct row *row, const struct policy *p,
                         const struct policy_import_account *account, const struct device *device, const char *answer,
                         unsigned number)
{
    unsigned our_line, their_line = (unsigned)strtoul(answer + 1, NULL, 10);
    char ours = decided(p, row, device, &our_line);
    uint32_t reasons = reasons_of(account, our_line) | reasons_of(account, their_line);
    enum result result = compare(ours, answer[0], reasons);

    count(t, result, reasons);
    if (result == RESULT_WIDER || result == RESULT_UNEXPLAINED)
        (void)fprintf(stderr, "%s %s %s %02d:%02d:%02d device %u: USBGuard %s, here %c%u: %s\n", row->file, row->lines,
                      row->implicit, row->hours, row->minutes, row->seconds, number, answer, ours, our_line,
                      result == RESULT_WIDER ? "wider" : "no reason is given");
}

static void check_row(struct tally *t, char *line, const struct device *devices, size_t n_devices)
{
    struct policy_import_account account = {0};
    char *rest = line, *answer;
    struct policy *p;
    struct row row;
    unsigned number;
    int used = 0;

    if (sscanf(line, "%63s %15s %7s %d:%d:%d %u%n", row.file, row.lines, row.implicit, &row.hours, &row.minutes,
               &row.seconds, &row.first, &used) != 7)
        fail_msg("no row: %s", line);
    t->rows++;
    number = row.first;
    rest += used;
    p = import(&row, &account);
    while ((answer = strsep(&rest, " "))) {
        if (!*answer)
            continue;
        if ((*answer == 'x') != (p == NULL))
            fail_msg("%s %s: %s here, %s there", row.file, row.lines, p ? "a rule" : "no rule",
                     p ? "no rule" : "a rule");
        assert_true(number >= 1 && number <= n_devices);
        if (p)
            check_answer(t, &row, p, &account, &devices[number - 1], answer, number);
        number++;
    }
    t->refused_rows += !p;
    (void)policy_unref(p);
    policy_import_account_done(&account);
}

static void print_table(const struct tally *t, FILE *out)
{
    static const char *const names[] = {"the same", "stricter, and the account says why",
                                        "refused in another way, and the account says why", "not explained", "wider"};

    (void)fprintf(out, "| result | cases |\n|---|---:|\n");
    for (size_t i = 0; i < RESULT_COUNT_; i++)
        (void)fprintf(out, "| %s | %zu |\n", names[i], t->results[i]);
    (void)fprintf(out, "| together | %zu |\n\n| reason of a difference | cases |\n|---|---:|\n", t->cases);
    for (enum policy_import_reason i = 0; i < POLICY_IMPORT_REASON_COUNT_; i++)
        if (t->by_reason[i] > 0)
            (void)fprintf(out, "| %s | %zu |\n", policy_import_reason_name(i), t->by_reason[i]);
    (void)fprintf(out, "\n%zu rule sets, %zu of them no rules to both.\n", t->rows, t->refused_rows);
}

static void check_table(const struct tally *t)
{
    _cleanup_free_ char *seen = NULL, *expected = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&seen, &size);

    print_table(t, out);
    assert_int_equal(fclose(out), 0);
    if (getenv("KURABAN_USBGUARD_DIRECTORY"))
        (void)fputs(seen, stdout);
    if (strcmp(directory(), KURABAN_TEST_DATA "/usbguard") == 0 || !getenv("KURABAN_USBGUARD_DIRECTORY")) {
        expected = slurp("comparison");
        if (strcmp(seen, expected) != 0)
            (void)fprintf(stderr, "comparison is another one:\n%s", seen);
        assert_string_equal(seen, expected);
    }
}

static void test_decisions(void **state)
{
    struct device *devices = calloc(DEVICES_MAX, sizeof(*devices));
    _cleanup_free_ char *text = slurp("decisions");
    char *rest = text, *line;
    struct tally t = {0};
    size_t n;

    (void)state;
    assert_non_null(devices);
    n = read_devices(devices);
    while ((line = strsep(&rest, "\n")))
        if (*line && *line != '#')
            check_row(&t, line, devices, n);
    for (size_t i = 0; i < n; i++)
        usbguard_rule_done(&devices[i].rule);
    free(devices);
    check_table(&t);
    assert_int_equal(t.results[RESULT_WIDER], 0);
    assert_int_equal(t.results[RESULT_UNEXPLAINED], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decisions)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
