package logging

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"
)

const syslogMessage = 8 << 10 // bytes; what is longer is cut, as receivers would do

// frame counts the octets of a message on a stream (RFC 6587, section 3.4.1; RFC 5425, section 4.3). A datagram is its
// own frame (RFC 5426).
func frame(network string, message []byte) []byte {
	if network == "udp" {
		return message
	}
	return append(strconv.AppendInt(nil, int64(len(message)), 10), append([]byte{' '}, message...)...)
}

// format writes a message as RFC 5424 has it: facility daemon, the event as MSGID, no structured data, and the line of
// the error log as MSG. MSG has no byte order mark, which makes it MSG-ANY for the grammar of section 6.4, because
// collectors that read JSON trip over one.
func format(host string, e zapcore.Entry, event string, line []byte) []byte {
	const daemon, version = 3, 1
	if event == "" {
		event = "-"
	}
	head := fmt.Sprintf("<%d>%d %s %s lqproxy %d %s - ", daemon*8+severity(e.Level), version,
		e.Time.Format(timeLayout), host, os.Getpid(), event)
	message := append([]byte(head), line...)
	if len(message) <= syslogMessage {
		return message
	}
	cut := syslogMessage
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut]
}

// severity is that of RFC 5424, section 6.2.1.
func severity(l zapcore.Level) int {
	switch {
	case l >= zapcore.ErrorLevel:
		return 3
	case l == zapcore.WarnLevel:
		return 4
	case l == zapcore.InfoLevel:
		return 6
	}
	return 7
}

// hostName is the HOSTNAME of RFC 5424, section 6.2.4.
func hostName() string {
	name, err := os.Hostname()
	name = strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return -1
		}
		return r
	}, name)
	if err != nil || name == "" {
		return "-"
	}
	return name[:min(len(name), 255)]
}
