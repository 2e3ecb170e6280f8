package upstream

import "go.uber.org/zap"

// Keys of log fields.
const (
	keyEvent     = "event"
	keyHost      = "host"
	keyPhase     = "phase"
	keyFormer    = "former"
	keyAddresses = "addresses"
	keyPin       = "pin"
	keySubject   = "subject"
	keyIssuer    = "issuer"
	keyNotAfter  = "not_after"
	keyFirstSeen = "first_seen"
)

// Values of the field event: alarms are bound to them.
const (
	eventDown               = "upstream_down"
	eventUp                 = "upstream_up"
	eventAddressesChanged   = "upstream_addresses_changed"
	eventCertificateChanged = "upstream_certificate_changed"
)

func event(name string) zap.Field { return zap.String(keyEvent, name) }
