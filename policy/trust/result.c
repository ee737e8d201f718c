/*
 * Owns: the names and sentences of the refusals, and how the detail beside them is written.
 * Must not: judge anything.
 */
#include "policy/trust/trust.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/trust/internal.h"

static const struct {
    const char *name, *text;
} results[TRUST_RESULT_COUNT_] = {
    [TRUST_OK] = {"ok", N_("properly signed")},
    [TRUST_E_TOO_LONG] = {"too-long", N_("longer than such a document may be; it was not read")},
    [TRUST_E_MALFORMED] = {"malformed", N_("not a well-formed signed document")},
    [TRUST_E_DUPLICATE_KEY] = {"duplicate-key", N_("an object of the document has the same key twice")},
    [TRUST_E_PAYLOAD_TYPE] = {"payload-type", N_("a signed document of another kind than expected")},
    [TRUST_E_FORMAT] = {"format", N_("written in a newer format than this version reads")},
    [TRUST_E_UNKNOWN_ROLE] = {"unknown-role", N_("the root document has a role this version does not know")},
    [TRUST_E_THRESHOLD] = {"too-few-signatures", N_("too few good signatures by different keys of the role")},
    [TRUST_E_REPEATED_KEY] = {"repeated-key", N_("one key signed twice")},
    [TRUST_E_BAD_SIGNATURE] = {"bad-signature", N_("a signature does not fit the document")},
    [TRUST_E_ORGANIZATION] = {"organization", N_("for another organization")},
    [TRUST_E_SCOPE] = {"scope", N_("not for this terminal")},
    [TRUST_E_ROLLBACK] = {"rollback", N_("older than what rules here")},
    [TRUST_E_SAME_VERSION] = {"same-version", N_("the version that rules here, with other content")},
    [TRUST_E_ROOT_EXPIRED] = {"root-expired",
                              N_("the root document has expired: only a new root document is accepted")},
    [TRUST_E_ROOT_CHAIN] = {"root-chain",
                            N_("not the next root document, or not signed by both the old keys and the new")},
    [TRUST_E_HEAD_EXPIRED] = {"head-expired",
                              N_("the head has expired: nobody confirms that this is the newest policy")},
    [TRUST_E_HEAD_MISMATCH] = {"head-mismatch", N_("the head names another policy")},
    [TRUST_E_EXPIRED] = {"expired", N_("the policy's time is over")},
    [TRUST_E_NOT_YET] = {"not-yet", N_("its time has not begun")},
    [TRUST_E_POLICY] = {"policy", N_("properly signed, but the policy has errors")},
    [TRUST_E_NO_ROOT] = {"no-root", N_("no root document is installed here")},
    [TRUST_E_UNSIGNED] = {"unsigned", N_("not signed: only signed documents are accepted here")},
};

const char *trust_result_name(enum trust_result r)
{
    return (unsigned)r < TRUST_RESULT_COUNT_ ? results[r].name : "unknown";
}

const char *trust_result_text(enum trust_result r)
{
    return (unsigned)r < TRUST_RESULT_COUNT_ ? results[r].text : N_("not a well-formed signed document");
}

const char *trust_role_name(enum trust_role role)
{
    static const char *const names[TRUST_ROLE_COUNT_] = {"root", "policy", "head"};

    return (unsigned)role < TRUST_ROLE_COUNT_ ? names[role] : "unknown";
}

static const char *translated(const struct trust_complaint *c, const char *message) __attribute__((format_arg(2)));
static const char *translated(const struct trust_complaint *c, const char *message)
{
    return c->translate ? c->translate(message) : message;
}

/* Cuts after a whole character. */
static void copy_cut(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);

    if (n >= size) {
        n = size - 1;
        while (n > 0 && ((unsigned char)from[n] & 0xc0U) == 0x80U)
            n--;
    }
    memcpy(to, from, n);
    to[n] = '\0';
}

int trust_refuse(struct trust_complaint *c, enum trust_result result, const char *message, ...)
{
    _cleanup_free_ char *text = NULL, *clean = NULL;
    va_list arguments;
    int n;

    if (!c)
        return (int)result;
    c->text[0] = '\0';
    va_start(arguments, message);
    n = vasprintf(&text, translated(c, message), arguments);
    va_end(arguments);
    if (n < 0) {
        text = NULL; /* the refusal stands without its detail */
        return (int)result;
    }
    /* Names out of foreign documents are arguments. */
    if (!text_is_printable_utf8(text))
        clean = text_make_printable(text, (size_t)n);
    if (clean || text_is_printable_utf8(text))
        copy_cut(c->text, sizeof(c->text), clean ? clean : text);
    return (int)result;
}
