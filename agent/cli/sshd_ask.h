#pragma once

/* What `sshd -T` says holds on this machine. 0 and a text the caller frees; -ENOENT without sshd, -EPERM for who is not root, -EPROTO when it
 * fails or says too much, -ETIMEDOUT, other -errno. */
int sshd_ask(char **ret);
