package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// connections is how many callers the steady load has.
const connections = 64

// A load is what h2load says of one run.
type load struct {
	answered int     // with a status of 2xx
	failed   int     // anything else
	rate     float64 // answers per second
}

// steady lets all connections ask again as soon as they are answered.
func (l *lab) steady(ctx context.Context, address string, d time.Duration) (load, error) {
	return l.h2load(ctx, address, d)
}

// offered sends rate requests per second, whether or not answers come, and
// returns the latencies, sorted. h2load gives every connection its share of the
// rate from one clock, so that they come in bursts of as many as there are.
func (l *lab) offered(ctx context.Context, address string, d time.Duration, rate float64) (load, []time.Duration, error) {
	log := filepath.Join(l.dir, "latencies")
	perConnection := strconv.FormatFloat(rate/connections, 'f', 2, 64)
	result, err := l.h2load(ctx, address, d, "--rps="+perConnection, "--log-file="+log)
	if err != nil {
		return load{}, nil, err
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return load{}, nil, err
	}
	latencies, err := parseLatencies(bytes.NewReader(text))
	return result, latencies, errors.Join(err, os.Remove(log))
}

func (l *lab) h2load(ctx context.Context, address string, d time.Duration, extra ...string) (load, error) {
	args := []string{"--h1", "-t", "1", "-c", strconv.Itoa(connections), "-D", strconv.FormatFloat(d.Seconds(), 'f', -1, 64), "-d", l.requestBody()}
	for _, f := range requestFields {
		if f.value != "" { // h2load refuses those without
			args = append(args, "-H", f.name+": "+f.value)
		}
	}
	args = append(append(args, extra...), "http://"+address+quickPath)
	out, err := exec.CommandContext(ctx, tool("h2load"), args...).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("running h2load: %w\n%s", err, out)
	}
	return parseLoad(string(out))
}

var (
	finishedLine = regexp.MustCompile(`(?m)^finished in [^,]+, ([0-9.]+) req/s`)
	requestsLine = regexp.MustCompile(`(?m)^requests: .* (\d+) done, .* (\d+) failed,`)
	statusLine   = regexp.MustCompile(`(?m)^status codes: (\d+) 2xx`)
)

// parseLoad reads the summary that h2load prints.
func parseLoad(text string) (load, error) {
	finished := finishedLine.FindStringSubmatch(text)
	requests := requestsLine.FindStringSubmatch(text)
	status := statusLine.FindStringSubmatch(text)
	if finished == nil || requests == nil || status == nil {
		return load{}, fmt.Errorf("reading the summary of h2load: lines are missing in\n%s", text)
	}
	rate, errRate := strconv.ParseFloat(finished[1], 64)
	done, errDone := strconv.Atoi(requests[1])
	failed, errFailed := strconv.Atoi(requests[2]) // errored and timed out ones among them
	answered, errAnswered := strconv.Atoi(status[1])
	if err := errors.Join(errRate, errDone, errFailed, errAnswered); err != nil {
		return load{}, fmt.Errorf("reading the summary of h2load: %w", err)
	}
	return load{answered: answered, failed: max(done, answered+failed) - answered, rate: rate}, nil
}

// settling is how long an offered load is not looked at: connections and pools
// are being made.
const settling = 500 * time.Millisecond

// parseLatencies reads a log of h2load: start, status and microseconds of each
// request, separated by tabs, in the order of their ends. It returns those of
// good answers that were asked for after settling, sorted.
func parseLatencies(r io.Reader) ([]time.Duration, error) {
	var latencies []time.Duration
	first := int64(0)
	for lines := bufio.NewScanner(r); ; {
		if !lines.Scan() {
			slices.Sort(latencies)
			return latencies, lines.Err()
		}
		start, status, took, err := parseLatency(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("reading latencies of h2load in %q: %w", lines.Text(), err)
		}
		if first == 0 {
			first = start
		}
		if status == http.StatusOK && start >= first+settling.Microseconds() {
			latencies = append(latencies, time.Duration(took)*time.Microsecond)
		}
	}
}

// parseLatency reads one line; start and took are microseconds.
func parseLatency(line string) (start int64, status int, took int64, err error) {
	fields := strings.Split(line, "\t")
	if len(fields) < 3 {
		return 0, 0, 0, errors.New("fewer than three columns")
	}
	start, errStart := strconv.ParseInt(fields[0], 10, 64)
	status, errStatus := strconv.Atoi(fields[1])
	took, errTook := strconv.ParseInt(fields[2], 10, 64)
	return start, status, took, errors.Join(errStart, errStatus, errTook)
}
