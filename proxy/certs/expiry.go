package certs

import (
	"time"

	"go.uber.org/zap"
)

// thresholds are the days before its end at which a certificate is spoken of.
var thresholds = [...]int{1, 7, 14, 30}

const day = 24 * time.Hour

// renewal returns when a certificate is to be replaced by a newer one: after two
// thirds of its life, or half of a life of some days, as authorities advise.
func renewal(notBefore, notAfter time.Time) time.Time {
	const short = 10 * day
	life := notAfter.Sub(notBefore)
	if life <= short {
		return notAfter.Add(-life / 2)
	}
	return notAfter.Add(-life / 3)
}

// warn says that the certificate comes to its end, once at each threshold.
func (c *current) warn(now time.Time) {
	s := c.State()
	left := s.NotAfter.Sub(now)
	for _, days := range thresholds {
		if left > time.Duration(days)*day {
			continue
		}
		if c.said(days) {
			return
		}
		c.log.Warn("listener certificate expires", zap.String(keyEvent, eventExpiring), zap.String(keyFile, s.File),
			zap.Int(keyDays, int(left/day)), zap.Time(keyNotAfter, s.NotAfter))
		return
	}
}

// said notes that the threshold of that many days was spoken of, and reports
// whether it was before.
func (c *current) said(days int) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	before := c.warned == days
	c.warned = days
	return before
}
