package proxy

import (
	"maps"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lqproxy/lqproxy/proxy/leqi"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
)

// The values of label limit.
const (
	limitConnections = "connections"
	limitExchanges   = "exchanges"
	limitQueue       = "queue"
)

// limitNames are the values of label limit.
var limitNames = []string{limitConnections, limitExchanges, limitQueue}

// other is the value of labels for what is not in a closed set.
const other = "other"

// Metrics are the time series of the data plane, and what the status shows
// beside them. Made once for a process; safe for concurrent use.
type Metrics struct {
	Upstream *upstream.Metrics

	connections prometheus.Counter
	refused     map[Reason]prometheus.Counter
	failures    map[Reason]prometheus.Counter
	forbidden   prometheus.Counter
	received    prometheus.Counter
	sent        prometheus.Counter
	durations   []prometheus.Observer // by leqi.Environment
	own         prometheus.Observer
	exchanges   cells[exchangeLabels]
	answers     cells[answerLabels]
	capacity    *prometheus.GaugeVec
	reached     map[string]prometheus.Counter

	server   atomic.Pointer[Server] // whose limits are shown
	activity *activity
}

type exchangeLabels struct {
	environment leqi.Environment
	service     string
	status      int
}

type answerLabels struct {
	environment         leqi.Environment
	ability, unit, code string
}

// NewMetrics registers the time series with reg. Closed small sets start at
// zero, so that the first failure is visible to rate().
func NewMetrics(reg prometheus.Registerer, up *upstream.Metrics) *Metrics {
	m := &Metrics{Upstream: up, activity: newActivity(time.Now())}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	m.connections = counter("lqproxy_connections_total", "Connections that were admitted.")
	m.forbidden = counter("lqproxy_upstream_forbidden_total", "Answers 403 of the upstream.")
	m.received = counter("lqproxy_request_bytes_total", "Bytes of requests, heads and decoded bodies.")
	m.sent = counter("lqproxy_response_bytes_total", "Bytes written to callers.")
	m.refused = byReason(vec("lqproxy_connections_refused_total", "Connections that were refused, by reason.", "reason"), connectionReasons)
	m.failures = byReason(vec("lqproxy_exchange_failures_total", "Exchanges that did not end with the upstream's whole answer, by reason.", "reason"), exchangeReasons())
	m.exchanges.init(vec("lqproxy_exchanges_total", "Exchanges, by the status that the caller got.", "environment", "service", "code"), exchangeLabels.values)
	m.answers.init(vec("lqproxy_leqi_answers_total", "Answers of the upstream, by the platform's own code.", "environment", "ability", "unit", "leqi_code"), answerLabels.values)
	m.registerDurations(reg)
	m.registerLimits(reg, vec)
	return m
}

func byReason(v *prometheus.CounterVec, reasons []Reason) map[Reason]prometheus.Counter {
	counters := make(map[Reason]prometheus.Counter, len(reasons))
	for _, r := range reasons {
		counters[r] = v.WithLabelValues(string(r))
	}
	return counters
}

// exchangeReasons are those that an exchange can end with.
func exchangeReasons() []Reason {
	var reasons []Reason
	for _, r := range Reasons {
		if r.Status() != 0 {
			reasons = append(reasons, r)
		}
	}
	return reasons
}

func (m *Metrics) registerDurations(reg prometheus.Registerer) {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "lqproxy_exchange_duration_seconds",
		Help:    "Time from the first byte of a request to the last of its answer.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60, 120},
	}, []string{"environment"})
	reg.MustRegister(v)
	for _, e := range leqi.Environments {
		m.durations = append(m.durations, v.WithLabelValues(e.String()))
	}
	own := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "lqproxy_exchange_own_seconds",
		Help:    "Time of an answered exchange less that of connecting to the upstream and of waiting for its answer.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	})
	reg.MustRegister(own)
	m.own = own
}

func (m *Metrics) registerLimits(reg prometheus.Registerer, vec func(name, help string, labels ...string) *prometheus.CounterVec) {
	m.capacity = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "lqproxy_limit_capacity",
		Help: "How much of a limited thing there may be.",
	}, []string{"limit"})
	reached := vec("lqproxy_limit_reached_total", "How often somebody was refused, or had to wait, for a limit.", "limit")
	m.reached = make(map[string]prometheus.Counter)
	reg.MustRegister(m.capacity, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lqproxy_connections_open",
		Help: "Connections of callers that are open.",
	}, func() float64 { return m.usage(limitConnections) }))
	for _, limit := range limitNames {
		m.reached[limit] = reached.WithLabelValues(limit)
		m.capacity.WithLabelValues(limit)
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "lqproxy_limit_current",
			Help:        "How much of a limited thing there is.",
			ConstLabels: prometheus.Labels{"limit": limit},
		}, func() float64 { return m.usage(limit) }))
	}
}

