package main

import (
	"fmt"
	"strings"
	"time"
)

// A metric names one kind of figure.
type metric string

const (
	cpuPerExchange metric = "cpu"     // microseconds
	rate           metric = "rate"    // exchanges per second
	burst50        metric = "burst50" // microseconds, at the offered rate, by h2load
	burst99        metric = "burst99"
	spread50       metric = "spread50" // the same, evenly spread
	spread99       metric = "spread99"
	arriveTime     metric = "arrive" // seconds until all callers at once were answered
	againTime      metric = "again"  // the same, on their connections
	crowdCPU       metric = "crowd"  // seconds of CPU time for the two
	busyMemory     metric = "busy"   // bytes, the most while they were
	idleMemory     metric = "idle"   // bytes for each idle connection
	uploadTime     metric = "up"     // seconds for a body
	uploadCPU      metric = "up-cpu" // seconds of CPU time
	uploadMemory   metric = "up-mem" // bytes, the most
	downloadTime   metric = "dn"     // as for uploads
	downloadCPU    metric = "dn-cpu"
	downloadMemory metric = "dn-mem"
	failures       metric = "failed" // exchanges without a good answer
)

// A record holds the figures of one program, round by round.
type record map[metric][]float64

func (r record) add(m metric, v float64) { r[m] = append(r[m], v) }

// median reports false when m was not measured.
func (r record) median(m metric) (float64, bool) {
	if len(r[m]) == 0 {
		return 0, false
	}
	return median(r[m]), true
}

func (r record) sum(m metric) float64 {
	total := 0.0
	for _, v := range r[m] {
		total += v
	}
	return total
}

// results are what a run found.
type results struct {
	records map[string]record // by name of the program
	offered float64           // the rate at which latency was measured in bursts, per second
	spread  float64           // the same, evenly spread
}

// latest returns what the last round found, for the progress.
func (r results) latest(m metric) string {
	var parts []string
	for _, p := range programs {
		if values := r.records[p.name][m]; len(values) > 0 {
			parts = append(parts, fmt.Sprintf("%s %.1f", p.name, values[len(values)-1]))
		}
	}
	return strings.Join(parts, ", ")
}

// addLatencies notes two quantiles of sorted, if there are any latencies.
func (r record) addLatencies(sorted []time.Duration, m50, m99 metric) {
	if len(sorted) == 0 {
		return
	}
	r.add(m50, float64(quantile(sorted, 0.50).Microseconds()))
	r.add(m99, float64(quantile(sorted, 0.99).Microseconds()))
}
