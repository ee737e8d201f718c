/*
 * The verifier's store beside the journal. Owns: that the journal says how far the store had come, so that an older copy which is put back while
 * kuraband is stopped is known, and another store is told of; and the administrator's word that it was meant (docs/FILEFORMAT.mfa.md, Backup).
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/read.h"
#include "audit/record.h"
#include "base/cleanup.h"
#include "base/files.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/factor.h"
#include "daemon/recorder.h"

#define TAKE_UP "mfa.restored"

enum {
    LOOK_BACK = 64 << 20, /* bytes of the journal; its usual end has it in the last record but one */
    STORE_TEXT = 2 * sizeof(((struct mfa_turn *)NULL)->store) + 1,
};

static void store_to_text(const struct mfa_turn *turn, char ret[static STORE_TEXT])
{
    for (size_t i = 0; i < sizeof(turn->store); i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", turn->store[i]);
}

static int store_from_text(const char *text, struct mfa_turn *ret)
{
    for (size_t i = 0; i < sizeof(ret->store); i++) {
        unsigned byte = 0;

        if (strspn(text, "0123456789abcdef") != STORE_TEXT - 1 || sscanf(text + 2 * i, "%2x", &byte) != 1)
            return -EBADMSG;
        ret->store[i] = (uint8_t)byte;
    }
    return 0;
}

json_t *factor_turn(const struct daemon *d)
{
    char store[STORE_TEXT];
    struct mfa_turn turn;

    if (!d->mfa || mfa_turn(d->mfa, &turn) != 0)
        return json_null();
    store_to_text(&turn, store);
    return json_pack("{s:s, s:I}", "store", store, "turn", (json_int_t)turn.number);
}

void factor_known_turn(const struct daemon *d, struct mfa_turn *ret)
{
    _cleanup_close_ int journal = openat(d->state_fd, "journal", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct mfa_turn turn = {.number = 0};
    json_t *record = NULL;
    json_int_t number = 0;
    const char *store;
    int r = journal < 0 ? -errno : journal_find_last(journal, "mfa", LOOK_BACK, &record);

    if (r < 0)
        log_warning("mfa.turn", "journal=unreadable error=%s", strerrorname_np(-r));
    if (r <= 0)
        return;
    store = record_text(record, "kuraban.mfa.store");
    number = json_integer_value(record_member(record, "kuraban.mfa.turn"));
    if (store && number >= 0 && store_from_text(store, &turn) == 0) {
        turn.number = (uint64_t)number;
        *ret = turn;
    }
    json_decref(record);
}

void factor_compare(struct daemon *d, const struct mfa_turn *known)
{
    static const struct mfa_turn none;
    struct mfa_turn turn;
    struct audit_event e;

    if (memcmp(known->store, none.store, sizeof(none.store)) == 0 || mfa_turn(d->mfa, &turn) != 0 ||
        memcmp(known->store, turn.store, sizeof(turn.store)) == 0)
        return;
    /* Who lost the key begins anew like this, so it is no damage. With the turn: the next start knows this store. */
    audit_event_init(&e, AUDIT_MFA_CHANGED);
    e.alarm = true;
    audit_set(e.reason, sizeof(e.reason), "another");
    audit_set(
        e.message, sizeof(e.message),
        "another store of second factors is in place than the journal knows: who had one may be without; see kuraban mfa list");
    recorder_add_with(d->recorder, &e, "mfa", factor_turn(d));
}

/* Once: the next older copy has to be meant anew. */
static bool is_meant(const struct daemon *d)
{
    struct stat st;

    return fstatat(d->state_fd, TAKE_UP, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
           unlinkat(d->state_fd, TAKE_UP, 0) == 0 && fsync(d->state_fd) == 0;
}

void factor_take_up(struct daemon *d)
{
    const struct mfa_now now = factor_now();
    struct audit_event e;
    int r;

    if (!is_meant(d))
        return;
    r = mfa_take_up(d->mfa, &now);
    if (r != 0) {
        log_warning("mfa.restored", "done=no why=%s", r == MFA_E_SETTINGS ? "not-older" : "unusable");
        return;
    }
    audit_event_init(&e, AUDIT_MFA_CHANGED);
    e.alarm = true;
    audit_set(e.reason, sizeof(e.reason), "restored");
    audit_set(e.message, sizeof(e.message),
              "an older store of second factors is in use again: codes up to now and all recovery codes are void");
    recorder_add_with(d->recorder, &e, "mfa", factor_turn(d));
}
