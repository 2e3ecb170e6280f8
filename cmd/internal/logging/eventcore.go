package logging

import (
	"fmt"

	"go.uber.org/zap/zapcore"
)

// An eventCore hands events, and whatever is a warning or worse, to syslog.
type eventCore struct {
	zapcore.LevelEnabler
	encoder zapcore.Encoder
	event   string // from With
	out     *syslog
}

// With implements zapcore.Core.
func (c *eventCore) With(fields []zapcore.Field) zapcore.Core {
	next := *c
	next.encoder = c.encoder.Clone()
	for _, f := range fields {
		f.AddTo(next.encoder)
	}
	next.event = eventIn(fields, c.event)
	return &next
}

// Check implements zapcore.Core.
func (c *eventCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write implements zapcore.Core. It never waits.
func (c *eventCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	event := eventIn(fields, c.event)
	if event == "" && e.Level < zapcore.WarnLevel {
		return nil
	}
	line, err := c.encoder.EncodeEntry(e, fields)
	if err != nil {
		return fmt.Errorf("encoding line for syslog: %w", err)
	}
	defer line.Free()
	c.out.send(format(c.out.host, e, event, line.Bytes()[:line.Len()-1])) // without the newline
	return nil
}

// Sync implements zapcore.Core.
func (c *eventCore) Sync() error { return nil }

// eventIn returns the event that fields name, or else fallback.
func eventIn(fields []zapcore.Field, fallback string) string {
	for _, f := range fields {
		if f.Key == KeyEvent && f.Type == zapcore.StringType {
			return f.String
		}
	}
	return fallback
}
