package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy/h1"
	"github.com/lqproxy/lqproxy/proxy/leqi"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// How far the clock may be off. A Date has whole seconds, and the way takes time.
const (
	clockRight = 5 * time.Second
	clockOff   = 5 * time.Minute
)

// clockTimeout bounds the exchange that asks for the time.
const clockTimeout = 10 * time.Second

// judgeClock judges by how much the clock is ahead of the platform's.
func judgeClock(offset *time.Duration) Finding {
	switch {
	case offset == nil:
		return found(ClockUnread)
	case offset.Abs() <= clockRight:
		return found(ClockRight, offset.Abs().Round(time.Second))
	case offset.Abs() <= clockOff:
		return found(ClockOff, offset.Abs().Round(time.Second))
	}
	return found(ClockWrong, offset.Abs().Round(time.Second))
}

// clockOffset makes the guide's call once more and returns by how much this
// machine's clock is ahead of the Date of the answer, or nil. It is only to be
// called where a probe came through: it must not become the call too many.
func clockOffset(ctx context.Context, o probe.Options) *time.Duration {
	o.Upstream.TLS.Verify = upstream.VerifyNone // it has been judged, and nothing is told
	if o.Address.IsValid() {
		o.Upstream.FixedIPs = append(o.Upstream.FixedIPs[:0:0], o.Address)
	}
	up, err := upstream.New(o.Upstream, nil, nil, o.Log)
	if err != nil {
		return nil
	}
	defer up.Close()
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	conn, err := up.Get(ctx)
	if err != nil {
		return nil
	}
	defer conn.Close()
	offset, err := askTime(conn, clockCall(o, up.Authority()))
	if err != nil {
		return nil
	}
	return &offset
}

// clockCall is the guide's call, in the environment and with the unit of the first
// target.
func clockCall(o probe.Options, authority string) string {
	path, fields := "/access/v2/invoke/202007/CXKYSL", ""
	if len(o.Targets) > 0 {
		t := o.Targets[0]
		fields = fmt.Sprintf("%s: %s\r\n%s: %s\r\n", leqi.FieldUnit, t.Unit, leqi.FieldUsingUnit, t.Unit)
		if t.Environment == probe.Sandbox {
			path = "/access/newsandbox/v2/invoke/202007/CXKYSL"
			fields += leqi.FieldSandbox + ": 1\r\n"
		}
	}
	return "POST " + path + " HTTP/1.1\r\nHost: " + authority + "\r\nContent-Type: application/json\r\n" + fields + "\r\n"
}

// askTime sends call and compares the Date of the answer with the middle of the
// time that it took. The part of a second that a Date lacks is half of one on
// average.
func askTime(conn *upstream.Conn, call string) (time.Duration, error) {
	began := time.Now()
	if err := conn.SetReadDeadline(began.Add(clockTimeout)); err != nil {
		return 0, err
	}
	if _, err := conn.Write([]byte(call)); err != nil {
		return 0, fmt.Errorf("asking for the time: %w", err)
	}
	var (
		r   h1.Reader
		res h1.Response
	)
	r.Reset(conn)
	defer r.Release()
	if err := r.ReadResponse(&res, []byte("POST"), &h1.Rules{HeadSize: 64 << 10, FieldCount: 1000}); err != nil {
		return 0, fmt.Errorf("reading the answer: %w", err)
	}
	took := time.Since(began)
	value, _ := res.Value("Date")
	date, err := http.ParseTime(string(value))
	if err != nil {
		return 0, fmt.Errorf("reading the date: %w", err)
	}
	return began.Add(took / 2).Sub(date.Add(time.Second / 2)), nil
}
