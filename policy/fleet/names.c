/*
 * Owns: ids of terminals, tokens of groups, and the subjects made of them.
 * Must not: let two names share a subject, or a name reach beyond its own token.
 */
#include "policy/fleet/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base32.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/text.h"
#include "policy/trust/trust.h"

#define TOKEN_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"
#define BASE32_LETTERS "abcdefghijklmnopqrstuvwxyz234567"
#define HASHED "x-"

enum {
    HASH_LENGTH = BASE32_LENGTH(DIGEST_SIZE),
    ID_LENGTH = FLEET_ID_SIZE - 1,
    TOKEN_LENGTH_MAX = FLEET_TOKEN_SIZE - 1,
    NUMBER_LENGTH_MAX = 16, /* digits of TRUST_VERSION_MAX */
};

static const char *const prefixes[] = {
    [FLEET_SUBJECT_POLICY] = "pol.",  [FLEET_SUBJECT_COMMANDS] = "cmd.", [FLEET_SUBJECT_EVENTS] = "evt.",
    [FLEET_SUBJECT_REPORTS] = "rep.", [FLEET_SUBJECT_ACKS] = "ack.",
};

static const char *const commands[FLEET_COMMAND_COUNT_] = {
    [FLEET_COMMAND_MEMBERSHIP] = "membership",
    [FLEET_COMMAND_BUNDLE] = "bundle",
    [FLEET_COMMAND_REPORT] = "report",
    [FLEET_COMMAND_END_GRANTS] = "end-grants",
};

/* SHA-256 in lower-case base32. */
static int hash_text(const void *bytes, size_t size, char ret[static HASH_LENGTH + 1])
{
    struct digest d;
    int r = digest_bytes(bytes, size, &d);

    if (r < 0)
        return r;
    base32_write(d.bytes, sizeof(d.bytes), ret);
    for (char *c = ret; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return 0;
}

int fleet_terminal_id(const uint8_t journal[static FLEET_PUBLIC_SIZE], char ret[static FLEET_ID_SIZE])
{
    char hash[HASH_LENGTH + 1];
    int r = hash_text(journal, FLEET_PUBLIC_SIZE, hash);

    if (r < 0)
        return r;
    ret[0] = 't';
    memcpy(ret + 1, hash, ID_LENGTH - 1);
    ret[ID_LENGTH] = '\0';
    return 0;
}

static bool all_of(const char *text, size_t length, const char *letters)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0' || !strchr(letters, text[i]))
            return false;
    return true;
}

bool fleet_is_terminal_id(const char *text, size_t length)
{
    return length == ID_LENGTH && text[0] == 't' && all_of(text + 1, length - 1, BASE32_LETTERS);
}

static bool is_plain(const char *name, size_t length)
{
    return length >= 1 && length <= TOKEN_LENGTH_MAX && all_of(name, length, TOKEN_LETTERS) &&
           !(length >= strlen(HASHED) && memcmp(name, HASHED, strlen(HASHED)) == 0);
}

static bool is_hashed(const char *token, size_t length)
{
    size_t prefix = strlen(HASHED);

    return length == prefix + HASH_LENGTH && memcmp(token, HASHED, prefix) == 0 &&
           all_of(token + prefix, length - prefix, BASE32_LETTERS);
}

int fleet_group_token(const char *group, char ret[static FLEET_TOKEN_SIZE])
{
    char hash[HASH_LENGTH + 1];
    size_t length = strlen(group);
    int r;

    if (length == 0 || length > TRUST_NAME_MAX || !text_is_printable_utf8(group))
        return -EINVAL;
    if (is_plain(group, length)) {
        memcpy(ret, group, length + 1);
        return 0;
    }
    r = hash_text(group, length, hash);
    if (r < 0)
        return r;
    memcpy(ret, HASHED, strlen(HASHED));
    memcpy(ret + strlen(HASHED), hash, sizeof(hash));
    return 0;
}

int fleet_subject_policy(const char *group, char ret[static FLEET_SUBJECT_SIZE])
{
    char token[FLEET_TOKEN_SIZE];
    int r = fleet_group_token(group, token);

    if (r < 0)
        return r;
    (void)snprintf(ret, FLEET_SUBJECT_SIZE, "%s%s", prefixes[FLEET_SUBJECT_POLICY], token);
    return 0;
}

const char *fleet_command_name(enum fleet_command command)
{
    return command > FLEET_COMMAND_NONE && command < FLEET_COMMAND_COUNT_ ? commands[command] : NULL;
}

int fleet_subject_command(const char *terminal, enum fleet_command command, char ret[static FLEET_SUBJECT_SIZE])
{
    const char *name = fleet_command_name(command);

    if (!name || !fleet_is_terminal_id(terminal, strlen(terminal)))
        return -EINVAL;
    (void)snprintf(ret, FLEET_SUBJECT_SIZE, "%s%s.%s", prefixes[FLEET_SUBJECT_COMMANDS], terminal, name);
    return 0;
}

