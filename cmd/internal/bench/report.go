package main

import (
	"fmt"
	"io"
	"strings"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// report prints what was measured.
func report(w io.Writer, m machine, o options, r results) error {
	write := table.text
	if o.markdown {
		write = table.markdown
	}
	if err := m.print(w, o.markdown); err != nil {
		return err
	}
	if err := write(figures(o, r), w); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return write(comparison(o, r), w)
}

// A figure is a row of the first table.
type figure struct {
	label  string
	metric metric
	unit   float64
	format string
}

// figures is the table of what each program used.
func figures(o options, r results) table {
	t := table{head: []string{"medians"}}
	for _, p := range programs {
		t.head = append(t.head, p.name)
	}
	for _, f := range figureRows(o, r) {
		row := []string{f.label}
		for _, p := range programs {
			row = append(row, f.cell(r.records[p.name]))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

func figureRows(o options, r results) []figure {
	size := fmt.Sprintf("%d MiB", o.bodySize/mib)
	return []figure{
		{"CPU per exchange, us", cpuPerExchange, 1, "%.1f"},
		{"exchanges/s, 64 connections", rate, 1, "%.0f"},
		{fmt.Sprintf("%.0f/s in bursts, p50 us", r.offered), burst50, 1, "%.0f"},
		{fmt.Sprintf("%.0f/s in bursts, p99 us", r.offered), burst99, 1, "%.0f"},
		{fmt.Sprintf("%.0f/s spread, p50 us", r.spread), spread50, 1, "%.0f"},
		{fmt.Sprintf("%.0f/s spread, p99 us", r.spread), spread99, 1, "%.0f"},
		{fmt.Sprintf("%d at once, last after s", o.callers), arriveTime, 1, "%.2f"},
		{"again on their connections, s", againTime, 1, "%.2f"},
		{"CPU of these two, s", crowdCPU, 1, "%.2f"},
		{"resident meanwhile, MiB", busyMemory, mib, "%.1f"},
		{"idle connection, KiB", idleMemory, kib, "%.2f"},
		{size + " up, s", uploadTime, 1, "%.2f"},
		{size + " up, CPU s", uploadCPU, 1, "%.3f"},
		{size + " up, peak MiB", uploadMemory, mib, "%.1f"},
		{size + " down, s", downloadTime, 1, "%.2f"},
		{size + " down, CPU s", downloadCPU, 1, "%.3f"},
		{size + " down, peak MiB", downloadMemory, mib, "%.1f"},
		{"exchanges that failed", failures, 1, "%.0f"},
	}
}

func (f figure) cell(r record) string {
	if f.metric == failures {
		return fmt.Sprintf(f.format, r.sum(failures))
	}
	v, ok := r.median(f.metric)
	if !ok {
		return "-"
	}
	return fmt.Sprintf(f.format, v/f.unit)
}

// A goal is a row of the second table: a figure of lqproxy's, alone or divided
// by that of a peer.
type goal struct {
	label  string
	metric metric
	peer   string // "": no division
	unit   float64
	format string
	most   float64
	then   string // a later goal
}

func goals(o options) []goal {
	n := o.callers
	return []goal{
		{"CPU per exchange / nginx tuned", cpuPerExchange, tunedNginx.name, 1, "%.2f", 0.90, "then 0.75"},
		{"CPU per exchange / HAProxy", cpuPerExchange, haproxy.name, 1, "%.2f", 0.85, "then 0.75"},
		{"CPU per exchange / nginx guide", cpuPerExchange, guideNginx.name, 1, "%.3f", 0.10, ""},
		{"p99 in bursts (h2load) / nginx tuned", burst99, tunedNginx.name, 1, "%.2f", 1.2, ""},
		{"p99 spread / nginx tuned", spread99, tunedNginx.name, 1, "%.2f", 1.2, ""},
		{fmt.Sprintf("%d callers at once, s", n), arriveTime, "", 1, "%.2f", 2, ""},
		{fmt.Sprintf("resident, %d busy, MiB", n), busyMemory, "", mib, "%.1f", 96, ""},
		{"idle connection, KiB", idleMemory, "", kib, "%.2f", 4, ""},
		{"CPU of a body up / nginx tuned", uploadCPU, tunedNginx.name, 1, "%.2f", 1, ""},
		{"CPU of a body down / nginx tuned", downloadCPU, tunedNginx.name, 1, "%.2f", 1, ""},
	}
}

// comparison is the table of lqproxy's figures beside what it should reach.
func comparison(o options, r results) table {
	t := table{head: []string{"lqproxy", "measured", "target", ""}}
	for _, g := range goals(o) {
		target := strings.TrimSpace(fmt.Sprintf("<= %g %s", g.most, g.then))
		v, ok := g.value(r)
		if !ok {
			t.rows = append(t.rows, []string{g.label, "-", target, ""})
			continue
		}
		verdict := "met"
		if v > g.most {
			verdict = "missed"
		}
		t.rows = append(t.rows, []string{g.label, fmt.Sprintf(g.format, v), target, verdict})
	}
	return t
}

// value reports false when there is no figure to compare. A ratio is the median
// of the rounds' ratios: what disturbs the machine disturbs neighbours alike.
func (g goal) value(r results) (float64, bool) {
	own := r.records[lqproxy.name]
	if g.peer == "" {
		v, ok := own.median(g.metric)
		return v / g.unit, ok
	}
	ratios := record{}
	peers := r.records[g.peer][g.metric]
	for i, v := range own[g.metric] {
		if i < len(peers) && peers[i] > 0 {
			ratios.add(g.metric, v/peers[i])
		}
	}
	return ratios.median(g.metric)
}
