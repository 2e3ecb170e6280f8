package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A typist sits at a pseudo-terminal: types, and reads what appears.
type typist struct {
	t        *testing.T
	keyboard *os.File // and screen
	tty      *os.File // the program's end
	read     chan struct{}

	mu     sync.Mutex // guards below
	screen strings.Builder

	seen int // how far the screen was waited for
}

// newTypist opens a pseudo-terminal.
func newTypist(t *testing.T) *typist {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &typist{t: t, keyboard: keyboard, tty: tty, read: make(chan struct{})}
	go p.watch()
	t.Cleanup(func() {
		keyboard.WriteString("\x04") // whoever still reads, of a test that failed, is at the end
		tty.Close()
		keyboard.Close()
	})
	return p
}

// leave closes the program's end, and waits until all of it was on the screen.
func (p *typist) leave() {
	p.tty.Close()
	<-p.read
}

// watch reads the screen until the program's end is closed.
func (p *typist) watch() {
	defer close(p.read)
	b := make([]byte, 4096)
	for {
		n, err := p.keyboard.Read(b)
		p.mu.Lock()
		p.screen.Write(b[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// text is all that was on the screen.
func (p *typist) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.ReplaceAll(p.screen.String(), "\r\n", "\n")
}

// await waits until prompt is on the screen, below what was waited for before.
func (p *typist) await(prompt string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if i := strings.Index(p.text()[p.seen:], prompt); i >= 0 {
			p.seen += i + len(prompt)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("%q did not appear; the screen is:\n%s", prompt, p.text())
		}
	}
}

// typed waits for a prompt and types a line.
func (p *typist) typed(prompt, line string) {
	p.t.Helper()
	p.await(prompt)
	if _, err := p.keyboard.WriteString(line + "\n"); err != nil {
		p.t.Fatal(err)
	}
}

// start runs lqproxy at the terminal, as somebody who is not root. The result is
// its exit code.
func (p *typist) start(ctx context.Context, env map[string]string, args ...string) <-chan int {
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, args, process{stdin: p.tty, stdout: p.tty, stderr: p.tty, getenv: func(name string) string { return env[name] }, uid: 1000})
	}()
	return ended
}

// ends waits for the exit code.
func (p *typist) ends(ended <-chan int, want int) {
	p.t.Helper()
	select {
	case got := <-ended:
		if got != want {
			p.t.Errorf("exit code = %d, want %d; the screen is:\n%s", got, want, p.text())
		}
	case <-time.After(patience):
		p.t.Fatalf("it did not end; the screen is:\n%s", p.text())
	}
}
