package upstream

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

const (
	recordVersion = 1
	maxKeys       = 64        // a middlebox that makes a new key for each connection must not fill the disk
	seenEvery     = time.Hour // LastSeen is not worth a write more often
)

// ErrNoSuchKey says that a pin is not in the record.
var ErrNoSuchKey = errors.New("the record has no such key")

// A KnownKey is a key that the upstream has shown, and the certificate in which
// it was seen first.
type KnownKey struct {
	Pin       Pin       `json:"pin"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	NotAfter  time.Time `json:"not_after"` // of the certificate seen last
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"` // within the hour
	Accepted  bool      `json:"accepted"`
}

// A keyFile is the record on disk. Members that this version does not know are
// ignored: a newer version's file never stops an older binary.
type keyFile struct {
	Version int        `json:"version"`
	Keys    []KnownKey `json:"keys"`
}

// KnownKeys is the record of the keys that the upstream has shown. Safe for
// concurrent use. A handshake never waits for the disk: what it adds is written
// by Run.
type KnownKeys struct {
	file    string        // "": in memory alone
	changed chan struct{} // tells Run that there is something to write
	saving  sync.Mutex    // held while the file is written

	mu        sync.Mutex // guards what follows
	keys      []KnownKey // in the order of FirstSeen
	dirty     bool
	damaged   bool // the file is to be set aside, not overwritten
	suspended bool // the file is another process's
}

// OpenKnownKeys reads the record in file. A lost or damaged record is an empty
// one, and the error says what was wrong with it; both are returned. There is no
// file before the first key was seen: the error is then fs.ErrNotExist. With the
// name "" the record is kept in memory alone.
func OpenKnownKeys(file string) (*KnownKeys, error) {
	k := &KnownKeys{file: file, changed: make(chan struct{}, 1)}
	if file == "" {
		return k, nil
	}
	var err error
	k.keys, k.damaged, err = readKeys(file)
	return k, err
}

// readKeys reads the record in file, and says whether it is damaged.
func readKeys(file string) (keys []KnownKey, damaged bool, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, false, fmt.Errorf("reading the record of upstream keys: %w", err)
	}
	if keys, err = parseKeys(text); err != nil {
		return nil, true, fmt.Errorf("reading the record of upstream keys %s: %w", file, err)
	}
	return keys, false, nil
}

// Suspend leaves the file to another process, once what was not written yet is:
// from then on the record changes in memory alone. That it cannot be written is
// the error, and does not change that.
func (k *KnownKeys) Suspend() error {
	err := k.save()
	k.saving.Lock() // a save that began before has ended
	defer k.saving.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.suspended = true
	return err
}

// Resume takes the file over again from another process: the record becomes
// what stands there, and what was seen here in the meantime is added and
// written. The error is that of OpenKnownKeys; the record stays what it was
// then.
func (k *KnownKeys) Resume() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.suspended = false
	if k.file == "" {
		return nil
	}
	keys, damaged, err := readKeys(k.file)
	if err == nil {
		for _, own := range k.keys {
			if indexPin(keys, own.Pin) < 0 && len(keys) < maxKeys {
				own.Accepted = len(keys) == 0
				keys = append(keys, own)
				k.dirty = true
			}
		}
		k.keys = keys
	}
	k.damaged = damaged
	signal(k.changed)
	return err
}

