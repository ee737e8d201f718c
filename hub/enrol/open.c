/* Owns: what enrolment works with. Must not: start with a part of it missing. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "hub/enrol/internal.h"

enum {
    URL_SIZE = HUB_CA_NAME_MAX + 32
};

static int setting(struct hub_enrol *e, const char *name, char **ret)
{
    int r = hub_setting_get(e->centre.store, name, ret);

    return r < 0 ? r : r > 0 ? 0 : -EUCLEAN;
}

static int read_keys(struct hub_enrol *e)
{
    _cleanup_close_ int keys = openat(e->centre.directory, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int r;

    if (keys < 0)
        return -errno;
    r = hub_keys_read(keys, &e->wire);
    return r < 0 ? r : hub_head_read(keys, &e->head);
}

static int read_pin(struct hub_enrol *e)
{
    _cleanup_free_ char *pin = NULL;
    int r = setting(e, "ca-pin", &pin);

    if (r < 0)
        return r;
    return text_starts(pin, "sha256:") && digest_from_hex(pin + strlen("sha256:"), &e->ca) == 0 ? 0 : -EUCLEAN;
}

/* The names are those the certificate is for, as init was given them. */
static int read_urls(struct hub_enrol *e)
{
    _cleanup_free_ char *names = NULL, *port = NULL;
    char *save = NULL;
    int r = setting(e, "addresses", &names);

    if (r >= 0)
        r = setting(e, "port", &port);
    e->urls = json_array();
    if (r < 0 || !e->urls)
        return r < 0 ? r : -ENOMEM;
    for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
        const char *open = strchr(name, ':') ? "[" : "", *close = strchr(name, ':') ? "]" : "";
        char url[URL_SIZE];

        (void)snprintf(url, sizeof(url), "tls://%s%s%s:%s", open, name, close, port);
        if (json_array_append_new(e->urls, json_string(url)) < 0)
            return -ENOMEM;
    }
    return 0;
}

int hub_enrol_open(const char *directory, int64_t now_us, struct hub_enrol **ret)
{
    struct hub_enrol *e = calloc(1, sizeof(*e));
    int r;

    if (!e)
        return -ENOMEM;
    e->centre.directory = -1;
    r = centre_open(directory, now_us, &e->centre);
    if (r == CENTRE_OK)
        r = read_keys(e);
    if (r == CENTRE_OK)
        r = setting(e, "organization", &e->organization);
    if (r == CENTRE_OK)
        r = read_pin(e);
    if (r == CENTRE_OK)
        r = read_urls(e);
    if (r == CENTRE_OK)
        *ret = TAKE_PTR(e);
    (void)hub_enrol_free(e);
    return r;
}

struct hub_enrol *hub_enrol_free(struct hub_enrol *e)
{
    if (!e)
        return NULL;
    centre_close(&e->centre);
    hub_keys_done(&e->wire);
    EVP_PKEY_free(e->head);
    free(e->organization);
    json_decref(e->urls);
    free(e);
    return NULL;
}
