/**
 * The rule that lets a group read the counters. They are closed to users since Linux 5.10, because power traces can leak keys
 * (CVE-2020-8694), so open them to a group of trusted users, not to the world.
 */
export const permissionCure: string = [
  'As root: groupadd -f rapl; usermod -aG rapl USER; write to /etc/udev/rules.d/70-rapl.rules the line',
  `SUBSYSTEM=="powercap", KERNEL=="intel-rapl*:*", RUN+="/bin/sh -c 'chgrp rapl /sys%p/energy_uj && chmod 440 /sys%p/energy_uj'"`,
  'then: udevadm control --reload; udevadm trigger --subsystem-match=powercap --action=add; log in again.',
].join('\n')
