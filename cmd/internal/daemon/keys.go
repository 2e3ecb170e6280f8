package daemon

// Keys of log fields.
const (
	keyVersion  = "version"
	keyFile     = "file"
	keyListen   = "listen"
	keyAdmin    = "admin"
	keyUpstream = "upstream"
	keyVerify   = "verify"
	keySources  = "sources"
	keyAddress  = "address"
	keyCause    = "cause"
	keyGrace    = "drain_grace"
	keyTimeout  = "drain_timeout"
	keyCut      = "cut"
	keyChanged  = "changed"
	keyFrom     = "from"
	keyTo       = "to"
	keyPID      = "pid"
	keyRetired  = "retired"
)

// Events of changes of the process: alarms are bound to their names.
const (
	eventReloaded     = "reloaded"
	eventReloadFailed = "reload_failed"
	eventUpgraded     = "upgraded"
)
