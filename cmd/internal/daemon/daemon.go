package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// recordName is the file of the upstream's known keys in the state directory.
const recordName = "upstream-keys.json"

// Options say what runs. Never modified after New.
type Options struct {
	Config   configs.Config
	File     string // that Config was read from, and that a reload reads; "": there is no reload
	Instance string // "" is the one without a name
	Build    admin.Build

	FirewallState string // file of the firewall's state, see firewall.Folders; "": the firewall is nobody's concern

	Stdout, Stderr io.Writer // of the logs; see logging.Options

	// OnReady, if set, is called once all listeners are served; OnStopping
	// when the stop begins, with its cause. Neither may call Run.
	OnReady    func()
	OnStopping func(cause error)
}

// A Daemon is one running instance. Its methods are safe for concurrent use.
type Daemon struct {
	o        Options
	started  time.Time
	registry *prometheus.Registry
	metrics  *metrics
	logs     *logging.Logs
	log      *zap.Logger
	known    *upstream.KnownKeys
	server   *proxy.Server
	admin    *admin.Server
	firewall *firewallView

	callers []*net.TCPListener
	admins  []net.Listener

	current  atomic.Pointer[generation]
	draining atomic.Bool

	// What runs of the current generation.
	upstreams    *relay
	certificates *relay
	probes       *relay
	background   *probe.Background

	reloading   sync.Mutex // held during a reload
	outcomeLock sync.Mutex // guards outcome
	outcome     admin.Reload
}

// New builds a daemon and binds its listeners. It starts no goroutine. An
// address that cannot be bound is a *ListenError. Unless there is an error,
// the caller must Run the result.
func New(o Options) (_ *Daemon, err error) {
	d := &Daemon{o: o, started: time.Now(), upstreams: newRelay(), certificates: newRelay(), probes: newRelay()}
	d.registry, d.metrics = newMetrics(o.Build)
	defer func() {
		if err != nil {
			d.discard()
		}
	}()
	if err := d.listen(); err != nil {
		return nil, err
	}
	if d.logs, err = logging.Open(d.logOptions(o.Config.Log)); err != nil {
		return nil, fmt.Errorf("opening logs: %w", err)
	}
	d.log = d.logs.Error.Named("daemon")
	if err := d.assemble(); err != nil {
		return nil, err
	}
	return d, nil
}

// assemble builds what stands between the logs and the listeners.
func (d *Daemon) assemble() error {
	d.known = d.openRecord()
	d.background = probe.NewBackground(d.metrics.probe, d.logs.Error.Named("probe"))
	d.firewall = &firewallView{
		file: d.o.FirewallState, instance: d.o.Instance, inSync: d.metrics.firewall, log: d.logs.Error.Named("firewall"),
	}
	first, err := d.build(d.o.Config, nil)
	if err != nil {
		return err
	}
	d.server = proxy.New(proxy.Config{
		Options:  first.config.Proxy,
		Upstream: first.upstream,
		TLS:      first.tls,
		Access:   d.logs.Access,
		Log:      d.logs.Error.Named("proxy"),
		Metrics:  d.metrics.proxy,
	})
	log := d.logs.Error.Named("admin")
	d.admin = admin.New(admin.Handler(admin.Source{
		Metrics: d.registry,
		Ready:   d.server.Ready,
		Status:  d.Status,
		Log:     log,
	}), log)
	d.enforce(first)
	d.settle(nil)
	return nil
}

// openRecord reads the record of the upstream's keys, which is kept in memory
// where there is no state directory. A record that is lost or damaged is an
// alert, and no reason not to start.
func (d *Daemon) openRecord() *upstream.KnownKeys {
	file := ""
	if d.o.Config.StateDir != "" {
		file = RecordFile(d.o.Config.StateDir)
	}
	known, err := upstream.OpenKnownKeys(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Error("the record of upstream keys is lost", zap.Error(err))
	}
	return known
}

// discard undoes what New did before it failed.
func (d *Daemon) discard() {
	for _, ln := range d.callers {
		ln.Close() //nolint:errcheck // it was never served
	}
	for _, ln := range d.admins {
		ln.Close() //nolint:errcheck // it was never served
	}
	if d.logs != nil {
		d.logs.Close()
	}
}

// listen binds all listeners, or says which one cannot be.
func (d *Daemon) listen() error {
	for _, address := range d.o.Config.Listen.Addresses {
		ln, err := bind("listen.addresses", address)
		if err != nil {
			return err
		}
		d.callers = append(d.callers, ln)
	}
	for _, address := range d.o.Config.Admin.Addresses {
		ln, err := bind("admin.addresses", address)
		if err != nil {
			return err
		}
		d.admins = append(d.admins, ln)
	}
	return nil
}

