package proxy

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// fewDescriptors makes TestAcceptingRecovers use up those of its process, which
// is then its own.
var fewDescriptors = flag.Bool("few-descriptors", false, "run out of file descriptors, in a process that only does that")

// TestAcceptingRecovers runs out of descriptors: accepting backs off, is said,
// and goes on when there are some again.
func TestAcceptingRecovers(t *testing.T) {
	t.Parallel()
	if !*fewDescriptors {
		ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
		defer cancel()
		child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestAcceptingRecovers$", "-few-descriptors") //nolint:gosec // this very binary
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("in a process of its own: %v\n%s", err, out)
		}
		return
	}
	g := start(t, newPeer(t, answering(okAnswer)).addr, parts{})
	before := g.dial()
	before.send(call)
	wantStatus(t, before.answer(), 200)

	files := useUpDescriptors(t)
	files[0].Close() //nolint:errcheck // one is left, for the caller's end
	c := g.dial()
	c.send(call)
	g.log.find(t, "msg", "accepting connections fails; trying again")
	before.send(call) // who is connected is served
	wantStatus(t, before.answer(), 200)
	for _, f := range files[1:] {
		f.Close() //nolint:errcheck // opened for reading
	}
	wantStatus(t, c.answer(), 200)
}

// useUpDescriptors opens files until no more can be.
func useUpDescriptors(t *testing.T) (files []*os.File) {
	t.Helper()
	limit := syscall.Rlimit{Cur: 256, Max: 256}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < patience; {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return files
		}
		files = append(files, f)
	}
	t.Fatal("there is no end of descriptors")
	return nil
}
