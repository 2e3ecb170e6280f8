package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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
// returns the latencies, sorted.
func (l *lab) offered(ctx context.Context, address string, d time.Duration, rate float64) (load, []time.Duration, error) {
	log := filepath.Join(l.dir, "latencies")
	perConnection := strconv.FormatFloat(rate/connections, 'f', 2, 64)
	result, err := l.h2load(ctx, address, d, "--rps="+perConnection, "--log-file="+log)
	if err != nil {
		return load{}, nil, err
	}
	f, err := os.Open(log)
	if err != nil {
		return load{}, nil, err
	}
	defer f.Close()
	latencies, err := parseLatencies(f)
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
	requestsLine = regexp.MustCompile(`(?m)^requests: .* (\d+) done, .* (\d+) failed, (\d+) errored, (\d+) timeout`)
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
	rate, err := strconv.ParseFloat(finished[1], 64)
	if err != nil {
		return load{}, fmt.Errorf("reading the rate of h2load: %w", err)
	}
	answered, err := strconv.Atoi(status[1])
	if err != nil {
		return load{}, fmt.Errorf("reading the answers of h2load: %w", err)
	}
	done, err := strconv.Atoi(requests[1])
	if err != nil {
		return load{}, fmt.Errorf("reading the requests of h2load: %w", err)
	}
	// A failed request is also an errored or a timed out one, and is not done.
	failed, err := strconv.Atoi(requests[2])
	if err != nil {
		return load{}, fmt.Errorf("reading the failures of h2load: %w", err)
	}
	return load{answered: answered, failed: max(done-answered, 0) + failed, rate: rate}, nil
}

// parseLatencies reads a log of h2load: start, status and microseconds of each
// request, separated by tabs. It returns those of good answers, sorted.
func parseLatencies(r io.Reader) ([]time.Duration, error) {
	var latencies []time.Duration
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 3 {
			return nil, fmt.Errorf("reading latencies of h2load: %q has no three columns", lines.Text())
		}
		if fields[1] != "200" {
			continue
		}
		microseconds, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading latencies of h2load: %w", err)
		}
		latencies = append(latencies, time.Duration(microseconds)*time.Microsecond)
	}
	slices.Sort(latencies)
	return latencies, lines.Err()
}