// usage returns how much of a limit is used at the moment.
func (m *Metrics) usage(limit string) float64 {
	s := m.server.Load()
	if s == nil {
		return 0
	}
	taken, waiting := s.slots.usage()
	switch limit {
	case limitConnections:
		return float64(s.Connections())
	case limitExchanges:
		return float64(taken)
	}
	return float64(waiting)
}

// setLimits shows the limits in force. Everybody who is connected may queue.
func (m *Metrics) setLimits(l Limits) {
	m.capacity.WithLabelValues(limitConnections).Set(float64(l.Connections))
	m.capacity.WithLabelValues(limitExchanges).Set(float64(l.Exchanges))
	m.capacity.WithLabelValues(limitQueue).Set(float64(l.Connections))
}

// Activity returns what happened lately.
func (m *Metrics) Activity() Activity { return m.activity.read(time.Now()) }

// refuse counts a connection that is refused.
func (m *Metrics) refuse(r Reason, source netip.Addr) {
	m.refused[r].Inc()
	m.activity.refusals.add(source, r, time.Now())
}

// fail counts a failure outside of an exchange.
func (m *Metrics) fail(r Reason) {
	m.failures[r].Inc()
	m.activity.failures[r].is(time.Now())
}

// reach counts that somebody was refused, or had to wait, for a limit.
func (m *Metrics) reach(limit string) {
	m.reached[limit].Inc()
	m.activity.limits[limit].is(time.Now())
}

// record counts a finished exchange.
func (m *Metrics) record(x *exchange) {
	m.activity.exchange(x)
	environment := x.call.Environment
	m.exchanges.at(exchangeLabels{environment, x.call.Service, x.loggedStatus()}).Inc()
	m.durations[environment].Observe(x.total.Seconds())
	m.received.Add(float64(x.received))
	m.sent.Add(float64(x.out.written))
	if x.failure.failed() {
		m.failures[x.failure.reason].Inc()
	}
	if !x.answered {
		return
	}
	m.own.Observe(x.ownShare().Seconds())
	m.answers.at(answerLabels{environment, x.call.Ability, x.unitName(), x.code}).Inc()
	if x.res.Status == 403 {
		m.forbidden.Inc()
	}
}

// ownShare is what an answered exchange took apart from connecting to the
// upstream and waiting for its answer: lqproxy, and the networks on both sides.
func (x *exchange) ownShare() time.Duration { return x.total - x.connected - x.handshook - x.wait }

// unitName returns the configured name of the request's access unit.
func (x *exchange) unitName() string {
	if id, n := x.req.Value(leqi.FieldUnit); n == 1 {
		if name, ok := x.l.unitNames[string(id)]; ok {
			return name
		}
	}
	return other
}

func (l exchangeLabels) values() []string {
	return []string{l.environment.String(), orOther(l.service), strconv.Itoa(l.status)}
}

func (l answerLabels) values() []string {
	return []string{l.environment.String(), orOther(l.ability), l.unit, orOther(l.code)}
}

func orOther(s string) string {
	if s == "" {
		return other
	}
	return s
}

// cells finds the counter of a set of labels without building their strings
// each time. The sets are closed, so the map stops growing. Safe for
// concurrent use.
type cells[K comparable] struct {
	vec    *prometheus.CounterVec
	values func(K) []string
	mu     sync.Mutex // serialises additions
	byKey  atomic.Pointer[map[K]prometheus.Counter]
}

func (c *cells[K]) init(vec *prometheus.CounterVec, values func(K) []string) {
	c.vec, c.values = vec, values
	c.byKey.Store(&map[K]prometheus.Counter{})
}

// at returns the counter of key.
func (c *cells[K]) at(key K) prometheus.Counter {
	if counter, ok := (*c.byKey.Load())[key]; ok {
		return counter
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	grown := maps.Clone(*c.byKey.Load())
	grown[key] = c.vec.WithLabelValues(c.values(key)...)
	c.byKey.Store(&grown)
	return grown[key]
}
