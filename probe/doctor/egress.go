package doctor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/probe"
)

// Outgoing is the address that connections to the upstream carry.
type Outgoing struct {
	Local  netip.Addr // on this machine
	Error  string     // why there is none
	Public netip.Addr // as the echo URL saw it
	Echo   string     // why it could not be asked
}

// Address returns the address that the outside sees, or none if that is not known.
func (g Outgoing) Address() netip.Addr {
	if g.Public.IsValid() || !g.Local.IsValid() || isPrivate(g.Local) {
		return g.Public
	}
	return g.Local
}

// egress finds out which address connections carry.
func egress(ctx context.Context, o *Options, seen *probe.Report) Outgoing {
	var g Outgoing
	local, err := localAddress(ctx, o, seen)
	if err != nil {
		g.Error = err.Error()
	}
	g.Local = local
	if o.EchoURL == "" {
		return g
	}
	if g.Public, err = askEcho(ctx, o.EchoURL, o.Probe.Upstream.LocalAddress); err != nil {
		g.Echo = err.Error()
	}
	return g
}

// localAddress returns our side of a connection that the probe made, or what it
// would be: connecting a datagram socket chooses a route and sends nothing.
func localAddress(ctx context.Context, o *Options, seen *probe.Report) (netip.Addr, error) {
	for _, c := range seen.Connect {
		if c.Local.IsValid() {
			return c.Local.Addr().Unmap(), nil
		}
	}
	if seen.Resolve == nil || len(seen.Resolve.Addresses) == 0 {
		return o.Probe.Upstream.LocalAddress, nil
	}
	dialer := net.Dialer{}
	if own := o.Probe.Upstream.LocalAddress; own.IsValid() {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(own, 0))
	}
	to := netip.AddrPortFrom(seen.Resolve.Addresses[0], o.Probe.Upstream.Port)
	conn, err := dialer.DialContext(ctx, "udp", to.String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("choosing a route: %w", err)
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	local, _ := netip.ParseAddrPort(conn.LocalAddr().String())
	return local.Addr().Unmap(), nil
}

// Bounds of asking the echo URL.
const (
	echoTimeout = 10 * time.Second
	echoSize    = 128 // of the answer, in bytes
)

// askEcho asks url for our public address. It takes the way of the proxy: from its
// source address, and through no other proxy.
func askEcho(ctx context.Context, url string, local netip.Addr) (netip.Addr, error) {
	dialer := &net.Dialer{}
	if local.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	client := http.Client{
		Timeout:       echoTimeout,
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("asking for the egress address: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("asking for the egress address: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read alone
	body, err := io.ReadAll(io.LimitReader(answer.Body, echoSize+1))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("reading the egress address: %w", err)
	}
	return parseEcho(answer.StatusCode, string(body))
}

// parseEcho reads an answer that is one address and nothing else.
func parseEcho(status int, body string) (netip.Addr, error) {
	if status != http.StatusOK {
		return netip.Addr{}, fmt.Errorf("reading the egress address: status %d", status)
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(body))
	if err != nil || len(body) > echoSize || addr.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("reading the egress address: the answer is not one address")
	}
	return addr.Unmap(), nil
}

// judgeEgress compares the address that is seen outside with those filed.
func judgeEgress(g Outgoing, filed []netip.Addr) Finding {
	addr := g.Address()
	switch {
	case addr.IsValid() && len(filed) == 0:
		return found(EgressUnfiled, addr)
	case addr.IsValid() && slices.Contains(filed, addr):
		return found(EgressFiled, addr)
	case addr.IsValid():
		return found(EgressOther, addr, joinAddrs(filed))
	case g.Error != "":
		return found(EgressNone, g.Error)
	case !g.Local.IsValid():
		return found(EgressNone, "no address of the host is known")
	case g.Echo != "":
		return found(EgressUnread, g.Local, g.Echo)
	}
	return found(EgressHidden, g.Local)
}

// joinAddrs lists addresses for people.
func joinAddrs(addrs []netip.Addr) string {
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}