// logOptions translates [log].
func (d *Daemon) logOptions(l configs.Log) logging.Options {
	return logging.Options{
		Level:      l.Level,
		AccessFile: l.AccessFile,
		ErrorFile:  l.ErrorFile,
		Syslog:     l.Syslog,
		Rotate:     l.Rotate,
		RotateSize: l.RotateSize,
		RetainDays: l.RetainDays,
		Compress:   l.Compress,
		MinFree:    l.MinFree,
		Stdout:     d.o.Stdout,
		Stderr:     d.o.Stderr,
		OnFailure:  d.metrics.logFailed,
	}
}

// Addresses returns where callers connect, as bound.
func (d *Daemon) Addresses() []string {
	all := make([]string, len(d.callers))
	for i, ln := range d.callers {
		all[i] = ln.Addr().String()
	}
	return all
}

// AdminAddresses returns where the admin listener is, as bound.
func (d *Daemon) AdminAddresses() []string {
	all := make([]string, len(d.admins))
	for i, ln := range d.admins {
		all[i] = ln.Addr().String()
	}
	return all
}

// Run serves until ctx is done, or until a part of it fails, and then stops in
// order. It returns nil unless something failed, and must be called once.
func (d *Daemon) Run(ctx context.Context) error {
	alive, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer d.logs.Close()
	orders := d.orders()
	defer signal.Stop(orders)

	logs := begin(ctx, fail, task{"logs", d.logs.Run})
	obeying := begin(ctx, fail, task{"orders", func(ctx context.Context) error {
		return d.obey(ctx, orders)
	}}, task{"control", d.takeOrders()})
	background := begin(ctx, fail, task{"upstream", d.upstreams.run}, task{"certificate", d.certificates.run},
		task{"probe", d.probes.run}, task{"firewall", d.firewall.run})
	admins := begin(ctx, fail, task{"admin", func(ctx context.Context) error {
		return d.admin.Serve(ctx, d.admins...)
	}})
	accepting := begin(ctx, fail, d.acceptTasks()...)

	d.ready()
	defer d.announce(false)
	<-alive.Done()
	err := d.stop(alive, ctx.Err() == nil, accepting)
	err = errors.Join(err, admins.end(), background.end(), obeying.end())
	d.log.Info("stopped", zap.String(logging.KeyEvent, logging.EventStopped), zap.Error(err))
	return errors.Join(err, logs.end())
}

func (d *Daemon) acceptTasks() []task {
	var tasks []task
	for _, ln := range d.callers {
		tasks = append(tasks, task{"accepting on " + ln.Addr().String(), func(ctx context.Context) error {
			return d.server.Serve(ctx, ln)
		}})
	}
	return tasks
}

// ready tells the world that callers are served.
func (d *Daemon) ready() {
	c := d.current.Load()
	d.announce(true)
	d.notify("READY=1\nSTATUS=forwarding to " + c.upstream.Authority())
	d.log.Info("started", zap.String(logging.KeyEvent, logging.EventStarted),
		zap.String(keyVersion, d.o.Build.Version),
		zap.String(keyFile, d.o.File),
		zap.Strings(keyListen, d.Addresses()),
		zap.Strings(keyAdmin, d.AdminAddresses()),
		zap.String(keyUpstream, c.upstream.Authority()),
		zap.String(keyVerify, string(c.config.Upstream.TLS.Verify)),
		zap.Int(keySources, len(c.config.Proxy.Sources.Prefixes())))
	for _, ln := range d.callers {
		warnIfAbsent(d.log, ln)
	}
	d.warnIfPending()
	if d.o.OnReady != nil {
		d.o.OnReady()
	}
}

// stop ends the acceptance of callers and waits for those who are connected.
// alive is the context that ended; after a failure there is no grace.
func (d *Daemon) stop(alive context.Context, failed bool, accepting *stage) error {
	limits := d.current.Load().config.Proxy
	d.server.Stop()
	d.notify("STOPPING=1")
	cause := context.Cause(alive)
	d.log.Info("stopping", zap.NamedError(keyCause, cause), zap.Duration(keyGrace, limits.DrainGrace))
	if d.o.OnStopping != nil {
		d.o.OnStopping(cause)
	}
	if !failed {
		<-time.After(limits.DrainGrace)
	}
	d.draining.Store(true)
	err := accepting.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(alive), limits.DrainTimeout)
	defer cancel()
	if cut := d.server.Drain(ctx); cut > 0 {
		d.log.Warn("exchanges cut at the stop", zap.Int(keyCut, cut), zap.Duration(keyTimeout, limits.DrainTimeout))
	}
	return err
}
