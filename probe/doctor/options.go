package doctor

import (
	"context"
	"net/netip"
	"time"

	"github.com/lqproxy/lqproxy/probe"
)

// Options say what is examined. What this package cannot know is handed in.
type Options struct {
	Probe    probe.Options // the way, and the calls to make on it
	Config   Config
	Instance Instance
	Logs     Logs
	Ports    []uint16 // that callers connect to

	Descriptors int  // files that the service may have open at once
	Public      bool // sources on the internet are expected
	FiledIPs    []netip.Addr
	EchoURL     string // answers with the caller's public address; "": none is asked

	Firewall *FirewallLine // nil: nothing is known

	// Observe, if set, is told which check comes next, before those that take
	// time.
	Observe func(Check)

	root string // of the machine; "" is the real one
	run  Runner // nil: the real one
}

// A Config is what the service's user makes of the configuration.
type Config struct {
	File     string
	Missing  bool     // there is none, and the defaults hold
	Mistakes int      // in the file
	Error    error    // of reading it, if that was not possible
	User     string   // who the service runs as; "": that is not known
	Denied   []string // files that User cannot read
}

// An Instance is lqproxy on this machine.
type Instance struct {
	Unit   string // of systemd: "lqproxy.service"
	Binary string // the program that the unit starts

	// Former are the files by which nginx would listen in lqproxy's place, and
	// Starters what starts nginx with the machine.
	Former, Starters []string

	// Running is what the daemon says of itself; nil: it does not answer.
	Running *Running
}

// Running is a daemon that answers.
type Running struct {
	PID    int
	Loaded time.Time // when its configuration was put in force
	Reload string    // the error of the last reload, if it was refused
}

// Logs are where the daemon writes.
type Logs struct {
	Access, Error string // files; "": none
	MinFree       int64  // bytes below which the access log pauses
}

// A FirewallLine is what the firewall's own check came to.
type FirewallLine struct {
	State State
	Text  string
}

// A Runner runs one command of the host and returns what it printed. It is the
// only way out to other programs.
type Runner func(ctx context.Context, argv ...string) (stdout string, err error)

// A Report is what an examination has seen, as far as it came.
type Report struct {
	Began    time.Time
	Host     Host
	Findings []Finding
	Probe    *probe.Report
	Traces   []Trace
	Egress   Outgoing
	Offset   *time.Duration // of this machine's clock; nil: not known

	Interrupted bool // the rest was not examined
}

// A Host is the machine.
type Host struct {
	Name, System, Kernel, Arch string
}

func (o *Options) observe(c Check) {
	if o.Observe != nil {
		o.Observe(c)
	}
}
