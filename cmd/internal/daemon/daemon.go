package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
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

	// Succession is what the process before this one left, and how the next one
	// is started; nil: there are no upgrades.
	Succession *Succession

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
	pages    http.Handler // of the admin listeners
	firewall *firewallView

	fronts   atomic.Pointer[fronts]
	current  atomic.Pointer[generation]
	draining atomic.Bool

	// Of Run.
	begin  func(...task) *stage
	asked  context.Context // ends when somebody wants it to stop
	alive  context.Context // ends then, or when a part of it fails
	duties *stage          // what one process of an instance alone may do

	inCharge   atomic.Bool // this is, or was, the process with the duties
	retired    atomic.Bool // another one has them now
	successor  *line       // to that one; like lost written before handedOver is closed
	lost       error       // that one has crashed
	handedOver chan struct{}
	former     atomic.Int64 // connections of the process before this one, as it said last

	// What runs of the current generation.
	upstreams    *relay
	certificates *relay
	probes       *relay
	background   *probe.Background

	changing    sync.Mutex  // held during a reload and an upgrade
	upgrading   atomic.Bool // during an upgrade
	again       atomic.Bool // a reload was asked for by a signal meanwhile
	outcomeLock sync.Mutex  // guards outcome
	outcome     admin.Reload
}

// New builds a daemon and binds its listeners. It starts no goroutine. An
// address that cannot be bound is a *ListenError. Unless there is an error,
// the caller must Run the result.
func New(o Options) (_ *Daemon, err error) {
	d := &Daemon{
		o: o, started: time.Now(), handedOver: make(chan struct{}),
		upstreams: newRelay(), certificates: newRelay(), probes: newRelay(),
	}
	d.inCharge.Store(!o.Succession.succeeds())
	d.registry, d.metrics = newMetrics(o.Build)
	defer func() {
		if err != nil {
			d.discard()
		}
	}()
	all, err := d.open(nil, o.Config)
	d.fronts.Store(&all)
	if err != nil {
		return nil, err
	}
	logs := d.logOptions(o.Config.Log)
	logs.Joining = o.Succession.succeeds()
	if d.logs, err = logging.Open(logs); err != nil {
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
	d.pages = admin.Handler(admin.Source{
		Metrics: d.registry,
		Ready:   d.accepts,
		Status:  d.Status,
		Log:     d.logs.Error.Named("admin"),
	})
	d.enforce(first, Origin{Cause: CauseStart})
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
	d.fronts.Load().leave()
	if d.logs != nil {
		d.logs.Close()
	}
}

// answer answers on an admin listener. A connection that is left to this
// process alone ends behind its answer, so that the next one asks the process
// in charge.
func (d *Daemon) answer(w http.ResponseWriter, r *http.Request) {
	if d.retired.Load() {
		w.Header().Set("Connection", "close")
	}
	d.pages.ServeHTTP(w, r)
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
func (d *Daemon) Addresses() []string { return d.fronts.Load().of(keyListenAddresses).bound() }

// AdminAddresses returns where the admin listener is, as bound.
func (d *Daemon) AdminAddresses() []string { return d.fronts.Load().of(keyAdminAddresses).bound() }

// accepts is what /readyz says. A process that retired has no say in it: what it
// is still asked through old connections is true of the one that took over.
func (d *Daemon) accepts() bool { return d.retired.Load() || d.server.Ready() }

// Retired reports whether another process has taken over.
func (d *Daemon) Retired() bool { return d.retired.Load() }

// Run serves until ctx is done, another process has taken over and the last
// connection ended, or a part of it fails; it then stops in order. It returns
// nil unless something failed, and must be called once.
func (d *Daemon) Run(ctx context.Context) error {
	alive, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer d.logs.Close()
	d.asked, d.alive = ctx, alive
	d.begin = func(tasks ...task) *stage { return begin(ctx, fail, tasks...) }
	signals := d.signals()
	defer signal.Stop(signals)

	logs := d.begin(task{"logs", d.logs.Run})
	upstreams := d.begin(task{"upstream", d.upstreams.run})
	for _, f := range *d.fronts.Load() {
		d.serve(f)
	}
	var err error
	if d.takeCharge() {
		err = d.lead(signals, fail)
	} else {
		d.fronts.Load().leave() // to the process before, which serves on
		err = d.stop()
	}
	err = errors.Join(err, d.fronts.Load().but(keyListenAddresses).end(), upstreams.end())
	d.sayEnd(err)
	return errors.Join(err, logs.end())
}

// lead does what one process of an instance alone does, until it is to stop or
// another one has taken over; then it lets the connections end.
func (d *Daemon) lead(signals chan os.Signal, fail func(error)) error {
	d.duties = d.begin(task{"certificate", d.certificates.run}, task{"probe", d.probes.run},
		task{"firewall", d.firewall.run}, task{"systemd", d.tellStatus})
	orders := d.begin(task{"signals", func(ctx context.Context) error { return d.obey(ctx, signals) }},
		task{"control", d.takeOrders()}, task{"process before", d.hearFormer})
	d.ready()
	select {
	case <-d.alive.Done():
	case <-d.handedOver:
	}
	var err error
	if d.settleUpgrade() {
		err = d.retire(fail)
	} else {
		err = d.stop()
	}
	err = errors.Join(err, orders.end(), d.duties.end())
	d.withdraw()
	return err
}

// ready tells the world that callers are served.
func (d *Daemon) ready() {
	c := d.current.Load()
	d.announce()
	d.notify(d.readiness())
	d.log.Info("started", zap.String(logging.KeyEvent, logging.EventStarted),
		zap.String(keyVersion, d.o.Build.Version),
		zap.String(keyFile, d.o.File),
		zap.Strings(keyListen, d.Addresses()),
		zap.Strings(keyAdmin, d.AdminAddresses()),
		zap.String(keyUpstream, c.upstream.Authority()),
		zap.String(keyVerify, string(c.config.Upstream.TLS.Verify)),
		zap.Int(keySources, len(c.config.Proxy.Sources.Prefixes())))
	for _, f := range *d.fronts.Load() {
		warnIfAbsent(d.log, f.ln)
	}
	d.warnIfPending()
	d.o.Succession.taken()
	if d.o.OnReady != nil {
		d.o.OnReady()
	}
}

// sayEnd logs how Run ends. A process that was followed by another has nothing
// to say that an alarm might be bound to.
func (d *Daemon) sayEnd(err error) {
	if d.retired.Load() {
		d.log.Info("the last connection has ended, and the next process goes on alone", zap.Error(err))
		return
	}
	d.log.Info("stopped", zap.String(logging.KeyEvent, logging.EventStopped), zap.Error(err))
}
