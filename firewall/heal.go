package firewall

import (
	"context"
	"errors"
	"time"
)

// Heal brings back the policy that was applied last, with the backend of then,
// and nothing else: neither a new policy nor the removal of what is foreign. It
// returns what it changed, and tells the daemon. An instance that was never
// applied is [ErrNotManaged].
func Heal(ctx context.Context, instance string, folders Folders) (Report, error) {
	r, managed, err := readRecord(folders.Record(instance))
	if err != nil {
		return Report{}, err
	}
	if !managed {
		return Report{}, ErrNotManaged
	}
	m := NewManager(Options{
		Instance: instance, Backend: r.Backend, Policy: r.Policy, Zones: r.Zones, Listen: r.Listen, Folders: folders,
	})
	report, err := m.Apply(ctx, Consent{})
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
