/*
 * PAM files of any bytes: up to four, "a" to "d", with a NUL between, behind eight bytes that say what modules answer. Reading and walking end
 * in bounds, and the walk overlooks no way: where one set of answers opens the stack without the code, a way is named.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "bypass/pam_walk.h"
#include "fuzz/fuzz.h"

enum {
    FILES = 4,
    HEAD = 8,
};

struct files {
    const uint8_t *bytes[FILES];
    size_t sizes[FILES];
    size_t n;
};

static void insist(int condition)
{
    if (!condition)
        abort();
}

static int read_file(void *context, const char *path, char **ret)
{
    const struct files *f = context;
    size_t n = strlen(path), i;

    if (n < 2 || path[n - 2] != '/' || path[n - 1] < 'a' || path[n - 1] >= 'a' + (int)f->n)
        return -ENOENT;
    i = (size_t)(path[n - 1] - 'a');
    *ret = text_copy((const char *)f->bytes[i], f->sizes[i]);
    return *ret ? 0 : -ENOMEM;
}

static void split(const uint8_t *data, size_t size, struct files *ret)
{
    while (ret->n < FILES) {
        const uint8_t *stop = size > 0 ? memchr(data, 0, size) : NULL;

        ret->bytes[ret->n] = data;
        ret->sizes[ret->n++] = stop ? (size_t)(stop - data) : size;
        if (!stop)
            return;
        size -= (size_t)(stop - data) + 1;
        data = stop + 1;
    }
}

/* One answer for each module; the code is wrong. */
static enum pam_can one_answer(bool code, uint8_t byte)
{
    int answer = byte % PAM_STACK_INCOMPLETE;

    if (code && (answer == PAM_STACK_SUCCESS || answer == PAM_STACK_IGNORE))
        answer = PAM_STACK_AUTH_ERR;
    return (enum pam_can)(PAM_CAN_ONLY + answer);
}

static void check(const struct pam_stack *s, const uint8_t *head)
{
    enum pam_can all[PAM_STACK_MODULES], one[PAM_STACK_MODULES];
    struct pam_ways ways = {0}, opened = {0};
    int r;

    for (size_t i = 0; i < s->n; i++) {
        bool code = text_equal(s->modules[i].name, "pam_kuraban.so");

        insist(s->modules[i].level < PAM_STACK_LEVELS);
        all[i] = code ? PAM_CAN_CODE : PAM_CAN_ALL;
        /* Half of them answer success, or nothing would ever open. */
        one[i] = head[i % HEAD] & 1 && !code ? PAM_CAN_SUCCEED : one_answer(code, (uint8_t)(head[i % HEAD] >> 1));
    }
    r = pam_walk(s, all, &ways);
    insist(r == 0 || r == -E2BIG);
    if (r == 0) {
        insist(pam_walk(s, one, &opened) == 0);
        insist(!opened.opens || (ways.opens && ways.n > 0));
        for (size_t i = 0; i < ways.n; i++)
            insist(ways.ways[i].module < s->n);
    }
    pam_ways_done(&ways);
    pam_ways_done(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pam_stack stack = {0};
    struct files files = {0};
    int r;

    if (size < HEAD)
        return 0;
    split(data + HEAD, size - HEAD, &files);
    r = pam_stack_read_from(&(struct pam_files){read_file, &files}, "a", &stack);
    insist(r == 0 || r == -E2BIG);
    if (r == 0 && stack.n > 0)
        check(&stack, data);
    pam_stack_done(&stack);
    return 0;
}
