package takeover

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Bounds of waiting.
const (
	tick      = 2 * time.Millisecond // between two looks at the sockets
	closing   = 75 * time.Second     // for a listener to close: drain_grace is a minute at most
	starting  = 30 * time.Second     // for one to open
	finishing = 10 * time.Second     // for nginx to end before it is started again
)

// Errors of waiting.
var (
	// ErrOccupied says that the old listener did not end.
	ErrOccupied = errors.New("the port did not become free")

	// ErrVacant says that the new one did not come.
	ErrVacant = errors.New("the port was not opened, or not by the right one")
)

// await looks again and again until done, at most for d; then the error is late.
func await(ctx context.Context, d time.Duration, late error, done func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d, late)
	defer cancel()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	return nil
}

// free reports whether nobody listens on our ports.
func (m *Move) free() bool { return !slices.ContainsFunc(m.Ports, m.Host.Listening) }

// awaitClosed waits for the end of the old listener, and notes when it was.
func (m *Move) awaitClosed(ctx context.Context, closed func() bool) error {
	err := await(ctx, closing, ErrOccupied, closed)
	m.gone = time.Now()
	return err
}

// awaitOpened waits for the new listener, and notes how long there was none.
func (m *Move) awaitOpened(ctx context.Context, ready func() bool) error {
	err := await(ctx, starting, ErrVacant, ready)
	m.gap = time.Since(m.gone)
	return err
}

// quitNginx has nginx close its listeners and end by itself. A unit that systemd
// would start again at once has to be stopped by systemd.
func (m *Move) quitNginx(ctx context.Context) error {
	if m.Nginx.Unit != "" && strings.HasPrefix(m.Nginx.Restart, "always") {
		if err := m.systemctl(ctx, "stop", m.Nginx.Unit); err != nil {
			return err
		}
	} else if err := syscall.Kill(m.Nginx.PID, syscall.SIGQUIT); err != nil {
		return fmt.Errorf("telling nginx (pid %d) to quit: %w", m.Nginx.PID, err)
	}
	m.quit = true
	return m.awaitClosed(ctx, m.free)
}

// startNginx starts nginx as it was, once the former one has ended: two of them
// would quarrel about the pid file.
func (m *Move) startNginx(ctx context.Context) error {
	if m.nginxListens() {
		return nil
	}
	m.endNginx(ctx)
	if m.Nginx.Unit != "" {
		if err := m.systemctl(ctx, "restart", m.Nginx.Unit); err != nil {
			return err
		}
	} else if err := m.runNginx(ctx); err != nil {
		return err
	}
	return m.awaitOpened(ctx, m.nginxListens)
}

// runNginx starts nginx by hand; it goes into the background by itself.
func (m *Move) runNginx(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, starting)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.Nginx.Program, m.Nginx.Arguments...)
	cmd.Dir = m.Nginx.Folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s: %w: %s", cmd, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (m *Move) nginxListens() bool {
	return slices.ContainsFunc(m.Ports, func(port uint16) bool {
		holder, _ := m.Host.Holder(port)
		return holder != nil && holder.Program == m.Nginx.Program
	})
}

// endNginx waits until the nginx that quits has finished its calls. One that we
// told to is in the end not waited for any longer, as nobody can connect meanwhile.
func (m *Move) endNginx(ctx context.Context) {
	ended := func() bool { return !m.Host.Runs(m.Nginx.PID, m.Nginx.Program) }
	if await(ctx, finishing, nil, ended) == nil || !m.quit {
		return
	}
	if syscall.Kill(m.Nginx.PID, syscall.SIGTERM) == nil {
		_ = await(ctx, finishing, nil, ended) // the start that follows says what is wrong
	}
}

// startLqproxy also ends one that runs without having the port.
func (m *Move) startLqproxy(ctx context.Context) error { return m.systemctl(ctx, "restart", m.Unit) }

func (m *Move) awaitLqproxy(ctx context.Context) error { return m.awaitOpened(ctx, m.Ready) }

// stopLqproxy does not wait for the calls that are under way: they are finished
// while nginx takes the next. It may be that nginx listens already: then lqproxy
// had gone before.
func (m *Move) stopLqproxy(ctx context.Context) error {
	if err := m.systemctl(ctx, "stop", "--no-block", m.Unit); err != nil {
		return err
	}
	return m.awaitClosed(ctx, func() bool { return m.free() || m.nginxListens() })
}

func (m *Move) enableLqproxy(ctx context.Context) error { return m.systemctl(ctx, "enable", m.Unit) }

func (m *Move) disableLqproxy(ctx context.Context) error { return m.systemctl(ctx, "disable", m.Unit) }

// disableNginx takes nginx out of all that starts with the machine.
func (m *Move) disableNginx(ctx context.Context) error {
	for _, unit := range m.Nginx.Enabled {
		if err := m.systemctl(ctx, "disable", unit); err != nil {
			return err
		}
	}
	return switchLines(m.Host, m.Nginx.Lines, off)
}

// enableNginx is the opposite.
func (m *Move) enableNginx(ctx context.Context) error {
	for _, unit := range m.Nginx.Enabled {
		if err := m.systemctl(ctx, "enable", unit); err != nil {
			return err
		}
	}
	return switchLines(m.Host, m.Nginx.Lines, on)
}

// systemctl runs it, with what it says in the error.
func (m *Move) systemctl(ctx context.Context, arguments ...string) error {
	argv := append([]string{"systemctl"}, arguments...)
	_, err := m.Host.Run(ctx, argv...)
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(string(e.Stderr)))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return nil
}