int fleet_subject_terminal(enum fleet_subject subject, const char *terminal, char ret[static FLEET_SUBJECT_SIZE])
{
    if (subject != FLEET_SUBJECT_REPORTS && subject != FLEET_SUBJECT_ACKS)
        return -EINVAL;
    if (!fleet_is_terminal_id(terminal, strlen(terminal)))
        return -EINVAL;
    (void)snprintf(ret, FLEET_SUBJECT_SIZE, "%s%s", prefixes[subject], terminal);
    return 0;
}

static bool is_sequence(uint64_t n)
{
    return n >= 1 && n <= TRUST_VERSION_MAX;
}

int fleet_subject_events(const char *terminal, uint64_t first, char ret[static FLEET_SUBJECT_SIZE])
{
    if (!fleet_is_terminal_id(terminal, strlen(terminal)) || !is_sequence(first))
        return -EINVAL;
    (void)snprintf(ret, FLEET_SUBJECT_SIZE, "%s%s.%" PRIu64, prefixes[FLEET_SUBJECT_EVENTS], terminal, first);
    return 0;
}

int fleet_message_id(const char *terminal, uint64_t first, uint64_t last, char ret[static FLEET_MESSAGE_SIZE])
{
    if (!fleet_is_terminal_id(terminal, strlen(terminal)) || !is_sequence(first) || !is_sequence(last) || last < first)
        return -EINVAL;
    (void)snprintf(ret, FLEET_MESSAGE_SIZE, "%s-%" PRIu64 "-%" PRIu64, terminal, first, last);
    return 0;
}

static int read_first(const char *digits, size_t length, uint64_t *ret)
{
    char text[NUMBER_LENGTH_MAX + 1];
    uint64_t first;

    if (length == 0 || length > NUMBER_LENGTH_MAX || digits[0] == '0')
        return -EBADMSG;
    memcpy(text, digits, length);
    text[length] = '\0';
    if (strlen(text) != length || text_to_u64(text, TRUST_VERSION_MAX, &first) < 0)
        return -EBADMSG;
    *ret = first;
    return 0;
}

static int read_command(const char *name, size_t length, enum fleet_command *ret)
{
    for (enum fleet_command c = FLEET_COMMAND_MEMBERSHIP; c < FLEET_COMMAND_COUNT_; c++)
        if (strlen(commands[c]) == length && memcmp(commands[c], name, length) == 0) {
            *ret = c;
            return 0;
        }
    return -EBADMSG;
}

/* What stands behind the prefix. */
static int read_rest(const char *rest, size_t length, struct fleet_place *p)
{
    int r = 0;

    if (p->subject == FLEET_SUBJECT_POLICY) {
        if (!is_plain(rest, length) && !is_hashed(rest, length))
            return -EBADMSG;
        memcpy(p->token, rest, length);
        return 0;
    }
    if (p->subject == FLEET_SUBJECT_EVENTS || p->subject == FLEET_SUBJECT_COMMANDS) {
        const char *behind = rest + FLEET_ID_SIZE;

        if (length <= FLEET_ID_SIZE || rest[ID_LENGTH] != '.')
            return -EBADMSG;
        r = p->subject == FLEET_SUBJECT_EVENTS ? read_first(behind, length - FLEET_ID_SIZE, &p->first)
                                               : read_command(behind, length - FLEET_ID_SIZE, &p->command);
        length = ID_LENGTH;
    }
    if (r < 0 || !fleet_is_terminal_id(rest, length))
        return -EBADMSG;
    memcpy(p->terminal, rest, length);
    return 0;
}

int fleet_subject_read(const char *text, size_t length, struct fleet_place *ret)
{
    struct fleet_place p = {0};
    size_t i = FLEET_SUBJECT_POLICY, prefix = strlen("pol.");
    int r;

    while (i < ELEMENTS(prefixes) && (length < prefix || memcmp(text, prefixes[i], prefix) != 0))
        i++;
    if (i == ELEMENTS(prefixes))
        return -EBADMSG;
    p.subject = (enum fleet_subject)i;
    r = read_rest(text + prefix, length - prefix, &p);
    if (r == 0)
        *ret = p;
    return r;
}

int fleet_text(const char *from, char ret[static FLEET_TEXT_SIZE])
{
    _cleanup_free_ char *clean = NULL;
    size_t n;

    if (!text_is_printable_utf8(from)) {
        clean = text_make_printable(from, strlen(from));
        if (!clean)
            return -ENOMEM;
        from = clean;
    }
    n = strlen(from);
    if (n >= FLEET_TEXT_SIZE) {
        n = FLEET_TEXT_SIZE - 1;
        while (n > 0 && ((unsigned char)from[n] & 0xc0U) == 0x80U)
            n--;
    }
    (void)snprintf(ret, FLEET_TEXT_SIZE, "%.*s", n > 0 ? (int)n : 1, n > 0 ? from : "-");
    return 0;
}
