package certs

import (
	"context"
	"crypto/tls"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
)

// lookEvery is how often the files are looked at.
const lookEvery = 10 * time.Second

// Files is a certificate and its key in two files. Safe for concurrent use.
type Files struct {
	current
	certFile, keyFile string

	looking sync.Mutex // guards seen, and is held while the files are read
	seen    [2]stamp
}

// A stamp tells one state of a file from another.
type stamp struct {
	info os.FileInfo // nil: there is no file
}

// OpenFiles reads the certificate in certFile, with its intermediates, and its
// key in keyFile, both PEM; they may be one file. A certificate that is out of
// date is accepted, since there is none before it, and Run says so. The error
// is a *[Problem].
func OpenFiles(certFile, keyFile string, o Options) (*Files, error) {
	f := &Files{certFile: certFile, keyFile: keyFile}
	f.prepare(o)
	f.seen = f.stamps() // before the files are read, so that no change goes unnoticed
	pair, problem := f.read()
	if problem != nil {
		return nil, problem
	}
	f.use(pair, FromFiles, certFile)
	return f, nil
}

// Run reads the files again when they change, and warns while the certificate
// comes to its end, until ctx is done. It returns nil, and must be called once.
func (f *Files) Run(ctx context.Context) error {
	f.metrics.show(&f.current)
	defer f.metrics.hide(&f.current)
	f.announce(time.Now())
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		f.warn(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			f.Refresh()
		}
	}
}

// Refresh reads the files now, if they changed or were refused when last read:
// a missing permission leaves no trace in what a stamp compares. What is
// refused is logged once, and in the State.
func (f *Files) Refresh() {
	f.looking.Lock()
	defer f.looking.Unlock()
	now, seen := time.Now(), f.stamps()
	if seen[0].same(f.seen[0]) && seen[1].same(f.seen[1]) && f.State().Problem == nil {
		return
	}
	f.seen = seen
	next, problem := f.read()
	if problem == nil {
		problem = worse(f.Leaf(), next.Leaf, f.certFile, now)
	}
	if problem != nil {
		f.refuse(problem, now)
		return
	}
	f.settle(nil, now)
	if next.Leaf.Equal(f.Leaf()) {
		return
	}
	f.use(next, FromFiles, f.certFile)
	f.replaced(now)
}

// Warnings returns what callers may dislike in the certificate now: that it is
// out of date, and what its State says.
func (f *Files) Warnings() []*Problem {
	s := f.State()
	if p := outOfDate(f.Leaf(), f.certFile, time.Now()); p != nil {
		return append([]*Problem{p}, s.Warnings...)
	}
	return s.Warnings
}

// refuse says once why the files are not taken.
func (f *Files) refuse(p *Problem, now time.Time) {
	if !f.settle(p, now) {
		return
	}
	f.log.Error("listener certificate not replaced: the old one goes on serving", zap.Error(p),
		zap.String(keyHint, p.Chinese()), zap.Time(keyNotAfter, f.Leaf().NotAfter))
}

// read reads both files.
func (f *Files) read() (*tls.Certificate, *Problem) {
	cert, err := os.ReadFile(f.certFile)
	if err != nil {
		return nil, unreadable(f.certFile, err)
	}
	key, err := os.ReadFile(f.keyFile)
	if err != nil {
		return nil, unreadable(f.keyFile, err)
	}
	return parse(f.certFile, cert, f.keyFile, key)
}

func (f *Files) stamps() [2]stamp { return [2]stamp{stampOf(f.certFile), stampOf(f.keyFile)} }

// stampOf follows links, as renewals often turn one around.
func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{info}
}

func (s stamp) same(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == other.info
	}
	return s.info.Size() == other.info.Size() && s.info.ModTime().Equal(other.info.ModTime()) &&
		os.SameFile(s.info, other.info)
}
