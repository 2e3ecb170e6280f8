// Package daemon brings one configuration to life and lets it end in order.
//
// [New] builds everything top-down and binds the listeners; nothing runs yet.
// [Daemon.Run] then starts what runs in stages, each of which outlives those
// after it:
//
//  1. the logs;
//  2. the orders of others: SIGHUP, SIGUSR1 and the control socket;
//  3. the upstream, the listener's certificate, the background probe and the
//     look at the firewall's state;
//  4. the admin listener;
//  5. the acceptance of callers.
//
// At a stop /readyz turns to 503 and systemd is told; drain_grace later nobody
// new is accepted; connections end behind their answers, and after
// drain_timeout in any case; then the stages end, the last first. The admin
// listener answers until the last connection has ended.
//
// A reload builds a whole new generation of what the configuration describes
// and swaps it in; if anything is wrong with it, everything stays as it was.
package daemon
