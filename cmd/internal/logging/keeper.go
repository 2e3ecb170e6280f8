package logging

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	keepEvery = 30 * time.Second
	settled   = 10 * time.Second // after which no process writes to a rotated file any more: it looks each second
	packAgain = 10 * time.Minute // after compressing failed; it costs time
	mustKeep  = 180              // days for which logs are kept even on a low disk: the law wants six months
)

// A keeper looks after rotated files (retention, compression) and the free space. It is used by one goroutine; leave
// may be called by any.
type keeper struct {
	logs *Logs
	log  *zap.Logger

	seen    map[string]time.Time // rotated files not yet compressed, and since when they rest
	paused  bool                 // and so the access log pauses
	trouble string               // what was last complained of

	stop atomic.Pointer[context.CancelFunc] // stops the compression of a file
}

func (k *keeper) run(ctx context.Context) {
	for {
		k.keep(ctx)
		if !sleep(ctx, keepEvery) {
			return
		}
	}
}

func (k *keeper) keep(ctx context.Context) {
	s := k.logs.current.Load()
	var err error
	if k.logs.rotating.Load() && s.Rotate == rotateDaily {
		err = k.tidy(ctx, s)
	}
	k.watchSpace(s)
	k.complain(ctx, err)
}

// tidy deletes what is too old and compresses the rest.
func (k *keeper) tidy(ctx context.Context, s *settings) error {
	var errs []error
	now := time.Now()
	seen := make(map[string]time.Time)
	for _, a := range archives(s) {
		files, err := a.list()
		errs = append(errs, err)
		if s.RetainDays > 0 {
			limit := dayOf(now.AddDate(0, 0, -s.RetainDays))
			files, err = deleteBefore(files, limit)
			errs = append(errs, err)
		}
		if s.Compress {
			errs = append(errs, k.packSettled(ctx, files, now, seen))
		}
	}
	k.seen = seen
	return errors.Join(errs...)
}

// archives returns those of the logs that are files.
func archives(s *settings) []archive {
	var all []archive
	if s.AccessFile != "" && s.AccessFile != off {
		all = append(all, archiveOf(s.AccessFile))
	}
	if s.ErrorFile != "" {
		all = append(all, archiveOf(s.ErrorFile))
	}
	return all
}

// deleteBefore deletes the files of days before limit and returns the others.
func deleteBefore(files []rotated, limit string) ([]rotated, error) {
	var errs []error
	kept := slices.DeleteFunc(files, func(f rotated) bool {
		if f.day >= limit {
			return false
		}
		errs = append(errs, deleteFile(f))
		return true
	})
	return kept, errors.Join(errs...)
}

// deleteFile deletes f, which may be gone already.
func deleteFile(f rotated) error {
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("deleting old log: %w", err)
	}
	return nil
}

// packSettled compresses the files that nobody writes to any more, and removes what a crash left of earlier attempts.
// The others it notes in seen.
func (k *keeper) packSettled(ctx context.Context, files []rotated, now time.Time, seen map[string]time.Time) error {
	var errs []error
	for _, f := range files {
		switch f.suffix {
		case suffixPacked:
		case suffixPacked + suffixPartial:
			errs = append(errs, deleteFile(f))
		default:
			since, known := k.seen[f.path]
			if !known {
				since = now
			}
			if now.Sub(since) < settled {
				seen[f.path] = since
			} else if err := k.pack(ctx, f.path); err != nil {
				seen[f.path] = now.Add(packAgain)
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// pack compresses a file, unless another process has the files meanwhile.
func (k *keeper) pack(ctx context.Context, path string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	k.stop.Store(&stop)
	if !k.logs.rotating.Load() {
		return nil
	}
	err := pack(ctx, path)
	if !k.logs.rotating.Load() {
		return nil // the other one does it again
	}
	return err
}

// leave stops the compression that is under way.
func (k *keeper) leave() {
	if stop := k.stop.Load(); stop != nil {
		(*stop)()
	}
}

// watchSpace makes room when the disk of the access log is low, and pauses that log when it cannot.
func (k *keeper) watchSpace(s *settings) {
	if s.MinFree <= 0 || s.AccessFile == "" || s.AccessFile == off {
		k.resume(0)
		return
	}
	dir := filepath.Dir(s.AccessFile)
	free, err := freeSpace(dir)
	if err != nil {
		return // the folder is missing, which the sink reports
	}
	if free < s.MinFree && k.logs.rotating.Load() && s.Rotate == rotateDaily {
		free = k.makeRoom(s, dir, free)
	}
	switch {
	case free < s.MinFree:
		k.pause(s, free)
	case !k.paused || free >= s.MinFree+s.MinFree/10: // the margin keeps it from going on and off
		k.resume(free)
	}
}

// makeRoom deletes files older than the law wants, oldest first, until enough is free. It returns what is.
func (k *keeper) makeRoom(s *settings, dir string, free int64) int64 {
	limit := dayOf(time.Now().AddDate(0, 0, -mustKeep))
	var old []rotated
	for _, a := range archives(s) {
		if a.dir != dir {
			continue
		}
		files, err := a.list()
		if err != nil {
			return free
		}
		old = append(old, slices.DeleteFunc(files, func(f rotated) bool { return f.day >= limit })...)
	}
	slices.SortFunc(old, rotated.compare)
	for _, f := range old {
		if free >= s.MinFree || deleteFile(f) != nil {
			break
		}
		k.log.Warn("disk low: old log deleted", zap.String(KeyEvent, eventDiskLow), zap.String(keyPath, f.path),
			zap.Int64(keyFree, free), zap.Int64(keyMin, s.MinFree))
		if now, err := freeSpace(dir); err == nil {
			free = now
		}
	}
	return free
}

func (k *keeper) pause(s *settings, free int64) {
	if k.paused {
		return
	}
	k.paused = true
	k.logs.access.pause(true)
	k.log.Error("disk low: access log paused", zap.String(KeyEvent, eventDiskLow), zap.String(keyPath, s.AccessFile),
		zap.Int64(keyFree, free), zap.Int64(keyMin, s.MinFree))
}

func (k *keeper) resume(free int64) {
	if !k.paused {
		return
	}
	k.paused = false
	lost := k.logs.access.pause(false)
	k.log.Warn("access log resumed", zap.Int64(keyFree, free), zap.Int(keyLost, lost))
}

// complain logs err, unless it is what was logged last or comes of stopping.
func (k *keeper) complain(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	if trouble != "" && trouble != k.trouble {
		k.log.Warn("rotated logs cannot be kept in order", zap.Error(err))
	}
	k.trouble = trouble
}

// freeSpace returns the bytes that a user may still write in dir.
func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("measuring free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // of other types on other systems
}
