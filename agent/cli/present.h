#pragma once

#include "cli/cli.h"
#include "device/usb.h"

struct policy;

/* The USB devices of this machine with the very facts kuraband decides from, read from sysfs without writing anything and
 * without a running kuraband. */
struct present;

/* CLI_OK also on a machine without USB: then there are none. Keeps a reference to the policy. */
enum cli_exit present_read(struct cli *c, struct policy *policy, struct present **ret);
struct present *present_free(struct present *p);
size_t present_count(const struct present *p);
const struct usb_device *present_at(const struct present *p, size_t i);
/* By id ("0123…@1-2"), by its part behind the @, or by sysfs name; NULL when there is none. */
const struct usb_device *present_find(const struct present *p, const char *id);
/* Does some interface have this class (3: input, 8: storage, 9: hub)? */
bool present_has_class(const struct usb_device *d, uint8_t class_);
/* Does this machine run from it: is it, or does it lead to, a disk with a mounted system filesystem or swap (device/exit.h)? */
bool present_carries_system(const struct present *p, const struct usb_device *d);
/* A boot keyboard (03:01:01). */
bool present_is_keyboard(const struct usb_device *d);
