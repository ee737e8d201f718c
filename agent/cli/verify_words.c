/* Owns: what to do about each refusal of policy/trust. Must not: repeat what the refusal says itself. */
#include "cli/verify_words.h"

#include "base/cleanup.h"
#include "cli/i18n.h"

const char *verify_hint(enum trust_result result)
{
    static const char *const hints[] = {
        [TRUST_E_TOO_LONG] = N_("is it the right file? No policy, root or head is that long"),
        [TRUST_E_MALFORMED] = N_("the file was cut or changed on its way; copy it again and compare the SHA-256"),
        [TRUST_E_DUPLICATE_KEY] = N_("no program of kuraban writes this; do not use the file"),
        [TRUST_E_PAYLOAD_TYPE] = N_("is it the right file? “policy bundle” puts root, policy and head together"),
        [TRUST_E_FORMAT] = N_("a newer kuraban wrote this; bring the terminals up to date first"),
        [TRUST_E_UNKNOWN_ROLE] = N_("a newer kuraban wrote this; bring the terminals up to date first"),
        [TRUST_E_THRESHOLD] = N_("another person signs with “policy sign”, or “policy root sign” for a root document"),
        [TRUST_E_REPEATED_KEY] = N_("another person must sign; the same key counts once"),
        [TRUST_E_BAD_SIGNATURE] = N_("the document was changed after it was signed; let it be signed again"),
        [TRUST_E_ORGANIZATION] = N_("“organization” in the policy must be that of the root document"),
        [TRUST_E_SCOPE] = N_("name the terminal with --terminal and --group, or correct “scope” and sign again"),
        [TRUST_E_ROLLBACK] = N_("give it a higher version and let it be signed again"),
        [TRUST_E_SAME_VERSION] = N_("what changed needs a higher version; let it be signed again"),
        [TRUST_E_ROOT_EXPIRED] = N_("“policy root rotate --expires” prolongs it; the new root goes into the bundle"),
        [TRUST_E_ROOT_CHAIN] =
            N_("“policy root show --previous OLD” says who must sign; put every version between into "
               "the bundle"),
        [TRUST_E_HEAD_EXPIRED] = N_("let the hub write a new head: kuraban policy head"),
        [TRUST_E_HEAD_MISMATCH] =
            N_("put the policy that the head names into the bundle, or write a head for this one"),
        [TRUST_E_EXPIRED] = N_("correct “valid” in the policy, raise the version, and let it be signed again"),
        [TRUST_E_NOT_YET] = N_("apply it when its time has come, or look at that moment with --at"),
        [TRUST_E_POLICY] = N_("“policy check” on the document says the same; correct it and let it be signed again"),
        [TRUST_E_NO_ROOT] = N_("give the root document with --root"),
        [TRUST_E_UNSIGNED] = N_("kuraban policy sign --key KEY FILE"),
    };

    return result > TRUST_OK && (size_t)result < ELEMENTS(hints) ? hints[result] : NULL;
}
