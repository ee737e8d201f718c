/*
 * What policy says of a mounted filesystem that leaves the machine: network and FUSE.
 */
#include "decide/match.h"

void decide_mount(const struct policy *p, const struct decide_mount_facts *facts, struct verdict *ret)
{
    bool fuse = facts->kind == DECIDE_MOUNT_FUSE;
    const struct policy_strings *listed = fuse ? &p->media.fuse_allow : &p->media.network_allow;
    enum policy_allow allow = fuse ? p->media.fuse : p->media.network;
    const char *rule = fuse ? "media.fuse" : "media.network";

    if (!facts->type || !*facts->type) {
        verdict_set(ret, p, false, "default", POLICY_REFUSE, REASON_UNKNOWN);
        return;
    }
    /* "fuse.portal" names a driver, "//server/share" a source: either may be listed. */
    if (listed->n > 0 && (match_patterns(listed, facts->source) || match_patterns(listed, facts->type)))
        allow = POLICY_USE;
    verdict_set(ret, p, false, rule, allow, REASON_RULE);
    ret->cacheable = true;
}
