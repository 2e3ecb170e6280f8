package firewall

import "fmt"

// ChallengeCommands returns the commands that make public, the port at which a
// certificate authority looks for a challenge (80 for HTTP-01), lead to the
// port local of this host, for everyone: authorities ask from addresses that
// they do not name. Nothing here runs them: to open a port to the world is the
// administrator's decision. For a kind that is no backend there are none.
func ChallengeCommands(k Kind, zone string, public, local uint16) []string {
	switch k {
	case Firewalld:
		forward := fmt.Sprintf("--zone=%s --add-forward-port=port=%d:proto=tcp:toport=%d", zone, public, local)
		return []string{"firewall-cmd " + forward, "firewall-cmd --permanent " + forward}
	case IPTables:
		return []string{
			fmt.Sprintf("iptables -t nat -A PREROUTING -p tcp --dport %d -j REDIRECT --to-ports %d", public, local),
			fmt.Sprintf("iptables -A INPUT -p tcp --dport %d -j ACCEPT", local),
		}
	default:
		return nil
	}
}
