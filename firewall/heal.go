package firewall

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// Heal brings back the policy that was applied last, with the backend of then,
// and nothing else: neither a new policy nor the removal of what is foreign. It
// returns what it changed, and tells the daemon. An instance that was never
// applied is [ErrNotManaged].
func Heal(ctx context.Context, instance string, folders Folders) (report Report, err error) {
	if _, managed, err := readRecord(folders.Record(instance)); err != nil || !managed {
		return report, cmp.Or(err, ErrNotManaged) // without leaving the file of a lock
	}
	m := NewManager(Options{Instance: instance, Folders: folders})
	err = m.locked(func(r Record, managed bool) error { // by now a person may have applied or removed
		if !managed {
			return ErrNotManaged
		}
		report, err = heal(ctx, instance, r, folders)
		return err
	})
	return report, err
}

// heal is Heal under the lock.
func heal(ctx context.Context, instance string, r Record, folders Folders) (Report, error) {
	m := NewManager(Options{
		Instance: instance, Backend: r.Backend, Policy: r.Policy, Zones: r.Zones, Listen: r.Listen, Folders: folders,
	})
	if r.Policy.Empty() {
		return Report{}, ErrEmptyPolicy
	}
	report, err := m.apply(ctx, r, true, Consent{})
	if err != nil {
		report.Backend = r.Backend
		broken := Sync{Backend: r.Backend, Checked: time.Now().Truncate(time.Second), Policy: r.Policy, Problems: []string{err.Error()}}
		err = errors.Join(err, broken.write(folders.State(instance)))
	}
	return report, err
}

// Applied returns the record of an instance; not found if nothing was applied.
func Applied(instance string, folders Folders) (r Record, found bool, err error) {
	return readRecord(folders.Record(instance))
}
