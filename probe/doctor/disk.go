package doctor

import (
	"path/filepath"
	"time"
)

// soonFull is how many days must be left.
const soonFull = 30

// disk checks the space that the logs have; without logs there is no finding.
func (m machine) disk(l Logs, now time.Time) []Finding {
	file := l.Access
	if file == "" {
		file = l.Error
	}
	if file == "" {
		return nil
	}
	folder := filepath.Dir(file)
	free, err := m.free(m.path(folder))
	if err != nil {
		return []Finding{found(DiskUnread, folder, err)}
	}
	yesterday := now.AddDate(0, 0, -1).Format(time.DateOnly)
	var rate int64
	for _, log := range []string{l.Access, l.Error} {
		files, _ := m.logFiles(log) // that the folder is missing was found by now
		rate += sizeOf(files, yesterday)
	}
	return []Finding{judgeDisk(folder, free, l.MinFree, rate)}
}

// judgeDisk judges the free bytes of folder, of which least must remain, where a
// day takes rate of them; 0 is not known.
func judgeDisk(folder string, free, least, rate int64) Finding {
	switch {
	case free < least:
		return found(DiskLow, folder, Bytes(free), Bytes(least))
	case rate == 0:
		return found(DiskFree, folder, Bytes(free))
	}
	days := (free - least) / rate
	if days < soonFull {
		return found(DiskSoon, folder, Bytes(free), days)
	}
	return found(DiskFits, folder, Bytes(free), min(days, 9999))
}
