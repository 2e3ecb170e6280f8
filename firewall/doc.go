// Package firewall makes a host's packet filter admit to the listening ports
// the sources of a [Policy], and nobody else. Nothing else of the host is
// touched.
//
// An apply passes, in this order:
//
//  1. policy.go says what is wanted: ports and sources, canonical;
//  2. auto.go chooses the [Backend] (firewalld, iptables), or says why none;
//  3. the backend observes the [State]: the rules that are ours;
//  4. plan.go compares it with what is wanted. The [Step]s between them are
//     data, and pure;
//  5. the backend applies the steps in an order in which the port is never open
//     to a source outside of the old and the new policy, nor closed to one in
//     both; after a failure it goes the same way back;
//  6. the host is observed again: only what is seen there counts;
//  7. record.go keeps what was applied, for the healing and the removal.
//
// What else opens the port is a [Finding]: it is named with the commands that
// would close it, and left alone.
//
// The packet filter of the host is never reloaded, flushed or reordered.
// Commands run through runner.go, and the library go-iptables; firewalld is
// asked over D-Bus by methods that version 0.6 knows (dbus.go).
package firewall
