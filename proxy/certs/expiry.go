package certs

import (
	"time"

	"go.uber.org/zap"
)

// Keys of log fields, and the event that alarms are bound to.
const (
	keyEvent    = "event"
	keyFile     = "file"
	keySubject  = "subject"
	keyNotAfter = "not_after"
	keyDays     = "days"

	eventExpiring = "certificate_expiring"
)

// thresholds are the days before its end at which a certificate is spoken of.
var thresholds = [...]int{1, 7, 14, 30}

const day = 24 * time.Hour

// warn says that the certificate comes to its end, once at each threshold.
func (f *Files) warn(now time.Time) {
	left := f.Leaf().NotAfter.Sub(now)
	for _, days := range thresholds {
		if left > time.Duration(days)*day {
			continue
		}
		if f.warned == days {
			return
		}
		f.warned = days
		f.log.Warn("listener certificate expires", zap.String(keyEvent, eventExpiring), zap.String(keyFile, f.certFile),
			zap.Int(keyDays, int(left/day)), zap.Time(keyNotAfter, f.Leaf().NotAfter))
		return
	}
}
