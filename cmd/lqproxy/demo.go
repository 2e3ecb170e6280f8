package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy/allow"
	"github.com/spf13/cobra"
)

// What the demo shows: the calls with which the deployment guide proves the path.
const (
	demoPort       = "8864"
	demoUnit       = "12345678901234567890"
	demoSandbox    = "/access/newsandbox/v2/invoke/202007/CXKYSL"
	demoProduction = "/access/v2/invoke/202007/CXKYSL"
	demoProof      = "json数据格式不正确"
)

// newDemo returns the command that tries everything out on this machine.
func newDemo(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: c.In(words.ShortDemo),
		RunE:  func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), c) },
	}
}

// demo runs a proxy before a simulated Leqi until ctx is done. It needs no
// rights and no network, and writes no file.
func demo(ctx context.Context, c *console) (err error) {
	sim, err := leqisim.Start(leqisim.Options{Keep: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()

	d, err := newDemoDaemon(c, sim.Address())
	if err != nil {
		return startFailure(c, err)
	}
	printDemo(c, d.Addresses()[0], sim.Address().String(), d.AdminAddresses()[0])
	if err := d.Run(ctx); err != nil {
		return err
	}
	c.Say(words.DemoEnded, d.Status().Traffic.Exchanges)
	return nil
}

// newDemoDaemon returns a proxy for platform on the usual port, or on another
// if that is taken.
func newDemoDaemon(c *console, platform netip.AddrPort) (*daemon.Daemon, error) {
	o := daemon.Options{
		Config: demoConfig(platform), Build: build(),
		Stdout: &callPrinter{w: c.Out}, Stderr: c.Err,
	}
	d, err := daemon.New(o)
	if e, ok := errors.AsType[*daemon.ListenError](err); ok && e.Taken() {
		o.Config.Listen.Addresses = []string{"127.0.0.1:0"}
		return daemon.New(o)
	}
	return d, err
}

// demoConfig is the defaults, but for what would leave this machine or stay on it.
func demoConfig(platform netip.AddrPort) configs.Config {
	cfg := configs.Default()
	cfg.StateDir = ""
	cfg.Listen.Addresses = []string{net.JoinHostPort("127.0.0.1", demoPort)}
	cfg.Admin.Addresses = []string{"127.0.0.1:0"}
	cfg.Proxy.Sources = allow.NewList(netip.MustParsePrefix("127.0.0.0/8"))
	cfg.Proxy.DrainTimeout = time.Second
	cfg.Upstream.Host, cfg.Upstream.Port = platform.Addr().String(), platform.Port()
	cfg.Log = configs.Log{Level: "warn", Rotate: configs.RotateOff} // the rest to the terminal
	return cfg
}

// printDemo prints what runs where, and what to try.
func printDemo(c *console, proxy, platform, admin string) {
	c.Say(words.DemoTitle)
	c.print("")
	t := words.Table{Indent: 2}
	t.Row(c.In(words.DemoProxy), "http://"+proxy)
	t.Row(c.In(words.DemoPlatform), "https://"+platform)
	t.Row(c.In(words.DemoAdmin), "http://"+admin+"/")
	t.WriteTo(c.Out) //nolint:errcheck // there is nobody to tell
	if _, port, _ := net.SplitHostPort(proxy); port != demoPort {
		c.print("  " + c.In(words.DemoPortTaken, demoPort, port))
	}
	c.print("", c.In(words.DemoTry))
	c.print(callLines(c.In(words.DemoSandbox), ` -H "sxcsbz:1"`, "http://"+proxy+demoSandbox)...)
	c.print(callLines(c.In(words.DemoLive), "", "http://"+proxy+demoProduction)...)
	c.Say(words.DemoExpect, demoProof)
	c.print("",
		c.In(words.DemoWatch),
		"  curl http://"+admin+"/readyz",
		"  curl -s http://"+admin+"/metrics | grep ^lqproxy_",
		"")
	c.Say(words.DemoLog)
}

// callLines are a call of the guide, in lines that fit a terminal.
func callLines(name, mark, url string) []string {
	return []string{
		"  # " + name,
		`  curl -X POST -H "Content-Type: application/json"` + mark + ` \`,
		`    -H "jrdwptbh:` + demoUnit + `" -H "sydwptbh:` + demoUnit + `" \`,
		"    " + url,
	}
}
