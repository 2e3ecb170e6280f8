package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	startTimeout = 15 * time.Second
	stopTimeout  = 5 * time.Second
)

// A process is a running program.
type process struct {
	program
	address string
	pid     int // of the process that does the work
	cmd     *exec.Cmd
	ended   chan struct{} // closed after Wait
	output  string        // file with what it printed
}

// start runs p on one core, forwarding to upstream, and returns when it
// answers. The caller must stop it.
func (l *lab) start(ctx context.Context, p program, upstream string, cpu int) (*process, error) {
	s, err := l.setting(ctx, p, upstream)
	if err != nil {
		return nil, err
	}
	file, err := p.write(s)
	if err != nil {
		return nil, err
	}
	pr := &process{program: p, address: s.Address, ended: make(chan struct{}), output: filepath.Join(s.Dir, "output")}
	argv := append([]string{"taskset", "-c", strconv.Itoa(cpu)}, p.command(l, file)...)
	if err := pr.launch(argv); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	if err := pr.awaitReady(ctx); err != nil {
		pr.stop()
		return nil, err
	}
	if pr.pid, err = workerOf(pr.cmd.Process.Pid, p.worker); err != nil {
		pr.stop()
		return nil, fmt.Errorf("finding the worker of %s: %w", p.name, err)
	}
	return pr, nil
}

func (p *process) launch(argv []string) error {
	out, err := os.Create(p.output)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()         // the process has its own descriptor of it
	p.cmd = exec.Command(argv[0], argv[1:]...) //nolint:noctx // stop ends it, in good order
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended shows in its output
	}()
	return nil
}

// awaitReady returns when the process has answered a request.
func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := askOnce(ctx, p)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended at its start:\n%s", p.name, p.printed())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for %s to answer: %w\n%s", p.name, err, p.printed()), ctx.Err())
		case <-again.C:
		}
	}
}

// askOnce sends one request, or only connects where TLS is spoken.
func askOnce(ctx context.Context, p *process) error {
	c, err := dial(ctx, p.address)
	if err != nil {
		return err
	}
	defer c.close()
	if p.tls {
		return nil
	}
	return c.exchange(quickRequest)
}

// printed returns the end of what the process printed.
func (p *process) printed() string {
	const most = 2000
	text, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text[max(0, len(text)-most):]))
}

// stop ends the process, if there is one, and returns when it is gone.
func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails when it is gone: just as well
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
