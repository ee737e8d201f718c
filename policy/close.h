#pragma once

struct policy;

/* Moves the stores of one policy to another that has none, without anything that would open them. Both are not shared yet. */
void policy_take_stores_closed(struct policy *to, struct policy *from);
