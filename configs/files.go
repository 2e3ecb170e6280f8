package configs

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/lqproxy/lqproxy/proxy/certs"
)

// keyPair notes what is wrong with the listener's certificate and key. They
// are read again when they change; here they are only tried.
func (r *reader) keyPair(l *Listen) {
	cert, certOK := r.file("listen.cert_file", l.CertFile)
	key, keyOK := r.file("listen.key_file", l.KeyFile)
	if !certOK || !keyOK {
		return
	}
	_, err := certs.Parse(l.CertFile, cert, l.KeyFile, key)
	p, ok := errors.AsType[*certs.Problem](err)
	if !ok {
		return
	}
	at, value := "listen.cert_file", l.CertFile
	if p.File == l.KeyFile && p.File != l.CertFile {
		at, value = "listen.key_file", l.KeyFile
	}
	r.badAt(at, Mistake{Kind: NotKeyPair, Value: shown(value), Err: p})
}

// roots reads the authorities in the file that key names, if it names one.
// Where that fails it returns nil, and has noted why.
func (r *reader) roots(key, file string) *x509.CertPool {
	if file == "" || !r.well(key) {
		return nil
	}
	data, ok := r.file(key, file)
	if !ok {
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		r.badAt(key, Mistake{Kind: NotCertificate, Value: shown(file)})
		return nil
	}
	return pool
}

// file returns what is in the file that key names.
func (r *reader) file(key, name string) ([]byte, bool) {
	data, err := readRegular(name)
	if err != nil {
		r.badAt(key, unreadable(name, err))
		return nil, false
	}
	return data, true
}

var errNotRegular = errors.New("not a regular file")

// readRegular leaves alone what has no end, or waits: devices and pipes.
func readRegular(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return os.ReadFile(name)
}

// unreadable returns the mistake of a file that cannot be read. The cause
// stands without the name of the file, which the value is.
func unreadable(name string, err error) Mistake {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return Mistake{Kind: Unreadable, Value: shown(name), Err: err}
}

// An Account is who a process runs as.
type Account struct {
	UID  uint32
	GIDs []uint32 // all groups
}

// Unreadable returns a mistake for each file that c names and a could not
// read, although whoever calls may.
func (a Account) Unreadable(c Config) Mistakes {
	var ms Mistakes
	for _, f := range []struct{ key, name string }{
		{"listen.cert_file", c.Listen.CertFile},
		{"listen.key_file", c.Listen.KeyFile},
		{"listen.acme.ca_file", c.Listen.ACME.CAFile},
		{"upstream.tls.ca_file", c.CAFile},
	} {
		if f.name == "" {
			continue
		}
		if err := a.CanRead(f.name); err != nil {
			m := unreadable(f.name, err)
			m.Key = f.key
			ms = append(ms, m)
		}
	}
	return ms
}

// Permission bits of one class of users.
const (
	mayRead   = 4
	mayEnter  = 1
	ownerBits = 6
	groupBits = 3
)

// CanRead returns nil if a may read the file of that whole path, judged by the
// owners and permission bits along it; access control lists are not looked at.
// The error is fs.ErrPermission, or why the path could not be followed.
func (a Account) CanRead(name string) error {
	// A link is reached through its own folders and its target's.
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	for _, folder := range slices.Concat(folders(name), folders(target)) {
		if err := a.may(mayEnter, folder); err != nil {
			return err
		}
	}
	return a.may(mayRead, target)
}

// folders returns the folders that lead to name, the outermost first.
func folders(name string) []string {
	var all []string
	for i := range name {
		if strings.HasPrefix(name[i:], "/") {
			all = append(all, name[:max(i, 1)])
		}
	}
	return all
}

// may returns nil if a is given the permission bit for name.
func (a Account) may(bit fs.FileMode, name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || a.UID == 0 {
		return nil
	}
	class := fs.FileMode(0)
	switch {
	case owner.Uid == a.UID:
		class = ownerBits
	case slices.Contains(a.GIDs, owner.Gid):
		class = groupBits
	}
	if info.Mode().Perm()>>class&bit == 0 {
		return fs.ErrPermission
	}
	return nil
}
