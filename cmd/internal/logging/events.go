package logging

// KeyEvent is the field that makes a line of the error log an event: it is also sent to syslog.
const KeyEvent = "event"

// Events of the program as a whole. Their names are a contract; each package below names its own.
const (
	EventStarted = "started"
	EventStopped = "stopped"

	eventWriteFailed = "log_write_failed"
	eventDiskLow     = "disk_low"
)

// Keys of the fields of this package's lines.
const (
	keyFile = "file" // what OnFailure is called with
	keyPath = "path"
	keyLost = "lost" // lines
	keyFree = "free" // bytes
	keyMin  = "min_free"
)
