/*
 * kuraban-fetch: one request to the centre, for `kuraban enrol`. JSON in: {"hub", "pin", "path", "body"}, out: {"result", "detail"} and, when that is
 * "ok", {"status", "body", "ca"}.
 *
 * Owns: what a process is. Must not: run as root, or write its input anywhere.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/files.h"
#include "fetch/fetch.h"
#include "json/whole.h"

enum {
    INPUT_MAX = 256 * 1024
};

static int answer(const char *result, const char *detail, const struct fetch_answer *a, const char *ca)
{
    json_t *j = a ? json_pack("{s:s, s:s, s:I, s:s, s:s}", "result", result, "detail", detail, "status",
                              (json_int_t)a->status, "body", a->body, "ca", ca)
                  : json_pack("{s:s, s:s}", "result", result, "detail", detail);
    char *text = NULL;
    int r = j ? whole_text(j, JSON_COMPACT, &text) : -EILSEQ;

    if (r == 0)
        r = files_write_all(STDOUT_FILENO, text, strlen(text));

    free(text);
    json_decref(j);
    return r;
}

static int run(const char *hub, const struct digest *pin, const char *path, const char *body)
{
    char detail[FETCH_DETAIL_SIZE] = "";
    struct fetch_answer a = {0};
    char *ca = NULL;
    int r = fetch_begin();

    if (r == 0)
        r = fetch_authority(hub, pin, &ca, detail);
    if (r == FETCH_OK)
        r = fetch_post(hub, ca, path, body, strlen(body), &a, detail);
    if (r == FETCH_OK) {
        /* Not UTF-8: no JSON either. */
        r = answer("ok", "", &a, ca);
        if (r == -EILSEQ)
            r = answer(fetch_result_name(FETCH_E_ANSWER), "", NULL, NULL);
    } else if (r > 0) {
        r = answer(fetch_result_name((enum fetch_result)r), detail, NULL, NULL);
    }
    free(a.body);
    free(ca);
    return r;
}

static int read_and_run(void)
{
    const char *hub = NULL, *hex = NULL, *path = NULL, *body = NULL;
    uint8_t *input = NULL;
    struct digest pin;
    json_t *j = NULL;
    size_t size = 0;
    int r = files_read_fd(STDIN_FILENO, INPUT_MAX, &input, &size);

    if (r >= 0) {
        j = json_loadb((const char *)input, size, JSON_REJECT_DUPLICATES, NULL);
        r = j && json_unpack(j, "{s:s, s:s, s:s, s:s!}", "hub", &hub, "pin", &hex, "path", &path, "body", &body) == 0 &&
                    digest_from_hex(hex, &pin) == 0
                ? run(hub, &pin, path, body)
                : -EBADMSG;
        explicit_bzero(input, size);
    }
    free(input);
    if (body)
        explicit_bzero((char *)body, strlen(body));
    json_decref(j);
    return r;
}

int main(void)
{
    const struct rlimit none = {0, 0};

    if (geteuid() == 0 || getuid() == 0)
        return 3;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        return EXIT_FAILURE;
    /* At once: nothing of the libraries is to be cleared up, and a sanitizer could look at no process that is not dumpable. */
    _exit(read_and_run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
