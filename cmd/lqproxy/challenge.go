package main

import (
	"net/netip"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/firewall"
)

// challengePort is where an authority asks for the proof by HTTP (RFC 8555,
// section 8.3).
const challengePort = 80

// defaultZone is the zone of firewalld that a shell puts into a command.
const defaultZone = "$(firewall-cmd --get-default-zone)"

// challengesAt returns the port at which cfg answers challenges, if the port
// where they are asked must be led there.
func challengesAt(cfg configs.Config) (uint16, bool) {
	if cfg.Listen.TLS != configs.TLSACME {
		return 0, false
	}
	at, err := netip.ParseAddrPort(cfg.Listen.ACME.HTTPAddress)
	if err != nil { // without an address
		at, err = netip.ParseAddrPort("[::]" + cfg.Listen.ACME.HTTPAddress)
	}
	return at.Port(), err == nil && at.Port() != challengePort && !at.Addr().IsLoopback()
}

// printChallenges shows what leads challenges to where cfg answers them. It is
// not done for the administrator: it opens a port to the world.
func printChallenges(c *console, cfg configs.Config, backend firewall.Kind) {
	port, ask := challengesAt(cfg)
	if !ask {
		return
	}
	zones := cfg.Firewall.Zones
	if len(zones) == 0 || backend != firewall.Firewalld {
		zones = []string{defaultZone}
	}
	c.Say(words.ChallengeForward, challengePort, port)
	for _, zone := range zones {
		for _, command := range firewall.ChallengeCommands(backend, zone, challengePort, port) {
			c.print("  " + command)
		}
	}
}
