// Package daemon brings one configuration to life and lets it end in order.
//
// [New] builds everything top-down and binds the listeners; nothing runs yet.
// [Daemon.Run] then starts what runs in stages, each of which outlives those
// after it:
//
//  1. the logs;
//  2. the upstream;
//  3. the listeners: those of callers, of the admin pages, and of the
//     challenges of a certificate authority;
//  4. the duties, which one process of an instance alone may have: renewing the
//     certificate, the background probe, the look at the firewall's state, and
//     what systemd is told;
//  5. the orders of others: SIGHUP, SIGUSR1, SIGUSR2 and the control socket.
//
// At a stop /readyz turns to 503 and systemd is told; drain_grace later nobody
// new is accepted; connections end behind their answers, and after
// drain_timeout in any case; then the stages end, the last first. The admin
// listener answers until the last connection has ended.
//
// # Reload
//
// A reload builds all that the file describes beside what runs, binds the
// addresses that are new, and swaps everything in; if anything is wrong,
// everything stays as it was. An address that is not wanted any more is ended
// behind what was in its queue. The end is one of the socket itself, since
// there are copies of it that were made for another process.
//
// # Upgrade
//
// An upgrade has a new process, of whatever version is installed by now, take
// over from the old one, without a moment in which nobody accepts:
//
//  1. The old process waits until the one before it has ended: there are two at
//     once at most.
//  2. It tries the installed binary: does it run, and does it accept the file?
//  3. It starts it, and hands it copies of its listeners and one end of a line,
//     on which the two talk. The new one builds everything, takes the listeners
//     over and accepts, beside the old one. It rotates no logs and writes no
//     file that is not its own alone. If it fails it says why on the line and
//     ends; the old one goes on as if nothing had been.
//  4. The new one says that it is ready. From here on there is no way back.
//  5. The old one closes its copies of the listeners, ends its duties, writes
//     what it still has to, and says that it left ("released").
//  6. The new one reads again what the old one may have written, and takes up
//     the duties, the control socket, instance.json, the history and the
//     rotation of logs. It says so ("taken"), and tells systemd which process is
//     the service now. The old one removes none of these files at its end.
//  7. The old one answers with "Connection: close", leaves idle connections to
//     their idle time, and ends with the last of them, at the latest after
//     idle_timeout and drain_timeout. Meanwhile it tells the new one how many
//     are left, reopens logs that were renamed, and ignores SIGHUP.
//  8. If the new one stops meanwhile it tells the old one, for which that is
//     what a first SIGTERM is: idle connections end after two seconds, all after
//     drain_timeout. The new one ends after the old one has, so that systemd
//     does not take the end of one for the end of all.
//
// Where one of the two crashes in between, the other does not wait for it for
// long, and goes on alone. If the new one crashes while the old one drains,
// nobody accepts: the old one tells systemd that it is the service again, ends
// as at a stop, and fails, upon which systemd starts another. All words on the line, and all files, may be of an
// older or newer version: what is not known is ignored.
package daemon
