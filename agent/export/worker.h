#pragma once

/*
 * One export, from the client's first descriptor to the last fsync, as docs/PROTOCOL.export.md says. Descriptors EXPORT_FD_* are open; root
 * with CAP_SYS_ADMIN, CAP_DAC_OVERRIDE, CAP_SETUID, CAP_SETGID. Returns 0 when the export is on the medium and recorded, 1 when it ended
 * otherwise (both sides were told why), -errno when even telling was not possible.
 */
int worker_run(void);
