package main

// The codes with which lqproxy ends.
const (
	exitOK        = 0
	exitFailed    = 1
	exitUsage     = 2 // the command line is wrong
	exitConfig    = 3 // the configuration is wrong
	exitForbidden = 4 // Leqi answered 403 at every attempt
	exitUnreached = 5 // Leqi was not reached: DNS, TCP, TLS
	exitUnproven  = 6 // Leqi answered something that does not prove the path

	exitNotAllowed = exitConfig // status: not allowed to ask, which monitors know as unknown
)
