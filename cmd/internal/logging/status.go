package logging

import "path/filepath"

// A Status is how it stands with the logs at one moment.
type Status struct {
	AccessFile string   `json:"access_file"`          // as log.access_file
	ErrorFile  string   `json:"error_file"`           // as log.error_file
	Free       *int64   `json:"free_bytes,omitempty"` // where the access log is; nil: it is no file, or its folder is missing
	MinFree    int64    `json:"min_free_bytes"`       // 0: no limit
	Paused     bool     `json:"paused"`               // the access log, for want of space
	Failing    []string `json:"failing"`              // the outputs that cannot be written now: access, error, stderr
	Lost       int      `json:"lost"`                 // lines since this began, or since the pause did
}

// Status returns how it stands with the logs now. It waits for no disk but to
// ask how much is free.
func (l *Logs) Status() Status {
	o := l.current.Load()
	s := Status{AccessFile: o.AccessFile, ErrorFile: o.ErrorFile, MinFree: o.MinFree, Failing: []string{}}
	if o.AccessFile != "" && o.AccessFile != off {
		if free, err := freeSpace(filepath.Dir(o.AccessFile)); err == nil {
			s.Free = &free
		}
	}
	for _, k := range l.sinks() {
		failing, paused, lost := k.trouble()
		if failing {
			s.Failing = append(s.Failing, k.name)
		}
		s.Paused = s.Paused || paused
		s.Lost += lost
	}
	return s
}

// trouble returns whether writing fails, whether lines are dropped on purpose,
// and how many were dropped since that began.
func (s *sink) trouble() (failing, paused bool, lost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing, s.paused, s.lost + s.skipped
}
