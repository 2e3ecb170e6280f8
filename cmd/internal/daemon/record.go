package daemon

import "path/filepath"

// RecordFile returns the file of the upstream's known keys in a state
// directory: the daemon alone writes it, others may read.
func RecordFile(stateDir string) string { return filepath.Join(stateDir, recordName) }
