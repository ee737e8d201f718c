/*
 * Owns: that JSON which is written is whole. Must not: know what a document means, or log.
 */
#include "json/whole.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* What was written, and whether any of it was lost. */
struct output {
    struct buf text;
    int error;
};

static int add_text(const char *text, size_t size, void *context)
{
    struct output *o = context;

    if (o->error == 0)
        o->error = buf_add(&o->text, text, size);
    return o->error < 0 ? -1 : 0;
}

int whole_text(const json_t *j, size_t flags, char **ret)
{
    struct output o = {.error = 0};
    int r;

    if (!j)
        return -EINVAL;
    /* jansson does not look whether the key of an object was written (do_dump() of its dump.c; fault/json shows it): what is lost is
     * remembered here. */
    buf_init(&o.text, SIZE_MAX / 4);
    r = json_dump_callback(j, add_text, &o, flags);
    (void)add_text("", 1, &o);
    if (r < 0 || o.error < 0) {
        buf_done(&o.text);
        return o.error < 0 ? o.error : -ENOMEM;
    }
    *ret = (char *)o.text.data;
    return 0;
}

int whole_print(const json_t *j, size_t flags, FILE *to)
{
    _cleanup_free_ char *text = NULL;
    int r = whole_text(j, flags, &text);

    if (r < 0)
        return r;
    r = fputs(text, to) == EOF ? -EIO : 0;
    explicit_bzero(text, strlen(text)); /* a password, a token */
    return r;
}

static void give_back(json_t **j)
{
    json_decref(*j);
    *j = NULL;
}

void whole_set(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) < 0)
        give_back(object);
}

void whole_add(json_t **array, json_t *value)
{
    if (json_array_append_new(*array, value) < 0)
        give_back(array);
}