// parseKeys reads the record. Repeated keys are one; accepted if one of them is.
func parseKeys(text []byte) ([]KnownKey, error) {
	var f keyFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	if f.Version < 1 {
		return nil, errors.New("no version is named")
	}
	var keys []KnownKey
	for _, k := range f.Keys {
		if i := indexPin(keys, k.Pin); i >= 0 {
			keys[i].Accepted = keys[i].Accepted || k.Accepted
			continue
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// List returns the keys in the order in which they were first seen.
func (k *KnownKeys) List() []KnownKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.keys)
}

// Accept makes the key one that is expected, and writes the record. If only the
// writing fails the key is accepted until the process ends.
func (k *KnownKeys) Accept(pin Pin) error {
	return k.edit(pin, func(i int) { k.keys[i].Accepted = true })
}

// Forget removes the key, and writes the record. If only the writing fails the
// key is forgotten until the process ends. When the last key is forgotten the
// next one that is seen counts as the first.
func (k *KnownKeys) Forget(pin Pin) error {
	return k.edit(pin, func(i int) { k.keys = slices.Delete(k.keys, i, i+1) })
}

func (k *KnownKeys) edit(pin Pin, change func(i int)) error {
	k.mu.Lock()
	i := indexPin(k.keys, pin)
	if i < 0 {
		k.mu.Unlock()
		return fmt.Errorf("looking for %v: %w", pin, ErrNoSuchKey)
	}
	change(i)
	k.dirty = true
	k.mu.Unlock()
	return k.save()
}

// see returns the record's entry of leaf's key. A key that was not there is
// added, accepted if it is the very first. news is true then, and once an hour
// for a key that still waits to be accepted.
func (k *KnownKeys) see(leaf *x509.Certificate, now time.Time) (key KnownKey, news bool) {
	k.mu.Lock()
	defer k.mu.Unlock()

	i := indexPin(k.keys, PinOf(leaf))
	switch {
	case i < 0:
		i = k.add(leaf, now)
		news = true
	case now.Sub(k.keys[i].LastSeen) < seenEvery && k.keys[i].NotAfter.Equal(leaf.NotAfter):
		return k.keys[i], false
	default:
		k.keys[i].LastSeen, k.keys[i].NotAfter = now, leaf.NotAfter
		news = !k.keys[i].Accepted
	}
	k.dirty = true
	signal(k.changed)
	return k.keys[i], news
}

// add returns the index of the new entry. The caller holds mu.
func (k *KnownKeys) add(leaf *x509.Certificate, now time.Time) int {
	if len(k.keys) >= maxKeys {
		oldest := max(0, slices.IndexFunc(k.keys, func(x KnownKey) bool { return !x.Accepted }))
		k.keys = slices.Delete(k.keys, oldest, oldest+1)
	}
	k.keys = append(k.keys, KnownKey{
		Pin:       PinOf(leaf),
		Subject:   leaf.Subject.String(),
		Issuer:    leaf.Issuer.String(),
		NotAfter:  leaf.NotAfter,
		FirstSeen: now,
		LastSeen:  now,
		Accepted:  len(k.keys) == 0,
	})
	return len(k.keys) - 1
}

// waiting reports whether a key is not accepted yet.
func (k *KnownKeys) waiting() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.ContainsFunc(k.keys, func(x KnownKey) bool { return !x.Accepted })
}

// save writes the record if it changed. What could not be written stays to be.
func (k *KnownKeys) save() error {
	k.saving.Lock()
	defer k.saving.Unlock()

	k.mu.Lock()
	dirty, damaged := k.dirty && !k.suspended, k.damaged
	f := keyFile{Version: recordVersion, Keys: slices.Clone(k.keys)}
	k.dirty = k.dirty && k.suspended
	k.mu.Unlock()
	if !dirty || k.file == "" {
		return nil
	}

	err := k.write(f, damaged)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.dirty = true
		return fmt.Errorf("writing the record of upstream keys: %w", err)
	}
	k.damaged = false
	return nil
}

// write replaces the file. A damaged one is kept beside it, as evidence.
func (k *KnownKeys) write(f keyFile, damaged bool) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if damaged {
		_ = os.Rename(k.file, k.file+".damaged")
	}
	return replaceFile(k.file, append(text, '\n'))
}

// replaceFile writes text whole and to the disk, then puts it in the place of
// file, so that a crash leaves the one or the other.
func replaceFile(file string, text []byte) error {
	dir := filepath.Dir(file)
	err := renameio.WriteFile(file, text, 0o600, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func indexPin(keys []KnownKey, pin Pin) int {
	return slices.IndexFunc(keys, func(k KnownKey) bool { return k.Pin == pin })
}
