// Package certs holds the certificate that the listener shows to callers.
//
// It is read from two files, and read again when they change: whoever renews
// it has nothing to reload. A new pair that could only be worse (unreadable, a
// key that does not match, out of date) is refused with a line in the log, and
// the one in use goes on serving.
package certs
